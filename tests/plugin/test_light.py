"""What the plugin costs where nobody uses it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HEAVY = ("docker", "testcontainers", "requests", "rich", "filelock", "websocket")
OURS = ("pytest_dockerlab.engine", "pytest_dockerlab.lab", "pytest_dockerlab.bases")
# All that a process loads where nobody uses a lab, sets anything, or has workers to watch; and where something is set.
LOADED = ("", *(f".plugin{name}" for name in ("", ".current", ".fixtures", ".grading", ".options", ".roles")))
READ = (".errors", ".foreign", ".platforms", ".quantity", ".settings")


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])
def test_a_suite_without_labs_imports_nothing_heavy(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """Neither the process that runs the tests nor the one that watches it has loaded an engine's libraries."""
    names = HEAVY + OURS
    pytester.makeconftest(
        f"""
        import sys
        def pytest_unconfigure(config):
            loaded = sorted(name for name in {names!r} if name in sys.modules)
            worker = getattr(config, "workerinput", {{}}).get("workerid", "leader")
            (config.rootpath / f"loaded-{{worker}}").write_text(" ".join(loaded))
        """
    )
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest_subprocess(*workers).assert_outcomes(passed=1)
    found = {path.name: path.read_text() for path in pytester.path.glob("loaded-*")}
    assert set(found) == {"loaded-leader", *(["loaded-gw0", "loaded-gw1"] if workers else [])}
    assert set(found.values()) == {""}


@pytest.mark.parametrize("given", [(), ("unix:///nowhere.sock",)], ids=["nothing", "option"])
@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["alone", "worker"])
def test_the_plugin_brings_a_handful_of_small_modules(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...], given: tuple[str, ...]
) -> None:
    """What is loaded with it and not without it is known by name: of ours seven modules or twelve, of others' none."""
    for engine in given:
        monkeypatch.setenv("DOCKERLAB_ENGINE", engine)
    pytester.makeconftest(
        """
        import sys
        def pytest_unconfigure(config):
            if config.getoption("numprocesses", None) is None:
                path = config.rootpath / ("with" if config.pluginmanager.hasplugin("dockerlab") else "without")
                path.write_text(" ".join(sys.modules))
        """
    )
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest_subprocess(*workers).assert_outcomes(passed=1)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p xdist")
    pytester.runpytest_subprocess(*workers).assert_outcomes(passed=1)
    more, less = (set((pytester.path / name).read_text().split()) for name in ("with", "without"))
    expected = (*LOADED, *READ) if given else LOADED
    assert sorted(more - less) == sorted(f"pytest_dockerlab{name}" for name in expected)


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["alone", "xdist"])
def test_a_suite_without_labs_hears_nothing_of_it(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """No line of output and no folder, even where the engine's address is wrong."""
    pytester.makepyfile("def test_it(): pass")
    pytester.makeini("[pytest]\ndockerlab_engine = unix:///nowhere.sock\n")
    result = pytester.runpytest_subprocess("-v", *workers)
    result.assert_outcomes(passed=1)
    said = [
        line
        for line in result.outlines
        if "dockerlab" in line and not line.startswith(("plugins:", "rootdir:", "cachedir:"))
    ]
    assert said == []
    assert not Path(os.environ["DOCKERLAB_RUNTIME"]).exists()


@pytest.mark.parametrize("option", ["--collect-only", "--setup-plan", "--fixtures", "--fixtures-per-test"])
def test_looking_at_tests_needs_no_engine(pytester: pytest.Pytester, option: str) -> None:
    """Options that run no test look for no engine."""
    pytester.makepyfile("def test_it(lab): pass")
    result = pytester.runpytest_inprocess(option, "--dockerlab-engine=unix:///nowhere.sock")
    assert result.ret == pytest.ExitCode.OK
    assert "nowhere" not in result.stdout.str() + result.stderr.str()
