"""What stand-ins promise, looked at in containers of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import pytest

from pytest_dockerlab.bases import Bases, Provided, deliver
from pytest_dockerlab.bases.catalogue import LABEL
from pytest_dockerlab.bases.host import read_host
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.errors import NotFound
from pytest_dockerlab.lab import Lab
from pytest_dockerlab.platforms import Platform, same
from pytest_dockerlab.settings import Settings

Standin = Callable[[str], Provided]


@pytest.fixture(autouse=True)
def makers(need: Callable[[str], None]) -> None:
    """The programs that stand-ins are made with."""
    need(read_host().obstacle)


def test_another_engine_keeps_its_names(stranger: Engine) -> None:
    """On an engine that is not ours a stand-in is called after its registry, and the name goes with ``close``."""
    bases = Bases(stranger, Settings(bases="stand-in"))
    provided = bases.ensure("alpine:3.20.3")  # a name that no other test brings
    assert provided.standin
    assert provided.image.labels[LABEL] == "alpine"
    assert provided.reference.startswith("127.0.0.1:")
    assert provided.reference.endswith("/library/alpine:3.20.3")
    assert stranger.images.get(provided.reference).id == provided.image.id
    bases.close()
    with pytest.raises(NotFound):
        stranger.images.get(provided.reference)


def test_an_engine_that_can_not_reach_the_registry_is_handed_the_image(
    stranger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pulling from this machine's loopback fails, the image is loaded."""
    monkeypatch.setattr(deliver, "_try_pull", lambda *_: None)
    said: list[str] = []
    bases = Bases(stranger, Settings(bases="stand-in"), said.append)
    try:
        provided = bases.ensure("hello-world:linux")
        assert "loading the stand-in for hello-world" in said
        assert stranger.images.get(provided.reference).labels[LABEL] == "hello-world"
    finally:
        bases.close()


def test_two_that_bring_one_for_another_platform_do_so_in_turn(
    stranger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was pulled by its digest keeps that name until it has its own, whoever else brings it at that moment."""
    other = next(each for each in (Platform("linux", "arm64"), Platform()) if not same(each, stranger.info.platform))
    pull, meeting, pulled = deliver._try_pull, Barrier(2), []

    def pull_and_meet(engine: Engine, name: str, platform: Platform | None = None) -> bool:
        pulled.append(name)
        done = pull(engine, name, platform)
        with suppress(BrokenBarrierError):  # nobody comes, as it should be
            meeting.wait(timeout=2)
        return done

    monkeypatch.setattr(deliver, "_try_pull", pull_and_meet)
    brought = [Bases(stranger, Settings(bases="stand-in")) for _ in range(2)]
    try:
        with ThreadPoolExecutor(2) as pool:
            # A name that no other test brings.
            first, second = pool.map(lambda bases: bases.ensure("alpine:3.20.4", other), brought)
        assert len(pulled) == 1
        assert first.reference == second.reference
        assert same(stranger.images.get(first.reference).platform, other)
    finally:
        for bases in brought:
            bases.close()


def test_hello_world_is_one_program_and_no_shell(lab: Lab, standin: Standin) -> None:
    """It greets, its one layer has one file, and there is nothing else to run."""
    provided = standin("hello-world")
    assert "Hello from Docker!" in lab.run(provided.reference).output
    assert len(provided.image.layers) == 1
    assert provided.image.files is not None
    assert [file.path for layer in provided.image.files.layers() for file in layer.files] == ["/hello"]


def test_alpine_is_small_and_has_its_tools(lab: Lab, standin: Standin) -> None:
    """A shell, wget and an unnamed user in some 2 MB; its release file and apk say what it is."""
    provided = standin("alpine")
    assert provided.image.cmd == ("/bin/sh",)
    assert provided.image.size < 4_000_000
    box = lab.run(
        provided.reference,
        ["sh", "-c", "id -u; which wget; . /etc/os-release; echo $NAME; apk add x 2>&1"],
        user="1111:1111",
    )
    assert box.output == (
        "1111\n/bin/wget\nstand-in for alpine\n"
        "apk: this image is pytest-dockerlab's stand-in for alpine: it has no packages to install\n"
    )
    assert box.exit_code == 1


def test_ubuntu_is_the_hosts_distribution_and_says_so(lab: Lab, standin: Standin) -> None:
    """bash, apt with the host's sources, group 20, no user 1111; os-release is true."""
    provided = standin("ubuntu")
    script = (
        ". /etc/os-release; echo $VERSION_CODENAME; getent group 20; getent passwd 1111;"
        " apt-cache policy >/dev/null && echo apt"
    )
    assert provided.image.cmd == ("/bin/bash",)
    assert len(provided.image.layers) == 1
    output = lab.run(provided.reference, ["bash", "-c", script]).output
    assert output == f"{read_host().suite}\ndialout:x:20:\napt\n"
    files = provided.image.files
    assert files is not None
    for private in ("/etc/resolv.conf", "/etc/hostname", "/etc/apt/sources.list"):
        with pytest.raises(NotFound):
            files.stat(private)


@pytest.mark.parametrize("name", ["python:3.10", "python:3.10-slim"])
def test_python_is_the_distributions_and_says_so(lab: Lab, standin: Standin, name: str) -> None:
    """``python``, ``python3`` and ``pip`` are on PATH, PYTHON_VERSION is true, and curl and vim are not there yet."""
    provided = standin(name)
    script = (
        'python -c "import platform; print(platform.python_version())"; echo $PYTHON_VERSION;'
        " python3 -m venv --help >/dev/null && echo venv; pip --version >/dev/null && echo pip;"
        " which curl vim; ls /usr/lib/python3*/EXTERNALLY-MANAGED 2>/dev/null; sed -n 2p /etc/pip.conf"
    )
    version, said, *rest = lab.run(provided.reference, ["sh", "-c", script]).output.splitlines()
    assert version == said
    assert rest == ["venv", "pip", "cert = /etc/ssl/certs/ca-certificates.crt"]
    assert provided.image.cmd == ("python3",)


def test_python_has_more_than_slim(standin: Standin) -> None:
    """python:3.10 is its slim form with layers on top, as many as make counting layers worth it."""
    whole, slim = standin("python:3.10").image, standin("python:3.10-slim").image
    assert whole.layers[: len(slim.layers)] == slim.layers
    assert len(slim.layers) >= 4
    assert len(whole.layers) >= len(slim.layers) + 2


def test_packages_can_be_installed(lab: Lab, standin: Standin, tmp_path: Path) -> None:
    """A build installs a package with apt and one with pip, through the host's authorities and configuration."""
    base = standin("python:3.10-slim").reference
    (tmp_path / "Dockerfile").write_text(
        f"FROM {base}\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends curl\n"
        "RUN pip install --no-cache-dir six\n"
    )
    box = lab.run(
        lab.build(tmp_path),
        ["sh", "-c", "curl --version | cut -c1-5 | head -n 1; python -c 'import six; print(six.__name__)'"],
    )
    assert box.output == "curl \nsix\n"


def test_the_notebook_image_is_its_users(lab: Lab, standin: Standin) -> None:
    """jovyan has the ids, home and folders of the real image, JupyterLab on PATH, and may install packages."""
    provided = standin("jupyter/datascience-notebook")
    assert provided.image.config.exposed_ports == ("8888/tcp",)
    assert provided.image.config.workdir == "/home/jovyan"
    script = (
        "id -un; id -u; id -g; pwd; jupyter lab --version >/dev/null && echo lab;"
        " test -w $(dirname $(which pip)) && echo writable"
    )
    output = lab.run(provided.reference, ["sh", "-c", script]).output
    assert output == "jovyan\n1000\n100\n/home/jovyan\nlab\nwritable\n"
