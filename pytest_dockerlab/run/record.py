"""A ``RunSpec`` as JSON and back, for what is remembered from one run to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.image.model import Healthcheck
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.run.spec import Limits, Mount, PublishedPort, RunSpec

__all__ = ["spec_from_json", "spec_to_json"]

_DEFAULTS = asdict(RunSpec(image=""))


def spec_to_json(spec: RunSpec) -> dict[str, Any]:
    """Plain lists and mappings; what stands at its default is left out."""
    return {name: value for name, value in asdict(spec).items() if name == "image" or value != _DEFAULTS[name]}


def spec_from_json(record: Mapping[str, Any]) -> RunSpec:
    """What ``spec_to_json`` wrote.

    Raises:
        FormatError: it did not write this, or one of another version did.
    """
    try:
        values = {
            field.name: _value(field.name, record[field.name]) for field in fields(RunSpec) if field.name in record
        }
        if unknown := record.keys() - values.keys():
            raise FormatError(f"not the record of a container: it has {', '.join(sorted(unknown))}")
        return RunSpec(**values)
    except (TypeError, KeyError, AttributeError) as error:
        raise FormatError(f"not the record of a container: {record!r}") from error


def _value(name: str, value: Any) -> Any:
    if name == "mounts":
        return tuple(Mount(**each) for each in value)
    if name == "ports":
        return tuple(PublishedPort(**each) for each in value)
    if name == "limits":
        return Limits(**value)
    if name == "platform":
        return Platform(**value)
    if name == "healthcheck":
        return Healthcheck(**{**value, "test": tuple(value["test"])})
    return tuple(value) if isinstance(value, list) else value
