"""A web server in a thread, for answers that no real server gives on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

# (method, path, headers with names in lower case) → status, headers, body
Answer = tuple[int, Mapping[str, str], bytes]
Answering = Callable[[str, str, Mapping[str, str]], Answer]


@pytest.fixture
def serve() -> Iterator[Callable[[Answering], str]]:
    """Starts a server on loopback that answers as told; its address."""
    with ExitStack() as stack:

        def start(answering: Answering) -> str:
            class Handler(BaseHTTPRequestHandler):
                def respond(self) -> None:
                    self.rfile.read(int(self.headers.get("content-length") or 0))
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    status, sent, body = answering(self.command, self.path, headers)
                    self.send_response(status)
                    for name, value in {**sent, "Content-Length": str(len(body))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)

                do_GET = do_POST = do_DELETE = respond  # noqa: N815 - the names that http.server calls

                def log_message(self, format: str, *args: object) -> None:
                    pass

            server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_address[1]}"

        yield start
