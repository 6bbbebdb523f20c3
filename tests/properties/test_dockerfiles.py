"""Dockerfiles: written and read again, sent changed in nothing but what had to be, and never a trap."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_dockerlab.build.dockerfile import Dockerfile, parse
from pytest_dockerlab.build.expand import expand
from pytest_dockerlab.build.ignore import IgnoreRules
from pytest_dockerlab.build.lexer import lex, words
from pytest_dockerlab.build.nest import CONTEXT_FOLDER, nest
from pytest_dockerlab.build.rewrite import rewrite
from pytest_dockerlab.errors import UsageError

Kept = Callable[..., Any]

# Text made of what means something to a parser.
PIECES = [
    *(
        "FROM",
        "RUN",
        "COPY",
        "ADD",
        "ARG",
        "ENV",
        "from",
        "a",
        "x",
        "scratch",
        "AS",
        "python",
        "# ",
        "#syntax=",
        "# escape=`",
        "# syntax=",
    ),
    *(
        " ",
        " ",
        "\t",
        "\n",
        "\n",
        "\r\n",
        "\\\n",
        "\\",
        "`\n",
        '"',
        "'",
        "$A",
        "${A:-b}",
        "${",
        "}",
        "=",
        ",",
        "[",
        "]",
        "--from=x",
    ),
    *(
        "--mount=type=bind,from=a",
        "--mount=type=bind,source=s",
        "<<E",
        "<<-'E'",
        "\nE\n",
        "\tE\n",
        "/d",
        "..",
        "\u00a0",
        "\x0b",
        "\ufeff",
    ),
]
TEXT = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)

WORD = st.from_regex(r"[a-z./]{1,5}", fullmatch=True).filter(lambda word: not word.startswith("//"))
RUN = st.lists(WORD, min_size=1, max_size=3).map(lambda parts: ("RUN", " ".join(parts)))
COPY = st.tuples(WORD, WORD).map(lambda pair: ("COPY", f"{pair[0]} /{pair[1]}"))
META = st.sampled_from(
    [("ENV", "A=b c=d"), ("LABEL", 'l="a b"'), ("CMD", '["sh", "-c", "x"]'), ("WORKDIR", "/w"), ("USER", "1:1")]
)
STAGE = st.lists(st.one_of(RUN, COPY, META), max_size=4)
STAGES = st.lists(STAGE, min_size=1, max_size=3)


def written(stages: list[list[tuple[str, str]]], newline: str, joiner: str, comments: bool) -> str:
    rows = []
    for number, stage in enumerate(stages):
        rows.append(f"FROM base{number}.example/i AS s{number}")
        for keyword, arguments in stage:
            if comments:
                rows.append("# a comment")
            rows.append(f"{keyword}{joiner}{arguments}")
    return newline.join([*rows, ""])


def told(file: Dockerfile, leave_out: frozenset[int] = frozenset()) -> list[object]:
    return [
        (each.keyword, each.arguments, each.flags, each.heredocs)
        for at, each in enumerate(file.instructions)
        if at not in leave_out
    ]


@given(STAGES, st.sampled_from(["\n", "\r\n"]), st.sampled_from([" ", "\t", "   ", " \\\n  "]), st.booleans())
def test_what_is_written_is_read(stages: list[Any], newline: str, joiner: str, comments: bool) -> None:
    """Each instruction comes back, with its stage and its number, however lines end and go on."""
    file = parse(written(stages, newline, joiner, comments))
    assert not file.problems
    assert [stage.name for stage in file.stages] == [f"s{number}" for number in range(len(stages))]
    for stage, expected in zip(file.stages, stages, strict=True):
        assert [(each.keyword, each.arguments) for each in stage.instructions[1:]] == expected
        steps = [step for step in expected if step[0] in ("RUN", "COPY", "WORKDIR")]
        assert len(stage.steps) == 1 + len(steps)
    assert parse("\n".join(each.text for each in file.instructions)).plan() is not None
    again = parse("\n".join(each.text for each in file.instructions))
    assert told(again) == told(file)


@given(TEXT)
@example("FROM a \\\n")
@example("FROM a \\\n# comment\n\n")
@example("from from")
@example("FROM \\\n# python\npython")
@example("FROM a\nRUN <<E\n")
@example("COPY [[[[")
@example("FROM a\nCOPY --from=" + "9" * 5000 + " a b")
def test_any_text_is_read_and_sent_unharmed(text: str) -> None:
    """Lines stay in order and in range; what is sent says the same, but for what was asked to be different."""
    file = parse(text)
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    last = 0
    for each in file.instructions:
        assert last < each.line <= each.end_line <= len(lines)
        last = each.end_line
    for problem in file.problems:
        assert 1 <= int(problem.where.rpartition(":")[2]) <= len(lines)
    assert rewrite(file).text == "\n".join(lines)
    sent = rewrite(file, fresh_label="nonce")
    assert len(sent.lines) == sent.text.count("\n") + 1
    if not file.problems:
        again = parse(sent.text)
        assert told(again, sent.added) == told(file)
        assert {again.instructions[at].text for at in sent.added} <= {"LABEL org.dockerlab.fresh=nonce"}
        assert len(sent.added) == len(file.stages)
    dropped = parse(rewrite(file, drop_syntax=True).text)
    assert "syntax" not in dropped.directives
    assert [each.line for each in dropped.instructions] == [each.line for each in file.instructions]


@given(TEXT)
def test_only_the_base_is_replaced(text: str) -> None:
    """With another name for each base, all else is as it was, and no name is left."""
    file = parse(text)
    outside = {use.name for use in file.bases()} if file.stages else set()
    if file.problems or not outside:
        return
    sent = parse(rewrite(file, bases={name: f"replaced.example/{at}" for at, name in enumerate(sorted(outside))}).text)
    assert [(each.keyword, each.line) for each in sent.instructions] == [
        (each.keyword, each.line) for each in file.instructions
    ]
    for before, after in zip(file.instructions, sent.instructions, strict=True):
        if before.keyword not in ("FROM", "COPY", "ADD", "RUN"):
            assert after == before


@given(STAGES, st.sampled_from([" ", " \\\n  "]))
def test_nesting_moves_each_source_and_no_line(stages: list[Any], joiner: str) -> None:
    """COPY's sources lie in the folder, targets and all other instructions stay, on their lines."""
    file = parse(written(stages, "\n", joiner, True))
    text = nest(file)
    assert text is not None
    again = parse(text)
    assert [(each.keyword, each.line) for each in again.instructions][:1] == [("FROM", 1)]
    for before, after in zip(file.instructions, again.instructions, strict=True):
        assert after.line in range(before.line, before.end_line + 1)
        if before.keyword == "COPY":
            source, target = words(after.arguments)
            assert source.startswith(f"/{CONTEXT_FOLDER}/")
            assert ".." not in source.split("/")
            assert target == words(before.arguments)[1]
        else:
            assert after.arguments == before.arguments


@given(TEXT)
@example("FROM a\nRUN --mount cat")
@example("FROM a\nCOPY --chown=x")
@example('FROM a\nRUN --mount=type=bind,source="a\tb" cat')
def test_nesting_any_text_keeps_its_instructions(text: str) -> None:
    """Or says that it can't be done."""
    file = parse(text)
    nested = nest(file)
    if nested is not None and not file.problems:
        assert nested.count("\n") == text.removeprefix("\ufeff").replace("\r\n", "\n").count("\n")
        assert [each.keyword for each in parse(nested).instructions] == [each.keyword for each in file.instructions]


def plain_words(text: str, escape: str) -> tuple[str, ...]:
    """Character by character, as one would say it."""
    found: list[str] = []
    word, quote, skip = "", "", False
    for char in text:
        if skip:
            word, skip = word + char, False
        elif char == escape and quote != "'":
            word, skip = word + char, True
        elif quote:
            word, quote = word + char, "" if char == quote else quote
        elif char in "'\"":
            word, quote = word + char, char
        elif char.isspace():
            found, word = [*found, *([word] if word else [])], ""
        else:
            word += char
    return (*found, word) if word else tuple(found)


@given(st.text(st.sampled_from("ab '\"\\`\t\n\u00a0"), max_size=14), st.sampled_from("\\`"))
def test_words_are_split_as_a_plain_reader_splits_them(text: str, escape: str) -> None:
    """The pattern that does it in one go agrees with one character after the other."""
    assert words(text, escape) == plain_words(text, escape)


@given(
    st.text(st.sampled_from("AB${}:-+'\"\\x"), max_size=14),
    st.dictionaries(st.sampled_from("AB"), st.text("x$A", max_size=3)),
)
def test_any_word_is_expanded_to_a_short_one(text: str, known: dict[str, str]) -> None:
    """What a variable holds is not expanded again, and nothing else grows."""
    assert len(expand(text, known)) <= 3 * max(1, len(text))


def test_arguments_that_double_each_other_are_a_problem() -> None:
    """Thirty lines would be a gigabyte; the line that goes too far is named."""
    file = parse("ARG A=xxxxxxxxxx\n" + "ARG A=$A$A\n" * 40 + "FROM $A\n")
    assert "more than 65536 characters" in file.problems[0].what
    assert file.problems[0].where == "Dockerfile:14"
    assert len(file.stages[0].base) <= 65536


def test_an_end_that_never_comes_swallows_the_rest() -> None:
    """As BuildKit has it: behind a here-document without end there is no instruction."""
    lexed = lex("FROM a\nRUN <<A\nRUN <<B\n")
    assert [each.text for each in lexed.instructions] == ["FROM a", "RUN <<A"]
    assert lexed.unterminated == ((2, "A"),)


PATTERN = st.lists(
    st.sampled_from(["a", "b", "*", "**", "?", "/", "**/", "[ab]", "[^a]", "\\*", "!"]), min_size=1, max_size=7
).map("".join)
IGNORED = st.lists(st.sampled_from(["a", "b", "ab", "*", "ba"]), min_size=1, max_size=4).map("/".join)


def _alone(pattern: str) -> Callable[[str], bool]:
    """A pattern in the plainest reading: all ways, one after the other."""
    text = re.sub(r"/+", "/", pattern.strip()).strip("/")

    def ways(at: int, path: str) -> bool:
        if at >= len(text):
            return not path
        if text[at : at + 2] == "**":
            end = at + 2
            while text[end : end + 1] == "*":
                end += 1
            end += text[end : end + 1] == "/"
            if end >= len(text):
                return True
            return ways(end, path) or any(
                ways(end, path[slash + 1 :]) for slash, char in enumerate(path) if char == "/"
            )
        if text[at] == "*":
            inside = path.partition("/")[0]
            return any(ways(at + 1, path[length:]) for length in range(len(inside) + 1))
        if not path:
            return False
        for token, fits in (("?", "ab*"), ("[ab]", "ab"), ("[^a]", "b*"), ("\\*", "*")):
            if text.startswith(token, at):
                return path[0] in fits and ways(at + len(token), path[1:])
        return path[0] == text[at] and ways(at + 1, path[1:])

    return lambda path: ways(0, path)


@given(st.lists(PATTERN, max_size=3), IGNORED)
def test_ignore_rules_agree_with_the_plainest_reading(patterns: list[str], path: str) -> None:
    """The last pattern that fits the path, or a folder above it, decides; however many wildcards it has."""
    parts = path.split("/")
    lineage = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
    expected = False
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        if bare.strip("/").strip() and any(map(_alone(bare), lineage)):
            expected = not pattern.startswith("!")
    assert IgnoreRules(patterns).ignores(path) == expected


def test_what_is_taken_back_is_looked_for() -> None:
    """A folder that is left out is entered only where a ! may lead into it."""
    rules = IgnoreRules(["data", "!data/keep/this", "other"])
    assert [rules.may_keep_below(folder) for folder in ("data", "data/keep", "other", "dat")] == [
        True,
        True,
        False,
        False,
    ]
    assert IgnoreRules(["x", "!**/*.md"]).may_keep_below("x")


def test_case_counts_as_it_does_for_docker() -> None:
    """README and readme are two files."""
    assert not IgnoreRules(["DATA"]).ignores("data/x")


@pytest.mark.parametrize("pattern", ["[", "[]", "[b-a]", "a\\", "[a", "[^]", "x" * 5000])
def test_a_pattern_that_no_builder_takes_is_named(pattern: str) -> None:
    """With what is wrong and how to mend it."""
    with pytest.raises(UsageError, match="a pattern of the ignore file") as caught:
        IgnoreRules([pattern])
    assert caught.value.remedy
    assert len(str(caught.value)) < 600


@given(st.text(st.sampled_from("a*?[]^-\\!/ #."), max_size=12), st.text("a*/-", max_size=8))
def test_any_pattern_is_taken_or_refused(kept: Kept, pattern: str, path: str) -> None:
    """Nothing else comes of it, whatever the path."""
    rules = kept(IgnoreRules, [pattern])
    if rules is not None:
        rules.ignores(path)
        rules.may_keep_below(path)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("*a" * 20 + "b", "a" * 200), ("**/" * 12 + "b", "a/" * 100 + "a"), ("?*" * 30 + "/b", "a" * 255)],
)
def test_no_pattern_is_a_trap(bounded: Callable[[float], Any], pattern: str, name: str) -> None:
    """A matcher that tries all ways one after the other would take longer than anybody waits."""
    with bounded(20):
        assert not IgnoreRules([pattern]).ignores(name)
