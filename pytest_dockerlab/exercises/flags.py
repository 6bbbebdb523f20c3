"""Every documented flag of the commands that a student may hand in, and what becomes of it.

Sources: docs.docker.com/reference/cli/docker (container run and create, image build, buildx build, …) and
``docker run --help`` of Docker 20.10 and 28. A test holds them against the client that is installed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["VERBS", "Flag", "Treatment", "Verb", "flag_of"]

Treatment = Literal["used", "ignored", "refused"]
"""``used``: part of the spec. ``ignored``: known, and without effect here. ``refused``: for its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One flag.

    Attributes:
        name: long, without dashes.
        short: one letter or ``""``.
        switch: takes no value (``--rm``, ``--rm=false``).
        treatment: what becomes of it.
        reason: key of ``reasons.REASONS`` where it is refused.
        same_as: the flag that it is another name of.
    """

    name: str
    short: str = ""
    switch: bool = False
    treatment: Treatment = "used"
    reason: str = ""
    same_as: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One command.

    Attributes:
        name: as after ``docker``.
        flags: all of them.
        anywhere: flags may stand behind arguments; else the first argument ends them.
        least, most: number of arguments, ``None`` for no bound.
        wanted: the arguments, for messages.
    """

    name: str
    flags: tuple[Flag, ...]
    anywhere: bool = True
    least: int = 0
    most: int | None = None
    wanted: str = ""


def _flags(names: str, *, treatment: Treatment = "used", reason: str = "", switch: bool = False) -> Iterable[Flag]:
    """``name`` or ``name/s`` each."""
    for each in names.split():
        name, _, short = each.partition("/")
        yield Flag(name=name, short=short, switch=switch, treatment=treatment, reason=reason)


_CREATE = (
    *_flags("init interactive/i no-healthcheck privileged publish-all/P read-only rm tty/t", switch=True),
    *_flags("help", switch=True, treatment="refused", reason="builds_nothing"),
    *_flags("disable-content-trust quiet/q", switch=True, treatment="ignored"),
    *_flags("oom-kill-disable", switch=True, treatment="refused", reason="oom"),
    *_flags("use-api-socket", switch=True, treatment="refused", reason="engine_socket"),
    *_flags("add-host cap-add cap-drop cpu-period cpu-quota cpus entrypoint env/e env-file health-cmd"),
    *_flags("health-interval health-retries health-start-period health-timeout hostname/h"),
    *_flags("ipc cgroupns label/l label-file memory/m memory-swap mount name network network-alias pid pids-limit"),
    *_flags("platform publish/p restart security-opt shm-size stop-signal tmpfs user/u userns uts volume/v workdir/w"),
    *_flags("annotation attach/a blkio-weight cidfile cpu-count cpu-percent cpu-shares/c", treatment="ignored"),
    *_flags("cpuset-cpus cpuset-mems dns dns-option dns-search domainname expose group-add", treatment="ignored"),
    *_flags("health-start-interval", treatment="ignored"),
    *_flags("io-maxbandwidth io-maxiops ip ip6 isolation kernel-memory link-local-ip log-driver", treatment="ignored"),
    *_flags("log-opt mac-address memory-reservation memory-swappiness pull stop-timeout", treatment="ignored"),
    *_flags("storage-opt ulimit", treatment="ignored"),
    *_flags("blkio-weight-device device device-cgroup-rule gpus", treatment="refused", reason="device"),
    *_flags("device-read-bps device-read-iops device-write-bps", treatment="refused", reason="device"),
    *_flags("device-write-iops", treatment="refused", reason="device"),
    *_flags("cgroup-parent", treatment="refused", reason="cgroup_parent"),
    *_flags("cpu-rt-period cpu-rt-runtime", treatment="refused", reason="realtime"),
    *_flags("link volumes-from", treatment="refused", reason="other_container"),
    *_flags("oom-score-adj", treatment="refused", reason="oom"),
    *_flags("runtime", treatment="refused", reason="runtime"),
    *_flags("sysctl", treatment="refused", reason="sysctl"),
    *_flags("volume-driver", treatment="refused", reason="volume_driver"),
    # Older names; the client still takes them.
    Flag(name="net", same_as="network"),
    Flag(name="net-alias", same_as="network-alias"),
    Flag(name="dns-opt", treatment="ignored", same_as="dns-option"),
)
_RUN = (
    *_CREATE,
    *_flags("detach/d", switch=True),
    *_flags("sig-proxy", switch=True, treatment="ignored"),
    *_flags("detach-keys", treatment="ignored"),
)
_BUILD = (
    *_flags("no-cache pull", switch=True),
    *_flags("help", switch=True, treatment="refused", reason="builds_nothing"),
    *_flags("compress disable-content-trust force-rm quiet/q rm squash stream", switch=True, treatment="ignored"),
    *_flags("add-host build-arg file/f label network platform tag/t target"),
    *_flags("cache-from cpu-period cpu-quota cpu-shares/c cpuset-cpus cpuset-mems iidfile", treatment="ignored"),
    *_flags("isolation memory/m memory-swap progress shm-size ulimit", treatment="ignored"),
    *_flags("cgroup-parent", treatment="refused", reason="cgroup_parent"),
    *_flags("security-opt", treatment="refused", reason="security_opt"),
    # docker build is buildx, where that is installed.
    *_flags("load debug/D", switch=True, treatment="ignored"),
    *_flags("push", switch=True, treatment="refused", reason="registry"),
    *_flags("check", switch=True, treatment="refused", reason="builds_nothing"),
    *_flags("call", treatment="refused", reason="builds_nothing"),
    *_flags("annotation attest builder metadata-file no-cache-filter provenance sbom", treatment="ignored"),
    *_flags("allow build-context cache-to output/o policy secret ssh", treatment="refused", reason="build_flag"),
)
_EXEC = (
    *_flags("detach/d interactive/i privileged tty/t", switch=True),
    *_flags("env/e env-file user/u workdir/w"),
    *_flags("detach-keys", treatment="ignored"),
)

VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(name="run", flags=_RUN, anywhere=False, least=1, wanted="IMAGE [COMMAND] [ARG…]"),
        Verb(name="create", flags=_CREATE, anywhere=False, least=1, wanted="IMAGE [COMMAND] [ARG…]"),
        Verb(name="build", flags=_BUILD, least=1, most=1, wanted="one folder"),
        Verb(name="exec", flags=_EXEC, anywhere=False, least=2, wanted="CONTAINER COMMAND [ARG…]"),
        Verb(
            name="pull",
            flags=(
                *_flags("all-tags/a", switch=True, treatment="refused", reason="registry"),
                *_flags("disable-content-trust quiet/q", switch=True, treatment="ignored"),
                *_flags("platform"),
            ),
            least=1,
            most=1,
            wanted="one image",
        ),
        Verb(
            name="push",
            flags=(
                *_flags("all-tags/a", switch=True),
                *_flags("disable-content-trust quiet/q", switch=True, treatment="ignored"),
                *_flags("platform"),
            ),
            least=1,
            most=1,
            wanted="one image",
        ),
        Verb(
            name="start",
            flags=(
                *_flags("attach/a interactive/i", switch=True),
                *_flags("checkpoint checkpoint-dir", treatment="refused", reason="other_container"),
                *_flags("detach-keys", treatment="ignored"),
            ),
            least=1,
            wanted="CONTAINER…",
        ),
        Verb(name="stop", flags=tuple(_flags("signal/s timeout/t time")), least=1, wanted="CONTAINER…"),
        Verb(name="rm", flags=tuple(_flags("force/f link/l volumes/v", switch=True)), least=1, wanted="CONTAINER…"),
        Verb(
            name="rmi",
            flags=(*_flags("force/f no-prune", switch=True), *_flags("platform")),
            least=1,
            wanted="IMAGE…",
        ),
        Verb(name="tag", flags=(), least=2, most=2, wanted="SOURCE TARGET"),
        Verb(
            name="commit",
            flags=(*_flags("author/a change/c message/m"), *_flags("pause/p", switch=True)),
            least=1,
            most=2,
            wanted="CONTAINER [IMAGE]",
        ),
        Verb(name="save", flags=tuple(_flags("output/o platform")), least=1, wanted="IMAGE…"),
        Verb(
            name="load",
            flags=(*_flags("input/i platform"), *_flags("quiet/q", switch=True, treatment="ignored")),
            most=0,
            wanted="no argument",
        ),
    )
}


def flag_of(verb: str, name: str) -> Flag | None:
    """The flag with this long name or letter, another name resolved."""
    found = next((each for each in VERBS[verb].flags if name == (each.short if len(name) == 1 else each.name)), None)
    return flag_of(verb, found.same_as) if found is not None and found.same_as else found
