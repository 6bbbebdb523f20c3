"""The check of data-science that takes minutes: a real JupyterLab, installed by the stand-in of Anaconda."""

from __future__ import annotations

import pytest

from pytest_dockerlab import Build, assert_jupyter
from pytest_dockerlab.grade.submission import Submission
from pytest_dockerlab.stubs import DownloadSite, Installer

# The machine that the installer is downloaded from, as a build knows it.
HOST = "host.docker.internal"


@pytest.fixture
def built(submission: Submission) -> Build:
    """The image, its installer at the same address each time, so that the build's cache is found."""
    installer = Installer.here()
    with DownloadSite({installer.path: installer.content}, port=installer.port) as site:
        address = site.url(installer.path, HOST)
        return submission.build(args={"INSTALLER_URL": address}, extra_hosts={HOST: "host-gateway"})


@pytest.mark.requires("local_files", "loopback_ports")
@pytest.mark.exercise(
    "data-science",
    "answers",
    points=2,
    title={"en": "JupyterLab answers, and sees /work", "ja": "JupyterLab が応答し、/work が見える"},
    hint={
        "en": 'run.txt: docker run -p 127.0.0.1:8888:8888 -v "$PWD/ds_python:/work" --name my-lab data-science',
        "ja": 'run.txt: docker run -p 127.0.0.1:8888:8888 -v "$PWD/ds_python:/work" --name my-lab data-science',
    },
)
def test_answers(submission: Submission, built: Build) -> None:
    """JupyterLab answers on its published port, and a cell sees what the host put into /work."""
    submission.write("ds_python/from_host.txt", "from the host")
    cell = "print(open('/work/from_host.txt').read())"
    assert_jupyter(submission.run(image=built), token="", cell=cell, output="from the host\n", timeout=150)
