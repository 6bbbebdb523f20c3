"""BuildKit's encodings: arbitrary bytes are refused, real ones are read."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dockerlab.build.solve import RawjsonLines, SolveStatus, from_protobuf
from pytest_dockerlab.build.wire import fields
from pytest_dockerlab.errors import FormatError


def encoded(number: int, value: int | bytes) -> bytes:
    """One field of a protobuf message; numbers below 16, lengths of any size."""
    if isinstance(value, int):
        return bytes([number << 3]) + varint(value)
    return bytes([number << 3 | 2]) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def test_every_field_that_we_use_is_read() -> None:
    """Vertex, log and warning; times are seconds, unknown fields are passed over."""
    time = encoded(1, 1_700_000_000) + encoded(2, 500_000_000)
    data = (
        encoded(
            1,
            encoded(1, b"sha256:a")
            + encoded(2, b"sha256:in")
            + encoded(3, b"[1/2] RUN x")
            + encoded(4, 1)
            + encoded(5, time)
            + encoded(6, time)
            + encoded(7, b"boom")
            + encoded(9, 300),
        )
        + encoded(2, b"")
        + encoded(3, encoded(1, b"sha256:a") + encoded(3, 2) + encoded(4, b"\xffout\n"))
        + encoded(4, encoded(1, b"sha256:a") + encoded(3, b"mind the gap"))
    )
    status = from_protobuf(base64.b64encode(data))
    (found,) = status.vertexes
    assert (found.digest, found.name, found.cached, found.error) == ("sha256:a", "[1/2] RUN x", True, "boom")
    assert found.started == found.completed == 1_700_000_000.5
    assert status.logs[0].data == b"\xffout\n"
    assert status.warnings == ("mind the gap",)


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but ``FormatError`` leaves the decoder."""
    with contextlib.suppress(FormatError):
        from_protobuf(base64.b64encode(data))


@given(st.lists(st.tuples(st.integers(1, 15), st.one_of(st.integers(0, 2**63), st.binary(max_size=200)))))
def test_what_was_encoded_is_decoded(message: list[tuple[int, int | bytes]]) -> None:
    """Fields come back in order, numbers and bytes alike."""
    assert list(fields(b"".join(encoded(number, value) for number, value in message))) == message


@pytest.mark.parametrize(
    ("aux", "reason"),
    [
        ("%%%", "not a BuildKit trace"),
        (base64.b64encode(b"\x0a\x05ab").decode(), "field 1 is cut off"),
        (base64.b64encode(b"\x80").decode(), "a number is cut off"),
        (base64.b64encode(b"\x0b").decode(), "wire type 3"),
        (base64.b64encode(b"\x08\x01").decode(), "the number 1 where a message belongs"),
    ],
)
def test_a_broken_trace_says_what_is_wrong(aux: str, reason: str) -> None:
    """The message names the place."""
    with pytest.raises(FormatError, match=reason):
        from_protobuf(aux)


def test_rawjson_comes_in_lines_or_indented_and_mixed_with_text() -> None:
    """Both forms give the same status; what is no JSON is handed back as text."""
    data = {"vertexes": [{"digest": "d", "name": "[1/1] FROM a", "started": "2026-01-02T03:04:05.123456789Z"}]}
    lines = RawjsonLines()
    single = lines.feed(json.dumps(data) + "\n")
    *open_, indented = [lines.feed(f"{row}\n") for row in json.dumps(data, indent=2).split("\n")]
    assert open_ == [None] * len(open_)
    assert isinstance(single, SolveStatus)
    assert single == indented
    assert single.vertexes[0].started == pytest.approx(1767323045.123456789)
    assert lines.feed("ERROR: no\n") == "ERROR: no\n"
    assert lines.feed("{broken\n") == "{broken\n"


@given(
    st.lists(
        st.one_of(st.text(max_size=20), st.sampled_from(["{", "}", '{"vertexes": [{}]}', '{"logs": 3}'])), max_size=6
    )
)
def test_any_lines_are_taken_or_refused(rows: list[str]) -> None:
    """Nothing but ``FormatError`` leaves the reader of rawjson."""
    lines = RawjsonLines()
    for row in rows:
        with contextlib.suppress(FormatError):
            lines.feed(row)
