"""The containers of one engine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_dockerlab.engine import kernel_log
from pytest_dockerlab.engine.api import PODMAN_API
from pytest_dockerlab.engine.binds import refuse_unseen
from pytest_dockerlab.engine.create import container_json
from pytest_dockerlab.engine.inside import Inside
from pytest_dockerlab.engine.inside import about as _about
from pytest_dockerlab.engine.probes import same_kernel
from pytest_dockerlab.engine.pulse import BEAT_SECONDS
from pytest_dockerlab.engine.resources import label_filter
from pytest_dockerlab.engine.results import ContainerSummary, Created
from pytest_dockerlab.engine.translate import engines_work, start_error
from pytest_dockerlab.errors import Conflict, EngineError, NotFound, UsageError, WaitTimedOut
from pytest_dockerlab.reference import Reference
from pytest_dockerlab.run.spec import RunSpec
from pytest_dockerlab.run.state import ContainerState, limits_of, moment, state_of

__all__ = ["Containers"]

# How long the engine may work at a creation or a start, as long as it answers others: a busy host is no failure.
_WORK_SECONDS = 180.0
# Of a start, if the host is short of something: it may have it again in a moment.
_TRIES = 3
_STOP_MARGIN = 30.0
_COMMIT_SECONDS = 600.0
_KILLED = 137
_START_SECONDS = 5.0


class Containers(Inside):
    """Verbs on containers; each takes an id or a name, and raises ``NotFound`` where there is no such container."""

    # Life

    def create(self, spec: RunSpec) -> Created:
        """Make a container, not started.

        Raises:
            NotFound: no such image on the engine (it is not pulled).
            Conflict: the name is taken.
            UsageError: a bind mount's folder is missing, or the engine refuses a value.
            CapabilityMissing: a bind mount of our files, which the engine does not see.
            EngineError: it did not get it done.
        """
        about = f"container {spec.name!r} of {spec.image}" if spec.name else f"container of {spec.image}"
        refuse_unseen(self._engine, spec.mounts, about)
        params: dict[str, object] = {"name": spec.name or None}
        if spec.platform is not None and self._api.at_least("1.41"):
            params["platform"] = str(spec.platform)
        body = container_json(spec, self._engine.labels)
        with engines_work():
            answer = self._api.json(
                "POST", "/containers/create", params=params, json=body, timeout=_WORK_SECONDS, about=about
            )
        return Created(id=answer["Id"], warnings=tuple(answer.get("Warnings") or ()))

    def start(self, container: str) -> None:
        """Start its main process.

        Raises:
            StartFailed: with the exit code that ``docker run`` would have (125, 126, 127).
            EngineError: the engine, or its host, is too slow for it or lacks something, after some tries.
        """
        lacking: EngineError | None = None
        with engines_work():
            for pause in (*range(1, _TRIES), 0):
                try:
                    self._start(container)
                except EngineError as error:
                    if type(error) is not EngineError or not pause:
                        raise
                    lacking = error
                except NotFound as error:
                    # With --rm it went with the first try.
                    raise lacking or error from None
                else:
                    return
                time.sleep(pause)

    def _start(self, container: str) -> None:
        about = _about(container)
        try:
            self._api.send("POST", f"/containers/{container}/start", timeout=_WORK_SECONDS, about=about)
        except (UsageError, EngineError, NotFound) as error:
            # A program that is not there is a 404 on some engines, as is a container that is not there.
            message = error.what.removeprefix(f"{about}: ")
            if type(error) not in (UsageError, EngineError, NotFound) or "no such container" in message.lower():
                raise
            raise start_error(message, about) from error

    def stop(self, container: str, timeout: float = 10.0) -> None:
        """Send the stop signal, and SIGKILL after ``timeout`` seconds."""
        self._post(container, "stop", t=round(timeout), read=timeout + _STOP_MARGIN)

    def restart(self, container: str, timeout: float = 10.0) -> None:
        """Stop (as ``stop``) and start."""
        self._post(container, "restart", t=round(timeout), read=timeout + _STOP_MARGIN)

    def kill(self, container: str, signal: str | int = "SIGKILL") -> None:
        """Send a signal.

        Raises:
            Conflict: it is not running.
        """
        self._post(container, "kill", signal=signal)

    def pause(self, container: str) -> None:
        """Freeze its processes."""
        self._post(container, "pause")

    def unpause(self, container: str) -> None:
        """Let its processes go on."""
        self._post(container, "unpause")

    def rename(self, container: str, name: str) -> None:
        """Give it another name.

        Raises:
            Conflict: the name is taken.
        """
        self._post(container, "rename", name=name)

    def wait(self, container: str, timeout: float = 60.0, *, started: bool = False) -> int:
        """Wait for its main process to end, and return the exit code; one that has ended already gives it at once.

        Args:
            started: it is known that it was, which saves a question.

        Raises:
            WaitTimedOut: it still runs after ``timeout`` seconds, or has not even been started.
        """
        deadline = time.monotonic() + timeout
        answer = None
        while answer is None:
            # Piece by piece: between two of them it is seen whether the engine still answers.
            piece = min(BEAT_SECONDS, max(0.001, deadline - time.monotonic()))
            # "not-running" is true of a container that was never started.
            fresh = not started and self.state(container).status == "created"
            condition = "next-exit" if fresh else "not-running"
            try:
                answer = self._api.json(
                    "POST",
                    f"/containers/{container}/wait",
                    params={"condition": condition},
                    timeout=piece,
                    about=_about(container),
                )
            except WaitTimedOut:
                if time.monotonic() < deadline:
                    continue
                raise WaitTimedOut(
                    f"{_about(container)}: has not ended after {timeout:g} s ({self.state(container)})",
                    remedy="give it a longer timeout, or stop it; its log may say what it waits for",
                ) from None
        if message := (answer.get("Error") or {}).get("Message"):
            raise EngineError(f"{_about(container)}: {message}")
        return int(answer["StatusCode"])

    def remove(self, container: str, force: bool = True, volumes: bool = True) -> None:
        """Remove it; return when it is gone, whoever removes it.

        Args:
            force: kill it first.
            volumes: remove its anonymous volumes, too.

        Raises:
            Conflict: it runs, and ``force`` is not set.
        """
        path = f"/containers/{container}"
        params: dict[str, object] = {"force": force, "v": volumes}
        if force and self._engine.info.product == "Podman":
            # Its compatible API waits ten seconds for the process to obey the stop signal, and takes no other time
            # (podman:pkg/api/handlers/compat/containers.go); its own API does.
            path = f"{PODMAN_API}{path}"
            params["timeout"] = 0
        try:
            self._api.send(
                "DELETE", path, params=params, about=_about(container), versioned=not path.startswith(PODMAN_API)
            )
        except Conflict as error:
            if "already in progress" not in error.what:
                raise
            self._gone(container)

    def _gone(self, container: str) -> None:
        try:
            self._api.send(
                "POST", f"/containers/{container}/wait", params={"condition": "removed"}, about=_about(container)
            )
        except NotFound:
            return  # it was gone before we asked

    def _post(self, container: str, verb: str, *, read: float = 0.0, **params: object) -> None:
        with engines_work():
            self._api.send(
                "POST", f"/containers/{container}/{verb}", params=params, about=_about(container), timeout=read
            )

    # What is

    def state(self, container: str) -> ContainerState:
        """Whether it runs, how it ended, its health."""
        found = self.inspect(container)
        state = state_of(found)
        killed = state.ended and state.exit_code == _KILLED and limits_of(found).memory is not None
        if killed and not state.oom_killed and self._unheard(found["Id"], state):
            return replace(state, oom_killed=True)
        return state

    def _unheard(self, container: str, state: ContainerState) -> bool:
        """Whether the kernel killed it for want of memory since its start, and the engine was not told."""
        if not same_kernel(self._engine):
            return False
        try:
            # An engine writes a start down when it is over.
            start = moment(state.started_at) - _START_SECONDS
        except ValueError:
            return False
        return any(when > start for when in kernel_log.kills(container, kernel_log.records()))

    def list(self, labels: Mapping[str, str] = {}, all: bool = True) -> tuple[ContainerSummary, ...]:
        """The containers that carry all of ``labels`` (an empty value matches any).

        Args:
            all: the ones that don't run, too.
        """
        rows = self._api.json(
            "GET", "/containers/json", params={"all": all, "filters": label_filter(labels)}, about="containers"
        )
        return tuple(
            ContainerSummary(
                id=row["Id"],
                name=next((name.lstrip("/") for name in row.get("Names") or ()), ""),
                image=row.get("Image") or "",
                status=row.get("State") or "",
                labels=row.get("Labels") or {},
            )
            for row in rows or ()
        )

    def port(self, container: str, container_port: int, protocol: str = "tcp") -> tuple[str, int] | None:
        """Address and port on the engine's host where a port is published, IPv4 first; ``None`` if it is not."""
        ports = (self.inspect(container).get("NetworkSettings") or {}).get("Ports") or {}
        bindings = ports.get(f"{container_port}/{protocol}") or ()
        found = sorted(bindings, key=lambda binding: ":" in (binding.get("HostIp") or ""))
        return (found[0].get("HostIp") or "", int(found[0]["HostPort"])) if found else None

    def stats(self, container: str, one_shot: bool = True) -> Mapping[str, Any]:
        """Its use of CPU, memory, network and disk, in the engine's own JSON.

        Args:
            one_shot: one sample at once; otherwise the engine takes a second one, after a second or two.
        """
        params: dict[str, object] = {"stream": False}
        if one_shot and self._api.at_least("1.41"):
            params["one-shot"] = True
        answer: Mapping[str, Any] = self._api.json(
            "GET", f"/containers/{container}/stats", params=params, about=_about(container)
        )
        return answer

    def top(self, container: str, arguments: str = "") -> tuple[Mapping[str, str], ...]:
        """Its processes, a row each, by the titles of ``ps``."""
        answer = self._api.json(
            "GET", f"/containers/{container}/top", params={"ps_args": arguments or None}, about=_about(container)
        )
        return tuple(dict(zip(answer["Titles"], row, strict=False)) for row in answer.get("Processes") or ())

    def diff(self, container: str) -> Mapping[str, str]:
        """Paths that differ from its image: path → ``changed``, ``added`` or ``deleted``."""
        answer = self._api.json("GET", f"/containers/{container}/changes", about=_about(container))
        return {row["Path"]: ("changed", "added", "deleted")[row["Kind"]] for row in answer or ()}

    def commit(self, container: str, ref: str = "", changes: Sequence[str] = (), message: str = "") -> str:
        """Make an image of its files, and return the id. It keeps the container's labels.

        Args:
            changes: Dockerfile instructions (``CMD ["sh"]``) applied to its configuration.
        """
        # In full: Podman 4 makes localhost/NAME of a short one. And it wants a body, be it an empty one.
        name = Reference.parse(ref) if ref else None
        params = {
            "container": container,
            "repo": name and f"{name.host}/{name.path}",
            "tag": name and name.tag,
            "comment": message or None,
            "changes": "\n".join(changes) or None,
        }
        body: object = {} if self._engine.info.product == "Podman" else None
        with engines_work():
            answer = self._api.json(
                "POST", "/commit", params=params, json=body, timeout=_COMMIT_SECONDS, about=_about(container)
            )
        return str(answer["Id"])
