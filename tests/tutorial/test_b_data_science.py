"""From zero to AWS, chapter "a Dockerfile for data science": rows B31–B33.

The installer's own host is not asked: a stand-in for it is served by this machine, and named by the
build argument that the exercise has for mirrors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer

from pytest_dockerlab import (
    Build,
    BuildFailed,
    Container,
    Lab,
    assert_cmd,
    assert_env,
    assert_file,
    assert_jupyter,
    assert_no_file,
    assert_wasted_bytes,
    assert_workdir,
    jupyter_ready,
)

pytestmark = [pytest.mark.xdist_group("data-science"), pytest.mark.requires("local_files")]

TUTORIALS_INSTALLER = "https://repo.continuum.io/archive/Anaconda3-2021.05-Linux-x86_64.sh"
# The address is part of the step that fetches from it. On the same port in every run, the step comes from the cache.
USUAL_PORT = 18921
# Enough for a forgotten installer to be seen among other waste.
PADDING = b"# padding\n" * 200_000

NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture(scope="module")
def installer() -> Iterator[str]:
    """Address of the stand-in installer, for builds in the host's network."""
    script = (Path(__file__).parent / "standin_installer.sh").read_bytes() + PADDING
    server = HTTPServer(host="127.0.0.1", port=USUAL_PORT)
    try:
        server.start()
    except OSError:  # another run is at it
        server = HTTPServer(host="127.0.0.1", port=0)
        server.start()
    server.expect_request("/installer.sh").respond_with_data(script)
    yield server.url_for("/installer.sh")
    server.stop()


def build_it(lab: Lab, installer: str, dockerfile: str = "Dockerfile") -> Build:
    return lab.build("data-science", dockerfile=dockerfile, args={"INSTALLER_URL": installer}, network="host")


@pytest.fixture(scope="module")
def data_science(lab_module: Lab, installer: str) -> Build:
    return build_it(lab_module, installer)


@pytest.fixture(scope="module")
def ds_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host's folder that is mounted as /work."""
    return tmp_path_factory.mktemp("ds_python")


@pytest.fixture(scope="module")
def my_lab(lab_module: Lab, data_science: Build, ds_python: Path) -> Container:
    """`docker run -p 8888:8888 -v …/ds_python/:/work image`"""
    return lab_module.run(data_science, ports=[8888], volumes={ds_python: "/work"}, wait=jupyter_ready())


def contents(box: Container, path: str, **put: Any) -> requests.Response:
    """Ask jupyter for a file, or save one, as its page does."""
    with requests.Session() as session:
        session.get(box.url(8888, "/lab"), timeout=20)
        address = box.url(8888, f"/api/contents/{path}")
        headers = {"X-XSRFToken": session.cookies["_xsrf"]}
        if put:
            return session.put(address, json=put, headers=headers, timeout=20)
        return session.get(address, headers=headers, timeout=20)


# --- B31: the image --------------------------------------------------------------------------


@pytest.mark.row("B31")
def test_b31_the_tutorials_installer_is_the_default(dockerfiles: Path) -> None:
    """B31: without a build argument, the Dockerfile fetches the tutorial's installer."""
    text = (dockerfiles / "data-science" / "Dockerfile").read_text(encoding="utf-8")
    assert f"ARG INSTALLER_URL={TUTORIALS_INSTALLER}\n" in text


@pytest.mark.row("B31")
@pytest.mark.parametrize("program", ["/usr/bin/sudo", "/usr/bin/wget", "/usr/bin/vim"])
def test_b31_the_packages_are_there(data_science: Build, program: str) -> None:
    """B31: sudo, wget and vim were installed by apt-get."""
    assert_file(data_science, program)


@pytest.mark.row("B31")
def test_b31_installed_in_batch_mode_into_the_prefix(data_science: Build) -> None:
    """B31: the installer ran with -b -p /opt/anaconda3, and its programs are there."""
    assert "sh installer.sh -b -p /opt/anaconda3" in next(
        step.text for step in data_science.steps if "INSTALLER_URL" in step.text
    )
    for program in ("python", "pip", "jupyter"):
        assert_file(data_science, f"/opt/anaconda3/bin/{program}")


@pytest.mark.row("B31")
def test_b31_the_prefix_is_in_front_of_path(lab: Lab, data_science: Build) -> None:
    """B31: PATH starts with /opt/anaconda3/bin, so that python and pip are Anaconda's."""
    assert_env(data_science, "PATH", re.compile(r"^/opt/anaconda3/bin:/usr/local/sbin:"))
    found = lab.run(data_science, ["sh", "-c", "command -v python pip jupyter"]).output
    assert found == "".join(f"/opt/anaconda3/bin/{name}\n" for name in ("python", "pip", "jupyter"))


@pytest.mark.row("B31")
def test_b31_pip_was_upgraded(lab: Lab, data_science: Build) -> None:
    """B31: pip in the image is the newest that the package index has: upgrading it again changes nothing."""
    done = lab.run(data_science, ["pip", "install", "--upgrade", "--dry-run", "pip"])
    assert done.exit_code == 0
    assert "Would install" not in done.output


@pytest.mark.row("B31")
def test_b31_back_in_the_root_folder_jupyter_is_started(data_science: Build) -> None:
    """B31: the working directory is / again, and the default command starts jupyter lab."""
    assert_workdir(data_science, "/")
    assert_cmd(data_science, ["jupyter", "lab", "--ip=0.0.0.0", "--allow-root", "--LabApp.token=''"])


@pytest.mark.row("B31")
def test_b31_jupyter_lab_opens_on_the_host(my_lab: Container) -> None:
    """B31: `docker run -p …:8888 image` serves JupyterLab, and a cell runs in Anaconda's python."""
    assert_jupyter(my_lab, cell="import sys; print(sys.prefix)", output="/opt/anaconda3\n")


@pytest.mark.row("B31")
def test_wrong_b31_the_installer_of_another_architecture(lab: Lab, installer: str) -> None:
    """B31: on a machine that is not x86_64 the installer ends the build, which says which is which."""
    text = (
        "FROM ubuntu:latest\n"
        "RUN apt-get update && apt-get install -y \\\n  sudo \\\n  wget \\\n  vim\n"
        "ARG INSTALLER_URL\n"
        "RUN printf '#!/bin/sh\\necho aarch64\\n' > /usr/local/bin/uname && chmod 755 /usr/local/bin/uname\n"
        'RUN wget -O installer.sh "$INSTALLER_URL" && sh installer.sh -b -p /opt/anaconda3\n'
    )
    with pytest.raises(BuildFailed, match=r"for x86_64, and this machine is aarch64") as caught:
        lab.build(text, args={"INSTALLER_URL": installer}, network="host")
    assert caught.value.exit_code == 1


@pytest.mark.row("B31")
def test_wrong_b31_path_was_not_set(lab: Lab) -> None:
    """B31: without the ENV, PATH does not begin with the prefix, and the check shows both."""
    with pytest.raises(AssertionError, match=r"(?s)/opt/anaconda3/bin.*/usr/local/sbin"):
        assert_env(lab.image("ubuntu"), "PATH", re.compile(r"^/opt/anaconda3/bin:"))


# --- B32: the installer is gone --------------------------------------------------------------


@pytest.mark.row("B32")
def test_b32_the_installer_is_in_no_layer(data_science: Build) -> None:
    """B32: removed in the RUN that fetched it, the installer is in no layer of the image."""
    assert_no_file(data_science, "/opt/installer.sh")
    assert data_science.image.files is not None
    paths = {file.path for layer in data_science.image.files.layers() for file in layer.files}
    assert "/opt/anaconda3/bin/jupyter" in paths
    assert "/opt/installer.sh" not in paths


@pytest.mark.row("B32")
def test_wrong_b32_removed_in_a_later_run(lab: Lab, installer: str) -> None:
    """B32: removed in a later RUN, the installer is still carried along: the file and its bytes are named."""
    wrong = build_it(lab, installer, "Dockerfile.removed-later")
    assert_no_file(wrong, "/opt/installer.sh")
    with pytest.raises(AssertionError, match=r"(?s)1\.9 MiB.*/opt/installer\.sh|/opt/installer\.sh.*1\.9 MiB"):
        assert_wasted_bytes(wrong, at_most="1m", over=wrong.base)


# --- B33: notebooks on the host --------------------------------------------------------------


@pytest.mark.row("B33")
def test_b33_a_notebook_saved_in_jupyter_is_on_the_host(my_lab: Container, ds_python: Path) -> None:
    """B33: what is saved under /work in jupyter is a file in the host's folder."""
    assert contents(my_lab, "work/saved.ipynb", type="notebook", content=NOTEBOOK).status_code == 201
    assert '"nbformat": 4' in (ds_python / "saved.ipynb").read_text(encoding="utf-8")


@pytest.mark.row("B33")
def test_b33_a_file_of_the_host_is_in_jupyter(my_lab: Container, ds_python: Path) -> None:
    """B33: what the host puts into its folder, jupyter lists under /work and opens."""
    (ds_python / "from_host.txt").write_text("put there by the host\n", encoding="utf-8")
    assert "from_host.txt" in {entry["name"] for entry in contents(my_lab, "work").json()["content"]}
    assert contents(my_lab, "work/from_host.txt").json()["content"] == "put there by the host\n"


@pytest.mark.row("B33")
def test_wrong_b33_without_the_mount(lab: Lab, data_science: Build) -> None:
    """B33: without the mount the notebook is in the container only, and not in the next one: the check names it."""
    first = lab.run(data_science, ports=[8888], wait=jupyter_ready())
    assert contents(first, "saved.ipynb", type="notebook", content=NOTEBOOK).status_code == 201
    assert_file(first, "/saved.ipynb")
    first.remove()
    with pytest.raises(AssertionError, match=r"/saved\.ipynb"):
        assert_file(lab.create(data_science), "/saved.ipynb")
