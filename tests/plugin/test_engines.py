"""Several engines in one run: workers spread over them, each has its own shared things, and each is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockerlab import EngineUnreachable, Lab, UsageError
from pytest_dockerlab.engine import private
from pytest_dockerlab.plugin import engines
from pytest_dockerlab.settings import Settings, read_settings

THREE = Settings(engine="tcp://a:1, private,context:c", sources=(("engine", "--dockerlab-engine"),))


def test_workers_take_turns() -> None:
    """Worker n works on engine n modulo their number; a worker of another name has always the same one."""
    assert [engines.chosen(THREE, f"gw{number}") for number in range(5)] == [0, 1, 2, 0, 1]
    assert engines.chosen(THREE, "") == 0
    assert engines.chosen(THREE, "mine") == engines.chosen(THREE, "mine")
    assert engines.chosen(Settings(), "gw7") == 0


def test_a_process_has_the_settings_of_its_engine() -> None:
    """One engine is left of those that were named; where it was named stays known."""
    assert [engines.numbered(THREE, number).engine for number in range(3)] == ["tcp://a:1", "private", "context:c"]
    assert engines.numbered(THREE, 1).source("engine") == "--dockerlab-engine"
    assert engines.numbered(Settings(), 0) == Settings()


def test_an_error_names_the_engine_among_several() -> None:
    """The kind of error and its remedy stay; of a single engine it is as it was."""
    error = EngineUnreachable("nobody there", remedy="start it")
    told = engines.blamed(THREE, 1, error)
    assert isinstance(told, EngineUnreachable)
    assert str(told) == "engine 2 of 3 (private): nobody there\n  → start it"
    assert engines.blamed(Settings(engine="private"), 0, error) is error


def test_engines_that_nobody_uses_are_told() -> None:
    """With fewer workers than engines, and without xdist."""
    assert engines.idle(THREE, 3) == engines.idle(Settings(), 0) == ""
    assert engines.idle(THREE, 2) == "--dockerlab-engine names 3 engines for 2 workers: only the first 2 are used"
    assert engines.idle(THREE, 1) == "--dockerlab-engine names 3 engines for 1 worker: only the first is used"
    assert engines.idle(THREE, 0) == (
        "--dockerlab-engine names 3 engines: without xdist's workers (-n) only the first is used"
    )


def test_each_of_several_is_looked_at() -> None:
    """A slip in the second one is found when the settings are read, and named with the whole."""
    assert read_settings({"engine": "private , tcp://b:1"}, environ={}).engines == ("private", "tcp://b:1")
    for bad, part in (("private,privat", "privat"), ("private,", "")):
        with pytest.raises(UsageError, match=f"--dockerlab-engine: not an engine: '{part}' \\(in '{bad}'\\)"):
            read_settings({"engine": bad}, environ={})


def test_the_one_that_does_not_answer_is_named(pytester: pytest.Pytester, engine: Lab) -> None:
    """The run ends with one error, and no test runs on the other."""
    pytester.makepyfile("def test_a(lab): print('ran')\ndef test_b(lab): print('ran')")
    named = f"{engine.engine.endpoint.url},unix:///nowhere.sock"
    result = pytester.runpytest_subprocess("-n2", "-s", f"--dockerlab-engine={named}", timeout=120)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: engine 2 of 2 (unix:///nowhere.sock): --dockerlab-engine names the engine 'unix:///nowhere.sock', *"]
    )
    assert "ran" not in result.outlines


def test_without_workers_the_first_is_used(
    pytester: pytest.Pytester, engine: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the run says so; the others are not even asked."""
    pytester.makepyfile("def test(lab): pass")
    url = engine.engine.endpoint.url
    pytester.makeini(f"[pytest]\ndockerlab_engine = {url}, unix:///nowhere.sock\n")
    monkeypatch.delenv("DOCKERLAB_ENGINE")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "dockerlab: ini dockerlab_engine names 2 engines: without xdist's workers (-n) only the first is used",
            f"dockerlab: engine 1 of 2: * ({url}, ini dockerlab_engine) *",
            f"engine      engine 1 of 2: * ({url}, ini dockerlab_engine) *",
        ]
    )


@pytest.mark.skipif(bool(private.missing()), reason=f"no private engine here: {private.missing()}")
def test_two_private_engines_share_nothing_but_the_run(pytester: pytest.Pytester, engine: Lab, runtime: Path) -> None:
    """``private,private`` are two: each has its container of the run, started once; both are gone at the end."""
    pytester.makepyfile(
        """
        import time
        from pathlib import Path
        import pytest
        from pytest_dockerlab import container_fixture

        box = container_fixture("alpine", ["sleep", "600"], scope="run")

        @pytest.mark.parametrize("number", range(4))
        def test_it(box, lab_run, number):
            url = lab_run.engine.endpoint.url
            for name, text in (("url", url), ("box", f"{url} {box.id}")):
                Path(f"draft-{name}-{number}").write_text(text)
                Path(f"draft-{name}-{number}").rename(f"{name}-{number}")
            deadline = time.monotonic() + 240
            while len(list(Path().glob("box-*"))) < 4 and time.monotonic() < deadline:
                time.sleep(0.02)
            assert box.exec(["echo", "hello"]).output == "hello\\n"
        """
    )
    result = pytester.runpytest_subprocess("-n4", "--dockerlab-engine=private,private", timeout=300)
    result.assert_outcomes(passed=4)
    urls = [path.read_text() for path in pytester.path.glob("url-*")]
    assert sorted(urls.count(url) for url in set(urls)) == [2, 2]
    assert len({path.read_text() for path in pytester.path.glob("box-*")}) == 2
    for number in (1, 2):
        assert sum(line.startswith(f"dockerlab: engine {number} of 2: ") for line in result.outlines) == 1
    result.stdout.fnmatch_lines(
        ["engines     engine 1 of 2: *", "            engine 2 of 2: *", "containers  2 started"]
    )
    for url in urls:
        assert not Path(url.removeprefix("unix://")).exists()
    assert private.states() == ()
    assert list((runtime / "runs").iterdir()) == []
