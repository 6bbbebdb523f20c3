"""Volumes and networks of an engine."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.errors import LabError

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["NetworkSummary", "Networks", "VolumeSummary", "Volumes", "label_filter"]


def label_filter(labels: Mapping[str, str], **more: list[str]) -> str:
    """The ``filters`` parameter of the API's list calls; a label without a value matches any value."""
    wanted = [f"{key}={value}" if value else key for key, value in labels.items()]
    return json.dumps({**({"label": wanted} if wanted else {}), **more})


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSummary:
    """A volume in a list."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSummary:
    """A network in a list."""

    id: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


class Volumes:
    """The volumes of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self, name: str = "", labels: Mapping[str, str] = {}, *, driver: str = "local", options: Mapping[str, str] = {}
    ) -> str:
        """Make a volume and return its name; the engine makes one up where none is given."""
        body = {
            "Name": name,
            "Driver": driver,
            "DriverOpts": dict(options),
            "Labels": {**self._engine.labels, **labels},
        }
        answer = self._engine.api.json("POST", "/volumes/create", json=body, about=f"volume {name!r}")
        return str(answer["Name"])

    def remove(self, name: str, force: bool = False) -> None:
        """Remove a volume.

        Raises:
            Conflict: a container uses it.
            NotFound: no such volume (with ``force`` the engine doesn't mind).
        """
        self._engine.api.send("DELETE", f"/volumes/{name}", params={"force": force}, about=f"volume {name!r}")

    def inspect(self, name: str) -> Mapping[str, Any]:
        """The engine's own JSON of it.

        Raises:
            NotFound: no such volume.
        """
        answer: Mapping[str, Any] = self._engine.api.json("GET", f"/volumes/{name}", about=f"volume {name!r}")
        return answer

    def list(self, labels: Mapping[str, str] = {}) -> tuple[VolumeSummary, ...]:
        """The volumes that carry all of ``labels`` (an empty value matches any)."""
        answer = self._engine.api.json("GET", "/volumes", params={"filters": label_filter(labels)}, about="volumes")
        rows = answer.get("Volumes") or ()
        return tuple(VolumeSummary(name=row["Name"], labels=row.get("Labels") or {}) for row in rows)


def _addresses(subnet: str) -> dict[str, Any]:
    return {"Driver": "default", "Config": [{"Subnet": subnet}]}


class Networks:
    """The networks of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self,
        name: str = "",
        labels: Mapping[str, str] = {},
        *,
        driver: str = "bridge",
        internal: bool = False,
        subnet: str = "",
    ) -> str:
        """Make a network and return its id.

        Args:
            name: made up where empty; see ``list`` or ``inspect`` for it.
            internal: nothing in it reaches the outside.
            subnet: ``10.1.2.0/24``; the engine takes one from its pool where empty.

        Raises:
            Conflict: the name is taken.
        """
        body: dict[str, Any] = {
            "Name": name or f"dockerlab-{uuid.uuid4().hex[:12]}",
            "Driver": driver,
            "Internal": internal,
            "CheckDuplicate": True,
            "Labels": {**self._engine.labels, **labels},
        }
        if internal and not subnet:
            from pytest_dockerlab.engine import private

            # A private engine writes no firewall rules: those of its keeper know internal networks by their addresses.
            for place in private.internal_subnets(self._engine.endpoint.url):
                try:
                    return self._create({**body, "IPAM": _addresses(place)})
                except LabError as error:
                    if "overlaps" not in error.what.lower():  # with one that is there
                        raise
        return self._create({**body, "IPAM": _addresses(subnet)} if subnet else body)

    def _create(self, body: Mapping[str, Any]) -> str:
        answer = self._engine.api.json("POST", "/networks/create", json=body, about=f"network {body['Name']!r}")
        return str(answer["Id"])

    def remove(self, name: str, force: bool = False) -> None:
        """Remove a network.

        Args:
            force: hang up the containers that are still on it.

        Raises:
            Conflict: containers are on it.
            NotFound: no such network.
        """
        about = f"network {name!r}"
        if force:
            for container in self.inspect(name).get("Containers") or {}:
                self.disconnect(name, container, force=True)
        self._engine.api.send("DELETE", f"/networks/{name}", about=about)

    def inspect(self, name: str) -> Mapping[str, Any]:
        """The engine's own JSON of it.

        Raises:
            NotFound: no such network.
        """
        answer: Mapping[str, Any] = self._engine.api.json("GET", f"/networks/{name}", about=f"network {name!r}")
        return answer

    def list(self, labels: Mapping[str, str] = {}) -> tuple[NetworkSummary, ...]:
        """The networks that carry all of ``labels`` (an empty value matches any)."""
        rows = self._engine.api.json("GET", "/networks", params={"filters": label_filter(labels)}, about="networks")
        return tuple(
            NetworkSummary(id=row["Id"], name=row["Name"], labels=row.get("Labels") or {}) for row in rows or ()
        )

    def connect(self, name: str, container: str, *, aliases: tuple[str, ...] = ()) -> None:
        """Put a container on a network, under further names."""
        body: dict[str, Any] = {"Container": container}
        if aliases:
            body["EndpointConfig"] = {"Aliases": list(aliases)}
        self._engine.api.send("POST", f"/networks/{name}/connect", json=body, about=f"network {name!r}")

    def disconnect(self, name: str, container: str, *, force: bool = False) -> None:
        """Take a container off a network."""
        body = {"Container": container, "Force": force}
        self._engine.api.send("POST", f"/networks/{name}/disconnect", json=body, about=f"network {name!r}")
