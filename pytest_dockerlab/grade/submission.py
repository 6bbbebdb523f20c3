"""One exercise of a submission in the hands of a check: its build, and the containers of its own command lines."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.build.dockerfile import parse
from pytest_dockerlab.build.spec import BuildSpec
from pytest_dockerlab.errors import BuildFailed, LabError, UsageError
from pytest_dockerlab.exercises.archives import judge_archives
from pytest_dockerlab.exercises.asked import AskedRun
from pytest_dockerlab.exercises.confine import confined_build, confined_run
from pytest_dockerlab.exercises.handed import Handed
from pytest_dockerlab.exercises.judge import Judged
from pytest_dockerlab.exercises.judge_dockerfile import judge_dockerfile, without_syntax
from pytest_dockerlab.exercises.policy import Policy
from pytest_dockerlab.exercises.refusal import Refusal, findings_of, refuse
from pytest_dockerlab.exercises.submission import read_text
from pytest_dockerlab.findings import CheckFailed, Finding
from pytest_dockerlab.grade.carry import Carried, carry_out
from pytest_dockerlab.grade.fence import proxy_args
from pytest_dockerlab.grade.files import read_inside, write_inside
from pytest_dockerlab.grade.intake import safe_source, student
from pytest_dockerlab.grade.limits import check_image, limits_of, told_of_limits
from pytest_dockerlab.grade.run_watch import RunWatch
from pytest_dockerlab.image.model import Image
from pytest_dockerlab.reference import Reference
from pytest_dockerlab.run.spec import PublishedPort, RunSpec

if TYPE_CHECKING:
    from pytest_dockerlab.lab import Lab
    from pytest_dockerlab.lab.build import Build
    from pytest_dockerlab.lab.container import Container
    from pytest_dockerlab.lab.images import ImageLike

__all__ = ["Submission", "Taken"]

_TAIL = 40


class Taken:
    """One exercise of a submission, taken in; what its checks have in common."""

    def __init__(self, handed: Handed, policy: Policy, root: Path) -> None:
        self.handed, self.policy, self.root = handed, policy, root
        self.builds: dict[tuple[object, ...], Build | BuildFailed | CheckFailed] = {}
        self.volumes: set[str] = set()
        self.carried: Carried | None = None
        self.watch = RunWatch(policy)
        self.network = ""


class Submission:
    """What a student handed in for one exercise. What is wrong with it is an ``AssertionError`` that says so.

    Attributes:
        exercise: its name.
        policy: what it may do.
    """

    def __init__(self, taken: Taken, builds: Lab, runs: Lab, nonce: str) -> None:
        self._taken, self._builds, self._runs, self._nonce = taken, builds, runs, nonce
        self.exercise = taken.handed.exercise
        self.policy = taken.policy
        self._made: list[Container] = []

    def __repr__(self) -> str:
        return f"<Submission of {self.exercise}>"

    @property
    def folder(self) -> Path:
        """A copy of its folder; the student's own is never touched."""
        return self._taken.handed.folder

    @property
    def dockerfile(self) -> str:
        """Text of its Dockerfile, or of the one that its first build command names.

        Raises:
            CheckFailed: it is missing, or refused.
        """
        self._insist(self._taken.handed.refusals)
        return self._taken.handed.dockerfiles[0][1]

    @property
    def commands(self) -> Judged:
        """The command lines of ``run.txt``.

        Raises:
            CheckFailed: one of them is refused.
        """
        handed = self._taken.handed
        if not handed.folder.is_dir():
            self._insist(handed.refusals)
        self._insist(handed.commands.refusals)
        return handed.commands

    def build(
        self,
        number: int = 0,
        *,
        dockerfile: str = "",
        cache: str = "",
        args: Mapping[str, str] | None = None,
        extra_hosts: Mapping[str, str] | None = None,
    ) -> Build:
        """Its image, built once for all checks of the exercise.

        Args:
            number: of the build command in ``run.txt``, from 0; without any, 0 is ``docker build .``.
            dockerfile: a file of its folder: built by the command that names it by ``-f``, or ``docker build -f … .``.
            cache: what ``fresh_cache()`` gave; by default the submission's own. With it, it is built each time.
            args, extra_hosts: the check's own build arguments and hosts, beside and before those of the command.

        Raises:
            CheckFailed: refused, missing, or larger than the policy allows.
            BuildFailed: a step failed, or it took too long.
        """
        taken = self._taken
        added = (dict(args or {}), dict(extra_hosts or {}))
        key = (number, dockerfile, cache, *(tuple(sorted(each.items())) for each in added))
        if cache or key not in taken.builds:
            try:
                asked = self._asked_file(dockerfile) if dockerfile else self._asked_build(number)
                spec = confined_build(asked, self.policy, nonce=cache or self._nonce)
                hosts = {**spec.extra_hosts, **added[1]}
                taken.builds[key] = self._build(
                    replace(spec, args={**spec.args, **added[0]}, extra_hosts=hosts), in_commands=not dockerfile
                )
            except (BuildFailed, CheckFailed) as error:
                taken.builds[key] = error
        built = taken.builds[key]
        if isinstance(built, Exception):
            raise built
        return built

    def fresh_cache(self) -> str:
        """A build cache that nothing has filled, for ``build(cache=…)``; from the first RUN on."""
        return secrets.token_hex(8)

    def run(
        self,
        number: int = 0,
        *,
        image: Build | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        network: str = "",
        extra_hosts: Mapping[str, str] | None = None,
    ) -> Container:
        """A container of its own ``docker run`` (or ``create``) command, within the policy's limits.

        Args:
            number: of the command, from 0.
            image: to run instead of the one that the command names: one that the check built with arguments of its own.
            timeout: seconds for each wait; at most (and by default) the policy's.
            env, network, extra_hosts: the check's own, beside and before those of the command; no policy is asked.

        Raises:
            CheckFailed: no such command, or one is refused.
            ContainerFailed: it did not start.
        """
        runs = self.commands.runs
        if number >= len(runs):
            self._insist([refuse("no_run", f"{self.exercise}/run.txt", number + 1, count=len(runs))])
        asked = runs[number]
        own = self._own_image(asked.spec.image) if image is None else None
        return self.contain(
            asked,
            image or (self.build(own) if own is not None else asked.spec.image),
            owner=self._runs,
            timeout=timeout,
            env=env,
            network=network,
            extra_hosts=extra_hosts,
        )

    def contain(
        self,
        asked: AskedRun,
        image: ImageLike,
        *,
        owner: Lab,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        network: str = "",
        extra_hosts: Mapping[str, str] | None = None,
    ) -> Container:
        """A container of this image as it was asked for, within the policy's limits; see ``run``.

        Args:
            owner: removes it.
        """
        spec = self._confined(asked, image if not isinstance(image, str) else None)
        spec = replace(
            spec,
            env={**spec.env, **(env or {})},
            network=network or spec.network,
            extra_hosts={**spec.extra_hosts, **(extra_hosts or {})},
        )
        limit = min(timeout or self.policy.run_seconds, self.policy.run_seconds)
        with _students_fault():
            container = owner.create_of(image, spec, timeout=limit)
            self._made.append(container)
            self._taken.watch.add(owner.engine, container)
            return container.start() if asked.start else container

    def carry_out(self) -> Carried:
        """All commands of ``run.txt``, carried out in order, once for all checks of the exercise.

        Raises:
            CheckFailed: one is refused. What fails in one that is carried out, its result tells.
        """
        if self._taken.carried is None:
            commands = self.commands
            self._taken.carried = carry_out(
                commands, self.policy, self, self._builds, exercise=self.exercise, cwd=self.folder
            )
        return self._taken.carried

    def read(self, path: str) -> str:
        """Text of a file of the copy, as the containers so far have left it; no link is followed.

        Raises:
            CheckFailed: it is missing, or can't be read.
        """
        self._insist(self._taken.handed.refusals if not self.folder.is_dir() else ())
        found = read_inside(self.folder, path)
        if isinstance(found, Refusal):
            raise CheckFailed(findings_of([found]))
        return found.decode(errors="replace")

    def write(self, path: str, content: str) -> None:
        """Write a file of the copy, as the student would."""
        self._insist(self._taken.handed.refusals if not self.folder.is_dir() else ())
        own = student()
        try:
            write_inside(self.folder, path, content.encode(), uid=own.uid, gid=own.gid)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise CheckFailed([refuse("not_written", "", path, reason=error.strerror).finding()]) from None

    @property
    def overruns(self) -> tuple[Finding, ...]:
        """Why containers of this check were killed, if they took more than the policy allows."""
        return findings_of(self._taken.watch.over(container.id for container in self._made))

    def printed(self) -> bytes:
        """The end of what its containers of this check printed."""
        text = b""
        for container in self._made:
            with contextlib.suppress(LabError):
                logs = container.logs(tail=_TAIL)
                text += logs.stdout + logs.stderr
        return text

    def plain(self, text: str) -> str:
        """A text without the ids of its containers: the same for each run."""
        for container in self._made:
            text = text.replace(container.id, "…").replace(container.id[:12], "…")
        return text

    def _insist(self, refusals: Sequence[Refusal]) -> None:
        if refusals:
            raise CheckFailed(findings_of(refusals))

    def _asked_build(self, number: int) -> BuildSpec:
        handed = self._taken.handed
        self._insist(handed.refusals)
        builds = handed.commands.builds
        if number >= max(1, len(builds)):
            self._insist(handed.commands.refusals)
            self._insist([refuse("no_build", f"{self.exercise}/run.txt", number + 1, count=len(builds))])
        return builds[number].spec if builds else BuildSpec(context=handed.folder)

    def _asked_file(self, dockerfile: str) -> BuildSpec:
        """A Dockerfile that the check names: what is wrong with others is no matter here."""
        handed = self._taken.handed
        if not handed.folder.is_dir():
            self._insist(handed.refusals)
        path = handed.folder / dockerfile
        named = (each.spec for each in handed.commands.builds if each.spec.dockerfile_path == path)
        spec = next(named, BuildSpec(context=handed.folder, dockerfile=path))
        text = read_text(handed.folder, dockerfile)
        if isinstance(text, Refusal):
            self._insist([text])
        else:
            self._insist(judge_dockerfile(text, self.policy, path=dockerfile, args=dict(spec.args)))
        return spec

    def _build(self, spec: BuildSpec, *, in_commands: bool = True) -> Build:
        policy, path = self.policy, spec.dockerfile_path
        if not Path(spec.context).is_dir() or not path.is_file():
            missing = path if Path(spec.context).is_dir() else spec.context
            where = "run.txt" if in_commands else ""
            self._insist([refuse("missing", where, str(missing).removeprefix(f"{self._taken.root}/"))])
        text = path.read_text("utf-8-sig")
        if (clean := without_syntax(text)) != text:
            # In our copy, so that a .dockerignore of its own and the paths of messages stay.
            path.write_text(clean, "utf-8")
        self._insist(judge_archives(parse(text, str(path)), Path(spec.context), policy.disk))
        # The reference has no nonce: it is the instructor's own.
        limits, proxy = None, {}
        if self._nonce:
            limits = limits_of(self._builds.engine, policy)
            proxy = proxy_args(self._builds.engine, policy) if spec.network != "none" else {}
        with told_of_limits(policy), _students_fault():
            built = self._builds.build(
                Path(spec.context),
                dockerfile=path,
                args={**spec.args, **proxy},
                target=spec.target,
                platform=spec.platform,
                no_cache=spec.no_cache,
                network=spec.network,
                labels=spec.labels,
                extra_hosts=spec.extra_hosts,
                fresh=spec.fresh,
                timeout=spec.timeout,
                limits=limits,
            )
        check_image(built, policy)
        return built

    def _own_image(self, name: str) -> int | None:
        """Number of the build that this name is of; ``None`` for a base."""
        wanted = _parts(name)
        builds = self._taken.handed.commands.builds
        for number in reversed(range(len(builds))):
            if wanted in [_parts(tag) for tag in builds[number].spec.tags]:
                return number
        return 0 if wanted == _parts(self.exercise) else None

    def _confined(self, asked: AskedRun, image: Build | Image | None) -> RunSpec:
        spec = confined_run(asked.spec, self.policy, prefix=f"{self._runs.ownership.run}-{self.exercise}")
        if asked.publish_all and image is not None:
            config = image.config if isinstance(image, Image) else image.image.config
            exposed = [port.partition("/") for port in config.exposed_ports]
            known = {(port.container, port.protocol) for port in spec.ports}
            ports = [(int(port), protocol or "tcp") for port, _, protocol in exposed if port.isdigit()]
            more = [PublishedPort(container=port, protocol=kind) for port, kind in ports if (port, kind) not in known]
            spec = replace(spec, ports=(*spec.ports, *more[: self.policy.ports]))
        if spec.network == "open":
            spec = replace(spec, network="bridge")
        elif spec.network == "bridge" and not spec.ports and self.policy.run_network != "open":
            # Only a published port needs one. Not an internal network: an engine that writes no firewall rules (a
            # private one) routes it to the outside all the same.
            spec = replace(spec, network="none", aliases=())
        elif spec.network == "bridge" and self.policy.run_network != "open":
            # On the engine's bridge it could be spoken to by whatever else is on it.
            if not self._taken.network:
                self._taken.network = self._builds.network().name
            spec = replace(spec, network=self._taken.network)
        for mount in spec.mounts:
            if mount.kind == "volume" and mount.source and mount.source not in self._taken.volumes:
                # Ours, so that it goes; until the last check, as one command may read what another wrote.
                self._builds.volume(mount.source)
                self._taken.volumes.add(mount.source)
        self._check_mounts(spec)
        return spec

    def _check_mounts(self, spec: RunSpec) -> None:
        binds = [mount for mount in spec.mounts if mount.kind == "bind"]
        if not binds:
            return
        for container in self._made:
            # One that still writes could put a link there after we have looked.
            if any(mount.kind == "bind" and not mount.read_only for mount in container.spec.mounts):
                with contextlib.suppress(LabError):
                    container.kill()
        for mount in binds:
            if reason := safe_source(mount.source, self._taken.root):
                self._insist([refuse("not_mounted", "", mount.target, reason=reason)])


@contextlib.contextmanager
def _students_fault() -> Iterator[None]:
    """What can't be meant was the student's to write, not the check's."""
    try:
        yield
    except UsageError as error:
        raise CheckFailed([Finding(what=error.what, hint=error.remedy)]) from None


def _parts(name: str) -> tuple[str, str, str]:
    parsed = Reference.parse(name)
    return parsed.host, parsed.path, parsed.tag
