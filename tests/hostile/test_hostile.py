"""A class with hostile submissions in it is graded to its end: nobody gains a point, nothing outside changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.cli import main
from pytest_dockerlab.engine.things import labelled
from tests.hostile import corpus

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COURSE = ROOT / "tests" / "exercises_course"
pytestmark = pytest.mark.requires("local_files", "memory_limit", "cpu_limit", "pids_limit")


@pytest.fixture(scope="module")
def graded(lab_module: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The whole corpus, graded once; the results by student."""
    place = tmp_path_factory.mktemp("class")
    handed, outside, out = place / "handed", place / "outside", place / "out"
    for folder in (handed, outside):
        folder.mkdir()
    corpus.lay_out(handed, outside, ROOT / "dockerfiles")
    lab_module.image("ubuntu:latest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKERLAB_ENGINE", lab_module.engine.endpoint.url)
        arguments = ["--course", str(COURSE), "--out", str(out), "--jobs", "2", "--format", "markdown,csv"]
        code = main(["grade", str(handed), *arguments])
    return {
        "code": code,
        "outside": outside,
        "out": out,
        "results": {path.stem: json.loads(path.read_text("utf-8")) for path in out.glob("*.json")},
    }


def test_all_are_graded(graded: dict[str, Any]) -> None:
    """None keeps the others from their points, and none is left open."""
    assert graded["code"] == 0
    assert set(graded["results"]) == {"honest", *corpus.CORPUS}
    honest = graded["results"]["honest"]
    assert (honest["points"], honest["max_points"]) == (7, 7)


@pytest.mark.parametrize("name", list(corpus.CORPUS))
def test_it_gains_nothing_and_is_told_why(graded: dict[str, Any], name: str) -> None:
    """The points are those of what is right in it; the check that it attacks fails, with a reason."""
    hostile, result = corpus.CORPUS[name], graded["results"][name]
    check = {check["id"]: check for check in result["checks"]}[hostile.check]
    assert (result["points"], check["outcome"]) == (hostile.points, "failed")
    assert hostile.said in check["message"] + check["output"]


def test_what_they_print_is_harmless(graded: dict[str, Any]) -> None:
    """No escape, no command of a CI service, no flood: in no result and no report."""
    for path in graded["out"].iterdir():
        text = path.read_bytes()
        assert b"\x1b" not in text, path
        assert not [row for row in text.splitlines() if row.lstrip().startswith(b"::")], path
        assert len(text) < 64_000, path
    flood = {check["id"]: check for check in graded["results"]["flood"]["checks"]}["cmd-entrypoint/builds"]
    assert "::notice::" in flood["output"].replace("\\", "")


def test_nothing_outside_has_changed(graded: dict[str, Any]) -> None:
    """What they were after is as it was, was not imported, and is in no result."""
    assert [path.name for path in graded["outside"].iterdir()] == ["secret"]
    assert (graded["outside"] / "secret").read_text() == corpus.SECRET
    assert not any(corpus.SECRET[:6] in path.read_text("utf-8") for path in graded["out"].iterdir())


def test_nothing_of_them_stays_on_the_engine(graded: dict[str, Any], lab_module: Lab) -> None:
    """Images and containers of the batch are gone; the base is there."""
    assert graded["results"]["fork-bomb"]["points"]
    assert labelled(lab_module.engine, {corpus.MARK: ""}) == ()
    assert lab_module.engine.images.list()
