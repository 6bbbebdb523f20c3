"""What a container's main process has printed, and goes on printing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_dockerlab.engine.hijack import STDERR, Duplex, Frames
from pytest_dockerlab.engine.results import Output
from pytest_dockerlab.engine.translate import TRANSPORT_ERRORS

if TYPE_CHECKING:
    from requests import Response

    from pytest_dockerlab.engine.api import Api

__all__ = ["LogStream", "follow", "logs"]


def _ask(api: Api, container: str, *, stream: bool, **params: object) -> Response:
    return api.send(
        "GET",
        f"/containers/{container}/logs",
        params={"stdout": True, "stderr": True, **params},
        stream=True,
        timeout=None if stream else 0.0,
        about=f"log of container {container[:12]}",
    )


def logs(api: Api, container: str, *, tty: bool, since: float | None, until: float | None, tail: int | None) -> Output:
    """Read the log as far as it is now; see ``Containers.logs``."""
    response = _ask(api, container, stream=False, since=since, until=until, tail=tail)
    data = b"".join(api.chunks(response, f"log of container {container[:12]}"))
    if tty:
        return Output(stdout=data, both=data)
    frames = Frames().feed(data)
    return Output(
        stdout=b"".join(content for stream, content in frames if stream != STDERR),
        stderr=b"".join(content for stream, content in frames if stream == STDERR),
        both=b"".join(content for _, content in frames),
    )


def follow(api: Api, container: str, *, tty: bool, since: float | None, tail: int | None) -> LogStream:
    """Open the log for following; see ``Containers.follow``."""
    response = _ask(api, container, stream=True, follow=True, since=since, tail=tail)
    return LogStream(response, tty=tty)


class LogStream:
    """Chunks of output as they come, until the container ends or ``close`` is called (from any thread)."""

    def __init__(self, response: Response, *, tty: bool) -> None:
        self._response = response
        self._frames = None if tty else Frames()
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._response.iter_content(None):
                if self._frames is None:
                    yield chunk
                else:
                    yield from (content for _, content in self._frames.feed(chunk))
        except (*TRANSPORT_ERRORS, AttributeError, ValueError):
            # Closing the connection under a reader surfaces as any of these, depending on where it was.
            if not self._closed:
                raise
        finally:
            self.close()

    def close(self) -> None:
        """Stop following."""
        if not self._closed:
            self._closed = True
            Duplex.cut(self._response)
            self._response.close()
