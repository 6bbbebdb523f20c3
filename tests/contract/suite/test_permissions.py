"""Permissions: who may read, write and execute what, found by trying it as that user."""

from __future__ import annotations

import pytest

from pytest_dockerlab import (
    Build,
    Lab,
    assert_executable,
    assert_mode,
    assert_not_executable,
    assert_not_readable,
    assert_not_writable,
    assert_owner,
    assert_readable,
    assert_writable,
    image_fixture,
)

pytestmark = pytest.mark.proves("permissions")

guarded = image_fixture(
    "FROM alpine\nRUN mkdir /own /shared && echo secret > /own/secret && chmod 600 /own/secret"
    " && cp -p /own/secret /shared && chown -R 1111:2222 /own /shared/secret && chmod 750 /own && chmod 1777 /shared"
    ' && printf \'#!/bin/sh\\nid -u\\n\' > /tool && chmod 754 /tool\nUSER 1111:2222\nCMD ["sleep", "600"]\n',
    scope="module",
)


def test_owner_and_mode(guarded: Build) -> None:
    """Owners and modes, the sticky bit among them, are those of the Dockerfile."""
    assert_owner(guarded, "/own/secret", 1111, 2222)
    assert_mode(guarded, "/own/secret", 0o600)
    assert_mode(guarded, "/shared", 0o1777)


def test_the_owner_may_and_a_stranger_may_not(lab: Lab, guarded: Build) -> None:
    """A file of mode 600 can be read and written by its owner, and not by a stranger."""
    box = lab.run(guarded)
    assert_readable(box, "/own/secret")
    assert_writable(box, "/own")
    assert_not_readable(box, "/own/secret", user="3333:3333")
    assert_not_writable(box, "/own", user="3333:3333")
    assert_writable(box, "/shared", user="3333:3333")


def test_a_group_counts(lab: Lab, guarded: Build) -> None:
    """A member of the file's group may what the group may."""
    box = lab.run(guarded)
    assert_readable(box, "/own", user="3333:2222")
    assert_not_writable(box, "/own", user="3333:2222")


def test_who_may_execute(lab: Lab, guarded: Build) -> None:
    """A program of mode 754 can be executed by owner and group, and not by others."""
    box = lab.run(guarded)
    assert_executable(box, "/tool", user="0:0")
    assert_not_executable(box, "/tool", user="3333:3333")


def test_root_may_without_being_asked_unless_it_lost_the_capability(lab: Lab, guarded: Build) -> None:
    """Root may read anything, and loses that with its capabilities."""
    assert_readable(lab.run(guarded, user="0:0"), "/shared/secret")
    assert_not_readable(lab.run(guarded, user="0:0", cap_drop=["ALL"]), "/shared/secret")


def test_a_read_only_root(lab: Lab) -> None:
    """With a read-only root nobody may write, but in a tmpfs."""
    box = lab.run("alpine", ["sleep", "600"], read_only=True, tmpfs=["/scratch"])
    assert_not_writable(box, "/srv", user="0:0")
    assert_writable(box, "/scratch", user="0:0")


@pytest.mark.requires("local_files", "host_ownership")
def test_a_folder_of_the_host_belongs_to_whom_it_was_given(lab: Lab) -> None:
    """A bind-mounted folder can be written to by its owner only, and not at all when it is mounted read-only."""
    folder = lab.owned_dir(1111, 2222, mode=0o750)
    box = lab.run("alpine", ["sleep", "600"], volumes=[f"{folder}:/work", f"{folder}:/look:ro"])
    assert_writable(box, "/work", user="1111:2222")
    assert_not_writable(box, "/work", user="3333:3333")
    assert_not_writable(box, "/look", user="1111:2222")


def test_no_new_privileges(lab: Lab) -> None:
    """With no-new-privileges the kernel gives a process no more rights than it has."""
    asks = ["grep", "NoNewPrivs", "/proc/self/status"]
    assert lab.run("alpine", asks).output.split() == ["NoNewPrivs:", "0"]
    assert lab.run("alpine", asks, security_opt=["no-new-privileges"]).output.split() == ["NoNewPrivs:", "1"]
