"""Docker intro, chapter "agents in containers": rows A12–A14, with the real openai client in the images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from pytest_dockerlab import (
    Build,
    Container,
    Lab,
    assert_env,
    assert_exit_code,
    assert_layers_added,
    assert_no_secret,
    image_fixture,
)
from pytest_dockerlab.stubs import ChatBeside, ChatEndpoint

KEY = "sk-tutorial-5f0c1d7a9b3e"
FRANCE = "What is the capital of France?"
KINGDOM = "What is the capital of United Kingdom"

# The machine that the endpoint runs on, as a container knows it.
HOST = "host.docker.internal"

ex4 = image_fixture("ex4", scope="run")
ex5 = image_fixture("ex5", scope="run")


@pytest.fixture
def endpoint() -> Iterator[ChatEndpoint]:
    """The model's endpoint, as far as the agents can tell."""
    with ChatEndpoint(key=KEY) as server:
        server.answer(FRANCE, "The capital of France is Paris.")
        server.answer(KINGDOM, "The capital of the United Kingdom is London.")
        yield server


def ask(lab: Lab, image: Build, endpoint: ChatEndpoint, env: Mapping[str, str] = {}, key: str = KEY) -> Container:
    """`docker run --env OPENAI_API_KEY=… image`, with the endpoint's address instead of OpenAI's."""
    return lab.run(
        image,
        env={"OPENAI_API_KEY": key, "OPENAI_BASE_URL": endpoint.url(HOST), **env},
        extra_hosts={HOST: "host-gateway"},
    )


# --- A12: the simple agent -------------------------------------------------------------------


@pytest.mark.row("A12")
def test_a12_the_agent_prints_the_answer(lab: Lab, ex4: Build, endpoint: ChatEndpoint) -> None:
    """A12: ex4 asks its one question and prints the answer."""
    box = ask(lab, ex4, endpoint)
    assert_exit_code(box, 0)
    assert box.output == "The capital of France is Paris.\n"


@pytest.mark.row("A12")
def test_a12_the_key_comes_from_the_environment(lab: Lab, ex4: Build, endpoint: ChatEndpoint) -> None:
    """A12: the endpoint got the question once, with the key that was given at run time."""
    assert_exit_code(ask(lab, ex4, endpoint), 0)
    [request] = endpoint.requests
    assert (request.key, request.model, request.question) == (KEY, "gpt-4o-mini", FRANCE)


@pytest.mark.row("A12")
def test_a12_install_copy_cmd(lab: Lab, ex4: Build) -> None:
    """A12: over python:3.10-slim there is a layer for `pip install` and one for COPY; CMD runs the script."""
    assert_layers_added(ex4, over=lab.image("python:3.10-slim"), count=2)
    assert ex4.image.cmd == ("python", "/app/simple_agent.py")
    version = lab.run(ex4, ["python", "-c", "import openai; print(openai.__version__)"])
    assert int(version.output.split(".")[0]) >= 1


@pytest.mark.row("A12")
def test_a12_a_busy_endpoint_is_asked_again(lab: Lab, ex4: Build, endpoint: ChatEndpoint) -> None:
    """A12: a 429 is retried by the client, and then answered."""
    endpoint.fail(429)
    assert ask(lab, ex4, endpoint).output == "The capital of France is Paris.\n"
    assert [request.status for request in endpoint.requests] == [429, 200]


@pytest.mark.row("A12")
@pytest.mark.requires("loopback_ports")
def test_a12_the_endpoint_may_stand_beside(lab: Lab, ex4: Build) -> None:
    """A12: where containers can't reach this machine, the endpoint is a container on the agent's network."""
    chat = ChatBeside(lab, key=KEY)
    chat.answer(FRANCE, "The capital of France is Paris.")
    chat.fail(500)
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": chat.url()}
    assert lab.run(ex4, env=env, network=chat.network).output == "The capital of France is Paris.\n"
    assert [(request.status, request.question, request.key) for request in chat.requests] == [
        (500, FRANCE, KEY),
        (200, FRANCE, KEY),
    ]


@pytest.mark.row("A12")
def test_wrong_a12_a_wrong_key(lab: Lab, ex4: Build, endpoint: ChatEndpoint) -> None:
    """A12: with another key the endpoint answers 401, the agent fails, and its log says so."""
    box = ask(lab, ex4, endpoint, key="sk-another")
    with pytest.raises(AssertionError, match=r"(?s)exit code 1.*AuthenticationError"):
        assert_exit_code(box, 0)
    assert [request.status for request in endpoint.requests] == [401]


@pytest.mark.row("A12")
def test_wrong_a12_no_key(lab: Lab, ex4: Build) -> None:
    """A12: without a key the client does not even start, and names the variable."""
    with pytest.raises(AssertionError, match="OPENAI_API_KEY"):
        assert_exit_code(lab.run(ex4), 0)


# --- A13: the key is not in the image --------------------------------------------------------


@pytest.mark.row("A13")
def test_a13_the_key_is_nowhere_in_the_image(lab: Lab, ex4: Build, endpoint: ChatEndpoint) -> None:
    """A13: the key that a container was given is in no layer, variable, history line or build argument of its image."""
    assert_exit_code(ask(lab, ex4, endpoint), 0)
    assert_no_secret(ex4, KEY, over=ex4.base)


@pytest.mark.row("A13")
def test_a13_no_false_alarm(ex5: Build) -> None:
    """A13: nothing in what ex5 adds to its base looks like a key of a known service."""
    assert_no_secret(ex5, over=ex5.base)


BAKED_IN = {
    "env": (f"FROM alpine\nENV OPENAI_API_KEY={KEY}\n", r"OPENAI_API_KEY"),
    "argument": (f"FROM alpine\nARG OPENAI_API_KEY={KEY}\nRUN echo asked > /log\n", r"(?i)ARG|history"),
    "file": (f"FROM alpine\nRUN echo {KEY[:10]}''{KEY[10:]} > /app.env\n", r"/app\.env"),
    "deleted": (f"FROM alpine\nRUN echo {KEY[:10]}''{KEY[10:]} > /app.env\nRUN rm /app.env\n", r"/app\.env"),
    "label": (f'FROM alpine\nLABEL key="{KEY}"\n', r"(?i)label"),
}


@pytest.mark.row("A13")
@pytest.mark.parametrize("place", BAKED_IN)
def test_wrong_a13_a_key_that_was_baked_in(lab: Lab, place: str) -> None:
    """A13: a key in a variable, an argument, a (deleted) file or a label is found; its place is shown, itself not."""
    text, named = BAKED_IN[place]
    wrong = lab.build(text)
    with pytest.raises(AssertionError, match=named) as caught:
        assert_no_secret(wrong, KEY, over=wrong.base)
    assert KEY not in str(caught.value)


# --- A14: the dynamic agent ------------------------------------------------------------------


@pytest.mark.row("A14")
def test_a14_without_a_question_the_default_is_asked(lab: Lab, ex5: Build, endpoint: ChatEndpoint) -> None:
    """A14: QUESTION's default stands in the image's ENV, and is asked."""
    assert_env(ex5, "QUESTION", FRANCE)
    box = ask(lab, ex5, endpoint)
    assert box.output == f"Question: {FRANCE}\nAnswer: The capital of France is Paris.\n"


@pytest.mark.row("A14")
def test_a14_another_question_is_asked_just_so(lab: Lab, ex5: Build, endpoint: ChatEndpoint) -> None:
    """A14: --env QUESTION=… replaces the default, and the endpoint gets just that question."""
    box = ask(lab, ex5, endpoint, {"QUESTION": KINGDOM})
    assert box.output == f"Question: {KINGDOM}\nAnswer: The capital of the United Kingdom is London.\n"
    assert [request.question for request in endpoint.requests] == [KINGDOM]


@pytest.mark.row("A14")
def test_wrong_a14_the_agent_that_can_not_be_asked(lab: Lab, ex4: Build, endpoint: ChatEndpoint) -> None:
    """A14: ex4 has no QUESTION: the check for the default fails, and the endpoint gets the old question."""
    with pytest.raises(AssertionError, match="QUESTION"):
        assert_env(ex4, "QUESTION", FRANCE)
    assert_exit_code(ask(lab, ex4, endpoint, {"QUESTION": KINGDOM}), 0)
    assert [request.question for request in endpoint.requests] == [FRANCE]
