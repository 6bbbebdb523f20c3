"""Slots: the places on this machine that a private engine can occupy, one engine each."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from pytest_dockerlab.engine.processes import alive
from pytest_dockerlab.errors import EngineStartFailed
from pytest_dockerlab.places import cache_dir, runtime_dir

__all__ = ["MOST", "Slot", "SlotLock", "State", "acquire", "all_slots", "machine_lock"]

# More engines than this on one machine are a leak, not a need.
MOST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a keeper says about itself, in ``state.json`` of its slot.

    Attributes:
        kind: ``dockerd``, ``rootless dockerd`` or ``podman``.
        keeper: its pid, ``keeper_start`` its start time.
        owner: pid of the run that it belongs to, 0 for none (``dockerlab up``).
        pool: the IPv4 range of its bridges, ``""`` where it makes none on this host.
        bridge: name of its bridge, or ``""``.
        store: folder of its images and containers where that is not the slot's own.
        kept: it was a run's, and outlives it because something on it is kept on request.
        fence: hosts (with blanks between them) that its builds reach by ``proxy``, an address; ``way_out`` is the
            address by which all can be reached. All are ``""`` for an engine without a fence.
    """

    slot: int
    kind: str
    url: str
    registry: str = ""
    keeper: int
    keeper_start: int
    owner: int = 0
    pool: str = ""
    bridge: str = ""
    store: str = ""
    kept: bool = False
    ready: bool = False
    proxy: str = ""
    fence: str = ""
    way_out: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """Paths of one slot. What runs is in the run-time folder; the data stays in the cache, or in ``elsewhere``."""

    number: int
    run_root: Path
    cache_root: Path
    elsewhere: Path | None = None

    @property
    def ident(self) -> str:
        """Names this slot among all on the machine, those of other run-time folders too; at most 8 characters."""
        return f"{self.number}{hashlib.sha256(str(self.run_root).encode()).hexdigest()[:5]}"

    @property
    def run(self) -> Path:
        return self.run_root / f"engine{self.number}"

    @property
    def cache(self) -> Path:
        return self.cache_root / "engines" / str(self.number)

    @property
    def store(self) -> Path:
        """Above the folder in which an engine keeps its images and containers."""
        return self.elsewhere or self.cache

    @property
    def data(self) -> Path:
        return self.store / "data"

    @property
    def socket(self) -> Path:
        return self.run / "docker.sock"

    @property
    def bridge(self) -> str:
        return f"dl{self.ident}br"  # at most 15 characters: IFNAMSIZ

    @property
    def comment(self) -> str:
        return f"dockerlab-{self.ident}"

    @property
    def cgroup(self) -> str:
        """Name of the control group above all that its engine runs."""
        return f"dockerlab-{self.ident}"

    def log(self, name: str) -> Path:
        """A log file, kept until the slot's next engine starts."""
        return self.cache / f"{name}.log"

    def read(self) -> State | None:
        """What its keeper last said; ``None`` where none did, or in a form of another version."""
        try:
            return State(**json.loads((self.run / "state.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, state: State) -> None:
        draft = self.run / "state.json.new"
        draft.touch(0o600)  # it may hold a password
        draft.write_text(json.dumps(asdict(state)))
        draft.replace(self.run / "state.json")

    def kept(self) -> bool:
        """Whether its keeper lives."""
        state = self.read()
        return state is not None and alive(state.keeper, state.keeper_start)


class SlotLock:
    """Both locks of a slot: that of its names on this machine, and that of its data in the cache.

    They differ where two people share a machine and not a cache, or the other way round. The files are
    never deleted: a second holder could then lock another file of the same name.
    """

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self._locks = [
            FileLock(slot.run_root / f"engine{slot.number}.lock", thread_local=False),
            FileLock(slot.cache / "lock", thread_local=False),
        ]

    def take(self, timeout: float = 0) -> bool:
        """Take both within ``timeout`` seconds each, or neither.

        Raises:
            EngineStartFailed: this user may not write there.
        """
        try:
            self.slot.cache.mkdir(parents=True, exist_ok=True)
            for lock in self._locks:
                lock.acquire(timeout=timeout)
        except Timeout:
            self.release()
            return False
        except PermissionError as error:
            self.release()
            raise EngineStartFailed(
                f"this user may not write {error.filename}: another one (root, by sudo?) made it",
                remedy="name another folder in DOCKERLAB_CACHE, or give that one back: sudo chown -R",
            ) from error
        return True

    def release(self) -> None:
        for lock in self._locks:
            lock.release()


def all_slots() -> tuple[Slot, ...]:
    """All slots, whether in use or not."""
    return tuple(Slot(number, runtime_dir(), cache_dir()) for number in range(MOST))


def acquire() -> SlotLock:
    """The first free slot, locked.

    Raises:
        EngineStartFailed: all are taken.
    """
    for slot in all_slots():
        lock = SlotLock(slot)
        if lock.take():
            return lock
    raise EngineStartFailed(
        f"{MOST} private engines run on this machine already", remedy="end some of them: dockerlab down --all"
    )


@contextlib.contextmanager
def machine_lock(timeout: float = 60.0) -> Iterator[None]:
    """Hold while choosing addresses or changing what all engines share; seconds.

    Raises:
        EngineStartFailed: somebody held it for longer than ``timeout``.
    """
    path = runtime_dir() / "network.lock"
    try:
        with FileLock(path, timeout=timeout):
            yield
    except Timeout as error:
        raise EngineStartFailed(
            f"another engine's start holds {path} for more than {timeout:g} s",
            remedy=f"see which process it is: fuser {path}",
        ) from error
