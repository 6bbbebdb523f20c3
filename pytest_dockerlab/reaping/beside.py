"""What a run has beside its engine: its processes, its folder of records, its scratch folder.

Everything that a run writes outside of its caches is in one of the two folders, and every process that it starts to
outlive a call (a registry) works in the scratch folder: so that one who finds the run dead finds these, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_dockerlab import places
from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.reaping.owner import Owner

if TYPE_CHECKING:
    from pytest_dockerlab.engine.endpoint import Endpoint

__all__ = [
    "RunRecord",
    "begin",
    "dead_runs",
    "end_processes",
    "endpoint_of",
    "join",
    "processes",
    "remove_beside",
    "remove_scratch",
    "runs_folder",
    "spare",
    "write",
]

_OWNER, _MEMBER, _KEPT, _ENGINE = "owner.json", "member-", "kept-", "engine-"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What a run's folder says of it.

    Attributes:
        folder: its records and locks.
        owner: the process whose end is the run's end.
        scratch: for what its processes need for a while.
        members: pid → start time of the other processes that run its tests.
        endpoints: of its engines, as they were written there.
        kept: folders below the scratch folder that are kept on request.
    """

    folder: Path
    owner: Owner
    scratch: Path
    members: Mapping[int, int]
    endpoints: tuple[Mapping[str, Any], ...]
    kept: frozenset[Path]

    @property
    def run(self) -> str:
        return self.folder.name

    @classmethod
    def read(cls, folder: Path) -> RunRecord | None:
        """``None`` where there is none (any more), or one of another form."""
        try:
            said = json.loads((folder / _OWNER).read_text("utf-8"))
            owner, scratch = Owner.parse(said["owner"]), Path(said["scratch"])
        except (OSError, ValueError, KeyError, TypeError, FormatError):
            return None
        members = {int(said["pid"]): int(said["start"]) for said in _read_all(folder, _MEMBER)}
        kept = frozenset(Path(path) for said in _read_all(folder, _KEPT) for path in said["folders"])
        endpoints = tuple(said["endpoint"] for said in _read_all(folder, _ENGINE))
        return cls(folder=folder, owner=owner, scratch=scratch, members=members, endpoints=endpoints, kept=kept)


def _read_all(folder: Path, prefix: str) -> Iterator[Mapping[str, Any]]:
    for path in folder.glob(f"{prefix}*.json"):
        with contextlib.suppress(OSError, ValueError):  # it is going at this moment
            yield json.loads(path.read_text("utf-8"))


def runs_folder() -> Path:
    """Above the folders of this user's runs."""
    return places.runtime_dir(create=False) / "runs"


def begin(folder: Path, owner: int) -> Path:
    """Write down whose run this is, and make its scratch folder. Each process of the run may call it; one at a time.

    Args:
        folder: of the run; it is there.
        owner: pid of the process whose end is the run's end.

    Returns:
        The scratch folder. Others may pass through it: a container's user has to get to a folder in it.
    """
    if (known := RunRecord.read(folder)) is not None:
        scratch = known.scratch
    else:
        scratch = Path(tempfile.gettempdir()) / f"dockerlab-{folder.name}-{os.urandom(4).hex()}"
        # First written, then made: whoever is killed in between leaves nothing that nobody knows of.
        write(folder / _OWNER, {"owner": str(Owner.of(owner)), "scratch": str(scratch)})
    if not scratch.is_dir():
        scratch.mkdir(mode=0o711)
        scratch.chmod(0o711)
    return scratch


def join(folder: Path, name: str) -> None:
    """Write down that this process takes part in a run that another one leads."""
    from pytest_dockerlab.engine.processes import started

    write(folder / f"{_MEMBER}{name}.json", {"pid": os.getpid(), "start": started(os.getpid())})


def spare(folder: Path, kept: Iterable[str]) -> None:
    """Write down that folders below the scratch folder stay when it goes."""
    if folders := list(kept):
        write(folder / f"{_KEPT}{os.urandom(4).hex()}.json", {"folders": folders})


def endpoint_of(fields: Mapping[str, Any]) -> Endpoint:
    """The address of an engine, from what ``dataclasses.asdict`` made of it."""
    from pytest_dockerlab.engine.endpoint import Endpoint, Tls

    return Endpoint(**{**fields, "tls": Tls(**fields["tls"]) if fields["tls"] else None})


def dead_runs() -> Iterator[RunRecord]:
    """Runs of this user that have ended without having removed their folder."""
    for path in sorted(runs_folder().glob(f"*/{_OWNER}")):
        record = RunRecord.read(path.parent)
        # None: it is going at this moment, or its owner is on another host and may live.
        if record is not None and record.owner.alive is False:
            yield record


def remove_beside(record: RunRecord) -> tuple[str, ...]:
    """End what still runs of a dead run, and remove its folders. Returns what was there, in words."""
    gone = list(end_processes(record))
    if remove_scratch(record):
        gone.append(f"folder {record.scratch}")
    if record.folder.is_dir():
        shutil.rmtree(record.folder, ignore_errors=True)
        gone.append(f"folder {record.folder}")
    return tuple(gone)


def remove_scratch(record: RunRecord) -> bool:
    """Remove a run's scratch folder but for what is kept below it. Returns whether there was something to remove."""
    top = record.scratch
    if not top.is_dir() or top.is_symlink():
        return False
    others = [path for path in top.iterdir() if not any(folder.is_relative_to(path) for folder in record.kept)]
    for path in others:
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty
        top.rmdir()
    return bool(others) or not top.is_dir()


def processes(record: RunRecord) -> frozenset[int]:
    """The workers of a dead run, which would go on making things for a while, and what runs in its scratch folder."""
    from pytest_dockerlab.engine.processes import alive, engine_processes

    workers = {pid for pid, start in record.members.items() if start and alive(pid, start)}
    return frozenset(workers | engine_processes(record.scratch))


def end_processes(record: RunRecord) -> tuple[str, ...]:
    """Kill them. Returns what was there, in words."""
    from pytest_dockerlab.engine.processes import end

    found = processes(record)
    if found:
        end(found)
    return tuple(f"process {pid}" for pid in sorted(found))


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record whole or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(record), "utf-8")
    draft.replace(path)
