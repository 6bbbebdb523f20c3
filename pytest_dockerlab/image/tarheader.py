"""Tar headers: the next entry of an archive, whatever extensions its name and numbers are written in.

Written here and not left to ``tarfile``, which was made for archives of friends: it ends silently at a damaged
header, reads an extended header of any size into memory, calls itself for each one, expands holes without end,
and lets ``ValueError`` and ``RecursionError`` through.

Forms: POSIX.1-2017 (pax, "ustar Interchange Format" and "pax Extended Header"), GNU tar's manual ("Basic Tar
Format"). Where readers differ we do as Go's ``archive/tar``, which engines use: an extended header has at most 1 MiB,
global ones say nothing, links and folders have no content whatever their size says.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Mapping

from pytest_dockerlab.errors import FormatError

__all__ = ["BLOCK", "Header", "next_header"]

BLOCK = 512
_MOST_EXTENDED = 1024**2
_MOST_SIZE = 2**63 - 1
_MOST_ID = 2**32 - 1
_LONGEST_LINK = 4096  # Linux' PATH_MAX
_ZEROS = bytes(BLOCK)
_LONG_NAME, _LONG_LINK, _PAX, _GLOBAL, _SPARSE = b"L", b"K", (b"x", b"X"), b"g", b"S"
_NO_CONTENT = (
    *(tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE),
    *(tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE),
)
_OCTAL = re.compile(rb"[0-7]*")
_RECORD = re.compile(rb"(\d{1,10}) ([^=\0\n]+)=", re.ASCII)
_DECIMAL = re.compile(r"\d{1,19}", re.ASCII)
_TIME = re.compile(r"-?\d{1,19}(?:\.\d{0,40})?", re.ASCII)


class Header:
    """An entry.

    Attributes:
        info: name, type, owner and the rest; ``size`` is that of the file, holes included.
        stored: bytes that follow in the archive, padding apart.
        sparse: what follows is not the file as it is, but a map of its holes and the pieces between them.
    """

    __slots__ = ("info", "sparse", "stored")

    def __init__(self, info: tarfile.TarInfo, stored: int, sparse: bool) -> None:
        self.info, self.stored, self.sparse = info, stored, sparse


def next_header(read: Callable[[int], bytes], archive: str) -> Header | None:
    """The next entry; ``None`` at the archive's end.

    Args:
        read: gives exactly so many bytes, less at the end; stands at the start of a block.

    Raises:
        FormatError: not a header, or one that is cut off.
    """
    long_name: bytes | None = None
    long_link: bytes | None = None
    pax: Mapping[str, str] = {}
    extended = False
    while True:
        block = read(BLOCK)
        if not block or block == _ZEROS:
            if extended:
                raise _damaged(archive, "it ends where an entry should follow")
            return None
        if len(block) < BLOCK:
            raise _damaged(archive, "it ends within a header")
        _check(block, archive)
        kind, size = block[156:157], _number(block[124:136], "size", _MOST_SIZE, archive)
        if kind not in (_LONG_NAME, _LONG_LINK, _GLOBAL, *_PAX):
            break
        extended = extended or kind != _GLOBAL
        data = _extension(read, size, archive)
        if kind == _LONG_NAME:
            long_name = data.partition(b"\0")[0]
        elif kind == _LONG_LINK:
            long_link = data.partition(b"\0")[0]
        elif kind != _GLOBAL:
            pax = _records(data, archive)
    return _header(block, kind, size, long_name, long_link, pax, read, archive)


def _header(
    block: bytes,
    kind: bytes,
    size: int,
    long_name: bytes | None,
    long_link: bytes | None,
    pax: Mapping[str, str],
    read: Callable[[int], bytes],
    archive: str,
) -> Header:
    name = _field(block, 0, 100)
    if block[257:263] == b"ustar\0" and (prefix := _field(block, 345, 500)):
        name = prefix + b"/" + name
    info = tarfile.TarInfo(pax.get("path") or _text(name if long_name is None else long_name))
    info.linkname = pax.get("linkpath") or _text(_field(block, 157, 257) if long_link is None else long_link)
    if len(info.linkname) > _LONGEST_LINK:
        raise _damaged(archive, f"a link to {len(info.linkname)} characters: {info.linkname[:80]!r}…")
    info.mode = _number(block[100:108], "mode", _MOST_SIZE, archive)
    info.uid = _decimal(pax, "uid", _MOST_ID, archive, block[108:116])
    info.gid = _decimal(pax, "gid", _MOST_ID, archive, block[116:124])
    info.mtime = _mtime(pax, block, archive)
    info.type = kind
    if kind == tarfile.AREGTYPE:
        info.type = tarfile.DIRTYPE if info.name.endswith("/") else tarfile.REGTYPE
    stored = _decimal(pax, "size", _MOST_SIZE, archive, None, size)
    if info.type in _NO_CONTENT:
        stored = 0
    info.size = stored
    sparse = kind == _SPARSE or any(key.startswith("GNU.sparse.") for key in pax)
    if kind == _SPARSE:
        info.size = _number(block[483:495], "size", _MOST_SIZE, archive)
        more = block[482]
        while more:
            further = read(BLOCK)
            if len(further) < BLOCK:
                raise _damaged(archive, "it ends within a header")
            more = further[504]
    elif sparse:
        info.name = pax.get("GNU.sparse.name") or info.name
        real = "GNU.sparse.realsize" if "GNU.sparse.realsize" in pax else "GNU.sparse.size"
        info.size = _decimal(pax, real, _MOST_SIZE, archive, None, stored)
    info.sparse = b"" if sparse else None
    return Header(info, stored, sparse)


def _check(block: bytes, archive: str) -> None:
    promised = _number(block[148:156], "checksum", _MOST_SIZE, archive)
    counted = block[:148] + b" " * 8 + block[156:]
    # Some old programs added the bytes up as signed ones.
    if promised != sum(counted) and promised != sum(memoryview(counted).cast("b")):
        raise _damaged(archive, "a header's checksum is wrong")


def _extension(read: Callable[[int], bytes], size: int, archive: str) -> bytes:
    if size > _MOST_EXTENDED:
        raise _damaged(archive, f"an extended header of {size} bytes, where {_MOST_EXTENDED} are the most")
    data = read(-(-size // BLOCK) * BLOCK)
    if len(data) < size:
        raise _damaged(archive, "it ends within an extended header")
    return data[:size]


def _records(data: bytes, archive: str) -> Mapping[str, str]:
    """A pax header's records: ``LENGTH KEY=VALUE\\n``, where the length counts the whole record."""
    found: dict[str, str] = {}
    at = 0
    while at < len(data):
        match = _RECORD.match(data, at)
        end = at + int(match[1]) if match else 0
        if match is None or not match.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise _damaged(archive, f"a pax header has a damaged record at byte {at}")
        found[_text(match[2])] = _text(data[match.end() : end - 1])
        at = end
    return found


def _field(block: bytes, start: int, end: int) -> bytes:
    return block[start:end].partition(b"\0")[0]


def _text(data: bytes) -> str:
    # As os.fsdecode does it: bytes that are no UTF-8 survive, and are found again under the same name.
    return data.decode("utf-8", "surrogateescape")


def _number(field: bytes, name: str, most: int, archive: str) -> int:
    if field[0] & 0x80:  # base 256, as GNU tar writes what is too large for octal digits
        value = int.from_bytes(field, "big") - (1 << (8 * len(field) - 1))
        if field[0] & 0x40:
            value -= 1 << (8 * len(field) - 1)
    else:
        digits = field.partition(b"\0")[0].strip()
        if not _OCTAL.fullmatch(digits):
            raise _damaged(archive, f"a header's {name} is {field!r}")
        value = int(digits or b"0", 8)
    if not 0 <= value <= most and not (name == "mtime" and -most <= value):
        raise _damaged(archive, f"a header's {name} is {value}")
    return value


def _decimal(pax: Mapping[str, str], key: str, most: int, archive: str, field: bytes | None, default: int = 0) -> int:
    """A pax header's number; where it has none, that of the header's field."""
    written = pax.get(key, "")
    if not written:
        return default if field is None else _number(field, key, most, archive)
    if not _DECIMAL.fullmatch(written) or int(written) > most:
        raise _damaged(archive, f"a header's {key} is {written[:80]!r}")
    return int(written)


def _mtime(pax: Mapping[str, str], block: bytes, archive: str) -> float:
    written = pax.get("mtime", "")
    if not written:
        return _number(block[136:148], "mtime", _MOST_SIZE, archive)
    if not _TIME.fullmatch(written):
        raise _damaged(archive, f"a header's mtime is {written[:80]!r}")
    return float(written)


def _damaged(archive: str, what: str) -> FormatError:
    return FormatError(f"{archive}: not a complete tar archive: {what}", remedy="save or download it again")
