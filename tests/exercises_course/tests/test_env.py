"""The checks of the exercise env; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import pytest

from pytest_dockerlab import assert_env
from pytest_dockerlab.grade.submission import Submission


@pytest.mark.exercise(
    "env",
    "plain",
    title={"en": "key1 and key2 are value", "ja": "key1 と key2 が value"},
    hint={"en": "ENV key1 value, and ENV key2=value", "ja": "ENV key1 value と ENV key2=value"},
)
def test_plain(submission: Submission) -> None:
    """key1 and key2 are value."""
    assert_env(submission.build(), key1="value", key2="value")


@pytest.mark.exercise(
    "env",
    "quoted",
    title={"en": "key3 has blanks: v a l u e", "ja": "key3 に空白がある: v a l u e"},
    hint={
        "en": 'With = a value with blanks stands in quotes: ENV key3="v a l u e"',
        "ja": '= では空白を含む値を引用符で囲みます: ENV key3="v a l u e"',
    },
)
def test_quoted(submission: Submission) -> None:
    """key3 is v a l u e, and the quotes are no part of it."""
    assert_env(submission.build(), key3="v a l u e")


@pytest.mark.exercise(
    "env",
    "escaped",
    title={"en": "key4 has blanks: v a u e", "ja": "key4 に空白がある: v a u e"},
    hint={
        "en": "Instead of quotes, a backslash before each blank: key4=v\\ a\\ u\\ e",
        "ja": "引用符の代わりに、空白の前にバックスラッシュを置けます: key4=v\\ a\\ u\\ e",
    },
)
def test_escaped(submission: Submission) -> None:
    """key4 is v a u e."""
    assert_env(submission.build(), key4="v a u e")


@pytest.mark.exercise(
    "env",
    "old-form",
    title={"en": "key5 has blanks: v a l u e", "ja": "key5 に空白がある: v a l u e"},
    hint={
        "en": "Without =, all behind the name is the value, up to the end of the line: ENV key5 v a l u e",
        "ja": "= がなければ、名前の後から行末までが値です: ENV key5 v a l u e",
    },
)
def test_old_form(submission: Submission) -> None:
    """key5 is v a l u e."""
    assert_env(submission.build(), key5="v a l u e")


@pytest.mark.exercise(
    "env",
    "prints",
    needs=["plain", "quoted", "escaped", "old-form"],
    title={"en": "A container prints them", "ja": "コンテナーで表示できる"},
    hint={
        "en": "run.txt: docker run --rm env env. The pipe to grep is for your own shell; leave it out.",
        "ja": "run.txt: docker run --rm env env。grep へのパイプは自分のシェル用なので外してください。",
    },
)
def test_prints(submission: Submission) -> None:
    """The command of run.txt prints all five."""
    printed = submission.run().check().output.splitlines()
    wanted = ["key1=value", "key2=value", "key3=v a l u e", "key4=v a u e", "key5=v a l u e"]
    assert [row for row in printed if row in wanted] == wanted, "not all five are printed"
