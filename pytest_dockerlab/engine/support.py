"""What an engine does with programs of a platform: runs them, has them emulated, or can't. Found out by trying."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_dockerlab.engine import binfmt, emulation
from pytest_dockerlab.engine.probes import same_kernel
from pytest_dockerlab.errors import LabError, UsageError
from pytest_dockerlab.platforms import Platform, same
from pytest_dockerlab.run.spec import RunSpec

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["State", "Support", "support"]

State = Literal["native", "emulated", "unavailable"]

# A processor that has another's instructions, too, needs no emulator for them (arm64 ones may have arm's).
_ALSO = {"amd64": ("386",), "arm64": ("arm",)}
_SECONDS = 30.0


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
    """Try it: a program of that platform, of less than a thousand bytes, is run in a container.

    Where we have no program for the platform the kernel's own list decides.
    """
    if same(platform, engine.info.platform):
        return Support(platform=platform, state="native", reason="it is the engine's own platform")
    near = same_kernel(engine)
    found = binfmt.emulator(platform.architecture) if near else binfmt.Emulator(False, "")
    remedy = emulation.mending(platform) if near else "docker run --privileged --rm tonistiigi/binfmt --install all"
    tried = _tried(engine, platform)
    how = "" if tried is None else "tried: "
    if tried is None:
        if not near:
            return Support(platform=platform, state="unavailable", reason="no program to try it with is known here")
        tried = "" if found.usable else found.reason
    elif tried and not found.usable and found.reason:
        tried = f"{tried}; {found.reason}"
    if tried:
        return Support(platform=platform, state="unavailable", reason=tried, remedy=remedy)
    if not found.usable and platform.architecture in _ALSO.get(engine.info.platform.architecture, ()):
        return Support(platform=platform, state="native", reason="tried: it runs, and no emulator is known")
    # An emulator elsewhere can't be looked at; those of Docker Desktop and of binfmt's own image have flag C.
    return Support(
        platform=platform,
        state="emulated",
        reason=f"{how}{found.reason or 'the engine has an emulator'}",
        set_uid=found.set_uid or not near,
    )


def _tried(engine: Engine, platform: Platform) -> str | None:
    """Why a program of the platform did not run, ``""`` if it did; ``None`` where there is no program."""
    from pytest_dockerlab.bases.hello import hello_program

    word = uuid.uuid4().hex
    try:
        program = hello_program(platform, word)
    except UsageError:
        return None
    name = f"dockerlab/trial-{word[:12]}:{platform.architecture}"
    try:
        # Its text is its own, so is its id: several processes may try at once.
        engine.images.load(_archive(name, platform, program, engine.labels))
        try:
            return _run(engine, name, platform)
        finally:
            engine.images.remove(name, force=True)
    except LabError as error:
        return f"tried: {error.what}"


def _run(engine: Engine, name: str, platform: Platform) -> str:
    spec = RunSpec(image=name, platform=platform, network="none", labels=engine.labels)
    container = engine.containers.create(spec).id
    try:
        engine.containers.start(container)
        if (code := engine.containers.wait(container, timeout=_SECONDS)) == 0:
            return ""
        log = engine.containers.logs(container, tty=False)
        said = (log.stderr or log.stdout).decode(errors="replace").split()
        return f"tried: {' '.join(said)[-200:] or f'a program ended with exit code {code}'}"
    finally:
        engine.containers.remove(container)


def _archive(name: str, platform: Platform, program: bytes, labels: Mapping[str, str]) -> Iterator[bytes]:
    """As ``docker save`` would write an image of this one program."""
    from pytest_dockerlab.bases.blobs import Entry, Layer, config_bytes, digest_of, tar_of

    tar = tar_of((Entry(path="trial", content=program),))
    layer = Layer(diff_id=digest_of(tar), digest="", size=len(tar))
    config = config_bytes((layer,), platform, created_by="a trial", cmd=("/trial",), labels=labels)
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    files = {"manifest.json": manifest, "config.json": config, "layer.tar": tar}
    yield tar_of(tuple(Entry(path=path, content=content, mode=0o644) for path, content in files.items()))
