"""Secrets in streams: whole content, window by window, plain and encoded. The keys here open nothing."""

from __future__ import annotations

import base64
import re
import tracemalloc
from io import BytesIO

import pytest

from pytest_dockerlab.checks.needles import Hit, Needle, search, search_stream
from pytest_dockerlab.checks.secrets import KNOWN_KEYS

VALUE = "hunter2+but/longer"
CHUNK = 256 * 1024
# Put together here, so that no scanner of sources finds one.
GITHUB = b"ghp_" + b"0123456789abcdefghijABCDEFGHIJ012345"
GOOGLE = b"AIza" + b"0123456789abcdefghijABCDEFGHIJ01234"
PEM = b"-----BEGIN " + b"RSA PRIVATE KEY-----\n" + (b"M" * 64 + b"\n") * 3


def found(needle: Needle, data: bytes) -> Hit | None:
    hits, size = search_stream(BytesIO(data), {"it": needle})
    assert size == len(data)
    return hits.get("it")


@pytest.mark.parametrize("place", [0, 1, CHUNK - 30, CHUNK - 5, CHUNK, 2 * CHUNK - 9, 5 * CHUNK + 77])
def test_a_secret_is_found_wherever_it_lies(place: int) -> None:
    """Far behind the first MiB as well, and across the edges of what is read at a time."""
    for needle, text in ((Needle.of_text(VALUE), VALUE.encode()), (KNOWN_KEYS["GitHub token"], GITHUB)):
        data = b" " * place + text + b" " * 1000
        hit = found(needle, data)
        assert hit is not None
        assert (hit.text, hit.encoding) == (text, "")
        assert found(needle, data[: place + len(text)]) is not None, "at the stream's very end"


@pytest.mark.parametrize("place", range(CHUNK - 60, CHUNK + 5, 7))
def test_an_edge_makes_no_secret(place: int) -> None:
    """What stands before and behind counts, even if it was read with another piece."""
    before = b" " * place + b"x" + GITHUB + b" " * 99  # an identifier that ends like a token
    behind = b" " * place + GOOGLE + b"X" + b" " * 99  # one character too many
    assert found(KNOWN_KEYS["GitHub token"], before) is None
    assert found(KNOWN_KEYS["Google API key"], behind) is None
    for shift in range(0, 70, 7):
        moved = b" " * (CHUNK - 64 * 1024 + shift) + b"x" + GITHUB + b" " * CHUNK
        assert found(KNOWN_KEYS["GitHub token"], moved) is None, "where the second window begins"


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        *(("base64", base64.b64encode(b"user:"[:n] + VALUE.encode() + b"\n")) for n in range(5)),
        ("base64", base64.urlsafe_b64encode(b"?" + VALUE.encode() + b"?")),
        ("hex", VALUE.encode().hex().encode()),
        ("hex", VALUE.encode().hex().upper().encode()),
        ("UTF-16", f"key={VALUE}".encode("utf-16")),
        ("URL encoding", b"?password=hunter2%2Bbut%2Flonger&x=1"),
    ],
)
def test_a_value_is_found_in_usual_encodings(encoding: str, data: bytes) -> None:
    """At each place that it can have in a group of base64; the hit tells the value and how it was hidden."""
    hit = found(Needle.of_text(VALUE), b"a line\n" + data + b"\nanother")
    assert hit is not None
    assert (hit.text, hit.encoding) == (VALUE.encode(), encoding)


def test_a_value_with_quotes_is_found_in_json() -> None:
    """Where backslashes stand before them."""
    hit = found(Needle.of_text('say "friend"\n'), b'{"password": "say \\"friend\\"\\n"}')
    assert hit is not None
    assert hit.encoding == "JSON"


@pytest.mark.parametrize(("name", "key"), [("GitHub token", GITHUB), ("Google API key", GOOGLE), ("private key", PEM)])
@pytest.mark.parametrize("before", [b"", b"k=", b"user:", b"a longer text, then a space "])
def test_forms_of_keys_are_found_in_base64(name: str, key: bytes, before: bytes) -> None:
    """As in the secrets of a cluster, or a registry's login: decoded, and held against the form."""
    hit = found(KNOWN_KEYS[name], b"data:\n  it: " + base64.b64encode(before + key + b"\n") + b"\n")
    assert hit is not None
    assert hit.encoding == "base64"
    assert hit.text.startswith(key[:30])


def test_what_only_starts_like_a_key_in_base64_is_none() -> None:
    """A certificate beside a private key, a token that is too short, an identifier that ends like one."""
    for data in (b"-----BEGIN CERTIFICATE-----\n" + b"M" * 64, b"ghp_tooshort", b"x" + GITHUB):
        assert found(KNOWN_KEYS["private key"], base64.b64encode(data)) is None
        assert found(KNOWN_KEYS["GitHub token"], base64.b64encode(data)) is None


def test_a_pattern_without_a_known_start_is_searched_for_everywhere() -> None:
    """The user's own patterns."""
    needle = Needle(pattern=re.compile(rb"token=[a-z]+"))
    assert search(needle, b"x token=abc") == Hit(text=b"token=abc", start=2, end=11)
    hit = found(needle, b"\0" * (CHUNK - 4) + b"token=abc;")
    assert hit is not None
    assert hit.text == b"token=abc"


def test_memory_does_not_grow_with_the_content() -> None:
    """A hundred megabytes in a few."""

    class Endless:
        left = 100 * 1024**2

        def read(self, size: int = -1, /) -> bytes:
            size = min(size, self.left)
            self.left -= size
            return b"\0" * size

    tracemalloc.start()
    try:
        assert search_stream(Endless(), {"value": Needle.of_text(VALUE)}) == ({}, 100 * 1024**2)
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024**2
    finally:
        tracemalloc.stop()
