"""An engine's JSON of an image, or an image's own config file, as the one ``Image``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from pytest_dockerlab.errors import FormatError, UsageError
from pytest_dockerlab.foreign import flag, mapping, rows, shown, text, texts, whole
from pytest_dockerlab.image.model import Healthcheck, HistoryEntry, Image, ImageConfig, ImageFiles
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.quantity import NANO
from pytest_dockerlab.reference import Reference

__all__ = ["config_history", "config_of", "engine_history", "image_from_config", "image_from_inspect"]

Json = Mapping[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def image_from_inspect(
    inspect: Json, *, history: tuple[HistoryEntry, ...] = (), files: ImageFiles | None = None
) -> Image:
    """Read ``GET /images/{name}/json``, whichever fields the API's version leaves out (1.52: all that are empty).

    Raises:
        FormatError: a field has another type than it should.
    """
    return Image(
        id=text(inspect.get("Id"), "Id"),
        layers=texts(mapping(inspect.get("RootFS"), "RootFS").get("Layers"), "RootFS.Layers"),
        platform=_platform(inspect.get("Os"), inspect.get("Architecture"), inspect.get("Variant")),
        config=config_of(mapping(inspect.get("Config"), "Config")),
        tags=tuple(_familiar(name) for name in texts(inspect.get("RepoTags"), "RepoTags") if name != "<none>:<none>"),
        digests=tuple(
            name for name in texts(inspect.get("RepoDigests"), "RepoDigests") if not name.startswith("<none>")
        ),
        size=whole(inspect.get("Size"), "Size"),
        created=text(inspect.get("Created"), "Created"),
        history=history,
        files=files,
    )


def image_from_config(
    config: Json, *, id: str, tags: Iterable[str] = (), size: int = 0, files: ImageFiles | None = None
) -> Image:
    """Read an image's config file, as archives and registries hold it (OCI image specification, config.md).

    Raises:
        FormatError: a field has another type than it should.
    """
    return Image(
        id=id,
        layers=texts(mapping(config.get("rootfs"), "rootfs").get("diff_ids"), "rootfs.diff_ids"),
        platform=_platform(config.get("os"), config.get("architecture"), config.get("variant")),
        config=config_of(mapping(config.get("config"), "config")),
        tags=tuple(_familiar(name) for name in tags),
        size=size,
        created=text(config.get("created"), "created"),
        history=config_history(config),
        files=files,
    )


def config_of(config: Json) -> ImageConfig:
    """The part that says how a container is run; both sources spell it the same way.

    Raises:
        FormatError: a field has another type than it should.
    """
    check = mapping(config.get("Healthcheck"), "Healthcheck")
    labels = mapping(config.get("Labels"), "Labels")
    return ImageConfig(
        env=_pairs(texts(config.get("Env"), "Env")),
        labels={text(key, "a label"): text(value, f"the label {shown(key)}") for key, value in labels.items()},
        cmd=_words(config.get("Cmd"), "Cmd"),
        entrypoint=_words(config.get("Entrypoint"), "Entrypoint"),
        workdir=text(config.get("WorkingDir"), "WorkingDir"),
        user=text(config.get("User"), "User"),
        exposed_ports=_keys(config.get("ExposedPorts"), "ExposedPorts"),
        volumes=_keys(config.get("Volumes"), "Volumes"),
        healthcheck=_healthcheck(check) if check.get("Test") else None,
        stop_signal=text(config.get("StopSignal"), "StopSignal"),
        shell=texts(config.get("Shell"), "Shell"),
        on_build=texts(config.get("OnBuild"), "OnBuild"),
    )


def config_history(config: Json) -> tuple[HistoryEntry, ...]:
    """A config file's history, oldest first; it knows which entries made no layer.

    Raises:
        FormatError: a field has another type than it should.
    """
    found = (mapping(row, "an entry of history") for row in rows(config.get("history"), "history"))
    return tuple(
        HistoryEntry(
            created_by=text(row.get("created_by"), "history's created_by"),
            created=text(row.get("created"), "history's created"),
            comment=text(row.get("comment"), "history's comment"),
            empty_layer=flag(row.get("empty_layer"), "history's empty_layer"),
        )
        for row in found
    )


def engine_history(answer: Iterable[Json]) -> tuple[HistoryEntry, ...]:
    """``GET /images/{name}/history`` (newest first there), oldest first; it does not know which made no layer.

    Raises:
        FormatError: a field has another type than it should.
    """
    found = (mapping(row, "an entry of history") for row in reversed(tuple(answer)))
    return tuple(
        HistoryEntry(
            created_by=text(row.get("CreatedBy"), "history's CreatedBy"),
            created=_moment(whole(row.get("Created"), "history's Created")),
            comment=text(row.get("Comment"), "history's Comment"),
            size=whole(row.get("Size"), "history's Size"),
        )
        for row in found
    )


def _moment(seconds: int) -> str:
    try:
        return (_EPOCH + timedelta(seconds=seconds)).isoformat()
    except OverflowError:
        raise FormatError(f"history's Created is {seconds}, which is in no year", remedy="see who made it") from None


def _platform(system: object, architecture: object, variant: object) -> Platform:
    parts = [text(system, "os") or "linux", text(architecture, "architecture") or "amd64", text(variant, "variant")]
    try:
        return Platform.parse("/".join(part for part in parts if part))
    except UsageError as error:
        raise FormatError(
            f"an image's platform is {error.what}", remedy="build it for a platform that exists"
        ) from None


def _familiar(name: str) -> str:
    try:
        return Reference.parse(name).familiar
    except UsageError:
        return name  # an engine may hold names that nobody may give today


def _pairs(pairs: Iterable[str]) -> Mapping[str, str]:
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


def _keys(value: object, about: str) -> tuple[str, ...]:
    """A set as Go writes it: an object whose keys count."""
    return tuple(sorted(text(key, f"a key of {about}") for key in mapping(value, about)))


def _words(value: object, about: str) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return (text(value, about),)
    return texts(value, about) or None


def _healthcheck(check: Json) -> Healthcheck:
    return Healthcheck(
        test=texts(check["Test"], "Healthcheck.Test"),
        interval=whole(check.get("Interval"), "Healthcheck.Interval") / NANO,
        timeout=whole(check.get("Timeout"), "Healthcheck.Timeout") / NANO,
        start_period=whole(check.get("StartPeriod"), "Healthcheck.StartPeriod") / NANO,
        retries=whole(check.get("Retries"), "Healthcheck.Retries"),
    )
