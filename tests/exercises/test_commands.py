"""run.txt is data: what a shell would do with it is either known, or refused with its reason."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_dockerlab.exercises.commands import Command, read_commands
from pytest_dockerlab.exercises.flags import VERBS, flag_of
from pytest_dockerlab.exercises.model import LANGUAGES
from pytest_dockerlab.exercises.reasons import REASONS
from pytest_dockerlab.exercises.shell import Shell, read_lines

SHELL = Shell(uid=1234, gid=567, cwd="/sub/ex1", home="/sub/home", variables={"KEY": "a b"})


def names(text: str) -> list[str]:
    return text.split()


# docs.docker.com/reference/cli/docker/container/run, every option, and the older names that are still taken.
RUN_FLAGS = names("""
add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile
cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems
detach detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops
disable-content-trust dns dns-option dns-opt dns-search domainname entrypoint env env-file expose gpus group-add
health-cmd health-interval health-retries health-start-interval health-start-period health-timeout help hostname
init interactive io-maxbandwidth io-maxiops ip ip6 ipc isolation kernel-memory label label-file link link-local-ip
log-driver log-opt mac-address memory memory-reservation memory-swap memory-swappiness mount name network
network-alias net net-alias no-healthcheck oom-kill-disable oom-score-adj pid pids-limit platform privileged publish
publish-all pull quiet read-only restart rm runtime security-opt shm-size sig-proxy stop-signal stop-timeout
storage-opt sysctl tmpfs tty ulimit use-api-socket user userns uts volume volume-driver volumes-from workdir
""")
RUN_LETTERS = {
    "a": "attach",
    "c": "cpu-shares",
    "d": "detach",
    "e": "env",
    "h": "hostname",
    "i": "interactive",
    "l": "label",
    "m": "memory",
    "P": "publish-all",
    "p": "publish",
    "q": "quiet",
    "t": "tty",
    "u": "user",
    "v": "volume",
    "w": "workdir",
}
# docs.docker.com/reference/cli/docker/buildx/build and …/image/build/classic.
BUILD_FLAGS = names("""
add-host allow annotation attest build-arg build-context builder cache-from cache-to call cgroup-parent check
compress cpu-period cpu-quota cpu-shares cpuset-cpus cpuset-mems debug disable-content-trust file force-rm help
iidfile isolation label load memory memory-swap metadata-file network no-cache no-cache-filter output platform
policy progress provenance pull push quiet rm sbom secret security-opt shm-size squash ssh tag target ulimit
""")


def one(text: str, shell: Shell = SHELL) -> Command:
    read = read_commands(text, shell)
    assert not read.refusals, [str(refusal.finding()) for refusal in read.refusals]
    (command,) = read.commands
    return command


def refused(text: str, shell: Shell = SHELL) -> list[str]:
    read = read_commands(text, shell)
    assert not read.commands
    return [refusal.code for refusal in read.refusals]


@pytest.mark.parametrize("name", RUN_FLAGS)
def test_every_documented_flag_of_run_is_known(name: str) -> None:
    """All of them, in their long form, with a value where they take one; a refused one has a reason."""
    flag = flag_of("run", name)
    assert flag is not None
    assert (flag.treatment == "refused") == (flag.reason in REASONS)
    read = read_commands(
        f"docker run --{name} img" if flag.switch else f"docker run --{name} x img\ndocker run --{name}=x img"
    )
    codes = [refusal.code for refusal in read.refusals]
    assert codes == ([flag.reason] * (1 if flag.switch else 2) if flag.treatment == "refused" else [])
    for command in read.commands:
        assert command.arguments == ("img",)
        assert bool(command.ignored) == (flag.treatment == "ignored")


@pytest.mark.parametrize(("letter", "name"), RUN_LETTERS.items())
def test_every_letter_of_run_is_its_long_flag(letter: str, name: str) -> None:
    """-v is --volume, and so on, on create as well but for -d."""
    flag = flag_of("run", letter)
    assert flag is not None
    assert flag.name == name
    assert (flag_of("create", letter) is None) == (letter == "d")


@pytest.mark.parametrize("name", BUILD_FLAGS)
def test_every_documented_flag_of_build_is_known(name: str) -> None:
    """Those of the classic client and of buildx."""
    flag = flag_of("build", name)
    assert flag is not None
    assert (flag.treatment == "refused") == (flag.reason in REASONS)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.skipif(shutil.which("docker") is None, reason="no docker client to compare with")
def test_the_tables_are_those_of_the_client(verb: str) -> None:
    """What `docker VERB --help` of the installed client lists is known, with the same letter and kind."""
    version = re.match(r"Docker version (\d+)", subprocess.run(["docker", "-v"], capture_output=True, text=True).stdout)
    if version is None or int(version[1]) > 28:
        pytest.skip("another client than those that the tables were written from")
    shown = subprocess.run(["docker", verb, "--help"], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^ {2,6}(?:-(\w), )?--([\w-]+)(?: ([\w-]+))?(?: {2,}|$)", shown, re.MULTILINE)
    assert bool(rows) == bool(VERBS[verb].flags)
    for letter, name, kind in rows:
        flag = flag_of(verb, name)
        if flag is None and name == "help":
            continue
        assert flag is not None, f"docker {verb} --{name}"
        assert flag.switch == (not kind), f"docker {verb} --{name} {kind}"
        assert not letter or flag_of(verb, letter) is not None, f"docker {verb} -{letter}"


@pytest.mark.parametrize(
    ("text", "options", "arguments"),
    [
        ("docker run -it img", "interactive=true tty=true", "img"),
        ("docker run -dp 8888:8888 img", "detach=true publish=8888:8888", "img"),
        ("docker run -p8888:80 img", "publish=8888:80", "img"),
        ("docker run -v=/a:/b img", "volume=/a:/b", "img"),
        ("docker run --rm=false --init=1 img", "rm=false init=true", "img"),
        ("docker run -t=false img", "tty=false", "img"),
        ("docker run --name=a --name b img", "name=a name=b", "img"),
        ("docker run img -it --rm", "", "img -it --rm"),
        ("docker run -- img -x", "", "img -x"),
        ("docker run --net none img", "network=none", "img"),
        ("docker build . -t x --no-cache", "tag=x no-cache=true", "."),
        ("docker buildx build --load -t x -f D .", "tag=x file=D", "."),
        ("docker image build -t x .", "tag=x", "."),
        ("docker container run --rm img", "rm=true", "img"),
        ("sudo docker run img", "", "img"),
        ("$ docker run img", "", "img"),
        ("  docker run img  # a comment", "", "img"),
        ("docker run img a#b", "", "img a#b"),
        ("docker run --rm \\\n  -t \\\n  img", "rm=true tty=true", "img"),
        ("docker run im\\\ng", "", "img"),
        ("docker run\timg\r\n", "", "img"),
        ("\ufeffdocker run img", "", "img"),
        ("docker exec -u root box id -u", "user=root", "box id -u"),
        ("docker rm -fv box", "force=true volumes=true", "box"),
    ],
)
def test_flags_are_read_as_the_client_reads_them(text: str, options: str, arguments: str) -> None:
    """Long, short, combined, with and without =, up to the image's name or anywhere, as the verb has it."""
    command = one(text)
    assert " ".join(f"{name}={value}" for name, value in command.options) == options
    assert " ".join(command.arguments) == arguments


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("'a b'", "a b"),
        ('"a b"', "a b"),
        ("a\\ b", "a b"),
        ("a'b'\"c\"d", "abcd"),
        ('"a\\"b\\$c\\d"', 'a"b$c\\d'),
        ("'a\\b$c`d`'", "a\\b$c`d`"),
        ("''", ""),
        ("$PWD/x", "/sub/ex1/x"),
        ('"${PWD}/x"', "/sub/ex1/x"),
        ("$(pwd)/x", "/sub/ex1/x"),
        ('"$( pwd )"', "/sub/ex1"),
        ("$(id -u):$(id  -g)", "1234:567"),
        ("$UID", "1234"),
        ("~", "/sub/home"),
        ("~/x:/y", "/sub/home/x:/y"),
        ("~:/y", "/sub/home:/y"),
        ("a~/x", "a~/x"),
        ("'~/x'", "~/x"),
        ("$HOME", "/sub/home"),
        ('"$KEY"', "a b"),
        ("'$PWD'", "$PWD"),
        ("\\$PWD", "$PWD"),
        ("$", "$"),
        ("5$", "5$"),
        ("a\\", "a\\"),
        ("a\\\n", "a"),
        ("'*'", "*"),
        ('"?[ab]{a,b}"', "?[ab]{a,b}"),
        ("{{.State}}", "{{.State}}"),
        ("'echo hi | cat > x; ls && `id`'", "echo hi | cat > x; ls && `id`"),
        ("日本語", "日本語"),
    ],
)
def test_words_are_what_a_shell_makes_of_them(text: str, word: str) -> None:
    """Quotes, backslashes, and the few substitutions."""
    assert one(f"docker run img {text}").arguments == ("img", word)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("docker run img | cat", "pipe"),
        ("docker run img|cat", "pipe"),
        ("docker run img && rm -rf /", "sequence"),
        ("docker run img || true", "sequence"),
        ("docker run img; rm -rf /", "sequence"),
        ("docker run img &", "background"),
        ("docker run img > out", "redirection"),
        ("docker run img 2>&1", "redirection"),
        ("docker run -i img <<< x", "redirection"),
        ("docker run img <(cat x)", "redirection"),
        ("(docker run img)", "subshell"),
        ("docker run img $(cat /etc/passwd)", "substitution"),
        ('docker run img "$(id -un)"', "substitution"),
        ("docker run img $((1+1))", "substitution"),
        ("docker run img ${PWD:-x}", "substitution"),
        ("docker run img ${!x}", "substitution"),
        ("docker run img $?", "substitution"),
        ("docker run img $1", "substitution"),
        ("docker run img $[1+1]", "substitution"),
        ("docker run img $'a'", "substitution"),
        ("docker run -v ~root:/x img", "substitution"),
        ("docker run img `id -u`", "backticks"),
        ('docker run img "`id`"', "backticks"),
        ("docker run -e K=$SECRET img", "variable"),
        ("docker run img ls *", "wildcard"),
        ("docker run img ls file?.txt", "wildcard"),
        ("docker run img ls [ab]", "wildcard"),
        ("docker run img ls {a,b}", "wildcard"),
        ("docker run 'img", "quotes"),
        ('docker run "img', "quotes"),
        ("docker run –rm img", "typography"),
        ("docker run “img”", "typography"),
        ("docker run\u00a0img", "typography"),
        ("docker run i\x1bmg", "control"),
        ("docker run 'i\x00mg'", "control"),
        ("A=1 docker run img", "assignment"),
        ("cd /tmp", "not_docker"),
        ("docker", "verb"),
        ("docker compose up", "verb"),
        ("docker ps", "verb"),
        ("docker image ls", "verb"),
        ("docker rnu img", "unknown_verb"),
        ("docker -H tcp://x:1 run img", "global_option"),
        ("docker run --memroy 1g img", "unknown_flag"),
        ("docker run -name x img", "unknown_flag"),
        ("docker run -Z img", "unknown_flag"),
        ("docker run --name", "flag_value"),
        ("docker run --rm=maybe img", "bool_value"),
        ("docker run", "arguments"),
        ("docker build -t x", "arguments"),
        ("docker build a b", "arguments"),
        ("docker run --help", "builds_nothing"),
        ("docker run --device /dev/sda img", "device"),
        ("docker run --sysctl a=b img", "sysctl"),
        ("docker run --volumes-from x img", "other_container"),
        ("docker run --use-api-socket img", "engine_socket"),
        ("docker build --secret id=x,src=/etc/shadow .", "build_flag"),
        ("docker build -o type=local,dest=/ .", "build_flag"),
        ("docker build --push .", "registry"),
    ],
)
def test_what_is_not_known_is_refused_with_its_reason(text: str, code: str) -> None:
    """One finding a line, with the place, in both languages; the line runs nothing."""
    read = read_commands(f"# first\n{text}", SHELL)
    assert not read.commands
    assert code in [refusal.code for refusal in read.refusals]
    for refusal in read.refusals:
        assert refusal.where == "run.txt:2"
        for lang in LANGUAGES:
            finding = refusal.finding().in_language(lang)
            assert finding.what
            assert finding.why
            assert finding.hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("docker run --memroy 1g img", "did you mean --memory?"),
        ("docker run -name x img", "did you mean --name?"),
        ("docker run --volumes /a:/b img", "did you mean --volume?"),
        ("docker rnu img", "did you mean run?"),
        ("docker biuld .", "did you mean build?"),
        ("docker run –rm img", "type it again as -"),
        ("docker run -e K=$SECRET img", "known are $KEY, $PWD, $HOME, $UID"),
    ],
)
def test_a_slip_is_told_what_was_meant(text: str, hint: str) -> None:
    """The hint names the flag, the command or the character."""
    (refusal,) = read_commands(text, SHELL).refusals
    assert refusal.finding().hint == hint


def test_a_line_is_whole_or_not_at_all() -> None:
    """A refused line does not keep the others from being commands."""
    read = read_commands("docker build -t x .\ndocker run x | cat\ndocker run x\n", SHELL)
    assert [command.verb for command in read.commands] == ["build", "run"]
    assert [refusal.where for refusal in read.refusals] == ["run.txt:2"]


def test_a_line_has_the_number_of_its_first_row() -> None:
    """Continued lines, comments and blank ones are counted."""
    read = read_commands("# a \\\n\ndocker run \\\n --rm \\\n img\ndocker run b\n", SHELL)
    assert [command.where for command in read.commands] == ["run.txt:3", "run.txt:6"]


def test_thousands_of_lines_and_endless_ones_are_refused() -> None:
    """Two hundred commands are enough; a line has eight thousand characters at most."""
    read = read_commands("docker run img\n" * 5_000, SHELL)
    assert len(read.commands) == 200
    assert [refusal.code for refusal in read.refusals] == ["too_long"]
    assert refused("docker run img " + "x" * 100_000) == ["too_long"]


def test_what_is_refused_is_shown_harmless() -> None:
    """A value with an escape or a CI command in it does nothing in a report."""
    (refusal,) = read_commands("docker run img | \u202e::notice::x" + "y" * 500, SHELL).refusals
    assert "\u202e" not in refusal.finding().what
    assert len(refusal.finding().what) < 300


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(st.text(alphabet="docker run-vit=\"'\\$()`~#|&;<> \n\t/*{},x\u2013日", max_size=60) | st.text(max_size=60))
def test_reading_never_fails(text: str) -> None:
    """Whatever is in the file; and every line is either a command or refused."""
    for line in read_lines(text, SHELL):
        assert bool(line.words) != bool(line.refusals)
    read_commands(text, SHELL)
    read_commands(f"docker run {text}", SHELL)


WORDS = st.lists(st.text(alphabet="ab 'c\"$\\*", max_size=6), min_size=1, max_size=5)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)
@given(WORDS)
def test_what_was_quoted_for_a_shell_comes_back(words: list[str]) -> None:
    """As Python's own quoting writes it."""
    import shlex

    (line,) = read_lines(shlex.join(words), SHELL)
    assert line.words == tuple(words)
