"""The first build from a base has ended before others begin: BuildKit would lose the steps of all that meet it.

While the first build from a base goes on, every other one from it runs all its steps, even what was built a moment ago
(see docs/engines.md); once a first one has ended, steps are found as they should be. So one goes ahead that has no
steps, and its image is removed: some hundredths of a second for each base.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_dockerlab.build.spec import BuildSpec
from pytest_dockerlab.engine.build_params import build_params
from pytest_dockerlab.engine.build_stream import send_build
from pytest_dockerlab.engine.context import bare
from pytest_dockerlab.errors import LabError, NotFound, UsageError
from pytest_dockerlab.places import cache_dir
from pytest_dockerlab.platforms import Platform

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["FirstBuilds"]

_SECONDS = 20.0
_LABEL = "org.dockerlab.first"


class FirstBuilds:
    """The bases that this process has seen a build of to its end. Threads may share it."""

    def __init__(self) -> None:
        self._over: set[tuple[str, Platform | None]] = set()

    def precede(self, engine: Engine, bases: Iterable[str], spec: BuildSpec) -> None:
        """Before a build begins: have one from each of its bases end. What goes wrong with that, the build will tell.

        Args:
            bases: names on the engine. One that it has yet to pull is passed over, and one with triggers (``ONBUILD``),
                which would run.
            spec: the build; its labels are the passing image's as well, which is removed by them should we be killed.
        """
        for name in bases:
            try:
                image = engine.images.get(name)
            except (NotFound, UsageError):
                continue
            if (image.id, spec.platform) in self._over or image.config.on_build:
                continue
            with _alone():
                if (image.id, spec.platform) not in self._over:
                    with contextlib.suppress(LabError):
                        _build(engine, name, spec)
                    self._over.add((image.id, spec.platform))


class _Deaf:
    """Nobody wants to know what it says."""

    def feed(self, message: Mapping[str, object]) -> tuple[str, ...]:
        return ()


def _build(engine: Engine, base: str, spec: BuildSpec) -> None:
    # There is an output type "cacheonly", which 28.5 does not know any more ("exporter could not be found").
    nonce = uuid.uuid4().hex
    name = f"dockerlab-first:{nonce}"
    # Without a label of its own it might be the base itself, by another name.
    labels = {**spec.labels, _LABEL: nonce}
    asked = BuildSpec(context=spec.context, tags=(name,), labels=labels, platform=spec.platform)
    params = build_params("buildkit", asked, "Dockerfile")
    try:
        with bare(f"FROM {base}\n") as body:
            send_build(engine, body, params, _Deaf(), timeout=_SECONDS, cancellable=True, on_progress=None)
    finally:
        with contextlib.suppress(NotFound):
            engine.images.remove(name, force=True)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One of these at a time, whichever process it is of; but nobody waits for long: another's engine may hang."""
    from filelock import FileLock, Timeout

    path = cache_dir() / "locks" / "first-build.lock"
    with contextlib.ExitStack() as held:
        with contextlib.suppress(Timeout, OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(FileLock(path).acquire(timeout=_SECONDS))
        yield
