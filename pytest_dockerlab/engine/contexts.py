"""Docker's contexts, read as the docker program stores them.

``$DOCKER_CONFIG`` or ``~/.docker``: ``config.json`` names the current one, ``contexts/meta/SHA256(name)/meta.json``
holds each, ``contexts/tls/SHA256(name)/docker/`` its certificates (docker/cli, cli/context/store). Read here and not
through docker-py, which takes 0.1 s to import and would be imported in each run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pytest_dockerlab.engine.endpoint import Endpoint, Tls
from pytest_dockerlab.foreign import read_json

__all__ = ["context", "current", "known"]


def _folder(environ: Mapping[str, str]) -> Path:
    if named := environ.get("DOCKER_CONFIG"):
        return Path(named)
    return Path(environ.get("HOME") or Path.home()) / ".docker"


def _read(path: Path) -> Mapping[str, object]:
    try:
        found = read_json(path.read_bytes())
    except (OSError, ValueError):  # not there, or not for us to judge: docker itself would complain
        return {}
    return found if isinstance(found, dict) else {}


def current(environ: Mapping[str, str]) -> str:
    """The context that ``docker context use`` chose, ``""`` for docker's own default."""
    name = _read(_folder(environ) / "config.json").get("currentContext")
    return name if isinstance(name, str) and name != "default" else ""


def known(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Names of all contexts, sorted."""
    found = (_read(path).get("Name") for path in _folder(environ).glob("contexts/meta/*/meta.json"))
    return tuple(sorted({"default", *(name for name in found if isinstance(name, str))}))


def context(name: str, environ: Mapping[str, str], source: str) -> Endpoint | None:
    """The address that context ``name`` stands for, ``None`` where there is no such context."""
    label = f"context {name}"
    if name == "default":
        return Endpoint(url="unix:///var/run/docker.sock", name=label, source=source)
    digest = hashlib.sha256(name.encode()).hexdigest()
    endpoints = _read(_folder(environ) / "contexts/meta" / digest / "meta.json").get("Endpoints")
    found = endpoints.get("docker") if isinstance(endpoints, dict) else None
    host = found.get("Host") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(host, str) or not host:
        return None
    return Endpoint(url=host, name=label, source=source, tls=_tls(digest, environ, bool(found.get("SkipTLSVerify"))))


def _tls(digest: str, environ: Mapping[str, str], skip: bool) -> Tls | None:
    folder = _folder(environ) / "contexts/tls" / digest / "docker"
    files = {
        name: str(folder / f"{name}.pem") if (folder / f"{name}.pem").exists() else "" for name in ("ca", "cert", "key")
    }
    if not any(files.values()) and not skip:
        return None
    return Tls(**files, verify=not skip)
