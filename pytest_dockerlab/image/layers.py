"""One layer's tar: its entries, whiteouts and digest, and the content of its files."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from tarfile import TarInfo

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.image.layer_index import LayerWriter
from pytest_dockerlab.image.model import FileStat, Readable
from pytest_dockerlab.image.tarstream import Blocks, clean_path, entries, is_tar, stat_of

__all__ = ["GZIP", "digest_of", "files_of", "index_layer", "is_layer", "uncompressed"]

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
_CHUNK = 64 * 1024
# OCI image specification, layer.md, "Whiteouts"; the longer prefix is AUFS's own bookkeeping.
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."


def is_layer(head: bytes) -> bool:
    """Whether a blob that starts with ``head`` is a layer: a tar, or one that is compressed."""
    return is_tar(head) or head.startswith((GZIP, ZSTD))


def uncompressed(chunks: Iterable[bytes], archive: str) -> Iterator[bytes]:
    """A layer's plain tar, a bounded piece at a time however well it was compressed.

    Raises:
        FormatError: damaged, or compressed in a way that Python can't undo.
    """
    stream = iter(chunks)
    head = next(stream, b"")
    if head.startswith(ZSTD):
        raise FormatError(
            f"{archive}: a layer is compressed with zstd, which is not read here",
            remedy="load the archive into an engine and save it again: `docker load`, `docker save`",
        )
    if not head.startswith(GZIP):
        yield head
        yield from stream
        return
    try:
        yield from _gunzip(head, stream)
    except zlib.error as error:
        raise FormatError(
            f"{archive}: a layer's compressed data is damaged: {error}", remedy="save or download it again"
        ) from error


def _gunzip(head: bytes, stream: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    data: bytes | None = head
    while data is not None:
        while data:
            yield member.decompress(data, _CHUNK)
            data = member.unconsumed_tail
            if member.eof:
                # Several gzip members may follow each other; pigz and estargz write them so.
                data = member.unused_data
                while len(data) < len(GZIP) and (more := next(stream, None)) is not None:
                    data += more
                if not data.startswith(GZIP):
                    return  # padding
                member = zlib.decompressobj(wbits=31)
        data = next(stream, None)
    if not member.eof:
        raise zlib.error("it ends too early")


def index_layer(chunks: Iterable[bytes], archive: str) -> tuple[str, LayerWriter]:
    """Everything but the content, and the diff id, which is computed, not believed.

    Args:
        chunks: the layer's plain tar.

    Raises:
        FormatError: not a tar, or a name in it leaves it.
    """
    digest = hashlib.sha256()

    def hashed() -> Iterator[bytes]:
        for chunk in chunks:
            digest.update(chunk)
            yield chunk

    stream = Blocks(hashed())
    index = LayerWriter()
    for member, content in entries(stream, archive):
        path = clean_path(member.name, archive)
        parent, _, name = path.rpartition("/")
        if name == _OPAQUE:
            index.hide(parent or "/")
        elif name.startswith(_AUFS):
            continue
        elif name.startswith(_WHITEOUT):
            index.delete(clean_path(f"{parent}/{_whited_out(name, archive)}", archive))
        else:
            entry = stat_of(member, path)
            index.add(_hard_link(entry, archive) if member.islnk() else replace(entry, digest=_digest(member, content)))
    while stream.read(_CHUNK):
        pass  # padding behind the archive's end belongs to the digest
    return f"sha256:{digest.hexdigest()}", index


def digest_of(chunks: Iterable[bytes]) -> str:
    """The diff id of a layer whose entries are known already."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def _digest(member: TarInfo, content: Readable | None) -> str:
    if content is None or member.issparse():  # holes are not filled, so nobody has read it
        return ""
    return digest_of(iter(lambda: content.read(_CHUNK), b""))


def _whited_out(name: str, archive: str) -> str:
    found = name.removeprefix(_WHITEOUT)
    if found in ("", ".", ".."):
        raise FormatError(f"{archive}: {name!r} deletes no file", remedy="don't trust this archive")
    return found


def _hard_link(entry: FileStat, archive: str) -> FileStat:
    return replace(entry, link=clean_path(entry.link, archive), size=0)


def files_of(chunks: Iterable[bytes], archive: str) -> Iterator[tuple[FileStat, Readable]]:
    """Each regular file with its content, which is to be read before the next one is asked for."""
    for member, content in entries(Blocks(chunks), archive):
        if content is None or member.name.rpartition("/")[2].startswith(_WHITEOUT):
            continue
        yield stat_of(member, clean_path(member.name, archive)), content
