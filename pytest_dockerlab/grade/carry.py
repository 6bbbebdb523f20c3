"""Every command of a ``run.txt`` carried out in order, as at a terminal; what came of each is kept.

Names are the student's: what they stand for on the engine is this submission's own, so that many stand side by side.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from pytest_dockerlab.errors import BuildFailed, Conflict, ContainerFailed, NotFound, UsageError
from pytest_dockerlab.exercises.asked import AskedBuild, AskedRun
from pytest_dockerlab.exercises.asked_mounts import normal
from pytest_dockerlab.exercises.commands import Command
from pytest_dockerlab.exercises.judge import Judged
from pytest_dockerlab.exercises.policy import Policy
from pytest_dockerlab.exercises.refusal import refuse
from pytest_dockerlab.findings import CheckFailed, Finding
from pytest_dockerlab.reference import Reference

if TYPE_CHECKING:
    from pytest_dockerlab.lab import Lab
    from pytest_dockerlab.lab.build import Build
    from pytest_dockerlab.lab.container import Container
    from pytest_dockerlab.lab.images import ImageLike
    from pytest_dockerlab.lab.registry import Registry

__all__ = ["Carried", "Done", "Maker", "carry_out"]

T = TypeVar("T")
_RUNS = 5
_STUDENTS = (CheckFailed, BuildFailed, ContainerFailed, NotFound, Conflict, UsageError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One command, carried out.

    Attributes:
        verb: ``run``, ``push``, …
        where: file and line.
        arguments: what is no flag.
        result: a ``Container`` (run, create, start, stop, rm), ``Executed`` (exec), ``Build``, ``Image`` (tag, commit,
            load), ``Transfer`` (push, pull), ``Path`` of an archive (save), ``None`` (rmi).
        failure: why it could not be; then there is no result.
    """

    verb: str
    where: str
    arguments: tuple[str, ...] = ()
    result: object = None
    failure: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What a submission's commands did, in order.

    Attributes:
        registry: stands for the hosts that the policy names as registries; ``None`` where no command names one.
    """

    done: tuple[Done, ...]
    registry: Registry | None = None

    def get(self, verb: str, kind: type[T], number: int = 0) -> T:
        """The result of a command.

        Args:
            number: of those with this verb, from 0.

        Raises:
            CheckFailed: there is no such command, or it could not be carried out; says why.
        """
        own = [each for each in self.done if each.verb == verb]
        if number >= len(own):
            raise CheckFailed([refuse("no_command", "run.txt", verb, number=number + 1).finding()])
        if own[number].failure:
            raise CheckFailed(own[number].failure)
        result = own[number].result
        if not isinstance(result, kind):
            raise UsageError(f"docker {verb} gives a {type(result).__name__}", remedy=f"not a {kind.__name__}")
        return result


class Maker(Protocol):
    """Builds and runs within the policy: the ``Submission``."""

    def build(self, number: int = 0) -> Build:
        """The image of a build command."""

    def contain(self, asked: AskedRun, image: ImageLike, *, owner: Lab) -> Container:
        """A container, started if that is asked for."""


def carry_out(
    commands: Judged,
    policy: Policy,
    maker: Maker,
    lab: Lab,
    *,
    exercise: str,
    cwd: Path,
    clock: Callable[[], float] = time.monotonic,
) -> Carried:
    """Carry out all commands; one that fails does not keep the next from being tried.

    They may take as long as a build and a few containers may; what comes after that is not carried out.

    Args:
        commands: none of them refused.
        lab: owns what they make.
        exercise: its image has this name where no command builds one.
        cwd: where relative paths begin.
        clock: in seconds.

    Raises:
        EngineError: the engine's fault, not theirs.
    """
    terminal = _Terminal(policy, maker, lab, cwd, own="" if commands.builds else _whole(exercise))
    builds = iter(range(len(commands.builds)))
    most = policy.build_seconds + _RUNS * policy.run_seconds
    started = clock()
    done: list[Done] = []
    for each in commands.asked:
        command = each if isinstance(each, Command) else each.command
        failure: tuple[Finding, ...] = ()
        result: object = None
        try:
            number = next(builds) if isinstance(each, AskedBuild) else 0
            if clock() - started > most:
                written = f"docker {command.verb}"
                raise CheckFailed([refuse("out_of_time", command.where, written, most=f"{most:g}").finding()])
            if isinstance(each, AskedBuild):
                result = terminal.build(number, each)
            elif isinstance(each, AskedRun):
                result = terminal.run(each)
            else:
                result = terminal.other(command)
        except _STUDENTS as error:
            failure = _told(command, error)
        done.append(
            Done(verb=command.verb, where=command.where, arguments=command.arguments, result=result, failure=failure)
        )
    return Carried(done=tuple(done), registry=terminal.registry)


def _told(command: Command, error: Exception) -> tuple[Finding, ...]:
    if isinstance(error, CheckFailed):
        return error.findings
    written = " ".join(["docker", command.verb, *command.arguments])
    reason = getattr(error, "what", str(error))
    meant = getattr(error, "remedy", "") or "try the same command at your own terminal"
    return (refuse("command_failed", command.where, written, reason=reason, meant=meant).finding(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Archive:
    path: Path
    names: tuple[str, ...]


class _Terminal:
    """What the student's names stand for, from command to command."""

    def __init__(self, policy: Policy, maker: Maker, lab: Lab, cwd: Path, own: str) -> None:
        self.policy, self.maker, self.lab, self.cwd, self.own = policy, maker, lab, cwd, own
        self.registry: Registry | None = None
        self.images: dict[str, ImageLike] = {}
        self.containers: dict[str, Container] = {}
        self.archives: dict[str, _Archive] = {}

    def build(self, number: int, asked: AskedBuild) -> Build:
        built = self.maker.build(number)
        self.images.update((_whole(tag), built) for tag in asked.spec.tags)
        return built

    def run(self, asked: AskedRun) -> Container:
        name = asked.spec.name
        if name in self.containers:
            raise _failed(asked.command, "container_there", name)
        container = self.maker.contain(asked, self._image(asked.spec.image, asked.command), owner=self.lab)
        if name:
            self.containers[name] = container
        if asked.start and not asked.detached:
            container.wait()
        return container

    def other(self, command: Command) -> object:
        verbs: Mapping[str, Callable[[Command], object]] = {
            "exec": self._exec,
            "start": self._start,
            "stop": lambda it: [each.stop() for each in self._named(it)][-1],
            "rm": self._rm,
            "commit": self._commit,
            "tag": self._tag,
            "push": self._push,
            "pull": self._pull,
            "rmi": self._rmi,
            "save": self._save,
            "load": self._load,
        }
        return verbs[command.verb](command)

    # Containers

    def _exec(self, command: Command) -> object:
        if command.on("detach"):
            raise _failed(command, "exec_detached", "")
        name, *arguments = command.arguments
        env = dict(pair.partition("=")[::2] for pair in command.all("env"))
        return self._container(name, command).exec(
            arguments, user=command.last("user"), env=env, workdir=command.last("workdir"), tty=command.on("tty")
        )

    def _start(self, command: Command) -> object:
        started = [each.start() for each in self._named(command)]
        if command.on("attach"):
            started[-1].wait()
        return started[-1]

    def _rm(self, command: Command) -> object:
        removed = self._named(command)
        for name, container in zip(command.arguments, removed, strict=True):
            if container.state.running:
                if not command.on("force"):
                    raise _failed(command, "container_runs", name)
                container.kill()
            # The name is free again; what it printed is left for the checks, until they are done.
            del self.containers[name]
        return removed[-1]

    def _named(self, command: Command) -> Sequence[Container]:
        return [self._container(name, command) for name in command.arguments]

    def _container(self, name: str, command: Command) -> Container:
        if name not in self.containers:
            raise _failed(command, "no_container", name)
        return self.containers[name]

    # Images

    def _image(self, name: str, command: Command) -> ImageLike:
        if _whole(name) == self.own:
            self.images[self.own], self.own = self.maker.build(), ""
        if _whole(name) in self.images:
            return self.images[_whole(name)]
        if not self.policy.allows_image(name):
            raise _failed(command, "no_image", name)
        return name

    def _commit(self, command: Command) -> object:
        container = self._container(command.arguments[0], command)
        made = container.commit(changes=command.all("change"), message=command.last("message"))
        self.images.update((_whole(name), made) for name in command.arguments[1:])
        return made

    def _tag(self, command: Command) -> object:
        old, new = command.arguments
        image = self._image(old, command)
        if self._is_remote(new):
            self.lab.tag(image, self._there(new))
            image = self._there(new)
        self.images[_whole(new)] = image
        return self.lab.image(image) if isinstance(image, str) else getattr(image, "image", image)

    def _push(self, command: Command) -> object:
        (name,) = command.arguments
        self._image(name, command)
        return self.lab.push(self._there(name))

    def _pull(self, command: Command) -> object:
        (name,) = command.arguments
        if not self._is_remote(name):
            return self.lab.pull(name)
        pulled = self.lab.pull(self._there(name))
        self.images[_whole(name)] = self._there(name)
        return pulled

    def _rmi(self, command: Command) -> object:
        for name in command.arguments:
            image = self._image(name, command)
            if self.images.pop(_whole(name), None) is not None and self._is_remote(name):
                self.lab.engine.images.remove(str(image))
        return None

    def _save(self, command: Command) -> object:
        written = command.last("output")
        if not written:
            raise _failed(command, "no_output", "")
        if len(command.arguments) > 1:
            raise _failed(command, "several_images", " ".join(command.arguments))
        (name,) = command.arguments
        # Not in the student's folder, where a container may have put a link in its place.
        path = Path(tempfile.mkdtemp(prefix="saved-", dir=self.lab.engine.scratch)) / "image.tar"
        self.lab.save(self._image(name, command), path)
        self.archives[normal(written, str(self.cwd))] = _Archive(path=path, names=(_whole(name),))
        return path

    def _load(self, command: Command) -> object:
        written = command.last("input")
        archive = self.archives.get(normal(written, str(self.cwd))) if written else None
        if archive is None:
            raise _failed(command, "no_archive", written or "(nothing)")
        image = self.lab.load(archive.path)
        self.images.update(dict.fromkeys(archive.names, image))
        return image

    # Registries

    def _is_remote(self, name: str) -> bool:
        return Reference.parse(name).host in self.policy.registries

    def _there(self, name: str) -> str:
        """The same in the registry that stands for the one that is named; a new and empty one, at first."""
        if self.registry is None:
            self.registry = self.lab.registry()
        parsed = Reference.parse(name)
        return self.registry.name(f"{parsed.path}:{parsed.tag}")


def _failed(command: Command, code: str, value: str) -> CheckFailed:
    return CheckFailed([refuse(code, command.where, value).finding()])


def _whole(name: str) -> str:
    return str(Reference.parse(name))
