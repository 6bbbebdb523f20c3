"""What a lab can say when a test that used it has failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import BuildFailed, EngineUnreachable, LabError

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["describe"]

_LOG_ROWS = 30
_ROW_LENGTH = 500
_CONTAINERS = 10


def describe(
    engine: Engine, containers: Sequence[tuple[str, str]], failed_build: BuildFailed | None
) -> tuple[tuple[str, str], ...]:
    """Titles and texts, newest container first; bounded, and never raises.

    Args:
        containers: id and image's name, oldest first.
        failed_build: the last build that failed, if one did.
    """
    sections = []
    if failed_build is not None:
        sections.append(("build that failed", str(failed_build)))
    newest = list(reversed(containers))
    for number, (container, image) in enumerate(newest):
        if number == _CONTAINERS:
            sections.append(("more containers", f"{len(newest) - _CONTAINERS} older ones are left out"))
            break
        try:
            sections.append(_container(engine, container, image))
        except EngineUnreachable as error:
            sections.append(("containers", f"nothing is known of {len(newest) - number}: {error.what}"))
            break
    return tuple(sections)


def _container(engine: Engine, container: str, image: str) -> tuple[str, str]:
    title = f"container {container[:12]} of {image}"
    try:
        name = str(engine.containers.inspect(container).get("Name") or "").lstrip("/")
        title = f"container {name or container[:12]} of {image}"
        state = engine.containers.state(container)
        rows = engine.containers.logs(container, tail=_LOG_ROWS).text.splitlines()[-_LOG_ROWS:]
    except EngineUnreachable:
        raise
    except (LabError, OSError) as error:
        return title, f"nothing more is known: {error}"
    if not rows:
        return title, f"{state}; its log is empty"
    shown = [row if len(row) <= _ROW_LENGTH else row[:_ROW_LENGTH] + "…" for row in rows]
    return title, "\n".join([f"{state}; last lines of its log:", *(f"  {row}" for row in shown)])
