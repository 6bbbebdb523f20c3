"""An edition's engine for a test run: what the run's environment must say, and what is up while it lasts."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pytest_dockerlab.bases.make import locked
from pytest_dockerlab.places import cache_dir
from tests.contract import services
from tests.contract.engines import Edition
from tests.contract.inside import stand_in

__all__ = ["environment_with"]

# What all engines' runs may share: stand-ins are made once.
_SHARED = ("registry", "locks")


@contextlib.contextmanager
def environment_with(edition: Edition, root: Path, say: Callable[[str], None]) -> Iterator[Mapping[str, str]]:
    """Environment variables under which a test run uses the edition's engine; nothing of it is left afterwards.

    Its data are one run's at a time: another one waits for this one's end.

    Args:
        say: prints a line.

    Raises:
        Unavailable: it does not start.
    """
    waits = f"waiting: another run has {edition.name}'s data"
    with locked(f"contract-{edition.name}", lambda: say(waits)), _environment(edition, root) as environ:
        yield environ


@contextlib.contextmanager
def _environment(edition: Edition, root: Path) -> Iterator[Mapping[str, str]]:
    own = cache_dir() / "contract" / "caches" / edition.name
    own.mkdir(parents=True, exist_ok=True)
    for name in _SHARED:
        (cache_dir() / name).mkdir(parents=True, exist_ok=True)
        if not (own / name).is_symlink():
            (own / name).symlink_to(cache_dir() / name)
    with tempfile.TemporaryDirectory(prefix="dockerlab-contract-") as folder:
        data = own / "data"
        if edition.program == "podman":
            with services.podman(root, data, rootless=edition.rootless) as url:
                yield {"DOCKERLAB_CACHE": str(own), "DOCKERLAB_ENGINE": url}
        elif edition.rootless:
            with services.dockerd_of_a_user(root, data, dict(edition.features)) as url:
                yield {"DOCKERLAB_CACHE": str(own), "DOCKERLAB_ENGINE": url}
        else:
            # The run starts it itself, as it would start this machine's.
            stand_in(root, "dockerd", Path(folder), features=edition.features, shared=[Path(tempfile.gettempdir())])
            path = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
            yield {"PATH": path, "DOCKERLAB_CACHE": str(own), "DOCKERLAB_ENGINE": "private"}
