"""An endpoint that speaks OpenAI's chat completions, answers as it is told, and remembers what it was asked.

The wire format (paths, fields, server-sent events, error bodies) is that of the API reference,
platform.openai.com/docs/api-reference/chat; what counts is that the real ``openai`` client takes it for real.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.stubs.server import StubServer

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer
    from werkzeug import Request, Response

__all__ = ["ChatEndpoint", "ChatRequest"]

_ERRORS = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    500: ("server_error", "server_error", "The server had an error while processing your request."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One request for a completion, as it arrived.

    Attributes:
        key: the bearer token that was sent, ``""`` for none.
        model: the model that was asked for.
        messages: ``(role, content)`` in order.
        stream: whether the client asked for a stream.
        status: what it was answered with.
    """

    key: str
    model: str
    messages: tuple[tuple[str, str], ...]
    stream: bool
    status: int

    @property
    def question(self) -> str:
        """The last message of the user."""
        return next((content for role, content in reversed(self.messages) if role == "user"), "")


class ChatEndpoint(StubServer):
    """A server for ``POST /v1/chat/completions`` and ``GET /v1/models``.

    Use it as a context manager. From a container it is reached at ``url("host.docker.internal")``, where the
    container was given ``extra_hosts={"host.docker.internal": "host-gateway"}``. Where containers can't reach
    this machine, ``ChatBeside`` is the same in a container of its own.

    Args:
        key: the API key that is accepted; any other gets a 401.
        address, port: what to listen on, see ``StubServer``.
        models: what ``/v1/models`` lists; another model is answered with a 404.
    """

    title = "chat endpoint"

    def __init__(
        self,
        *,
        key: str = "sk-stand-in",
        address: str = "0.0.0.0",
        port: int = 0,
        models: tuple[str, ...] = ("gpt-4o-mini",),
    ) -> None:
        super().__init__(port=port, address=address)
        self.key = key
        self.models = models
        self._answers: dict[str, str] = {}
        self._faults: deque[tuple[int, float, str]] = deque()
        self._seen: list[ChatRequest] = []
        self._lock = threading.Lock()

    def routes(self, server: HTTPServer) -> None:
        """Answer the paths of the API that chat clients use."""
        server.expect_request("/v1/chat/completions", method="POST").respond_with_handler(self._complete)
        server.expect_request("/v1/models", method="GET").respond_with_handler(self._list_models)

    def url(self, host: str = "127.0.0.1") -> str:
        """What the client takes as its base URL (``OPENAI_BASE_URL``)."""
        return f"http://{host}:{self.port}/v1"

    def answer(self, question: str, text: str) -> None:
        """Answer ``question`` (word for word) with ``text``; anything else is echoed back."""
        with self._lock:
            self._answers[question] = text

    def fail(self, status: int, *, times: int = 1, retry_after: float = 0.01, message: str = "") -> None:
        """Answer the next ``times`` completions with this HTTP status (401, 404, 429, 500)."""
        if status not in _ERRORS:
            raise UsageError(f"no such fault: {status}", remedy=f"one of {', '.join(map(str, _ERRORS))}")
        with self._lock:
            self._faults.extend([(status, retry_after, message)] * times)

    def delay(self, seconds: float) -> None:
        """Keep the next completion waiting this long."""
        with self._lock:
            self._faults.append((0, seconds, ""))

    @property
    def requests(self) -> tuple[ChatRequest, ...]:
        """Every completion that was asked for, in order, refused ones included."""
        with self._lock:
            return tuple(self._seen)

    def _list_models(self, request: Request) -> Response:
        if _bearer(request) != self.key:
            return _refuse(401)
        entries = [{"id": name, "object": "model", "created": 0, "owned_by": "stand-in"} for name in self.models]
        return _json({"object": "list", "data": entries})

    def _complete(self, request: Request) -> Response:
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            body = {}
        messages = tuple(
            (str(entry.get("role")), _text(entry.get("content")))
            for entry in body.get("messages") or ()
            if isinstance(entry, dict)
        )
        stream = bool(body.get("stream"))
        model = str(body.get("model") or "")
        status, wait, message = self._verdict(_bearer(request), model)
        seen = ChatRequest(key=_bearer(request), model=model, messages=messages, stream=stream, status=status)
        with self._lock:
            self._seen.append(seen)
            text = self._answers.get(seen.question, f"You asked: {seen.question}")
        if status != 200:
            return _refuse(status, retry_after=wait, message=message)
        if wait:
            time.sleep(wait)  # The delay that the test asked for.
        return _streamed(model, text) if stream else _json(_completion(model, text))

    def _verdict(self, key: str, model: str) -> tuple[int, float, str]:
        if key != self.key:
            return 401, 0, ""
        with self._lock:
            status, wait, message = self._faults.popleft() if self._faults else (0, 0.0, "")
        if status:
            return status, wait, message
        return (200, wait, "") if model in self.models else (404, 0, f"The model {model!r} does not exist.")


def _bearer(request: Request) -> str:
    return str(request.headers.get("Authorization", "")).removeprefix("Bearer ").strip()


def _text(content: object) -> str:
    # A message's content is a string, or a list of typed parts.
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)


def _json(payload: dict[str, Any], status: int = 200) -> Response:
    from werkzeug import Response

    return Response(json.dumps(payload), status=status, content_type="application/json")


def _refuse(status: int, *, retry_after: float = 0, message: str = "") -> Response:
    kind, code, default = _ERRORS[status]
    error = {"message": message or default, "type": kind, "param": None, "code": code}
    response = _json({"error": error}, status)
    if status == 429:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _completion(model: str, text: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-stand-in",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [choice],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def _streamed(model: str, text: str) -> Response:
    from werkzeug import Response

    def events() -> Iterator[str]:
        words = text.split(" ")
        deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": word if number == 0 else f" {word}"} for number, word in enumerate(words)]
        for delta in deltas:
            yield _event(model, delta, None)
        yield _event(model, {}, "stop")
        yield "data: [DONE]\n\n"

    return Response(events(), content_type="text/event-stream")


def _event(model: str, delta: dict[str, str], finish: str | None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "chatcmpl-stand-in", "object": "chat.completion.chunk", "created": 0, "model": model}
    return f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n"
