"""Taking a submission in: surveyed, copied, read and judged, exercise by exercise; nothing is built or run yet."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from pytest_dockerlab.build.dockerfile import parse
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.handed import Handed, read_handed
from pytest_dockerlab.exercises.policy import Policies, Policy, read_policies
from pytest_dockerlab.exercises.refusal import Refusal, refuse
from pytest_dockerlab.exercises.shell import Shell
from pytest_dockerlab.exercises.submission import copy, survey

__all__ = ["own_bases", "policies_of", "safe_source", "student", "take_in"]

_USER = 1000


def student(variables: Mapping[str, str] | None = None) -> Shell:
    """What ``$(id -u)`` and the like stand for: never root, whose files everybody's container may write."""
    return Shell(uid=os.getuid() or _USER, gid=os.getgid() or _USER, variables=dict(variables or {}))


def policies_of(path: Path | None) -> Policies:
    """A course's policy; the defaults for ``None``.

    Raises:
        UsageError: it can't be read, or is not a policy.
    """
    if path is None:
        return Policies()
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the policy {path} can't be read: {error}", remedy="name a TOML file") from error
    return read_policies(text, path=str(path))


def own_bases(folder: Path) -> tuple[str, ...]:
    """The bases that the reference of an exercise starts from: what a student may start from, too."""
    found: dict[str, None] = {}
    for path in sorted(folder.glob("Dockerfile*")):
        if path.is_file():
            file = parse(path.read_text("utf-8-sig"), path=str(path))
            found.update((use.name, None) for stage in file.stages for use in file.bases(str(stage.index)))
    return tuple(found)


def take_in(folder: Path, exercise: str, policy: Policy, target: Path, shell: Shell) -> Handed:
    """Copy one exercise, and read the copy.

    Args:
        folder: the submission's.
        policy: with the exercise's bases.
        target: an empty folder of the grader's own, absolute.

    Returns:
        with refusals alone, if it was not handed in or can't be copied.

    Raises:
        OSError: the submission's folder can't be read, or ``target`` not be written.
    """
    found = survey(folder, [exercise], policy)
    refusals: tuple[Refusal, ...] = found.refused(exercise)
    if not refusals and exercise not in found.exercises:
        refusals = (refuse("not_handed_in", "", exercise),)
    refusals = refusals or tuple(refusal for _, refusal in copy(found, target))
    if refusals:
        return Handed(exercise=exercise, folder=target / exercise, refusals=refusals)
    if os.getuid() == 0:
        for place, folders, files in os.walk(target / exercise):
            for name in (".", *folders, *files):
                os.chown(Path(place, name), shell.uid, shell.gid, follow_symlinks=False)
    return read_handed(target, exercise, policy, shell=shell)


def safe_source(source: str, root: Path) -> str:
    """A mount's source, looked at again right before it is mounted.

    An empty folder gets lost on the way through git or an archive: what is not there is made, and the student's.
    A container that ran before may have put a link there, and the engine would follow it out of the folder.

    Args:
        source: absolute path, in normal form.
        root: that it lies in.

    Returns:
        why it can't be mounted, ``""`` if it can.
    """
    path = Path(source)
    if path != root and root not in path.parents:
        return "it lies outside of the submission"
    at = root
    for part in path.relative_to(root).parts:
        at = at / part
        try:
            mode = at.lstat().st_mode
        except FileNotFoundError:
            at.mkdir(mode=0o755)
            if os.getuid() == 0:
                os.chown(at, student().uid, student().gid)
            continue
        except OSError as error:
            return error.strerror or type(error).__name__
        if not stat.S_ISDIR(mode) and not (at == path and stat.S_ISREG(mode)):
            return f"{part} is a link, or neither a file nor a folder"
    return ""
