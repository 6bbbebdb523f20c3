"""The verb ``build``: which builder takes it, what is sent, and what came of it."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_dockerlab.build.buildkit import BuildkitReader
from pytest_dockerlab.build.classic import ClassicReader
from pytest_dockerlab.build.dockerfile import Dockerfile, parse
from pytest_dockerlab.build.nest import CONTEXT_FOLDER, nest, takes_everything, unnested
from pytest_dockerlab.build.podman import PodmanReader
from pytest_dockerlab.build.rewrite import Rewritten, rewrite
from pytest_dockerlab.build.spec import BuilderName, BuildSpec, fresh_host
from pytest_dockerlab.build.textstream import TextReader
from pytest_dockerlab.build.trace import BuildTrace, Step
from pytest_dockerlab.engine.build_errors import failure_of, lost, refuse_problems, timed_out
from pytest_dockerlab.engine.build_limits import guard_of
from pytest_dockerlab.engine.build_params import build_params
from pytest_dockerlab.engine.build_stream import send_build
from pytest_dockerlab.engine.content import Turn, content_key, resolved_bases
from pytest_dockerlab.engine.context import pack, plan_context, read_dockerfile
from pytest_dockerlab.engine.frontends import own_frontend, refuse_heredocs
from pytest_dockerlab.errors import BuildFailed, CapabilityMissing, DiskFull, LabError, NotFound, UsageError
from pytest_dockerlab.platforms import same

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["build", "choose_builder", "load_dockerfile"]

# Bytes: less than that and the builder can't be trusted to tidy up after itself.
_CRAMPED = 64 << 20
_TRIES = 4
# What Buildah says of it, and Docker's classic builder with containerd's store.
_REMOVED_MEANWHILE = {
    "Podman": ("checking if cached image exists", "not known"),
    "Docker Engine": ('unable to find image "sha256:',),
}


def build(
    engine: Engine,
    spec: BuildSpec,
    on_progress: Callable[[str], None] | None = None,
    turn: Turn | None = None,
) -> BuildTrace:
    """Build ``spec`` on ``engine``.

    Args:
        on_progress: gets a plain line when a step starts and when it ends.
        turn: entered with the content's key before the engine is asked, for one after another to build the same.

    Raises:
        UsageError: a path, target or builder that can't be meant.
        BuildFailed: a step failed, or the Dockerfile can't be read; with step, file and line.
        BuildTimedOut: it took longer than ``spec.timeout`` and was cancelled.
        BuildOverLimit: it used more than ``spec.limits`` allow and was ended.
        BaseImageMissing: an image that it starts from can't be had.
        DiskFull: the engine has no space left.
        CapabilityMissing: this engine can't build it.
    """
    try:
        return _build_past_removals(engine, spec, on_progress, turn)
    except (BuildFailed, DiskFull) as error:
        if "no space left" in str(error).lower():
            _make_room(engine)
        raise


def _build_past_removals(
    engine: Engine, spec: BuildSpec, on_progress: Callable[[str], None] | None, turn: Turn | None
) -> BuildTrace:
    """Build; again where a builder, looking for a step among the images, met one that somebody was just removing.

    That fails its build (buildah:imagebuildah/stage_executor.go, "checking if cached image exists"), and says nothing
    of the Dockerfile. What one try ran the next one finds in the cache: it is still this build that ran it.
    """
    ran: dict[int, Step] = {}
    for _ in range(_TRIES - 1):
        try:
            return _build(engine, spec, on_progress, turn, ran)
        except BuildFailed as error:
            said = _REMOVED_MEANWHILE.get(engine.info.product, ())
            if not said or not all(words in str(error) for words in said):
                raise
    return _build(engine, spec, on_progress, turn, ran)


def _make_room(engine: Engine) -> None:
    """On a full disk of an engine of ours: what the build left there would fail every later one, and prune itself."""
    if not engine.endpoint.private:
        return  # somebody else's cache is not ours to empty
    with contextlib.suppress(OSError, LabError):  # the build's own error is the one to tell
        if shutil.disk_usage(engine.info.root_dir).free < _CRAMPED:
            from pytest_dockerlab.engine import private

            private.relieve(engine.endpoint)


def _build(
    engine: Engine,
    spec: BuildSpec,
    on_progress: Callable[[str], None] | None,
    turn: Turn | None,
    ran: dict[int, Step],
) -> BuildTrace:
    """One try. ``ran``: what earlier ones ran; what this one does is added."""
    builder = choose_builder(engine, spec)
    guard = guard_of(engine, builder, spec)
    if spec.no_cache:
        turn = None  # each is to run its steps itself
    dockerfile = load_dockerfile(spec)
    refuse_problems(dockerfile)
    dockerfile.plan(spec.target)  # an unknown target is told before anything is sent
    if builder in ("buildkit", "buildx"):
        engine.first_builds.precede(engine, resolved_bases(dockerfile, spec), spec)
    if builder == "buildx":
        from pytest_dockerlab.engine.buildx import build_with_buildx

        with contextlib.ExitStack() as held:
            if turn is not None:
                with pack(plan_context(spec), dockerfile.text, engine_ignores=False).body as body:
                    key = content_key(engine, spec, dockerfile, builder, body)
                held.enter_context(turn(key))
            host = fresh_host(spec.fresh) if spec.fresh else ""
            return build_with_buildx(engine, spec, dockerfile, on_progress, host)
    drop_syntax, warnings = own_frontend(engine, builder, dockerfile)
    refuse_heredocs(engine, builder, dockerfile, frontend_fetched=not drop_syntax)
    sent = rewrite(
        dockerfile,
        bases=spec.replace_bases,
        fresh_label=spec.fresh if builder != "buildkit" else "",
        drop_syntax=drop_syntax,
    )
    plan = plan_context(spec)
    text, folder = sent.text, ""
    if builder == "buildkit" and plan.hidden and takes_everything(dockerfile):
        nested = None if _has_triggers(engine, dockerfile, spec) else nest(parse(text, args=spec.args))
        if nested is not None:
            text, folder = nested, CONTEXT_FOLDER
        else:
            warnings += (f"COPY of the whole context takes the Dockerfile along, as {plan.dockerfile}",)
    packed = pack(plan, text, engine_ignores=builder != "buildkit", folder=folder)
    reader = _reader(builder, dockerfile, spec, sent)
    with packed.body, contextlib.ExitStack() as held:
        if turn is not None:
            held.enter_context(turn(content_key(engine, spec, dockerfile, builder, packed.body)))
        started = time.monotonic()
        outcome = send_build(
            engine,
            packed.body,
            build_params(builder, spec, plan.dockerfile),
            reader,
            timeout=spec.timeout,
            cancellable=builder == "buildkit",
            on_progress=on_progress,
            watch=guard,
        )
        # Still in its turn, which a failure tells the next ones about.
        running = reader.running
        trace = reader.trace(round(time.monotonic() - started, 3))
        trace = replace(
            trace,
            warnings=(*warnings, *trace.warnings),
            context_files=packed.summary.files,
            context_bytes=packed.summary.bytes,
            steps=tuple(ran.get(at, step) if step.cached else step for at, step in enumerate(trace.steps)),
        )
        if isinstance(reader, TextReader):
            ran |= reader.ran
        if guard is not None:
            guard.judge(dockerfile, trace, running)
        if outcome.timed_out and (trace.error or not trace.image_id):  # else it ended just in time
            raise timed_out(spec, dockerfile, trace, running)
        if trace.error:
            raise failure_of(dockerfile, _unnested(trace) if folder else trace, reader.failed_source)
        if outcome.lost or not trace.image_id:
            raise lost(engine, trace, running, outcome.lost)
    if builder != "buildkit" and not spec.no_cache and _of_another_platform(engine, spec, trace):
        return _build(engine, replace(spec, no_cache=True), on_progress, turn, {})
    return _with_store_id(engine, spec, trace)


def _of_another_platform(engine: Engine, spec: BuildSpec, trace: BuildTrace) -> bool:
    """Whether Buildah or the classic builder took another platform's image for this one's.

    They know a step in their cache by what is below it, which for the first one of FROM scratch is nothing on any
    platform (buildah:imagebuildah/stage_executor.go, intermediateImageExists; moby 20.10: image/cache).
    """
    return not same(engine.images.get(trace.image_id).platform, spec.platform or engine.info.platform)


def load_dockerfile(spec: BuildSpec) -> Dockerfile:
    """Read and parse the Dockerfile of ``spec`` (``.problems`` says why no builder would take it).

    Raises:
        UsageError: there is none, or no context.
    """
    return parse(read_dockerfile(spec), str(spec.dockerfile_path), spec.args)


def choose_builder(engine: Engine, spec: BuildSpec) -> BuilderName:
    """The builder asked for, or the engine's best.

    Raises:
        CapabilityMissing: this engine doesn't have the one asked for.
    """
    podman = engine.info.product == "Podman"
    if spec.secrets or spec.ssh:
        if spec.builder not in (None, "buildx"):
            raise UsageError(
                f"secrets and ssh need a session, which builder={spec.builder!r} does not have",
                remedy='leave builder out, or say builder="buildx"',
            )
        return "buildx"
    if spec.builder is None:
        if podman:
            return "podman"
        return "buildkit" if engine.capabilities.has("buildkit") else "classic"
    if spec.builder == "podman" and not podman:
        raise CapabilityMissing(
            f"builder='podman' was asked for, and this engine is {engine.info.product}",
            remedy="leave builder out, or name a Podman engine",
        )
    if spec.builder in ("buildkit", "classic") and podman:
        raise CapabilityMissing(
            f"builder={spec.builder!r} was asked for, and Podman has only its own", remedy="leave builder out"
        )
    if spec.builder == "buildkit":
        engine.capabilities.require("buildkit")
    if spec.builder == "classic":
        engine.capabilities.require("classic_builder")
    return spec.builder


def _reader(
    builder: BuilderName, dockerfile: Dockerfile, spec: BuildSpec, sent: Rewritten
) -> BuildkitReader | ClassicReader | PodmanReader:
    if builder == "classic":
        return ClassicReader(dockerfile, spec.target, added=sent.added)
    if builder == "podman":
        return PodmanReader(dockerfile, spec.target, added=sent.added)
    return BuildkitReader(dockerfile, spec.target)


def _has_triggers(engine: Engine, dockerfile: Dockerfile, spec: BuildSpec) -> bool:
    """Whether a base brings instructions (ONBUILD) that we don't see, and so can't rewrite."""
    for name in resolved_bases(dockerfile, spec):
        try:
            if engine.images.get(name).config.on_build:
                return True
        except (NotFound, UsageError):
            continue  # the builder will say what is wrong with it
    return False


def _unnested(trace: BuildTrace) -> BuildTrace:
    steps = tuple(replace(step, error=unnested(step.error)) if step.error else step for step in trace.steps)
    return replace(trace, error=unnested(trace.error), steps=steps)


def _with_store_id(engine: Engine, spec: BuildSpec, trace: BuildTrace) -> BuildTrace:
    """The id under which the engine's store has it: containerd's is the manifest's, and only the tag leads there."""
    if not spec.tags or not engine.info.containerd_store:
        return trace
    return replace(trace, image_id=engine.images.get(spec.tags[0]).id)
