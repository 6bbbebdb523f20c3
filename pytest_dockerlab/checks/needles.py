"""Secrets as one looks for them: their plain form, the encodings that people and tools put them in, and a search
through content of any size in bounded memory.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from urllib.parse import quote

from pytest_dockerlab.image.model import Readable

__all__ = ["Hit", "Needle", "search", "search_stream"]

_CHUNK = 256 * 1024
#: Windows overlap by so much: a longer match of a pattern may be missed where two meet.
_OVERLAP = 64 * 1024
#: How far a pattern may look behind and ahead of what it matches.
_LOOK = 64
_MOST_BASE64 = 1024
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-]*")
_SKIPPED = (0, 2, 3)
_GROUPS_BEFORE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A secret that was found.

    Attributes:
        text: itself, decoded.
        encoding: what it was found in (``base64``, ``hex``, …), ``""`` for its plain form.
        start, end: where, in the bytes that were searched.
    """

    text: bytes
    encoding: str = ""
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Needle:
    """One secret, or one form of secrets.

    Attributes:
        pattern: of its plain form.
        starts: what every match starts with. Searching for these is a hundred times faster than for the
            pattern; ``()`` where that is unknown.
        encoded: encoding → how the whole text looks in it.
        base64_starts: how ``starts`` look in base64, with their place in a group of three bytes;
            what follows them is decoded and looked at.
    """

    pattern: re.Pattern[bytes]
    starts: tuple[bytes, ...] = ()
    encoded: tuple[tuple[str, bytes], ...] = ()
    base64_starts: tuple[tuple[bytes, int], ...] = field(default=(), repr=False)

    @classmethod
    def of_text(cls, text: str) -> Needle:
        """A text as it stands, and in the usual encodings."""
        data = text.encode()
        encoded = {
            ("UTF-16", text.encode("utf-16-le")),
            ("URL encoding", quote(text, safe="").encode()),
            ("JSON", json.dumps(text)[1:-1].encode()),
            ("hex", data.hex().encode()),
            ("hex", data.hex().upper().encode()),
            # Less than eight bytes leave so little in base64 that it is found by accident.
            *(("base64", part) for part, _ in _in_base64(data) if len(data) >= 8),
        }
        kept = tuple(sorted((name, form) for name, form in encoded if form != data))
        return cls(pattern=re.compile(re.escape(data)), starts=(data,), encoded=kept)

    @classmethod
    def of_form(cls, pattern: re.Pattern[bytes], starts: Sequence[bytes]) -> Needle:
        """A form whose matches all start with one of ``starts`` (three bytes at least), plain and in base64."""
        parts = tuple(chain.from_iterable(map(_in_base64, starts)))
        return cls(pattern=pattern, starts=tuple(starts), base64_starts=parts)

    def masked(self, data: bytes, mask: Callable[[bytes], bytes]) -> bytes:
        """The bytes, each occurrence replaced by what ``mask`` makes of it."""
        data = self.pattern.sub(lambda match: mask(match[0]), data)
        for _, form in self.encoded:
            data = data.replace(form, mask(form))
        return data


def _in_base64(data: bytes) -> Iterator[tuple[bytes, int]]:
    """What is in base64 of anything that has ``data`` in it, for each of its three places in a group."""
    for place in range(3):
        coded = b64encode(bytes(place) + data)
        # The first and last characters depend on the neighbours, too.
        part = coded[_SKIPPED[place] : (place + len(data)) * 8 // 6]
        yield part, place
        if (safe := part.translate(bytes.maketrans(b"+/", b"-_"))) != part:
            yield safe, place


def search(needle: Needle, data: bytes, start: int = 0) -> Hit | None:
    """The first occurrence in ``data`` that begins at ``start`` or later; plain forms before encoded ones."""
    return _plain(needle, data, start) or _encoded(needle, data, start)


def _plain(needle: Needle, data: bytes, start: int) -> Hit | None:
    if not needle.starts:
        match = needle.pattern.search(data, start)
        return None if match is None else Hit(text=match[0], start=match.start(), end=match.end())
    hits = []
    for head in needle.starts:
        place = data.find(head, start)
        while place >= 0:
            if match := needle.pattern.match(data, place):
                hits.append(Hit(text=match[0], start=place, end=match.end()))
                break
            place = data.find(head, place + 1)
    return min(hits, key=lambda hit: hit.start, default=None)


def _encoded(needle: Needle, data: bytes, start: int) -> Hit | None:
    # Nobody keeps such text between a program's instructions, and most of an image's bytes are these.
    text = b"\0" not in data
    for name, form in needle.encoded:
        if (text or name == "UTF-16") and (place := data.find(form, start)) >= 0:
            plain = needle.starts[0] if needle.starts else form
            return Hit(text=plain, encoding=name, start=place, end=place + len(form))
    if not text:
        return None
    for form, offset in needle.base64_starts:
        place = data.find(form, start)
        while place >= 0:
            if hit := _in_run(needle, data, place, offset):
                return hit
            place = data.find(form, place + 1)
    return None


def _in_run(needle: Needle, data: bytes, place: int, offset: int) -> Hit | None:
    """What a run of base64 says, if it is the secret that it starts like."""
    match = _BASE64_RUN.match(data, place, place + _MOST_BASE64)
    end = match.end() if match else place
    first = place - _SKIPPED[offset]
    before = 0
    # A pattern may want to know what stands in front.
    while before < _GROUPS_BEFORE and first >= 4 and _BASE64_RUN.fullmatch(data, first - 4, first):
        first, before = first - 4, before + 1
    if first < 0 or not _BASE64_RUN.fullmatch(data, first, place):
        return None
    run = data[first : end - (end - first) % 4] if (end - first) % 4 == 1 else data[first:end]
    decoded = b64decode(run.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(run) % 4))
    found = needle.pattern.search(decoded)
    return None if found is None else Hit(text=found[0], encoding="base64", start=place, end=end)


def search_stream(stream: Readable, wanted: Mapping[str, Needle]) -> tuple[dict[str, Hit], int]:
    """The first hit of each needle in a stream that is read to its end, and the bytes read.

    Memory is bounded whatever the stream's size. What touches a window's edge is judged in the next one, where what
    stands around it is to be seen.
    """
    hits: dict[str, Hit] = {}
    window, size = b"", 0
    chunk = stream.read(_CHUNK)
    while chunk:
        following = stream.read(_CHUNK)
        size += len(chunk)
        fresh, window = window == b"", window + chunk
        for name in [name for name in wanted if name not in hits]:
            hit = search(wanted[name], window, 0 if fresh else _LOOK)
            if hit is None:
                continue
            whole = hit.end <= len(window) - _LOOK or hit.start < len(window) - _OVERLAP + _LOOK
            if whole or not following:
                hits[name] = hit
        window, chunk = window[-_OVERLAP:], following
    return hits, size
