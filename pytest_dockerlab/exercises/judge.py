"""Whether what a submission's commands ask for may be carried out under a policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pytest_dockerlab.build.spec import FRESH_HOST
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.asked import AskedBuild, AskedRun, asked_build, asked_run
from pytest_dockerlab.exercises.asked_mounts import normal
from pytest_dockerlab.exercises.commands import Command, Commands
from pytest_dockerlab.exercises.judge_dockerfile import LEAST_INTERVAL
from pytest_dockerlab.exercises.policy import Policy
from pytest_dockerlab.exercises.refusal import Refusal, refuse
from pytest_dockerlab.exercises.shell import Shell
from pytest_dockerlab.image.model import Healthcheck
from pytest_dockerlab.quantity import human_bytes
from pytest_dockerlab.reference import Reference
from pytest_dockerlab.run.readers import RESERVED_LABELS
from pytest_dockerlab.run.spec import Mount, RunSpec

__all__ = ["Judged", "inside", "judge_build", "judge_commands", "judge_run"]

# What the engine gives every container anyway (moby, oci/caps/defaults.go).
_DEFAULT_CAPS = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
_HARDENING = ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true")
_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock", "buildkitd.sock", "crio.sock")
_KERNEL = ("/proc", "/sys", "/dev")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ANY = ("0.0.0.0", "::", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A submission's commands, judged.

    Attributes:
        asked: what may be carried out, in order; verbs other than run, create and build stay commands.
        refusals: of all others; each line is in one of the two.
    """

    asked: tuple[AskedRun | AskedBuild | Command, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def runs(self) -> tuple[AskedRun, ...]:
        """The containers asked for."""
        return tuple(each for each in self.asked if isinstance(each, AskedRun))

    @property
    def builds(self) -> tuple[AskedBuild, ...]:
        """The builds asked for."""
        return tuple(each for each in self.asked if isinstance(each, AskedBuild))


@dataclass(slots=True)
class _Own:
    """The names that the commands so far have made."""

    images: set[str] = field(default_factory=set)
    containers: set[str] = field(default_factory=set)

    def has_image(self, name: str) -> bool:
        return _tag(name) in self.images


def judge_commands(
    commands: Commands,
    policy: Policy,
    shell: Shell,
    *,
    root: str = "",
    images: Iterable[str] = (),
    read: Callable[[str], str | None] | None = None,
) -> Judged:
    """Judge every command, in order: an image is the student's own once a command before has named it.

    Args:
        shell: as the commands were read with.
        root: the submission's own folder; by default ``shell.cwd``.
        images: names that are the student's without a command (the exercise's).
        read: as for ``asked_run``.
    """
    root = root or shell.cwd
    own = _Own(images={_tag(name) for name in images})
    asked: list[AskedRun | AskedBuild | Command] = []
    refusals: list[Refusal] = list(commands.refusals)
    for command in commands.commands:
        each: AskedRun | AskedBuild | Command | None = command
        if command.verb in ("run", "create"):
            run, found = asked_run(command, shell, read)
            if run is not None:
                found = judge_run(run, policy, root=root, own=own.has_image)
                own.containers.update({run.spec.name} - {""})
            each = run
        elif command.verb == "build":
            build, found = asked_build(command, shell)
            if build is not None:
                found = judge_build(build, policy, root=root)
                own.images.update(map(_tag, build.spec.tags))
            each = build
        else:
            found = _permitted(_other(command, policy, own, shell, root), policy)
        refusals.extend(found)
        if each is not None and not found:
            asked.append(each)
    return Judged(asked=tuple(asked), refusals=tuple(refusals))


def judge_run(
    asked: AskedRun, policy: Policy, *, root: str, own: Callable[[str], bool] = lambda name: False
) -> tuple[Refusal, ...]:
    """What of a container-to-be is refused.

    Args:
        root: the submission's own folder.
        own: whether an image is one that the student built.
    """
    where, spec = asked.command.where, asked.spec
    found: list[Refusal] = []
    if not own(spec.image) and not policy.allows_image(spec.image):
        found.append(refuse("image", where, spec.image, known=", ".join(policy.bases) or "-"))
    if spec.privileged:
        found.append(refuse("privileged", where, "--privileged"))
    for name, value in asked.namespaces.items():
        if value.startswith("container:"):
            found.append(refuse("other_container", where, f"--{name} {value}"))
        elif value == "host" or name in ("userns", "uts", "pid"):
            found.append(refuse("host_namespace", where, f"--{name} {value}"))
    found.extend(_network(spec.network, policy, where))
    added = [cap for cap in spec.cap_add if cap.upper().removeprefix("CAP_") not in _DEFAULT_CAPS]
    found.extend(refuse("cap_add", where, cap) for cap in added)
    found.extend(refuse("security_opt", where, each) for each in spec.security_opt if each not in _HARDENING)
    for mount in spec.mounts:
        found.extend(_mount(mount, where, root))
    found.extend(_ports(spec, policy, where))
    found.extend(_limits(spec, policy, where))
    found.extend(_labels(spec.labels, where))
    if isinstance(spec.healthcheck, Healthcheck) and 0 < spec.healthcheck.interval < LEAST_INTERVAL:
        every = f"{spec.healthcheck.interval:g} s"
        found.append(refuse("health_interval", where, every, least=f"{LEAST_INTERVAL:g} s"))
    return _permitted(found, policy)


def judge_build(asked: AskedBuild, policy: Policy, *, root: str) -> tuple[Refusal, ...]:
    """What of a build command is refused; its Dockerfile is ``judge_dockerfile``'s matter."""
    where, spec = asked.command.where, asked.spec
    found: list[Refusal] = []
    if not inside(str(spec.context), root):
        found.append(refuse("context_outside", where, asked.command.arguments[0]))
    if spec.dockerfile is not None and not inside(str(spec.dockerfile), root):
        found.append(refuse("context_outside", where, f"-f {asked.command.last('file')}"))
    if spec.network not in ("default", "none"):
        found.append(refuse("build_network", where, f"--network {spec.network}"))
    # BUILDKIT_SYNTAX names a frontend, as "# syntax=" does; others of this name change the builder, too.
    found.extend(refuse("build_arg", where, name) for name in spec.args if name.upper().startswith("BUILDKIT_"))
    found.extend(refuse("host_name", where, name) for name in spec.extra_hosts if FRESH_HOST in name.lower())
    found.extend(_labels(spec.labels, where))
    return _permitted(found, policy)


def inside(path: str, root: str) -> bool:
    """Whether an absolute path is ``root`` or below it. Links are not looked at: a submission's copy has none that
    lead out."""
    path, root = normal(path, "/"), normal(root, "/")
    return path == root or path.startswith(root.rstrip("/") + "/")


def _permitted(found: Iterable[Refusal], policy: Policy) -> tuple[Refusal, ...]:
    return tuple(refusal for refusal in found if refusal.code not in policy.permits)


def _labels(labels: Mapping[str, str], where: str) -> Iterator[Refusal]:
    for name in labels:
        if name.startswith(RESERVED_LABELS):
            yield refuse("label", where, name)


def _tag(name: str) -> str:
    try:
        return str(Reference.parse(name))
    except UsageError:
        return name


def _network(network: str, policy: Policy, where: str) -> Iterator[Refusal]:
    if network == "host":
        yield refuse("host_network", where, "--network host")
    elif network.startswith("container:"):
        yield refuse("other_container", where, f"--network {network}")
    elif network not in ("", "none", "bridge", "default", *policy.networks):
        yield refuse("network", where, network)


def _mount(mount: Mount, where: str, root: str) -> Iterator[Refusal]:
    if mount.kind == "bind":
        written = f"{mount.source}:{mount.target}"
        if mount.source.endswith(_SOCKETS):
            yield refuse("engine_socket", where, written)
        elif not inside(mount.source, root):
            yield refuse("mount_outside", where, written)
    # A larger or smaller /dev/shm is the container's own.
    own_shm = mount.kind == "tmpfs" and inside(mount.target, "/dev/shm")
    if not own_shm and (mount.target == "/" or any(inside(mount.target, kernel) for kernel in _KERNEL)):
        yield refuse("mount_target", where, mount.target)


def _ports(spec: RunSpec, policy: Policy, where: str) -> Iterator[Refusal]:
    if len(spec.ports) > policy.ports:
        yield refuse("port_count", where, len(spec.ports), most=policy.ports)
    for port in spec.ports:
        if port.host is not None and port.host < policy.lowest_port:
            yield refuse("port_low", where, port.host, least=policy.lowest_port)
        if port.address not in _LOOPBACK + _ANY and not port.address.startswith("127."):
            yield refuse("port_address", where, port.address)


def _limits(spec: RunSpec, policy: Policy, where: str) -> Iterator[Refusal]:
    limits = spec.limits

    def over(name: str, value: str, most: str) -> Refusal:
        return refuse("over_limit", where, value, name=name, most=most)

    if limits.memory is not None and limits.memory > policy.memory:
        yield over("--memory", human_bytes(limits.memory), human_bytes(policy.memory))
    if limits.memory_swap == -1:
        yield over("--memory-swap", "-1", human_bytes(2 * policy.memory))
    elif limits.memory_swap is not None and limits.memory_swap > 2 * policy.memory:
        yield over("--memory-swap", human_bytes(limits.memory_swap), human_bytes(2 * policy.memory))
    if limits.nano_cpus is not None and limits.nano_cpus > policy.cpus * 1_000_000_000:
        yield over("--cpus", f"{limits.nano_cpus / 1_000_000_000:g}", f"{policy.cpus:g}")
    if limits.pids is not None and (limits.pids > policy.pids or limits.pids < 0):
        yield over("--pids-limit", str(limits.pids), str(policy.pids))
    if spec.shm_size is not None and spec.shm_size > policy.shm_size:
        yield over("--shm-size", human_bytes(spec.shm_size), human_bytes(policy.shm_size))
    if len(spec.mounts) > policy.mounts:
        yield over("-v, --mount, --tmpfs", str(len(spec.mounts)), str(policy.mounts))
    for mount in spec.mounts:
        if mount.size is not None and mount.size > policy.memory:
            yield over(f"--tmpfs {mount.target}", human_bytes(mount.size), human_bytes(policy.memory))


_IMAGES: tuple[Literal["push", "rmi", "save"], ...] = ("push", "rmi", "save")


def _other(command: Command, policy: Policy, own: _Own, shell: Shell, root: str) -> Iterator[Refusal]:
    """The verbs that make nothing: whose images and containers they name."""
    verb, where, names = command.verb, command.where, command.arguments
    if verb == "exec" and command.on("privileged"):
        yield refuse("privileged", where, "--privileged")
    if verb in ("exec", "start", "stop", "rm", "commit"):
        for name in names[:1] if verb in ("exec", "commit") else names:
            if name not in own.containers:
                yield refuse("other_container", where, f"docker {verb} {name}")
    if verb in ("push", "pull"):
        yield from _registry(names[0], policy, where, pull=verb == "pull")
    if verb == "tag" or (verb == "commit" and len(names) == 2):
        own.images.add(_tag(names[1]))
    for name in names if verb in _IMAGES else names[:1] if verb == "tag" else ():
        if not own.has_image(name) and not policy.allows_image(name):
            yield refuse("image", where, name, known=", ".join(policy.bases) or "-")
    path = command.last("output") or command.last("input")
    if path and not inside(normal(path, shell.cwd), root):
        yield refuse("context_outside", where, path)


def _registry(name: str, policy: Policy, where: str, *, pull: bool) -> Iterator[Refusal]:
    try:
        host = Reference.parse(name).host
    except UsageError as error:
        yield refuse("bad_value", where, error.what, meant=error.remedy)
        return
    if host not in policy.registries and not (pull and policy.allows_image(name)):
        yield refuse("registry", where, f"docker {'pull' if pull else 'push'} {name}")
