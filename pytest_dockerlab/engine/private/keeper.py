"""The process that holds a private engine: starts it, watches its owner, takes everything down.

    python -m pytest_dockerlab.engine.private.keeper '{"owner": 123, "owner_start": 456, "mirror": "", "store": "",
        "tuned": true, "fence": null}'

It detaches itself, reports on its standard output (one JSON object a line, the last one ``ready`` or ``failed``),
and from then on is silent. It ends when its owner ends, when the engine ends, or on SIGTERM, and never before
everything it made is gone. After SIGUSR1 it has no owner: something on its engine is kept on request.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import FrameType

from pytest_dockerlab.engine.private import dockerd, registry
from pytest_dockerlab.engine.private.backends import Backend, choose
from pytest_dockerlab.engine.private.cleaning import clean
from pytest_dockerlab.engine.private.hub import answers
from pytest_dockerlab.engine.private.registry import RegistryProcess
from pytest_dockerlab.engine.private.relief import keep_reserve
from pytest_dockerlab.engine.private.slots import Slot, State, acquire
from pytest_dockerlab.engine.processes import started, until_one_ends
from pytest_dockerlab.errors import EngineStartFailed, LabError
from pytest_dockerlab.places import cache_dir

__all__ = ["main"]


class _Told(BaseException):
    """SIGTERM: not an Exception, so that nothing on the way swallows it."""


def main() -> None:
    asked = json.loads(sys.argv[1])
    # Two forks' worth of distance: whoever started us need not collect our exit status.
    if os.fork():
        os._exit(0)
    os.setsid()
    os.umask(0o022)
    signal.signal(signal.SIGTERM, _told)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _say(keeper=os.getpid())
    lock = None
    try:
        lock = acquire()
        slot = replace(lock.slot, elsewhere=Path(asked["store"]) if asked["store"] else None)
        asked.pop("store")
        _keep(slot, **asked)
    except _Told:
        pass
    except LabError as error:
        _say(failed=error.what, remedy=error.remedy)
    except Exception as error:  # the starter has to hear of a defect here, too, not wait for it
        _say(failed=f"{type(error).__name__}: {error}", remedy="this is a defect of pytest-dockerlab: please report it")
        raise
    finally:
        if lock is not None:
            lock.release()


def _told(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Told


def _say(**what: object) -> None:
    # The starter may be gone: that is noticed by whoever watches the owner.
    with contextlib.suppress(OSError, ValueError):
        print(json.dumps(what), flush=True)


def _keep(slot: Slot, *, owner: int, owner_start: int, mirror: str, tuned: bool, fence: list[str] | None) -> None:
    engine = choose(slot, tuned=tuned, fence=fence)
    beside: RegistryProcess | None = None
    wake, told = os.pipe()
    signal.signal(signal.SIGUSR1, lambda *_: os.write(told, b"!"))
    try:
        if left := clean(slot):
            _say(progress=f"removed what an earlier engine left: {', '.join(left)}")
        slot.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = State(
            slot=slot.number, kind=engine.kind, url=engine.url, owner=owner,
            keeper=os.getpid(), keeper_start=started(os.getpid()), store=str(slot.elsewhere or ""),
        )  # fmt: skip
        slot.write(state)
        _say(progress=f"starting a private engine ({engine.kind}, slot {slot.number})")
        with ThreadPoolExecutor(1) as pool:
            hub = pool.submit(answers) if not mirror else None
            engine.prepare()
            made = engine.network
            state = replace(state, pool=str(made.pool) if made else "", bridge=made.bridge if made else "")
            if isinstance(engine, dockerd.Dockerd) and engine.proxy is not None:
                state = replace(
                    state, proxy=engine.proxy.url, fence=" ".join(fence or ()), way_out=engine.proxy.open_url
                )
            slot.write(state)
            beside = _registry(slot)
            mirrors = [mirror] if mirror else []
            if hub is not None and not hub.result() and beside is not None:
                _say(progress="Docker Hub does not answer: base images come from the local registry")
                mirrors = [f"http://{beside.address}"]
        engine.start(tuple(mirrors), registry=beside.config if beside else None)
        keep_reserve(slot)
        dockerd.empty(str(slot.socket))  # what a killed engine had not removed
        state = replace(state, registry=beside.address if beside else "", ready=True)
        slot.write(state)
        _say(ready=True, url=state.url, registry=state.registry, kind=state.kind, slot=slot.number)
        _silence(slot)
        for note in engine.notes:
            print(note, flush=True)
        _watch(engine, slot, state, owner_start, wake)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            engine.stop()
        if beside is not None:
            beside.stop()
        # Whoever deletes the run-time folder deletes our lock: then another may have this slot by now.
        now = slot.read()
        if now is None or now.keeper == os.getpid() or not slot.kept():
            clean(slot)


def _registry(slot: Slot) -> RegistryProcess | None:
    if reason := registry.missing():
        _say(progress=f"no local registry: {reason}")
        return None
    # The same port as last time if it is free: names of images in the slot's data hold it.
    note = slot.cache / "registry-port"
    port = int(note.read_text()) if note.exists() else 0
    beside = RegistryProcess(cache_dir() / "registry", folder=slot.run, log=slot.log("registry"), port=port)
    try:
        beside.start()
        note.write_text(beside.address.rpartition(":")[2])
    except EngineStartFailed as error:
        _say(progress=error.what)
        return None
    return beside


def _silence(slot: Slot) -> None:
    """Give up the starter's pipe: from now on what is said goes to the slot's log."""
    log = os.open(slot.log("keeper"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(log, number)
    os.close(log)


def _watch(engine: Backend, slot: Slot, state: State, owner_start: int, wake: int) -> None:
    """Return when the owner or the engine has ended; from SIGUSR1 on there is no owner any more."""
    engines = {engine.pid: started(engine.pid)}
    until_one_ends({**engines, state.owner: owner_start} if state.owner else engines, wake)
    if select.select([wake], [], [], 0)[0]:
        slot.write(replace(state, owner=0, kept=True))
        until_one_ends(engines)


if __name__ == "__main__":
    main()
