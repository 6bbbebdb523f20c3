"""A site that files are downloaded from, and that remembers what was fetched."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.stubs.server import StubServer

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer
    from werkzeug import Request, Response

__all__ = ["DownloadSite", "Fetch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """One request, as it was answered.

    Attributes:
        method: ``GET``, or ``HEAD`` for a look at what is there.
        path: without the query.
        agent: what the client called itself (``Wget/1.21.3``).
        status: 200, or 404 for a file that is not there.
        size: bytes of the file, 0 for none.
    """

    method: str
    path: str
    agent: str
    status: int
    size: int


class DownloadSite(StubServer):
    """Serves files by their paths.

    Use it as a context manager. From a build or a container it is reached at ``url(path, host)`` with a host name
    that leads to this machine (``extra_hosts={name: "host-gateway"}``).

    Args:
        files: path → content; more with ``add``.
        port: to listen on if it is free, else any other: the same address in each run finds a build's cache warm.
        address: what to listen on; all interfaces by default, since containers come in over a bridge.
    """

    title = "download site"

    def __init__(self, files: Mapping[str, bytes] | None = None, *, port: int = 0, address: str = "0.0.0.0") -> None:
        super().__init__(port=port, address=address)
        self._files: dict[str, bytes] = {}
        self._seen: list[Fetch] = []
        self._lock = threading.Lock()
        for path, content in (files or {}).items():
            self.add(path, content)

    def routes(self, server: HTTPServer) -> None:
        """Answer every path."""
        server.expect_request(re.compile(".*")).respond_with_handler(self._serve)

    def add(self, path: str, content: bytes) -> None:
        """Serve ``content`` at ``path`` (``/archive/setup.sh``) from now on."""
        if not path.startswith("/"):
            raise UsageError(f"not a path of a site: {path!r}", remedy=f"begin it with a slash: {'/' + path!r}")
        with self._lock:
            self._files[path] = content

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The address of a path, for a client that knows this machine as ``host``."""
        return f"http://{host}:{self.port}{path}"

    @property
    def fetched(self) -> tuple[Fetch, ...]:
        """Every request, in order, those for files that are not there included."""
        with self._lock:
            return tuple(self._seen)

    def _serve(self, request: Request) -> Response:
        from werkzeug import Response

        allowed = request.method in ("GET", "HEAD")
        with self._lock:
            content = self._files.get(request.path) if allowed else None
            status = 405 if not allowed else 404 if content is None else 200
            seen = Fetch(
                method=request.method,
                path=request.path,
                agent=str(request.headers.get("User-Agent", "")),
                status=status,
                size=len(content or b""),
            )
            self._seen.append(seen)
        if content is None:
            return Response(f"{status}: {request.path}\n", status=status, content_type="text/plain")
        return Response(content, content_type="application/octet-stream")
