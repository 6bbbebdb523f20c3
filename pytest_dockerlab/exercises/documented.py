"""The tables of ``docs/submissions.md``, made of what the code knows.

``python -m pytest_dockerlab.exercises.documented docs/submissions.md`` brings the page up to date; a test
holds it against the code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from pytest_dockerlab.exercises.flags import VERBS, Flag
from pytest_dockerlab.exercises.policy import PERMITTABLE, Policy
from pytest_dockerlab.exercises.reasons import GROUPS
from pytest_dockerlab.quantity import human_bytes

__all__ = ["brought_up_to_date", "table"]

_PLACE = re.compile(r"(<!-- table: (?P<name>[\w -]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_SIZES = ("context_size", "file_size", "image_size", "memory", "shm_size", "disk", "log_size")


def brought_up_to_date(page: str) -> str:
    """The page with each table between ``<!-- table: NAME -->`` and ``<!-- end -->`` made anew."""
    return _PLACE.sub(lambda match: f"{match[1]}{table(match['name'])}{match[3]}", page)


def table(name: str) -> str:
    """One table: ``flags VERB``, ``reasons GROUP`` or ``policy``."""
    kind, _, which = name.partition(" ")
    rows = _policy() if kind == "policy" else _reasons(which) if kind == "reasons" else _flags(which)
    return "".join(f"{row}\n" for row in rows)


def _flags(verb: str) -> Iterator[str]:
    yield "| flag | what becomes of it |"
    yield "|---|---|"
    known = VERBS[verb].flags
    for title, names in (
        ("used", [flag for flag in known if flag.treatment == "used"]),
        ("known, without effect here", [flag for flag in known if flag.treatment == "ignored"]),
    ):
        yield f"| {', '.join(map(_written, names))} | {title} |"
    refused = sorted({flag.reason for flag in known if flag.treatment == "refused"})
    for reason in refused:
        names = [flag for flag in known if flag.reason == reason]
        yield f"| {', '.join(map(_written, names))} | refused: `{reason}` |"


def _written(flag: Flag) -> str:
    return f"`-{flag.short}`, `--{flag.name}`" if flag.short else f"`--{flag.name}`"


def _reasons(group: str) -> Iterator[str]:
    yield "| reason | what | why | hint |"
    yield "|---|---|---|---|"
    for code, reason in GROUPS[group].items():
        what, why, hint = (re.sub(r"\{(\w+)\}", r"*\1*", text["en"]).replace("|", "\\|") for text in reason)
        star = " ¹" if code in PERMITTABLE else ""
        yield f"| `{code}`{star} | {what} | {why} | {hint} |"


def _policy() -> Iterator[str]:
    documented = dict(_attributes(Policy.__doc__ or ""))
    yield "| setting | default | what |"
    yield "|---|---|---|"
    default = Policy()
    for each in fields(Policy):
        value = getattr(default, each.name)
        shown = human_bytes(value) if each.name in _SIZES else f"{value:g}" if isinstance(value, float) else str(value)
        shown = {"()": "none", "{}": "none", "True": "true", "False": "false"}.get(shown, shown)
        yield f"| `{each.name}` | {shown} | {documented[each.name]} |"


def _attributes(docstring: str) -> Iterator[tuple[str, str]]:
    """Names and texts of a docstring's ``Attributes:``; several names may share one."""
    body = docstring.partition("Attributes:\n")[2]
    for entry in re.split(r"\n(?=        \w)", body):
        names, _, text = " ".join(entry.split()).partition(": ")
        for name in names.split(", "):
            yield name, text.replace("``", "`")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        page = Path(argument)
        page.write_text(brought_up_to_date(page.read_text("utf-8")), "utf-8")
