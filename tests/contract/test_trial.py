"""One engine's contract is run: what is looked at twice, and who waits for whom."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from pytest_dockerlab.bases.make import locked
from tests.contract import __main__ as command
from tests.contract import trial
from tests.contract.engines import ENGINES, Edition, chosen
from tests.contract.results import Column
from tests.contract.started import environment_with

(HERE,) = chosen("here")

SUITE = """
from pathlib import Path

def test_steady():
    assert True

def test_unsteady():
    mark = Path(__file__).with_suffix(".mark")
    there = mark.exists()
    mark.touch()
    assert there, "not yet"

def test_wrong():
    assert {wrong}
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for the contract's modules."""
    path = tmp_path / "test_made.py"
    monkeypatch.setattr(trial, "MODULES", [str(path)])
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    return path


def test_a_test_that_fails_is_run_once_more(suite: Path, tmp_path: Path) -> None:
    """What passes alone is unsteady; both runs' results are kept and can be read later."""
    suite.write_text(SUITE.format(wrong=True))
    said: list[str] = []
    column = trial.tried(HERE, tmp_path, [], said.append)
    assert [(case.test, case.outcome, "not yet" in case.unsteady) for case in column.cases] == [
        ("test_made::test_steady", "passed", False),
        ("test_made::test_unsteady", "passed", True),
        ("test_made::test_wrong", "passed", False),
    ]
    assert column.trouble == ""
    assert any("unsteady: 1 failed" in line for line in said)
    assert trial.kept(HERE, tmp_path) == column


def test_a_test_that_fails_twice_has_failed(suite: Path, tmp_path: Path) -> None:
    """Beside one that is unsteady. What an earlier run kept says nothing of this one."""
    (tmp_path / "here-again.xml").write_text("of an earlier run")
    suite.write_text(SUITE.format(wrong=False))
    column = trial.tried(HERE, tmp_path, [], lambda line: None)
    assert {case.test for case in column.cases if case.outcome == "failed"} == {"test_made::test_wrong"}
    assert {case.test for case in column.cases if case.unsteady} == {"test_made::test_unsteady"}


def test_a_run_that_did_not_end_is_told(suite: Path, tmp_path: Path) -> None:
    """A module that can't be read is no test that failed."""
    suite.write_text("syntax error")
    assert trial.tried(HERE, tmp_path, ["-n0"], lambda line: None).trouble == "pytest ended with 2"


def test_one_run_at_a_time_has_an_engines_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one says that it waits, and for what, and goes on when the data are free; other engines don't wait."""
    monkeypatch.setenv("DOCKERLAB_CACHE", str(tmp_path / "cache"))
    said: list[str] = []
    waits, entered = threading.Event(), threading.Event()

    def other() -> None:
        def say(line: str) -> None:
            said.append(line)
            waits.set()

        with environment_with(ENGINES["docker-28.5"], tmp_path, say):
            entered.set()

    thread = threading.Thread(target=other, daemon=True)
    with locked("contract-docker-28.5"):
        thread.start()
        assert waits.wait(30)
        with environment_with(ENGINES["docker-26.1"], tmp_path, said.append):
            assert not entered.is_set()
    assert entered.wait(30)
    thread.join(30)
    assert said == ["waiting: another run has docker-28.5's data"]


@pytest.mark.parametrize(
    ("engines", "ci", "code"), [("ci", "", 0), ("ci", "true", 1), ("docker-28.5", "", 1), ("all", "", 1)]
)
def test_an_engine_that_can_t_be_had_fails_where_it_was_meant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], engines: str, ci: str, code: int
) -> None:
    """In CI, and where it was asked for; a developer's run of all tests says that it was not tried, and why."""

    def none(edition: Edition, *rest: object) -> Column:
        return Column(name=edition.name, unavailable="needs root")

    monkeypatch.setattr(command, "tried", none)
    monkeypatch.setattr(sys, "argv", ["contract", "--engines", engines])
    monkeypatch.setenv("CI", ci)
    assert command.main() == code
    said = capsys.readouterr().out
    assert "  docker-28.5: needs root" in said
    assert ("docker-28.5: not tried" in said) == (code == 0)
