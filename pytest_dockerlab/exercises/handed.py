"""One exercise of a submission's copy: its texts read and judged, nothing built or run yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pytest_dockerlab.exercises.asked import AskedBuild
from pytest_dockerlab.exercises.asked_mounts import normal
from pytest_dockerlab.exercises.commands import read_commands
from pytest_dockerlab.exercises.judge import Judged, inside, judge_commands
from pytest_dockerlab.exercises.judge_dockerfile import judge_dockerfile
from pytest_dockerlab.exercises.policy import Policy
from pytest_dockerlab.exercises.refusal import Refusal
from pytest_dockerlab.exercises.shell import Shell
from pytest_dockerlab.exercises.submission import COMMANDS_FILE, read_text

__all__ = ["Dockerfiles", "Handed", "read_handed"]

Dockerfiles = tuple[tuple[str, str], ...]
"""Path relative to the exercise, and text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What was handed in for one exercise.

    Attributes:
        exercise: its id.
        folder: of the copy.
        dockerfiles: the one of this name, and those that a build command names, as far as they are there.
        commands: of ``run.txt``, judged; without any where there is no such file.
        refusals: of the Dockerfiles and of what can't be read; those of single commands are with them. An
            exercise that has any is not built.
    """

    exercise: str
    folder: Path
    dockerfiles: Dockerfiles = ()
    commands: Judged = field(default_factory=Judged)
    refusals: tuple[Refusal, ...] = ()

    @property
    def build(self) -> AskedBuild | None:
        """The first build that was asked for."""
        return next(iter(self.commands.builds), None)


def read_handed(copied: Path, exercise: str, policy: Policy, *, shell: Shell | None = None) -> Handed:
    """Read and judge one exercise.

    Args:
        copied: the copy of the submission (``submission.copy``'s target), an absolute path.
        policy: with the exercise's bases.
        shell: what ``$(id -u)`` and variables stand for; its folders are set to the copy's.
    """
    folder = copied / exercise
    given = shell or Shell()
    own = Shell(uid=given.uid, gid=given.gid, cwd=str(folder), home=given.home, variables=given.variables)
    refusals: list[Refusal] = []

    def text_of(path: str) -> str | None:
        inner = path.removeprefix(f"{folder}/")
        text = read_text(folder, inner) if inside(path, str(folder)) else None
        return text if isinstance(text, str) else None

    commands = Judged()
    if (folder / COMMANDS_FILE).exists() or (folder / COMMANDS_FILE).is_symlink():
        text = read_text(folder, COMMANDS_FILE)
        if isinstance(text, str):
            read = read_commands(text, own)
            commands = judge_commands(read, policy, own, root=str(copied), images=[exercise], read=text_of)
        else:
            refusals.append(text)
    own_one = f"{folder}/Dockerfile"
    # Each with the arguments of each build, as its ARGs may decide over a FROM.
    wanted = [(normal(str(build.spec.dockerfile_path), "/"), dict(build.spec.args)) for build in commands.builds]
    if all(path != own_one for path, _ in wanted) and (not wanted or (folder / "Dockerfile").exists()):
        wanted.append((own_one, {}))
    dockerfiles: dict[str, str] = {}
    for path, args in wanted:
        name = path.removeprefix(f"{folder}/")
        text = read_text(copied, path.removeprefix(f"{copied}/"))
        if isinstance(text, str):
            dockerfiles[name] = text
            refusals.extend(judge_dockerfile(text, policy, path=name, args=args))
        else:
            refusals.append(text)
    return Handed(
        exercise=exercise,
        folder=folder,
        dockerfiles=tuple(dockerfiles.items()),
        commands=commands,
        refusals=tuple(dict.fromkeys(refusals)),
    )
