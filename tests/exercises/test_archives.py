"""What ADD would unpack is told without unpacking it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_dockerlab.build.dockerfile import parse
from pytest_dockerlab.exercises.archives import judge_archives, unpacked_size

MEGABYTE = 1 << 20


def archive(*sizes: int) -> bytes:
    """A tar with files of these sizes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as made:
        for number, size in enumerate(sizes):
            entry = tarfile.TarInfo(f"file{number}")
            entry.size = size
            made.addfile(entry, io.BytesIO(bytes(size)))
    return file.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_all_that_is_in_it_counts(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """However it is packed; up to the limit it is told, beyond it not."""
    path = tmp_path / "a.tar"
    path.write_bytes(pack(archive(3 * MEGABYTE, 5 * MEGABYTE)))
    assert unpacked_size(path, 9 * MEGABYTE) == 8 * MEGABYTE + 2 * 4096
    assert unpacked_size(path, 8 * MEGABYTE) is None


def test_a_hole_counts_as_if_it_were_full(tmp_path: Path) -> None:
    """Engines write the zeros of a sparse file out."""
    entry = tarfile.TarInfo("huge")
    block = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    block[156:157] = b"S"
    block[483:495] = b"%011o\0" % (1 << 32)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    path = tmp_path / "a.tar"
    path.write_bytes(bytes(block) + bytes(1024))
    assert unpacked_size(path, 1 << 30) is None


@pytest.mark.parametrize(
    "content", [b"", b"hello\n" * 500, gzip.compress(b"no archive", mtime=0), b"\x1f\x8b\x08broken"]
)
def test_what_is_no_archive_is_not_unpacked(tmp_path: Path, content: bytes) -> None:
    """It has no size."""
    (tmp_path / "file").write_bytes(content)
    assert unpacked_size(tmp_path / "file", MEGABYTE) == 0


def test_what_can_not_be_told_is_too_much(tmp_path: Path) -> None:
    """There is no reader of zstd here, and some engines have one."""
    (tmp_path / "file").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(100))
    assert unpacked_size(tmp_path / "file", MEGABYTE) is None


def test_only_add_unpacks(tmp_path: Path) -> None:
    """All archives of the context together; COPY takes them as they are."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.tar.gz").write_bytes(gzip.compress(archive(3 * MEGABYTE)))
    adds = parse("FROM x\nRUN true\nADD *.tar.gz /\n", "/somewhere/Dockerfile")
    (refusal,) = judge_archives(adds, tmp_path, 5 * MEGABYTE)
    assert (refusal.code, refusal.where) == ("archive", "Dockerfile:3")
    assert "b.tar.gz would be unpacked by ADD to more than 5 MiB" in refusal.what["en"]
    assert judge_archives(adds, tmp_path, 7 * MEGABYTE) == ()
    assert judge_archives(parse("FROM x\nCOPY *.tar.gz /\n"), tmp_path, 5 * MEGABYTE) == ()
