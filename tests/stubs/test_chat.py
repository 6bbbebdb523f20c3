"""The chat endpoint, asked by the real client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import APIStatusError, AuthenticationError, InternalServerError, NotFoundError, OpenAI, RateLimitError

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.stubs import ChatEndpoint

FRANCE = "What is the capital of France?"


@pytest.fixture
def endpoint() -> Iterator[ChatEndpoint]:
    with ChatEndpoint(address="127.0.0.1") as running:
        running.answer(FRANCE, "The capital of France is Paris.")
        yield running


def client(endpoint: ChatEndpoint, key: str = "sk-stand-in", retries: int = 0) -> OpenAI:
    return OpenAI(base_url=endpoint.url(), api_key=key, max_retries=retries)


def ask(speaker: OpenAI, question: str = FRANCE, model: str = "gpt-4o-mini") -> str | None:
    response = speaker.chat.completions.create(model=model, messages=[{"role": "user", "content": question}])
    return response.choices[0].message.content


def test_a_programmed_question_gets_its_answer_and_is_remembered(endpoint: ChatEndpoint) -> None:
    """The client prints the answer; the endpoint knows just what was asked, with which key and model."""
    assert ask(client(endpoint)) == "The capital of France is Paris."
    (seen,) = endpoint.requests
    assert (seen.question, seen.key, seen.model, seen.stream, seen.status) == (
        FRANCE,
        "sk-stand-in",
        "gpt-4o-mini",
        False,
        200,
    )


def test_an_unknown_question_is_echoed(endpoint: ChatEndpoint) -> None:
    """So a test sees what really arrived."""
    assert ask(client(endpoint), "Why?") == "You asked: Why?"


def test_a_stream_has_the_same_words(endpoint: ChatEndpoint) -> None:
    """Word by word, as server-sent events, to the end."""
    stream = client(endpoint).chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": FRANCE}], stream=True
    )
    pieces = [chunk.choices[0].delta.content for chunk in stream]
    assert "".join(piece or "" for piece in pieces) == "The capital of France is Paris."
    assert len([piece for piece in pieces if piece]) == 6
    assert endpoint.requests[0].stream


def test_a_wrong_key_is_refused(endpoint: ChatEndpoint) -> None:
    """401, as the client's AuthenticationError."""
    with pytest.raises(AuthenticationError, match="Incorrect API key"):
        ask(client(endpoint, key="sk-wrong"))
    assert endpoint.requests[0].status == 401


def test_the_models_are_listed_and_others_unknown(endpoint: ChatEndpoint) -> None:
    """A model that is not listed is a 404."""
    assert [model.id for model in client(endpoint).models.list()] == ["gpt-4o-mini"]
    with pytest.raises(NotFoundError, match="gpt-99"):
        ask(client(endpoint), model="gpt-99")


def test_a_rate_limit_is_retried_by_the_client(endpoint: ChatEndpoint) -> None:
    """Two 429s, then the answer: three requests were made."""
    endpoint.fail(429, times=2)
    assert ask(client(endpoint, retries=3)) == "The capital of France is Paris."
    assert [request.status for request in endpoint.requests] == [429, 429, 200]


@pytest.mark.parametrize(("status", "error"), [(429, RateLimitError), (500, InternalServerError)])
def test_a_fault_reaches_a_client_that_does_not_retry(
    endpoint: ChatEndpoint, status: int, error: type[APIStatusError]
) -> None:
    """With its status and message."""
    endpoint.fail(status, message="as programmed")
    with pytest.raises(error, match="as programmed"):
        ask(client(endpoint))


def test_a_delay_keeps_the_client_waiting(endpoint: ChatEndpoint) -> None:
    """A client with a shorter timeout gives up."""
    endpoint.delay(2)
    with pytest.raises(Exception, match="timed out"):
        ask(OpenAI(base_url=endpoint.url(), api_key="sk-stand-in", max_retries=0, timeout=0.2))


def test_a_fault_that_does_not_exist_is_refused(endpoint: ChatEndpoint) -> None:
    """The message lists those that do."""
    with pytest.raises(UsageError, match=r"no such fault: 418[\s\S]*429"):
        endpoint.fail(418)


def test_an_endpoint_that_does_not_run_says_so() -> None:
    """Instead of an attribute error."""
    with pytest.raises(UsageError, match="not running"):
        ChatEndpoint().url()
