"""The ``dockerlab`` program: doctor, ping, up, down, sweep, bases, report, grade, worker, new-course."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import LabError, NotFound, UsageError
from pytest_dockerlab.grade.options import add_commands
from pytest_dockerlab.settings import Settings, read_settings

if TYPE_CHECKING:
    from pytest_dockerlab.engine.endpoint import Endpoint
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["main"]

_EPILOG = """\
To begin:
  dockerlab doctor          see which engine the tests would use, and what is missing
  dockerlab up --install    start an engine of your own, installing Docker first if need be
  pytest                    run tests that use the `lab` fixture
  dockerlab down            take that engine down again, without a trace

A test run needs none of this: with no engine at hand it starts one of its own, and ends it.
Exit codes: 0 fine, 1 no engine or a failure, 2 a wrong command line, 3 not all could be graded.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns: 0 fine, 1 no engine or a failure, 2 a wrong command line or setting."""
    parsed = _parser().parse_args(arguments)
    try:
        options = {
            "engine": parsed.engine,
            "mirror": parsed.mirror,
            "install": parsed.install or None,
            "platform": parsed.platform,
        }
        settings = read_settings(options)
        return int(parsed.run(parsed, settings))
    except UsageError as error:
        print(f"dockerlab: {error}", file=sys.stderr)
        return 2
    except LabError as error:
        print(f"dockerlab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dockerlab",
        description="Find, start and end container engines for tests of pytest-dockerlab.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(engine=None, mirror=None, install=False, platform=None)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    doctor = commands.add_parser(
        "doctor",
        help="which engine the tests would use, why, and what is missing",
        description="Look at every place where an engine can be, in the order in which a test run does, and say what "
        "was found there. Starts, installs and changes nothing. Ends with 1 where no engine can be had.",
    )
    doctor.add_argument("--json", action="store_true", help="for programs: engine, candidates, capabilities, bases")
    _engine_option(doctor)
    doctor.set_defaults(run=_doctor)

    ping = commands.add_parser(
        "ping",
        help="whether the engine that was named answers",
        description="Ask the engine that DOCKERLAB_ENGINE, DOCKER_HOST or DOCKER_CONTEXT names for a sign of life, "
        "within five seconds. Where none is named there is nothing to ask. Ends with 1 where it does not answer.",
    )
    _engine_option(ping)
    ping.set_defaults(run=_ping)

    up = commands.add_parser(
        "up",
        help="start a private engine that stays until `dockerlab down`",
        description="Start an engine of your own beside whatever runs here: own socket, data, bridge and firewall "
        "rules. As root it is Docker's dockerd, otherwise rootless dockerd or Podman. Its containers and volumes end "
        "with it; images and the build cache are kept for the next one. Calling it twice starts two.",
    )
    up.add_argument(
        "--install", action="store_true", help="install the distribution's packages first, where missing (apt)"
    )
    up.add_argument("--mirror", metavar="HOST", help="registry that serves Docker Hub's images (DOCKERLAB_MIRROR)")
    up.add_argument(
        "--platform",
        metavar="PLATFORM",
        help="have programs of this platform run, too (linux/arm64; several: A,B): with --install, an emulator of the "
        "package qemu-user-static is registered with the kernel until `dockerlab down`",
    )
    up.set_defaults(run=_up)

    down = commands.add_parser(
        "down",
        help="end private engines, and remove whatever killed ones left",
        description="End the engines that `dockerlab up` started, and remove processes, mounts, bridges and rules that "
        "engines left which were killed. Engines that are not ours are never touched. Downloaded and built images stay "
        "in the cache.",
    )
    down.add_argument(
        "--all", action="store_true", help="engines of test runs that are going on, too: those runs will fail"
    )
    down.set_defaults(run=_down)

    sweep = commands.add_parser(
        "sweep",
        help="remove what dead test runs left",
        description="Look for what test runs have made, on the engine that tests would use, on engines of `dockerlab "
        "up`, and beside them; remove what belongs to runs of this host that have ended for sure, and say whose it "
        "was. What belongs to a run that goes on, be it suspended, what another host's runs made, and what this "
        "package did not make is never touched. A test run does the same before its first test. Ends with 1 where "
        "something could not be removed.",
    )
    sweep.add_argument("--dry-run", action="store_true", help="only say what would go, with its owner and age")
    sweep.add_argument("--kept", action="store_true", help="what --dockerlab-keep left, too")
    sweep.add_argument(
        "--host", metavar="NAME", default="", help="a host (as the list shows it) none of whose runs goes on any more"
    )
    _engine_option(sweep)
    sweep.set_defaults(run=_sweep)

    bases = commands.add_parser(
        "bases",
        help="base images: what is there, and what would be a stand-in",
        description="List the base images that tests use, and for each whether it is present, can be pulled, or would "
        "be a stand-in made from the distribution's packages.",
    )
    bases.add_argument("--json", action="store_true", help="for programs")
    _engine_option(bases)
    bases.set_defaults(run=_bases)

    report = commands.add_parser(
        "report",
        help="the results of several jobs in one table",
        description="Read the JUnit XML that the jobs of a matrix wrote (pytest --junitxml), and print one table: "
        "row × platform × engine. Ends with 1 where a row failed, or is missing in one of the places.",
    )
    report.add_argument("--combine", nargs="+", metavar="FILE", type=Path, required=True, help="what --junitxml wrote")
    report.add_argument("--json", action="store_true", help="for programs")
    report.set_defaults(run=_report)
    add_commands(commands, _engine_option, _first, _tell)
    return parser


def _engine_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine", metavar="ENGINE", help="as DOCKERLAB_ENGINE: private, context:NAME, unix:///PATH or tcp://HOST:PORT"
    )


def _tell(line: str) -> None:
    print(f"· {line}", file=sys.stderr, flush=True)


def _ping(parsed: argparse.Namespace, settings: Settings) -> int:
    from pytest_dockerlab.engine.discovery import named_engine

    for engine in settings.engines:
        named = named_engine(replace(settings, engine=engine))
        print(f"{named.url} answers (named by {named.source})" if named else "no engine is named")
    return 0


def _first(settings: Settings) -> Settings:
    """One engine at a time is looked at closely."""
    if len(settings.engines) == 1:
        return settings
    _tell(
        f"{settings.source('engine')} names {len(settings.engines)} engines: this is the first (--engine for another)"
    )
    return replace(settings, engine=settings.engines[0])


def _doctor(parsed: argparse.Namespace, settings: Settings) -> int:
    from pytest_dockerlab.engine.doctor import examine

    settings = _first(settings)
    found = examine(settings)
    if parsed.json:
        print(json.dumps({**found.as_json(), "bases": _base_rows(settings, found.discovery.chosen)}, indent=2))
        return 0 if found.usable else 1
    print(found.as_text())
    if found.usable:
        print("Base images: see dockerlab bases")
    return 0 if found.usable else 1


def _up(parsed: argparse.Namespace, settings: Settings) -> int:
    from pytest_dockerlab.engine import install, private

    if settings.install:
        install.ensure(on_progress=_tell)
    _emulate(settings)
    endpoint = private.start(None, settings, _tell)
    print("A private engine is up. To use it in this shell, for docker and for tests:\n")
    print(f"  export DOCKER_HOST={endpoint.url}\n")
    print(
        f"A registry serves beside it at {endpoint.registry}." if endpoint.registry else "It has no registry beside it."
    )
    others = sum(one.source == "dockerlab up" for one in private.running()) - 1
    if others:
        print(f"{others} more of yours {'runs' if others == 1 else 'run'} already.")
    print("To end it: dockerlab down")
    return 0


def _emulate(settings: Settings) -> None:
    """Have this machine run programs of the platforms that were asked for.

    Raises:
        InstallFailed: it can't, or may not.
    """
    from pytest_dockerlab.engine import binfmt, emulation
    from pytest_dockerlab.errors import InstallFailed
    from pytest_dockerlab.platforms import Platform, same

    for platform in settings.platforms:
        if same(platform, Platform.of_host()):
            continue
        held = emulation.hold(platform, can_install=settings.install, keep=True, tell=_tell)
        if held is not None:
            held.release()
        found = binfmt.emulator(platform.architecture)
        if not found.usable:
            raise InstallFailed(
                f"programs for {platform} don't run here: {found.reason}", remedy=emulation.mending(platform)
            )
        _tell(f"{platform} is emulated: {found.reason}" + (", until `dockerlab down`" if held is not None else ""))


def _down(parsed: argparse.Namespace, settings: Settings) -> int:
    from pytest_dockerlab.engine import emulation, private

    kept = 0
    removed: list[str] = []
    for slot, state in private.states():
        if state.owner and not parsed.all:
            kept += 1
            continue
        removed += private.stop(slot.number)
    removed += private.sweep()
    removed += emulation.let_go()
    for line in removed:
        print(f"removed {line}")
    if not removed:
        print("No engine of `dockerlab up` runs, and none left anything.")
    if kept:
        print(f"{kept} of test runs that are going on {'stays' if kept == 1 else 'stay'} (--all ends them, too).")
    if os.environ.get("DOCKER_HOST", "").startswith("unix://") and not Path(os.environ["DOCKER_HOST"][7:]).exists():
        print("DOCKER_HOST still names an engine that is gone: unset DOCKER_HOST")
    return 0


def _sweep(parsed: argparse.Namespace, settings: Settings) -> int:
    from pytest_dockerlab.reaping.command import run_sweep

    return run_sweep(settings, dry_run=parsed.dry_run, with_kept=parsed.kept, host=parsed.host)


def _report(parsed: argparse.Namespace, settings: Settings) -> int:
    from pytest_dockerlab.reports import combine

    results: list[combine.Result] = []
    for path in parsed.combine:
        try:
            text = path.read_bytes()
        except OSError as error:
            raise UsageError(
                f"{path}: {error.strerror}", remedy="name files that pytest --junitxml=FILE wrote"
            ) from None
        results.extend(combine.read_junit(text, str(path)))
    if not results:
        raise UsageError(
            f"no test with a row in {', '.join(map(str, parsed.combine))}",
            remedy='give tests @pytest.mark.row("…"), and run them with --junitxml',
        )
    table = combine.combine(results)
    print(combine.render_json(table) if parsed.json else combine.render_markdown(table), end="")
    return 0 if table.ok else 1


def _bases(parsed: argparse.Namespace, settings: Settings) -> int:
    from pytest_dockerlab.engine.discovery import discover

    settings = _first(settings)
    rows = _base_rows(settings, discover(settings).chosen)
    if parsed.json:
        print(json.dumps(rows, indent=2))
        return 0
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        print(f"{row['name']:{width}}  {row['kind']:9}  {row['reason']}")
    return 0


def _base_rows(settings: Settings, endpoint: Endpoint | None) -> list[dict[str, str]]:
    """Name, kind and reason of each base image that tests use: what is there, or how it would come."""
    from pytest_dockerlab.bases.catalogue import LABEL, RECIPES
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.engine.private import hub

    rows: list[dict[str, str]] = []
    pulls = settings.bases == "pull" or (settings.bases == "auto" and (bool(settings.mirror) or hub.answers()))
    origin = f"from {settings.mirror}" if settings.mirror else "from Docker Hub"
    engine = Engine(endpoint) if endpoint is not None else None
    try:
        for recipe in RECIPES.values():
            standin = _is_standin(engine, recipe.name, LABEL) if engine is not None else None
            if standin is not None:
                kind, reason = "stand-in" if standin else "present", recipe.promise if standin else "on the engine"
            elif pulls:
                kind, reason = "pull", f"will be pulled {origin} when a test wants it"
            else:
                kind, reason = "stand-in", f"will be made when a test wants it: {recipe.promise}"
            rows.append({"name": recipe.name, "kind": kind, "reason": reason})
    finally:
        if engine is not None:
            engine.close()
    return rows


def _is_standin(engine: Engine, name: str, label: str) -> bool | None:
    """Whether the image that the engine has under ``name`` is a stand-in; ``None`` where it has none."""
    try:
        return label in engine.images.get(name).config.labels
    except NotFound:
        return None
