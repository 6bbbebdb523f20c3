"""What a student's command lines become: within the policy's limits, and never outside of the submission."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_dockerlab import CheckFailed, Lab, WaitTimedOut, assert_file, assert_first_rebuilt
from pytest_dockerlab.exercises.policy import Policy
from tests.grade.conftest import POLICY, Hand


@pytest.mark.requires("memory_limit", "cpu_limit", "pids_limit")
def test_a_container_has_the_policys_limits(hand: Hand, lab: Lab) -> None:
    """Memory, CPU, processes, log and rights are bounded, and its network has no way out."""
    container = hand("docker run -d ex sleep 1000").run()
    limits, host = container.limits, container.inspect()["HostConfig"]
    assert (limits.memory, limits.nano_cpus, limits.pids) == (POLICY.memory, 500_000_000, 20)
    assert host["MemorySwap"] in (POLICY.memory, 0, -1)  # an engine without swap accounting keeps no number
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert host["NetworkMode"] == "none"
    assert container.exec(["ip", "route"]).output == ""


def test_a_port_is_published_on_loopback(hand: Hand) -> None:
    """On a free port of the grader's choice, from the grading machine alone."""
    container = hand("docker run -d -p 8080:80 ex sleep 1000").run()
    (binding,) = container.inspect()["NetworkSettings"]["Ports"]["80/tcp"]
    assert binding["HostIp"] == "127.0.0.1"
    assert binding["HostPort"].isdigit()
    assert container.spec.ports[0].host is None


def test_what_publishes_is_in_a_network_of_its_own(hand: Hand, lab: Lab) -> None:
    """No other container reaches it, but by its published port; its own exercise's containers do."""
    submission = hand("docker run -d -p 80 ex nc -ll -p 80 -e true", "docker run -d -p 81 ex sleep 1000")
    server, beside = submission.run(0), submission.run(1)
    (network,) = server.inspect()["NetworkSettings"]["Networks"].items()
    assert network[0] != "bridge"
    once = f"nc -w 1 {network[1]['IPAddress']} 80 < /dev/null && exit 0"
    reach = ["sh", "-c", f"for i in $(seq $TIMES); do {once}; sleep 0.2; done; exit 1"]
    assert beside.exec(reach, env={"TIMES": "300"}, timeout=300).exit_code == 0
    stranger = lab.run("alpine", ["sleep", "1000"])
    assert stranger.exec(reach, env={"TIMES": "3"}).exit_code != 0


def test_a_flood_fills_no_disk(hand: Hand) -> None:
    """The engine keeps the end of a log, and the container is out of time like any other."""
    container = hand("docker run -d ex yes flood").run(timeout=3)
    with pytest.raises(WaitTimedOut, match="has not ended after 3 s"):
        container.check()
    container.kill()
    assert len(container.logs().both) < 3 * POLICY.log_size


@pytest.mark.requires("local_files")
def test_a_link_that_a_container_made_is_not_mounted(hand: Hand) -> None:
    """One command may leave a link in its folder; the next can't have it followed."""
    submission = hand(
        'docker run -u 0 -v "$PWD:/own" ex ln -s /etc /own/data', 'docker run -v "$PWD/data:/data" ex cat /data/passwd'
    )
    submission.run(0).check()
    with pytest.raises(CheckFailed, match="/data can't be mounted: data is a link"):
        submission.run(1)


def test_a_missing_command_is_told(hand: Hand) -> None:
    """With the number that the check asks for, and that of what is there."""
    with pytest.raises(CheckFailed, match=r"no docker run command number 2 \(run\.txt has 1\)"):
        hand("docker run ex true").run(1)


def test_a_folder_that_is_not_there_is_the_students_fault(hand: Hand) -> None:
    """A build of another folder fails the check; it is no fault of the grader."""
    with pytest.raises(CheckFailed, match="ex/nothing_here/Dockerfile is missing"):
        hand("docker build -t ex nothing_here").build()


def test_an_image_that_is_too_large_is_refused(hand: Hand) -> None:
    """Its size and its layers have limits."""
    small = Policy(bases=("alpine",), build_network="none", layers=1, image_size=1000)
    with pytest.raises(CheckFailed, match=r"in its layers(.|\n)*2 layers"):
        hand(dockerfile="FROM alpine\nRUN touch /more\n", policy=small).build()


def test_a_volume_lasts_until_the_last_check(hand: Hand, lab: Lab, lab_module: Lab) -> None:
    """What one command writes the next reads; it is the lab's, and goes with it."""
    submission = hand("docker run -v own:/v ex touch /v/file", "docker run -v own:/v ex ls /v")
    submission.run(0).check()
    assert submission.run(1).check().output == "file\n"
    (volume,) = (mount for mount in submission.run(1).inspect()["Mounts"])
    assert volume["Name"].startswith(lab.ownership.run)
    assert lab_module.engine.volumes.inspect(volume["Name"])["Labels"]["org.dockerlab.run"] == lab.ownership.run


def test_a_dockerfile_is_built_by_its_name(hand: Hand) -> None:
    """By the command that names it, or without any; what is wrong with another one does not matter."""
    submission = hand(
        "docker build -t own -f Dockerfile.own --build-arg WHAT=that .",
        dockerfile="FROM debian\n",
        files={
            "Dockerfile.own": "FROM alpine\nARG WHAT=this\nRUN echo $WHAT > /what\n",
            "Dockerfile.bare": "FROM alpine\nARG WHAT=this\nRUN echo $WHAT > /what\n",
            "Dockerfile.refused": "FROM busybox\n",
        },
    )
    assert_file(submission.build(dockerfile="Dockerfile.own"), "/what", "that\n")
    assert_file(submission.build(dockerfile="Dockerfile.own", args={"WHAT": "ours"}), "/what", "ours\n")
    assert_file(submission.build(dockerfile="Dockerfile.bare"), "/what", "this\n")
    with pytest.raises(CheckFailed, match=r"Dockerfile\.refused:1"):
        submission.build(dockerfile="Dockerfile.refused")
    with pytest.raises(CheckFailed, match=r"Dockerfile\.none is missing"):
        submission.build(dockerfile="Dockerfile.none")
    with pytest.raises(CheckFailed, match="debian"):
        submission.build()


def test_a_fresh_cache_shows_what_is_built_again(hand: Hand) -> None:
    """It is empty at first, and holds what was built with it."""
    submission = hand(
        dockerfile="FROM alpine\nRUN echo a > /a\nRUN echo b > /b\n",
        files={"Dockerfile.more": "FROM alpine\nRUN echo a > /a\nRUN echo c > /b\n"},
    )
    submission.build()
    cache = submission.fresh_cache()
    assert_first_rebuilt(submission.build(cache=cache), step=2)
    assert_first_rebuilt(submission.build(dockerfile="Dockerfile.more", cache=cache), step=3)


def test_a_check_may_add_to_a_command(hand: Hand) -> None:
    """Variables, hosts and a network of its own; and the policy's variables stand for what it says."""
    submission = hand(
        "docker run -e KEY=$SECRET -e MORE=student ex env",
        policy=replace(POLICY, variables={"SECRET": "for-all"}),
    )
    box = submission.run(env={"MORE": "check"}, network="bridge", extra_hosts={"there": "192.0.2.1"})
    assert {"KEY=for-all", "MORE=check"} <= set(box.output.split())
    assert box.inspect()["HostConfig"]["NetworkMode"] == "bridge"
    assert box.inspect()["HostConfig"]["ExtraHosts"] == ["there:192.0.2.1"]


def test_a_check_runs_the_image_that_it_built(hand: Hand) -> None:
    """With arguments that no command of the student's could give."""
    submission = hand("docker run ex cat /what", dockerfile="FROM alpine\nARG WHAT=this\nRUN echo $WHAT > /what\n")
    assert submission.run().output == "this\n"
    assert submission.run(image=submission.build(args={"WHAT": "ours"})).output == "ours\n"
