"""What ``lab.build`` is asked for → where it starts, what it is made of, and how it shall be called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.build.spec import BuilderName, BuildLimits, BuildSpec
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.lab.sources import Source, find_source
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.quantity import to_seconds

if TYPE_CHECKING:
    from pytest_dockerlab.lab.images import ImageLike

__all__ = ["BuildOrder", "read_build"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOrder:
    """A build that somebody asked for, or will.

    Attributes:
        source: where it starts.
        spec: without the names of the result; a text's context is made when it is built.
        base: what the last stage shall start from, instead of what is written there.
        tag: a further name; ``""`` for no name at all, ``None`` for one of our own only.
    """

    source: Source
    spec: BuildSpec
    base: ImageLike | None = None
    tag: str | None = None


def read_build(
    source: str | Path,
    *,
    dockerfiles: Path,
    owned: Mapping[str, str],
    dockerfile: str | Path | None = None,
    context: str | Path | None = None,
    tag: str | None = None,
    args: Mapping[str, str] | None = None,
    target: str = "",
    platform: str | Platform | None = None,
    no_cache: bool = False,
    pull: bool = False,
    fresh: str | None = None,
    network: str = "default",
    labels: Mapping[str, str] | None = None,
    extra_hosts: Mapping[str, str] | None = None,
    timeout: float | str = 600,
    limits: BuildLimits | None = None,
    builder: BuilderName | None = None,
    base: ImageLike | None = None,
    secrets: Mapping[str, str] | None = None,
    ssh: Mapping[str, str] | None = None,
) -> BuildOrder:
    """Read what was asked for; the arguments of ``Lab.build``.

    Args:
        dockerfiles: folder of the project's exercises.
        owned: labels of the lab.

    Raises:
        UsageError: nothing to build there, or a value that can't be meant.
    """
    found = find_source(source, dockerfiles=dockerfiles, dockerfile=dockerfile, context=context)
    spec = BuildSpec(
        context=found.context or Path(),
        args=_texts("args", args),
        labels={**_texts("labels", labels), **owned},
        target=target,
        platform=Platform.parse(platform) if isinstance(platform, str) else platform,
        no_cache=no_cache,
        pull=pull,
        network=network,
        extra_hosts=_texts("extra_hosts", extra_hosts),
        fresh=str(fresh or ""),
        secrets=_texts("secrets", secrets),
        ssh=_texts("ssh", ssh),
        timeout=to_seconds(timeout),
        limits=limits,
        builder=builder,
    )
    return BuildOrder(source=found, spec=spec, base=base, tag=tag)


def _texts(setting: str, value: Mapping[str, str] | None) -> Mapping[str, str]:
    pairs: dict[Any, Any] = dict(value or {})
    for name, text in pairs.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise UsageError(f"{setting}: {name!r}: {text!r} is not text to text", remedy="write both as text")
    return dict(value or {})
