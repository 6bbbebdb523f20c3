"""Amounts as people write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.quantity import human_bytes, to_bytes, to_nano_cpus, to_seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (0, 0),
        (512, 512),
        ("512", 512),
        ("512b", 512),
        ("2k", 2048),
        ("512m", 536870912),
        ("512M", 536870912),
        ("512MB", 536870912),
        ("512MiB", 536870912),
        ("2g", 2147483648),
        ("1.5g", 1610612736),
        ("1t", 1024**4),
    ],
)
def test_a_size_is_read_as_docker_reads_it(text: str | int, count: int) -> None:
    """Units are binary multiples, in either case."""
    assert to_bytes(text) == count


@pytest.mark.parametrize("text", ["", "2 gigs", "-1", -1, "m", "1e3", True, None, 1.5, "²g"])
def test_what_is_no_size_is_refused_with_its_value(text: object) -> None:
    """The message shows the value and how to write one."""
    with pytest.raises(UsageError) as caught:
        to_bytes(text)  # type: ignore[arg-type]
    assert f"not a size: {text!r}" in str(caught.value)
    assert '"512m"' in str(caught.value)


@pytest.mark.parametrize(
    ("text", "nano"), [(1, 1_000_000_000), ("1.5", 1_500_000_000), (0.2, 200_000_000), ("0.000000001", 1)]
)
def test_cpus_are_exact_billionths(text: str | float, nano: int) -> None:
    """0.2 is 200000000, not what binary floating point makes of it."""
    assert to_nano_cpus(text) == nano


@pytest.mark.parametrize("text", [0, -1, "x", "", "nan", "inf", True, "1e-10"])
def test_what_is_no_number_of_cpus_is_refused(text: object) -> None:
    """Zero, negative, unreadable, and finer than a billionth."""
    with pytest.raises(UsageError, match="not a number of CPUs"):
        to_nano_cpus(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "seconds"), [(3, 3.0), ("500ms", 0.5), ("30s", 30.0), ("2m", 120.0), ("1.5h", 5400.0)]
)
def test_a_duration_is_seconds(text: str | int, seconds: float) -> None:
    """Numbers are seconds already."""
    assert to_seconds(text) == seconds


@pytest.mark.parametrize("text", ["soon", -1, "", float("inf"), True])
def test_what_is_no_duration_is_refused(text: object) -> None:
    """The message shows the value."""
    with pytest.raises(UsageError, match="not a duration"):
        to_seconds(text)  # type: ignore[arg-type]


@given(st.integers(min_value=0, max_value=2**60))
def test_whole_bytes_survive_text(count: int) -> None:
    """A plain number means the same with and without quotes."""
    assert to_bytes(str(count)) == to_bytes(count) == count


@given(st.text())
def test_no_text_makes_the_readers_crash(text: str) -> None:
    """Any text is read or refused with a UsageError."""
    for read in (to_bytes, to_nano_cpus, to_seconds):
        with contextlib.suppress(UsageError):
            read(text)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (2147483648, "2 GiB")]
)
def test_sizes_are_shown_for_people(count: int, text: str) -> None:
    """One decimal at most."""
    assert human_bytes(count) == text
