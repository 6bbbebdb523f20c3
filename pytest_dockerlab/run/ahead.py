"""Which containers may be made before they are asked for, how many of them, and when one is still as good as new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pytest_dockerlab.quantity import NANO
from pytest_dockerlab.run.spec import RunSpec
from pytest_dockerlab.run.state import ContainerState, moment

__all__ = ["Bounds", "age_limit", "as_good_as_new", "may_be_ahead", "may_go_later"]

# What a container without a cap is taken to need.
_UNCAPPED_MEMORY = 256 * 1024**2
_UNCAPPED_CORES = 0.5
# A part of the engine's memory, for what nobody has asked for yet.
_SHARE_OF_MEMORY = 0.25
_MOST = 8

# The age up to which a container that runs passes for one that was just started. One that is waited for is a server,
# and stays; another one may be `sleep 5`.
_PATIENT_SECONDS = 120.0
_PLAIN_SECONDS = 3.0
# What ended sooner than this after its start could not have been seen alive by the test, either.
_SHORT_LIFE_SECONDS = 0.25


def may_be_ahead(spec: RunSpec) -> bool:
    """Whether a container of this spec means the same to the test that gets it, and disturbs no other test.

    A name or a port of the host is one test's at a time; a folder, a volume or a network belongs to somebody and may
    not be there yet; what is talked to has to be talked to from its start; one that the engine removes or starts again
    by itself may be gone or another one by then.
    """
    return may_go_later(spec) and not (
        spec.aliases or spec.stdin or spec.tty or spec.privileged or spec.restart or spec.auto_remove
    )


def may_go_later(spec: RunSpec) -> bool:
    """Whether it can be removed while the next test runs: nothing that another test may ask for goes with it."""
    return (
        not spec.name
        and all(port.host is None for port in spec.ports)
        and all(mount.kind == "tmpfs" or (mount.kind == "volume" and not mount.source) for mount in spec.mounts)
        and spec.network in ("", "none", "bridge", "default")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may be kept ready.

    Attributes:
        count: containers.
        cores: sum of their CPU caps.
        memory: sum of their memory caps, in bytes.
    """

    count: int
    cores: float
    memory: float

    @classmethod
    def of(cls, cpus: int, memory: int) -> Bounds:
        """For an engine with so many cores and so much memory (0 where it doesn't say)."""
        cores = cpus or 1
        return cls(
            count=min(_MOST, 2 * cores),
            cores=float(cores),
            memory=memory * _SHARE_OF_MEMORY if memory else 2 * _UNCAPPED_MEMORY,
        )

    def fitting(self, specs: Iterable[RunSpec]) -> Iterator[RunSpec]:
        """The first ones that fit in together; the first that does not ends it, so that none overtakes."""
        count, cores, memory = self.count, self.cores, self.memory
        for spec in specs:
            count -= 1
            cores -= spec.limits.nano_cpus / NANO if spec.limits.nano_cpus else _UNCAPPED_CORES
            memory -= spec.limits.memory or _UNCAPPED_MEMORY
            if min(count, cores, memory) < 0:
                return
            yield spec


def age_limit(*, patient: bool) -> float:
    """Seconds for which a container that runs passes for one that was just started."""
    return _PATIENT_SECONDS if patient else _PLAIN_SECONDS


def as_good_as_new(state: ContainerState, age: float, *, patient: bool) -> bool:
    """Whether a test can't tell it from a container that was started for it.

    Args:
        age: seconds since it was started, by our clock.
        patient: it is waited for until it is ready.
    """
    if state.status == "running":
        return age <= age_limit(patient=patient)
    life = _life(state)
    return state.status == "exited" and life is not None and life < _SHORT_LIFE_SECONDS


def _life(state: ContainerState) -> float | None:
    try:
        started, finished = (moment(text) for text in (state.started_at, state.finished_at))
    except ValueError:
        return None
    return finished - started
