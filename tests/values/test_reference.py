"""Image names and their defaults (row B06 rests on this)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.reference import Reference


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("ubuntu", "docker.io/library/ubuntu:latest", "ubuntu:latest"),
        ("python:3.10", "docker.io/library/python:3.10", "python:3.10"),
        ("user/practice", "docker.io/user/practice:latest", "user/practice:latest"),
        ("docker.io/ubuntu", "docker.io/library/ubuntu:latest", "ubuntu:latest"),
        ("index.docker.io/ubuntu", "docker.io/library/ubuntu:latest", "ubuntu:latest"),
        ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
        ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000/a/b:1", "127.0.0.1:5000/a/b:1"),
        ("UPPER/x", "UPPER/x:latest", "UPPER/x:latest"),
        ("ghcr.io/o/r:v1", "ghcr.io/o/r:v1", "ghcr.io/o/r:v1"),
        (f"a@sha256:{'0' * 64}", f"docker.io/library/a@sha256:{'0' * 64}", f"a@sha256:{'0' * 64}"),
        (f"a:1@sha256:{'0' * 64}", f"docker.io/library/a:1@sha256:{'0' * 64}", f"a:1@sha256:{'0' * 64}"),
    ],
)
def test_every_default_is_filled_in(text: str, full: str, familiar: str) -> None:
    """Host, library/ and latest are added where they were left out; the familiar form takes them off."""
    assert str(Reference.parse(text)) == full
    assert Reference.parse(text).familiar == familiar


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the repository is missing"),
        ("a:", "'' is not a tag"),
        ("Ubuntu", "'Ubuntu' must be lower case"),
        ("a/B", "'B' must be lower case"),
        ("a b", "'a b' has characters no name can have"),
        ("a:" + "x" * 129, "is not a tag"),
        ("a@sha256:12", "is not a digest"),
        ("f" * 64, "64 hex digits are an image id"),
        ("x.y:z/a", "'x.y:z' is not a registry host"),
    ],
)
def test_a_wrong_name_is_refused_with_the_part_at_fault(text: str, reason: str) -> None:
    """The message has the name and which part of it is wrong."""
    with pytest.raises(UsageError) as caught:
        Reference.parse(text)
    assert f"not an image name: {text!r}" in caught.value.what
    assert reason in caught.value.what


@given(st.text(alphabet="abcXYZ019.:/@_-\n ", max_size=40))
def test_normalising_is_stable(text: str) -> None:
    """What can be read at all reads the same again in both of its forms."""
    try:
        once = Reference.parse(text)
    except UsageError:
        return
    assert Reference.parse(str(once)) == once
    assert Reference.parse(once.familiar) == once
