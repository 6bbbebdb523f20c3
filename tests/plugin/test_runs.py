"""Whole runs on an engine: alone, with workers, with one that dies, and without an engine."""

from __future__ import annotations

import signal
import sys
import time
from functools import partial
from pathlib import Path
from subprocess import DEVNULL

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.engine import private

WORKERS = pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])


def left(lab: Lab, run: str) -> list[str]:
    """What carries the label of a run on the engine."""
    engine, labels = lab.engine, {"org.dockerlab.run": run}
    return [
        *(box.name for box in engine.containers.list(labels)),
        *(network.name for network in engine.networks.list(labels)),
        *(volume.name for volume in engine.volumes.list(labels)),
        *(image.id for image in engine.images.list(labels)),
    ]


def names_of_runs(folder: Path) -> set[str]:
    """The runs that the inner tests noted down."""
    return {path.read_text() for path in folder.glob("run-*")}


# Inner tests note the name of their run, and the container that they saw.
NOTE = """
    import os
    from pathlib import Path

    def note(lab, what=""):
        for name, text in ((f"seen-{os.getpid()}", what), (f"run-{os.getpid()}", lab.ownership.run)):
            Path("draft-" + name).write_text(text)
            Path("draft-" + name).rename(name)
"""


def test_five_lines_are_a_test(pytester: pytest.Pytester, engine: Lab) -> None:
    """The README's example works with nothing but ``-p dockerlab``."""
    pytester.makepyfile(
        """
        def test(lab):
            assert lab.run("alpine", ["id", "-u"], user="1111:1111").output == "1111\\n"
        """
    )
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)


@WORKERS
def test_the_engine_is_named_once_at_the_top(pytester: pytest.Pytester, engine: Lab, workers: tuple[str, ...]) -> None:
    """The header says what it is, where, what chose it, and what decides how things behave on it."""
    pytester.makepyfile("def test_a(lab): pass\ndef test_b(lab): pass")
    result = pytester.runpytest_subprocess(*workers)
    result.assert_outcomes(passed=2)
    info, endpoint = engine.engine.info, engine.engine.endpoint
    header = [line for line in result.outlines if line.startswith("dockerlab: ")]
    assert len(header) == 1
    assert header[0].startswith(f"dockerlab: {info.product} {info.version} ({endpoint.url}, DOCKERLAB_ENGINE) · ")
    for part in (info.store, f"cgroup v{info.cgroup_version}", str(info.platform), f"{info.cpus} CPU"):
        assert f" · {part}" in header[0]


@WORKERS
def test_the_summary_says_what_was_done(pytester: pytest.Pytester, engine: Lab, workers: tuple[str, ...]) -> None:
    """Builds with their steps, containers, and how to see more: of all workers together."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(2))
        def test_it(lab, number):
            lab.run(lab.build(f"FROM alpine\\nRUN echo {number}\\n"), ["true"])
        """
    )
    result = pytester.runpytest_subprocess(*workers)
    result.assert_outcomes(passed=2)
    lines = [
        "*= dockerlab =*",
        "engine *",
        "builds      2 in *s; steps: *",
        "containers  2 started",
        "more *-v *doctor*",
    ]
    result.stdout.fnmatch_lines(lines)


def test_verbose_runs_list_each_build(pytester: pytest.Pytester, engine: Lab) -> None:
    """With ``-v`` each build has a line with its seconds and steps."""
    pytester.makepyfile(
        'def test_it(lab):\n    lab.build("FROM alpine\\nRUN echo 1\\n")\n    lab.build("FROM alpine\\nRUN echo 1\\n")'
    )
    result = pytester.runpytest_subprocess("-v")
    result.stdout.fnmatch_lines(["build       * s, ? run, ? reused", "build       * s, 0 run, 1 reused"])


def test_quiet_runs_say_nothing_of_the_engine(pytester: pytest.Pytester, engine: Lab) -> None:
    """With ``-q`` there is neither header nor summary."""
    pytester.makepyfile("def test(lab): pass")
    result = pytester.runpytest_subprocess("-q")
    result.assert_outcomes(passed=1)
    assert "dockerlab" not in result.stdout.str()


@WORKERS
def test_what_labs_made_is_gone(
    pytester: pytest.Pytester, engine: Lab, runtime: Path, workers: tuple[str, ...]
) -> None:
    """Each scope's things are removed at its end; the run's folder, too."""
    pytester.makepyfile(
        NOTE
        + """
    def test_them(lab, lab_module, lab_session, lab_run):
        for each in (lab, lab_module, lab_session, lab_run):
            each.run("alpine", ["sleep", "60"], volumes={each.volume(): "/data"}, network=each.network())
            each.build("FROM alpine\\nLABEL a=b\\n")
        assert len({each.ownership.run for each in (lab, lab_module, lab_session, lab_run)}) == 1
        note(lab)

    def test_another(lab_run): pass
    """
    )
    pytester.runpytest_subprocess(*workers).assert_outcomes(passed=2)
    (run,) = names_of_runs(pytester.path)
    assert left(engine, run) == []
    assert list((runtime / "runs").iterdir()) == []


def test_a_lab_ends_with_its_scope(pytester: pytest.Pytester, engine: Lab) -> None:
    """A test's lab and a module's are closed before the next one begins; the session's and the run's stay."""
    pytester.makepyfile(
        test_a="""
        made = {}
        def test_one(lab, lab_module, lab_session, lab_run):
            for each in (lab, lab_module, lab_session, lab_run):
                made[each.scope] = each.create("alpine").id
        def test_two(lab):
            there = {box.id for box in lab.engine.containers.list({"org.dockerlab.run": lab.ownership.run})}
            assert {scope for scope, id in made.items() if id in there} == {"module", "session", "run"}
        """,
        test_b="""
        def test_three(lab):
            there = lab.engine.containers.list({"org.dockerlab.run": lab.ownership.run})
            assert {box.labels["org.dockerlab.scope"] for box in there} == {"session", "run"}
        """,
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=3)


def test_workers_share_what_is_declared_for_the_run(pytester: pytest.Pytester, engine: Lab) -> None:
    """A container of scope ``run`` is started once for all workers, and stays until the last one is done."""
    pytester.makeconftest(
        """
        from pytest_dockerlab import container_fixture, image_fixture

        image = image_fixture("FROM alpine\\nRUN echo shared > /shared\\n", scope="run")
        box = container_fixture(image, ["sleep", "60"], scope="run")
        """
    )
    pytester.makepyfile(
        NOTE
        + """
    import time, pytest

    @pytest.mark.parametrize("number", range(2))
    def test_it(box, lab_run, number):
        note(lab_run, box.id)
        # Each worker has to see the other one's note: both use the container at the same time.
        while len(list(Path().glob("seen-*"))) < 2:
            time.sleep(0.01)
        assert box.exec(["cat", "/shared"]).output == "shared\\n"
    """
    )
    result = pytester.runpytest_subprocess("-n2", timeout=300)
    result.assert_outcomes(passed=2)
    assert len({path.read_text() for path in pytester.path.glob("seen-*")}) == 1
    result.stdout.fnmatch_lines(["containers  1 started"])
    (run,) = names_of_runs(pytester.path)
    assert left(engine, run) == []


def test_what_a_crashed_worker_leaves_is_removed(pytester: pytest.Pytester, engine: Lab) -> None:
    """The leader removes by label what a worker that died could not."""
    pytester.makepyfile(
        NOTE
        + """
    def test_it(lab, lab_session):
        lab.run("alpine", ["sleep", "60"])
        data, net = lab_session.volume(), lab_session.network()
        lab_session.run("alpine", ["sleep", "60"], volumes={data: "/data"}, network=net)
        note(lab)
        os._exit(1)
    """
    )
    result = pytester.runpytest_subprocess("-n1", "--max-worker-restart=0")
    result.assert_outcomes(failed=1)
    (run,) = names_of_runs(pytester.path)
    assert left(engine, run) == []


def test_what_an_interrupted_run_leaves_is_removed(pytester: pytest.Pytester, engine: Lab) -> None:
    """Ctrl-C kills the workers where they are: the leader removes what they made."""
    pytester.makepyfile(
        NOTE
        + """
    import time

    def test_it(lab_run):
        lab_run.run("alpine", ["sleep", "60"])
        note(lab_run)
        while True:
            time.sleep(0.01)
    """
    )
    # A shell's background jobs ignore SIGINT, and so would what this test starts if it runs in one.
    heedful = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    command = [sys.executable, "-m", "pytest", "-n1"]
    with pytester.popen(command, stdout=DEVNULL, stderr=DEVNULL, preexec_fn=heedful) as leader:
        try:
            while not (runs := names_of_runs(pytester.path)):
                assert leader.poll() is None
                time.sleep(0.05)
            leader.send_signal(signal.SIGINT)
            assert leader.wait(300) == pytest.ExitCode.INTERRUPTED
        finally:
            leader.kill()
    assert left(engine, runs.pop()) == []


@WORKERS
def test_without_an_engine_the_run_ends_with_one_error(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, runtime: Path, workers: tuple[str, ...]
) -> None:
    """A wrong DOCKER_HOST is told once, with a remedy, and no test runs."""
    pytester.makepyfile("def test_a(): print('ran')\ndef test_b(lab): pass\ndef test_c(lab_module): pass")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    result = pytester.runpytest_subprocess("-s", *workers, timeout=300)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: DOCKER_HOST names the engine 'unix:///nowhere.sock', which does not answer: *", "*→ *"]
    )
    text = result.stdout.str() + result.stderr.str()
    assert text.count("nowhere.sock") == 1
    assert "ran" not in result.outlines
    assert "crashed" not in text
    assert list((runtime / "runs").iterdir()) == []


def test_collection_errors_come_before_the_engine(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no test will run for another reason, no engine is looked for."""
    pytester.makepyfile(test_a="def test(lab): pass", test_b="nonsense")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    result = pytester.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "nowhere.sock" not in result.stdout.str() + result.stderr.str()


@pytest.mark.skipif(bool(private.missing()), reason=f"no private engine here: {private.missing()}")
@WORKERS
def test_a_private_engine_ends_with_its_run(pytester: pytest.Pytester, runtime: Path, workers: tuple[str, ...]) -> None:
    """Asked for, one is started for all workers, told of, and gone when the run ends."""
    pytester.makepyfile(
        """
        from pathlib import Path
        import pytest

        @pytest.mark.parametrize("number", range(2))
        def test_it(lab, number):
            Path(f"url-{number}").write_text(lab.engine.endpoint.url)
        """
    )
    result = pytester.runpytest_subprocess("--dockerlab-engine=private", *workers)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["dockerlab: starting a private engine*", "dockerlab: *(private, --dockerlab-engine)*"])
    urls = {path.read_text() for path in pytester.path.glob("url-*")}
    assert len(urls) == 1
    socket = Path(urls.pop().removeprefix("unix://"))
    assert socket.is_relative_to(runtime)
    assert not socket.exists()
    assert private.states() == ()


@WORKERS
def test_what_can_not_be_removed_at_the_end_is_told(
    pytester: pytest.Pytester, engine: Lab, workers: tuple[str, ...]
) -> None:
    """A container that stays, of the run's lab, is no silent success."""
    pytester.makepyfile(
        """
        def test_it(lab_run):
            def stuck():
                raise OSError("in the way")
            lab_run._stack.push("a folder", stuck)
        """
    )
    result = pytester.runpytest_subprocess(*workers)
    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*1 of 1 things of this lab could not be removed:", "*a folder: OSError: in the way"])
