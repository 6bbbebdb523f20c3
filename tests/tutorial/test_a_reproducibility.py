"""Docker intro, on reproducibility, and the slips in its own text: rows A15 and A16."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_dockerlab import (
    Build,
    BuildFailed,
    Lab,
    UsageError,
    assert_all_reused,
    assert_architecture,
    assert_exit_code,
    assert_file,
    assert_shares_layers,
)

# --- A15: the same and not the same ----------------------------------------------------------


@pytest.mark.row("A15")
def test_a15_the_same_context_gives_the_same_layers(lab: Lab) -> None:
    """A15: built twice, the same context gives the same layers, all steps from the cache."""
    first = lab.build("cache")
    second = lab.build("cache")
    assert_all_reused(second)
    assert second.image.layers == first.image.layers


@pytest.mark.row("A15")
def test_a15_another_base_tag_gives_other_layers(lab: Lab) -> None:
    """A15: the same instructions over another tag of the base give another image; the first other layer is named."""
    text = "FROM {}\nRUN echo 1 > /one\n"
    full, slim = (lab.build(text.format(base)) for base in ("python:3.10", "python:3.10-slim"))
    assert full.image.layers != slim.image.layers
    with pytest.raises(AssertionError, match=r"the first that differs is layer \d+"):
        assert_shares_layers(full, slim, len(full.image.layers))


@pytest.mark.row("A15")
def test_a15_another_architecture_gives_another_image(lab: Lab, dockerfiles: Path) -> None:
    """A15: the same instructions for another architecture give another image, and both are named."""
    text = "FROM scratch\nCOPY notes.txt /notes.txt\n"
    intel, arm = (
        lab.build(text, context=dockerfiles / "cache", platform=platform) for platform in ("linux/amd64", "linux/arm64")
    )
    assert intel.id != arm.id
    assert_architecture(arm, "arm64")
    with pytest.raises(AssertionError, match=r"(?s)made for linux/arm64.*linux/amd64"):
        assert_architecture(arm, "amd64")


@pytest.mark.row("A15")
def test_a15_a_changed_file_gives_other_layers_from_its_step_on(lab: Lab, dockerfiles: Path, tmp_path: Path) -> None:
    """A15: with one file changed, the layers below its COPY are the same; its own is another."""
    context = Path(shutil.copytree(dockerfiles / "cache", tmp_path / "cache"))
    first = lab.build(context)
    (context / "notes.txt").write_text("changed\n", encoding="utf-8")
    second = lab.build(context)
    same = len(first.base.layers) + 2
    assert_shares_layers(first, second, same)
    assert first.image.layers[same] != second.image.layers[same]


@pytest.mark.row("A15")
def test_wrong_a15_built_anew(lab: Lab) -> None:
    """A15: without the cache a RUN gives another layer, and the message names the step that ran."""
    text = "FROM alpine\nRUN date +%s%N > /when || cat /proc/uptime > /when\n"
    lab.build(text)
    again = lab.build(text, no_cache=True)
    with pytest.raises(AssertionError, match=r"RUN date"):
        assert_all_reused(again)


@pytest.mark.row("A15")
def test_wrong_a15_a_changed_file(lab: Lab, dockerfiles: Path, tmp_path: Path) -> None:
    """A15: who expects all layers to be shared is told which is the first that differs."""
    context = Path(shutil.copytree(dockerfiles / "cache", tmp_path / "cache"))
    first = lab.build(context)
    (context / "notes.txt").write_text("changed\n", encoding="utf-8")
    second = lab.build(context)
    same = len(first.base.layers) + 2
    with pytest.raises(AssertionError, match=rf"(?s)first that differs is layer {same + 1}"):
        assert_shares_layers(first, second, len(first.image.layers))


# --- A16: slips ------------------------------------------------------------------------------


@pytest.mark.row("A16")
@pytest.mark.parametrize(("slip", "meant"), [('ENDPOINT ["python"]', "ENTRYPOINT"), ("PORT 8888", "EXPOSE")])
def test_wrong_a16_an_instruction_that_there_is_not(lab: Lab, slip: str, meant: str) -> None:
    """A16: ENDPOINT and PORT are no instructions: they are named with their line, and so is what was meant."""
    word = slip.split()[0]
    with pytest.raises(BuildFailed, match=rf"(?s){word} is no Dockerfile instruction.*did you mean {meant}") as caught:
        lab.build(f"FROM alpine\n{slip}\n")
    assert caught.value.line == 2


@pytest.mark.row("A16")
def test_wrong_a16_a_dockerfile_that_is_not_there(lab: Lab, dockerfiles: Path) -> None:
    """A16: `-f ./examples/ex-1/Dockerfile` where the folder is ex1 names the path and what there is."""
    with pytest.raises(UsageError, match=r"(?s)ex-1/Dockerfile"):
        lab.build(dockerfiles / "ex1", dockerfile="../ex-1/Dockerfile")
    with pytest.raises(UsageError, match=r"(?s)ex-1.*ex1"):
        lab.build("ex-1")


@pytest.mark.row("A16")
@pytest.mark.requires("local_files")
def test_wrong_a16_mounted_at_one_place_used_at_another(lab: Lab, ex3: Build, dockerfiles: Path) -> None:
    """A16: mounted at /ex3 and looked for in /my_python_scripts, the script is not found, and its path is named."""
    box = lab.run(ex3, ["python", "/my_python_scripts/hello-world.py"], volumes={dockerfiles / "ex3": "/ex3"})
    with pytest.raises(AssertionError, match=r"/my_python_scripts/hello-world.py"):
        assert_exit_code(box, 0)
    with pytest.raises(AssertionError, match=r"/my_python_scripts/hello-world.py"):
        assert_file(box, "/my_python_scripts/hello-world.py")


@pytest.mark.row("A16")
def test_a16_without_the_slips_it_builds(lab: Lab) -> None:
    """A16: the same with ENTRYPOINT and EXPOSE is built, and has both."""
    build = lab.build('FROM alpine\nENTRYPOINT ["cat"]\nEXPOSE 8888\n')
    assert build.image.entrypoint == ("cat",)
    assert build.image.config.exposed_ports == ("8888/tcp",)
