"""Images of a lab, on a real engine."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pytest_dockerlab.assertions import assert_platform
from pytest_dockerlab.bases.hello import hello_program
from pytest_dockerlab.build.spec import BuildSpec
from pytest_dockerlab.build.trace import BuildTrace
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.results import Transfer
from pytest_dockerlab.errors import BuildFailed, NotFound, UsageError
from pytest_dockerlab.image.model import Image
from pytest_dockerlab.lab.building import Bases, _final_base_name, _placed
from pytest_dockerlab.lab.lab import Lab
from pytest_dockerlab.lab.ownership import LABEL_RUN
from pytest_dockerlab.lab.sources import Source
from pytest_dockerlab.platforms import Platform


@pytest.fixture
def unique() -> str:
    """Something that no other build has."""
    return uuid4().hex


def test_a_build_tells_image_base_steps_and_context(lab: Lab, tmp_path: Path, unique: str) -> None:
    """An exercise's folder becomes an image over its base, with its steps and what was sent."""
    folder = tmp_path / "dockerfiles" / "ex1"
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM alpine\nCOPY note /note\nRUN cat /note > /copy\n")
    (folder / "note").write_text(unique)
    build = lab.build("ex1", labels={"example": "1"})
    assert build.image.layers[: len(build.base.layers)] == build.base.layers
    assert len(build.image.layers) == len(build.base.layers) + 2
    assert build.base == lab.image("alpine")
    assert [step.instruction for step in build.steps] == ["FROM", "COPY", "RUN"]
    assert build.context_files == 2
    assert build.context_bytes == len(unique) + (folder / "Dockerfile").stat().st_size
    assert build.image.labels == {**build.base.labels, "example": "1", **lab.ownership.labels}
    assert build.name in build.image.tags
    assert "RUN cat /note > /copy" in build.log
    assert repr(build).startswith(f"<Build ex1 {build.name}: 2 steps, ")
    assert lab.recorder.builds[0].name == "ex1"
    assert (lab.recorder.builds[0].steps, lab.recorder.builds[0].ok) == (2, True)


def test_two_labs_with_the_same_content_each_take_their_own_name_off(engine: Engine, bases: Bases, unique: str) -> None:
    """Two labs of one run that build the same share the image, and the one that closes takes nothing from the other."""
    one, two = (Lab(engine, bases, run=unique) for _ in range(2))
    text = f"FROM alpine\nRUN echo {unique} > /x\n"
    first, second = one.build(text), two.build(text)
    assert first.id == second.id
    one.close()
    assert engine.images.get(second.name).id == second.id
    two.close()
    for build in (first, second):
        with pytest.raises(NotFound):
            engine.images.get(build.name)
    assert engine.images.get("alpine") == first.base


def test_the_same_source_changed_keeps_both_images(lab: Lab, unique: str) -> None:
    """A second build does not take the first one's name: both can be looked at, and both are removed."""
    first = lab.build(f"FROM alpine\nENV A={unique}1\n")
    second = lab.build(f"FROM alpine\nENV A={unique}2\n")
    assert first.name != second.name
    assert lab.image(first.name).env["A"] == f"{unique}1"
    lab.close()
    for build in (first, second):
        with pytest.raises(NotFound):
            lab.engine.images.get(build.id)


def test_without_a_tag_an_image_dangles(lab: Lab, unique: str) -> None:
    """tag="" gives the image no name at all, and it is removed by its id."""
    build = lab.build(f"FROM alpine\nENV A={unique}\n", tag="")
    assert build.image.dangling
    assert lab.run(build, ["sh", "-c", "echo $A"], network="none").output == f"{unique}\n"
    lab.close()
    with pytest.raises(NotFound):
        lab.engine.images.get(build.id)


def test_a_name_that_another_image_had_goes_back(new_lab: Callable[[], Lab], unique: str) -> None:
    """A tag asked for by the test is moved for its time only."""
    outer, inner = new_lab(), new_lab()
    name = f"dockerlab-test-{unique}:1"
    before = outer.build(f"FROM alpine\nENV A={unique}1\n", tag=name)
    after = inner.build(f"FROM alpine\nENV A={unique}2\n", tag=name)
    assert outer.image(name).id == after.id
    inner.close()
    assert outer.image(name).id == before.id
    outer.close()
    with pytest.raises(NotFound):
        outer.engine.images.get(name)


def test_a_fresh_cache_reuses_only_its_own_steps(lab: Lab, unique: str) -> None:
    """Builds with one nonce share a cache; another nonce finds nothing; a with block gives its own to each build."""
    text = f"FROM alpine\nRUN echo {unique} > /x\n"
    assert not lab.build(text).step(2).cached
    assert lab.build(text).step(2).cached
    fresh = lab.fresh_cache()
    assert not lab.build(text, fresh=fresh).step(2).cached
    assert lab.build(text, fresh=fresh).step(2).cached
    with lab.fresh_cache():
        assert not lab.build(text).step(2).cached
        assert lab.build(text).step(2).cached
    assert lab.build(text).step(2).cached


def test_another_base_instead_of_the_written_one(lab: Lab, unique: str) -> None:
    """base= builds the last stage from something else, the first stage from what is written."""
    other = lab.build(f"FROM alpine\nENV WHO={unique}\n")
    text = "FROM alpine AS tools\nRUN echo tool > /tool\nFROM debian\nCOPY --from=tools /tool /tool\n"
    build = lab.build(text, base=other)
    assert build.base == other.image
    assert build.image.env["WHO"] == unique
    assert build.image.layers[: len(other.image.layers)] == other.image.layers


def test_a_base_whose_name_goes_on_in_the_next_line(lab: Lab) -> None:
    """A builder puts nothing between the lines, so that this is one name to it."""
    assert lab.build("FROM al\\\npine\nENV A=1\n").base.id == lab.image("alpine").id


def test_from_scratch_has_a_base_without_layers(lab: Lab, tmp_path: Path) -> None:
    """FROM scratch is a base of no layers, not an image to bring."""
    (tmp_path / "note").write_text("x")
    build = lab.build("FROM scratch\nCOPY note /note\n", context=tmp_path)
    assert build.base.layers == ()
    assert len(build.image.layers) == 1


def test_a_failed_build_shows_its_step_and_is_evidence(lab: Lab, unique: str) -> None:
    """A failing RUN raises with its exit code and log, is recorded, and told with a failed test."""
    with pytest.raises(BuildFailed, match=f"oops {unique}") as caught:
        lab.build(f"FROM alpine\nRUN echo oops {unique}; exit 3\n")
    assert (caught.value.step, caught.value.exit_code) == (2, 3)
    assert not lab.recorder.builds[0].ok
    title, text = lab.describe_failure()[0]
    assert title == "build that failed"
    assert f"oops {unique}" in text


def test_saved_and_loaded_an_image_is_the_same(new_lab: Callable[[], Lab], tmp_path: Path, unique: str) -> None:
    """An image that was saved and removed is loaded with the same id, and removed with the lab that loaded it."""
    one, two = new_lab(), new_lab()
    build = one.build(f"FROM alpine\nENV A={unique}\n")
    path = one.save(build, tmp_path / "image.tar")
    one.close()
    loaded = two.load(path)
    assert loaded.id == build.id
    assert loaded.env["A"] == unique
    two.close()
    with pytest.raises(NotFound):
        two.engine.images.get(build.id)


def test_what_was_there_before_a_load_stays(new_lab: Callable[[], Lab], tmp_path: Path, unique: str) -> None:
    """Loading an image that the engine has already does not make it the loader's."""
    one, two = new_lab(), new_lab()
    build = one.build(f"FROM alpine\nENV A={unique}\n")
    two.load(one.save(build, tmp_path / "image.tar"))
    two.close()
    assert one.image(build.name).id == build.id
    with pytest.raises(UsageError, match=r"load: no such file: .*missing\.tar"):
        one.load(tmp_path / "missing.tar")


def test_a_registry_takes_layers_once(lab: Lab, unique: str) -> None:
    """A push sends the layers that the registry lacks; what it has is not sent again; a pull brings the same image."""
    registry = lab.registry()
    first = lab.tag(lab.build(f"FROM alpine\nRUN echo {unique}1 > /1\n"), registry.name("team/app:1"))
    second = lab.build(
        f"FROM alpine\nRUN echo {unique}1 > /1\nRUN echo {unique}2 > /2\n", tag=registry.name("team/app:2")
    )
    assert {layer.status for layer in lab.push(first.name).layers} == {"Pushed"}
    stored = len(registry.blobs)
    assert sorted(layer.status for layer in lab.push(second.tag).layers) == [
        "Layer already exists",
        "Layer already exists",
        "Pushed",
    ]
    assert len(registry.blobs) == stored + 3
    assert registry.repositories() == ("team/app",)
    assert registry.tags("team/app") == ("1", "2")
    assert len(registry.manifest("team/app", "2")["layers"]) == 3
    lab.engine.images.remove(second.tag)
    pulled = lab.pull(second.tag)
    assert (pulled.image, pulled.digest) == (second.id, registry.digest("team/app", "2"))
    with pytest.raises(NotFound, match="/v2/other/tags/list"):
        registry.tags("other")
    lab.close()
    for name in (first.id, second.id):
        with pytest.raises(NotFound):
            lab.engine.images.get(name)


def test_a_text_beside_a_context_does_not_touch_it(tmp_path: Path) -> None:
    """A Dockerfile given as text is put beside the context that is sent, never into it."""
    context, scratch = tmp_path / "context", tmp_path / "scratch"
    context.mkdir()
    scratch.mkdir()
    spec = _placed(Source(name="text", context=context, text="FROM x\n"), BuildSpec(context=Path()), scratch)
    assert (spec.context, spec.dockerfile) == (context, scratch / "Dockerfile")
    assert list(context.iterdir()) == []


def test_the_base_of_a_stage_is_what_its_stages_start_from() -> None:
    """The last stage's base is followed through earlier stages to an image."""
    from pytest_dockerlab.build.dockerfile import parse

    file = parse("FROM python:3.10 AS a\nRUN x\nFROM a AS b\nFROM b\n")
    assert _final_base_name(file, "") == "python:3.10"


def test_values_of_a_build_that_are_no_text(lab: Lab) -> None:
    """Build arguments are text; a number is refused with its name."""
    with pytest.raises(UsageError, match="args: 'N': 3 is not text to text"):
        lab.build("FROM alpine\nARG N\n", args={"N": 3})  # type: ignore[dict-item]


def test_labs_with_the_same_content_may_close_at_the_same_time(engine: Engine, bases: Bases, unique: str) -> None:
    """The engine may remove the image that they shared twice; it is gone, and nobody's trouble."""
    text = f"FROM alpine\nRUN echo {unique} > /x\n"
    labs = [Lab(engine, bases, run=unique) for _ in range(6)]
    for _ in range(3):
        made = [lab.build(text) for lab in labs]
        with ThreadPoolExecutor(len(labs)) as pool:
            list(pool.map(lambda lab: lab.close(), labs))
        assert engine.images.list({LABEL_RUN: unique}) == ()
        assert len({build.id for build in made}) == 1
        labs = [Lab(engine, bases, run=unique) for _ in range(6)]


def test_an_image_that_is_removed_under_our_hands_is_there_again(
    engine: Engine, bases: Bases, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's removal of the same content comes between a build and its name: it is told as it was built."""
    build = engine.build
    went: list[str] = []

    def unlucky(*args: Any, **kwargs: Any) -> BuildTrace:
        trace = build(*args, **kwargs)
        if not went:
            went.extend(engine.images.remove(trace.image_id, force=True))
        return trace

    monkeypatch.setattr(engine, "build", unlucky)
    with Lab(engine, bases, run=unique) as lab:
        made = lab.build(f"FROM alpine\nRUN echo {unique} > /x\n")
        assert went
        assert [step.cached for step in made.steps[1:]] == [False]
        assert engine.images.get(made.name).id == made.id == made.trace.image_id


@dataclass(frozen=True)
class Brought:
    reference: str
    image: Image
    kind: str


class SlowBases:
    """Bases that make a stand-in of everything, and remember what they were asked for."""

    def __init__(self, engine: Engine, reference: str) -> None:
        self.engine = engine
        self.reference = reference
        self.asked: list[str] = []

    def ensure(self, ref: str, platform: Platform | None = None) -> Brought:
        self.asked.append(ref)
        return Brought(self.reference, self.engine.images.get(self.reference), "stand-in")

    def pull(self, ref: str, platform: Platform) -> Transfer:
        raise AssertionError(f"{ref} for {platform} was to be pulled")


def test_a_base_under_another_name_is_built_from(engine: Engine, unique: str) -> None:
    """Where a base has another name on this engine the build starts from that, and the bringing is told once."""
    bases = SlowBases(engine, "alpine:latest")
    with Lab(engine, bases) as lab:
        build = lab.build(f"FROM nowhere/such:{unique}\nRUN echo 1 > /1\n")
        assert build.base == engine.images.get("alpine")
        assert build.spec.replace_bases == {f"nowhere/such:{unique}": "alpine:latest"}
        assert lab.image(f"nowhere/such:{unique}") == build.base
        assert [(event.name, event.kind) for event in lab.recorder.pulls] == [(f"nowhere/such:{unique}", "stand-in")]


def test_what_the_lab_made_is_never_brought(engine: Engine, unique: str) -> None:
    """Names that the lab gave, and ids that the engine knows, are no bases."""
    bases = SlowBases(engine, "alpine:latest")
    with Lab(engine, bases) as lab:
        build = lab.build(f"FROM alpine\nENV A={unique}\n", tag=f"dockerlab-test-{unique}")
        assert bases.asked == ["alpine"]
        for name in (build.name, build.tag, build.id, build.id.removeprefix("sha256:")[:12]):
            assert lab.image(name) == build.image
        assert lab.build(f"FROM {build.tag}\nENV B=1\n").base == build.image
        assert bases.asked == ["alpine"]


def test_one_name_for_several_platforms(lab: Lab, unique: str, tmp_path: Path) -> None:
    """A list in a registry gives each platform its own image, whose program is really made for it."""
    (tmp_path / "note").write_text(unique)
    both = (Platform("linux", "amd64"), Platform("linux", "arm64"))
    built = {}
    for platform in both:
        (tmp_path / "hello").write_bytes(hello_program(platform))
        (tmp_path / "hello").chmod(0o755)
        text = 'FROM scratch\nCOPY hello note /\nCMD ["/hello"]\n'
        built[platform] = lab.build(text, context=tmp_path, platform=platform)
    registry = lab.registry()
    digests = registry.push_list("team/app:1", *built.values())
    listed = registry.manifest("team/app", "1")["manifests"]
    assert {entry["platform"]["architecture"]: entry["digest"] for entry in listed} == {
        platform.architecture: digest for platform, digest in digests.items()
    }
    for platform in both:
        pulled = lab.pull(registry.name("team/app:1"), platform=platform)
        image = lab.engine.images.get(pulled.image)
        assert image.layers == built[platform].image.layers
        assert assert_platform(image, platform) == platform
    assert "Hello" in lab.run(built[lab.engine.info.platform]).output
    with pytest.raises(UsageError, match=rf"two images for {both[0]}"):
        registry.push_list("team/app:2", built[both[0]], built[both[0]])
    with pytest.raises(UsageError, match=r"team/app:2: no image was given"):
        registry.push_list("team/app:2")


def test_a_pull_that_no_registry_answers(engine: Engine, unique: str) -> None:
    """What stands in for an image that can't be pulled is there, and nothing was transferred."""
    with Lab(engine, SlowBases(engine, "alpine:latest")) as lab:
        # Port 1 refuses at once: no registry is asked outside of this machine.
        transfer = lab.pull(f"127.0.0.1:1/such:{unique}")
    assert transfer.image == engine.images.get("alpine").id
