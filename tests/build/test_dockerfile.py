"""Reading Dockerfiles: instructions, stages, steps as BuildKit numbers them, and what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dockerlab.build.dockerfile import KEYWORDS, parse
from pytest_dockerlab.build.expand import expand
from pytest_dockerlab.build.lexer import lex, words
from pytest_dockerlab.errors import UsageError


def test_continuation_lines_are_joined_and_comments_inside_left_out() -> None:
    """One instruction over several lines is one text, and knows its first and last line."""
    file = parse("# a comment\nFROM alpine\n\nRUN a && \\\n    # why\n\n    b\nRUN c\n")
    run = file.stages[0].instructions[1]
    assert (run.text, run.line, run.end_line) == ("RUN a && b", 4, 7)
    assert [each.line for each in file.instructions] == [2, 4, 8]


def test_the_escape_directive_changes_what_continues_a_line() -> None:
    """After ``# escape=`` a backslash is an ordinary character."""
    file = parse("# escape=`\nFROM alpine\nRUN dir C:\\\nRUN a `\n b\n")
    assert [each.text for each in file.instructions] == ["FROM alpine", "RUN dir C:\\", "RUN a b"]


def test_directives_stand_above_everything_else() -> None:
    """A ``# syntax=`` below a comment is a comment."""
    assert parse("# syntax=docker/dockerfile:1\n# check=skip=all\nFROM a").directives == {
        "syntax": "docker/dockerfile:1",
        "check": "skip=all",
    }
    assert parse("# hello\n# syntax=docker/dockerfile:1\nFROM a").directives == {}
    assert parse("# syntax=\n# escape=`\nFROM a").directives == {}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("# escape=`\n# ESCAPE=`\nFROM a", "the directive escape is given twice"),
        ("# escape=x\nFROM a", "the escape character can't be 'x'"),
        ("# escape= \nFROM a", "the escape character can't be ' '"),
    ],
)
def test_a_directive_that_can_not_be_is_a_problem(text: str, what: str) -> None:
    """As the builders say it; the first one of two counts for what is read nevertheless."""
    (problem,) = parse(text).problems
    assert problem.what == what
    assert problem.where == f"Dockerfile:{text.count('#')}"


def test_lines_are_joined_as_a_builder_joins_them() -> None:
    """Without anything between them: a name may begin in one line and end in the next."""
    file = parse("FROM pyt\\\nhon\\\n:3.10 \\\n AS b\nRUN a \\\nb\\\n\\\n  c\n")
    assert file.stages[0].base == "python:3.10"
    assert file.stages[0].instructions[1].text == "RUN a b c"


@pytest.mark.parametrize("mark", ["\x1c", "\x1f"])
def test_what_is_white_for_python_only_makes_no_comment(mark: str) -> None:
    """A builder takes the line for text, and what comes after it for an instruction: so it has to be seen here, too."""
    assert parse(f"FROM a\nRUN b \\\n{mark}#\nFROM c\n").stages[-1].base == "c"
    assert parse(f"#{mark}escape=`\nFROM a `\nFROM c\n").stages[-1].base == "c"
    assert parse(f"{mark}\nFROM a\n").problems


def test_here_documents_belong_to_their_instruction() -> None:
    """Their lines are no instructions, whatever they look like; a quoted name expands nothing."""
    file = parse("FROM a\nRUN <<EOF cat && cat <<-'X'\nRUN no\nEOF\n\tFROM no\n\tX\nRUN yes\n")
    run = file.stages[0].instructions[1]
    assert [(each.name, each.content, each.expand) for each in run.heredocs] == [
        ("EOF", "RUN no\n", True),
        ("X", "FROM no\n", False),
    ]
    assert (run.line, run.end_line) == (2, 6)
    assert file.instructions[-1].text == "RUN yes"
    assert file.heredocs == (run,)


def test_a_here_document_without_end_is_a_problem_with_its_line() -> None:
    """It would swallow the rest of the file."""
    (problem,) = parse("FROM a\nRUN cat <<EOF\nhello\n").problems[:1]
    assert problem.where == "Dockerfile:2"
    assert "'EOF' has no end" in problem.what


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ('ENDPOINT ["x"]', "did you mean ENTRYPOINT?"),
        ("PORT 80", "did you mean EXPOSE?"),
        ("RNU x", "did you mean RUN?"),
        ("ENTRIPOINT x", "did you mean ENTRYPOINT?"),
        ("&& apt-get install x", "is a \\ missing at the end of the line above?"),
    ],
)
def test_an_unknown_instruction_is_a_problem_with_a_suggestion(line: str, hint: str) -> None:
    """The finding names the word, file and line, and what was meant."""
    (problem,) = parse(f"FROM a\n\n{line}\n", "ex/Dockerfile").problems
    assert problem.what == f"{line.split()[0]} is no Dockerfile instruction"
    assert problem.where == "ex/Dockerfile:3"
    assert problem.hint == hint


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("", "there is no FROM in it", 1),
        ("RUN a\nFROM b", "RUN stands before the first FROM", 1),
        ("FROM a\nRUN", "RUN needs an argument", 2),
        ("ARG X\nFROM ${X}", "FROM ${X}: the base's name is empty", 2),
    ],
)
def test_what_no_builder_would_take_is_a_problem(text: str, what: str, line: int) -> None:
    """Each names its line."""
    problem = parse(text).problems[0]
    assert (problem.what, problem.where) == (what, f"Dockerfile:{line}")


def test_a_foreign_frontend_may_have_words_of_its_own() -> None:
    """With ``# syntax=`` of somebody else an unknown instruction is not ours to judge."""
    assert parse("# syntax=example.com/other\nFROM a\nINCLUDE x\n").problems == ()


def test_steps_are_numbered_as_buildkit_numbers_them() -> None:
    """Metadata does not count, nor does FROM where it names scratch or an earlier stage."""
    file = parse(
        "FROM alpine AS One\nENV A=1\nRUN a\nWORKDIR /w\n"
        "FROM one\nLABEL a=b\nCOPY --from=0 /a /b\n"
        "FROM scratch\nADD x /x\nCMD y\n"
    )
    assert [(step.stage, step.number, step.total, step.instruction, step.line) for step in file.plan("1")] == [
        ("one", 1, 3, "FROM", 1),
        ("one", 2, 3, "RUN", 3),
        ("one", 3, 3, "WORKDIR", 4),
        ("1", 1, 1, "COPY", 7),
    ]
    assert [step.label for step in file.plan()] == ["[2 1/1] ADD x /x"]


def test_a_stage_of_its_own_has_no_name_in_the_steps() -> None:
    """As BuildKit prints a Dockerfile of one stage."""
    assert [step.label for step in parse("FROM a AS b\nRUN c").plan()] == ["[1/2] FROM a AS b", "[2/2] RUN c"]


def test_only_needed_stages_are_planned() -> None:
    """What the target refers to by FROM, by COPY and by a mount, and nothing else."""
    file = parse(
        "FROM a AS base\nFROM a AS unused\nFROM a AS tools\nFROM base AS mid\n"
        "RUN --mount=type=bind,from=tools,target=/t x\nFROM b\nCOPY --from=mid /x /x\n"
    )
    assert [stage.name or stage.index for stage in file.needed()] == ["base", "tools", "mid", 4]
    assert [stage.name for stage in file.needed("MID")] == ["base", "tools", "mid"]
    with pytest.raises(UsageError, match=r"has no stage 'nope'(?s:.)*stages: base, unused, tools, mid, 4"):
        file.needed("nope")


def test_a_mount_is_a_line_of_csv() -> None:
    """A quoted field may have a comma in it, and names nothing then."""
    stage = parse('FROM a\nRUN --mount=type=bind,"source=x,from=no",from=tools,target=/t x\n').stages[0]
    assert [name for _, name in stage.sources] == ["tools"]


def test_bases_are_the_images_from_outside() -> None:
    """ARGs are expanded by their defaults or the build arguments; stages and scratch are none."""
    text = (
        "ARG V=3.10\nARG IMG=python:${V}\nFROM --platform=linux/arm64 ${IMG} AS one\nFROM one\n"
        "COPY --from=busybox:1 /a /a\nCOPY --from=one /a /a\nFROM scratch AS end\nCOPY --from=1 / /\n"
    )
    assert [(use.name, use.line, use.platform) for use in parse(text).bases()] == [
        ("python:3.10", 3, "linux/arm64"),
        ("busybox:1", 5, ""),
    ]
    assert parse(text, args={"V": "3.12"}).bases("one")[0].name == "python:3.12"
    assert parse(text, args={"IMG": "x"}).bases("one")[0].name == "x"


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("$A-${A}", "1-1"),
        ("${B:-two}${C:-three}${C-three}", "twothree"),
        ("${A:+yes}${B:+no}", "yes"),
        ("${B:-${A}}", "1"),
        ("\"$A\"'$A'\\$A", "1$A$A"),
        ("${A%x}", "${A%x}"),
    ],
)
def test_variables_are_expanded_as_from_does(word: str, value: str) -> None:
    """Unset is empty, quotes go, a form that we don't know stays."""
    assert expand(word, {"A": "1", "C": ""}) == value


def test_words_keep_quotes_together() -> None:
    """A blank in quotes or after an escape splits nothing."""
    assert words("a 'b c' \"d e\"f g\\ h") == ("a", "'b c'", '"d e"f', "g\\ h")


_LINES = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.builds("{} {}".format, st.sampled_from([*KEYWORDS, "onbuild run", "ARG"]), st.text(max_size=20)),
        st.sampled_from(
            ["RUN <<EOF", "EOF", "FROM $A AS b", "COPY --from=b . \\", "# escape=`", "RUN --mount=from= x"]
        ),
    ),
    max_size=8,
)


@given(_LINES)
def test_any_text_can_be_read(lines: list[str]) -> None:
    """Whatever it is, it is parsed; a text without problems has a plan, and steps of known lines."""
    text = "\n".join(lines)
    file = parse(text)
    assert all(1 <= each.line <= each.end_line <= text.count("\n") + 1 for each in lex(text).instructions)
    if file.stages:
        file.bases()
        assert all(step.number <= step.total for step in file.plan())
