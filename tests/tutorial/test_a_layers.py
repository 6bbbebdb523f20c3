"""Docker intro, chapters "docker build" and "image layers": rows A01–A04."""

from __future__ import annotations

import pytest

from pytest_dockerlab import (
    Build,
    Lab,
    StartFailed,
    assert_cmd,
    assert_env,
    assert_label,
    assert_layers_added,
    image_fixture,
)
from pytest_dockerlab.build.spec import BuilderName
from pytest_dockerlab.checks.layers import instructions

# Instruction → makes a layer, for what is the same on every builder.
LAYER_OR_METADATA = {
    "LABEL": False,
    "ARG": False,
    "ENV": False,
    "RUN": True,
    "COPY": True,
    "WORKDIR": True,  # of a folder that it makes
    "EXPOSE": False,
    "VOLUME": False,
    "USER": False,
    "ENTRYPOINT": False,
    "CMD": False,
}
# RUN that changes nothing, WORKDIR that is there: BuildKit makes a layer of each, the classic builder of none.
EMPTY_IS_A_LAYER = {"buildkit": True, "buildx": True, "classic": False}


layers = image_fixture("layers", scope="run")


def own_instructions(build: Build) -> list[tuple[str, bool]]:
    """(instruction, makes a layer) of what the image adds to its base, in the Dockerfile's order."""
    table = instructions(build.image)[len(build.base.history) :]
    # The labels by which the lab knows what is its own; the classic builder writes them down as instructions.
    own = [row for row in table if not row.text.startswith("LABEL org.dockerlab.")]
    return [(row.text.split()[0], row.index is not None) for row in own]


def builders(lab: Lab) -> list[BuilderName]:
    """The builders that the engine has, of those whose steps can be told apart."""
    both: tuple[tuple[BuilderName, str], ...] = (("buildkit", "buildkit"), ("classic", "classic_builder"))
    return [name for name, needs in both if lab.engine.capabilities.has(needs)]


@pytest.mark.row("A01")
def test_a01_label_and_variable_are_in_the_image(ex1: Build) -> None:
    """A01: LABEL example=1 and ENV PYTHON_VER=3.10 are in ex1's configuration."""
    assert_label(ex1, "example", "1")
    assert_env(ex1, "PYTHON_VER", "3.10")


@pytest.mark.row("A01")
def test_a01_curl_runs_in_a_container(lab: Lab, ex1: Build) -> None:
    """A01: curl, which the RUN installed, tells its version in a container of ex1."""
    box = lab.run(ex1, ["curl", "--version"])
    assert box.exit_code == 0
    assert box.output.startswith("curl ")


@pytest.mark.row("A01")
def test_wrong_a01_label_and_variable_differ(lab: Lab) -> None:
    """A01: an image with another label and no variable fails, and both are named."""
    wrong = lab.build("FROM alpine\nLABEL example=2\n")
    with pytest.raises(AssertionError, match=r"(?s)example.*\b1\b.*\b2\b"):
        assert_label(wrong, "example", "1")
    with pytest.raises(AssertionError, match="PYTHON_VER"):
        assert_env(wrong, "PYTHON_VER", "3.10")


@pytest.mark.row("A01")
def test_wrong_a01_curl_was_not_installed(lab: Lab) -> None:
    """A01: without the RUN that installs it, curl can't be started, and the message names it."""
    wrong = lab.build("FROM python:3.10-slim\nLABEL example=1\nENV PYTHON_VER=3.10\n")
    with pytest.raises(StartFailed, match="curl") as caught:
        lab.run(wrong, ["curl", "--version"])
    assert caught.value.exit_code == 127


@pytest.mark.row("A02")
def test_a02_one_layer_more_than_python_3_10(lab: Lab, ex1: Build) -> None:
    """A02: ex1 has the layers of python:3.10, digest by digest, and exactly one more."""
    base = lab.image("python:3.10")
    assert len(base.layers) > 1
    assert ex1.image.layers[: len(base.layers)] == base.layers
    assert_layers_added(ex1.image, over=base, count=1)


@pytest.mark.row("A02")
def test_a02_the_builds_base_is_python_3_10(lab: Lab, ex1: Build) -> None:
    """A02: what ex1 was built from is the image that `docker pull python:3.10` gives."""
    assert ex1.base.layers == lab.image("python:3.10").layers


@pytest.mark.row("A02")
def test_wrong_a02_a_second_run_is_a_second_layer(lab: Lab, ex2: Build) -> None:
    """A02: an image with one RUN too many has two layers more, and the message says two."""
    with pytest.raises(AssertionError, match=r"(?s)expected:\s+.*1.*found:\s+.*2"):
        assert_layers_added(ex2.image, over=lab.image("python:3.10"), count=1)


@pytest.mark.row("A02")
def test_wrong_a02_another_base(lab: Lab) -> None:
    """A02: an image with one RUN over another base does not begin with python:3.10's layers."""
    wrong = lab.build("FROM alpine\nRUN echo 1 > /one\n")
    with pytest.raises(AssertionError, match="base"):
        assert_layers_added(wrong.image, over=lab.image("python:3.10"), count=1)


@pytest.mark.row("A03")
def test_a03_from_and_run_make_layers_the_rest_is_metadata(layers: Build) -> None:
    """A03: of one instruction of each kind, RUN, COPY and WORKDIR make a layer each, the others none."""
    assert own_instructions(layers) == list(LAYER_OR_METADATA.items())
    assert_layers_added(layers.image, over=layers.base, count=sum(LAYER_OR_METADATA.values()))


@pytest.mark.row("A03")
def test_a03_every_builder_makes_the_same_of_them(lab: Lab) -> None:
    """A03: each builder that the engine has sorts the same instructions into layers and metadata."""
    for builder in builders(lab):
        build = lab.build("layers", builder=builder)
        assert build.trace.builder == builder
        assert own_instructions(build) == list(LAYER_OR_METADATA.items()), builder


@pytest.mark.row("A03")
def test_a03_builders_differ_on_what_changes_nothing(lab: Lab) -> None:
    """A03: an empty RUN and a WORKDIR that exists are layers for BuildKit, and none for the classic builder."""
    for builder in builders(lab):
        build = lab.build("layers", dockerfile="Dockerfile.empty-run", builder=builder)
        expected = EMPTY_IS_A_LAYER[build.trace.builder]
        assert own_instructions(build) == [("RUN", expected), ("WORKDIR", expected)], builder


@pytest.mark.row("A03")
def test_a03_only_layers_are_steps_of_the_build(layers: Build) -> None:
    """A03: the build counts FROM and what makes a layer, as in `[1/2] FROM … [2/2] RUN …`."""
    assert [step.instruction for step in layers.steps] == ["FROM", "RUN", "COPY", "WORKDIR"]
    assert [(step.number, step.total) for step in layers.steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.row("A03")
def test_wrong_a03_a_label_taken_for_a_layer(lab: Lab) -> None:
    """A03: who takes LABEL and ENV for layers is told that they added none."""
    build = lab.build("FROM alpine\nLABEL example=1\nENV PYTHON_VER=3.10\n")
    with pytest.raises(AssertionError, match=r"(?s)expected:\s+.*2.*found:\s+.*0"):
        assert_layers_added(build.image, over=build.base, count=2)


@pytest.mark.row("A04")
def test_a04_python_starts_python3(lab: Lab) -> None:
    """A04: `docker inspect python:3.10` shows Config.Cmd as ["python3"]."""
    assert_cmd(lab.image("python:3.10"), ["python3"])


@pytest.mark.row("A04")
def test_a04_inspect_shows_env_labels_layers_and_cmd(lab: Lab, ex1: Build) -> None:
    """A04: ex1's metadata has its own variable and label, what it inherits from its base, and each layer's digest."""
    base = lab.image("python:3.10")
    assert ex1.image.env == {**base.env, "PYTHON_VER": "3.10"}
    assert ex1.image.labels.items() >= {**base.labels, "example": "1"}.items()
    assert_cmd(ex1, ["python3"])
    assert len(set(ex1.image.layers)) == len(ex1.image.layers)
    assert all(layer.startswith("sha256:") and len(layer) == 71 for layer in ex1.image.layers)


@pytest.mark.row("A04")
def test_wrong_a04_another_default_command(lab: Lab, ex3: Build) -> None:
    """A04: ex3, whose CMD starts a shell, fails the check for python3, and both commands are shown."""
    with pytest.raises(AssertionError, match=r"(?s)python3.*bash"):
        assert_cmd(ex3, ["python3"])
