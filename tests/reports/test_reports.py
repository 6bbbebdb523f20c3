"""Every format: to the field, to its limits, and with the same points."""

from __future__ import annotations

import base64
import csv
import functools
import io
import json
import re
from dataclasses import replace
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.graph import course_of
from pytest_dockerlab.exercises.model import LANGUAGES, Check, Course, Graded, Result
from pytest_dockerlab.exercises.record import from_record
from pytest_dockerlab.exercises.refusal import refuse
from pytest_dockerlab.exercises.score import score
from pytest_dockerlab.findings import Finding
from pytest_dockerlab.reports.classroom import render_runners
from pytest_dockerlab.reports.formats import FORMATS, render
from pytest_dockerlab.reports.rows import View, rows_of

SCHEMAS = Path(__file__).parent / "schemas"
NASTY = (
    "a\n```\n<img src=x>\n"
    "\x1b[2J::notice::won\n</script>|`code`| **x** ]]> &amp; =1+1 \u202e\x00\ud800 ```\n::set-output name=result::x"
)


def read(name: str, text: str) -> Any:
    """The document in a format of JSON, held against its schema."""
    document = json.loads(base64.b64decode(text) if name == "classroom" else text)
    if name == "json":
        text = (files("pytest_dockerlab") / "reports" / "result.schema.json").read_text("utf-8")
    else:
        text = (SCHEMAS / f"{name}.json").read_text("utf-8")
    validator(text).validate(document)
    return document


@functools.cache
def validator(schema: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(schema))


def course() -> Course:
    return course_of(
        [
            Check(
                id="ex1/builds",
                exercise="ex1",
                title={"en": "The image builds", "ja": "ビルドできる"},
                points=Decimal(1),
            ),
            Check(
                id="ex1/curl",
                exercise="ex1",
                title={"en": "curl is installed", "ja": "curl が入っている"},
                points=Decimal("2.5"),
                needs=("ex1/builds",),
                hint={"en": "RUN apt-get install curl", "ja": "RUN で入れます"},
            ),
            Check(
                id="ex1/secret", exercise="ex1", title={"en": "Secret title"}, points=Decimal(3), visibility="hidden"
            ),
            Check(
                id="ex2/late",
                exercise="ex2",
                title={"en": "Late title"},
                points=Decimal("0.1"),
                visibility="after_due_date",
                needs=("ex1/secret",),
            ),
            Check(
                id="ex2/more",
                exercise="ex2",
                title={"en": "Extra"},
                points=Decimal(1),
                bonus=True,
                needs=("ex1/secret",),
            ),
        ],
        {"ex1": {"en": "A first image", "ja": "最初のイメージ"}},
    )


def submission(student: str = "ann", reason: str = "", **outcomes: str) -> Graded:
    found = {"builds": "passed", "curl": "passed", "secret": "passed", "late": "passed", "more": "passed"} | outcomes
    ids = {check.id.partition("/")[2]: check.id for check in course().checks}
    results = [
        Result(
            check=ids[name],
            outcome=outcome,  # type: ignore[arg-type]
            message="curl is missing" if outcome != "passed" else "",
            findings=(
                Finding(what="curl is missing", expected="/usr/bin/curl", found="nothing", why="it is asked for"),
            )
            if outcome == "failed"
            else (),
            output="E: Unable to locate package" if outcome == "failed" else "",
            seconds=0.25,
        )
        for name, outcome in found.items()
    ]
    return score(course(), results, student=student, reason=reason)


POINTS = st.integers(0, 500).map(lambda hundredths: Decimal(hundredths) / 100)
OUTCOMES: st.SearchStrategy[Literal["passed", "failed"]] = st.sampled_from(["passed", "failed"])


@st.composite
def submissions(draw: st.DrawFn) -> Graded:
    checks = [
        Check(
            id=f"ex{draw(st.integers(1, 3))}/c{n}",
            exercise="",
            title={"en": draw(st.text(max_size=30))},
            points=draw(POINTS),
            bonus=draw(st.booleans()),
            visibility=draw(st.sampled_from(["visible", "after_due_date", "hidden"])),
        )
        for n in range(draw(st.integers(0, 6)))
    ]
    checks = [replace(check, exercise=check.id.partition("/")[0]) for check in checks]
    whole = course_of(
        replace(check, needs=tuple(each.id for each in checks[:n] if draw(st.integers(0, 4)) == 0))
        for n, check in enumerate(checks)
    )
    results = [
        Result(
            check=check.id,
            outcome=draw(OUTCOMES),
            message=draw(st.text(max_size=80)),
            output=draw(st.text(max_size=80)),
        )
        for check in checks
    ]
    return score(whole, results, student=draw(st.text(min_size=1, max_size=12)))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(submissions(), st.sampled_from(LANGUAGES), st.booleans())
def test_the_sums_agree_in_every_format(graded: Graded, lang: Any, released: bool) -> None:
    """Points and what can be reached are the same wherever a format has them, hidden checks and bonus or not."""
    view = View(lang=lang, released=released)
    points, most = float(graded.points), float(graded.max_points)

    own = read("json", render("json", graded, view))
    assert (own["points"], own["max_points"]) == (points, most)
    assert from_record(own) == graded
    assert sum(Decimal(str(check["points"])) for check in own["checks"]) == graded.points
    assert sum(Decimal(str(each["max_points"])) for each in own["checks"] if not each["bonus"]) == graded.max_points

    scope = read("gradescope", render("gradescope", graded, view))
    assert scope["score"] == points
    assert sum(Decimal(str(test["score"])) for test in scope["tests"]) == graded.points
    assert sum(Decimal(str(test["max_score"])) for test in scope["tests"]) == graded.max_points

    room = read("classroom", render("classroom", graded, view))
    assert room["max_score"] == most
    assert sum(Decimal(str(test["score"])) for test in room["tests"]) == graded.points

    learn = read("prairielearn", render("prairielearn", graded, view))
    assert sum(Decimal(str(test["points"])) for test in learn["tests"]) == graded.points
    assert sum(Decimal(str(test["max_points"])) for test in learn["tests"]) == graded.max_points
    assert not most or learn["score"] == pytest.approx(min(1.0, points / most))

    row = next(csv.DictReader(io.StringIO(render("csv", [graded]).removeprefix("\ufeff"))))
    assert (float(row["points"]), float(row["max_points"])) == (points, most)
    assert sum(Decimal(row[check.id]) for check in graded.checks) == graded.points

    suite = ET.fromstring(render("junit", [graded]))[0]
    properties = {each.get("name"): each.get("value") or "" for each in suite.iter("property")}
    assert (float(properties["points"]), float(properties["max_points"])) == (points, most)
    assert sum(Decimal(properties[f"points.{check.id}"]) for check in graded.checks) == graded.points
    assert sum(Decimal(properties[f"max_points.{check.id}"]) for check in graded.checks) == graded.max_points

    text = render("markdown", graded, view)
    numbers = re.findall(r"[\d.]+", next(line for line in text.splitlines() if line.startswith("**")))
    assert sorted(map(float, numbers)) == sorted([points, most])
    cells = re.findall(r"\| ([\d.]+) / ([\d.]+)", text)
    assert sum(Decimal(reached) for reached, _ in cells) == graded.points

    tests = read("exercism", render("exercism", graded, view)).get("tests", [])
    needed = [each for each in rows_of(graded, view) if not each.bonus]
    if tests and needed:
        assert all(test["status"] == "pass" for test in tests) == all(each.outcome == "passed" for each in needed)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(submissions())
def test_classrooms_table_and_its_sum_agree_with_a_runner_a_check(graded: Graded) -> None:
    """The reporter's two ways of adding up give the same, but for a bonus, which its table does not know."""
    runners = {name: read("classroom", text) for name, text in render_runners(graded, View()).items()}
    assert all(re.fullmatch("[A-Za-z0-9]+", name) for name in runners)
    assert len({name.upper() for name in runners}) == len(runners)
    told = sum(Decimal(str(test["score"])) for each in runners.values() if each["max_score"] for test in each["tests"])
    most = sum(Decimal(str(each["max_score"])) for each in runners.values())
    if graded.max_points:
        assert (told, most) == (graded.points, graded.max_points)
    table = sum(
        Decimal(str(each["max_score"])) * sum(test["status"] == "pass" for test in each["tests"]) / len(each["tests"])
        for each in runners.values()
    )
    bonus = any(check.bonus for check in graded.checks)
    hidden = any(check.visibility != "visible" for check in graded.checks)
    if not bonus and not hidden:
        assert table == graded.points


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_not_gradable_costs_nothing_in_any_format(name: str) -> None:
    """No score is reported, so that the one that is there stays; and it is said whose fault it is not."""
    graded = submission(curl="not_gradable", reason="")
    assert graded.outcome == "not_gradable"
    text = render(name, graded)
    if name == "gradescope":
        document = json.loads(text)
        assert "score" not in document
        assert not any("score" in test for test in document["tests"])
        assert document["extra_data"] == {"outcome": "not_gradable"}
        assert "You lose no points" in document["output"]
    elif name == "classroom":
        document = read(name, text)
        assert (document["status"], document["max_score"]) == ("error", 0)
    elif name == "exercism":
        document = read(name, text)
        assert (document["status"], document["tests"]) == ("error", [])
        assert "You lose no points" in document["message"]
    elif name == "prairielearn":
        document = read(name, text)
        assert document["gradable"] is False
    elif name == "json":
        document = read(name, text)
        assert (document["outcome"], document["max_points"]) == ("not_gradable", 6.6)
        assert "curl" in document["reason"]
    elif name == "junit":
        suite = ET.fromstring(text)[0]
        assert (suite.get("errors"), suite.get("failures")) == ("1", "0")
    elif name == "csv":
        assert ",not_gradable,,6.6,1,,3,0.1,1" in text
    elif name == "markdown":
        assert "You lose no points" in text
        assert "? / 2\\.5" not in text
        assert "? / 2.5" in text
    else:
        assert re.search(r"ann +\?/6\.6 +\+\?\+\+\+", text)


@pytest.mark.parametrize("name", ["markdown", "classroom", "exercism", "prairielearn"])
@pytest.mark.parametrize("outcome", ["passed", "failed"])
def test_a_student_learns_nothing_of_hidden_checks_but_that_they_count(name: str, outcome: str) -> None:
    """No title, id, message; neither where another check is blocked by one."""
    text = render(name, submission(secret=outcome))
    text = base64.b64decode(text).decode() if name == "classroom" else text
    for word in ("Secret title", "secret", "Late title", "late"):
        assert word not in text
    assert "Hidden checks (2)" in text.replace("\\", "")
    if outcome == "failed":
        # Exercism has no place for a bonus that was not reached.
        assert ("a hidden check" in text) == (name != "exercism")
        assert "Every check passed" not in text


def test_after_the_due_date_what_waited_for_it_is_shown() -> None:
    """after_due_date becomes visible, hidden does not."""
    text = render("markdown", submission(), View(released=True))
    assert "Late title" in text
    assert "Secret title" not in text


def test_gradescope_hides_by_itself_and_no_visible_text_tells() -> None:
    """Visibility is handed on; the text of a visible check does not name a hidden one, nor does the total."""
    document = read("gradescope", render("gradescope", submission(secret="failed")))
    shown = {test["extra_data"]["id"]: test for test in document["tests"]}
    assert [test["visibility"] for test in document["tests"]] == [
        "visible",
        "visible",
        "hidden",
        "after_due_date",
        "visible",
    ]
    assert "a hidden check" in shown["ex2/more"]["output"]
    assert "Secret" not in shown["ex2/more"]["output"] + shown["ex2/late"]["output"] + document["output"]
    assert document["stdout_visibility"] == "hidden"
    assert (shown["ex2/more"]["max_score"], shown["ex2/more"]["status"]) == (0, "failed")


def test_instructors_see_everything() -> None:
    """CSV has a column for each check, JUnit a case, and their JSON all texts."""
    graded = submission(curl="failed")
    assert "ex1/secret" in render("csv", [graded])
    assert "Secret title" in render("json", graded)
    names = [case.get("name") for case in ET.fromstring(render("junit", graded)).iter("testcase")]
    assert names == ["builds", "curl", "secret", "late", "more"]


def test_the_students_report_in_english() -> None:
    """What passed, what not, expected and found, why, the hint, the last output."""
    text = render("markdown", submission(curl="failed"))
    for part in (
        "**Points: 5.1 of 6.6**",
        "## A first image",
        "| The image builds | ✅ passed | 1 / 1 |",
        "| curl is installed | ❌ failed | 0 / 2.5 |",
        "| Extra | ✅ passed | 1 / 1 (bonus) |",
        "- curl is missing",
        "  - expected: ` /usr/bin/curl `",
        "  - found: ` nothing `",
        "  - why it matters: it is asked for",
        "**hint:** RUN apt\\-get install curl",
        "E: Unable to locate package",
    ):
        assert part in text


def test_the_students_report_in_japanese() -> None:
    """The same in Japanese, and no English word of ours in it."""
    text = render("markdown", submission(builds="failed"), View(lang="ja"))
    for part in (
        "得点: 6.6 点中 4.1 点",
        "## 最初のイメージ",
        "ビルドできる",
        "期待した値",
        "先に次の項目が不合格だったため",
        "非公開の確認項目",
    ):
        assert part in text
    for word in ("Points", "expected", "found", "hidden", "passed", "failed"):
        assert word not in text


def failed(*findings: Finding) -> Graded:
    """A submission whose one check failed for these reasons."""
    check = Check(id="ex1/a", exercise="ex1", title={"en": "a", "ja": "い"}, hint={"en": "try", "ja": "試す"})
    result = Result(check="ex1/a", outcome="failed", message="\n".join(map(str, findings)), findings=findings)
    return score(course_of([check]), [result], student="ann")


def test_a_refusal_is_told_in_the_readers_language() -> None:
    """On disk it has both; where all is in Japanese it reads as the English report does."""
    graded = failed(refuse("pipe", "run.txt:1", "| cat").finding())
    assert from_record(read("json", render("json", graded))) == graded
    for lang, said, why, hint in (
        ("en", "a pipe", "why it matters", "hint"),
        ("ja", "パイプ", "理由", "ヒント"),
    ):
        text = render("markdown", graded, View(lang=lang))  # type: ignore[arg-type]
        order = [text.index(part) for part in (said, f"{why}:", f"**{hint}:**")]
        assert order == sorted(order)
        assert "英語" not in text
    assert "パイプ" in rows_of(graded, View(lang="ja"))[0].message


def test_what_is_in_english_alone_comes_after_the_hint() -> None:
    """And is said to be; an English reader sees no difference."""
    english = Finding(what="no curl")
    for findings in ((english,), (english, refuse("pipe", "run.txt:1", "| cat").finding())):
        text = render("markdown", failed(*findings), View(lang="ja"))
        order = [text.index(part) for part in ("**ヒント:** 試す", "英語", "no curl")]
        assert order == sorted(order)
        text = render("markdown", failed(*findings), View(lang="en"))
        assert text.index("no curl") < text.index("**hint:** try")
        assert "In detail" not in text


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_nothing_of_a_student_is_markup_or_a_command(name: str, lang: Any) -> None:
    """Escapes, CI commands, HTML, tables, formulas, code fences in messages, findings, output and the name."""
    check = Check(id="ex1/a", exercise="ex1", title={"en": "a"})
    nasty = Finding(what=NASTY, expected=NASTY, found=NASTY, where=NASTY)
    for findings in ((), (nasty,), (replace(nasty, translations={"ja": nasty}),)):
        result = Result(check="ex1/a", outcome="failed", message=NASTY, findings=findings, output=NASTY)
        text = render(
            name, score(course_of([check]), [result], student=f"=cmd|{NASTY}"), View(lang=lang, everything=True)
        )
        decoded = base64.b64decode(text).decode() if name == "classroom" else text
        assert not set("\x1b\u202e\x00\ud800") & set(decoded)
        assert not re.search(r"^\s*::", decoded, re.MULTILINE)
        if name in ("gradescope", "classroom", "exercism", "prairielearn"):
            texts = [str(value) for test in json.loads(decoded)["tests"] for value in test.values()]
            assert not any(re.search(r"^\s*::", value, re.MULTILINE) for value in texts)
        if name == "junit":
            assert ET.fromstring(text)[0].find("testcase/failure") is not None
        if name == "csv":
            assert list(csv.reader(io.StringIO(text)))[1][0].startswith("'=cmd")
        if name == "markdown":
            outside = re.sub(
                r"^( *)(`{3,})text$.*?^\1\2$|(?<!`)(`+) .*? \3(?!`)", "", text, flags=re.MULTILINE | re.DOTALL
            )
            assert "</script>" not in outside
            assert not re.search(r"(?<!\\)[<`&]", outside)


@pytest.mark.parametrize(("name", "limit"), [("exercism", 500_000), ("prairielearn", 1_000_000), ("classroom", 90_000)])
def test_a_report_keeps_to_its_platforms_size(name: str, limit: int) -> None:
    """A hundred and fifty checks that each fail at length: texts get shorter, every check and point stays."""
    checks = [
        Check(id=f"ex1/c{n}", exercise="ex1", title={"en": f"check {n}"}, points=Decimal("0.1")) for n in range(150)
    ]
    long = "\n".join("é" * 150 for _ in range(38))
    results = [Result(check=check.id, outcome="failed", message=long, output=long) for check in checks]
    text = render(name, score(course_of(checks), results, student="s"))
    assert len(text.encode()) <= limit
    assert len(read(name, text)["tests"]) == 150


def test_more_checks_than_fit_at_all_is_an_error() -> None:
    """Said, not cut."""
    checks = [Check(id=f"ex1/c{n}", exercise="ex1", title={"en": "long " * 100}) for n in range(1000)]
    with pytest.raises(UsageError, match="are allowed"):
        render(
            "classroom",
            score(course_of(checks), [], student="s", reason="").__class__(
                student="s",
                outcome="graded",
                points=Decimal(0),
                max_points=Decimal(1000),
                checks=score(
                    course_of(checks), [Result(check=c.id, outcome="failed") for c in checks], student="s"
                ).checks,
            ),
        )


@pytest.mark.parametrize("name", FORMATS)
def test_a_course_without_checks_has_a_report_too(name: str) -> None:
    """No division by zero at any consumer: Classroom gets one test, Exercism an error."""
    text = render(name, score(course_of([]), [], student="s"))
    if name in ("gradescope", "classroom", "exercism", "prairielearn", "json"):
        read(name, text)


def test_a_class_in_a_terminal_lines_up() -> None:
    """Names of double width, too."""
    text = render(
        "terminal", [submission("ann"), submission("山田太郎", builds="failed"), submission("bob", reason="down")]
    )
    assert text.splitlines() == [
        "Student   Points",
        "ann       7.6/6.6  +++++",
        "山田太郎  4.1/6.6  -.+++",
        "bob       ?/6.6    +++++",
    ]


def test_a_class_as_csv() -> None:
    """One line a student, a column a check, with a byte order mark for spreadsheets."""
    text = render("csv", [submission("ann", curl="failed"), submission("-bob")])
    assert text == (
        "\ufeffstudent,outcome,points,max_points,ex1/builds,ex1/curl,ex1/secret,ex2/late,ex2/more\r\n"
        "ann,graded,5.1,6.6,1,0,3,0.1,1\r\n"
        "'-bob,graded,7.6,6.6,1,2.5,3,0.1,1\r\n"
    )


def test_junit_has_the_form_that_ci_services_read() -> None:
    """Suites, cases, failure, skipped, in the order and with the attributes of xunit2; no properties below a case."""
    root = ET.fromstring(render("junit", [submission(builds="failed")]))
    assert root.tag == "testsuites"
    (suite,) = root
    assert {name: suite.get(name) for name in ("name", "tests", "failures", "errors", "skipped", "time")} == {
        "name": "ann",
        "tests": "5",
        "failures": "1",
        "errors": "0",
        "skipped": "1",
        "time": "1.250",
    }
    assert [child.tag for child in suite] == ["properties", *["testcase"] * 5]
    failed, blocked, *_ = suite.iter("testcase")
    assert [child.tag for child in failed] == ["failure", "system-out"]
    assert (failed.get("classname"), failed.get("name")) == ("ex1", "builds")
    assert [(child.tag, child.get("message")) for child in blocked] == [
        ("skipped", "curl is installed: not carried out")
    ]


def test_prairielearn_keeps_its_score_between_0_and_1() -> None:
    """A bonus can't lift it above; the tests' points have it."""
    document = read("prairielearn", render("prairielearn", submission()))
    assert document["score"] == 1.0
    assert sum(Decimal(str(test["points"])) for test in document["tests"]) == Decimal("7.6")


def test_exercism_leaves_out_a_bonus_that_was_not_reached() -> None:
    """It would fail the whole; a reached one is shown."""
    tests = read("exercism", render("exercism", submission(more="failed")))
    assert tests["status"] == "pass"
    assert "Extra" not in [test["name"] for test in tests["tests"]]


def test_an_unknown_format_is_an_error_with_those_there_are() -> None:
    """And so is a class in a format of one."""
    with pytest.raises(UsageError, match="one of json, markdown, gradescope"):
        render("word", submission())
    with pytest.raises(UsageError, match="markdown is a report of one submission, not of 2"):
        render("markdown", [submission(), submission()])
