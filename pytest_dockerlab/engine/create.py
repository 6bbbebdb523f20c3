"""A ``RunSpec`` as the JSON that ``POST /containers/create`` wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_dockerlab.image.model import Healthcheck
from pytest_dockerlab.quantity import NANO
from pytest_dockerlab.run.spec import Mount, PublishedPort, RunSpec

__all__ = ["container_json"]


def container_json(spec: RunSpec, labels: Mapping[str, str]) -> dict[str, Any]:
    """The body of the request; what ``spec`` leaves open is left out, so that image and engine decide.

    Args:
        labels: put on it besides the spec's own, which win.
    """
    body: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{key}={value}" for key, value in spec.env.items()],
        "Labels": {**labels, **spec.labels},
        "Tty": spec.tty,
        "OpenStdin": spec.stdin,
        # As the docker command line does: the end of the client's input is the end of the
        # process's, but not on a terminal, from which one may detach and come back.
        "StdinOnce": spec.stdin and not spec.tty,
        "ExposedPorts": {_port(port): {} for port in spec.ports},
        "HostConfig": _host(spec),
    }
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    if spec.entrypoint is not None:
        # An empty list would mean "the image's own"; one empty string is how to have none.
        body["Entrypoint"] = list(spec.entrypoint) or [""]
    named = {"User": spec.user, "WorkingDir": spec.workdir, "Hostname": spec.hostname, "StopSignal": spec.stop_signal}
    body.update({key: value for key, value in named.items() if value})
    if spec.healthcheck is not None:
        body["Healthcheck"] = _healthcheck(spec.healthcheck)
    if spec.network and spec.aliases:
        body["NetworkingConfig"] = {"EndpointsConfig": {spec.network: {"Aliases": list(spec.aliases)}}}
    return body


def _host(spec: RunSpec) -> dict[str, Any]:
    limits = spec.limits
    host: dict[str, Any] = {
        # Mounts, not Binds, which would make a missing folder, as root's (docs.docker.com/engine/storage/bind-mounts).
        "Mounts": [_mount(mount) for mount in spec.mounts if mount.kind != "tmpfs"],
        "Tmpfs": {mount.target: _tmpfs(mount) for mount in spec.mounts if mount.kind == "tmpfs"},
        "PortBindings": _bindings(spec.ports),
        "ExtraHosts": [f"{name}:{address}" for name, address in spec.extra_hosts.items()],
        "ReadonlyRootfs": spec.read_only,
        "CapAdd": list(spec.cap_add),
        "CapDrop": list(spec.cap_drop),
        "SecurityOpt": list(spec.security_opt),
        "Privileged": spec.privileged,
        "AutoRemove": spec.auto_remove,
    }
    optional = {
        "NanoCpus": limits.nano_cpus,
        "Memory": limits.memory,
        "MemorySwap": limits.memory_swap,
        "PidsLimit": limits.pids,
        "ShmSize": spec.shm_size,
        "NetworkMode": spec.network or None,
        "Init": spec.init or None,
    }
    host.update({key: value for key, value in optional.items() if value is not None})
    if spec.log_size is not None:
        # The engine's own default driver may keep logs elsewhere, without an end; Podman takes the name, too.
        config = {"max-size": str(spec.log_size), "max-file": "1"}
        host["LogConfig"] = {"Type": "json-file", "Config": config}
    if spec.restart:
        name, _, count = spec.restart.partition(":")
        host["RestartPolicy"] = {"Name": name, "MaximumRetryCount": int(count or 0)}
    return host


def _port(port: PublishedPort) -> str:
    return f"{port.container}/{port.protocol}"


def _bindings(ports: tuple[PublishedPort, ...]) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        binding = {"HostIp": port.address, "HostPort": "" if port.host is None else str(port.host)}
        bindings.setdefault(_port(port), []).append(binding)
    return bindings


def _mount(mount: Mount) -> dict[str, Any]:
    return {"Type": mount.kind, "Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}


def _tmpfs(mount: Mount) -> str:
    options = ["ro"] if mount.read_only else []
    if mount.size is not None:
        options.append(f"size={mount.size}")
    return ",".join(options)


def _healthcheck(check: Healthcheck) -> dict[str, Any]:
    return {
        "Test": list(check.test),
        "Interval": int(check.interval * NANO),
        "Timeout": int(check.timeout * NANO),
        "StartPeriod": int(check.start_period * NANO),
        "Retries": check.retries,
    }
