"""What a container's main process has printed, and goes on printing."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING

from pytest_dockerlab.engine.bounded import MOST, collect, collect_ends
from pytest_dockerlab.engine.hijack import STDOUT, Duplex, Frames
from pytest_dockerlab.engine.pulse import Heartbeat
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


def logs(
    api: Api, container: str, *, tty: bool, since: float | None, until: float | None, tail: int | None, ends: bool
) -> Output:
    """Read the log as far as it is now; see ``Containers.logs``."""
    about = f"log of container {container[:12]}"
    response = _ask(api, container, stream=False, since=since, until=until, tail=tail)
    with contextlib.closing(_frames(api.chunks(response, about), tty=tty)) as frames:
        return collect_ends(frames) if ends else collect(frames, about, MOST)


def _frames(chunks: Iterator[bytes], *, tty: bool) -> Generator[tuple[int, bytes], None, None]:
    """Take the stream apart as it comes: a log may be larger than our memory."""
    split = Frames()
    for chunk in chunks:
        yield from [(STDOUT, chunk)] if tty else split.feed(chunk)


def follow(api: Api, container: str, *, tty: bool, since: float | None, tail: int | None) -> LogStream:
    """Open the log for following; see ``Containers.follow``."""
    response = _ask(api, container, stream=True, follow=True, since=since, tail=tail)
    return LogStream(api, response, tty=tty, about=f"log of container {container[:12]}")


class LogStream:
    """Chunks of output as they come, until the container ends or ``close`` is called (from any thread)."""

    def __init__(self, api: Api, response: Response, *, tty: bool, about: str) -> None:
        self._api, self._about = api, about
        self._response = response
        self._frames = None if tty else Frames()
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        beat = Heartbeat(self._api.pulse, partial(Duplex.cut, self._response))
        try:
            with beat:
                for chunk in self._response.iter_content(None):
                    if self._frames is None:
                        yield chunk
                    else:
                        yield from (content for _, content in self._frames.feed(chunk))
        except (*TRANSPORT_ERRORS, AttributeError, ValueError) as error:
            # Closing the connection under a reader surfaces as any of these, depending on where it was.
            if self._closed:
                return
            if isinstance(error, TRANSPORT_ERRORS):
                raise self._api.failed(error, self._about, None) from error
            raise
        finally:
            self.close()
        if beat.silent is not None:
            raise beat.silent

    def close(self) -> None:
        """Stop following."""
        if not self._closed:
            self._closed = True
            Duplex.cut(self._response)
            self._response.close()
