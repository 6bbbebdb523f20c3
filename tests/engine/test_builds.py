"""The verb ``build`` on a real engine."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_dockerlab.build.spec import BuilderName, BuildSpec
from pytest_dockerlab.build.trace import BuildTrace
from pytest_dockerlab.engine.build_errors import failure_of
from pytest_dockerlab.engine.build_stream import send_build
from pytest_dockerlab.engine.builds import build, choose_builder, load_dockerfile
from pytest_dockerlab.engine.buildx import buildx_arguments, find_buildx
from pytest_dockerlab.engine.context import pack, plan_context
from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.pulse import Pulse
from pytest_dockerlab.errors import (
    BaseImageMissing,
    BuildFailed,
    BuildTimedOut,
    CapabilityMissing,
    DiskFull,
    EngineError,
    LabError,
    NotFound,
    UsageError,
)
from pytest_dockerlab.run.spec import RunSpec

Build = Callable[..., BuildTrace]


@pytest.fixture(params=["buildkit", "classic", "podman"])
def builder(request: pytest.FixtureRequest, engine: Engine) -> BuilderName:
    """Each builder that the engine has."""
    name: BuilderName = request.param
    if (name == "podman") != (engine.info.product == "Podman"):
        pytest.skip(f"{engine.info.product} has no builder {name}")
    return name


@pytest.fixture
def made(engine: Engine, tmp_path: Path) -> Iterator[Build]:
    """Builds a Dockerfile's text with some files; the image is removed when the test ends."""
    images: list[str] = []

    def make(text: str, files: dict[str, str] | None = None, **settings: Any) -> BuildTrace:
        context = tmp_path / f"context-{len(list(tmp_path.iterdir()))}"
        for name, content in {"Dockerfile": text, **(files or {})}.items():
            path = context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        progress = settings.pop("on_progress", None)
        tag = f"dockerlab-test-{uuid.uuid4().hex}:1"
        trace = engine.build(BuildSpec(context=context, **{"tags": (tag,), **settings}), progress)
        images.append(tag)
        return trace

    yield make
    for image in images:
        with contextlib.suppress(NotFound):
            engine.images.remove(image, force=True)


def unique(command: str = "true") -> str:
    """A RUN that no cache can know."""
    return f"RUN : {uuid.uuid4().hex}; {command}"


def test_a_build_tells_its_steps_and_a_second_one_reuses_them(made: Build, builder: BuilderName) -> None:
    """Logs, progress lines, context size and image id are there; the same again is cached, step by step."""
    text, lines = f"FROM alpine\nCOPY a /a\n{unique('cat /a')}\nLABEL x=y\n", list[str]()
    content = f"hello {uuid.uuid4().hex}\n"
    first = made(text, {"a": content}, builder=builder, on_progress=lines.append)
    assert [step.cached for step in first.work] == [False, False]
    assert first.step(3).log == content
    assert first.context_files == 2
    assert first.context_bytes == len(text) + len(content)
    assert first.image_id.startswith("sha256:")
    begun = f"[3/3] {text.splitlines()[2]}"
    assert [line.partition(":")[0] for line in lines].count(begun.partition(":")[0]) == 2
    assert lines.index(begun) < len(lines) - 1
    second = made(text, {"a": content}, builder=builder)
    assert [step.cached for step in second.work] == [True, True]
    third = made(text, {"a": f"changed {content}"}, builder=builder)
    assert [step.cached for step in third.work] == [False, False]
    again = made(text, {"a": content}, builder=builder, no_cache=True)
    assert not again.step(3).cached


def test_a_failed_step_is_told_with_place_code_and_log(made: Build, builder: BuilderName) -> None:
    """The error carries what is needed to mend it."""
    with pytest.raises(BuildFailed, match=r"failed at \[2/3\] RUN .* with exit code 3") as caught:
        made(f"# a comment\nFROM alpine\n{unique('echo before; exit 3')}\nRUN never\n", builder=builder)
    error = caught.value
    assert (error.step, error.exit_code, error.line) == (2, 3, 3)
    assert error.log == "before"
    assert error.file.endswith("Dockerfile")
    assert isinstance(error.trace, BuildTrace)
    assert "Dockerfile:3\n  last lines of the step's log:\n    before" in str(error)


@pytest.mark.parametrize("text", ["FROM alpine\n{run}\nCOPY nope.txt /x\n", "FROM alpine\nCOPY . /a\nCOPY nope.txt /x"])
def test_a_missing_copy_source_is_named(made: Build, builder: BuilderName, text: str) -> None:
    """With its line, and without anything of how the context was sent."""
    with pytest.raises(BuildFailed, match=r"'/?nope.txt' is not in the build context") as caught:
        made(text.format(run=unique()), {".dockerignore": "Dockerfile"}, builder=builder)
    assert caught.value.line == 3
    assert ".dockerlab" not in str(caught.value)


def test_a_missing_base_is_the_engines_matter(made: Build, builder: BuilderName) -> None:
    """Whose registry does not have it, or can't be reached: not the Dockerfile's step that failed."""
    with pytest.raises(BaseImageMissing, match="dockerlab-no-such-base:1 can't be had"):
        made("FROM dockerlab-no-such-base:1\nRUN x\n", builder=builder)


def test_an_unknown_instruction_is_told_before_anything_is_sent(made: Build) -> None:
    """With file, line and what was meant; further ones are named, too."""
    with pytest.raises(BuildFailed, match="ENDPOINT is no Dockerfile instruction") as caught:
        made('FROM alpine\nENDPOINT ["x"]\nPORT 80\n')
    assert caught.value.line == 2
    assert caught.value.remedy == "did you mean ENTRYPOINT?"
    assert "Dockerfile:3: PORT is no Dockerfile instruction" in str(caught.value)


def test_a_turn_hears_of_a_failure(engine: Engine, builder: BuilderName, tmp_path: Path) -> None:
    """Who waits for it need not wait on: there will be nothing in the cache."""
    heard: list[str] = []

    @contextlib.contextmanager
    def turn(content: str) -> Iterator[None]:
        try:
            yield
        except BuildFailed as error:
            heard.append(error.what)
            raise

    (tmp_path / "Dockerfile").write_text(f"FROM alpine\n{unique('exit 3')}\n")
    with pytest.raises(BuildFailed) as caught:
        engine.build(BuildSpec(context=tmp_path, builder=builder), turn=turn)
    assert heard == [caught.value.what]


def test_a_run_that_talks_of_a_full_disk_is_a_failed_run(made: Build, builder: BuilderName) -> None:
    """Words in a command are not the engine's."""
    with pytest.raises(BuildFailed) as caught:
        made(f"FROM alpine\n{unique('echo no space left on device; exit 1')}\n", builder=builder)
    assert caught.value.exit_code == 1


def test_a_hung_build_is_cancelled_on_the_engine(engine: Engine, made: Build, builder: BuilderName) -> None:
    """The error names the step that was running, and its process is gone."""
    mark = uuid.uuid4().hex
    for seconds in (5, 20, 80):
        with pytest.raises(BuildTimedOut, match=f"did not end within {seconds} s") as caught:
            made(f"FROM alpine\nRUN echo begun; sleep 600; : {mark}\n", builder=builder, timeout=seconds)
        if caught.value.log:
            break  # the engine had come that far
    assert "while [2/2] RUN" in caught.value.what
    assert (caught.value.step, caught.value.line, caught.value.log) == (2, 2, "begun")
    if builder == "podman":
        return  # it leaves the process behind; the error says so
    if engine.endpoint.socket and os.geteuid() == 0 and engine.info.kernel == os.uname().release:
        assert not _processes(mark)


def _processes(mark: str) -> list[str]:
    """Command lines on this host that hold ``mark``, once those that are just ending have ended."""
    found: list[str] = []
    for _ in range(100):
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                line = path.read_bytes().decode(errors="replace")
                found += [line] if mark in line and "pytest" not in line else []
        if not found:
            return found
        threading.Event().wait(0.05)
    return found


def test_a_fresh_cache_is_filled_by_nobody_else(made: Build, builder: BuilderName) -> None:
    """Another nonce builds RUN anew, the same one reuses it, and the ordinary cache is left as it was."""
    text = f"FROM alpine\n{unique()}\nRUN echo two\n"
    made(text, builder=builder)
    one, other = uuid.uuid4().hex, uuid.uuid4().hex
    assert [step.cached for step in made(text, builder=builder, fresh=one).work] == [False, False]
    assert [step.cached for step in made(text, builder=builder, fresh=one).work] == [True, True]
    assert [step.cached for step in made(text, builder=builder, fresh=other).work] == [False, False]
    assert [step.cached for step in made(text, builder=builder).work] == [True, True]


def test_settings_reach_the_builder(engine: Engine, made: Build, builder: BuilderName) -> None:
    """Arguments, labels, target, extra hosts and several names."""
    tags = tuple(f"dockerlab-test-{uuid.uuid4().hex}:1" for _ in range(2))
    trace = made(
        "ARG BASE=nope\nFROM ${BASE} AS one\nARG WHO\n"
        f"{unique('echo $WHO; grep box.example /etc/hosts')}\nFROM one\nRUN false\n",
        builder=builder,
        args={"BASE": "alpine", "WHO": "world"},
        labels={"a": "b c"},
        target="one",
        extra_hosts={"box.example": "192.0.2.7"},
        tags=tags,
    )
    assert trace.steps[-1].log.split() == ["world", "192.0.2.7", "box.example"]
    for tag in tags:
        image = engine.images.get(tag)
        assert image.id == trace.image_id
        assert image.labels["a"] == "b c"
        engine.images.remove(tag)


def test_a_base_is_replaced_where_the_registry_does_not_have_it(made: Build, builder: BuilderName) -> None:
    """The trace still shows the Dockerfile's own words."""
    trace = made(
        f"FROM dockerlab-no-such-base AS x\n{unique()}\n",
        builder=builder,
        replace_bases={"dockerlab-no-such-base:latest": "alpine"},
    )
    assert trace.step(1).text == "FROM dockerlab-no-such-base AS x"


LIST = "FROM alpine\nCOPY . /ctx\nRUN cd /ctx && find . -mindepth 1 | sort | tr '\\n' ' '; : {nonce}\n"


@pytest.mark.parametrize(
    ("files", "seen"),
    [
        ({"a": "", "b/c": "", ".dockerignore": "b\n"}, "./.dockerignore ./Dockerfile ./a "),
        ({"a": "", "b/c": "", ".dockerignore": "b/*\n!b/c\n"}, "./.dockerignore ./Dockerfile ./a ./b ./b/c "),
        ({"a": "", "x.log": "", ".dockerignore": "*.log\nDockerfile\n.dockerignore\n"}, "./a "),
        ({"a": "", "z": "", ".dockerignore": "a", "Dockerfile.dockerignore": "Dockerfile*\n.dockerignore"}, "./a ./z "),
    ],
)
def test_copy_sees_what_is_not_ignored(made: Build, builder: BuilderName, files: dict[str, str], seen: str) -> None:
    """As with the docker command line: an ignored Dockerfile is not seen either."""
    assert made(LIST.format(nonce=uuid.uuid4().hex), files, builder=builder).step(3).log == seen


def test_a_dockerfile_outside_of_the_context_is_not_seen_by_copy(
    engine: Engine, tmp_path: Path, builder: BuilderName
) -> None:
    """Nor does a change of it make a new ``COPY .``."""
    context = tmp_path / "ctx"
    context.mkdir()
    (context / "a").write_text(uuid.uuid4().hex)
    traces = []
    for number in range(2):
        (tmp_path / "Dockerfile.dev").write_text(LIST.format(nonce=number))
        spec = BuildSpec(context=context, dockerfile=Path("../Dockerfile.dev"), builder=builder)
        traces.append(engine.build(spec))
    assert traces[0].step(3).log.split() == ["./a"]
    assert traces[1].step(2).cached
    for trace in traces:
        with contextlib.suppress(NotFound):
            engine.images.remove(trace.image_id, force=True)


def test_symlinks_modes_and_long_names_survive(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link stays a link (also a broken one), a mode a mode, and files belong to root."""
    context = tmp_path / "ctx"
    context.mkdir()
    (context / ("n" * 120)).write_text("x")
    (context / "run.sh").write_text("x")
    (context / "run.sh").chmod(0o750)
    (context / "link").symlink_to("run.sh")
    (context / "broken").symlink_to("/nowhere")
    if os.geteuid() == 0:
        os.chown(context / "run.sh", 1234, 1234)
    monkeypatch.chdir(context)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("sock")
    (context / "Dockerfile").write_text(
        f"FROM alpine\nCOPY . /ctx\n"
        f"{unique('cd /ctx; stat -c %a:%u run.sh; readlink link; readlink broken; ls | wc -l')}\n"
    )
    trace = engine.build(BuildSpec(context=context))
    engine.images.remove(trace.image_id, force=True)
    assert trace.step(3).log.split() == ["750:0", "run.sh", "/nowhere", "5"]


def test_the_same_folder_makes_the_same_archive(tmp_path: Path) -> None:
    """Whatever order the file system lists it in, and whoever owns it."""
    archives = []
    for names in ("ab", "ba"):
        context = tmp_path / names
        context.mkdir()
        for name in names:
            (context / name).write_text(name)
            os.utime(context / name, (1.5, 1.5))
        (context / "Dockerfile").write_text("FROM a")
        plan = plan_context(BuildSpec(context=context))
        with pack(plan, "FROM a", engine_ignores=False).body as body:
            archives.append(body.read())
    assert archives[0] == archives[1]


@pytest.mark.parametrize(
    ("context", "dockerfile", "what", "near"),
    [
        ("examples/ex-1", None, r"build context .*examples/ex-1 does not exist", "ex1, ex2"),
        ("exmaples/ex1", None, r"exmaples/ex1 does not exist", "there is: examples"),
        ("examples/ex1", "Dockerfile.dve", r"Dockerfile .*Dockerfile.dve does not exist", "Dockerfile.dev"),
        ("examples/ex2/empty", None, "Dockerfile does not exist", "is empty"),
        ("examples/ex1/Dockerfile.dev", None, "is not a folder", "Dockerfile.dev"),
    ],
)
def test_a_path_that_is_not_there_names_what_is_near(
    tmp_path: Path, context: str, dockerfile: str | None, what: str, near: str
) -> None:
    """For the context and for the Dockerfile."""
    (tmp_path / "examples" / "ex2" / "empty").mkdir(parents=True)
    (tmp_path / "examples" / "ex1").mkdir()
    (tmp_path / "examples" / "ex1" / "Dockerfile.dev").write_text("FROM a")
    spec = BuildSpec(context=tmp_path / context, dockerfile=Path(dockerfile) if dockerfile else None)
    with pytest.raises(UsageError, match=what) as caught:
        load_dockerfile(spec)
    assert near in caught.value.remedy


def test_an_unknown_target_is_told_with_those_that_exist(made: Build) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=r"has no stage 'nope'") as caught:
        made("FROM alpine AS one\nFROM one AS two\n", target="nope")
    assert caught.value.remedy == "stages: one, two"


def test_the_classic_builder_refuses_here_documents(made: Build, engine: Engine) -> None:
    """It would write an empty file without a word."""
    if engine.info.product == "Podman":
        pytest.skip("Podman has no classic builder")
    with pytest.raises(UsageError, match=r"Dockerfile:2: the classic builder ignores here-documents"):
        made("FROM alpine\nRUN cat <<EOF >/x\nhello\nEOF\n", builder="classic")


def test_a_docker_frontend_that_is_not_there_is_not_fetched(made: Build, engine: Engine) -> None:
    """The engine's own reads the Dockerfile, and the trace says so."""
    if engine.info.product == "Podman":
        pytest.skip("only BuildKit has frontends")
    trace = made(f"# syntax=docker/dockerfile:0.0-none\nFROM alpine\n{unique()}\n", builder="buildkit")
    assert trace.warnings == ("# syntax=docker/dockerfile:0.0-none is not on the engine: its own frontend was used",)


def test_steps_that_a_base_brings_are_in_the_trace(made: Build, engine: Engine) -> None:
    """ONBUILD of the base, on BuildKit."""
    if engine.info.product == "Podman":
        pytest.skip("Podman does not number them")
    name = f"dockerlab-test-{uuid.uuid4().hex}:1"
    made(f"FROM alpine\n{unique()}\nONBUILD RUN echo triggered\n", tags=(name,), builder="buildkit")
    trace = made(f"FROM {name}\n{unique('echo own')}\n", builder="buildkit")
    engine.images.remove(name, force=True)
    assert [step.log for step in trace.work] == ["triggered\n", "own\n"]
    assert [step.number for step in trace.work] == [2, 3]


def test_an_image_that_was_built_runs(made: Build, engine: Engine) -> None:
    """The id of the trace is one that the engine knows."""
    trace = made(f'FROM alpine\n{unique("echo x > /x")}\nCMD ["cat", "/x"]\n')
    container = engine.containers.create(RunSpec(image=trace.image_id, labels=engine.labels)).id
    engine.containers.start(container)
    assert engine.containers.wait(container, 20) == 0
    assert engine.containers.logs(container).text == "x\n"
    engine.containers.remove(container)


# What needs no engine, because the engine's answers are what is tried.


class _Broken:
    """An engine whose stream ends in the middle, or says what it was told to."""

    def __init__(self, *messages: dict[str, object]) -> None:
        body = b"".join(json.dumps(each).encode() + b"\n" for each in messages)
        response = SimpleNamespace(
            status_code=200, close=lambda: None, iter_content=lambda size: iter(io.BytesIO(body).readlines())
        )
        api = SimpleNamespace(_post=lambda *a, **k: response, _url=lambda path: path)
        self.docker = SimpleNamespace(api=api)
        # Over ssh nobody asks whether it still answers: what it says is all that there is.
        pulse = Pulse(Endpoint(url="ssh://gone", name="x", source="y"), 60.0)
        self.api = SimpleNamespace(pulse=pulse, cutter=lambda: lambda: None)
        self.endpoint = SimpleNamespace(url="unix:///gone.sock", name="x", source="y", private=False)
        self.info = SimpleNamespace(product="Docker Engine", version="28.1", containerd_store=False)
        self.capabilities = SimpleNamespace(has=lambda name: False, require=lambda name: None)


def _broken(*messages: dict[str, object]) -> Any:
    return _Broken(*messages)


@pytest.fixture
def spec(tmp_path: Path) -> BuildSpec:
    """A build of two steps."""
    (tmp_path / "Dockerfile").write_text("FROM a\nRUN b\n")
    return BuildSpec(context=tmp_path)


def test_an_engine_that_goes_away_is_told_with_the_step(spec: BuildSpec) -> None:
    """It is the engine's fault, not the Dockerfile's."""
    engine = _broken(
        {"stream": "Step 1/2 : FROM a"}, {"stream": " ---> 111111111111\n"}, {"stream": "Step 2/2 : RUN b"}
    )
    with pytest.raises(EngineError, match=r"ended the build while \[2/2\] RUN b was running without a result"):
        build(engine, spec)


def test_a_full_disk_is_the_engines_fault(spec: BuildSpec) -> None:
    """When the builder itself says so."""
    engine = _broken({"errorDetail": {"message": "write /var/lib/x: no space left on device"}})
    with pytest.raises(DiskFull, match="no space left on device"):
        build(engine, spec)


@pytest.mark.parametrize("error", ["graceful_stop", "failed to solve: context canceled"])
def test_an_engine_that_is_stopped_is_not_the_dockerfiles_fault(spec: BuildSpec, error: str) -> None:
    """BuildKit's words for it."""
    trace = BuildTrace(builder="buildkit", steps=(), error=error)
    found = failure_of(load_dockerfile(spec), trace)
    assert type(found) is EngineError
    assert "the engine gave the build up" in str(found)


def test_a_parse_error_of_the_engine_has_its_line(spec: BuildSpec) -> None:
    """For what only the engine's parser knows."""
    trace = BuildTrace(builder="buildkit", steps=(), error="dockerfile parse error on line 2: unknown flag: x")
    found = failure_of(load_dockerfile(spec), trace)
    assert isinstance(found, BuildFailed)
    assert (found.line, found.what) == (2, "the Dockerfile can't be built: unknown flag: x")


@pytest.mark.parametrize(
    ("settings", "kind", "what"),
    [
        ({"builder": "podman"}, CapabilityMissing, "this engine is Docker Engine"),
        ({"builder": "classic", "secrets": {"a": "b"}}, UsageError, "secrets and ssh need a session"),
    ],
)
def test_a_builder_that_can_not_is_refused(
    spec: BuildSpec, settings: dict[str, Any], kind: type[LabError], what: str
) -> None:
    """With the reason."""
    with pytest.raises(kind, match=what):
        choose_builder(_broken(), dataclasses.replace(spec, **settings))


def test_an_engine_without_buildkit_gets_the_classic_builder(spec: BuildSpec) -> None:
    """And Podman its own."""
    engine = _broken()
    assert choose_builder(engine, spec) == "classic"
    engine.info.product = "Podman"
    assert choose_builder(engine, spec) == "podman"


def test_secrets_without_buildx_say_what_to_install(tmp_path: Path) -> None:
    """An old one is named."""
    with pytest.raises(CapabilityMissing, match="there is no docker buildx here") as caught:
        find_buildx({"PATH": str(tmp_path)}, folders=())
    assert "docker-buildx" in caught.value.remedy
    tool = tmp_path / "docker-buildx"
    tool.write_text("#!/bin/sh\necho github.com/docker/buildx v0.9.1 abc\n")
    tool.chmod(0o755)
    with pytest.raises(CapabilityMissing, match=r"the buildx here is 0\.9"):
        find_buildx({"PATH": str(tmp_path)}, folders=())
    tool.write_text("#!/bin/sh\necho github.com/docker/buildx v0.20.0 abc\n")
    assert find_buildx({"PATH": str(tmp_path)}, folders=()) == (str(tool),)


def test_buildx_is_told_everything(spec: BuildSpec) -> None:
    """Each setting is an option; a secret is a file unless it says otherwise."""
    full = dataclasses.replace(
        spec,
        tags=("t:1",),
        args={"A": "1"},
        secrets={"tok": "/s", "env": "env=TOKEN"},
        ssh={"default": ""},
        no_cache=True,
        target="x",
    )
    words = buildx_arguments(full, dockerfile="-", id_file="/id", fresh_host="f.invalid")
    line = " ".join(words)
    for part in (
        *("--tag t:1", "--build-arg A=1", "--secret id=tok,src=/s", "--secret id=env,env=TOKEN", "--ssh default"),
        *(
            "--no-cache",
            "--target x",
            "--add-host f.invalid:127.0.0.1",
            "--file -",
            "--iidfile /id",
            "--progress rawjson",
        ),
    ):
        assert part in line
    assert "--pull" not in words
    assert words[-1] == str(spec.context)


def test_a_build_with_a_secret(made: Build, tmp_path: Path, engine: Engine) -> None:
    """Through buildx: the RUN sees it."""
    if engine.info.product == "Podman":
        pytest.skip("buildx needs BuildKit")
    try:
        find_buildx()
    except CapabilityMissing as missing:
        pytest.skip(missing.what)
    (tmp_path / "secret").write_text("s3cret")
    run = f"RUN --mount=type=secret,id=tok : {uuid.uuid4().hex}; wc -c < /run/secrets/tok"
    trace = made(f"FROM alpine\n{run}\n", secrets={"tok": str(tmp_path / "secret")})
    assert (trace.builder, trace.step(2).log.strip()) == ("buildx", "6")


@pytest.mark.parametrize(
    ("product", "said", "tries"),
    [
        ("Podman", "checking if cached image exists from a previous build: getting top layer info: layer not known", 4),
        ("Podman", "RUN false: exit status 1", 1),
        ("Docker Engine", "checking if cached image exists from a previous build: layer not known", 1),
        ("Docker Engine", 'unable to find image "sha256:db8ed2a1abc7"', 4),
    ],
)
def test_a_build_that_met_a_removal_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, product: str, said: str, tries: int
) -> None:
    """No more than four times, and no other failure is."""
    tried: list[object] = []

    def fails(*arguments: object) -> None:
        tried.append(arguments)
        raise BuildFailed(said)

    monkeypatch.setattr("pytest_dockerlab.engine.builds._build", fails)
    engine: Any = SimpleNamespace(info=SimpleNamespace(product=product))
    with pytest.raises(BuildFailed, match=r"cached image|false|unable to find"):
        build(engine, BuildSpec(context=tmp_path))
    assert len(tried) == tries


def test_what_a_build_ran_before_it_was_tried_again_it_has_run(
    made: Build, builder: BuilderName, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine finds it in the cache then; who asks what was reused hears what this build did, with its output."""
    if builder == "buildkit":
        pytest.skip("BuildKit's cache is not images: its builds meet no removal")
    said = {"podman": "checking if cached image exists: layer not known", "classic": 'unable to find image "sha256:12"'}
    calls = 0

    def disturbed(engine: Engine, body: Any, params: Any, reader: Any, **settings: Any) -> Any:
        nonlocal calls
        calls += 1
        outcome = send_build(engine, body, params, reader, **settings)
        if calls == 1:
            reader.feed({"errorDetail": {"message": said[builder]}})
        return outcome

    monkeypatch.setattr("pytest_dockerlab.engine.builds.send_build", disturbed)
    text = f"FROM alpine\nRUN echo {uuid.uuid4().hex}\nRUN echo second\n"
    trace = made(text, builder=builder)
    assert calls == 2
    assert [(step.cached, bool(step.log)) for step in trace.work] == [(False, True), (False, True)]
    assert [step.cached for step in made(text, builder=builder).work] == [True, True]
