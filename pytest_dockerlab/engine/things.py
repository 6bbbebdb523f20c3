"""Everything on an engine that carries a label, and how it is removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

from pytest_dockerlab.engine.resources import label_filter

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["Kind", "Thing", "labelled", "remove"]

Kind = Literal["container", "network", "volume", "image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A container, network, volume or image.

    Attributes:
        id: by which the engine knows it; a volume has only a name.
        names: of an image all, and none where it has lost the last one.
        created: seconds since the epoch, 0 where the engine does not tell.
    """

    kind: Kind
    id: str
    names: tuple[str, ...]
    labels: Mapping[str, str]
    created: float

    def __str__(self) -> str:
        return f"{self.kind} {self.names[0] if self.names else self.id.removeprefix('sha256:')[:12]}"


def labelled(engine: Engine, labels: Mapping[str, str]) -> tuple[Thing, ...]:
    """What carries all of ``labels`` (an empty value matches any), in the order in which it can be removed.

    That is containers, networks, volumes, images; the youngest image first, since others may be made of it.
    """
    return tuple(_things(engine, {"filters": label_filter(labels)}))


def remove(engine: Engine, thing: Thing) -> None:
    """Remove it; a running container is killed, an image loses all of its names.

    Raises:
        NotFound: it is gone already.
        Conflict: something else uses it.
    """
    if thing.kind == "container":
        engine.containers.remove(thing.id)
    elif thing.kind == "network":
        engine.networks.remove(thing.id, force=True)
    elif thing.kind == "volume":
        engine.volumes.remove(thing.id, force=True)
    else:
        for name in thing.names or (thing.id,):
            engine.images.remove(name)


def _things(engine: Engine, params: Mapping[str, object]) -> Iterator[Thing]:
    def ask(path: str, **more: object) -> Any:
        return engine.api.json("GET", path, params={**params, **more}, about=path.strip("/").partition("/")[0])

    for row in ask("/containers/json", all=True) or ():
        yield _thing("container", row["Id"], [name.lstrip("/") for name in row.get("Names") or ()], row)
    for row in ask("/networks") or ():
        yield _thing("network", row["Id"], [row["Name"]], row)
    for row in (ask("/volumes") or {}).get("Volumes") or ():
        yield _thing("volume", row["Name"], [row["Name"]], row)
    for row in sorted(ask("/images/json") or (), key=lambda row: -_seconds(row.get("Created"))):
        # A name that another image took over is written <none>:<none> by Docker.
        names = [name for name in row.get("RepoTags") or () if not name.startswith("<none>")]
        yield _thing("image", row["Id"], names, row)


def _thing(kind: Kind, identity: str, names: list[str], row: Mapping[str, Any]) -> Thing:
    created = _seconds(row.get("Created") or row.get("CreatedAt"))
    return Thing(kind=kind, id=identity, names=tuple(names), labels=row.get("Labels") or {}, created=created)


def _seconds(when: object) -> float:
    """A time as one or the other list call tells it: a number, or text to the nanosecond."""
    if isinstance(when, (int, float)):
        return float(when)
    text = str(when or "")
    try:
        # Read to the second: fromisoformat takes no nanoseconds before Python 3.11.
        zone = text[19:].lstrip(".0123456789")
        read = datetime.fromisoformat(text[:19] + ("+00:00" if zone in ("", "Z") else zone))
    except ValueError:
        return 0.0
    return (read if read.tzinfo else read.replace(tzinfo=timezone.utc)).timestamp()
