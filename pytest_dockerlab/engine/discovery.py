"""Which engine to use: a list of probes, each with its outcome and its reason."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_dockerlab.engine import contexts
from pytest_dockerlab.engine.endpoint import Endpoint, Tls
from pytest_dockerlab.engine.ping import Answer, ping
from pytest_dockerlab.errors import EngineNotFound, EngineUnreachable
from pytest_dockerlab.settings import Settings

__all__ = ["PATIENCE", "Candidate", "Discovery", "discover", "named_engine", "obtain", "probe"]

# Seconds: a wrong address is an error before anybody wonders what hangs.
PATIENCE = 4.0

_UNREACHABLE = {
    "DOCKER_HOST": "start that engine, or unset DOCKER_HOST to have one found",
    "DOCKER_CONTEXT": "start that engine, or unset DOCKER_CONTEXT to have one found",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One probe.

    Attributes:
        name: what people call it.
        url: its address, ``""`` where it has none yet.
        ok: it answers; of the private engine: it can be started.
        reason: why, in words, either way.
        endpoint: to use it, ``None`` where it does not answer.
    """

    name: str
    url: str
    ok: bool
    reason: str
    endpoint: Endpoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """All probes in their order, and the one that won.

    Attributes:
        chosen: ``None`` where nothing answers, or where a private engine was asked for.
        error: an engine was named and does not answer: no other is taken in its place.
    """

    candidates: tuple[Candidate, ...]
    chosen: Endpoint | None
    error: EngineUnreachable | None = None

    def __str__(self) -> str:
        return "\n".join(
            f"{'✓' if one.ok else '✗'} {one.name}{f' ({one.url})' if one.url else ''}: {one.reason}"
            for one in self.candidates
        )


def named_engine(settings: Settings, environ: Mapping[str, str] = os.environ) -> Endpoint | None:
    """The engine that somebody named, ``None`` where nobody did. Needs the standard library only.

    Raises:
        EngineUnreachable: it does not answer within five seconds.
    """
    named, complaint = _named(settings, environ)
    if complaint is not None:
        raise complaint
    if named is not None and not (answer := _patient_ping(named)).ok:
        raise _unreachable(named, answer)
    return named


def discover(settings: Settings, environ: Mapping[str, str] = os.environ) -> Discovery:
    """Probe until one answers.

    Raises:
        EngineUnreachable: an engine was named (option, environment, ini, DOCKER_HOST, DOCKER_CONTEXT) and does not
            answer within five seconds.
    """
    found = probe(settings, environ)
    if found.error is not None:
        raise found.error
    return found


def probe(settings: Settings, environ: Mapping[str, str] = os.environ, *, thorough: bool = False) -> Discovery:
    """As ``discover``, with the error as a value; ``thorough`` looks at what comes after the one that won, too."""
    candidates: list[Candidate] = []
    chosen: Endpoint | None = None
    error: EngineUnreachable | None = None
    settled = settings.engine == "private"
    named, complaint = _named(settings, environ)
    if complaint is not None:
        candidates.append(Candidate(name=complaint.args[0], url="", ok=False, reason="no such context"))
        error, settled = complaint, True
    elif named is not None:
        answer = _patient_ping(named)
        candidates.append(_candidate(named, answer))
        settled = True
        if answer.ok:
            chosen = named
        else:
            error = _unreachable(named, answer)
    if settled and not thorough:
        return Discovery(candidates=(*candidates, _private()), chosen=chosen, error=error)
    for endpoint in _known(environ):
        answer = _patient_ping(endpoint, 2.0)
        candidates.append(_candidate(endpoint, answer))
        if answer.ok and not settled:
            chosen, settled = endpoint, True
            if not thorough:
                break
    return Discovery(candidates=(*candidates, _private()), chosen=chosen, error=error)


def obtain(
    settings: Settings,
    *,
    owner_pid: int | None,
    on_progress: Callable[[str], None] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Endpoint:
    """The engine that ``discover`` finds, else a private one, started for the life of ``owner_pid``.

    Raises:
        EngineUnreachable: an engine was named and does not answer.
        EngineNotFound: nothing answers, and no private engine can be started.
        EngineStartFailed, InstallFailed: a private engine was tried.
    """
    from pytest_dockerlab.engine import private

    found = discover(settings, environ)
    if found.chosen is not None:
        return found.chosen
    if private.missing() and settings.install:
        from pytest_dockerlab.engine import install

        install.ensure(on_progress=on_progress)
    if private.missing():
        raise EngineNotFound(
            "no container engine answers, and none can be started; tried:\n    " + str(found).replace("\n", "\n    "),
            remedy="run: dockerlab up --install, or start your engine, or name it in DOCKER_HOST",
        )
    endpoint = private.start(owner_pid, settings, on_progress)
    return endpoint.chosen_by(settings.source("engine")) if settings.engine else endpoint


def _patient_ping(endpoint: Endpoint, patience: float = PATIENCE) -> Answer:
    """A ping that is given up after ``patience`` seconds, whatever it hangs in: a look-up of a name has no timeout."""
    if endpoint.socket:
        return ping(endpoint, timeout=patience)
    answers: list[Answer] = []
    asker = threading.Thread(target=lambda: answers.append(ping(endpoint, timeout=patience)), daemon=True)
    asker.start()
    asker.join(patience + 0.3)
    return answers[0] if answers else Answer(ok=False, reason=f"no answer within {patience:g} s")


def _candidate(endpoint: Endpoint, answer: Answer) -> Candidate:
    return Candidate(
        name=endpoint.name,
        url=endpoint.url,
        ok=answer.ok,
        reason=answer.reason,
        endpoint=endpoint if answer.ok else None,
    )


def _unreachable(endpoint: Endpoint, answer: Answer) -> EngineUnreachable:
    remedy = answer.remedy or _UNREACHABLE.get(
        endpoint.source, f"start that engine, or correct or remove {endpoint.source}"
    )
    return EngineUnreachable(
        f"{endpoint.source} names the engine {endpoint.url!r}, which does not answer: {answer.reason}", remedy=remedy
    )


def _named(settings: Settings, environ: Mapping[str, str]) -> tuple[Endpoint | None, EngineUnreachable | None]:
    """The engine that somebody named, or what is wrong with that name."""
    if settings.engine == "private":
        return None, None
    if settings.engine.startswith("context:"):
        return _named_context(settings.engine.removeprefix("context:"), settings.source("engine"), environ)
    if settings.engine:
        return Endpoint(
            url=settings.engine,
            name="named engine",
            source=settings.source("engine"),
            tls=_tls(environ, settings.engine),
        ), None
    if host := environ.get("DOCKER_HOST", "").strip():
        # The docker program takes a bare HOST:PORT for TCP.
        url = host if "://" in host or host.startswith("/") else f"tcp://{host}"
        return Endpoint(url=url, name="DOCKER_HOST", source="DOCKER_HOST", tls=_tls(environ, url)), None
    name = environ.get("DOCKER_CONTEXT", "").strip()
    if name and name != "default":
        return _named_context(name, "DOCKER_CONTEXT", environ)
    return None, None


def _named_context(
    name: str, source: str, environ: Mapping[str, str]
) -> tuple[Endpoint | None, EngineUnreachable | None]:
    if (endpoint := contexts.context(name, environ, source)) is not None:
        return endpoint, None
    return None, EngineUnreachable(
        f"{source} names the docker context {name!r}, which does not exist",
        remedy=f"one of: {', '.join(contexts.known(environ))}",
    )


def _tls(environ: Mapping[str, str], url: str) -> Tls | None:
    """As the docker program reads DOCKER_TLS_VERIFY and DOCKER_CERT_PATH; certificates belong to TCP only."""
    verify, folder = environ.get("DOCKER_TLS_VERIFY", ""), environ.get("DOCKER_CERT_PATH", "")
    if not url.startswith("tcp://") or not (verify or folder):
        return None
    place = Path(folder) if folder else Path(environ.get("HOME") or Path.home()) / ".docker"
    ca, cert, key = (place / name for name in ("ca.pem", "cert.pem", "key.pem"))
    # An engine may want no certificate of ours, and whoever doesn't verify needs none of its authority.
    ours = (str(cert), str(key)) if cert.exists() or key.exists() else ("", "")
    return Tls(ca=str(ca) if verify or ca.exists() else "", cert=ours[0], key=ours[1], verify=bool(verify))


def _known(environ: Mapping[str, str]) -> Iterator[Endpoint]:
    """What nobody named, in the order in which docker's own program and its relatives put it."""
    name = "" if environ.get("DOCKER_CONTEXT") == "default" else contexts.current(environ)
    if name and (endpoint := contexts.context(name, environ, f"docker context {name}")) is not None:
        yield endpoint
    home, runtime = Path(environ.get("HOME") or Path.home()), environ.get("XDG_RUNTIME_DIR", "")
    places = [
        ("default socket", Path("/var/run/docker.sock")),
        ("rootless docker", Path(runtime, "docker.sock") if runtime else None),
        ("Docker Desktop", home / ".docker/run/docker.sock"),
        ("Docker Desktop for Linux", home / ".docker/desktop/docker.sock"),
        ("Colima", home / ".colima/default/docker.sock"),
        ("rootless podman", Path(runtime, "podman/podman.sock") if runtime else None),
        ("podman", Path("/run/podman/podman.sock")),
    ]
    seen = set()
    for label, path in places:
        if path is not None and path.resolve() not in seen:
            seen.add(path.resolve())
            yield Endpoint(url=f"unix://{path}", name=label, source="found")
    # One that belongs to a test run ends with it: not for others.
    from pytest_dockerlab.engine import private  # not above: it needs more than the standard library

    yield from (endpoint for endpoint in private.running() if endpoint.source == "dockerlab up")


def _private() -> Candidate:
    from pytest_dockerlab.engine import private

    reason = private.missing()
    return Candidate(
        name="private engine", url="", ok=not reason,
        reason=reason or f"can be started ({private.kind()})",
    )  # fmt: skip
