"""Runs that end before their tests do, and tests that fail half-way: pytest's own report, and nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockerlab import Lab
from tests.faults.mortal import left, until

WORKERS = pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])

# Inner tests note the name of their run.
NOTE = """
import pytest
from pathlib import Path

def use(lab):
    Path("run").write_text(lab.ownership.run)
    data = lab.volume()
    return lab.run("alpine", ["sleep", "600"], volumes={data: "/data"}, network=lab.network())
"""


@pytest.fixture
def engine(lab_session: Lab, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The outer run's engine, which has alpine, is the inner runs', too."""
    lab_session.image("alpine")
    monkeypatch.setenv("DOCKERLAB_ENGINE", lab_session.engine.endpoint.url)
    return lab_session


def nothing_left(engine: Lab, folder: Path) -> bool:
    """Whether all that carries the inner run's label is gone: at once, or when its watchdog has seen to it."""
    return left(engine.engine.endpoint, (folder / "run").read_text()) == []


@pytest.mark.parametrize("options", [("-x",), ("--maxfail=1", "-n2")], ids=["alone", "xdist"])
def test_a_run_that_stops_at_a_failure(pytester: pytest.Pytester, engine: Lab, options: tuple[str, ...]) -> None:
    """``-x`` and ``--maxfail`` end the run after the failing test; what all of its labs made is gone."""
    pytester.makepyfile(
        NOTE
        + """
def test_first(lab, lab_module, lab_session, lab_run):
    for each in (lab, lab_module, lab_session, lab_run):
        use(each)
    assert not "what it is about"

def test_second(lab):
    Path("second").touch()

def test_third(lab):
    Path("third").touch()
"""
    )
    result = pytester.runpytest_subprocess(*options, timeout=300)
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["*stopping after 1 failures*"])
    assert not (pytester.path / "third").exists()
    until(lambda: nothing_left(engine, pytester.path), "all is gone")


@WORKERS
def test_a_test_that_ends_the_run(pytester: pytest.Pytester, engine: Lab, workers: tuple[str, ...]) -> None:
    """``pytest.exit`` in the middle of a test: its containers are gone, also where xdist's own report is a crash."""
    pytester.makepyfile(
        NOTE
        + """
def test_it(lab, lab_session):
    use(lab), use(lab_session)
    pytest.exit("enough for today", returncode=7)

def test_never(lab):
    Path("never").touch()
"""
    )
    result = pytester.runpytest_subprocess(*workers, timeout=300)
    if workers:
        assert result.ret != pytest.ExitCode.OK
    else:
        assert result.ret == 7
        result.stdout.fnmatch_lines(["*enough for today*"])
    until(lambda: nothing_left(engine, pytester.path), "all is gone")


def test_a_fixture_that_fails_half_way(pytester: pytest.Pytester, engine: Lab) -> None:
    """Set-up and teardown of a fixture raise after a container was started: errors of the tests, and it goes."""
    pytester.makepyfile(
        NOTE
        + """
@pytest.fixture
def half(lab):
    use(lab)
    raise LookupError("half-way up")

@pytest.fixture
def down(lab, lab_module):
    yield use(lab_module)
    use(lab)
    raise LookupError("half-way down")

def test_up(half): pass
def test_down(down): assert down.state.running
def test_after(lab): use(lab)
"""
    )
    result = pytester.runpytest_subprocess(timeout=300)
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*LookupError: half-way up", "*LookupError: half-way down"])
    # The evidence names the container that was up by then.
    result.stdout.fnmatch_lines(["*- dockerlab: container * of alpine -*", "running*"])
    assert nothing_left(engine, pytester.path)


def test_a_test_that_removes_its_own_container(pytester: pytest.Pytester, engine: Lab) -> None:
    """By its handle, or behind the lab's back: that is no error, whether the test passes or fails."""
    pytester.makepyfile(
        NOTE
        + """
def test_by_its_handle(lab):
    use(lab).remove()

def test_behind_our_back(lab, lab_module):
    for each in (lab, lab_module):
        box = use(each)
        each.engine.docker.containers.get(box.id).remove(force=True)

def test_and_then_fails(lab):
    box = use(lab)
    lab.engine.docker.containers.get(box.id).remove(force=True)
    assert box.state.running
"""
    )
    result = pytester.runpytest_subprocess(timeout=300)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["E *NotFound: container * No such container: *"])
    assert nothing_left(engine, pytester.path)
