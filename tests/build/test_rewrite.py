"""Changing a Dockerfile before it is sent."""

from __future__ import annotations

from pytest_dockerlab.build.dockerfile import parse
from pytest_dockerlab.build.nest import nest, takes_everything, unnested
from pytest_dockerlab.build.rewrite import rewrite


def test_a_base_is_replaced_where_it_is_one_and_lines_stay() -> None:
    """Names are compared after expansion and in normal form; a stage of the same name is no base."""
    text = (
        "ARG V=3.10\nFROM --platform=$X \\\n  python:${V} AS alpine\n"
        "FROM alpine\nCOPY --from=docker.io/library/python:3.10 /a /python:3.10\n"
        "RUN --mount=type=bind,from=python:3.10,target=/t x\n"
    )
    sent = rewrite(parse(text), bases={"python:3.10": "127.0.0.1:5000/p:1", "alpine": "no"})
    assert sent.text.split("\n") == [
        "ARG V=3.10",
        "FROM --platform=$X \\",
        "  127.0.0.1:5000/p:1 AS alpine",
        "FROM alpine",
        "COPY --from=127.0.0.1:5000/p:1 /a /python:3.10",
        "RUN --mount=type=bind,from=127.0.0.1:5000/p:1,target=/t x",
        "",
    ]
    assert sent.lines == (1, 2, 3, 4, 5, 6, 7)


def test_nothing_to_change_changes_nothing() -> None:
    """The text that is sent is the text that was read."""
    text = "# syntax=docker/dockerfile:1\nFROM a\nRUN b\n"
    assert rewrite(parse(text), bases={"c": "d"}).text == text


def test_a_fresh_label_follows_each_from_and_lines_can_be_traced_back() -> None:
    """The positions of what was put in are known, and so are the original lines."""
    sent = rewrite(parse("ARG A\nFROM a\nRUN b\nFROM c\nRUN d"), fresh_label="n1")
    assert sent.text == (
        "ARG A\nFROM a\nLABEL org.dockerlab.fresh=n1\nRUN b\nFROM c\nLABEL org.dockerlab.fresh=n1\nRUN d"
    )
    assert sent.lines == (1, 2, 2, 3, 4, 4, 5)
    assert sent.added == {2, 5}


def test_dropping_the_syntax_leaves_the_other_directives_in_force() -> None:
    """A comment above ``# escape`` would switch it off."""
    sent = rewrite(parse("# syntax=docker/dockerfile:1\n# escape=`\nFROM a\n"), drop_syntax=True)
    assert sent.text == "# escape=`\n#\nFROM a\n"
    assert parse(sent.text).directives == {"escape": "`"}
    # What looks like one and is none stays where it keeps what follows it from becoming one.
    text = "# syntax=d:1\n# syntax=\n# escape=`\nFROM a\n"
    assert rewrite(parse(text), drop_syntax=True).text == "#\n" + text.partition("\n")[2]


def test_sources_are_put_below_a_folder_and_nothing_else_is() -> None:
    """Other stages, URLs and here-documents stay; the shell and JSON forms and mounts are changed; lines stay."""
    text = (
        "FROM a AS s\nCOPY --chown=1 . ./x\\\n  /dst/\nCOPY --from=s . /y\nADD http://h/f ../up.txt /z\n"
        'COPY ["a b", "/c"]\nCOPY "q r" $V /d\nRUN --mount=target=/m,source=sub cat /m\n'
        "RUN --mount=type=cache,target=/c x\n"
        "COPY <<EOF /e\n.\nEOF\n"
    )
    assert nest(parse(text)) == (
        "FROM a AS s\nCOPY --chown=1 /.dockerlab-context/ /.dockerlab-context/x /dst/\n\nCOPY --from=s . /y\n"
        "ADD http://h/f /.dockerlab-context/up.txt /z\n"
        'COPY ["/.dockerlab-context/a b", "/c"]\nCOPY "/.dockerlab-context/q r" /.dockerlab-context/$V /d\n'
        "RUN --mount=target=/m,source=/.dockerlab-context/sub cat /m\nRUN --mount=type=cache,target=/c x\n"
        "COPY <<EOF /e\n.\nEOF\n"
    )
    assert nest(parse("FROM a\nADD $URL /x")) is None


def test_whether_a_build_takes_the_whole_context_is_seen() -> None:
    """By COPY of its root, or by a bind mount; not from another stage."""
    assert takes_everything(parse("FROM a\nCOPY . /x"))
    assert takes_everything(parse('FROM a\nADD ["./", "/x"]'))
    assert takes_everything(parse("FROM a\nRUN --mount=target=/m x"))
    assert not takes_everything(
        parse("FROM a AS b\nCOPY --from=b . /x\nCOPY x.py .\nRUN --mount=type=cache,target=/c x")
    )


def test_messages_are_told_with_the_dockerfiles_own_paths() -> None:
    """The folder is nobody's business."""
    assert unnested('"/.dockerlab-context/nope": not found') == '"/nope": not found'
