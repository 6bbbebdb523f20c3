"""docs/submissions.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_dockerlab.exercises.commands import read_commands
from pytest_dockerlab.exercises.documented import brought_up_to_date, table
from pytest_dockerlab.exercises.flags import VERBS
from pytest_dockerlab.exercises.policy import read_policies
from pytest_dockerlab.exercises.reasons import GROUPS

PAGE = Path(__file__).parents[2] / "docs" / "submissions.md"


def test_the_tables_are_made_of_the_code() -> None:
    """Run `python -m pytest_dockerlab.exercises.documented docs/submissions.md` when this fails."""
    text = PAGE.read_text("utf-8")
    assert text == brought_up_to_date(text)
    names = re.findall(r"<!-- table: ([\w -]+) -->", text)
    assert sorted(names) == sorted([*(f"reasons {group}" for group in GROUPS), "flags run", "flags build", "policy"])


def test_every_flag_is_in_its_table() -> None:
    """Those that have another name are said beside it."""
    for verb in ("run", "build"):
        shown = table(f"flags {verb}")
        assert all(f"`--{flag.name}`" in shown for flag in VERBS[verb].flags if not flag.same_as)


def test_the_examples_are_read_as_they_stand() -> None:
    """run.txt's and the policy's."""
    blocks = dict(re.findall(r"```(sh|toml)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))
    read = read_commands(blocks["sh"])
    assert [command.verb for command in read.commands] == ["build", "run"]
    assert not read.refusals
    policies = read_policies(blocks["toml"])
    assert policies.of("jupyter").memory == 2 * 1024**3
    assert policies.of("ex1").index[-1] == "*.apt.example.org:80"
