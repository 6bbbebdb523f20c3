"""Tar archives: what ``tarfile`` writes is read alike, and what nobody should write hurts nobody."""

from __future__ import annotations

import gzip
import io
import itertools
import struct
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.image.archive import ArchiveFiles
from pytest_dockerlab.image.blobs import tar_items
from pytest_dockerlab.image.layers import files_of, uncompressed
from pytest_dockerlab.image.model import LayerFiles
from pytest_dockerlab.image.tarstream import Blocks, entries, first_entry
from tests.indexing import scan

Kept = Callable[..., Any]
Bounded = Callable[[float], AbstractContextManager[None]]

NAME = st.lists(
    st.lists(st.sampled_from([*"ab.é\udcff", "x" * 60]), min_size=1, max_size=4)
    .map("".join)
    .filter(lambda part: part not in (".", "..")),
    min_size=1,
    max_size=4,
).map("/".join)
KINDS = (
    tarfile.REGTYPE,
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.FIFOTYPE,
)
MEMBER = st.tuples(
    NAME,
    st.sampled_from(KINDS),
    NAME,
    st.binary(max_size=600),
    st.integers(0, 0o7777),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**33),
)
FORMAT = st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])


def tar_of(members: list[Any], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as tar:
        for name, kind, link, content, mode, owner, mtime in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid, info.mtime = kind, mode, owner, owner // 2, mtime
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = link
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def header(
    name: bytes = b"a",
    size: bytes = b"00000000000\0",
    kind: bytes = b"0",
    magic: bytes = b"ustar\x0000",
    **fields: bytes,
) -> bytes:
    """A header as no library would write it, with the right checksum."""
    block = bytearray(512)
    places = {"name": (0, name), "mode": (100, b"0000644\0"), "uid": (108, b"0000000\0"), "gid": (116, b"0000000\0")}
    places |= {"size": (124, size), "mtime": (136, b"00000000000\0"), "kind": (156, kind), "magic": (257, magic)}
    for key, (at, default) in places.items():
        value = fields.get(key, default)
        block[at : at + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def pax(**records: str) -> bytes:
    data = b""
    for key, value in records.items():
        body = f" {key.replace('_', '.')}={value}\n".encode()
        length = len(body) + next(n for n in range(1, 9) if len(str(len(body) + n)) == n)
        data += str(length).encode() + body
    return header(b"pax", size=b"%011o\0" % len(data), kind=b"x") + padded(data)


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return (data[start:end] for start, end in itertools.pairwise(places))


def scanned(data: bytes, cuts: tuple[int, ...] = ()) -> LayerFiles:
    return scan(uncompressed(pieces(data, [*cuts]), "layer"), "layer")


@given(st.lists(MEMBER, max_size=5), FORMAT)
def test_what_tarfile_writes_is_read_as_tarfile_reads_it(members: list[Any], form: int) -> None:
    """Names, owners, times and contents, in pax and GNU form, long names and bytes that are no UTF-8 among them."""
    data = tar_of(members, form)
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as tar:
        theirs = [
            (
                each.name.rstrip("/"),
                each.type,
                each.linkname,
                each.mode,
                each.uid,
                each.gid,
                each.mtime,
                content.read() if (content := tar.extractfile(each) if each.isreg() else None) else None,
            )
            for each in tar
        ]
    ours = [
        (
            each.name.rstrip("/"),
            each.type,
            each.linkname,
            each.mode,
            each.uid,
            each.gid,
            each.mtime,
            content.read() if content else None,
        )
        for each, content in entries(Blocks([data]), "archive")
    ]
    assert ours == theirs
    if members:
        assert first_entry(Blocks([data]), "archive").name.rstrip("/") == theirs[0][0]


@given(st.lists(MEMBER, max_size=4), FORMAT, st.booleans(), st.lists(st.integers(0, 10**6), max_size=6))
def test_a_layer_is_the_same_however_it_comes_in_pieces(
    members: list[Any], form: int, packed: bool, cuts: list[int]
) -> None:
    """Entries, digest and contents don't depend on where chunks end, nor on where a second gzip member begins."""
    data = tar_of(members, form)
    sent = gzip.compress(data[:700], 1, mtime=0) + gzip.compress(data[700:], 9, mtime=0) if packed else data
    assert scanned(sent, tuple(cuts)) == scanned(data)
    contents = [content.read() for _, content in files_of(uncompressed(pieces(sent, cuts), "layer"), "layer")]
    assert contents == [content.read() for _, content in files_of([data], "layer")]


@pytest.mark.parametrize("cut", range(1, 40))
def test_gzip_members_may_meet_anywhere(cut: int) -> None:
    """The end of one, and the bytes that begin the next, may come in different pieces; padding is no member."""
    data = tar_of([("a", tarfile.REGTYPE, "", b"hello", 0o644, 0, 0)])
    first, second = gzip.compress(data[:600], mtime=0), gzip.compress(data[600:], mtime=0)
    sent = first + second + bytes(100)
    assert scanned(sent, (len(first) - 20 + cut,)) == scanned(data)
    assert scanned(sent, (len(first) + len(second) - 20 + cut,)) == scanned(data)


@given(st.lists(MEMBER, min_size=1, max_size=3), FORMAT, st.data())
def test_a_layer_that_is_cut_off_is_refused_or_has_only_whole_entries(
    kept: Kept, members: list[Any], form: int, data: st.DataObject
) -> None:
    """No entry is half read, and nothing but a FormatError comes of it."""
    whole = tar_of(members, form)
    cut = data.draw(st.integers(0, len(whole)))
    read = kept(scanned, whole[:cut])
    if read is not None:
        everything = {(entry.path, entry.size) for entry in scanned(whole).files}
        paths = {name.partition("\0")[0] for name, *_ in members}
        assert len(read.files) <= len(paths)
        assert {entry.path for entry in read.files} <= {path for path, _ in everything}


@given(st.lists(MEMBER, min_size=1, max_size=3), FORMAT, st.data())
def test_a_damaged_header_is_read_or_refused(kept: Kept, members: list[Any], form: int, data: st.DataObject) -> None:
    """Any bytes may be changed; with a checksum that fits, too, so that what comes after it is reached."""
    damaged = bytearray(tar_of(members, form))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + 1] = data.draw(st.binary(min_size=1, max_size=1))
    for start in range(0, len(damaged), 512):
        block = damaged[start : start + 512]
        if block[257:262] == b"ustar" and data.draw(st.booleans()):
            block[148:156] = b" " * 8
            damaged[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    read = kept(scanned, bytes(damaged))
    for entry in read.files if read else ():
        assert entry.path.startswith("/")
        assert ".." not in entry.path.split("/")
        assert 0 <= entry.size < 2**63


@given(st.binary(max_size=1100))
def test_any_bytes_are_a_layer_or_refused(kept: Kept, data: bytes) -> None:
    """Not a tar, not gzip, or the beginning of one."""
    kept(scanned, data)
    kept(scanned, b"\x1f\x8b\x08" + data)


NEGATIVE = struct.pack(">b11s", -1, b"\xff" * 11)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (header(size=NEGATIVE), "a header's size is -1"),
        (header(size=b"\x80" + b"\xff" * 11), "a header's size is"),
        (header(size=b"77777777777\0"), "it ends within 'a'"),
        (header(size=b"0x000000001\0"), r"a header's size is b'0x"),
        (header(uid=b"\xff" * 8), "a header's uid is -1"),
        (header(kind=b"x", size=b"77777777777\0"), "an extended header of 8589934591 bytes"),
        (header(kind=b"L", size=b"00000000005\0"), "it ends within an extended header"),
        (header(kind=b"L", size=b"00000000002\0") + padded(b"ab"), "it ends where an entry should follow"),
        (header(kind=b"x", size=b"00000000005\0") + padded(b"9 a=b") + header(), "a damaged record at byte 0"),
        (
            header(kind=b"x", size=b"00000000014\0") + padded(b"9" * 5000 + b" a=b\n") + header(),
            "a damaged record at byte 0",
        ),
        (pax(size="-1") + header(), "a header's size is '-1'"),
        (pax(size="9" * 5000) + header(), "a header's size is '9999"),
        (pax(mtime="1e999") + header(), "a header's mtime is '1e999'"),
        (pax(uid="99999999999") + header(), "a header's uid is '99999999999'"),
        (pax(path="../../etc/passwd") + header(), "leaves the archive"),
        (pax(path="a\0b") + header(), "leaves the archive"),
        (pax(path="a/" * 3000) + header(), "has 6000 characters"),
        (pax(path="a/" * 1000) + header(), "lies 1000 folders deep"),
        (pax(linkpath="a" * 5000) + header(kind=b"2"), "a link to 5000 characters"),
        (header(kind=b"1", name=b"a") + header(name=b".wh..."), "'.wh...' deletes no file"),
        (header(name=b"d/.wh.."), "'.wh..' deletes no file"),
        (header()[:100], "it ends within a header"),
        (b"x" * 512, "a header's checksum is b'xxxxxxxx'"),
        (header(name=b"a")[:150] + b"1" + header()[151:], "a header's checksum is wrong"),
    ],
)
def test_what_no_archive_should_have_is_named(data: bytes, message: str) -> None:
    """Each is a FormatError that says what is wrong, and has a remedy."""
    with pytest.raises(FormatError, match=message) as caught:
        scanned(data)
    assert caught.value.remedy


def test_a_checksum_of_signed_bytes_is_right_too() -> None:
    """Some old programs added them up so; any other sum is damage."""
    block = bytearray(header("é".encode() * 3))
    signed = int(block[148:154], 8) - 256 * 6
    block[148:154] = b"%06o" % signed
    assert [entry.path for entry in scanned(bytes(block)).files] == ["/ééé"]
    block[148:154] = b"%06o" % (signed + 256)
    with pytest.raises(FormatError, match="checksum is wrong"):
        scanned(bytes(block))


def test_extended_headers_without_end_are_no_recursion() -> None:
    """tarfile calls itself for each one."""
    data = b"".join(header(b"long", kind=b"L", size=b"00000000002\0") + padded(b"ab") for _ in range(5000)) + header()
    assert [entry.path for entry in scanned(data).files] == ["/ab"]


def test_holes_are_not_filled(bounded: Bounded) -> None:
    """A sparse file of exabytes in a kilobyte: its entry is read, its content is refused; as a layer, too."""
    block = bytearray(header(b"big", kind=b"S", magic=b"ustar  \0"))
    block[483:495] = b"\x80" + (2**62).to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    by_pax = pax(GNU_sparse_major="1", GNU_sparse_realsize=str(2**62), GNU_sparse_name="big") + header(b"x")
    with bounded(20):
        for data in (bytes(block), by_pax):
            (entry,) = scanned(data).files
            assert (entry.path, entry.size) == ("/big", 2**62)
            with pytest.raises(FormatError, match="'big' is stored with holes"):
                [content.read(1) for _, content in files_of([data], "layer")]
            with pytest.raises(FormatError, match="'big' is stored with holes"):
                list(tar_items(Blocks([data]), "archive"))


def test_a_bomb_costs_no_memory(bounded: Bounded) -> None:
    """Hundreds of megabytes of zeros, packed to one, as a file, and as an extended header."""
    size = 192 * 1024**2
    for kind, message in ((b"0", "it ends within 'a'"), (b"x", "an extended header of")):
        bomb = gzip.compress(header(size=b"%011o\0" % (2 * size), kind=kind) + bytes(size), 1)
        tracemalloc.start()
        try:
            with bounded(60), pytest.raises(FormatError, match=message):
                scanned(bomb)
            assert tracemalloc.get_traced_memory()[1] < 16 * 1024**2
        finally:
            tracemalloc.stop()


def test_a_file_tree_is_not_kept_in_memory() -> None:
    """An export of a whole system, given by mistake: its files are passed by, not collected."""
    count, size = 60, 1024**2

    def tree() -> Iterator[bytes]:
        for number in range(count):
            yield header(b"%d" % number, size=b"%011o\0" % size)
            yield b"x" * size

    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=r"neither manifest\.json nor index\.json"):
            ArchiveFiles(lambda: tar_items(Blocks(tree()), "export"), "export").layers()
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024**2
    finally:
        tracemalloc.stop()


def test_documents_have_a_limit() -> None:
    """A thousand documents of 16 MiB are no image."""
    size = 15 * 1024**2

    def tree() -> Iterator[bytes]:
        for number in range(1000):
            yield header(b"%d" % number, size=b"%011o\0" % size)
            yield b"{" * size

    with pytest.raises(FormatError, match="more than 134217728 bytes beside the layers"):
        ArchiveFiles(lambda: tar_items(Blocks(tree()), "many"), "many").layers()


def test_a_name_that_means_two_things_is_refused() -> None:
    """Of two layers of one name, readers would take different ones."""
    inner = [tar_of([("a", tarfile.REGTYPE, "", content, 0o644, 0, 0)]) for content in (b"1", b"2")]
    data = tar_of([("layer.tar", tarfile.REGTYPE, "", each, 0o644, 0, 0) for each in inner])
    with pytest.raises(FormatError, match=r"layer\.tar is in it twice, and not the same"):
        ArchiveFiles(lambda: tar_items(Blocks([data]), "archive"), "archive").layers()
