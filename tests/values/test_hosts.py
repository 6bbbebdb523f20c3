"""Lists of hosts that may be reached."""

from __future__ import annotations

import pytest

from pytest_dockerlab import UsageError
from pytest_dockerlab.hosts import HostList


@pytest.mark.parametrize(
    ("place", "allowed"),
    [
        (("index.example", 443), True),
        (("INDEX.example.", 80), True),
        (("index.example", 8080), False),
        (("other.example", 8443), True),
        (("other.example", 443), False),
        (("a.b.wide.example", 443), True),
        (("wide.example", 443), False),
        (("evilwide.example", 443), False),
        (("index.example.evil.net", 443), False),
        (("192.0.2.7", 80), True),
        (("", 80), False),
    ],
)
def test_a_host_is_on_the_list_or_not(place: tuple[str, int], allowed: bool) -> None:
    """By its whole name and its port; those below a name need a star."""
    hosts = HostList(["index.example", "other.example:8443", "*.wide.example", "192.0.2.7:80"])
    assert (place in hosts) is allowed


@pytest.mark.parametrize("text", ["", "https://x.example", "x.example/", "x:port", "x:99999", "*", "a b", "x.*", "-"])
def test_what_is_no_host_is_told(text: str) -> None:
    """With the text, and how to write one."""
    with pytest.raises(UsageError, match="not a host"):
        HostList([text])
