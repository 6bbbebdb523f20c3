"""Platforms, findings, errors, settings and places."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pytest_dockerlab import errors
from pytest_dockerlab.errors import BuildFailed, LabError, StartFailed, UsageError
from pytest_dockerlab.findings import Checked, CheckFailed, Finding, demand
from pytest_dockerlab.places import cache_dir, runtime_dir
from pytest_dockerlab.platforms import Platform, patience, runs_on
from pytest_dockerlab.settings import read_settings


@pytest.mark.parametrize(
    ("text", "shown", "machine"),
    [
        ("linux/amd64", "linux/amd64", "x86_64"),
        ("x86_64", "linux/amd64", "x86_64"),
        ("linux/arm64/v8", "linux/arm64", "aarch64"),
        ("aarch64", "linux/arm64", "aarch64"),
        ("armhf", "linux/arm/v7", "armv7l"),
        ("linux/s390x", "linux/s390x", "s390x"),
    ],
)
def test_platforms_are_normalised(text: str, shown: str, machine: str) -> None:
    """The kernel's, the distribution's and Go's names mean the same platform."""
    assert str(Platform.parse(text)) == shown
    assert Platform.parse(text).machine == machine


@pytest.mark.parametrize("text", ["", "a/b/c/d", "linux/", "/amd64"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    """With its value."""
    with pytest.raises(UsageError, match="not a platform"):
        Platform.parse(text)


def test_demand_returns_evidence_or_raises_every_finding() -> None:
    """A check that holds gives what it looked at; one that doesn't shows each finding whole."""
    assert demand(Checked(evidence=7)) == 7
    finding = Finding(what="image has 9 layers", expected="8", found="9", why="w", hint="h", where="Dockerfile:5")
    with pytest.raises(CheckFailed) as caught:
        demand(Checked(evidence=None, findings=(finding, Finding(what="second"))))
    assert str(caught.value).splitlines() == [
        "image has 9 layers",
        "  where:    Dockerfile:5",
        "  expected: 8",
        "  found:    9",
        "  why:      w",
        "  hint:     h",
        "second",
    ]
    assert pickle.loads(pickle.dumps(caught.value)).findings == caught.value.findings


def test_an_error_says_what_happened_and_what_to_do() -> None:
    """Value first, remedy on a line of its own."""
    assert str(LabError("x is gone", remedy="make it")) == "x is gone\n  → make it"
    assert str(LabError("x is gone")) == "x is gone"


def test_a_failed_build_shows_step_log_and_line() -> None:
    """The last lines of the step's log and the Dockerfile's line are in the message."""
    text = str(BuildFailed("step 2 failed", file="d/Dockerfile", line=4, log="a\nb\n", remedy="look"))
    assert text.splitlines() == [
        "step 2 failed",
        "  at d/Dockerfile:4",
        "  last lines of the step's log:",
        "    a",
        "    b",
        "  → look",
    ]


@pytest.mark.parametrize("name", errors.__all__)
def test_errors_travel_between_processes(name: str) -> None:
    """xdist pickles what a worker raises; the remedy must survive."""
    error = getattr(errors, name)("what", remedy="remedy")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)


def test_a_start_failure_keeps_its_exit_code_on_the_way() -> None:
    """Attributes travel too."""
    assert pickle.loads(pickle.dumps(StartFailed("w", exit_code=127))).exit_code == 127


def test_command_line_beats_environment_beats_ini() -> None:
    """And each setting remembers where it came from."""
    ini = {"engine": "tcp://ini:1"}
    environ = {"DOCKERLAB_ENGINE": "tcp://env:1"}
    options: dict[str, object] = {"engine": "tcp://cli:1", "mirror": None}
    assert read_settings({}, ini, {}).engine == "tcp://ini:1"
    assert read_settings({}, ini, environ).engine == "tcp://env:1"
    chosen = read_settings(options, ini, environ)
    assert chosen.engine == "tcp://cli:1"
    assert chosen.source("engine") == "--dockerlab-engine"
    assert chosen.source("mirror") == "default"


@pytest.mark.parametrize(
    ("options", "ini", "environ", "message"),
    [
        ({"engine": "nonsense"}, {}, {}, "--dockerlab-engine: not an engine: 'nonsense'"),
        ({}, {"engine": "unix://"}, {}, "ini dockerlab_engine: not an engine: 'unix://'"),
        ({}, {}, {"DOCKERLAB_ENGINE": "ftp://x"}, "DOCKERLAB_ENGINE: not an engine: 'ftp://x'"),
        ({}, {}, {"DOCKERLAB_BASES": "maybe"}, "DOCKERLAB_BASES: not a way to get base images: 'maybe'"),
        ({}, {}, {"DOCKERLAB_LOOKAHEAD": "1"}, "DOCKERLAB_LOOKAHEAD: not a way to look ahead: '1'"),
        ({}, {"strict": "perhaps"}, {}, "ini dockerlab_strict: not a yes or no: 'perhaps'"),
    ],
)
def test_a_bad_setting_names_its_source(
    options: dict[str, object], ini: dict[str, str], environ: dict[str, str], message: str
) -> None:
    """Whoever set it can find it."""
    with pytest.raises(UsageError) as caught:
        read_settings(options, ini, environ)
    assert caught.value.what == message


@pytest.mark.parametrize(("value", "strict"), [("true", True), ("1", True), ("", False), ("false", False)])
def test_ci_makes_missing_capabilities_fail(value: str, strict: bool) -> None:
    """Where CI is set, strict is the default; an explicit setting wins."""
    assert read_settings(environ={"CI": value}).strict is strict
    assert read_settings({"strict": False}, environ={"CI": value}).strict is False


def test_caches_follow_the_xdg_rules(tmp_path: Path) -> None:
    """Our own variable first, then XDG's, then the home folder."""
    assert cache_dir({"DOCKERLAB_CACHE": str(tmp_path)}) == tmp_path
    assert cache_dir({"XDG_CACHE_HOME": "/x"}) == Path("/x/dockerlab")
    assert cache_dir({}).name == "dockerlab"


def test_run_time_state_is_closed_to_others(tmp_path: Path) -> None:
    """Sockets lie in a folder that only its owner enters."""
    place = runtime_dir({"DOCKERLAB_RUNTIME": str(tmp_path / "r")})
    assert place.stat().st_mode & 0o777 == 0o700


def test_an_arm_processor_runs_its_lower_variants() -> None:
    """As a 32-bit Raspberry Pi does with images for arm/v6; the other way round it does not."""
    six, seven = Platform.parse("linux/arm/v6"), Platform.parse("linux/arm/v7")
    assert runs_on(six, seven)
    assert not runs_on(seven, six)
    assert runs_on(Platform.parse("arm64"), Platform.parse("linux/arm64/v8"))
    assert not runs_on(Platform.parse("arm"), Platform.parse("arm64"))


def test_what_is_emulated_is_waited_for_longer() -> None:
    """Five times; a variant that is not told makes no difference."""
    arm = Platform.parse("linux/arm64")
    assert patience(arm, Platform.parse("linux/arm64/v8")) == 1
    assert patience(arm, Platform.parse("linux/amd64")) == 5
