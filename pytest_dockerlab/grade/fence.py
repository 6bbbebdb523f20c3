"""What a policy lets builds and containers reach, and whether an engine keeps to that."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_dockerlab.errors import CapabilityMissing, UsageError
from pytest_dockerlab.exercises.policy import Policies, Policy

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["fence_of", "index_hosts", "pip_hosts", "proxy_args"]


def index_hosts(policy: Policy, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The hosts that a build with ``build_network = "index"`` reaches: the policy's; else pip's own index, and those
    from which pip and apt of this machine install, as stand-ins for base images do, too."""
    if policy.index:
        return policy.index
    from pytest_dockerlab.bases.host import read_host
    from pytest_dockerlab.bases.pipconfig import pip_files, read_pip

    options = dict(read_pip(pip_files(environ), environ))
    urls = [
        *(url for name in ("index-url", "extra-index-url") for url in options.get(name, "").split()),
        *(uri for source in read_host().sources for uri in source.uris),
    ]
    return tuple(dict.fromkeys([*pip_hosts(), *(host for url in urls if (host := _host(url)))]))


def pip_hosts() -> tuple[str, ...]:
    """Where a pip that nobody configured looks, and where that index keeps its files; pip alone knows."""
    try:
        index = import_module("pip._internal.models.index").PyPI
        hosts = (str(index.netloc), str(index.file_storage_domain))
    except (ImportError, AttributeError):
        return ()
    return hosts


def fence_of(policies: Policies, environ: Mapping[str, str] = os.environ) -> tuple[str, ...] | None:
    """The fence of an engine for a course: the hosts that any of its builds may reach.

    Returns:
        ``None`` if builds or containers may reach everything.

    Raises:
        UsageError: some may, and others may not; an engine has a fence, or none.
    """
    every = {"the others": policies.default, **policies.exercises}
    is_open = [name for name, policy in every.items() if "open" in (policy.build_network, policy.run_network)]
    indexed = [name for name, policy in every.items() if policy.build_network == "index" and name not in is_open]
    if not is_open:
        return tuple(dict.fromkeys(host for name in indexed for host in index_hosts(every[name], environ)))
    kept = [name for name in indexed if "network" not in every[name].unkept]
    if kept:
        raise UsageError(
            f'policy: the network is "open" for {", ".join(is_open)}, and builds of {", ".join(kept)} may reach the '
            "package index alone: one engine can't keep to both",
            remedy='list in index what those with "open" need; or write build_network = "open" (or "none") for the '
            "others, too",
        )
    return None


def proxy_args(engine: Engine, policy: Policy) -> dict[str, str]:
    """Build arguments that lead RUN to the proxy of a fenced engine.

    Raises:
        CapabilityMissing: the engine does not keep builds from reaching everything, and the policy insists.
    """
    if policy.build_network != "index":
        return {}
    from pytest_dockerlab.engine import private

    found = private.fence(engine.endpoint.url)
    if found is not None:
        return found.args(found.proxy)
    if "network" in policy.unkept:
        return {}
    raise CapabilityMissing(
        'the policy lets builds reach the package index alone (build_network = "index"), and this engine lets them '
        "reach everything",
        remedy='let dockerlab start an engine of its own, as root (--engine private); or write build_network = "none" '
        'or "open" into the policy, or unkept = ["network"]',
    )


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host or ":" in host:
        return ""
    return f"{host}:{port}" if port else host
