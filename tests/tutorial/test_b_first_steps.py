"""From zero to AWS, chapters "docker commands" and "a container from an image": row B01."""

from __future__ import annotations

import pytest

from pytest_dockerlab import Container, Lab, assert_exit_code, assert_output


def listed(lab: Lab, box: Container, *, everything: bool) -> str:
    """The container's state in `docker ps` (or `ps -a`), or "" if it is not listed."""
    lines = lab.engine.containers.list(all=everything)
    return next((line.status for line in lines if line.id == box.id), "")


@pytest.mark.row("B01")
def test_b01_pull_then_it_is_among_the_images(lab: Lab) -> None:
    """B01: after `docker pull hello-world`, `docker images` lists it."""
    image = lab.image("hello-world")
    assert any(tag.endswith("hello-world:latest") for tag in image.tags)
    assert image.id in {each.id for each in lab.engine.images.list()}


@pytest.mark.row("B01")
def test_b01_it_greets_and_ends(lab: Lab) -> None:
    """B01: `docker run hello-world` prints its greeting and has ended with exit code 0."""
    box = lab.run("hello-world")
    assert_exit_code(box, 0)
    assert "Hello from Docker!" in box.output
    assert str(box.state) == "exited (0)"
    assert box.image.cmd == ("/hello",)


@pytest.mark.row("B01")
def test_b01_ps_a_lists_it_and_ps_does_not(lab: Lab) -> None:
    """B01: `docker ps` shows running containers only, `docker ps -a` the ended one, too."""
    box = lab.run("hello-world")
    assert box.exit_code == 0
    assert listed(lab, box, everything=False) == ""
    assert listed(lab, box, everything=True) == "exited"


@pytest.mark.row("B01")
def test_b01_ps_lists_what_runs(lab: Lab) -> None:
    """B01: a container that runs is in both lists, as running."""
    box = lab.run("alpine", ["sleep", "600"])
    assert listed(lab, box, everything=False) == "running"
    assert listed(lab, box, everything=True) == "running"


@pytest.mark.row("B01")
def test_wrong_b01_it_ends_with_an_error(lab: Lab) -> None:
    """B01: a container that ends with 3 fails the check for 0, and its last words are shown."""
    box = lab.run("alpine", ["sh", "-c", "echo no greeting; exit 3"])
    with pytest.raises(AssertionError, match=r"(?s)3.*no greeting"):
        assert_exit_code(box, 0)
    with pytest.raises(AssertionError, match="Hello from Docker!"):
        assert_output(box, contains="Hello from Docker!")
