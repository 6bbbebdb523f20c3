"""One table of several jobs' JUnit XML."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_dockerlab.cli import main
from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.reports.combine import Place, combine, read_junit, render_json, render_markdown

AMD = Place("linux/amd64", "Docker Engine 28.5.2")
ARM = Place("linux/arm64", "Podman 5.4.2")


def case(name: str, rows: str, place: Place, inner: str = "") -> str:
    said = [("row", row) for row in rows.split()] + [("engine", place.engine), ("platform", place.platform)]
    properties = "".join(f'<property name="{key}" value="{value}"/>' for key, value in said)
    return f'<testcase name="{name}"><properties>{properties}</properties>{inner}</testcase>'


def junit(*cases: str) -> bytes:
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>".encode()


FAILED = '<failure message="step 2 was rebuilt | &lt;b&gt;\nRUN x"/>'
ONE = junit(case("test_one", "A01", AMD), case("test_two", "A02", AMD, FAILED), case("test_more", "A02", AMD))
OTHER = junit(case("test_one", "A01", ARM), case("test_two", "A02", ARM, '<skipped message="no BuildKit"/>'))


def test_the_worst_of_a_rows_tests_decides() -> None:
    """A passing test does not hide a failing one of the same row; each place has its own verdict."""
    table = combine([*read_junit(ONE, "one"), *read_junit(OTHER, "other")])
    assert table.places == (AMD, ARM)
    assert table.cells == {
        ("A01", AMD): "passed",
        ("A01", ARM): "passed",
        ("A02", AMD): "failed",
        ("A02", ARM): "skipped",
    }
    assert not table.ok


def test_the_table_names_what_failed_and_is_not_broken_by_it() -> None:
    """A column for each place; a message with a table's own characters, or HTML, stays text."""
    text = render_markdown(combine([*read_junit(ONE, "one"), *read_junit(OTHER, "other")]))
    assert "| A02 | ✗ | – |" in text.splitlines()
    assert "- A02 on linux/amd64, Docker Engine 28.5.2: test_two: step 2 was rebuilt \\| &lt;b> RUN x" in text
    assert "- A02 on linux/arm64, Podman 5.4.2: test_two: no BuildKit" in text


def test_a_row_that_one_job_lacks_is_missing_not_fine() -> None:
    """Where a job did not run a row, the table shows it, and is not green."""
    table = combine([*read_junit(ONE, "one"), *read_junit(junit(case("test_one", "A01", ARM)), "other")])
    assert "| A02 | ✗ | ? |" in render_markdown(table)
    assert json.loads(render_json(table))["rows"]["A02"][1]["outcome"] == "missing"
    only = combine([*read_junit(junit(case("t", "A01 A03", AMD)), "a"), *read_junit(junit(case("t", "A01", ARM)), "b")])
    assert not only.ok


@pytest.mark.parametrize("text", [b"", b"<html></html>", b"not xml", b"\xff\xfe"])
def test_what_is_no_junit_xml_is_named(text: bytes) -> None:
    """The file's name is in the message."""
    with pytest.raises(FormatError, match=r"job\.xml: not JUnit XML"):
        list(read_junit(text, "job.xml"))


def test_the_command_prints_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 where all is proven, 1 where something failed, 2 for files that say nothing of rows."""
    (tmp_path / "one.xml").write_bytes(ONE)
    (tmp_path / "good.xml").write_bytes(junit(case("test_one", "A01 B01", AMD)))
    (tmp_path / "none.xml").write_bytes(junit('<testcase name="test_plain"/>'))
    assert main(["report", "--combine", str(tmp_path / "good.xml")]) == 0
    assert "| B01 | ✓ |" in capsys.readouterr().out
    assert main(["report", "--json", "--combine", str(tmp_path / "one.xml"), str(tmp_path / "good.xml")]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False
    assert main(["report", "--combine", str(tmp_path / "none.xml")]) == 2
    assert "no test with a row" in capsys.readouterr().err
    assert main(["report", "--combine", str(tmp_path / "absent.xml")]) == 2
    assert "absent.xml: No such file" in capsys.readouterr().err
