"""What `--dockerlab-keep` leaves, how one gets in, and how it goes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_dockerlab.cli import main
from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.endpoint import Endpoint, Tls
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.things import labelled
from pytest_dockerlab.plugin.keeping import docker_command
from pytest_dockerlab.reaping.kept import kept_on
from pytest_dockerlab.reaping.owner import LABEL_OWNER

pytestmark = pytest.mark.usefixtures("inner")

SUITE = """
    def test_good(lab, lab_module):
        lab.run("alpine", ["sleep", "600"], init=True, name="good")
        lab_module.run("alpine", ["true"], name="seen-by-both")

    def test_bad(lab, lab_module):
        folder = lab.owned_dir(1111)
        (folder / "note").write_text("kept")
        built = lab.build("FROM alpine\\nRUN echo hi > /made\\n", tag="kept-by-name:1")
        lab.run(built, ["sleep", "600"], init=True, name="bad", network=lab.network(),
                volumes={lab.volume(): "/data", folder: "/mine"})
        lab.volume()
        assert 0, "here"

    def test_after(lab, lab_module):
        lab_module.run("alpine", ["true"], name="later")
"""


@pytest.fixture
def clean(engine: Engine) -> Iterator[Engine]:
    """An engine on which nothing is kept before and after."""
    assert [thing for thing in labelled(engine, {LABEL_OWNER: ""}) if thing.names[:1] != ("",)] == []
    yield engine
    assert main(["sweep", "--kept", "--engine", engine.endpoint.url]) == 0
    assert labelled(engine, {LABEL_OWNER: ""}) == ()


def names(engine: Engine) -> set[str]:
    return {box.name for box in engine.containers.list()}


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])
def test_a_failed_tests_containers_stay_with_what_they_need(
    pytester: pytest.Pytester, clean: Engine, workers: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its image by name, network, volume, folder; nothing of the tests that passed. The summary says how to get in."""
    pytester.makepyfile(SUITE)
    url = clean.endpoint.url
    result = pytester.runpytest_subprocess(
        f"--dockerlab-engine={url}", "--dockerlab-keep=failed", "-q", "--dist=loadfile", *workers
    )
    result.assert_outcomes(passed=2, failed=1)
    assert names(clean) == {"bad", "seen-by-both"}
    result.stdout.fnmatch_lines(
        [
            "kept        of *test_bad*",
            f"            docker -H {url} exec -it bad sh",
            f"            to remove it all: dockerlab sweep --kept --engine {url}",
        ]
    )
    result.stdout.fnmatch_lines([f"            docker -H {url} logs seen-by-both"])
    assert clean.containers.exec("bad", ["cat", "/mine/note", "/made"]).output == "kepthi\n"
    clean.images.get("kept-by-name:1")
    kinds = sorted(thing.kind for thing in labelled(clean, {LABEL_OWNER: ""}))
    # Of the volumes, the one that a container uses, and the marks that say what is kept.
    assert kinds == ["container", "container", "image", "network", *["volume"] * (1 + len(kept_on(clean)))]

    # Neither a sweep nor another run's start removes it.
    capsys.readouterr()
    assert main(["sweep", "--engine", url]) == 0
    assert "stays: kept on request (--kept removes it, too)" in capsys.readouterr().out
    pytester.makepyfile(test_other="def test(lab): pass")
    pytester.runpytest_subprocess(f"--dockerlab-engine={url}", "test_other.py").assert_outcomes(passed=1)
    assert names(clean) == {"bad", "seen-by-both"}

    folders = [Path(folder) for kept in kept_on(clean) for folder in kept.folders]
    assert [folder.is_dir() for folder in folders] == [True]
    assert main(["sweep", "--kept", "--engine", url]) == 0
    assert names(clean) == set()
    assert not folders[0].parent.parent.exists()


def test_nothing_stays_unasked(pytester: pytest.Pytester, clean: Engine) -> None:
    """By default a failed test's containers go, as everybody's do."""
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess(f"--dockerlab-engine={clean.endpoint.url}").assert_outcomes(passed=2, failed=1)
    assert labelled(clean, {LABEL_OWNER: ""}) == ()


def test_always_keeps_all_of_them(pytester: pytest.Pytester, clean: Engine) -> None:
    """Of tests that passed, too, and of labs that live longer than a test."""
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess(f"--dockerlab-engine={clean.endpoint.url}", "--dockerlab-keep=always")
    result.assert_outcomes(passed=2, failed=1)
    assert names(clean) == {"good", "bad", "seen-by-both", "later"}
    result.stdout.fnmatch_lines(["kept        of *::test_good:", "kept        of the tests of a module:"])


def test_a_private_engine_stays_with_what_is_kept_on_it(
    pytester: pytest.Pytester, private_engines: None, runtime: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would end with its run; with something kept on it, it ends with that."""
    pytester.makepyfile(
        """
        def test_it(lab):
            lab.run("hello-world", name="kept")
            assert 0
        """
    )
    result = pytester.runpytest_subprocess("--dockerlab-engine=private", "--dockerlab-keep=failed")
    result.assert_outcomes(failed=1)
    (endpoint,) = private.running()
    try:
        result.stdout.fnmatch_lines([f"            docker -H {endpoint.url} logs kept"])
        with Engine(endpoint) as engine:
            assert names(engine) == {"kept"}
        assert main(["sweep", "--kept", "--engine", endpoint.url]) == 0
        assert "removed what was kept of " in capsys.readouterr().out
        assert private.running() == ()
    finally:
        for slot, _ in private.states():
            private.stop(slot.number)


def test_a_choice_that_can_not_be_meant(pytester: pytest.Pytester) -> None:
    """The error names the source and the choices."""
    pytester.makepyfile("def test(lab): pass")
    result = pytester.runpytest_subprocess("--dockerlab-keep=some")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --dockerlab-keep: not a choice of what to keep: 'some'", "*one of never, failed, always"]
    )


def test_the_docker_program_is_told_of_certificates() -> None:
    """A command line that is copied works for an engine behind TLS."""
    endpoint = Endpoint(
        url="tcp://far:2376", name="far", source="test", tls=Tls(ca="/c a/ca.pem", cert="/c/cert.pem", key="/c/key.pem")
    )
    assert docker_command(endpoint) == (
        "docker -H tcp://far:2376 --tlsverify --tlscacert '/c a/ca.pem' --tlscert /c/cert.pem --tlskey /c/key.pem"
    )


@pytest.mark.skipif(shutil.which("docker") is None, reason="the docker program is not installed")
def test_the_way_in_is_a_command_that_works(pytester: pytest.Pytester, clean: Engine) -> None:
    """What the summary prints can be given to a shell (without a terminal here)."""
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess(f"--dockerlab-engine={clean.endpoint.url}", "--dockerlab-keep=failed")
    line = next(line.strip() for line in result.outlines if line.strip().endswith("exec -it bad sh"))
    command = line.replace(" -it ", " -i ")
    done = subprocess.run(command, shell=True, input="cat /mine/note", capture_output=True, text=True, check=True)
    assert done.stdout == "kept"
