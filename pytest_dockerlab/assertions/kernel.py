"""A client for Jupyter servers: their REST interface, and code executed in a kernel over its websocket.

Sources: jupyter_server's REST API (jupyter-server.readthedocs.io, "REST API"), the messages of
jupyter-client.readthedocs.io, "Messaging in Jupyter"; tried with jupyter_server 2.21.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from pytest_dockerlab.assertions.client import ask
from pytest_dockerlab.checks.jupyter import CellResult
from pytest_dockerlab.checks.web import Exchange
from pytest_dockerlab.errors import ContainerFailed, WaitTimedOut

__all__ = ["JupyterClient"]


class JupyterClient:
    """Talks to one server.

    Args:
        url: with its base path (``http://127.0.0.1:8888/user/x``).
        token: ``""`` for a server that asks for none; then its ``_xsrf`` cookie is sent back instead.
    """

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url.rstrip("/")
        self.token = token
        self._cookies: Mapping[str, str] = {}

    def get(self, path: str, *, timeout: float = 10.0) -> Exchange:
        """One page, redirects not followed."""
        return ask(self.url + path, headers=self._authorization(), timeout=timeout)

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"token {self.token}"} if self.token else {}

    def _headers(self) -> dict[str, str]:
        """For requests that change something: a token, or the cookie against forged requests."""
        headers = self._authorization()
        if not self.token:
            if not self._cookies:
                # Any page with a form sets it.
                for path in ("/lab", "/tree", "/login"):
                    self._cookies = ask(self.url + path, follow=True).cookies
                    if "_xsrf" in self._cookies:
                        break
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
            headers["X-XSRFToken"] = self._cookies.get("_xsrf", "")
        return headers

    def _change(self, method: str, path: str, body: object, expected: int) -> Exchange:
        text = None if body is None else json.dumps(body)
        headers = {**self._headers(), "Content-Type": "application/json"}
        answer = ask(self.url + path, method=method, headers=headers, body=text, timeout=60.0)
        if answer.status != expected:
            raise ContainerFailed(
                f"{answer}, {expected} was expected: {answer.text[:200]}",
                remedy="look at the server's log; kernels need ipykernel (or another kernel) in the image",
            )
        return answer

    @contextmanager
    def kernel(self, name: str = "") -> Iterator[tuple[str, str]]:
        """Start a kernel, and delete it in the end: its name and id.

        Args:
            name: of the kernel (``python3``); ``""`` is the server's default.

        Raises:
            ContainerFailed: the server did not start one.
        """
        started = self._change("POST", "/api/kernels", {"name": name} if name else {}, 201).json()
        place = f"/api/kernels/{started['id']}"
        try:
            yield str(started["name"]), str(started["id"])
        except BaseException:
            with suppress(ContainerFailed):  # What went wrong first is the better news.
                self._change("DELETE", place, None, 204)
            raise
        self._change("DELETE", place, None, 204)

    def execute(self, code: str, *, kernel: str = "", timeout: float = 60.0) -> CellResult:
        """Execute code in a new kernel, which is deleted afterwards.

        Raises:
            ContainerFailed: the server starts no kernel, or cuts the connection to it.
            WaitTimedOut: the code has not come to its end in ``timeout`` seconds.
        """
        with self.kernel(kernel) as (name, kernel_id):
            cell = _Cell(code)
            self._run(cell, kernel_id, timeout)
            return CellResult(
                code=code,
                kernel=name,
                kernel_id=kernel_id,
                stdout="".join(cell.streams["stdout"]),
                stderr="".join(cell.streams["stderr"]),
                result=cell.result,
                displays=tuple(cell.displays),
                error=cell.error,
                xsrf=not self.token,
            )

    def _run(self, cell: _Cell, kernel_id: str, timeout: float) -> None:
        import websocket

        address = f"ws{self.url.removeprefix('http')}/api/kernels/{kernel_id}/channels?session_id={cell.session}"
        headers = [f"{name}: {value}" for name, value in self._headers().items()]
        deadline = time.monotonic() + timeout
        try:
            # The host's proxies are not for its own containers.
            connection = websocket.create_connection(address, header=headers, timeout=timeout, http_no_proxy=["*"])
            try:
                connection.send(json.dumps(cell.request))
                while not cell.done:
                    connection.settimeout(max(0.01, deadline - time.monotonic()))
                    cell.take(json.loads(connection.recv()))
            finally:
                connection.close()
        except websocket.WebSocketTimeoutException:
            raise WaitTimedOut(
                f"a cell has not come to its end after {timeout:g} s in kernel {kernel_id}: {cell.code!r}",
                remedy="give it longer by timeout=, or look at the server's log for a kernel that dies",
            ) from None
        except (websocket.WebSocketException, OSError, ValueError) as error:
            raise ContainerFailed(
                f"the connection to kernel {kernel_id} failed: {error}",
                remedy="look at the server's log; a proxy between here and it has to let websockets through",
            ) from error


class _Cell:
    """One execute_request, and what has come back for it."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.session = uuid.uuid4().hex
        self._id = uuid.uuid4().hex
        self.streams: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self.result = ""
        self.displays: list[str] = []
        self.error = ""
        self._replied = self._idle = False

    @property
    def done(self) -> bool:
        """Both the reply and the last output have come: they travel on two channels, in either order."""
        return self._replied and self._idle

    @property
    def request(self) -> dict[str, Any]:
        return {
            "header": {
                "msg_id": self._id,
                "msg_type": "execute_request",
                "username": "",
                "session": self.session,
                "date": "",
                "version": "5.3",
            },
            "parent_header": {},
            "metadata": {},
            "content": {
                "code": self.code,
                "silent": False,
                "store_history": False,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": True,
            },
            "buffers": [],
            "channel": "shell",
        }

    def take(self, message: Mapping[str, Any]) -> None:
        if (message.get("parent_header") or {}).get("msg_id") != self._id:
            return
        content: Mapping[str, Any] = message.get("content") or {}
        match message.get("msg_type") or (message.get("header") or {}).get("msg_type"):
            case "stream":
                self.streams.setdefault(str(content.get("name")), []).append(str(content.get("text") or ""))
            case "execute_result":
                self.result = _text(content)
            case "display_data":
                self.displays.append(_text(content))
            case "error":
                self.error = f"{content.get('ename')}: {content.get('evalue')}"
            case "status":
                self._idle = self._idle or content.get("execution_state") == "idle"
            case "execute_reply":
                self._replied = True
                if content.get("status") == "error" and not self.error:
                    self.error = f"{content.get('ename')}: {content.get('evalue')}"


def _text(content: Mapping[str, Any]) -> str:
    return str((content.get("data") or {}).get("text/plain") or "")
