"""Every reason to refuse something, in English and Japanese: what, why, hint. ``docs/submissions.md`` is made of it."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_dockerlab.exercises.model import Text
from pytest_dockerlab.exercises.reasons_carried import CARRIED
from pytest_dockerlab.exercises.reasons_commands import COMMANDS
from pytest_dockerlab.exercises.reasons_dockerfile import DOCKERFILE
from pytest_dockerlab.exercises.reasons_files import FILES
from pytest_dockerlab.exercises.reasons_limits import LIMITS
from pytest_dockerlab.exercises.reasons_run import RUN

__all__ = ["GROUPS", "REASONS", "Reason"]

Reason = tuple[Text, Text, Text]
"""What (with ``{value}``), why, hint."""

GROUPS: Mapping[str, Mapping[str, Reason]] = {
    "files": FILES,
    "commands": COMMANDS,
    "run": RUN,
    "dockerfile": DOCKERFILE,
    "limits": LIMITS,
    "carried": CARRIED,
}
REASONS: Mapping[str, Reason] = {code: reason for group in GROUPS.values() for code, reason in group.items()}
