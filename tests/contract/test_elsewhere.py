"""An engine that does not see our files: what it is asked to mount, and what it gets instead."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_dockerlab import CapabilityMissing, Lab
from pytest_dockerlab.bases.host import read_host
from pytest_dockerlab.bases.provide import Bases
from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.settings import Settings
from tests.contract.engines import ENGINES
from tests.contract.inside import stand_in
from tests.contract.roots import Unavailable, obstacle, root_of


@pytest.fixture(scope="module")
def elsewhere(need: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab on an engine in a file system of its own, which has neither this one's /tmp nor its homes."""
    need(obstacle(read_host()))
    edition, folder = ENGINES["docker-28.5"], tmp_path_factory.mktemp("elsewhere")
    (folder / "bin").mkdir()
    try:
        root = root_of(edition, print)
    except Unavailable as error:
        need(str(error))
        raise
    stand_in(root, "dockerd", folder / "bin", features=edition.features)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("DOCKERLAB_CACHE", str(folder / "cache"))
        endpoint = private.start(os.getpid())
        try:
            with Engine(endpoint) as engine, Lab(engine, Bases(engine, Settings())) as lab:
                yield lab
        finally:
            private.stop(endpoint)


def test_a_bind_mount_of_our_files_is_refused(elsewhere: Lab, tmp_path: Path) -> None:
    """It would be another folder, or none: the message names folder, engine and how it is known, and offers a way."""
    with pytest.raises(CapabilityMissing) as caught:
        elsewhere.run("alpine", ["true"], volumes={tmp_path: "/data"})
    said = str(caught.value)
    assert f"bind mount of {tmp_path}, a folder of this machine" in said
    assert elsewhere.engine.endpoint.url in said
    assert "tried: it does not see" in said
    assert f"volumes={{lab.volume(source='{tmp_path}'): '/data'}}" in said


def test_a_volume_with_a_copy_takes_its_place(elsewhere: Lab, tmp_path: Path) -> None:
    """The way that the message offers works: folders, modes and links are there."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "tool").write_text("#!/bin/sh\necho it runs\n")
    (tmp_path / "sub" / "tool").chmod(0o755)
    (tmp_path / "link").symlink_to("sub/tool")
    box = elsewhere.run("alpine", ["/data/link"], volumes={elsewhere.volume(source=str(tmp_path)): "/data"})
    assert box.output == "it runs\n"


def test_a_single_file_can_be_copied(elsewhere: Lab, tmp_path: Path) -> None:
    """It lies in the volume under its own name."""
    (tmp_path / "one.txt").write_text("one\n")
    volume = elsewhere.volume(source=tmp_path / "one.txt")
    assert elsewhere.run("alpine", ["cat", "/data/one.txt"], volumes={volume: "/data"}).output == "one\n"
