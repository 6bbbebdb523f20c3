"""The checks of the exercise ex4; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_dockerlab import assert_env, assert_file, assert_no_secret, assert_output
from pytest_dockerlab.grade.submission import Submission
from pytest_dockerlab.stubs import ChatEndpoint

# The machine that the endpoint runs on, as a container knows it.
HOST = "host.docker.internal"


@pytest.fixture
def endpoint(submission: Submission) -> Iterator[ChatEndpoint]:
    """The model's endpoint, as far as the agent can tell; its key is the course's $OPENAI_API_KEY."""
    with ChatEndpoint(key=submission.policy.variables["OPENAI_API_KEY"]) as server:
        server.answer("What is the capital of France?", "The capital of France is Paris.")
        yield server


@pytest.mark.exercise(
    "ex4",
    "script",
    title={"en": "simple_agent.py is in /app", "ja": "simple_agent.py が /app にある"},
    hint={"en": "COPY simple_agent.py /app/", "ja": "COPY simple_agent.py /app/"},
)
def test_script(submission: Submission) -> None:
    """The script is in the image."""
    assert_file(submission.build(), "/app/simple_agent.py")


@pytest.mark.exercise(
    "ex4",
    "answers",
    points=2,
    needs="script",
    title={"en": "The container prints the answer", "ja": "コンテナーが答えを表示する"},
    hint={
        "en": 'pip install openai, CMD runs the script, and docker run has --env OPENAI_API_KEY="$OPENAI_API_KEY".',
        "ja": 'openai を pip で入れ、CMD でスクリプトを動かし、--env OPENAI_API_KEY="$OPENAI_API_KEY" を渡します。',
    },
)
def test_answers(submission: Submission, endpoint: ChatEndpoint) -> None:
    """The container asks the endpoint with the key of run.txt, and prints its answer."""
    env = {"OPENAI_BASE_URL": endpoint.url(HOST)}
    box = submission.run(env=env, network="bridge", extra_hosts={HOST: "host-gateway"})
    assert_output(box.check(), "The capital of France is Paris.")


@pytest.mark.exercise(
    "ex4",
    "no-key",
    title={"en": "There is no key in the image", "ja": "イメージにキーがない"},
    hint={
        "en": "No ENV, ARG or file has it: who gets the image could read it. It is given to docker run.",
        "ja": "ENV、ARG、ファイルに書くと、イメージを手にした人に読まれます。docker run のときに渡します。",
    },
)
def test_no_key(submission: Submission) -> None:
    """The key is in no variable, no history line and no layer of the image."""
    build = submission.build()
    assert_env(build, OPENAI_API_KEY=None)
    assert_no_secret(build, over=build.base)
