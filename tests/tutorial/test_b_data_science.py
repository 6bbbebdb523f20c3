"""From zero to AWS, chapters "a Dockerfile for data analysis" and "sharing the file system": rows B31–B33."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from filelock import FileLock

from pytest_dockerlab import (
    Build,
    BuildFailed,
    Container,
    Lab,
    Platform,
    StartFailed,
    assert_cmd,
    assert_env,
    assert_exit_code,
    assert_file,
    assert_http,
    assert_jupyter,
    assert_layer_of,
    assert_no_file,
    assert_wasted_bytes,
    assert_workdir,
    jupyter_ready,
)
from pytest_dockerlab.checks.installer import fits_platform, left_in_no_layer
from pytest_dockerlab.findings import demand
from pytest_dockerlab.stubs import DownloadSite, Installer
from pytest_dockerlab.stubs.installer import TUTORIAL_URL, size_at

PREFIX = "/opt/anaconda3"
COMMAND = ["jupyter", "lab", "--ip=0.0.0.0", "--allow-root", "--LabApp.token=''"]
IN_FRONT = re.compile(rf"\A{PREFIX}/bin:")

# The machine that the installer is downloaded from, as a build knows it.
HOST = "host.docker.internal"
GATEWAY = {HOST: "host-gateway"}

# Writes down how it was called, and makes a prefix that has only a pip, which does nothing.
SMALL_INSTALLER = f"""\
#!/bin/sh
mkdir -p {PREFIX}/bin
echo "$@" > {PREFIX}/called-with
ln -s /bin/true {PREFIX}/bin/pip
"""


@pytest.fixture(scope="session")
def installer(lab_run: Lab) -> Installer:
    """The stand-in, for the engine's machine."""
    return Installer.here(machine=lab_run.platform.machine)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of the run have."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def original_size(shared: Path, installer: Installer) -> int:
    """Bytes of the tutorial's own installer, 0 where its host does not answer; asked once per run."""
    with FileLock(shared / "original.lock"):
        answer = shared / "original.json"
        if not answer.exists():
            # Another machine's installer is of no use here.
            size = size_at(TUTORIAL_URL) if TUTORIAL_URL.endswith(installer.name) else 0
            answer.write_text(json.dumps(size if size > 100 << 20 else 0), encoding="utf-8")
        return int(json.loads(answer.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def data_science(lab_run: Lab, installer: Installer, original_size: int, shared: Path) -> Build:
    """The tutorial's image: from its own address where that can be had, else with the stand-in; built once per run."""
    with FileLock(shared / "data-science.lock"):
        if original_size:
            return lab_run.build("data-science", timeout=3600)
        with DownloadSite({installer.path: installer.content}, port=installer.port) as site:
            address = site.url(installer.path, HOST)
            return lab_run.build("data-science", args={"INSTALLER_URL": address}, extra_hosts=GATEWAY)


@pytest.fixture(scope="session")
def ds_python(lab_session: Lab) -> Path:
    """The host's folder of notebooks."""
    return lab_session.owned_dir(os.getuid())


@pytest.fixture(scope="session")
def my_lab(lab_session: Lab, data_science: Build, ds_python: Path) -> Container:
    """`docker run -p 8888:8888 -v …/ds_python/:/work --name my-lab 909c224ca062`."""
    return run_jupyter(lab_session, data_science, ds_python)


@pytest.fixture
def site(installer: Installer) -> Iterator[DownloadSite]:
    """A site with the stand-in's installer."""
    with DownloadSite({installer.path: installer.content}, port=installer.port) as server:
        yield server


def run_jupyter(lab: Lab, image: Build, folder: Path | None = None, target: str = "/work") -> Container:
    volumes = {folder: target} if folder else {}
    return lab.run(image, ports=[8888], volumes=volumes, wait=jupyter_ready())


# --- B31: the image --------------------------------------------------------------------------


@pytest.mark.row("B31")
@pytest.mark.requires("local_files", "loopback_ports")
@pytest.mark.parametrize("package", ["sudo", "wget", "vim"])
def test_b31_the_packages_are_there(my_lab: Container, package: str) -> None:
    """B31: what apt-get installed can be run."""
    done = my_lab.exec([package, "--version"])
    assert done.exit_code == 0
    assert package in done.output.lower()


@pytest.mark.row("B31")
@pytest.mark.requires("local_files", "loopback_ports")
def test_b31_the_prefix_is_first_on_path(my_lab: Container, data_science: Build) -> None:
    """B31: /opt/anaconda3/bin stands first on PATH, so that its python, pip and jupyter are the ones that run."""
    path = assert_env(data_science, "PATH", IN_FRONT)["PATH"]
    assert path.removeprefix(f"{PREFIX}/bin:") == data_science.base.env["PATH"]
    for program in ("python", "pip", "jupyter"):
        assert my_lab.exec(["sh", "-c", f"command -v {program}"]).output == f"{PREFIX}/bin/{program}\n"


@pytest.mark.row("B31")
@pytest.mark.requires("local_files", "loopback_ports")
def test_b31_pip_is_upgraded(my_lab: Container, data_science: Build) -> None:
    """B31: the step after the installer's wrote a pip, and the one that runs is another than came with Python."""
    [step] = [entry for entry in data_science.image.history if "pip install --upgrade pip" in entry.created_by]
    running = my_lab.exec(["pip", "--version"]).output.split()[1]
    bundled = my_lab.exec(["python", "-c", "import ensurepip; print(ensurepip.version())"]).output.strip()
    # A distribution whose pip is the newest has nothing to upgrade.
    assert running == bundled or (step.size or 0) > 1 << 20


@pytest.mark.row("B31")
def test_b31_workdir_and_command(data_science: Build) -> None:
    """B31: a container starts in /, with JupyterLab, by the tutorial's own command."""
    assert_workdir(data_science, "/")
    assert_cmd(data_science, COMMAND)


@pytest.mark.row("B31")
@pytest.mark.requires("local_files", "loopback_ports")
def test_b31_jupyter_answers(my_lab: Container) -> None:
    """B31: JupyterLab lets everybody in, and runs a cell with the prefix's Python."""
    assert_jupyter(my_lab, cell="import sys; print(sys.prefix)", output=f"{PREFIX}\n")


@pytest.mark.row("B31")
def test_b31_the_address_is_a_build_argument(lab: Lab) -> None:
    """B31: the named installer is fetched once, run with -b -p /opt/anaconda3, and removed."""
    path = f"/{secrets.token_hex(8)}/small.sh"
    with DownloadSite({path: SMALL_INSTALLER.encode()}) as mirror:
        build = lab.build("data-science", args={"INSTALLER_URL": mirror.url(path, HOST)}, extra_hosts=GATEWAY)
        assert [(fetch.path, fetch.status) for fetch in mirror.fetched] == [(path, 200)]
    assert_file(build, f"{PREFIX}/called-with", f"-b -p {PREFIX}\n")
    assert_no_file(build, "/opt/installer.sh")


@pytest.mark.row("B31")
def test_b31_by_default_it_is_the_tutorials(dockerfiles: Path) -> None:
    """B31: without the build argument the tutorial's own address is used, whose installer is for x86_64."""
    text = (dockerfiles / "data-science" / "Dockerfile").read_text(encoding="utf-8")
    assert f"\nARG INSTALLER_URL={TUTORIAL_URL}\n" in text
    assert demand(fits_platform(TUTORIAL_URL, Platform.parse("linux/amd64"))) == "x86_64"


@pytest.mark.row("B31")
def test_wrong_b31_the_tutorials_installer_on_arm64() -> None:
    """B31: for an arm64 image the tutorial's installer is caught by its name, and the right name is told."""
    with pytest.raises(AssertionError, match=r"(?s)x86_64\.sh is made for linux/amd64, and the image for linux/arm64"):
        demand(fits_platform(TUTORIAL_URL, Platform.parse("linux/arm64")))


@pytest.mark.row("B31")
def test_wrong_b31_run_on_another_machine(lab: Lab) -> None:
    """B31: on a machine that calls itself aarch64 the x86_64 installer ends at once, and says why."""
    box = lab.create("ubuntu", ["sh", "/setup.sh", "-b", "-p", PREFIX], env={"PATH": "/fake:/usr/bin:/bin"})
    box.write("/fake/uname", b"#!/bin/sh\necho aarch64\n", mode=0o755)
    box.write("/setup.sh", Installer(machine="x86_64", padding=0).content)
    box.start()
    with pytest.raises(AssertionError, match=r"(?s)exit code 1.*is for x86_64, and this machine is aarch64"):
        assert_exit_code(box, 0)


@pytest.mark.row("B31")
def test_wrong_b31_nothing_at_the_address(lab: Lab) -> None:
    """B31: an address that leads nowhere fails the step that fetches, with the server's answer."""
    path = f"/{secrets.token_hex(8)}/nothing.sh"
    with DownloadSite() as mirror, pytest.raises(BuildFailed, match=r"(?s)wget.*404"):
        lab.build("data-science", args={"INSTALLER_URL": mirror.url(path, HOST)}, extra_hosts=GATEWAY)


@pytest.mark.row("B31")
def test_wrong_b31_an_image_with_slips(lab: Lab) -> None:
    """B31: the prefix last on PATH, pip as it came, another folder, a command for the shell: each fails its check."""
    wrong = lab.build(f"FROM alpine\nENV PATH=$PATH:{PREFIX}/bin\nWORKDIR /opt\nCMD {' '.join(COMMAND)}\n")
    with pytest.raises(AssertionError, match="sets PATH"):
        assert_env(wrong, "PATH", IN_FRONT)
    with pytest.raises(AssertionError, match="no instruction of image"):
        assert_layer_of(wrong, "RUN pip install --upgrade pip")
    with pytest.raises(AssertionError, match="starts in /opt"):
        assert_workdir(wrong, "/")
    with pytest.raises(AssertionError, match=r"(?s)another CMD.*run by /bin/sh"):
        assert_cmd(wrong, COMMAND)


@pytest.mark.row("B31")
def test_wrong_b31_nothing_was_installed(lab: Lab) -> None:
    """B31: without packages and without the prefix, neither vim nor jupyter can be started, and each is named."""
    for command in (["vim", "--version"], COMMAND):
        with pytest.raises(StartFailed, match=rf'"{command[0]}": executable file not found') as caught:
            lab.run("alpine", command)
        assert caught.value.exit_code == 127


# --- B32: the installer is in no layer --------------------------------------------------------


@pytest.mark.row("B32")
def test_b32_the_installer_is_in_no_layer(data_science: Build, installer: Installer, original_size: int) -> None:
    """B32: no file of any layer has its name or its size, deleted ones included."""
    size = original_size or len(installer.content)
    assert demand(left_in_no_layer(data_science.image, "installer.sh", size=size)) > 1000


@pytest.mark.row("B32")
def test_b32_removed_in_the_same_run_it_costs_nothing(lab: Lab, site: DownloadSite, installer: Installer) -> None:
    """B32: fetched and removed in one RUN, it hides no byte in the image."""
    text = 'FROM alpine\nARG INSTALLER_URL\nRUN wget -q -O setup.sh "$INSTALLER_URL" && sh setup.sh -h && rm setup.sh\n'
    build = lab.build(text, args={"INSTALLER_URL": site.url(installer.path, HOST)}, extra_hosts=GATEWAY)
    assert assert_wasted_bytes(build, at_most=0, over=build.base).files == ()
    demand(left_in_no_layer(build.image, "setup.sh", mark=installer.mark))


@pytest.mark.row("B32")
def test_wrong_b32_removed_in_a_later_run(lab: Lab, site: DownloadSite, installer: Installer) -> None:
    """B32: removed in a RUN of its own it is nowhere to be seen, and still there: the bytes and the layer are named."""
    address = site.url(installer.path, HOST)
    wrong = lab.build(
        "data-science",
        dockerfile="Dockerfile.removed-later",
        args={"INSTALLER_URL": address},
        extra_hosts=GATEWAY,
    )
    assert_no_file(wrong, "/opt/installer.sh")
    with pytest.raises(
        AssertionError, match=r"(?s)carries the installer.*RUN wget.*16\.0 MiB /opt/installer\.sh.*deleted"
    ):
        demand(left_in_no_layer(wrong.image, "installer.sh", mark=installer.mark))
    with pytest.raises(AssertionError, match=r"(?s)16\.0 MiB of image.*hidden by later layers.*/opt/installer\.sh"):
        assert_wasted_bytes(wrong, at_most="1m", over=wrong.base)


@pytest.mark.row("B32")
def test_wrong_b32_kept_under_another_name(lab: Lab, site: DownloadSite, installer: Installer) -> None:
    """B32: a copy under another name is found by its size, and by how it begins."""
    text = 'FROM alpine\nARG INSTALLER_URL\nRUN wget -q -O /opt/kept "$INSTALLER_URL"\n'
    wrong = lab.build(text, args={"INSTALLER_URL": site.url(installer.path, HOST)}, extra_hosts=GATEWAY)
    for trait in ({"size": len(installer.content)}, {"mark": installer.mark}):
        with pytest.raises(AssertionError, match=r"(?s)carries the installer.*/opt/kept"):
            demand(left_in_no_layer(wrong.image, "installer.sh", **trait))


# --- B33: notebooks on the host --------------------------------------------------------------


def notebook(source: str) -> dict[str, Any]:
    """A notebook of one cell, as nbformat 4 has it (nbformat.readthedocs.io)."""
    cell: dict[str, Any] = {
        "cell_type": "code",
        "source": source,
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}


def put(box: Container, path: str, model: dict[str, Any]) -> None:
    """Save through jupyter's contents API, as its page does; the server's root is the container's /."""
    with requests.Session() as session:
        session.get(box.url(8888, "/lab"), timeout=20)  # Sets the cookie against forged requests.
        token = {"X-XSRFToken": session.cookies["_xsrf"]}
        answer = session.put(box.url(8888, f"/api/contents/{path}"), json=model, headers=token, timeout=20)
        assert answer.status_code == 201, answer.text


def sources(text: str) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"]]


@pytest.mark.row("B33")
@pytest.mark.requires("local_files", "loopback_ports")
def test_b33_saved_in_jupyter_it_is_on_the_host(lab: Lab, data_science: Build, ds_python: Path) -> None:
    """B33: a notebook saved under /work is in the host's folder, and stays there when the container is gone."""
    box = run_jupyter(lab, data_science, ds_python)
    put(box, "work/saved.ipynb", {"type": "notebook", "content": notebook("print('saved in jupyter')")})
    kept = ds_python / "saved.ipynb"
    assert sources(kept.read_text(encoding="utf-8")) == ["print('saved in jupyter')"]
    box.remove()
    assert sources(kept.read_text(encoding="utf-8")) == ["print('saved in jupyter')"]
    # "The file itself is not in the container": another one without the mount doesn't have it.
    assert_no_file(data_science, "/work")


@pytest.mark.row("B33")
@pytest.mark.requires("local_files", "loopback_ports")
def test_b33_put_there_by_the_host_it_is_in_jupyter(my_lab: Container, ds_python: Path) -> None:
    """B33: a notebook that the host writes into the folder is listed and opened by the running jupyter."""
    (ds_python / "brought.ipynb").write_text(json.dumps(notebook("1 + 1")), encoding="utf-8")
    listed = assert_http(my_lab, "/api/contents/work", port=8888).json()
    assert "work/brought.ipynb" in [entry["path"] for entry in listed["content"]]
    opened = assert_http(my_lab, "/api/contents/work/brought.ipynb", port=8888).json()
    assert sources(json.dumps(opened["content"])) == ["1 + 1"]


@pytest.mark.row("B33")
@pytest.mark.requires("local_files", "loopback_ports")
def test_wrong_b33_without_the_mount(lab: Lab, data_science: Build, ds_python: Path) -> None:
    """B33: mounted elsewhere, the host's notebook is not under /work, and what is saved there is gone in the end."""
    (ds_python / "unseen.ipynb").write_text(json.dumps(notebook("2")), encoding="utf-8")
    box = run_jupyter(lab, data_science, ds_python, target="/elsewhere")
    with pytest.raises(AssertionError, match=r"(?s)/api/contents/work/unseen\.ipynb.*404"):
        assert_http(box, "/api/contents/work/unseen.ipynb", port=8888)
    put(box, "work", {"type": "directory"})
    put(box, "work/lost.ipynb", {"type": "notebook", "content": notebook("3")})
    assert_file(box, "/work/lost.ipynb")
    assert not (ds_python / "lost.ipynb").exists()
    box.remove()
    with pytest.raises(AssertionError, match=r"has no /work/lost\.ipynb"):
        assert_file(lab.create(data_science), "/work/lost.ipynb")
