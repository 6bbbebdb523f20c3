"""Points, marks, needs and the score."""

from __future__ import annotations

import json
from decimal import Decimal

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_dockerlab.errors import FormatError, UsageError
from pytest_dockerlab.exercises.graph import course_of, run_order
from pytest_dockerlab.exercises.mark import read_mark
from pytest_dockerlab.exercises.model import Check, Course, Graded, Result, pick
from pytest_dockerlab.exercises.points import number, show, to_points
from pytest_dockerlab.exercises.record import from_record, to_record
from pytest_dockerlab.exercises.score import held_back, score

POINTS = st.integers(0, 1000).map(lambda hundredths: Decimal(hundredths) / 100)


def check(name: str, *needs: str, points: object = 1, bonus: bool = False, exercise: str = "ex1") -> Check:
    return Check(
        id=f"{exercise}/{name}",
        exercise=exercise,
        points=to_points(points),
        needs=tuple(f"{exercise}/{need}" for need in needs),
        bonus=bonus,
        test=f"tests/test_x.py::test_{name}",
    )


def graded(course: Course, **outcomes: str) -> Graded:
    results = [Result(check=f"ex1/{name}", outcome=outcome) for name, outcome in outcomes.items()]  # type: ignore[arg-type]
    return score(course, results, student="ann")


def sums(result: Graded) -> tuple[str, str, str]:
    return (result.outcome, show(result.points), show(result.max_points))


def by_name(result: Graded) -> dict[str, str]:
    return {each.id.partition("/")[2]: each.outcome for each in result.checks}


@pytest.mark.parametrize(
    ("written", "text"),
    [(2, "2"), (0, "0"), (0.1, "0.1"), ("1.25", "1.25"), ("2.00", "2"), (1e2, "100"), (Decimal("0.50"), "0.5")],
)
def test_points_mean_the_decimal_they_are_written_as(written: object, text: str) -> None:
    """0.1 is a tenth, and 2.00 is 2."""
    assert show(to_points(written)) == text
    assert json.dumps(number(to_points(written))) == text


@pytest.mark.parametrize("wrong", [-1, "0.001", 0.005, "nan", "inf", True, None, "two", 1e9, "1e-400", [1], ""])
def test_what_is_no_points_is_refused_with_its_value(wrong: object) -> None:
    """Negative, finer than a hundredth, not a number: an error that shows it."""
    with pytest.raises(UsageError, match="not points") as caught:
        to_points(wrong, where="test_x")
    assert repr(wrong) in str(caught.value)
    assert "test_x" in str(caught.value)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(POINTS, max_size=200))
def test_points_add_up_exactly(parts: list[Decimal]) -> None:
    """Hundred times 0.1 is 10, as hundredths would count it."""
    total = sum(map(to_points, parts), Decimal(0))
    assert int(total * 100) == sum(int(part * 100) for part in parts)


def test_a_mark_says_all_about_its_check() -> None:
    """Every argument arrives; a need without a slash is of the same exercise."""
    given = {
        "points": 2.5,
        "needs": ["builds", "ex2/base"],
        "title": {"en": "curl works", "ja": "curl が動く"},
        "hint": "install it",
        "visibility": "hidden",
        "bonus": True,
    }
    read = read_mark("t.py::test_curl", ("ex1", "curl"), given)
    assert read == Check(
        id="ex1/curl",
        exercise="ex1",
        title={"en": "curl works", "ja": "curl が動く"},
        points=Decimal("2.5"),
        needs=("ex1/builds", "ex2/base"),
        hint={"en": "install it"},
        visibility="hidden",
        bonus=True,
        test="t.py::test_curl",
    )


def test_a_mark_needs_little() -> None:
    """One point, visible, and the docstring's sentence for a title."""
    read = read_mark("t", ("ex1", "curl"), {}, title="curl works.")
    assert read == Check(id="ex1/curl", exercise="ex1", title={"en": "curl works."}, test="t")
    assert pick(read.title, "ja") == "curl works."


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((), {}, "takes an exercise and the check's name"),
        (("ex1",), {}, "takes an exercise and the check's name"),
        (("ex1", 3), {}, "('ex1', 3)"),
        (("ex1", "curl"), {"point": 1}, "did you mean points?"),
        (("ex1", "curl"), {"zzz": 1}, "there are points, needs"),
        (("ex1", "curl"), {"points": "lots"}, "'lots'"),
        (("ex1", "curl"), {"needs": 3}, "not names of checks: 3"),
        (("ex1", "curl"), {"needs": [""]}, "not names of checks"),
        (("ex1", "curl"), {"visibility": "secret"}, "one of visible, after_due_date, hidden"),
        (("ex1", "curl"), {"bonus": "yes"}, "not True or False: 'yes'"),
        (("ex1", "curl"), {"hint": {"de": "nein"}}, "unknown language 'de'"),
        (("ex1", "curl"), {"title": ""}, "not a text: ''"),
        (("ex1", "curl"), {"title": 3}, "not a text: 3"),
    ],
)
def test_a_wrong_mark_is_an_error_with_the_tests_name(
    args: tuple[object, ...], kwargs: dict[str, object], said: str
) -> None:
    """Missing, unknown and wrong arguments."""
    with pytest.raises(UsageError) as caught:
        read_mark("tests/t.py::test_curl", args, kwargs)
    assert said in str(caught.value)
    assert "tests/t.py::test_curl" in str(caught.value)


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        ([check("a"), check("a")], "ex1/a is there already"),
        ([check("a", "b")], "needs ex1/b, which is no check"),
        ([check("builds"), check("curl", "build")], "did you mean ex1/builds?"),
        ([check("a", "a")], "ex1/a → ex1/a"),
        ([check("a", "b"), check("b", "c"), check("c", "a")], "in a circle: ex1/a → ex1/b → ex1/c → ex1/a"),
        ([check("a b")], "not a check's id: 'ex1/a b'"),
        ([check("../x")], "not a check's id"),
        ([Check(id="ex2/a", exercise="ex1", test="tests/test_x.py::t")], "of exercise 'ex1'"),
    ],
)
def test_checks_that_do_not_fit_together_are_an_error_with_the_tests_name(checks: list[Check], said: str) -> None:
    """An id twice, an unknown need, a circle, an id that is no name."""
    with pytest.raises(UsageError) as caught:
        course_of(checks)
    assert said in str(caught.value)
    assert "tests/test_x.py::t" in str(caught.value)


def test_a_long_chain_of_needs_is_no_problem() -> None:
    """Five thousand checks, each needing the next one."""
    chain = [check(f"c{n}", *([f"c{n + 1}"] if n < 4999 else [])) for n in range(5000)]
    order = [each.id for each in run_order(course_of(chain).checks)]
    assert order[0] == "ex1/c4999"
    assert order[-1] == "ex1/c0"


def test_a_course_keeps_the_order_and_has_its_titles() -> None:
    """Exercises come in the order of their first check, checks in theirs."""
    checks = [check("a"), check("x", exercise="ex2"), check("b")]
    course = course_of(checks, {"ex2": {"en": "Second"}})
    assert [each.id for each in course.checks] == ["ex1/a", "ex1/b", "ex2/x"]
    assert [each.title for each in course.exercises] == [{}, {"en": "Second"}]


CHAIN = course_of([check("builds", points=0), check("curl", "builds", points=2), check("late", "curl"), check("free")])


def test_all_passed_is_all_points() -> None:
    """Points are the sum of the passed checks'."""
    result = graded(CHAIN, builds="passed", curl="passed", late="passed", free="passed")
    assert sums(result) == ("graded", "4", "4")


def test_what_needs_a_failed_check_is_blocked_and_says_by_what() -> None:
    """The first failure is named through the whole chain, and the rest counts."""
    result = graded(CHAIN, builds="failed", curl="passed", late="passed", free="passed")
    assert by_name(result) == {"builds": "failed", "curl": "blocked", "late": "blocked", "free": "passed"}
    assert result.checks[2].blocked_by == ("ex1/builds",)
    assert "ex1/builds" in result.checks[2].message
    assert sums(result) == ("graded", "1", "4")


def test_what_needs_a_check_that_is_not_gradable_is_not_gradable() -> None:
    """The engine's fault travels along the needs, and takes nothing off what can be reached."""
    result = graded(CHAIN, builds="not_gradable", free="passed")
    assert by_name(result) == {
        "builds": "not_gradable",
        "curl": "not_gradable",
        "late": "not_gradable",
        "free": "passed",
    }
    assert sums(result) == ("not_gradable", "1", "4")
    assert result.reason.startswith("ex1/builds: ")


def test_a_failed_need_decides_over_one_that_is_not_gradable() -> None:
    """Whatever a rerun finds at the other one, the check can't pass."""
    both = check("c", "a", "b")
    assert held_back(both, {"ex1/a": "not_gradable", "ex1/b": "failed"}) == "blocked"
    assert held_back(both, {"ex1/a": "passed", "ex1/b": "not_gradable"}) == "not_gradable"
    assert held_back(both, {"ex1/a": "passed"}) == "not_gradable"
    assert held_back(both, {"ex1/a": "passed", "ex1/b": "passed"}) is None


def test_a_check_without_a_result_takes_no_points_away() -> None:
    """A run that ended early leaves the rest not gradable, or blocked where that is known."""
    result = graded(CHAIN, builds="failed")
    assert by_name(result) == {"builds": "failed", "curl": "blocked", "late": "blocked", "free": "not_gradable"}
    assert result.max_points == 4
    assert "not carried out" in result.reason


def test_a_bonus_adds_to_what_was_reached_only() -> None:
    """Four of three points are possible; without the bonus it is three of three."""
    course = course_of([check("a", points=3), check("b", points=1, bonus=True)])
    assert sums(graded(course, a="passed", b="passed")) == ("graded", "4", "3")
    assert sums(graded(course, a="passed", b="failed")) == ("graded", "3", "3")


def test_a_reason_for_the_whole_makes_it_not_gradable() -> None:
    """The engine went away after all checks passed: no result to be relied on."""
    result = score(course_of([check("a")]), [Result(check="ex1/a", outcome="passed")], student="x", reason="no engine")
    assert (result.outcome, result.reason) == ("not_gradable", "no engine")


@pytest.mark.parametrize(
    ("results", "said"),
    [(["ex1/zzz"], "no check of the course"), (["ex1/a", "ex1/a"], "two results of the check ex1/a")],
)
def test_results_that_can_not_be_meant_are_refused(results: list[str], said: str) -> None:
    """Of an unknown check, or two of one."""
    with pytest.raises(UsageError, match=said):
        score(course_of([check("a")]), [Result(check=name, outcome="passed") for name in results], student="x")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=80)
@given(st.data())
def test_the_points_that_can_be_reached_never_depend_on_the_run(data: st.DataObject) -> None:
    """Whatever fails, breaks or is missing: max_points is the course's, and the points are the passed checks'."""
    count = data.draw(st.integers(1, 8))
    checks = [
        check(
            f"c{n}",
            *(f"c{m}" for m in sorted(data.draw(st.sets(st.integers(0, n - 1), max_size=2) if n else st.just(set())))),
            points=data.draw(POINTS),
            bonus=data.draw(st.booleans()),
        )
        for n in range(count)
    ]
    course = course_of(data.draw(st.permutations(checks)))
    outcomes = data.draw(
        st.dictionaries(st.sampled_from([c.id for c in checks]), st.sampled_from(["passed", "failed", "not_gradable"]))
    )
    results = [Result(check=name, outcome=outcome) for name, outcome in outcomes.items()]  # type: ignore[arg-type]
    result = score(course, results, student="s")
    assert result.max_points == sum(c.points for c in checks if not c.bonus)
    assert result.points == sum(c.max_points for c in result.checks if c.outcome == "passed")
    assert (result.outcome == "graded") == all(c.outcome != "not_gradable" for c in result.checks)
    passed = {c.id for c in result.checks if c.outcome == "passed"}
    needs = {c.id: c.needs for c in checks}
    assert all(set(needs[name]) <= passed for name in passed)
    assert score(course, reversed(results), student="s") == result
    assert from_record(json.loads(json.dumps(to_record(result)))) == result


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "version 2"),
        ({"points": 3}, "says 3 points, its checks have 0"),
        ({"outcome": "fine"}, "'fine'"),
        ({"student": None}, "not text: None"),
        ({"checks": [{}]}, "KeyError"),
        ({"max_points": "many"}, "not points: 'many'"),
    ],
)
def test_a_record_that_was_tampered_with_is_refused(change: dict[str, object], said: str) -> None:
    """What a batch reads back is checked, points added up again."""
    with pytest.raises(FormatError, match=r"not a graded submission|says") as caught:
        from_record({**to_record(graded(CHAIN, builds="failed")), **change})
    assert said in str(caught.value)
    with pytest.raises(FormatError):
        from_record([])


def test_a_record_has_the_hint_of_what_failed_in_the_language_asked_for() -> None:
    """Title and hint are text in one language; all of them are beside."""
    one = read_mark("t", ("ex1", "a"), {"title": {"en": "T", "ja": "題"}, "hint": {"en": "try", "ja": "試す"}})
    two = read_mark("t", ("ex1", "b"), {"hint": "none needed"})
    results = [Result(check="ex1/a", outcome="failed"), Result(check="ex1/b", outcome="passed")]
    first, second = to_record(score(course_of([one, two]), results, student="s"), lang="ja")["checks"]
    assert (first["title"], first["hint"], first["hints"]["en"]) == ("題", "試す", "try")
    assert second["hint"] == ""


def test_the_schema_of_our_result_is_one() -> None:
    """result.schema.json is a valid schema, and refuses a result that lost a check's outcome."""
    from importlib.resources import files

    schema = json.loads((files("pytest_dockerlab") / "reports" / "result.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    record = to_record(graded(CHAIN, builds="failed", free="passed"))
    jsonschema.validate(record, schema)
    del record["checks"][0]["outcome"]
    with pytest.raises(jsonschema.ValidationError, match="'outcome' is a required property"):
        jsonschema.validate(record, schema)
