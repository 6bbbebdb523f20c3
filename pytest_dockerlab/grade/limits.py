"""The policy's limits on a build: which of them the engine keeps, and what a build that went over them is told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_dockerlab.build.spec import BuildLimits
from pytest_dockerlab.errors import BuildFailed, BuildOverLimit, BuildTimedOut, CapabilityMissing
from pytest_dockerlab.exercises.policy import Policies, Policy
from pytest_dockerlab.exercises.refusal import findings_of, refuse
from pytest_dockerlab.findings import CheckFailed
from pytest_dockerlab.grade.fence import proxy_args
from pytest_dockerlab.quantity import human_bytes
from pytest_dockerlab.run.readers import RESERVED_LABELS

if TYPE_CHECKING:
    from pytest_dockerlab.engine.endpoint import Endpoint
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.lab.build import Build

__all__ = ["check_image", "limits_of", "refuse_unkept", "told_of_limits"]


def limits_of(engine: Engine, policy: Policy) -> BuildLimits | None:
    """The limits of a submission's build; ``None`` where the policy lets an engine go without them that can't.

    Raises:
        CapabilityMissing: the engine can't keep them, and the policy insists.
    """
    if engine.capabilities.has("build_limits"):
        return BuildLimits(
            memory=policy.memory,
            nano_cpus=round(policy.cpus * 1_000_000_000),
            pids=policy.pids,
            disk=policy.disk,
        )
    if "build_limits" in policy.unkept:
        return None
    raise CapabilityMissing(
        "the policy's memory, cpus, pids and disk can't be kept for builds on this engine: "
        + engine.capabilities.reason("build_limits"),
        remedy="grade as root on an engine of this machine (best: let dockerlab start its own), or write "
        'unkept = ["build_limits"] into the policy, and run it where nothing can be harmed',
    )


def refuse_unkept(endpoint: Endpoint, policies: Policies) -> None:
    """Before a class is graded: whether the engine keeps what the policy promises.

    Raises:
        CapabilityMissing: it does not, and the policy insists.
    """
    from pytest_dockerlab.engine.engine import Engine

    engine = Engine(endpoint)
    for policy in (policies.default, *policies.exercises.values()):
        limits_of(engine, policy)
        proxy_args(engine, policy)


@contextlib.contextmanager
def told_of_limits(policy: Policy) -> Iterator[None]:
    """Around a build: what it went over is a refusal, told as those are."""
    try:
        yield
    except BuildOverLimit as error:
        most = str(error.limit) if error.resource == "pids" else human_bytes(error.limit)
        raise _refused(f"build_{error.resource}", error, most) from error
    except BuildTimedOut as error:
        raise _refused("build_time", error, f"{policy.build_seconds:g} s") from error


def _refused(code: str, error: BuildFailed, most: str) -> CheckFailed:
    where = f"{error.file.rpartition('/')[2]}:{error.line}" if error.file and error.line else ""
    return CheckFailed(findings_of([refuse(code, where, "", most=most)]))


def check_image(built: Build, policy: Policy) -> None:
    """An image that is too large is not used, nor one that says it is somebody else's.

    Raises:
        CheckFailed: with its size, its number of layers or volumes, or the label.
    """
    image = built.image
    # Those that it was built with decide over those of the Dockerfile; stand-ins of bases have some of their own.
    labels = image.config.labels
    known = {**built.base.config.labels, **built.spec.labels}
    forged = [name for name in labels if name.startswith(RESERVED_LABELS) and known.get(name) != labels[name]]
    refusals = []
    if image.size > policy.image_size:
        refusals.append(refuse("image_size", "", human_bytes(image.size), most=human_bytes(policy.image_size)))
    if len(image.layers) > policy.layers:
        refusals.append(refuse("layers", "", len(image.layers), most=policy.layers))
    if len(image.config.volumes) > policy.mounts:
        refusals.append(refuse("volumes", "", len(image.config.volumes), most=policy.mounts))
    refusals.extend(refuse("label", "", name) for name in forged)
    if refusals:
        raise CheckFailed(findings_of(refusals))
