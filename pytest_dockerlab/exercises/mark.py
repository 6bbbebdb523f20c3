"""What ``@pytest.mark.exercise(...)`` says → ``Check``; every complaint names the test."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.model import LANGUAGES, Check, Text, Visibility
from pytest_dockerlab.exercises.points import to_points

__all__ = ["read_mark", "read_text"]

_FORM = 'write @pytest.mark.exercise("ex1", "curl", points=2, needs="builds", hint={"en": "…", "ja": "…"})'
_KNOWN = ("points", "needs", "title", "hint", "visibility", "bonus")


def read_mark(test: str, args: Sequence[object], kwargs: Mapping[str, object], *, title: str = "") -> Check:
    """Read one mark.

    Args:
        test: id of the test that carries it.
        args: the exercise, and the check's name in it.
        kwargs: ``points`` (1), ``needs`` (a name or several; a name without ``/`` is of the same exercise),
            ``title``, ``hint`` (text, or a mapping of ``en`` and ``ja``), ``visibility``, ``bonus``.
        title: for a mark without one: the first line of the test's docstring.

    Raises:
        UsageError: missing, unknown or wrong arguments.
    """
    where = f"{test}: @pytest.mark.exercise"
    for name in kwargs:
        if name not in _KNOWN:
            close = difflib.get_close_matches(name, _KNOWN, n=1)
            known = f"there are {', '.join(_KNOWN)}"
            raise UsageError(f"{where}: unknown {name}", remedy=f"did you mean {close[0]}?" if close else known)
    if len(args) != 2 or not all(isinstance(part, str) and part for part in args):
        raise UsageError(f"{where} takes an exercise and the check's name, not {tuple(args)!r}", remedy=_FORM)
    exercise, name = cast("Sequence[str]", args)
    needs = kwargs.get("needs", ())
    needs = (needs,) if isinstance(needs, str) else needs
    if not isinstance(needs, Sequence) or not all(isinstance(need, str) and need for need in needs):
        raise UsageError(f"{where}: needs: not names of checks: {needs!r}", remedy=_FORM)
    visibility = kwargs.get("visibility", "visible")
    if visibility not in get_args(Visibility):
        raise UsageError(
            f"{where}: no such visibility: {visibility!r}", remedy=f"one of {', '.join(get_args(Visibility))}"
        )
    bonus = kwargs.get("bonus", False)
    if not isinstance(bonus, bool):
        raise UsageError(f"{where}: bonus: not True or False: {bonus!r}", remedy="write bonus=True")
    return Check(
        id=f"{exercise}/{name}",
        exercise=exercise,
        title=read_text(f"{where}: title", kwargs.get("title", title or name)),
        points=to_points(kwargs.get("points", 1), where=f"{where}: points"),
        needs=tuple(dict.fromkeys(need if "/" in need else f"{exercise}/{need}" for need in needs)),
        hint=read_text(f"{where}: hint", kwargs.get("hint", {})),
        visibility=cast("Visibility", visibility),
        bonus=bonus,
        test=test,
    )


def read_text(where: str, value: Any) -> Text:
    """A text for students: one in English, or a mapping of languages.

    Raises:
        UsageError: neither, an unknown language, an empty text.
    """
    given: Any = {"en": value} if isinstance(value, str) else value
    if not isinstance(given, Mapping) or not all(isinstance(text, str) and text.strip() for text in given.values()):
        raise UsageError(f"{where}: not a text: {value!r}", remedy='write "…", or {"en": "…", "ja": "…"}')
    for lang in given:
        if lang not in LANGUAGES:
            raise UsageError(f"{where}: unknown language {lang!r}", remedy=f"there are {', '.join(LANGUAGES)}")
    return {str(lang): str(text) for lang, text in given.items()}
