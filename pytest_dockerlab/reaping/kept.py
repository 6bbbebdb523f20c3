"""What is kept on request: a volume on the engine says what it is, since no label can be changed afterwards."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import Conflict, LabError, NotFound
from pytest_dockerlab.reaping.folders import remove_folders
from pytest_dockerlab.reaping.owner import LABEL_KEPT, LABEL_OWNER, Owner
from pytest_dockerlab.reaping.removing import remove_things

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.engine.things import Thing

__all__ = ["Kept", "keep", "kept_on", "let_go", "without_kept"]

_THINGS = f"{LABEL_KEPT}.things"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What one test leaves.

    Attributes:
        run: the run's name.
        test: the test's id.
        containers: name → id.
        networks: ids.
        volumes: names.
        images: ids.
        folders: paths on the machine that ran the test.
        names: of images, which the lab had given them.
        mark: name of the volume that says all this; ``""`` before it is made.
    """

    run: str
    test: str
    containers: Mapping[str, str]
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    mark: str = ""

    @property
    def things(self) -> frozenset[str]:
        """All that the engine knows these things by."""
        return frozenset((*self.containers.values(), *self.networks, *self.volumes, *self.images, self.mark))


def keep(
    engine: Engine,
    containers: Iterable[str],
    *,
    run: str,
    test: str,
    folders: Iterable[str] = (),
    names: Collection[str] = (),
) -> Kept | None:
    """Have containers survive their run, with the networks, volumes, images and folders that they use.

    Args:
        containers: ids; one that is gone is left out.
        folders: those of the run, of which a container may use some.
        names: those that the run has given to images.

    Returns:
        What is kept; ``None`` where no container is left.
    """
    boxes: dict[str, str] = {}
    networks: set[str] = set()
    volumes: set[str] = set()
    images: set[str] = set()
    used: set[str] = set()
    ours = tuple(folders)
    for container in containers:
        try:
            found = engine.containers.inspect(container)
        except NotFound:
            continue
        boxes[str(found["Name"]).lstrip("/")] = str(found["Id"])
        images.add(str(found["Image"]))
        connected = ((found.get("NetworkSettings") or {}).get("Networks") or {}).values()
        networks.update(str(network["NetworkID"]) for network in connected if network.get("NetworkID"))
        for mount in found.get("Mounts") or ():
            if mount.get("Type") == "volume":
                volumes.add(str(mount["Name"]))
            source = str(mount.get("Source") or "")
            used.update(folder for folder in ours if source == folder or source.startswith(f"{folder}/"))
    if not boxes:
        return None
    kept = Kept(
        run=run, test=test, containers=boxes, networks=tuple(sorted(networks)), volumes=tuple(sorted(volumes)),
        images=tuple(sorted(images)), folders=tuple(sorted(used)),
        names=tuple(name for image in sorted(images) for name in engine.images.get(image).tags if name in names),
    )  # fmt: skip
    said = {name: value for name, value in asdict(kept).items() if name != "mark"}
    mark = engine.volumes.create(
        f"dockerlab-kept-{run}-{os.urandom(3).hex()}", labels={LABEL_KEPT: run, _THINGS: json.dumps(said)}
    )
    return _read(mark, json.dumps(said))


def kept_on(engine: Engine) -> tuple[Kept, ...]:
    """What is kept on an engine, by whichever run."""
    marks = engine.volumes.list({LABEL_KEPT: ""})
    found = (_read(mark.name, mark.labels.get(_THINGS, "")) for mark in marks)
    return tuple(kept for kept in found if kept is not None)


def without_kept(engine: Engine, found: Iterable[Thing]) -> tuple[Thing, ...]:
    """Those of ``found`` that nobody keeps."""
    spared = frozenset[str]().union(*(kept.things for kept in kept_on(engine)))
    return tuple(thing for thing in found if thing.id not in spared and LABEL_KEPT not in thing.labels)


def let_go(engine: Engine, marks: Iterable[Kept]) -> list[str]:
    """Remove what is kept, and the marks last: so that a second attempt finds what a first one could not remove.

    Returns:
        What could not be removed, with the reason.
    """
    from pytest_dockerlab.engine.things import labelled

    marks = tuple(marks)
    wanted = frozenset[str]().union(*(kept.things for kept in marks))
    # What has none of our labels is somebody else's: a base image, a network that was there before.
    things = [thing for thing in labelled(engine, {LABEL_OWNER: ""}) if thing.id in wanted]
    trouble = remove_things(engine, [thing for thing in things if LABEL_KEPT not in thing.labels])
    for name in {name for kept in marks for name in kept.names}:
        with contextlib.suppress(NotFound, Conflict):
            engine.images.remove(name)
    folders = {Path(folder) for kept in marks for folder in kept.folders}
    try:
        remove_folders(engine, (folder for folder in folders if folder.is_dir()), {LABEL_OWNER: str(Owner.of())})
    except (LabError, OSError) as error:
        trouble.append(str(error))
    for folder in folders:
        with contextlib.suppress(OSError):  # the run's scratch folder, once it is empty
            folder.parent.parent.rmdir()
    if not trouble:
        for kept in marks:
            engine.volumes.remove(kept.mark, force=True)
    return trouble


def _read(mark: str, text: str) -> Kept | None:
    try:
        said = json.loads(text)
        lists = {field.name: tuple(said[field.name]) for field in fields(Kept) if field.name not in _NO_LISTS}
        return Kept(run=said["run"], test=said["test"], containers=dict(said["containers"]), mark=mark, **lists)
    except (ValueError, KeyError, TypeError):
        return None  # of another version: the mark itself still spares what can be spared


_NO_LISTS = ("run", "test", "containers", "mark")
