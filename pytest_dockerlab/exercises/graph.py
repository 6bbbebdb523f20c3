"""Which check needs which: what can't be meant is found before anything runs, and the order to run in."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.model import Check, Course, Exercise, Text

__all__ = ["course_of", "run_order"]

_ID = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII | re.IGNORECASE)


def course_of(checks: Iterable[Check], titles: Mapping[str, Text] | None = None) -> Course:
    """Put checks together to a course, exercises in the order of their first check.

    Args:
        titles: of exercises, by id.

    Raises:
        UsageError: an id twice or of a form that no file could have, a need that is no check, a circle of needs;
            names the test.
    """
    known: dict[str, Check] = {}
    for check in checks:
        exercise, slash, name = check.id.partition("/")
        if not slash or exercise != check.exercise or not _ID.fullmatch(exercise) or not _ID.fullmatch(name):
            raise UsageError(
                f"{_test(check)}: not a check's id: {check.id!r} of exercise {check.exercise!r}",
                remedy="write exercise/name; letters, digits, '.', '_' and '-'",
            )
        if (other := known.setdefault(check.id, check)) is not check:
            raise UsageError(
                f"{_test(check)}: the check {check.id} is there already: {_test(other)}",
                remedy="give each check a name of its own (a parametrized test: one mark per parameter)",
            )
    for check in known.values():
        for need in check.needs:
            if need not in known:
                close = difflib.get_close_matches(need, known, n=1)
                raise UsageError(
                    f"{_test(check)}: {check.id} needs {need}, which is no check of this run",
                    remedy=f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}",
                )
    run_order(known.values())
    grouped: dict[str, list[Check]] = {}
    for check in known.values():
        grouped.setdefault(check.exercise, []).append(check)
    return Course(
        exercises=tuple(
            Exercise(id=name, title=dict((titles or {}).get(name, {})), checks=tuple(group))
            for name, group in grouped.items()
        )
    )


def run_order(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The checks so that each comes after what it needs, and otherwise as they are.

    Raises:
        UsageError: some need each other in a circle; names it.
    """
    known = {check.id: check for check in checks}
    done: dict[str, Check] = {}
    for first in known.values():
        # No recursion: a chain of needs may be longer than Python's stack.
        path, on_path = [first], {first.id}
        while path:
            check = path[-1]
            waiting = next((known[need] for need in check.needs if need in known and need not in done), None)
            if check.id in done or waiting is None:
                done[check.id] = path.pop()
                on_path.discard(check.id)
            elif waiting.id in on_path:
                circle = [*path[path.index(waiting) :], waiting]
                raise UsageError(
                    f"{_test(waiting)}: checks need each other in a circle: {' → '.join(each.id for each in circle)}",
                    remedy="take one of these needs away",
                )
            else:
                path.append(waiting)
                on_path.add(waiting.id)
    return tuple(done.values())


def _test(check: Check) -> str:
    return check.test or check.id
