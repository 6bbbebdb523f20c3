"""The checks of the exercise data-science; without ``--dockerlab-submission`` they run on the reference.

The installer is a small one of the course's, which writes down how it was called: the Dockerfile is what is checked.
``tests/exercises_course_slow`` has a check with a real JupyterLab.
"""

from __future__ import annotations

import re

import pytest

from pytest_dockerlab import Build, assert_cmd, assert_env, assert_file, assert_no_file, assert_workdir
from pytest_dockerlab.checks.installer import left_in_no_layer
from pytest_dockerlab.findings import demand
from pytest_dockerlab.grade.submission import Submission
from pytest_dockerlab.stubs import DownloadSite

PREFIX = "/opt/anaconda3"
COMMAND = ["jupyter", "lab", "--ip=0.0.0.0", "--allow-root", "--LabApp.token=''"]
# The machine that the installer is downloaded from, as a build knows it.
HOST = "host.docker.internal"
MARK = b"# NAME:  the course's own installer"
SMALL = b"""#!/bin/sh
%s
mkdir -p %s/bin
echo "$@" > %s/called-with
ln -s /bin/true %s/bin/pip
""" % (MARK, *[PREFIX.encode()] * 3)
# The same address each time, so that the build's cache is found.
PATH, PORT = "/archive/course/Anaconda3-2021.05-Linux-x86_64.sh", 20_817


def built(submission: Submission) -> Build:
    """The image, its installer fetched from a site of ours."""
    with DownloadSite({PATH: SMALL}, port=PORT) as site:
        return submission.build(args={"INSTALLER_URL": site.url(PATH, HOST)}, extra_hosts={HOST: "host-gateway"})


@pytest.mark.exercise(
    "data-science",
    "packages",
    title={"en": "sudo, wget and vim are installed", "ja": "sudo、wget、vim が入っている"},
    hint={
        "en": "RUN apt-get update && apt-get install -y sudo wget vim",
        "ja": "RUN apt-get update && apt-get install -y sudo wget vim",
    },
)
def test_packages(submission: Submission) -> None:
    """sudo, wget and vim are installed."""
    build = built(submission)
    for program in ("sudo", "wget", "vim"):
        assert_file(build, f"/usr/bin/{program}")


@pytest.mark.exercise(
    "data-science",
    "installer",
    title={"en": "The installer runs in batch mode into /opt/anaconda3", "ja": "インストーラーを -b -p で実行する"},
    hint={
        "en": "ARG INSTALLER_URL names it; sh installer.sh -b asks nothing, -p /opt/anaconda3 says where to.",
        "ja": "入手先は ARG INSTALLER_URL です。sh installer.sh -b -p /opt/anaconda3 で質問なしに入ります。",
    },
)
def test_installer(submission: Submission) -> None:
    """The installer that INSTALLER_URL names was run with -b and -p /opt/anaconda3."""
    called = assert_file(built(submission), f"{PREFIX}/called-with", re.compile(r"-b\b"))
    assert_file(built(submission), called.path, re.compile(rf"-p {PREFIX}\b"))


@pytest.mark.exercise(
    "data-science",
    "removed",
    points=2,
    needs="installer",
    title={"en": "The installer is in no layer", "ja": "インストーラーがどの層にも残っていない"},
    hint={
        "en": "Fetch, run and remove it in one RUN, with &&: what a later RUN removes stays in the layer below.",
        "ja": "取得、実行、削除を1つの RUN に && でまとめます。後の RUN で消しても下の層には残ります。",
    },
)
def test_removed(submission: Submission) -> None:
    """The installer is in no layer, not even as a file that a later one removed."""
    build = built(submission)
    assert_no_file(build, "/opt/installer.sh")
    demand(left_in_no_layer(build.image, "installer.sh", mark=MARK))


@pytest.mark.exercise(
    "data-science",
    "path",
    title={"en": "/opt/anaconda3/bin comes first in PATH", "ja": "PATH の先頭が /opt/anaconda3/bin"},
    hint={
        "en": "ENV PATH=/opt/anaconda3/bin:$PATH: what stands first is found first.",
        "ja": "ENV PATH=/opt/anaconda3/bin:$PATH。先頭にあるものが先に見つかります。",
    },
)
def test_path(submission: Submission) -> None:
    """The prefix stands in front of PATH, and the rest is still there."""
    assert_env(built(submission), "PATH", re.compile(rf"\A{PREFIX}/bin:.*/usr/bin"))


@pytest.mark.exercise(
    "data-science",
    "command",
    title={"en": "It starts JupyterLab, in /", "ja": "/ で JupyterLab を起動する"},
    hint={
        "en": "WORKDIR / at the end, and CMD with brackets, as in the task: --ip=0.0.0.0 lets the host in.",
        "ja": "最後に WORKDIR / と、課題どおりの CMD(角括弧)。--ip=0.0.0.0 でホストから届きます。",
    },
)
def test_command(submission: Submission) -> None:
    """A container starts in /, with JupyterLab."""
    build = built(submission)
    assert_workdir(build, "/")
    assert_cmd(build, COMMAND)
