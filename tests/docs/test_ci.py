"""The CI files are what GitHub and GitLab take, and do what their page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def checked(schema: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """check-jsonschema brings the schemas itself: nothing is fetched."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_workflows_are_workflows() -> None:
    """Both files hold against GitHub's schema."""
    assert len(WORKFLOWS) == 2
    done = checked("vendor.github-workflows", *WORKFLOWS)
    assert done.returncode == 0, done.stdout


def test_the_gitlab_file_is_one() -> None:
    """The template holds against GitLab's schema."""
    done = checked("vendor.gitlab-ci", ROOT / "ci" / "gitlab" / "course.yml")
    assert done.returncode == 0, done.stdout


def test_a_wrong_workflow_is_caught(tmp_path: Path) -> None:
    """A slip in a key fails the check: it is no formality."""
    text = WORKFLOWS[0].read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(text.replace("runs-on:", "run-on:", 1), encoding="utf-8")
    assert checked("vendor.github-workflows", wrong).returncode != 0


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_input_is_code(path: Path) -> None:
    """A script takes what callers give from its environment, never by an expression in its text."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if (found := re.match(r"\s*- run: (.*)", line)) is not None:
            assert "${{" not in found[1], line


def test_the_page_shows_the_inputs_that_there_are() -> None:
    """What docs/ci.md tells to give is an input of the reusable workflow."""
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    workflow = (ROOT / ".github" / "workflows" / "course.yml").read_text(encoding="utf-8")
    for name in ("tests", "machines", "options", "prove"):
        assert name in page
        assert re.search(rf"^      {name}:$", workflow, re.MULTILINE)
