"""What a command may ask for, and what of it is run."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.asked import AskedRun
from pytest_dockerlab.exercises.commands import read_commands
from pytest_dockerlab.exercises.confine import confined_build, confined_run
from pytest_dockerlab.exercises.judge import Judged, inside, judge_commands
from pytest_dockerlab.exercises.model import LANGUAGES
from pytest_dockerlab.exercises.policy import PERMITTABLE, Policy, read_policies, read_policy
from pytest_dockerlab.exercises.reasons import GROUPS, REASONS
from pytest_dockerlab.exercises.refusal import findings_of, refuse
from pytest_dockerlab.exercises.shell import Shell
from pytest_dockerlab.run.spec import Limits, Mount, PublishedPort

SHELL = Shell(uid=1234, gid=567, cwd="/sub/ex1", variables={"KEY": "secret"})
POLICY = Policy(bases=("python:3.10", "alpine:*"), memory=1024**3, cpus=1.5, pids=100)
FILES = {"/sub/ex1/vars": "# comment\nA=1\n B=two words\n", "/sub/ex1/labels": "l=1"}


def judged(text: str, policy: Policy = POLICY) -> Judged:
    read = read_commands(text, SHELL)
    return judge_commands(read, policy, SHELL, root="/sub", images=["ex1"], read=FILES.get)


def one(flags: str, image: str = "ex1 cmd arg") -> AskedRun:
    found = judged(f"docker run {flags} {image}")
    assert not found.refusals, [str(each.finding()) for each in found.refusals]
    return found.runs[0]


def codes(text: str, policy: Policy = POLICY) -> list[str]:
    found = judged(text, policy)
    assert not (found.asked and found.refusals)
    return [refusal.code for refusal in found.refusals]


def test_a_run_becomes_the_spec_that_it_asks_for() -> None:
    """Every used flag arrives in the RunSpec."""
    spec = one(
        "-it --rm --init --read-only --name box -u $(id -u):$(id -g) -w /w -h host --network none --network-alias a "
        "-e A=1 -e KEY --env-file vars -l k=v --label-file labels --add-host db:10.0.0.1 --entrypoint sh "
        "-m 512m --memory-swap 1g --cpus 0.5 --pids-limit 50 --shm-size 16m --platform linux/arm64 "
        "--restart on-failure:2 --stop-signal SIGINT --cap-drop ALL --security-opt no-new-privileges "
        "--health-cmd 'curl x' --health-interval 5s --health-timeout 500ms --health-start-period 1m --health-retries 3"
    ).spec
    assert (spec.image, spec.command, spec.entrypoint) == ("ex1", ("cmd", "arg"), ("sh",))
    assert (spec.tty, spec.stdin, spec.auto_remove, spec.init, spec.read_only) == (True,) * 5
    assert (spec.name, spec.user, spec.workdir, spec.hostname) == ("box", "1234:567", "/w", "host")
    assert (spec.network, spec.aliases) == ("none", ("a",))
    assert spec.env == {"A": "1", "B": "two words", "KEY": "secret"}
    assert spec.labels == {"k": "v", "l": "1"}
    assert spec.extra_hosts == {"db": "10.0.0.1"}
    assert spec.limits == Limits(nano_cpus=500_000_000, memory=512 * 1024**2, memory_swap=1024**3, pids=50)
    assert (spec.shm_size, str(spec.platform)) == (16 * 1024**2, "linux/arm64")
    assert (spec.restart, spec.stop_signal) == ("on-failure:2", "SIGINT")
    assert (spec.cap_drop, spec.security_opt) == (("ALL",), ("no-new-privileges",))
    check = spec.healthcheck
    assert check is not None
    assert (check.test, check.interval, check.timeout, check.start_period, check.retries) == (
        ("CMD-SHELL", "curl x"),
        5.0,
        0.5,
        60.0,
        3,
    )


def test_what_is_no_part_of_a_spec_is_kept_beside_it() -> None:
    """-d, -P, and which verb it was."""
    asked = one("-dP")
    assert (asked.start, asked.detached, asked.publish_all) == (True, True, True)
    (created,) = judged("docker create ex1").runs
    assert not created.start
    assert created.spec.command is None


def test_an_empty_entrypoint_takes_the_images_away() -> None:
    """As --entrypoint "" does; without the flag it stays."""
    assert one('--entrypoint ""').spec.entrypoint == ()
    assert one("").spec.entrypoint is None
    assert one("--entrypoint '/bin/my sh'").spec.entrypoint == ("/bin/my sh",)


@pytest.mark.parametrize(
    ("flags", "mount"),
    [
        ("-v $PWD/data:/data", Mount(kind="bind", source="/sub/ex1/data", target="/data")),
        ("-v ./data:/data:ro,z", Mount(kind="bind", source="/sub/ex1/data", target="/data", read_only=True)),
        ("-v .:/data/", Mount(kind="bind", source="/sub/ex1", target="/data")),
        ("-v ../ex2:/data", Mount(kind="bind", source="/sub/ex2", target="/data")),
        ("-v ~/data:/data", Mount(kind="bind", source="/sub/ex1/data", target="/data")),
        ("-v named:/data", Mount(kind="volume", source="named", target="/data")),
        ("-v /data", Mount(kind="volume", target="/data")),
        (
            "--mount type=bind,src=$PWD/a,dst=/data,ro",
            Mount(kind="bind", source="/sub/ex1/a", target="/data", read_only=True),
        ),
        ("--mount source=named,target=/data", Mount(kind="volume", source="named", target="/data")),
        ("--mount type=tmpfs,target=/data,tmpfs-size=1m", Mount(kind="tmpfs", target="/data", size=1024**2)),
        ("--tmpfs /data:rw,size=2m,noexec", Mount(kind="tmpfs", target="/data", size=2 * 1024**2)),
    ],
)
def test_mounts_are_read_in_every_form(flags: str, mount: Mount) -> None:
    """-v, --mount and --tmpfs; paths are absolute, and the grader's home is nobody's."""
    assert one(flags).spec.mounts == (mount,)


@pytest.mark.parametrize(
    ("flags", "port"),
    [
        ("-p 8888:80", PublishedPort(container=80, host=8888)),
        ("-p 80", PublishedPort(container=80)),
        ("-p 127.0.0.1:8080:80/udp", PublishedPort(container=80, host=8080, protocol="udp")),
        ("-p 0.0.0.0:8080:80", PublishedPort(container=80, host=8080, address="0.0.0.0")),
    ],
)
def test_ports_are_on_loopback_unless_they_say_otherwise(flags: str, port: PublishedPort) -> None:
    """As -p reads them."""
    assert one(flags).spec.ports == (port,)


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ("--privileged", "privileged"),
        ("--network host", "host_network"),
        ("--net=host", "host_network"),
        ("--network name=host,alias=x", "host_network"),
        ("--network container:other", "other_container"),
        ("--network ingress", "network"),
        ("--pid host", "host_namespace"),
        ("--ipc host", "host_namespace"),
        ("--uts=host", "host_namespace"),
        ("--userns host", "host_namespace"),
        ("--cgroupns host", "host_namespace"),
        ("--pid container:other", "other_container"),
        ("--ipc container:other", "other_container"),
        ("--cap-add SYS_ADMIN", "cap_add"),
        ("--cap-add all", "cap_add"),
        ("--cap-add CAP_SYS_PTRACE", "cap_add"),
        ("--security-opt seccomp=unconfined", "security_opt"),
        ("--security-opt apparmor:unconfined", "security_opt"),
        ("--security-opt no-new-privileges=false", "security_opt"),
        ("--security-opt systempaths=unconfined", "security_opt"),
        ("-v /:/host", "mount_outside"),
        ("-v /etc/passwd:/x:ro", "mount_outside"),
        ("-v ../../other:/x", "mount_outside"),
        ("-v $PWD/../../x:/x", "mount_outside"),
        ("-v /subway:/x", "mount_outside"),
        ("--mount type=bind,source=/etc,target=/x", "mount_outside"),
        ("-v /var/run/docker.sock:/var/run/docker.sock", "engine_socket"),
        ("-v /run/user/1000/podman/podman.sock:/x", "engine_socket"),
        ("-v $PWD/x:/proc/sys", "mount_target"),
        ("-v $PWD/x:/", "mount_target"),
        ("--tmpfs /sys", "mount_target"),
        ("-v $PWD/x:/x:rshared", "propagation"),
        ("--mount type=bind,source=$PWD,target=/x,bind-propagation=shared", "propagation"),
        ("--mount type=volume,target=/x,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/", "volume_driver"),
        ("--mount 'type=volume,target=/x,\"volume-opt=device=/\"'", "volume_driver"),
        ("--volume-driver local", "volume_driver"),
        ("-p 80:80", "port_low"),
        ("-p 192.168.0.1:8080:80", "port_address"),
        (" ".join(f"-p {n}" for n in range(9000, 9011)), "port_count"),
        ("--memory 2g", "over_limit"),
        ("--memory 1g --memory-swap -1", "over_limit"),
        ("--cpus 2", "over_limit"),
        ("--cpu-quota 200000", "over_limit"),
        ("--pids-limit 0", "over_limit"),
        ("--pids-limit 1000", "over_limit"),
        ("--shm-size 1g", "over_limit"),
        ("--tmpfs /x:size=2g", "over_limit"),
        (" ".join(f"-v /v{n}" for n in range(11)), "over_limit"),
        ("-v data/x:/x", "bad_value"),
        ("-v '~/x':/x", "bad_value"),
        ("-v a:b", "bad_value"),
        ("-v $PWD:/x:nope", "bad_value"),
        ("-v $PWD/a:/x -v $PWD/b:/x", "bad_value"),
        ("--mount type=npipe,target=/x", "bad_value"),
        ("--mount typo=bind,target=/x", "bad_value"),
        ("-p http:80", "bad_value"),
        ("--memory lots", "bad_value"),
        ("--cpus none", "bad_value"),
        ("--pids-limit many", "bad_value"),
        ("-e NOT_SET", "bad_value"),
        ("-l org.dockerlab.run=x", "bad_value"),
        ("--add-host nowhere", "bad_value"),
        ("--restart sometimes", "bad_value"),
        ("--health-cmd x --health-interval soon", "bad_value"),
        ("--network a --network b", "bad_value"),
        ("--env-file /etc/environment", "missing"),
        ("--env-file nothing", "missing"),
    ],
)
def test_what_harms_or_can_not_be_meant_is_refused(flags: str, code: str) -> None:
    """One reason each, with the line it stands on, and nothing to run."""
    found = judged(f"docker run {flags} ex1")
    assert not found.asked
    assert [refusal.code for refusal in found.refusals] == [code]
    assert found.refusals[0].where == "run.txt:1"


def test_an_image_is_allowed_or_the_students_own() -> None:
    """The exercise's, one that a build above names, or a base."""
    assert codes("docker run ex1") == []
    assert codes("docker run python:3.10") == []
    assert codes("docker run docker.io/library/python:3.10 python -V") == []
    assert codes("docker run alpine:3.20") == []
    assert codes("docker run python:3.11") == ["image"]
    assert codes("docker run mine") == ["image"]
    assert codes("docker run Not/An/Image") == ["bad_value"]
    assert codes("docker build -t mine:1 .\ndocker tag mine:1 other\ndocker run other\ndocker run mine:1") == []


def test_containers_are_the_students_own() -> None:
    """exec, stop, rm and commit take what a run above has named."""
    assert (
        codes("docker run -d --name box ex1\ndocker exec box ls\ndocker stop box\ndocker commit box x\ndocker rm box")
        == []
    )
    assert codes("docker stop grader") == ["other_container"]
    assert codes("docker rm -f ''") == ["other_container"]
    assert [each.code for each in judged("docker run -d --name box ex1\ndocker exec --privileged box ls").refusals] == [
        "privileged"
    ]


def test_registries_are_those_of_the_policy() -> None:
    """A base may be pulled; pushing wants a registry that is allowed."""
    assert codes("docker pull python:3.10") == []
    assert codes("docker pull evil/miner") == ["registry"]
    assert codes("docker push ex1") == ["registry"]
    policy = replace(POLICY, registries=("localhost:5000",))
    assert codes("docker tag ex1 localhost:5000/me/x\ndocker push localhost:5000/me/x", policy) == []


def test_an_archive_is_saved_and_loaded_in_the_own_folder_only() -> None:
    """-o and -i are paths, too."""
    assert codes("docker save -o x.tar ex1") == []
    assert codes("docker save -o /etc/cron.d/x ex1") == ["context_outside"]
    assert codes("docker load -i ../../x.tar") == ["context_outside"]
    assert codes("docker save -o x.tar nobodys") == ["image"]


def test_a_build_becomes_the_spec_that_it_asks_for() -> None:
    """Context and Dockerfile start from the exercise's folder."""
    (build,) = judged(
        "docker build -t me/x:1 -t y -f Dockerfile.dev --build-arg A=1 --build-arg KEY --label l=v --target s "
        "--no-cache --pull --network none --platform linux/amd64 --add-host a=1.2.3.4 context"
    ).builds
    spec = build.spec
    assert (spec.context, spec.dockerfile) == (Path("/sub/ex1/context"), Path("/sub/ex1/Dockerfile.dev"))
    assert (spec.tags, spec.args, spec.labels) == (("me/x:1", "y"), {"A": "1", "KEY": "secret"}, {"l": "v"})
    assert (spec.target, spec.no_cache, spec.pull, spec.network) == ("s", True, True, "none")
    assert (str(spec.platform), spec.extra_hosts) == ("linux/amd64", {"a": "1.2.3.4"})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("docker build -t x /etc", "context_outside"),
        ("docker build -t x ../..", "context_outside"),
        ("docker build -f /etc/passwd .", "context_outside"),
        ("docker build -", "context_remote"),
        ("docker build -f - .", "context_remote"),
        ("docker build https://example.org/x.tar", "context_remote"),
        ("docker build git@example.org:x", "context_remote"),
        ("docker build github.com/x/y", "context_remote"),
        ("docker build x.git#main", "context_remote"),
        ("docker build --network host .", "build_network"),
        ("docker build --network container:x .", "build_network"),
        ("docker build --build-arg BUILDKIT_SYNTAX=evil/frontend .", "build_arg"),
        ("docker build --build-arg buildkit_syntax=evil/frontend .", "build_arg"),
        ("docker build --build-arg NOPE .", "bad_value"),
        ("docker build -t Not/Good .", "bad_value"),
        ("docker build --label =x .", "bad_value"),
        ("docker build --security-opt seccomp=unconfined .", "security_opt"),
        ("docker build --cgroup-parent /x .", "cgroup_parent"),
        ("docker build --allow network.host .", "build_flag"),
        ("docker build --cache-to type=local,dest=/x .", "build_flag"),
        ("docker build --ssh default .", "build_flag"),
        ("docker build --build-context x=/etc .", "build_flag"),
    ],
)
def test_a_build_that_reaches_out_is_refused(text: str, code: str) -> None:
    """Out of the folder, to the network of the host, to another frontend."""
    assert codes(text) == [code]


def test_several_faults_of_one_command_are_all_told() -> None:
    """A student mends them at once."""
    assert codes("docker run --privileged --pid host -v /:/x -p 80:80 nobodys") == [
        "image",
        "privileged",
        "host_namespace",
        "mount_outside",
        "port_low",
    ]


def test_an_instructor_can_permit_a_reason() -> None:
    """By its name; everything else stays refused."""
    policy = replace(POLICY, permits=("privileged", "cap_add"))
    assert codes("docker run --privileged --cap-add SYS_ADMIN ex1", policy) == []
    assert codes("docker run --privileged --pid host ex1", policy) == ["host_namespace"]


def test_what_runs_is_within_the_limits() -> None:
    """Limits that were not asked for are the policy's, and swap none; no new privileges."""
    spec = confined_run(
        one("-p 8888:80 -p 0.0.0.0:9999:90 --name x --rm --restart always -v data:/d --tmpfs /t").spec,
        POLICY,
        prefix="ann",
    )
    assert spec.limits == Limits(nano_cpus=1_500_000_000, memory=1024**3, memory_swap=1024**3, pids=100)
    assert spec.ports == (PublishedPort(container=80), PublishedPort(container=90))
    assert (spec.name, spec.auto_remove, spec.restart) == ("", False, "")
    assert spec.security_opt == ("no-new-privileges",)
    assert spec.network == "bridge"
    assert spec.mounts == (
        Mount(kind="volume", source="ann-data", target="/d"),
        Mount(kind="tmpfs", target="/t", size=POLICY.shm_size),
    )


def test_what_was_asked_for_within_the_limits_stays() -> None:
    """--memory alone keeps the engine's own rule for swap, which exercises look at."""
    asked = one("--memory 512m --cpus 1 --pids-limit 20 --network none --restart on-failure:1").spec
    spec = confined_run(asked, POLICY, prefix="ann")
    assert spec.limits == Limits(nano_cpus=1_000_000_000, memory=512 * 1024**2, memory_swap=None, pids=20)
    assert (spec.network, spec.restart) == ("none", "on-failure:1")
    # Even a spec that nobody judged gets no more than the policy's.
    greedy = replace(asked, limits=Limits(nano_cpus=10**12, memory=10**12, memory_swap=-1, pids=-1))
    assert confined_run(greedy, POLICY, prefix="ann").limits == Limits(
        nano_cpus=1_500_000_000, memory=1024**3, memory_swap=2 * 1024**3, pids=100
    )


def test_a_build_is_confined_too() -> None:
    """Its time, its network, its own cache; names are the grader's matter."""
    (build,) = judged("docker build -t x .").builds
    spec = confined_build(build.spec, replace(POLICY, build_network="none", build_seconds=30), nonce="ann")
    assert (spec.network, spec.timeout, spec.fresh, spec.tags) == ("none", 30, "ann", ())
    assert confined_build(build.spec, POLICY, nonce="ann").network == "default"


@pytest.mark.parametrize(
    ("path", "root", "held"),
    [
        ("/sub", "/sub", True),
        ("/sub/x", "/sub", True),
        ("/subway", "/sub", False),
        ("/sub/../etc", "/sub", False),
        ("//sub/x", "/sub", True),
        ("/etc", "/", True),
    ],
)
def test_inside(path: str, root: str, held: bool) -> None:
    """A path is the folder or below it, whatever dots are in it."""
    assert inside(path, root) == held


def test_every_setting_of_a_policy_can_be_written() -> None:
    """Each field has a reader of its kind."""
    text = """
        bases = ["python:3.10", "alpine:*"]
        scratch = true
        downloads = ["https://example.org/data/"]
        registries = ["localhost:5000"]
        networks = ["course"]
        build_network = "none"
        index = ["index.example.org:8443"]
        run_network = "none"
        permits = ["privileged"]
        unkept = ["network"]
        variables = {KEY = "text"}
        heredocs = false
        lowest_port = 2000
        context_size = "1m"
        file_size = "1m"
        files = 10
        depth = 3
        image_size = "1g"
        layers = 10
        instructions = 20
        stages = 2
        build_seconds = "2m"
        run_seconds = 30
        memory = "512m"
        cpus = 0.5
        pids = 10
        shm_size = "1m"
        disk = "1g"
        log_size = "10k"
        mounts = 1
        ports = 1
        [exercise.ex2]
        memory = "1g"
    """
    policies = read_policies(text)
    assert policies.default.memory == 512 * 1024**2
    assert policies.default.build_seconds == 120.0
    unchanged = [
        each.name for each in fields(Policy) if getattr(policies.default, each.name) == getattr(Policy(), each.name)
    ]
    assert unchanged == []
    assert policies.of("ex2") == replace(policies.default, memory=1024**3)
    assert policies.of("ex1") == policies.default


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("memory = ", "p.toml is not TOML"),
        ("memroy = 1", "did you mean memory?"),
        ("zzz = 1", "there are bases"),
        ('memory = "lots"', "p.toml: memory: not a size: 'lots'"),
        ("bases = 'python'", "not a list of texts"),
        ("bases = ['No/Good']", "not an image name"),
        ("scratch = 'yes'", "neither true nor false"),
        ("pids = -1", "not a whole number: -1"),
        ("pids = true", "not a whole number: True"),
        ("build_network = 'host'", "one of none, index, open"),
        ("permits = ['privilege']", "did you mean privileged?"),
        ("permits = ['engine_socket']", "can't be permitted"),
        ("downloads = ['https://example.org']", "not the beginning of an address"),
        ("cpus = 0", "cpus: not a number of CPUs"),
        ("exercise = 3", "exercise: not tables"),
        ("[exercise.a]\nmemroy = 1", "p.toml: exercise.a: no such setting: memroy"),
    ],
)
def test_a_wrong_policy_is_an_error_with_file_and_setting(text: str, said: str) -> None:
    """Before anything is graded."""
    with pytest.raises(UsageError) as caught:
        read_policies(text, path="p.toml")
    assert said in str(caught.value)


def test_a_policy_takes_the_exercises_bases_unless_it_has_its_own() -> None:
    """with_bases is what the default means."""
    assert Policy().with_bases(("a",)).bases == ("a",)
    assert POLICY.with_bases(("a",)) is POLICY
    assert read_policy({"bases": ["*"]}).allows_image("anything/at:all")
    assert not Policy().allows_image("python")


def test_every_reason_is_told_in_every_language() -> None:
    """What, why and hint, English and Japanese, and the same braces in both."""
    import string

    for code, reason in REASONS.items():
        for text in reason:
            assert set(text) == set(LANGUAGES), code
        names = [
            {field for _, field, _, _ in string.Formatter().parse(text[lang]) if field}
            for text in reason
            for lang in LANGUAGES
        ]
        filled = refuse(code, "f:1", **dict.fromkeys(set().union(*names) | {"value"}, "V"))
        for lang in LANGUAGES:
            assert filled.finding().in_language(lang).where == "f:1"
            assert filled.finding().in_language(lang).what
    assert sum(map(len, GROUPS.values())) == len(REASONS)
    assert set(PERMITTABLE) <= set(REASONS)
    with pytest.raises(UsageError, match="no such reason to refuse"):
        refuse("nonsense")


def test_a_refusal_becomes_a_finding_in_the_students_language() -> None:
    """What, why and hint in Japanese."""
    (finding,) = [each.in_language("ja") for each in findings_of(judged("docker run --privileged ex1").refusals)]
    assert finding.what == "--privileged は使えません"
    assert "採点機" in finding.why
