"""Whole runs whose engine goes away: an error of the run, with a remedy, in bounded time; what is left goes later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_dockerlab.engine.private.slots import Slot
from pytest_dockerlab.engine.processes import engine_processes
from tests.faults.mortal import Mortal, until

# The outer test and an inner one wait for each other by files.
HEAD = """
import os, signal, time
from pathlib import Path

def meet():
    Path("there").touch()
    while not Path("done").exists():
        time.sleep(0.02)
"""
NEXT = """
def test_next(lab):
    assert lab.run("alpine", ["echo", "works"]).output == "works\\n"
"""
PATIENCE = 400

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, runtime: Path, mortal: Mortal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a suite on the engine, and something else while its first test waits in ``meet()``."""
    monkeypatch.setenv("DOCKERLAB_ENGINE", mortal.endpoint.url)

    def run(suite: str, meanwhile: Callable[[], object], *options: str) -> pytest.RunResult:
        pytester.makepyfile(HEAD + suite)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(pytester.runpytest_subprocess, "--dockerlab-timeout=18", *options, timeout=PATIENCE)
            until(lambda: (pytester.path / "there").exists() or running.done(), "the inner test has come that far")
            try:
                meanwhile()
            finally:
                (pytester.path / "done").touch()
            return running.result()

    yield run
    until(lambda: mortal.left() == [], "nothing with our label is left")


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])
def test_an_engine_that_is_stopped_ends_the_run(run: Run, mortal: Mortal, workers: tuple[str, ...]) -> None:
    """The test is an error, not a failure; the others are not tried; its containers go when the engine is back."""
    result = run(
        """
import pytest

def test_it(lab):
    box = lab.run("alpine", ["sleep", "600"], init=True, volumes={lab.volume(): "/data"})
    meet()
    assert box.state.running, "what the test wanted to show"

@pytest.mark.parametrize("number", range(20))
def test_others(lab_module, number):
    time.sleep(0.5)
    Path(f"other-{number}").touch()
""",
        mortal.stop,
        *workers,
    )
    mortal.start()
    outcomes = result.parseoutcomes()
    assert "failed" not in outcomes
    assert outcomes["errors"] >= 1
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert len(list(Path.cwd().glob("other-*"))) < 20
    result.stdout.fnmatch_lines(
        [
            "*ERROR at call of test_it*",
            "*- dockerlab: the engine's fault -*",
            "* does not answer*",
            "*→ *",
            "Nothing is known about what the test wanted to show: its engine did not do its part.",
        ]
    )
    result.stdout.fnmatch_lines(["*Interrupted: * does not answer any more: *", "*→ see whether it was stopped*"])
    result.stdout.fnmatch_lines(["not judged  *::test_it: the engine's fault"])


def test_an_engine_that_is_restarted_costs_only_the_tests_on_it(run: Run, mortal: Mortal) -> None:
    """What had its containers on it is not judged, though the engine answers again; the next test runs on it."""
    result = run(
        """
def test_it(lab):
    box = lab.run("alpine", ["sleep", "600"], init=True)
    meet()
    assert box.state.running
"""
        + NEXT,
        mortal.restart,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "E *assert False*",
            "*- dockerlab: the engine's fault -*",
            "*was restarted while this test's containers were in use: they have ended with it",
            "*→ see in its log why it was restarted, and run the test again",
        ]
    )


def test_an_engine_that_is_stopped_in_a_build_and_a_teardown(run: Run, mortal: Mortal) -> None:
    """A build is no failed build, and the summary says which containers are left, and that they will go."""
    result = run(
        """
from pytest_dockerlab.build.spec import BuildSpec

def test_it(lab, tmp_path):
    for _ in range(3):
        lab.run("alpine", ["sleep", "600"], init=True)
    (tmp_path / "Dockerfile").write_text("FROM alpine\\nRUN sleep 600\\n")
    spec = BuildSpec(context=tmp_path, labels=lab.ownership.labels, no_cache=True)
    lab.engine.build(spec, lambda row: meet() if "RUN" in row else None)
""",
        mortal.kill,
    )
    mortal.start()
    result.assert_outcomes(errors=1)
    result.stdout.re_match_lines([r"E .*errors\.EngineError: .* the build .* \[2/2\] RUN sleep 600 .*"])
    result.stdout.no_fnmatch_line("*urllib3*")
    result.stdout.fnmatch_lines(["*- dockerlab: the engine's fault -*"])
    # Removed in the background: told at the end, not as an error of the test.
    result.stdout.fnmatch_lines(["left over   container * of alpine: * does not answer: *"] * 3)
    result.stdout.fnmatch_lines(["left over   *", "left over   a watchdog waits for the engine to answer again, *"])


def test_an_engine_that_is_frozen_ends_the_run(run: Run, mortal: Mortal) -> None:
    """It takes connections and answers none: noticed after the timeout, once for the whole run."""
    result = run(
        """
def test_it(lab):
    box = lab.run("alpine", ["sleep", "600"], init=True)
    lab.engine.api.timeout = 1
    meet()
    assert box.exec(["true"]).ok
"""
        + NEXT,
        mortal.freeze,
    )
    mortal.thaw()
    assert result.parseoutcomes().keys() <= {"errors"}
    result.stdout.fnmatch_lines(["*Interrupted: * does not answer any more: no answer within *"])
    result.stdout.fnmatch_lines(["*→ see whether it was stopped or hangs*"])


def test_an_engine_that_is_frozen_before_the_run(run: Run, mortal: Mortal, pytester: pytest.Pytester) -> None:
    """No test is run, and the error says who does not answer."""
    mortal.freeze()
    try:
        (pytester.path / "there").touch()
        result = run(NEXT, lambda: None)
    finally:
        mortal.thaw()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *{mortal.endpoint.url}* does not answer: no answer within *", "*→ *"])


def test_a_private_engine_that_is_frozen_goes_with_its_run(
    pytester: pytest.Pytester, runtime: Path, private_engines: None
) -> None:
    """The run ends, and its keeper takes down what does not answer."""
    pytester.makepyfile(
        HEAD
        + """
from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.processes import engine_processes

def test_it(lab):
    box = lab.run("alpine", ["sleep", "600"], init=True)
    lab.engine.api.timeout = 1
    ((slot, _),) = private.states()
    for pid in engine_processes(slot.run):
        if Path(f"/proc/{pid}/comm").read_text() == "dockerd\\n":
            os.kill(pid, signal.SIGSTOP)
    assert box.exec(["true"]).ok
"""
        + NEXT
    )
    result = pytester.runpytest_subprocess("--dockerlab-engine=private", "--dockerlab-timeout=18", timeout=PATIENCE)
    assert result.parseoutcomes().keys() <= {"errors"}
    result.stdout.fnmatch_lines(["*Interrupted: * does not answer any more: no answer within *"])
    slot = Slot(0, runtime, runtime)
    assert engine_processes(slot.run) == set()
    assert not slot.run.exists()
