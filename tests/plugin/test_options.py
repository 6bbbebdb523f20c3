"""Options, environment, ini: which counts, and what a bad one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockerlab.plugin import options
from pytest_dockerlab.plugin.current import run_of
from pytest_dockerlab.settings import NAMES, Settings


def settings(pytester: pytest.Pytester, *args: str) -> Settings:
    """The settings that an inner run works with."""
    found: list[Settings] = []

    class Spy:
        @pytest.hookimpl(trylast=True)
        def pytest_configure(self, config: pytest.Config) -> None:
            found.append(run_of(config).settings)

    pytester.inline_run(*args, plugins=[Spy()])
    return found[0]


def test_the_command_line_counts_over_environment_over_ini(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each place is read, and the nearer one wins."""
    pytester.makeini("[pytest]\ndockerlab_engine = tcp://ini:1\ndockerlab_mirror = from.ini\ndockerlab_bases = pull\n")
    monkeypatch.setenv("DOCKERLAB_ENGINE", "tcp://environment:1")
    monkeypatch.setenv("DOCKERLAB_MIRROR", "from.environment")
    read = settings(pytester, "--dockerlab-engine=tcp://option:1")
    assert (read.engine, read.source("engine")) == ("tcp://option:1", "--dockerlab-engine")
    assert (read.mirror, read.source("mirror")) == ("from.environment", "DOCKERLAB_MIRROR")
    assert (read.bases, read.source("bases")) == ("pull", "ini dockerlab_bases")


def test_flags_are_off_until_they_are_given(pytester: pytest.Pytester) -> None:
    """``--dockerlab-install`` and ``--dockerlab-strict`` take no value."""
    assert not settings(pytester).install
    read = settings(pytester, "--dockerlab-install", "--dockerlab-strict")
    assert read.install
    assert read.strict


def test_the_engines_silence_is_bounded(pytester: pytest.Pytester) -> None:
    """``--dockerlab-timeout`` takes seconds, or a duration; a minute by default."""
    assert settings(pytester).timeout == 60
    assert settings(pytester, "--dockerlab-timeout=90").timeout == 90
    assert settings(pytester, "--dockerlab-timeout=2m").timeout == 120


@pytest.mark.parametrize(("text", "said"), [("soon", "not a duration: 'soon'"), ("0", "too short*: '0'")])
def test_a_bad_timeout_is_told(pytester: pytest.Pytester, text: str, said: str) -> None:
    """With what named it, and what may stand there."""
    result = pytester.runpytest_subprocess(f"--dockerlab-timeout={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --dockerlab-timeout: {said}", "*→ write *"])


def test_dockerfiles_are_looked_for_below_the_root(pytester: pytest.Pytester) -> None:
    """The folder of the ini file, not the working directory, is where a relative ``dockerfiles`` starts."""
    pytester.makeini("[pytest]\ndockerlab_dockerfiles = images\n")
    (pytester.path / "deep").mkdir()
    read = settings(pytester, "--rootdir", str(pytester.path), str(pytester.path / "deep"))
    assert read.dockerfiles == Path(pytester.path, "images")


@pytest.mark.parametrize("source", ["--dockerlab-bases", "DOCKERLAB_BASES", "ini dockerlab_bases"])
def test_a_bad_value_names_where_it_stands(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """The run ends with a usage error that says which of the three places is wrong, and what may stand there."""
    args = []
    if source.startswith("--"):
        args = [f"{source}=bring"]
    elif source.startswith("ini"):
        pytester.makeini("[pytest]\ndockerlab_bases = bring\n")
    else:
        monkeypatch.setenv(source, "bring")
    result = pytester.runpytest_inprocess(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: {source}: not a way to get base images: 'bring'", "*one of auto, pull, stand-in"]
    )


def test_a_flag_in_the_ini_file_is_read_as_yes_or_no(pytester: pytest.Pytester) -> None:
    """What is neither is an error that names the ini file's line."""
    pytester.makeini("[pytest]\ndockerlab_install = perhaps\n")
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: ini dockerlab_install: not a yes or no: 'perhaps'"])


def test_help_shows_every_option(pytester: pytest.Pytester) -> None:
    """``pytest --help`` lists the options, and the ini settings with what overrides them."""
    result = pytester.runpytest_inprocess("--help")
    for name in ("engine", "mirror", "bases", "install", "dockerfiles", "strict", "tuned"):
        result.stdout.fnmatch_lines([f"*--dockerlab-{name}*", f"*dockerlab_{name} (string)*"])


def test_options_and_settings_are_the_same() -> None:
    """Each setting has its option, and its variable has the option's name."""
    assert dict(NAMES) == {name: f"DOCKERLAB_{name.upper()}" for name in options._HELP}


def test_loading_it_twice_is_fine(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """``-p dockerlab`` is harmless where the plugin is loaded by itself, and where it stands twice."""
    pytester.makepyfile("def test_it(): pass")
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    pytester.runpytest_subprocess("-p", "dockerlab", "-p", "dockerlab").assert_outcomes(passed=1)
