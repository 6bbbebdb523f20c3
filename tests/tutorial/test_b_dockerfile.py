"""From zero to AWS, the Dockerfile's instructions: rows B17, B22 and B24."""

from __future__ import annotations

import pytest

from pytest_dockerlab import (
    Build,
    Lab,
    StartFailed,
    assert_cmd,
    assert_entrypoint,
    assert_file,
    assert_layers_added,
    assert_no_file,
    assert_workdir,
    image_fixture,
)

separate = image_fixture("layers", dockerfile="Dockerfile.separate", scope="run")
joined = image_fixture("layers", dockerfile="Dockerfile.joined", scope="run")
entrypoint = image_fixture("cmd-entrypoint", scope="run")
cmd = image_fixture("cmd-entrypoint", dockerfile="Dockerfile.cmd", scope="run")
workdir = image_fixture("workdir", scope="run")

PACKAGES = ("curl", "less", "tree")


@pytest.mark.row("B17")
def test_b17_run_adds_a_layer_and_cmd_does_not(lab: Lab) -> None:
    """B17: RUN is a layer over ubuntu, CMD after it adds none."""
    run = lab.build("layers", dockerfile="Dockerfile.run")
    run_cmd = lab.build("layers", dockerfile="Dockerfile.run-cmd")
    assert_layers_added(run.image, over=lab.image("ubuntu:latest"), count=1)
    assert_layers_added(run_cmd.image, over=run.image, count=0)
    assert_cmd(run_cmd, ["ls"])


@pytest.mark.row("B17")
def test_b17_n_runs_are_n_layers(separate: Build) -> None:
    """B17: apt-get update and three packages in four RUNs are four layers."""
    assert_layers_added(separate.image, over=separate.base, count=1 + len(PACKAGES))


@pytest.mark.row("B17")
def test_b17_joined_they_are_one_layer(joined: Build) -> None:
    """B17: the same commands joined with && are one layer."""
    assert_layers_added(joined.image, over=joined.base, count=1)


@pytest.mark.row("B17")
@pytest.mark.parametrize("how", ["separate", "joined"])
def test_b17_both_have_the_packages(request: pytest.FixtureRequest, how: str) -> None:
    """B17: whichever way they were installed, the programs are in the image."""
    build: Build = request.getfixturevalue(how)
    for package in PACKAGES:
        assert_file(build, f"/usr/bin/{package}")


@pytest.mark.row("B17")
def test_wrong_b17_not_joined(separate: Build) -> None:
    """B17: four RUNs fail the check for one layer, and the message says four."""
    with pytest.raises(AssertionError, match=r"(?s)expected:\s+.*1.*found:\s+.*4"):
        assert_layers_added(separate.image, over=separate.base, count=1)


@pytest.mark.row("B22")
def test_b22_cmd_is_the_default_command(lab: Lab, cmd: Build) -> None:
    """B22: with CMD alone, `docker run image` runs it."""
    assert_cmd(cmd, ["ls", "--help"])
    assert lab.run(cmd).output.startswith("Usage: ls [OPTION]... [FILE]...")


@pytest.mark.row("B22")
def test_b22_cmd_is_replaced_by_the_run_arguments(lab: Lab, cmd: Build) -> None:
    """B22: with CMD alone, `docker run image echo hello` runs echo, and nothing is left of ls."""
    assert lab.run(cmd, ["echo", "hello"]).output == "hello\n"


@pytest.mark.row("B22")
def test_b22_cmd_holds_the_entrypoints_default_arguments(lab: Lab, entrypoint: Build) -> None:
    """B22: with ENTRYPOINT ["ls"], CMD ["--help"] is its default argument."""
    assert_entrypoint(entrypoint, ["ls"])
    assert_cmd(entrypoint, ["--help"])
    assert lab.run(entrypoint).output.startswith("Usage: ls [OPTION]... [FILE]...")


@pytest.mark.row("B22")
def test_b22_run_arguments_are_the_entrypoints_arguments(lab: Lab, entrypoint: Build) -> None:
    """B22: with ENTRYPOINT ["ls"], what follows the image is given to ls instead of --help."""
    assert lab.run(entrypoint, ["/test"]).output == "/test\n"


@pytest.mark.row("B22")
def test_b22_a_command_is_no_command_for_an_entrypoint(lab: Lab, entrypoint: Build) -> None:
    """B22: `docker run image bash` on the image with ENTRYPOINT lists a file "bash", which is not there."""
    box = lab.run(entrypoint, ["bash"])
    assert box.exit_code == 2
    assert "cannot access 'bash'" in box.logs()


@pytest.mark.row("B22")
def test_wrong_b22_arguments_for_cmd_alone(lab: Lab, cmd: Build) -> None:
    """B22: with CMD alone, an argument is taken for the command, and can't be started."""
    with pytest.raises(AssertionError, match=r"(?i)entrypoint"):
        assert_entrypoint(cmd, ["ls"])
    with pytest.raises(StartFailed, match="/test"):
        lab.run(cmd, ["/test"])


@pytest.mark.row("B24")
def test_b24_workdir_makes_the_folder(workdir: Build) -> None:
    """B24: WORKDIR alone makes /sample_folder, and the RUN after it works in it."""
    assert_workdir(workdir, "/sample_folder")
    assert_file(workdir, "/sample_folder/sample_file")


@pytest.mark.row("B24")
def test_b24_the_shell_starts_there(lab: Lab, workdir: Build) -> None:
    """B24: a shell in a container of the image starts in /sample_folder and sees the file."""
    box = lab.run(workdir, ["bash", "-c", "pwd; ls"])
    assert box.output == "/sample_folder\nsample_file\n"


@pytest.mark.row("B24")
def test_b24_mkdir_first_is_not_needed(lab: Lab) -> None:
    """B24: with mkdir before WORKDIR the result is the same."""
    long = lab.build("workdir", dockerfile="Dockerfile.mkdir")
    assert_workdir(long, "/sample_folder")
    assert_file(long, "/sample_folder/sample_file")


@pytest.mark.row("B24")
def test_b24_run_cd_does_not_last(lab: Lab) -> None:
    """B24: after `RUN cd /sample_folder`, the next RUN starts in / again."""
    build = lab.build("workdir", dockerfile="Dockerfile.cd")
    assert_file(build, "/sample_file")
    assert_no_file(build, "/sample_folder/sample_file")


@pytest.mark.row("B24")
def test_wrong_b24_cd_instead_of_workdir(lab: Lab) -> None:
    """B24: the image that uses cd fails the checks for the folder and the file, with their names."""
    wrong = lab.build("workdir", dockerfile="Dockerfile.cd")
    with pytest.raises(AssertionError, match="/sample_folder"):
        assert_workdir(wrong, "/sample_folder")
    with pytest.raises(AssertionError, match="/sample_folder/sample_file"):
        assert_file(wrong, "/sample_folder/sample_file")
