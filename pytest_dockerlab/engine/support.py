"""What an engine does with programs of a platform: runs them, has them emulated, or can't. Found out by trying."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_dockerlab.engine import binfmt, emulation
from pytest_dockerlab.engine.capabilities import OF_PLATFORM
from pytest_dockerlab.engine.probes import same_kernel
from pytest_dockerlab.engine.trial import USER, trial_program
from pytest_dockerlab.errors import LabError
from pytest_dockerlab.platforms import Platform, runs_on
from pytest_dockerlab.run.spec import RunSpec

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["State", "Support", "require", "support"]

State = Literal["native", "emulated", "unavailable"]

# A processor that has another's instructions, too, needs no emulator for them (arm64 ones may have arm's).
_ALSO = {"amd64": ("386",), "arm64": ("arm",)}
_SECONDS = 30.0
_ELSEWHERE = "docker run --privileged --rm tonistiigi/binfmt --install all (on that engine)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """Whether programs of a platform run on an engine, and how that is known.

    Attributes:
        reason: what was tried, and what came of it.
        remedy: the command that mends it, ``""`` where nothing is to be mended.
        set_uid: a set-uid program gets its owner's rights.
    """

    platform: Platform
    state: State
    reason: str
    remedy: str = ""
    set_uid: bool = True


def support(engine: Engine, platform: Platform) -> Support:
    """Try it: a program of that platform, of some hundred bytes, is run in a container.

    Where we have no program for the platform the kernel's own list decides.
    """
    if runs_on(platform, engine.info.platform):
        return Support(platform=platform, state="native", reason="it is the engine's own platform")
    near = same_kernel(engine)
    found = binfmt.emulator(platform.architecture) if near else binfmt.Emulator(False, "")
    tried = _tried(engine, platform)
    if tried is None:
        unknown = found.reason or "no program to try it with is known here, and its kernel can't be asked"
        tried = _Tried(found.usable, unknown, set_uid=found.set_uid)
    if not tried.ran:
        # What is in the way on this machine says more than how the program failed.
        why = f"{tried.reason}; {found.reason}" if found.reason not in ("", tried.reason) else tried.reason
        remedy = emulation.mending(platform) if near else _ELSEWHERE
        return Support(platform=platform, state="unavailable", reason=why, remedy=remedy)
    if not found.usable and platform.architecture in _ALSO.get(engine.info.platform.architecture, ()):
        return Support(platform=platform, state="native", reason=f"{tried.reason}, and no emulator is known")
    reason = f"{tried.reason}, {found.reason}" if found.reason != tried.reason else tried.reason
    return Support(platform=platform, state="emulated", reason=reason, set_uid=tried.set_uid)


def require(engine: Engine, platform: Platform, capability: str) -> None:
    """Insist on a capability, as it is for programs of a platform.

    Raises:
        CapabilityMissing: with the reason.
        UsageError: there is no capability of this name.
    """
    of = engine.capabilities
    (of.on(support(engine, platform)) if capability in OF_PLATFORM else of).require(capability)


@dataclass(frozen=True, slots=True)
class _Tried:
    ran: bool
    reason: str
    set_uid: bool = False


def _tried(engine: Engine, platform: Platform) -> _Tried | None:
    """What became of a program of the platform; ``None`` where there is none."""
    if (program := trial_program(platform)) is None:
        return None
    word = uuid.uuid4().hex
    name = f"dockerlab/trial-{word[:12]}:{platform.architecture}"
    # The label makes it an image of its own: several processes may try at once.
    labels = {**engine.labels, "org.dockerlab.trial": word}
    try:
        engine.images.load(_archive(name, platform, program, labels))
        try:
            return _run(
                engine, RunSpec(image=name, platform=platform, network="none", user=f"{USER}:{USER}", labels=labels)
            )
        finally:
            engine.images.remove(name, force=True)
    except LabError as error:
        return _Tried(False, f"tried: {error.what}")


def _run(engine: Engine, spec: RunSpec) -> _Tried:
    container = engine.containers.create(spec).id
    try:
        engine.containers.start(container)
        code = engine.containers.wait(container, timeout=_SECONDS)
        if code in (0, USER):
            return _Tried(True, "tried: a program ran", set_uid=code == 0)
        log = engine.containers.logs(container, tty=False)
        said = " ".join((log.stderr or log.stdout).decode(errors="replace").split())[-200:]
        return _Tried(False, f"tried: {said or f'a program ended with exit code {code}'}")
    finally:
        engine.containers.remove(container)


def _archive(name: str, platform: Platform, program: bytes, labels: Mapping[str, str]) -> Iterator[bytes]:
    """As ``docker save`` would write an image of this one program."""
    from pytest_dockerlab.bases.blobs import Entry, Layer, config_bytes, digest_of, tar_of

    tar = tar_of((Entry(path="trial", content=program, mode=0o4755),))
    layer = Layer(diff_id=digest_of(tar), digest="", size=len(tar))
    config = config_bytes((layer,), platform, created_by="a trial", cmd=("/trial",), labels=labels)
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    files = {"manifest.json": manifest, "config.json": config, "layer.tar": tar}
    yield tar_of(tuple(Entry(path=path, content=content, mode=0o644) for path, content in files.items()))
