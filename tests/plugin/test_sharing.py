"""What the workers of a run share: made once, whoever of them dies, and gone when the run ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from pytest_dockerlab import BuildFailed, Lab, UsageError
from pytest_dockerlab.plugin.seat import Folder, Seat
from pytest_dockerlab.plugin.sharing import Sharing

# Long enough for any machine; nobody waits for it but a test that fails.
PATIENCE = 120


@pytest.fixture
def folder() -> Iterator[Folder]:
    folder = Folder(Seat.new().run)
    yield folder
    folder.remove()


def ask(sharing: Sharing, key: str, made: list[str], name: str, usable: bool = True) -> str:
    """The thing of this key, made by ``name`` if nobody has it."""

    def make() -> str:
        made.append(name)
        return f"made by {name}"

    return sharing.once(
        key, make, name=lambda thing: thing, take=lambda id: f"{id}, taken by {name}" if usable else None
    )


def test_a_shared_thing_is_made_once(folder: Folder) -> None:
    """The second worker takes over what the first has made; another key, or engine, has another thing."""
    made: list[str] = []
    first, second, elsewhere = Sharing(folder, 0, "gw0"), Sharing(folder, 0, "gw2"), Sharing(folder, 1, "gw1")
    assert ask(first, "box", made, "gw0") == "made by gw0"
    assert ask(second, "box", made, "gw2") == "made by gw0, taken by gw2"
    assert ask(second, "other", made, "gw2") == "made by gw2"
    assert ask(elsewhere, "box", made, "gw1") == "made by gw1"
    assert made == ["gw0", "gw2", "gw1"]


def test_what_can_not_be_used_any_more_is_made_anew(folder: Folder) -> None:
    """Whoever finds it so makes the one that the next ones take."""
    made: list[str] = []
    ask(Sharing(folder, 0, "gw0"), "box", made, "gw0")
    assert ask(Sharing(folder, 0, "gw1"), "box", made, "gw1", usable=False) == "made by gw1"
    assert ask(Sharing(folder, 0, "gw2"), "box", made, "gw2") == "made by gw1, taken by gw2"


def test_a_failure_is_not_shared(folder: Folder) -> None:
    """The next one that asks tries anew."""
    made: list[str] = []

    def fail() -> str:
        raise UsageError("no")

    with pytest.raises(UsageError, match="no"):
        Sharing(folder, 0, "gw0").once("box", fail, name=str, take=str)
    assert ask(Sharing(folder, 0, "gw1"), "box", made, "gw1") == "made by gw1"


def test_a_maker_that_dies_leaves_the_making_to_the_next(folder: Folder) -> None:
    """What holds the others up is gone with it, and nothing is recorded."""
    folder.make()
    code = f"""if True:
        import time
        from pytest_dockerlab.plugin.seat import Folder
        from pytest_dockerlab.plugin.sharing import Sharing
        def make():
            print("making", flush=True)
            time.sleep(600)
        Sharing(Folder({folder.path.name!r}), 0, "gw0").once("box", make, str, str)
    """
    made: list[str] = []
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as maker:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "making\n"
        waiting = threading.Thread(target=ask, args=(Sharing(folder, 0, "gw1"), "box", made, "gw1"))
        waiting.start()
        waiting.join(0.3)
        assert made == []
        maker.kill()
        waiting.join(PATIENCE)
    assert made == ["gw1"]


def test_who_comes_late_does_not_find_what_is_about_to_go(folder: Folder) -> None:
    """A worker in place of a crashed one makes its own when those that were done have let go of theirs."""
    made: list[str] = []
    early = Sharing(folder, 0, "gw0")
    early.join()
    ask(early, "box", made, "gw0")
    early.leave()
    late = Sharing(folder, 0, "gw2")
    late.join()
    assert ask(late, "box", made, "gw2") == "made by gw2"
    late.leave()


def test_workers_of_other_engines_are_not_waited_for(folder: Folder) -> None:
    """They use nothing of what is removed."""
    here, there = Sharing(folder, 0, "gw0"), Sharing(folder, 1, "gw1")
    there.join()
    here.join()
    here.leave()
    there.leave()


def test_one_content_waits_and_others_do_not(folder: Folder) -> None:
    """Another content, or one on another engine, is built meanwhile."""
    first, second, elsewhere = Sharing(folder, 0, "gw0"), Sharing(folder, 0, "gw1"), Sharing(folder, 1, "gw2")
    with first.turn("same"), second.turn("other"), elsewhere.turn("same"):
        pass
    assert waits(first, second)


def test_after_a_failure_nobody_waits(folder: Folder) -> None:
    """There is no cache to wait for, and each finds out for itself; until one has filled it."""
    first, second = Sharing(folder, 0, "gw0"), Sharing(folder, 0, "gw1")
    with pytest.raises(BuildFailed), first.turn("same"):
        raise BuildFailed("no", exit_code=1)
    with first.turn("same"), second.turn("same"):
        pass
    assert waits(first, second)


def test_a_build_whose_commands_did_not_fail_is_waited_for(folder: Folder) -> None:
    """The run ended, Ctrl-C was pressed, the engine went away or lost an image: the next one fills the cache."""
    first, second = Sharing(folder, 0, "gw0"), Sharing(folder, 0, "gw1")
    for end in (UsageError("the run has ended"), KeyboardInterrupt(), BuildFailed("unable to find image")):
        with pytest.raises(type(end)), first.turn("same"):
            raise end
    assert waits(first, second)


def waits(first: Sharing, second: Sharing) -> bool:
    """Whether the second gets its turn only when the first has had it."""
    entered = threading.Event()

    def enter() -> None:
        with second.turn("same"):
            entered.set()

    waiting = threading.Thread(target=enter)
    with first.turn("same"):
        waiting.start()
        early = entered.wait(0.3)
    waiting.join(PATIENCE)
    assert entered.is_set()
    return not early


# Whole runs ---------------------------------------------------------------------------------------------------------

# Inner tests write down what they saw, and wait for one another.
TOGETHER = """
    import os, signal, time
    from pathlib import Path
    import pytest

    def note(name, text="x"):
        Path(f"draft-{name}").write_text(str(text))
        Path(f"draft-{name}").rename(name)

    def until(pattern, count=1):
        deadline = time.monotonic() + 240
        while len(list(Path().glob(pattern))) < count:
            assert time.monotonic() < deadline, f"{pattern} did not come"
            time.sleep(0.02)
"""


def seen(pytester: pytest.Pytester, pattern: str) -> list[str]:
    return sorted(path.read_text() for path in pytester.path.glob(pattern))


def left(lab: Lab, run: str) -> list[str]:
    """What carries the label of a run on the engine."""
    engine, labels = lab.engine, {"org.dockerlab.run": run}
    return [
        *(box.name for box in engine.containers.list(labels)),
        *(network.name for network in engine.networks.list(labels)),
        *(volume.name for volume in engine.volumes.list(labels)),
        *(image.id for image in engine.images.list(labels)),
    ]


def only(values: list[str]) -> str:
    assert len(set(values)) == 1, values
    return values[0]


@pytest.mark.parametrize("builder", ["best", "classic"])
def test_one_content_is_built_once_by_four_workers(pytester: pytest.Pytester, engine: Lab, builder: str) -> None:
    """Of builds of the same at the same time one runs the steps, each worker's own files and all; the rest reuse them.

    What a step wrote is different each time that it runs: it is there once.
    """
    if builder == "classic" and not engine.engine.capabilities.has("classic_builder"):
        pytest.skip(engine.engine.capabilities.reason("classic_builder"))
    asked = "None" if builder == "best" else "'classic'"
    pytester.makepyfile(
        TOGETHER
        + f"""
    @pytest.mark.parametrize("number", range(4))
    def test_it(lab, number, tmp_path):
        # As a test would make it: the same content at another time.
        (tmp_path / "Dockerfile").write_text("FROM alpine\\nCOPY data /data\\nRUN head -c 16 /dev/urandom > /drawn\\n")
        (tmp_path / "data").write_text({os.urandom(8).hex()!r})
        os.utime(tmp_path / "data", (number, number))
        note(f"here-{{number}}")
        until("here-*", 4)
        built = lab.build(tmp_path, builder={asked})
        note(f"base-{{number}}", built.base.id)
        note(f"steps-{{number}}", [step.cached for step in built.steps[1:]])
        note(f"layers-{{number}}", built.image.layers)
        # The classic builder's cache is the images that are there.
        until("layers-*", 4)
    """
    )
    pytester.runpytest_subprocess("-n4", timeout=300).assert_outcomes(passed=4)
    only(seen(pytester, "base-*"))  # of another base it would be another content
    assert seen(pytester, "steps-*") == ["[False, False]", *["[True, True]"] * 3]
    only(seen(pytester, "layers-*"))


def test_different_contents_are_built_at_the_same_time(pytester: pytest.Pytester, engine: Lab) -> None:
    """Two builds that wait for each other end, so neither waited for its turn."""
    pytester.makepyfile(
        TOGETHER
        + """
    @pytest.mark.parametrize("number", range(2))
    def test_it(lab, number, download):
        lab.build(f"FROM alpine\\nRUN wget -q -O- http://{download}/{number}\\n", network="host")
    """
    )
    pytester.makeconftest(
        """
        import pytest
        @pytest.fixture
        def download():
            from pathlib import Path
            return Path("address").read_text()
        """
    )
    barrier = threading.Barrier(2, timeout=120)
    with Serving(barrier) as address:
        (pytester.path / "address").write_text(address)
        pytester.runpytest_subprocess("-n2", timeout=300).assert_outcomes(passed=2)
    assert not barrier.broken


class Serving:
    """Answers when as many have asked as the barrier has parties."""

    def __init__(self, barrier: threading.Barrier) -> None:
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    barrier.wait()
                    self.send_response(200)
                except threading.BrokenBarrierError:
                    self.send_response(500)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{self._server.server_port}"

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_an_image_of_the_run_is_asked_for_once(pytester: pytest.Pytester, engine: Lab) -> None:
    """The others take over the image with the record of how it was built, and can look at its files.

    Who only watches them loads no docker-py, at the end neither.
    """
    pytester.makeconftest(
        """
        import sys
        def pytest_unconfigure(config):
            if not hasattr(config, "workerinput"):
                with open("loaded", "w") as file:
                    file.write(str("docker" in sys.modules))
        """
    )
    pytester.makepyfile(
        TOGETHER
        + f"""
    from pytest_dockerlab import assert_file, assert_layers_added, image_fixture

    TEXT = "FROM alpine\\nRUN head -c 16 /dev/urandom > /drawn; echo {os.urandom(8).hex()}\\n"
    image = image_fixture(TEXT, scope="run")

    @pytest.mark.parametrize("number", range(2))
    def test_it(image, lab, number):
        note(f"name-{{number}}", image.name)
        note(f"steps-{{number}}", [step.cached for step in image.steps[1:]])
        until("name-*", 2)
        assert_file(image, "/drawn")
        assert_layers_added(image, over=image.base, count=1)
        assert image.base.files is not None
        lab.run(image, ["cat", "/drawn"], check=True)
    """
    )
    result = pytester.runpytest_subprocess("-n2", timeout=300)
    result.assert_outcomes(passed=2)
    only(seen(pytester, "name-*"))
    assert only(seen(pytester, "steps-*")) == "[False]"
    result.stdout.fnmatch_lines(["builds      1 in *"])
    assert (pytester.path / "loaded").read_text() == "False"


def test_a_build_that_fails_is_tried_by_each(pytester: pytest.Pytester, engine: Lab) -> None:
    """Nobody is told of a failure that he did not see."""
    pytester.makepyfile(
        TOGETHER
        + """
    from pytest_dockerlab import BuildFailed, image_fixture

    image = image_fixture("FROM alpine\\nRUN exit 3\\n", scope="run")

    @pytest.mark.parametrize("number", range(2))
    def test_it(request, number):
        note(f"here-{number}")
        until("here-*", 2)
        with pytest.raises(BuildFailed) as caught:
            request.getfixturevalue("image")
        assert caught.value.trace.failed_step.exit_code == 3
    """
    )
    result = pytester.runpytest_subprocess("-n2", timeout=300)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["builds      2 in *; 2 failed"])


def test_the_runs_container_is_one_for_the_same_settings(pytester: pytest.Pytester, engine: Lab) -> None:
    """In a test's body and in a fixture, in one worker and in the other; other settings are another container."""
    pytester.makepyfile(
        TOGETHER
        + """
    @pytest.fixture(scope="session")
    def box(lab_run):
        return lab_run.run("alpine", ["sleep", "600"], env={"A": "1", "B": "2"}, labels={"a": "b"})

    @pytest.mark.parametrize("number", range(2))
    def test_it(box, lab_run, number):
        note(f"box-{number}", box.id)
        until("box-*", 2)
        assert lab_run.run("alpine", "sleep 600", env={"B": "2", "A": "1"}, labels={"a": "b"}).id == box.id
        assert lab_run.run("alpine", ["sleep", "600"]).id != box.id
        assert box.exec(["echo", "hello"]).output == "hello\\n"
        # What has done its work is there to be looked at.
        done = lab_run.run("alpine", ["head", "-c16", "/proc/sys/kernel/random/uuid"], check=True)
        note(f"done-{number}", done.output)
        note(f"run-{number}", lab_run.ownership.run)
    """
    )
    result = pytester.runpytest_subprocess("-n2", timeout=300)
    result.assert_outcomes(passed=2)
    only(seen(pytester, "box-*"))
    only(seen(pytester, "done-*"))
    result.stdout.fnmatch_lines(["containers  3 started"])
    assert left(engine, only(seen(pytester, "run-*"))) == []


def test_alone_the_runs_container_is_one_too(pytester: pytest.Pytester, engine: Lab) -> None:
    """A test finds the same with and without workers; one that was removed, or was killed, is made anew."""
    pytester.makepyfile(
        """
        def test_it(lab_run):
            box = lab_run.run("alpine", ["sleep", "600"])
            assert lab_run.run("alpine", ["sleep", "600"]).id == box.id
            box.remove()
            second = lab_run.run("alpine", ["sleep", "600"])
            assert second.id != box.id
            lab_run.engine.containers.kill(second.id)
            second.wait()
            third = lab_run.run("alpine", ["sleep", "600"])
            assert third.id != second.id
            assert third.state.running
            # What it said stays to be looked at.
            assert second.state.exit_code == 137
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["dockerlab: the run's container * is exited (137): it is made anew"])


DEATHS = {"killed": "os.kill(os.getpid(), signal.SIGKILL)", "exits": "os._exit(1)"}


@pytest.mark.parametrize("death", DEATHS)
def test_the_runs_container_survives_its_maker(pytester: pytest.Pytester, engine: Lab, death: str) -> None:
    """Its worker dies, one is put in its place, and all go on using what was made; at the end it is gone."""
    pytester.makepyfile(
        TOGETHER
        + f"""
    from pytest_dockerlab import container_fixture, image_fixture

    image = image_fixture("FROM alpine\\nRUN echo {death} > /shared\\n", scope="run")
    box = container_fixture(image, ["sleep", "600"], scope="run", name="dockerlab-test-{os.urandom(4).hex()}")

    def test_dies(box, lab_run):
        note("run-0", lab_run.ownership.run)
        note("made-0", box.id)
        until("seen-*")
        {DEATHS[death]}

    def test_uses(request):
        until("made-0")
        box = request.getfixturevalue("box")
        note("seen-1", box.id)
        until("late-2")
        assert box.exec(["cat", "/shared"]).output == "{death}\\n"

    @pytest.mark.parametrize("number", range(4))
    def test_comes_after(box, number):
        assert box.exec(["cat", "/shared"]).output == "{death}\\n"
        note(f"seen-{{2 + number}}", box.id)
        note("late-2")
    """
    )
    result = pytester.runpytest_subprocess("-n2", "--dist=load", "--maxschedchunk=1", timeout=300)
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["*replacing crashed worker*"])
    only([*seen(pytester, "seen-*"), *seen(pytester, "made-*")])
    assert left(engine, only(seen(pytester, "run-*"))) == []


def test_a_maker_that_dies_over_it_is_replaced(pytester: pytest.Pytester, engine: Lab) -> None:
    """The container that it had started, and whose name stands in the way, goes; the next one makes its own."""
    pytester.makeconftest(
        f"""
        from pytest_dockerlab import container_fixture
        box = container_fixture("alpine", ["sleep", "600"], scope="run", name="dockerlab-test-{os.urandom(4).hex()}")
        """
    )
    pytester.makepyfile(
        TOGETHER
        + """
    from pytest_dockerlab.lab.containers import ContainerMaker

    def test_dies(request, lab_run, monkeypatch):
        note("run-0", lab_run.ownership.run)
        start = ContainerMaker.run
        def die(*args, **kwargs):
            start(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)
        monkeypatch.setattr(ContainerMaker, "run", die)
        note("dying")
        request.getfixturevalue("box")

    def test_uses(request):
        until("dying")
        box = request.getfixturevalue("box")
        assert box.exec(["echo", "hello"]).output == "hello\\n"
    """
    )
    result = pytester.runpytest_subprocess("-n2", "--dist=load", timeout=300)
    result.assert_outcomes(passed=1, failed=1)
    assert left(engine, only(seen(pytester, "run-*"))) == []


def test_a_failure_shows_the_shared_containers_log(pytester: pytest.Pytester, engine: Lab) -> None:
    """A failing test has the evidence, though another worker made the container."""
    pytester.makepyfile(
        TOGETHER
        + """
    from pytest_dockerlab import container_fixture
    box = container_fixture("alpine", ["sh", "-c", "echo I am the one; exec sleep 600"], scope="run")

    @pytest.mark.parametrize("number", range(2))
    def test_it(box, number):
        note(f"box-{number}")
        until("box-*", 2)
        assert box.exec(["false"]).exit_code == 0
    """
    )
    result = pytester.runpytest_subprocess("-n2", timeout=300)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*dockerlab: container * of alpine*", "running; last lines of its log:", "  I am the one"] * 2
    )
