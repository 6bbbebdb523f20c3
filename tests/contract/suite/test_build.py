"""Building: what a Dockerfile says is what the image has, and what is wrong with it is said where it stands."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from pytest_dockerlab import (
    BuildFailed,
    BuildTimedOut,
    Image,
    Lab,
    LabError,
    assert_cmd,
    assert_entrypoint,
    assert_env,
    assert_exposes,
    assert_file,
    assert_label,
    assert_no_file,
    assert_platform,
    assert_user,
    assert_volumes,
    assert_workdir,
)
from pytest_dockerlab.build.spec import BuilderName
from pytest_dockerlab.platforms import Platform, same

pytestmark = pytest.mark.proves("build")


def test_instructions_become_the_images_configuration(lab: Lab, builder: BuilderName) -> None:
    """ENV, LABEL, USER, WORKDIR, EXPOSE, VOLUME, ENTRYPOINT and CMD are the image's configuration."""
    build = lab.build(
        "FROM alpine\nENV COLOUR=blue SIZE='a b'\nLABEL maker=us\nWORKDIR /srv/app\nEXPOSE 8080 53/udp\nVOLUME /data\n"
        'USER 1111:2222\nENTRYPOINT ["echo"]\nCMD ["one", "two"]\n',
        builder=builder,
    )
    assert_env(build, COLOUR="blue", SIZE="a b")
    assert_label(build, "maker", "us")
    assert_user(build, "1111:2222")
    assert_workdir(build, "/srv/app")
    assert_exposes(build, 8080, "53/udp")
    assert_volumes(build, "/data")
    assert_entrypoint(build, ["echo"])
    assert_cmd(build, ["one", "two"])
    assert lab.run(build).output == "one two\n"


def test_the_context_is_sent_without_what_dockerignore_names(lab: Lab, builder: BuilderName, tmp_path: Path) -> None:
    """COPY takes the context's files, and not those that .dockerignore names."""
    (tmp_path / "notes").mkdir()
    for name in ("kept.txt", "debug.log", "notes/draft.txt"):
        (tmp_path / name).write_text(f"{name}\n")
    (tmp_path / ".dockerignore").write_text("*.log\nnotes\n")
    (tmp_path / "Dockerfile").write_text("FROM alpine\nCOPY . /context/\n")
    build = lab.build(tmp_path, builder=builder)
    assert_file(build, "/context/kept.txt", "kept.txt\n")
    assert_no_file(build, "/context/debug.log")
    assert_no_file(build, "/context/notes/draft.txt")


def test_arguments_reach_the_steps(lab: Lab, builder: BuilderName) -> None:
    """A build argument overrides ARG's default in RUN and ENV, and before FROM."""
    text = "ARG BASE=nothing\nFROM ${BASE}\nARG NAME=nobody\nENV GREETS=$NAME\nRUN echo hello $NAME > /greeting\n"
    build = lab.build(text, args={"BASE": "alpine", "NAME": "world"}, builder=builder)
    assert_env(build, "GREETS", "world")
    assert_file(build, "/greeting", "hello world\n")


def test_a_target_ends_the_build_at_its_stage(lab: Lab, builder: BuilderName) -> None:
    """COPY --from takes a file from another stage, and a target is the last stage that counts."""
    text = (
        "FROM alpine AS tools\nRUN echo made > /made\n"
        "FROM scratch AS small\nCOPY --from=tools /made /taken\n"
        "FROM tools AS rest\nRUN echo never > /never\n"
    )
    small = lab.build(text, target="small", builder=builder)
    assert_file(small, "/taken", "made\n")
    assert small.base.layers == ()
    assert_no_file(lab.build(text, target="tools", builder=builder), "/never")


def test_no_platform_gets_another_ones_image(lab: Lab, builder: BuilderName, tmp_path: Path) -> None:
    """A build for one platform is no other one's, though their steps and files are the same."""
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\nLABEL of={tmp_path.name}\nCOPY Dockerfile /\n")
    own = lab.engine.info.platform
    other = "linux/amd64" if own.architecture == "arm64" else "linux/arm64"
    # The classic builder can't begin another platform's image from scratch, and says so.
    refused = (BuildFailed,) if builder == "classic" else ()
    for platform in (None, other, None):
        with contextlib.suppress(*refused):
            built = lab.build(tmp_path, platform=platform, builder=builder)
            assert same(built.image.platform, Platform.parse(platform) if platform else own)


def test_a_failing_run_is_told_with_step_line_and_exit_code(lab: Lab, builder: BuilderName) -> None:
    """A RUN that fails is told with its step, line, exit code and what it printed."""
    with pytest.raises(BuildFailed) as caught:
        lab.build("FROM alpine\nRUN true\n\nRUN echo the reason; exit 3\nRUN true\n", builder=builder)
    error = caught.value
    assert (error.step, error.line, error.exit_code) == (3, 4, 3)
    assert "the reason" in error.log


def test_a_missing_source_is_told_with_its_line(lab: Lab, builder: BuilderName) -> None:
    """A COPY of a file that is not in the context is told with its step, line and name."""
    with pytest.raises(BuildFailed, match=r"not-there\.txt") as caught:
        lab.build("FROM alpine\nCOPY not-there.txt /\n", builder=builder)
    assert (caught.value.step, caught.value.line) == (2, 2)


def test_a_base_that_nobody_has_is_the_bases_fault(lab: Lab, builder: BuilderName) -> None:
    """A base image that does not exist is named in the error."""
    with pytest.raises(LabError, match=r"127\.0\.0\.1:1/no/such"):
        lab.build("FROM 127.0.0.1:1/no/such\nRUN true\n", builder=builder)


def test_a_build_that_takes_too_long_is_cancelled(lab: Lab, builder: BuilderName) -> None:
    """A build that takes longer than its timeout is cancelled, and the step that ran is told."""
    with pytest.raises(BuildTimedOut, match="sleep 300"):
        lab.build("FROM alpine\nRUN sleep 300\n", timeout=2, builder=builder)


def test_without_network_there_is_no_way_out(lab: Lab, builder: BuilderName) -> None:
    """With network none a RUN has the loopback device only."""
    # /sys may be the host's; /proc/net is the process's own.
    text = "FROM alpine\nRUN sed -n 's/^ *\\([^ ]*\\):.*/\\1/p' /proc/net/dev > /devices\n"
    assert_file(lab.build(text, network="none", builder=builder), "/devices", "lo\n")


def test_a_tag_leads_to_the_image(lab: Lab, builder: BuilderName) -> None:
    """A build's tag is a name of its image, of the engine's own platform."""
    build = lab.build("FROM alpine\nRUN echo tagged > /tagged\n", tag="contract-tag:1.2", builder=builder)
    found = lab.engine.images.get("contract-tag:1.2")
    assert found.id == build.id
    assert "contract-tag:1.2" in found.tags
    assert_platform(build, lab.engine.info.platform)


def test_files_and_links_keep_their_modes(lab: Lab, builder: BuilderName, tmp_path: Path, alpine: Image) -> None:
    """COPY keeps modes and links, and --chown sets the owner."""
    (tmp_path / "tool").write_text("#!/bin/sh\necho it runs\n")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "link").symlink_to("tool")
    (tmp_path / "Dockerfile").write_text('FROM alpine\nCOPY --chown=1111:2222 . /opt/\nCMD ["/opt/link"]\n')
    build = lab.build(tmp_path, builder=builder)
    tool = build.image.files.stat("/opt/tool") if build.image.files is not None else None
    assert tool is not None
    assert (tool.mode, tool.uid, tool.gid) == (0o755, 1111, 2222)
    assert lab.run(build).output == "it runs\n"
