"""The chat endpoint as the main process of a container: programmed and asked over HTTP, at paths of its own.

    python -m pytest_dockerlab.stubs.remote KEY MODEL [MODEL ...]

``POST /_dockerlab/answer``, ``/fail`` and ``/delay`` take the arguments of ``ChatEndpoint``'s methods as JSON;
``GET /_dockerlab/requests`` gives what was asked. See ``beside``.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.stubs.chat import ChatEndpoint

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer
    from werkzeug import Request, Response

__all__ = ["CONTROL", "PORT", "main"]

PORT = 8080
CONTROL = "/_dockerlab"


class _Remote(ChatEndpoint):
    """The endpoint, and the paths by which its test speaks to it."""

    def routes(self, server: HTTPServer) -> None:
        super().routes(server)
        for verb in (self.answer, self.fail, self.delay):
            server.expect_request(f"{CONTROL}/{verb.__name__}", method="POST").respond_with_handler(_called(verb))
        server.expect_request(f"{CONTROL}/requests", method="GET").respond_with_handler(self._told)

    def _told(self, request: Request) -> Response:
        from werkzeug import Response

        return Response(json.dumps([asdict(each) for each in self.requests]), content_type="application/json")


def _called(verb: Callable[..., None]) -> Callable[[Request], Response]:
    def handle(request: Request) -> Response:
        from werkzeug import Response

        try:
            verb(**request.get_json())
        except UsageError as error:
            said = json.dumps({"what": error.what, "remedy": error.remedy})
            return Response(said, status=400, content_type="application/json")
        return Response(status=204)

    return handle


def main() -> None:
    """Serve until told to end."""
    key, *models = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with _Remote(key=key, port=PORT, models=tuple(models)):
        signal.pause()


if __name__ == "__main__":
    main()
