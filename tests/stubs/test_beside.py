"""The chat endpoint in a container of its own, asked by the real client from outside."""

from __future__ import annotations

import pytest
from openai import AuthenticationError, OpenAI, RateLimitError

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.lab import Lab
from pytest_dockerlab.stubs import ChatBeside

pytestmark = pytest.mark.requires("loopback_ports")


@pytest.fixture(scope="module")
def chat(lab_module: Lab) -> ChatBeside:
    return ChatBeside(lab_module, key="sk-beside", models=("gpt-4o-mini", "other"))


def ask(chat: ChatBeside, question: str, key: str = "sk-beside", model: str = "gpt-4o-mini") -> str | None:
    client = OpenAI(base_url=chat.outside, api_key=key, max_retries=0)
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": question}])
    return answer.choices[0].message.content


def test_it_is_programmed_and_remembers(chat: ChatBeside) -> None:
    """Answers, faults and delays are set from the test; what was asked comes back as it was."""
    chat.answer("What is 6 * 7?", "42")
    chat.fail(429)
    chat.delay(0.05)
    with pytest.raises(RateLimitError):
        ask(chat, "What is 6 * 7?")
    assert ask(chat, "What is 6 * 7?", model="other") == "42"
    refused, answered = chat.requests[-2:]
    assert (refused.status, answered.status, answered.model) == (429, 200, "other")
    assert answered.messages == (("user", "What is 6 * 7?"),)


def test_another_key_is_refused(chat: ChatBeside) -> None:
    """The key that it was given is the only one."""
    with pytest.raises(AuthenticationError):
        ask(chat, "anything", key="sk-another")


def test_a_fault_that_there_is_not_is_refused_as_the_other_endpoint_does(chat: ChatBeside) -> None:
    """The error of the method in the container is the error here."""
    with pytest.raises(UsageError, match=r"no such fault: 418") as caught:
        chat.fail(418)
    assert "401" in caught.value.remedy
