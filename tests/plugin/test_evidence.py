"""What a failure shows."""

from __future__ import annotations

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.plugin.evidence import compare_layers

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


@pytest.mark.parametrize(
    ("left", "right", "lines"),
    [
        (
            (A, B),
            (A, C),
            [
                "2 layers == 2 layers",
                "the first is the same",
                "  layer 2: bbbbbbbbbbbb != cccccccccccc   ← first difference",
            ],
        ),
        (
            (A, B, C),
            (A, B),
            [
                "3 layers == 2 layers",
                "the first 2 are the same",
                "  layer 3: cccccccccccc != (none)         ← first difference",
                "the left one has 1 layer more, on top of the same base",
            ],
        ),
        (
            (A, C),
            (B, C),
            [
                "2 layers == 2 layers",
                "none is the same",
                "  layer 1: aaaaaaaaaaaa != bbbbbbbbbbbb   ← first difference",
                "  layer 2: cccccccccccc",
            ],
        ),
    ],
)
def test_layers_are_compared_layer_by_layer(left: object, right: object, lines: list[str]) -> None:
    """Short digests, the number of layers, and where they part."""
    assert compare_layers(left, right) == lines


@pytest.mark.parametrize(("left", "right"), [((1, 2), (1, 3)), (("a",), ("b",)), ((A,), [A])])
def test_other_tuples_are_left_to_pytest(left: object, right: object) -> None:
    """What is not made of digests is explained as ever."""
    assert compare_layers(left, right) is None


def test_an_assert_on_layers_says_where_they_part(pytester: pytest.Pytester) -> None:
    """The comparison is what a plain assert shows, with and without a lab."""
    pytester.makepyfile(f"def test_it():\n    assert ({A!r}, {B!r}) == ({A!r},)")
    result = pytester.runpytest_inprocess()
    result.stdout.fnmatch_lines(["E       assert 2 layers == 1 layer", "E         the first is the same"])


def test_a_failed_test_shows_its_containers(pytester: pytest.Pytester, engine: Lab) -> None:
    """State and last lines of the log, of the labs that the test used and of no others; nothing where it passes."""
    pytester.makepyfile(
        """
        def test_other(lab_module):
            lab_module.run("alpine", ["echo", "not of interest"], check=True)

        def test_it(lab):
            box = lab.run("alpine", ["sh", "-c", "echo first; exit 3"])
            assert box.exit_code == 0
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*- dockerlab: container * of alpine* -*", "exited (3); last lines of its log:", "  first"]
    )
    result.stdout.no_fnmatch_line("*not of interest*")


def test_an_error_with_a_remedy_ends_where_the_users_code_ends(pytester: pytest.Pytester, engine: Lab) -> None:
    """Our own frames are not shown, unless asked for; the build's failure is told once."""
    pytester.makepyfile(
        """
        from pytest_dockerlab import image_fixture
        image = image_fixture("FROM alpine\\nRUN exit 7\\n")

        def test_call(lab): lab.build("FROM alpine\\nRUN exit 8\\n")
        def test_setup(image): pass
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["E *BuildFailed: the build failed at *RUN exit 7 with exit code 7"])
    result.stdout.fnmatch_lines(["E *BuildFailed: the build failed at *RUN exit 8 with exit code 8"])
    result.stdout.no_fnmatch_line("*/pytest_dockerlab/*")
    result.stdout.no_fnmatch_line("*- dockerlab: build that failed -*")
    result = pytester.runpytest_subprocess("--full-trace")
    result.stdout.fnmatch_lines(["*/pytest_dockerlab/*"])


def test_a_fault_of_the_engine_is_told_as_such(pytester: pytest.Pytester, engine: Lab) -> None:
    """An error of the engine is an error of the run, nobody's failed test: report, summary and JUnit's XML say so."""
    pytester.makepyfile(
        """
        from pytest_dockerlab import DiskFull

        def test_it(lab):
            raise DiskFull("no space left on device", remedy="docker system prune")
        """
    )
    result = pytester.runpytest_subprocess("--junit-xml=it.xml")
    result.assert_outcomes(errors=1)
    assert "not judged: the engine's fault" in (pytester.path / "it.xml").read_text()
    result.stdout.fnmatch_lines(
        [
            "*- dockerlab: the engine's fault -*",
            "no space left on device",
            "*docker system prune",
            "not judged  test_a_fault_of_the_engine_is_told_as_such.py::test_it: the engine's fault",
        ]
    )


def test_what_can_not_be_removed_is_an_error_of_the_test(pytester: pytest.Pytester, engine: Lab) -> None:
    """A lab's end belongs to the test that used it."""
    pytester.makepyfile(
        """
        def test_it(lab):
            def stuck():
                raise OSError("in the way")
            lab._stack.push("a folder", stuck)
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["E *1 of 1 things of this lab could not be removed:", "*a folder: OSError: in the way"]
    )
