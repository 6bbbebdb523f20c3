"""What is asked → what is run: the same, within the policy's limits and apart from other students'."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pytest_dockerlab.build.spec import BuildSpec
from pytest_dockerlab.exercises.policy import Policy
from pytest_dockerlab.run.spec import Limits, Mount, RunSpec

__all__ = ["confined_build", "confined_run"]

_NO_NEW = "no-new-privileges"


def confined_run(spec: RunSpec, policy: Policy, *, prefix: str) -> RunSpec:
    """A container's spec as it is run.

    Limits that were not asked for are the policy's; memory has no swap beside it unless that was asked for. Host
    ports become free ones and names are dropped, as hundreds run the same command side by side; named volumes
    get a prefix.

    Args:
        spec: of an ``AskedRun`` without refusals.
        prefix: of names that are this submission's alone.
    """
    asked = spec.limits
    memory = policy.memory if asked.memory is None else min(asked.memory, policy.memory)
    swap = asked.memory_swap
    if swap is None and asked.memory is None:
        swap = memory
    elif swap is not None and not 0 <= swap <= 2 * policy.memory:
        swap = 2 * memory
    cpus = round(policy.cpus * 1_000_000_000)
    pids = asked.pids if asked.pids is not None and 0 < asked.pids <= policy.pids else policy.pids
    permitted = "security_opt" in policy.permits or "privileged" in policy.permits
    security = spec.security_opt
    if not permitted and not any(option.startswith(_NO_NEW) for option in security):
        security = (*security, _NO_NEW)
    return replace(
        spec,
        limits=Limits(
            nano_cpus=cpus if asked.nano_cpus is None else min(asked.nano_cpus, cpus),
            memory=memory,
            memory_swap=swap,
            pids=pids,
        ),
        mounts=tuple(_mount(mount, policy, prefix) for mount in spec.mounts),
        ports=tuple(replace(port, host=None, address="127.0.0.1") for port in spec.ports),
        network=spec.network if spec.network not in ("", "default") else policy.run_network,
        security_opt=security,
        name="",
        # Restarted by the engine it would outlive its time.
        restart="" if spec.restart in ("always", "unless-stopped") else spec.restart,
        # Its logs and its state are read after its end.
        auto_remove=False,
        log_size=policy.log_size,
    )


def confined_build(spec: BuildSpec, policy: Policy, *, nonce: str, dockerfile: Path | None = None) -> BuildSpec:
    """A build's spec as it is built.

    Args:
        spec: of an ``AskedBuild`` without refusals.
        nonce: the submission's; steps of builds with another one are not reused, those of the base are.
        dockerfile: to build instead (the same without ``# syntax=``).
    """
    return replace(
        spec,
        tags=(),
        network="none" if policy.build_network == "none" or spec.network == "none" else "default",
        fresh=nonce,
        timeout=policy.build_seconds,
        # Where cache mounts are permitted, theirs are apart: else they are one for the whole engine, by their id.
        args={**spec.args, **({"BUILDKIT_CACHE_MOUNT_NS": nonce} if nonce else {})},
        dockerfile=dockerfile or spec.dockerfile,
        secrets={},
        ssh={},
    )


def _mount(mount: Mount, policy: Policy, prefix: str) -> Mount:
    if mount.kind == "volume" and mount.source:
        return replace(mount, source=f"{prefix}-{mount.source}")
    if mount.kind == "tmpfs":
        # Its pages are the container's memory, but a tmpfs without a size takes half of the machine's.
        return replace(mount, size=policy.shm_size if mount.size is None else min(mount.size, policy.memory))
    return mount
