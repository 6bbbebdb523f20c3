"""What people write in options and settings: read, written, and read again; or refused in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_dockerlab.errors import FormatError, UsageError
from pytest_dockerlab.lab.ownership import Owner
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.quantity import to_bytes, to_nano_cpus, to_seconds
from pytest_dockerlab.reference import Reference
from pytest_dockerlab.run.cgroups import FILES, cgroup_paths, limits_from, usage_from
from pytest_dockerlab.run.parse import RunSettings, parse_run
from pytest_dockerlab.run.ports import parse_ports
from pytest_dockerlab.settings import NAMES, read_settings

Kept = Callable[..., Any]
MOST = 2**63 - 1

# Texts that are nearly right find more than any characters do.
WORD = st.from_regex(r"[a-z0-9]{1,4}((_|__|-{1,3})[a-z0-9]{1,3}){0,2}", fullmatch=True)
NEARLY_NAME = st.lists(
    st.sampled_from([*"aA0:/@.-_[] ", "::1", "localhost", "library", "sha256:" + "0" * 64]), max_size=8
)
AMOUNT = st.one_of(
    st.integers(),
    st.floats(),
    st.decimals(allow_nan=True).map(str),
    st.from_regex(r"\s?\d{1,30}(\.\d{0,30})?\s?([kmgtpKMGTP]?i?[bB]?|ms|s|h|e\d{1,8})\s?", fullmatch=True),
    st.text(max_size=8),
    st.sampled_from([10**400, -(10**400), "9" * 5000, "1e999999", "1e-999999", "0." + "0" * 400 + "1", None]),
)


@given(
    host=st.sampled_from(["", "docker.io/", "localhost/", "r.example:5000/", "[::1]:80/", "Host/"]),
    path=st.lists(WORD, min_size=1, max_size=3),
    tag=WORD,
    digest=st.booleans(),
)
def test_a_name_is_read_written_and_read_again(host: str, path: list[str], tag: str, digest: bool) -> None:
    """Whole and familiar form both mean the image that was named."""
    text = f"{host}{'/'.join(path)}:{tag}" + (f"@sha256:{'a' * 64}" if digest else "")
    name = Reference.parse(text)
    assert Reference.parse(str(name)) == name
    assert Reference.parse(name.familiar) == name
    assert (name.tag, bool(name.digest)) == (tag, digest)


@given(st.one_of(NEARLY_NAME.map("".join), st.text(max_size=20)))
@example("docker.io/foo.bar/baz")  # its short form would have been another registry's image
@example("a/" * 300 + "a")
@example("a" * 64 + ":1")  # only a bare id is no name
@example("reg.io/" + "a" * 64)
def test_any_text_is_a_name_or_refused(kept: Kept, text: str) -> None:
    """What is taken keeps its meaning in both forms."""
    name = kept(Reference.parse, text)
    if name is not None:
        assert Reference.parse(str(name)) == name
        assert Reference.parse(name.familiar) == name
        assert len(name.path) <= 255


@given(
    st.one_of(
        st.text(max_size=12),
        st.lists(st.sampled_from(["linux", "arm64", "v8", "x86_64", "armhf", "/", " ", "É"])).map("".join),
    )
)
@example("linux/amd64/a b")
def test_any_text_is_a_platform_or_refused(kept: Kept, text: str) -> None:
    """What is taken is written as it is read, in characters that a platform can have."""
    platform = kept(Platform.parse, text)
    if platform is not None:
        assert Platform.parse(str(platform)) == platform
        assert str(platform).isascii()
        assert " " not in str(platform)


@given(AMOUNT)
@example("6" + "0" * 32)
def test_any_amount_fits_into_64_bits_or_is_refused(kept: Kept, value: Any) -> None:
    """Numbers of any length, exponents, infinities and what is no number."""
    size, cpus, seconds = kept(to_bytes, value), kept(to_nano_cpus, value), kept(to_seconds, value)
    assert size is None or (isinstance(size, int) and 0 <= size <= MOST)
    assert cpus is None or (isinstance(cpus, int) and 0 < cpus <= MOST)
    assert seconds is None or (math.isfinite(seconds) and 0 <= seconds <= MOST)


@given(st.integers(0, MOST), st.sampled_from(["", "b", "k", "m", "g", "t", "p", "MiB", "GB"]))
def test_a_size_is_exact(count: int, unit: str) -> None:
    """No digit is lost on the way through a unit."""
    factor = 1024 ** ("bkmgtp".index(unit[:1].lower()) if unit else 0)
    if count * factor > MOST:
        with pytest.raises(UsageError, match="not a size: "):
            to_bytes(f"{count}{unit}")
    else:
        assert to_bytes(f"{count}{unit}") == count * factor


@given(st.integers(1, MOST))
def test_cpus_are_exact(nano: int) -> None:
    """Every billionth counts."""
    assert to_nano_cpus(str(Decimal(nano).scaleb(-9))) == nano


PORT = st.one_of(
    st.integers(-1, 70000),
    st.from_regex(r"(\d{1,3}(\.\d{1,3}){3}:|\[::1\]:)?(\d{0,6}:)?\d{1,6}(/(tcp|udp|x))?", fullmatch=True),
    st.text(max_size=6),
    st.none(),
)


@given(st.one_of(PORT, st.lists(PORT, max_size=3), st.dictionaries(PORT, PORT, max_size=2)))
def test_any_ports_are_in_range_or_refused(kept: Kept, value: Any) -> None:
    """Whatever is taken can be published."""
    for port in kept(parse_ports, value) or ():
        assert 1 <= port.container <= 65535
        assert port.host is None or 1 <= port.host <= 65535
        assert port.protocol in ("tcp", "udp", "sctp")
    ports = kept(parse_ports, value)
    if ports is not None:
        assert parse_ports(list(ports)) == ports


ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=6),
        st.sampled_from([10**400, "/a:/b:ro", "a=b"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)
SETTINGS = st.sampled_from(sorted([*RunSettings.__annotations__, "nonsense"]))


@given(SETTINGS, ANYTHING, ANYTHING)
def test_any_setting_of_a_container_is_read_or_refused(kept: Kept, name: str, value: Any, command: Any) -> None:
    """Each reader takes what it can mean, and names itself where it can't."""
    spec = kept(parse_run, "image", command, environ={}, **{name: value})
    for mount in spec.mounts if spec else ():
        assert mount.target.startswith("/")
        assert mount.kind != "bind" or mount.source.startswith("/")


@given(st.sampled_from(sorted(NAMES)), st.text(max_size=12))
def test_any_setting_of_the_plugin_is_read_or_names_its_source(name: str, text: str) -> None:
    """Each of the three places, and the message says which it was."""
    for options, ini, environ, source in (
        ({name: text}, {}, {}, f"--dockerlab-{name}"),
        ({}, {name: text}, {}, f"ini dockerlab_{name}"),
        ({}, {}, {NAMES[name]: text}, NAMES[name]),
    ):
        try:
            assert read_settings(options, ini, environ).source(name) in (source, "default")
        except UsageError as error:
            refusal = error
        else:
            continue
        assert source in refusal.what
        assert refusal.remedy


NUMBER = st.one_of(
    st.integers().map(str),
    st.sampled_from(
        [
            "max",
            "-1",
            "",
            "max 100000",
            "50000 0",
            "9" * 30,
            "9" * 5000,
            "٣",
            "1_0",
            "nr_periods 1\nnr_throttled x",
            "usage_usec " + "9" * 400,
        ]
    ),
    st.text(max_size=6),
)


@given(st.dictionaries(st.sampled_from(FILES), NUMBER, max_size=6))
def test_any_cgroup_files_are_read_or_refused(kept: Kept, files: dict[str, str]) -> None:
    """Caps are never negative, and what is counted is finite."""
    limits = kept(limits_from, files)
    if limits is not None:
        assert all(
            each is None or each >= 0 for each in (limits.nano_cpus, limits.memory, limits.memory_swap, limits.pids)
        )
        assert limits.cpus is None or math.isfinite(limits.cpus)
    usage = kept(usage_from, files)
    if usage is not None:
        assert all(each is None or math.isfinite(each) for each in (usage.cpu_seconds, usage.throttled_seconds))


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,5}", fullmatch=True),
        st.text(st.characters(exclude_characters="\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")),
        max_size=4,
    )
)
def test_cgroup_paths_come_back(paths: dict[str, str]) -> None:
    """/proc/PID/cgroup gives each controller's path, colons in it or not."""
    text = "".join(f"{number}:{name}:{path}\n" for number, (name, path) in enumerate(paths.items()))
    assert cgroup_paths(text) == paths


@given(st.text(st.characters(exclude_characters=":"), max_size=6), st.integers(0, 2**22), st.integers(0, 2**40))
def test_an_owner_is_read_as_it_is_written(host: str, pid: int, started: int) -> None:
    """Host, boot, pid and start time survive the label."""
    owner = Owner(host, "boot", pid, str(started))
    assert Owner.parse(str(owner)) == owner


@given(
    st.one_of(st.text(max_size=12), st.lists(st.sampled_from([":", "1", "a", "²", "٣", "-"]), max_size=9).map("".join))
)
@example("h:b:" + "9" * 5000 + ":1")
def test_any_text_is_an_owner_or_refused(kept: Kept, text: str) -> None:
    """A label that somebody else wrote is no crash of a sweep."""
    owner = kept(Owner.parse, text)
    assert owner is None or 0 <= owner.pid < 10**10


@pytest.mark.parametrize("read", [to_bytes, to_nano_cpus, to_seconds, parse_ports])
@pytest.mark.parametrize("value", [10**5000, -(10**5000)], ids=["huge", "negative"])
def test_an_integer_that_has_no_text_is_refused_all_the_same(read: Callable[[Any], Any], value: int) -> None:
    """Python itself refuses to print integers of more than 4300 digits."""
    with pytest.raises(UsageError, match="not a "):
        read(value)


def test_a_refusal_shows_only_the_beginning_of_a_long_value() -> None:
    """A megabyte in the wrong place does not become a megabyte of message."""
    for read in (Reference.parse, Platform.parse, to_bytes, to_nano_cpus, to_seconds, parse_ports):
        with pytest.raises(UsageError) as caught:
            read("!" * 1_000_000)
        assert len(str(caught.value)) < 1000
    with pytest.raises(FormatError, match="not an owner") as refused:
        Owner.parse("!" * 1_000_000)
    assert len(str(refused.value)) < 1000
