"""``row`` and ``requires``."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from pytest_dockerlab import Lab

NOWHERE = "--dockerlab-engine=unix:///nowhere.sock"


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])
def test_rows_are_properties_in_the_junit_report(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """Each row of a test, its class and its module is recorded once, and ``--strict-markers`` knows the mark."""
    pytester.makepyfile(
        """
        import pytest
        pytestmark = pytest.mark.row("B01")

        @pytest.mark.row("A02", "A03")
        @pytest.mark.row("B01")
        def test_it(): pass
        """
    )
    pytester.runpytest_subprocess("--strict-markers", "--junitxml=report.xml", *workers).assert_outcomes(passed=1)
    found = ET.parse(pytester.path / "report.xml").iter("property")
    assert [(one.get("name"), one.get("value")) for one in found] == [("row", "B01"), ("row", "A02"), ("row", "A03")]


WRONG = {
    "row()": "test_it: @pytest.mark.row without a name",
    "row": "test_it: @pytest.mark.row without a name",
    "row(7)": "test_it: @pytest.mark.row takes names, not 7",
    "requires('')": "test_it: @pytest.mark.requires takes names, not ''",
    "requires('swop_limit')": "test_it: @pytest.mark.requires: no such capability: 'swop_limit', did you mean*",
}


# One way leads from a worker to its leader, whatever is told.
@pytest.mark.parametrize(("mark", "workers"), [*((mark, ()) for mark in WRONG), ("row(7)", ("-n1",))])
def test_a_mark_that_can_not_be_meant_ends_the_run(
    pytester: pytest.Pytester, mark: str, workers: tuple[str, ...]
) -> None:
    """It is a usage error that names the test, before any test runs and before an engine is looked for."""
    pytester.makepyfile(test_a=f"import pytest\n@pytest.mark.{mark}\ndef test_it(): print('ran')")
    run = pytester.runpytest_subprocess if workers else pytester.runpytest_inprocess
    result = run(NOWHERE, "-s", *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: test_a.py::{WRONG[mark]}", "*→*"])
    assert "ran" not in result.outlines


REQUIRING = """
    import pytest

    @pytest.mark.requires("cgroup_v1", "cgroup_v2")
    def test_it():
        assert False, "no engine has both"
"""


def test_what_the_engine_lacks_skips_a_test(pytester: pytest.Pytester, engine: Lab) -> None:
    """The reason names the capability and how its absence is known; the test needs no lab for that."""
    pytester.makepyfile(REQUIRING)
    result = pytester.runpytest_subprocess("-rs")
    result.assert_outcomes(skipped=1)
    missing = "cgroup_v1" if engine.engine.info.cgroup_version == 2 else "cgroup_v2"
    result.stdout.fnmatch_lines([f"SKIPPED*: requires {missing}: {engine.engine.capabilities.reason(missing)}"])


@pytest.mark.parametrize("source", ["--dockerlab-strict", "CI"])
def test_where_it_counts_what_the_engine_lacks_fails(
    pytester: pytest.Pytester, engine: Lab, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """With ``--dockerlab-strict``, or where CI is set, nothing is silently left out."""
    pytester.makepyfile(REQUIRING)
    args = [source] if source.startswith("--") else []
    monkeypatch.setenv("CI", "" if args else "true")
    result = pytester.runpytest_subprocess(*args)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"requires cgroup_v?: * ({source} asks for all)"])


def test_what_the_engine_has_is_no_hindrance(pytester: pytest.Pytester, engine: Lab) -> None:
    """A test whose capabilities are there runs."""
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.requires("cgroup_v{engine.engine.info.cgroup_version}")
        def test_it(): pass
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


LACKING = """
    import pytest
    from pytest_dockerlab import UsageError

    @pytest.fixture
    def needy(lab):
        lab.requires("rootless" if not lab.engine.capabilities.has("rootless") else "userns_remap")

    def test_in_the_middle(lab):
        needy = "podman" if lab.engine.info.product != "Podman" else "classic"
        lab.build("FROM alpine\\nRUN true\\n", builder=needy)

    def test_in_a_fixture(needy): pass
"""


def test_what_is_found_lacking_in_the_middle_skips_a_test_too(pytester: pytest.Pytester, engine: Lab) -> None:
    """A fixture or a test that needs what the engine lacks is skipped, with the reason, at its own place."""
    pytester.makepyfile(LACKING)
    result = pytester.runpytest_subprocess("-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines_random(
        ["SKIPPED*test_what_is_found_lacking*: *lacks 'rootless'*", "SKIPPED*: builder='podman' was asked for*"]
    )


def test_where_it_counts_that_fails_too(pytester: pytest.Pytester, engine: Lab) -> None:
    """With ``--dockerlab-strict`` both are errors."""
    pytester.makepyfile(LACKING)
    result = pytester.runpytest_subprocess("--dockerlab-strict", "-rfE")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "skipped" not in result.parseoutcomes()
    assert sum(result.parseoutcomes().values()) >= 2
