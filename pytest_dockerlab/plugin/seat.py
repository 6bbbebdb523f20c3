"""Which process of which run this is, and the folder that the processes of a run share."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_dockerlab import places

if TYPE_CHECKING:
    from filelock import FileLock

__all__ = ["Folder", "Seat"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Which process of which run this is.

    Attributes:
        run: the run's name, the same in all its processes; short enough for a socket's path.
        owner: pid of the process whose end is the run's end.
        host: where that process runs.
        worker: xdist's name of this process, ``""`` where the user started it.
    """

    run: str
    owner: int
    host: str
    worker: str = ""

    @classmethod
    def new(cls) -> Seat:
        """A run of its own."""
        return cls(run=os.urandom(4).hex(), owner=os.getpid(), host=os.uname().nodename)

    @classmethod
    def of_worker(cls, told: Mapping[str, Any], worker: str) -> Seat:
        """A worker's, from what the controller told it (``asdict`` of its own).

        A worker on another host shares neither folder nor engine with its controller: it is a run of its own.
        """
        here = cls.new()
        if told["host"] != here.host:
            return cls(run=f"{told['run']}{worker}", owner=here.owner, host=here.host)
        return cls(run=told["run"], owner=told["owner"], host=told["host"], worker=worker)

    @property
    def leads(self) -> bool:
        """Whether the run ends with this process."""
        return not self.worker


class Folder:
    """Locks and records of one run. It is made when the first process has something to keep there.

    Attributes:
        path: where it is, or will be.
    """

    def __init__(self, run: str) -> None:
        self.path: Path = places.runtime_dir(create=False) / "runs" / run

    def lock(self, name: str) -> FileLock:
        """Held by one process of the run at a time."""
        from filelock import FileLock

        self.make()
        return FileLock(self.path / f"{name}.lock", mode=0o600)

    def read(self, name: str) -> dict[str, Any] | None:
        """A record that a process of this run has written, if one has."""
        try:
            record = json.loads((self.path / name).read_text("utf-8"))
        except FileNotFoundError:
            return None
        assert isinstance(record, dict)
        return record

    def write(self, name: str, record: Mapping[str, Any]) -> None:
        """Write a record at once; hold a lock where several may write."""
        self.write_bytes(name, json.dumps(record).encode())

    def read_bytes(self, name: str) -> bytes:
        """What ``write_bytes`` wrote under this name."""
        return (self.path / name).read_bytes()

    def write_bytes(self, name: str, data: bytes) -> None:
        """As ``write``, for what is no JSON."""
        self.make()
        draft = self.path / f"{name}.{os.getpid()}-{threading.get_ident()}"
        draft.write_bytes(data)
        draft.replace(self.path / name)

    def has(self, name: str) -> bool:
        """Whether there is such a record."""
        return (self.path / name).exists()

    def forget(self, prefix: str) -> None:
        """Remove the records whose names begin so."""
        for path in self.path.glob(f"{prefix}*.json"):
            path.unlink(missing_ok=True)

    def records(self, prefix: str) -> list[dict[str, Any]]:
        """The records whose names begin so, in the order of their names."""
        names = sorted(path.name for path in self.path.glob(f"{prefix}*.json"))
        return [record for name in names if (record := self.read(name)) is not None]

    def make(self) -> None:
        """Make it, closed to other users."""
        # Each level: parents=True would leave those above it open to other users.
        for folder in (self.path.parent.parent, self.path.parent, self.path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def locks(self, prefix: str) -> Iterator[FileLock]:
        """The locks that processes have made under names that begin so."""
        for path in sorted(self.path.glob(f"{prefix}*.lock")):
            yield self.lock(path.stem)

    def claim(self, owner: int) -> Path:
        """Say whose run this is. Returns the run's scratch folder.

        Args:
            owner: pid of the process whose end is the run's end.
        """
        from pytest_dockerlab.reaping import beside

        self.make()
        return beside.begin(self.path, owner)

    def remove(self) -> None:
        """At the end of the run, when no other process of it is left."""
        from pytest_dockerlab.reaping import beside

        record = beside.RunRecord.read(self.path)
        if record is not None and any(record.scratch.glob("*")):
            beside.end_processes(record)  # a registry whose worker was killed
        if record is not None:
            beside.remove_scratch(record)
        shutil.rmtree(self.path, ignore_errors=True)
