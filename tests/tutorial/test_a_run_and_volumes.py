"""Docker intro, chapters "docker run" and "volume mount": rows A10 and A11."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockerlab import Build, Lab, assert_cmd, assert_file, assert_no_file

HELLO = "Hello World!\n"


@pytest.mark.row("A10")
@pytest.mark.requires("local_files")
def test_a10_the_mounted_folder_is_visible(lab: Lab, ex3: Build, dockerfiles: Path) -> None:
    """A10: `ls` in the mounted folder lists Dockerfile and hello-world.py."""
    box = lab.run(ex3, tty=True, stdin=True, volumes={dockerfiles / "ex3": "/ex3"})
    listed = box.exec(["ls", "/ex3"]).output.split()
    assert {"Dockerfile", "hello-world.py"} <= set(listed)


@pytest.mark.row("A10")
@pytest.mark.requires("local_files")
def test_a10_the_script_says_hello(lab: Lab, ex3: Build, dockerfiles: Path) -> None:
    """A10: in the container's shell, `python hello-world.py` prints Hello World!"""
    assert_cmd(ex3, ["/bin/sh", "-c", "bash"])
    box = lab.create(ex3, tty=True, stdin=True, volumes={dockerfiles / "ex3": "/ex3"})
    with box.terminal() as shell:
        box.start()
        shell.send(b"cd /ex3\n")
        shell.send(b"python hello-world.py\n")
        shell.read_until(b"Hello World!\r\n", timeout=20)
        shell.send(b"exit\n")
    assert box.exit_code == 0


@pytest.mark.row("A10")
@pytest.mark.requires("local_files")
def test_a10_the_mount_hides_nothing_in_the_image(lab: Lab, ex3: Build) -> None:
    """A10: the folder is in the container, not in the image."""
    assert_no_file(ex3, "/ex3/hello-world.py")


@pytest.mark.row("A10")
@pytest.mark.requires("local_files")
def test_wrong_a10_mounted_elsewhere(lab: Lab, ex3: Build, dockerfiles: Path) -> None:
    """A10: mounted at another place than the one used, the script is not found, and the message names its path."""
    box = lab.run(ex3, ["python", "/ex3/hello-world.py"], volumes={dockerfiles / "ex3": "/my_python_scripts"})
    assert box.exit_code == 2
    assert "can't open file '/ex3/hello-world.py'" in box.logs()
    with pytest.raises(AssertionError, match=r"/ex3/hello-world.py"):
        assert_file(box, "/ex3/hello-world.py")


@pytest.mark.row("A11")
def test_a11_without_a_volume_it_is_gone_with_the_container(lab: Lab) -> None:
    """A11: a file written in a container without a volume is not in the next container of the image."""
    first = lab.run("alpine", ["sh", "-c", "mkdir /data && echo kept > /data/note"])
    assert first.exit_code == 0
    assert first.read("/data/note") == b"kept\n"
    first.remove()
    assert_no_file(lab.create("alpine"), "/data/note")


@pytest.mark.row("A11")
def test_a11_in_a_volume_it_stays(lab: Lab) -> None:
    """A11: a file written in a volume is there in the next container that has the volume."""
    volume = lab.volume()
    first = lab.run("alpine", ["sh", "-c", "echo kept > /data/note"], volumes={volume: "/data"})
    assert first.exit_code == 0
    first.remove()
    assert lab.run("alpine", ["cat", "/data/note"], volumes={volume: "/data"}).output == "kept\n"


@pytest.mark.row("A11")
@pytest.mark.requires("local_files")
def test_a11_in_a_mounted_folder_the_host_sees_it(lab: Lab, tmp_path: Path) -> None:
    """A11: a file written in a mounted folder is on the host, also when the container is gone."""
    box = lab.run("alpine", ["sh", "-c", "echo kept > /data/note"], volumes={tmp_path: "/data"})
    assert box.exit_code == 0
    box.remove()
    assert (tmp_path / "note").read_text(encoding="utf-8") == "kept\n"


@pytest.mark.row("A11")
@pytest.mark.requires("local_files")
def test_wrong_a11_written_beside_the_mount(lab: Lab, tmp_path: Path) -> None:
    """A11: what is written to another folder than the mounted one does not reach the host."""
    box = lab.run("alpine", ["sh", "-c", "echo lost > /tmp/note"], volumes={tmp_path: "/data"})
    assert box.exit_code == 0
    assert not list(tmp_path.iterdir())
    with pytest.raises(AssertionError, match="/data/note"):
        assert_file(box, "/data/note")
