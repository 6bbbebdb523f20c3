"""What a Dockerfile may have in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_dockerlab.build.dockerfile import parse
from pytest_dockerlab.exercises.judge_dockerfile import judge_dockerfile, syntax_of, without_syntax
from pytest_dockerlab.exercises.policy import Policy

POLICY = Policy(bases=("python:3.10", "alpine:*"))


def codes(text: str, policy: Policy = POLICY, **args: str) -> list[str]:
    return [refusal.code for refusal in judge_dockerfile(text, policy, args=args)]


@pytest.mark.parametrize(
    "text",
    [
        "FROM python:3.10\nRUN apt-get update\n",
        "FROM docker.io/library/python:3.10\n",
        "FROM --platform=$BUILDPLATFORM python:3.10\n",
        "ARG V=3.10\nFROM python:$V\n",
        'ARG V="3.10"\nFROM python:${V}\n',
        "ARG V\nFROM python:${V:-3.10}\n",
        "FROM alpine AS a\nFROM a\nCOPY --from=a /x /y\nCOPY --from=0 /x /y\nCOPY --from=python:3.10 /x /y\n",
        "FROM alpine\nRUN <<EOF\necho FROM evil\nEOF\nCOPY <<X /etc/x\nhello\nX\n",
        "FROM alpine\nRUN --mount=type=bind,source=a,target=/a --mount=type=tmpfs,target=/b ls\n",
        "FROM alpine\nRUN --network=none --security=sandbox ls\n",
        'FROM alpine\nADD archive.tar.gz /x\nADD --chown=1:1 ["a", "/b"]\nADD x $HOME/\n',
        "# syntax=docker/dockerfile:1.7\nFROM alpine\n",
        "# escape=`\nFROM alpine\nRUN a `\n b\n",
        "FROM alpine\nRUN curl https://example.org/x.git\n",
        "FROM alpine\nHEALTHCHECK --interval=1m30s --timeout=3s CMD true\nHEALTHCHECK NONE\n",
        "FROM alpine\n" + "ENV PATH=$PATH:/opt/bin\n" * 50 + "RUN echo $A$A$A$A$A$A\n",
        "FROM alpine\nHEALTHCHECK --interval=0s CMD true\nLABEL org.dockerlab=mine\n",
        "FROM alpine\n# syntax=evil/frontend\nRUN ls\n",
    ],
)
def test_what_exercises_need_is_allowed(text: str) -> None:
    """Stages, ARG in FROM, here-documents, mounts of the context, the official language."""
    assert codes(text) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("FROM evil\n", "base"),
        ("FROM python:3.11\n", "base"),
        ("FROM evil.example.org/library/python:3.10\n", "base"),
        ("FROM python:3.10@sha256:" + "a" * 64 + "\n", "base"),
        ("ARG B=evil\nFROM $B\n", "base"),
        ("FROM evil AS unused\nFROM alpine\n", "base"),
        ("FROM scratch\n", "scratch"),
        ("ARG B\nFROM ${B#x}\n", "base_unknown"),
        ("FROM alpine\nCOPY --from=evil /x /y\n", "copy_from"),
        ("FROM alpine\nCOPY --from=1 /x /y\n", "copy_from"),
        ("FROM alpine\nCOPY --from=$X /x /y\n", "copy_from"),
        ("FROM alpine\nRUN --mount=from=evil,target=/x ls\n", "copy_from"),
        ("FROM alpine\nRUN --mount=type=bind,FROM=evil,target=/x ls\n", "copy_from"),
        ("FROM alpine\nADD https://example.org/x /x\n", "add_remote"),
        ('FROM alpine\nADD ["https://example.org/x", "/x"]\n', "add_remote"),
        ("FROM alpine\nADD a HTTP://example.org/x /x\n", "add_remote"),
        ("FROM alpine\nADD 'https:'//example.org/x /x\n", "add_remote"),
        ("FROM alpine\nADD https:\\//example.org/x /x\n", "add_remote"),
        ("FROM alpine\nADD git@github.com:a/b.git /x\n", "add_remote"),
        ("FROM alpine\nADD user@host:a/b /x\n", "add_remote"),
        ("FROM alpine\nADD github.com/a/b /x\n", "add_remote"),
        ("FROM alpine\nADD x.git#main /x\n", "add_remote"),
        ("FROM alpine\nARG U=https://example.org\nADD $U /x\n", "add_remote"),
        ("FROM alpine\nONBUILD RUN rm -rf /\n", "onbuild"),
        ("FROM alpine\nRUN --mount=type=cache,target=/root/.cache pip install x\n", "mount_cache"),
        ("FROM alpine\nRUN --mount=type=secret,id=x cat /run/secrets/x\n", "mount_secret"),
        ("FROM alpine\nRUN --mount=type=ssh ls\n", "mount_secret"),
        ("FROM alpine\nRUN --mount=type=weird ls\n", "mount_unknown"),
        ('FROM alpine\nRUN --mount=type=bind,"from=evil",target=/x ls\n', "mount_unknown"),
        ("FROM alpine\nRUN --mount=type=$T ls\n", "mount_unknown"),
        ("FROM alpine\nRUN --security=insecure mount\n", "run_security"),
        ("FROM alpine\nRUN --network=host curl localhost\n", "run_network"),
        ("FROM alpine\nRUN --device=nvidia ls\n", "run_device"),
        ("FROM alpine\nLABEL a=b org.dockerlab.run=x\n", "label"),
        ("FROM alpine\nLABEL 'org.docker'lab.owner=x\n", "label"),
        ("FROM alpine\nHEALTHCHECK --interval=1ms CMD true\n", "health_interval"),
        ("FROM alpine\nHEALTHCHECK --timeout=1s --interval=0.1s CMD true\n", "health_interval"),
        ("FROM alpine\nHEALTHCHECK --start-interval=1us CMD true\n", "health_interval"),
        ("FROM alpine\nHEALTHCHECK --interval=$X CMD true\n", "health_interval"),
        ("FROM alpine\nENV A=aaaaaaaaaa\n" + "ENV A=$A$A\n" * 30, "expansion"),
        ("FROM alpine\nENV A aaaaaaaaaa\n" + "ENV A ${A}${A}\n" * 30, "expansion"),
        ("FROM alpine\nARG A=aaaaaaaaaa\n" + "ARG B=$A$A\nARG A=$B$B\n" * 20, "expansion"),
        ("FROM alpine AS a\nENV A=aa\n" + "ENV A=$A$A\n" * 15 + "FROM a\n" + "ENV A=${A:-x}$A\n" * 9, "expansion"),
        ("FROM alpine\nENV A=" + "a" * 9999 + "\nLABEL x=" + "$A" * 99 + "\n", "expansion"),
        ("# escape=`\nFROM alp\\ine\n", "base_unknown"),
        ("# escape=`\nFROM alp`ine\n", "base_unknown"),
        ("# escape=`\nARG B=al\\pine\nFROM $B\n", "base_unknown"),
        ("# syntax=evil/frontend\nFROM alpine\n", "syntax"),
        ("#syntax = evil/frontend\nFROM alpine\n", "syntax"),
        ("# escape=`\n# SYNTAX=evil/frontend\nFROM alpine\n", "syntax"),
        ("#!/usr/bin/env dockerfile\n# syntax=evil/frontend\nFROM alpine\n", "syntax"),
        ("// syntax=evil/frontend\nFROM alpine\n", "syntax"),
        ('{"syntax": "evil/frontend"}', "syntax"),
        ("\n\n# a comment\n# syntax=evil/frontend\nFROM alpine\n", "syntax"),
        ("# syntax=docker/dockerfile-upstream:master\nFROM alpine\n", "syntax"),
        ("# syntax=docker/dockerfile:1-labs\nFROM alpine\n", "syntax"),
        ("# syntax=docker/dockerfile:1@sha256:00\nFROM alpine\n", "syntax"),
        ("RUN ls\n", "unbuildable"),
        ("FROM alpine\nRUM ls\n", "unbuildable"),
        ("", "unbuildable"),
        ("FROM alpine\n" + "RUN ls\n" * 100, "instructions"),
        ("FROM alpine\n" * 11, "stages"),
    ],
)
def test_what_reaches_out_of_a_build_is_refused(text: str, code: str) -> None:
    """Each with its own reason, and the place in the Dockerfile."""
    found = judge_dockerfile(text, POLICY)
    assert code in [refusal.code for refusal in found]
    assert {refusal.code for refusal in found} <= {code, "unbuildable"}
    assert all(refusal.where.startswith("Dockerfile") for refusal in found)


def test_a_build_argument_decides_over_the_default() -> None:
    """--build-arg B=evil is judged as the base that it is."""
    assert codes("ARG B=alpine\nFROM $B\n", B="evil") == ["base"]
    assert codes("ARG B=evil\nFROM $B\n", B="alpine") == []


def test_the_policy_decides() -> None:
    """scratch, downloads and permitted reasons."""
    assert codes("FROM scratch\nCOPY a /a\n", replace(POLICY, scratch=True)) == []
    policy = replace(POLICY, downloads=("https://example.org/data/",))
    assert codes("FROM alpine\nADD https://example.org/data/x /x\n", policy) == []
    assert codes("FROM alpine\nADD https://example.org/other /x\n", policy) == ["add_remote"]
    assert codes("FROM evil\n", replace(POLICY, bases=("*",))) == []
    assert codes("FROM alpine\nONBUILD RUN ls\n", replace(POLICY, permits=("onbuild",))) == []


def test_where_the_builder_knows_no_heredocs_they_are_refused() -> None:
    """There its lines would be instructions that nobody judged."""
    text = "FROM alpine\nRUN cat <<EOF\nFROM evil\nEOF\n"
    assert codes(text) == []
    assert codes(text, replace(POLICY, heredocs=False)) == ["heredoc"]


def test_a_refusal_says_what_is_allowed() -> None:
    """The line, the image, and those that may be used."""
    (refusal,) = judge_dockerfile("FROM alpine\nFROM evil\n", POLICY)
    finding = refusal.finding()
    assert (finding.where, finding.what) == ("Dockerfile:2", "the base image evil is not allowed here")
    assert finding.hint == "use python:3.10, alpine:*"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("# syntax=a\nFROM x\n", "#\nFROM x\n"),
        ("# syntax=a\n# escape=`\nFROM x `\n y\n", "# escape=`\n#\nFROM x `\n y\n"),
        ("# check=skip=all\n# syntax=a\n# note\nFROM x\n", "# check=skip=all\n# note\n#\nFROM x\n"),
        ("FROM x\n# syntax=a\n", "FROM x\n# syntax=a\n"),
        ("\ufeff# syntax=a\nFROM x", "#\nFROM x"),
        # This names nothing, so it is a comment, and what follows it no directive.
        ("# syntax=\n# escape=`\nFROM x\n", "# syntax=\n# escape=`\nFROM x\n"),
    ],
)
def test_the_syntax_line_is_taken_out_and_nothing_moves(text: str, left: str) -> None:
    """Other directives stay the first lines, instructions keep their numbers."""
    assert without_syntax(text) == left


DOCKERFILES = st.lists(
    st.sampled_from(
        [
            *("# syntax=evil", "# syntax=", "# syntax= ", "// syntax = evil", "# escape=`", "# note", "#!x"),
            *("", "  ", "FROM alpine", "RUN a", "\ufeff"),
        ]
    ),
    max_size=7,
).map("\n".join)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)
@given(DOCKERFILES | st.text(max_size=80))
def test_judging_never_fails_and_no_syntax_is_left(text: str) -> None:
    """Whatever is in the file; and what goes to the builder names no frontend."""
    judge_dockerfile(text, POLICY)
    left = without_syntax(text)
    assert left.count("\n") == text.count("\n")
    assert syntax_of(left) in ("", "{…}")
    if not syntax_of(text):
        assert [each.text for each in parse(left).instructions] == [each.text for each in parse(text).instructions]
