"""Engines of our own: started when nothing else answers, gone without a trace when their owner ends."""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path

from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.private.backends import kind, missing
from pytest_dockerlab.engine.private.cleaning import clean
from pytest_dockerlab.engine.private.network import Network
from pytest_dockerlab.engine.private.relief import relieve as _relieve
from pytest_dockerlab.engine.private.slots import Slot, SlotLock, State, all_slots
from pytest_dockerlab.engine.processes import alive, started
from pytest_dockerlab.errors import EngineError, EngineStartFailed, NotFound
from pytest_dockerlab.settings import Settings, read_settings

__all__ = [
    "Endpoint",
    "Fence",
    "fence",
    "hand_over",
    "internal_subnets",
    "kind",
    "missing",
    "relieve",
    "running",
    "start",
    "states",
    "stop",
    "sweep",
]


def start(
    owner_pid: int | None,
    settings: Settings | None = None,
    on_progress: Callable[[str], None] | None = None,
    *,
    store: Path | None = None,
    timeout: float = 90.0,
) -> Endpoint:
    """Start a private engine that lives as long as the process ``owner_pid``; ``None``: until it is stopped.

    Args:
        settings: its mirror is used, its fence, and whether the engine is to be tuned; by default those of the
            environment, and no fence.
        on_progress: is told what happens, a line at a time.
        store: folder for its images and containers, which no other engine uses; by default one of the cache.
        timeout: seconds.

    Raises:
        EngineStartFailed: with the reason, and the last lines of the engine's log where it has one.
    """
    if reason := missing():
        raise EngineStartFailed(f"no private engine can be started: {reason}", remedy="dockerlab up --install")
    settings = settings or Settings(tuned=read_settings().tuned)
    mirror = settings.mirror
    if mirror and "://" not in mirror:
        mirror = f"{'http' if mirror.startswith(('127.', 'localhost')) else 'https'}://{mirror}"
    asked = {
        "owner": owner_pid or 0,
        "owner_start": started(owner_pid) if owner_pid else 0,
        "mirror": mirror,
        "store": str(store.absolute()) if store else "",
        "tuned": settings.tuned,
        "fence": None if settings.fence is None else list(settings.fence),
    }
    environ = dict(os.environ)
    package_root = str(Path(__file__).parents[3])  # a checkout that is not installed has to be found, too
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [package_root, environ.get("PYTHONPATH", "")]))
    keeper = subprocess.Popen(
        [sys.executable, "-m", "pytest_dockerlab.engine.private.keeper", json.dumps(asked)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", env=environ,
    )  # fmt: skip
    heard: dict[str, object] = {}
    try:
        with keeper:
            said, errors = _listen(keeper, on_progress or (lambda line: None), timeout, heard)
    except BaseException:  # Ctrl-C while it starts: it would go on without us
        _give_up(heard)
        raise
    if not ({"ready", "failed"} & set(said)):
        _give_up(heard)
    if "ready" in said:
        return Endpoint(
            url=str(said["url"]), name="private engine", source="started by this run" if owner_pid else "dockerlab up",
            private=True, registry=str(said["registry"]),
        )  # fmt: skip
    raise EngineStartFailed(
        str(
            said.get("failed")
            or said.get("late")
            or f"the private engine's keeper ended without a word: {errors.strip()[-500:]}"
        ),
        remedy=str(said.get("remedy") or "dockerlab doctor"),
    )


def _give_up(heard: Mapping[str, object]) -> None:
    """Tell a keeper that nobody waits for to take its half-made engine down."""
    pid = heard.get("keeper")
    if isinstance(pid, int) and alive(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def _listen(
    keeper: subprocess.Popen[bytes], on_progress: Callable[[str], None], timeout: float, heard: dict[str, object]
) -> tuple[dict[str, object], str]:
    """Pass progress on until the keeper says that it is ready, or failed, or closes its end."""
    assert keeper.stdout is not None
    assert keeper.stderr is not None
    deadline = time.monotonic() + timeout
    texts = {keeper.stdout.fileno(): b"", keeper.stderr.fileno(): b""}
    out = keeper.stdout.fileno()
    open_ends = set(texts)
    while open_ends:
        ready, _, _ = select.select(list(open_ends), [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return {"late": f"the private engine did not start within {timeout:g} s"}, ""
        for number in ready:
            data = os.read(number, 65536)
            texts[number] += data
            if not data:
                open_ends.discard(number)
        *lines, texts[out] = texts[out].split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "progress" in said:
                on_progress(said["progress"])
            elif "keeper" in said:
                heard.update(said)
            else:
                return said, ""
    return {}, next(text for number, text in texts.items() if number != out).decode(errors="replace")


def states() -> tuple[tuple[Slot, State], ...]:
    """The private engines whose keeper lives, and which answer."""
    found = ((slot, slot.read()) for slot in all_slots())
    return tuple(
        (slot, state) for slot, state in found if state and state.ready and alive(state.keeper, state.keeper_start)
    )


def _endpoint(state: State) -> Endpoint:
    source = f"started by process {state.owner}" if state.owner else "dockerlab up"
    return Endpoint(url=state.url, name="private engine", source=source, private=True, registry=state.registry)


def running() -> tuple[Endpoint, ...]:
    """The private engines of this user that run: those of ``dockerlab up``, and those of test runs."""
    return tuple(_endpoint(state) for _, state in states())


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """What keeps the builds and containers of a private engine in.

    Attributes:
        hosts: that are let through by ``proxy``, an address.
        way_out: address of a proxy that lets through all, for builds of our own.
    """

    hosts: tuple[str, ...]
    proxy: str
    way_out: str

    @staticmethod
    def args(proxy: str) -> dict[str, str]:
        """Build arguments that lead RUN there. No trace of them is in the image, nor in the key of its cache."""
        return dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), proxy)


def fence(url: str) -> Fence | None:
    """The fence of the private engine at this address; ``None`` if it has none."""
    found = next((state for _, state in states() if state.url == url and state.proxy), None)
    return Fence(hosts=tuple(found.fence.split()), proxy=found.proxy, way_out=found.way_out) if found else None


def internal_subnets(url: str) -> tuple[str, ...]:
    """Where the private engine at this address has networks that nothing leaves; empty where it sees to that itself."""
    pool = next((state.pool for _, state in states() if state.url == url), "")
    if not pool:
        return ()
    subnets = list(Network(bridge="", pool=IPv4Network(pool)).for_internal.subnets(new_prefix=24))
    # So that two who look at the same time seldom want the same.
    random.shuffle(subnets)
    return tuple(map(str, subnets))


def relieve(engine: Endpoint) -> int:
    """Empty a private engine's build cache, though its disk be full to the last byte; returns the bytes that it frees.

    Raises:
        NotFound: no private engine has this address.
        DiskFull: the engine could not do it.
    """
    found = next(((slot, state) for slot, state in states() if state.url == engine.url), None)
    if found is None:
        raise NotFound(f"no private engine at {engine.url}", remedy="dockerlab doctor lists those that run")
    slot, state = found
    return _relieve(replace(slot, elsewhere=Path(state.store)) if state.store else slot)


def stop(engine: Endpoint | int, *, timeout: float = 60.0) -> tuple[str, ...]:
    """Take a private engine down, and wait until nothing of it is left but its data.

    Args:
        engine: its endpoint or the number of its slot. One that has ended already is fine: what it left is removed.
        timeout: seconds.

    Returns:
        What was removed, in words.

    Raises:
        NotFound: no private engine has this address.
        EngineError: it did not end in time.
    """
    slot = _slot_of(engine)
    if slot is None:
        assert isinstance(engine, Endpoint)
        if engine.private:
            return ()  # gone, and its slot perhaps in use again
        raise NotFound(f"no private engine at {engine.url}", remedy="dockerlab doctor lists those that run")
    state = slot.read()
    told = False
    if state and alive(state.keeper, state.keeper_start):
        os.kill(state.keeper, signal.SIGTERM)
        told = True
        deadline = time.monotonic() + timeout
        while alive(state.keeper, state.keeper_start):
            if time.monotonic() > deadline:
                raise EngineError(
                    f"private engine {slot.number} (keeper: process {state.keeper}) does not end within {timeout:g} s",
                    remedy=f"look at {slot.log('keeper')}; then kill -9 {state.keeper} and dockerlab down",
                )
            time.sleep(0.02)
    # Whether it could do its work or was killed: look.
    left = _clean(slot, timeout=5 if told else 0)
    left = tuple(f"engine {slot.number}: {what}" for what in left)
    return (f"engine {slot.number} ({state.kind})", *left) if state and told else left


def hand_over(engine: Endpoint, *, timeout: float = 10.0) -> None:
    """Let a run's private engine outlive its run, until ``dockerlab down`` or ``dockerlab sweep --kept``.

    Raises:
        EngineError: its keeper does not answer within ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        slot, state = next(((slot, state) for slot, state in states() if state.url == engine.url), (None, None))
        if state is not None and not state.owner:
            return
        if slot is None or state is None or time.monotonic() > deadline:
            raise EngineError(
                f"the private engine at {engine.url} could not be kept: its keeper does not answer",
                remedy="look at it while the test runs: pytest --pdb",
            )
        os.kill(state.keeper, signal.SIGUSR1)
        time.sleep(0.02)


def _slot_of(engine: Endpoint | int) -> Slot | None:
    if isinstance(engine, int):
        return next(slot for slot in all_slots() if slot.number == engine)
    for slot in all_slots():
        state = slot.read()
        if state and state.url == engine.url:
            return slot
    return None


def _clean(slot: Slot, timeout: float = 0) -> tuple[str, ...]:
    lock = SlotLock(slot)
    if not lock.take(timeout):
        return ()  # somebody uses it, so it is not ours to clean
    try:
        return clean(slot)
    finally:
        lock.release()


def sweep() -> tuple[str, ...]:
    """Remove what killed keepers of this user left in slots that nobody holds, in words; their data stays."""
    found: list[str] = []
    for slot in all_slots():
        if slot.run.exists() and not slot.kept():
            found.extend(f"engine {slot.number}: {what}" for what in _clean(slot))
    return tuple(found)
