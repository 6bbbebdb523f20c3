"""The checks of the exercise ex5; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_dockerlab import Container, assert_env, assert_output
from pytest_dockerlab.grade.submission import Submission
from pytest_dockerlab.stubs import ChatEndpoint

# The machine that the endpoint runs on, as a container knows it.
HOST = "host.docker.internal"
FRANCE, KINGDOM = "What is the capital of France?", "What is the capital of United Kingdom"


@pytest.fixture
def endpoint(submission: Submission) -> Iterator[ChatEndpoint]:
    """The model's endpoint, as far as the agent can tell; its key is the course's $OPENAI_API_KEY."""
    with ChatEndpoint(key=submission.policy.variables["OPENAI_API_KEY"]) as server:
        server.answer(FRANCE, "The capital of France is Paris.")
        server.answer(KINGDOM, "The capital of the United Kingdom is London.")
        yield server


def ask(submission: Submission, endpoint: ChatEndpoint, number: int) -> Container:
    """The container of this docker run command, which finds the endpoint in its environment."""
    env = {"OPENAI_BASE_URL": endpoint.url(HOST)}
    return submission.run(number, env=env, network="bridge", extra_hosts={HOST: "host-gateway"})


@pytest.mark.exercise(
    "ex5",
    "default",
    title={"en": "QUESTION has a default in the image", "ja": "QUESTION の既定値がイメージにある"},
    hint={
        "en": 'ENV QUESTION="What is the capital of France?": the quotes keep the blanks together.',
        "ja": 'ENV QUESTION="What is the capital of France?" と、空白のために引用符で囲みます。',
    },
)
def test_default(submission: Submission) -> None:
    """QUESTION has its default in the image."""
    assert_env(submission.build(), QUESTION=FRANCE)


@pytest.mark.exercise(
    "ex5",
    "asks-default",
    needs="default",
    title={"en": "Without QUESTION the default is asked", "ja": "QUESTION がなければ既定の質問をする"},
    hint={
        "en": 'The first docker run gives only the key, --env OPENAI_API_KEY="$OPENAI_API_KEY".',
        "ja": '最初の docker run ではキーだけを渡します: --env OPENAI_API_KEY="$OPENAI_API_KEY"',
    },
)
def test_asks_default(submission: Submission, endpoint: ChatEndpoint) -> None:
    """The first docker run asks the default."""
    box = ask(submission, endpoint, 0)
    assert_output(box.check(), f"Question: {FRANCE}")
    assert_output(box, "Answer: The capital of France is Paris.")


@pytest.mark.exercise(
    "ex5",
    "asks",
    points=2,
    title={"en": "With QUESTION just that is asked", "ja": "QUESTION を渡すとその質問をする"},
    hint={
        "en": 'The second docker run has --env QUESTION="What is the capital of United Kingdom" as well.',
        "ja": '2番目の docker run では --env QUESTION="What is the capital of United Kingdom" も渡します。',
    },
)
def test_asks(submission: Submission, endpoint: ChatEndpoint) -> None:
    """The second docker run asks its own question, and prints the answer."""
    box = ask(submission, endpoint, 1)
    assert_output(box.check(), f"Question: {KINGDOM}")
    assert_output(box, "Answer: The capital of the United Kingdom is London.")
    assert [request.question for request in endpoint.requests] == [KINGDOM]
