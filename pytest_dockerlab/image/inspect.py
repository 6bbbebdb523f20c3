"""An engine's JSON of an image, or an image's own config file, as the one ``Image``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.image.model import Healthcheck, HistoryEntry, Image, ImageConfig, ImageFiles
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.quantity import NANO
from pytest_dockerlab.reference import Reference

__all__ = ["config_history", "config_of", "engine_history", "image_from_config", "image_from_inspect"]

Json = Mapping[str, Any]


def image_from_inspect(
    inspect: Json, *, history: tuple[HistoryEntry, ...] = (), files: ImageFiles | None = None
) -> Image:
    """Read ``GET /images/{name}/json``, whichever fields the API's version leaves out (1.52: all that are empty)."""
    return Image(
        id=str(inspect.get("Id") or ""),
        layers=tuple((inspect.get("RootFS") or {}).get("Layers") or ()),
        platform=_platform(inspect.get("Os"), inspect.get("Architecture"), inspect.get("Variant")),
        config=config_of(inspect.get("Config") or {}),
        tags=tuple(_familiar(name) for name in inspect.get("RepoTags") or () if name != "<none>:<none>"),
        digests=tuple(name for name in inspect.get("RepoDigests") or () if not name.startswith("<none>")),
        size=int(inspect.get("Size") or 0),
        created=str(inspect.get("Created") or ""),
        history=history,
        files=files,
    )


def image_from_config(
    config: Json, *, id: str, tags: Iterable[str] = (), size: int = 0, files: ImageFiles | None = None
) -> Image:
    """Read an image's config file, as archives and registries hold it (OCI image specification, config.md)."""
    return Image(
        id=id,
        layers=tuple((config.get("rootfs") or {}).get("diff_ids") or ()),
        platform=_platform(config.get("os"), config.get("architecture"), config.get("variant")),
        config=config_of(config.get("config") or {}),
        tags=tuple(_familiar(name) for name in tags),
        size=size,
        created=str(config.get("created") or ""),
        history=config_history(config),
        files=files,
    )


def config_of(config: Json) -> ImageConfig:
    """The part that says how a container is run; both sources spell it the same way."""
    check = config.get("Healthcheck") or {}
    return ImageConfig(
        env=_pairs(config.get("Env") or ()),
        labels=dict(config.get("Labels") or {}),
        cmd=_words(config.get("Cmd")),
        entrypoint=_words(config.get("Entrypoint")),
        workdir=str(config.get("WorkingDir") or ""),
        user=str(config.get("User") or ""),
        exposed_ports=tuple(sorted(config.get("ExposedPorts") or ())),
        volumes=tuple(sorted(config.get("Volumes") or ())),
        healthcheck=_healthcheck(check) if check.get("Test") else None,
        stop_signal=str(config.get("StopSignal") or ""),
        shell=tuple(config.get("Shell") or ()),
        on_build=tuple(config.get("OnBuild") or ()),
    )


def config_history(config: Json) -> tuple[HistoryEntry, ...]:
    """A config file's history, oldest first; it knows which entries made no layer."""
    return tuple(
        HistoryEntry(
            created_by=str(row.get("created_by") or ""),
            created=str(row.get("created") or ""),
            comment=str(row.get("comment") or ""),
            empty_layer=bool(row.get("empty_layer")),
        )
        for row in config.get("history") or ()
    )


def engine_history(rows: Iterable[Json]) -> tuple[HistoryEntry, ...]:
    """``GET /images/{name}/history`` (newest first there), oldest first; it does not know which made no layer."""
    return tuple(
        HistoryEntry(
            created_by=str(row.get("CreatedBy") or ""),
            created=datetime.fromtimestamp(int(row.get("Created") or 0), timezone.utc).isoformat(),
            comment=str(row.get("Comment") or ""),
            size=int(row.get("Size") or 0),
        )
        for row in reversed(tuple(rows))
    )


def _platform(system: object, architecture: object, variant: object) -> Platform:
    parts = [str(system or "linux"), str(architecture or "amd64"), str(variant or "")]
    return Platform.parse("/".join(part for part in parts if part))


def _familiar(name: str) -> str:
    try:
        return Reference.parse(name).familiar
    except UsageError:
        return name  # an engine may hold names that nobody may give today


def _pairs(rows: Iterable[str]) -> Mapping[str, str]:
    return {key: value for key, _, value in (row.partition("=") for row in rows)}


def _words(value: object) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return (value,)
    return tuple(str(word) for word in value) if isinstance(value, (list, tuple)) and value else None


def _healthcheck(check: Json) -> Healthcheck:
    return Healthcheck(
        test=tuple(check["Test"]),
        interval=int(check.get("Interval") or 0) / NANO,
        timeout=int(check.get("Timeout") or 0) / NANO,
        start_period=int(check.get("StartPeriod") or 0) / NANO,
        retries=int(check.get("Retries") or 0),
    )
