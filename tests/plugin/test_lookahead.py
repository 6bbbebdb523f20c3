"""Whole runs that look ahead: what is made before it is asked for, and that nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_dockerlab import Lab

# Inner tests wait until so many containers of their run are there and running, or else fail; they note what they got.
HELPERS = """
    import json, time
    from pathlib import Path

    import pytest
    from pytest_dockerlab import container_fixture, image_fixture

    def wait_for(lab, running):
        deadline = time.monotonic() + 120
        while True:
            there = lab.engine.containers.list({"org.dockerlab.run": lab.ownership.run})
            found = {box.id for box in there if box.status == "running"}
            if len(found) >= running:
                return found
            assert time.monotonic() < deadline, there
            time.sleep(0.02)

    # Waited for, it is as good as new for long, however slow the machine.
    SERVER = ["sh", "-c", "echo up; sleep 600"]

    def note(lab, box, name="got"):
        Path("run").write_text(lab.ownership.run)
        with Path(name).open("a") as file:
            file.write(box.id + "\\n")
"""


def left(lab: Lab, folder: Path) -> list[str]:
    """Containers of the inner run that are still there."""
    run = (folder / "run").read_text()
    return [box.name for box in lab.engine.containers.list({"org.dockerlab.run": run})]


def got(folder: Path, name: str = "got") -> list[str]:
    return (folder / name).read_text().split()


def containers(result: pytest.RunResult) -> str:
    """What the summary says of them."""
    (line,) = (line for line in result.outlines if line.startswith("containers  "))
    return line.removeprefix("containers  ")


DECLARED = (
    HELPERS
    + """
    box = container_fixture("alpine", SERVER, wait="up")

    def test_one(lab, box):
        seen = wait_for(lab, 3)
        Path("seen").write_text(json.dumps(sorted(seen)))
        note(lab, box)

    def test_two(lab, box):
        assert box.exec(["true"]).ok
        note(lab, box)

    def test_three(lab, box):
        assert box.exec(["true"]).ok
        note(lab, box)
"""
)


def test_declared_containers_are_there_before_their_test(pytester: pytest.Pytester, engine: Lab) -> None:
    """While the first test runs those of the next ones are made; each is used once; none is left."""
    pytester.makepyfile(DECLARED)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=3)
    used = got(pytester.path)
    assert len(set(used)) == 3
    assert set(used[1:]) < set(json.loads((pytester.path / "seen").read_text()))
    assert "of them ahead" in containers(result)
    assert left(engine, pytester.path) == []


def test_it_can_be_turned_off(pytester: pytest.Pytester, engine: Lab) -> None:
    """Off, a test finds no container but its own, and the one before it has left none."""
    pytester.makepyfile(
        HELPERS
        + """
    box = container_fixture("alpine", ["sleep", "600"])

    @pytest.mark.parametrize("number", range(3))
    def test_it(lab, box, number):
        assert wait_for(lab, 1) == {box.id}
        assert len(lab.engine.containers.list({"org.dockerlab.run": lab.ownership.run})) == 1
    """
    )
    result = pytester.runpytest_subprocess("--dockerlab-lookahead=off")
    result.assert_outcomes(passed=3)
    assert containers(result) == "3 started"


def test_a_way_to_look_ahead_that_there_is_not(pytester: pytest.Pytester) -> None:
    """The error names where it stands, and what may stand there."""
    result = pytester.runpytest_inprocess("--dockerlab-lookahead=far")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --dockerlab-lookahead: not a way to look ahead: 'far'", "*one of off, declared, learned"]
    )


IN_THE_BODY = (
    HELPERS
    + """
    import os
    EXPECTED = int(os.environ.get("EXPECTED", 1))

    def test_one(lab):
        box = lab.run("alpine", ["sleep", "600"], env={"A": "shown"})
        Path("seen").write_text(json.dumps(sorted(wait_for(lab, EXPECTED) - {box.id})))
        note(lab, box)

    def test_two(lab):
        box = lab.run("alpine", SERVER, wait="up")
        note(lab, box)
        assert box.exec(["true"]).ok
"""
)


def test_the_second_run_has_learned_from_the_first(
    pytester: pytest.Pytester, engine: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tests ask for in their bodies is known the next time; not without a cache, nor where it is not wanted."""
    pytester.makepyfile(IN_THE_BODY)
    first = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    first.assert_outcomes(passed=2)
    assert containers(first) == "2 started"
    assert containers(pytester.runpytest_subprocess()) == "2 started"
    assert containers(pytester.runpytest_subprocess("--dockerlab-lookahead=declared")) == "2 started"
    monkeypatch.setenv("EXPECTED", "2")
    (pytester.path / "got").unlink()
    second = pytester.runpytest_subprocess()
    second.assert_outcomes(passed=2)
    assert got(pytester.path)[1] in json.loads((pytester.path / "seen").read_text())
    assert left(engine, pytester.path) == []
    # In another order, and in part: what was foreseen of others is not made, and nothing is different.
    monkeypatch.setenv("EXPECTED", "1")
    part = pytester.runpytest_subprocess("test_the_second_run_has_learned_from_the_first.py::test_two")
    part.assert_outcomes(passed=1)
    assert left(engine, pytester.path) == []


def test_a_test_that_was_changed_is_forgotten(pytester: pytest.Pytester, engine: Lab) -> None:
    """What another text asked for says nothing of this one; a test that only moved is still known."""
    text = HELPERS + "\n    def test_one(lab):\n        assert lab.run('alpine', ['sleep', '60']).exec(['true']).ok\n"
    path = pytester.makepyfile(text)
    cache = pytester.path / ".pytest_cache" / "v" / "dockerlab" / "lookahead"
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    first = json.loads(cache.read_text())
    assert first["specs"][0]["spec"]["command"] == ["sleep", "60"]
    path.write_text("# moved\n\n" + path.read_text())
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    assert json.loads(cache.read_text()) == first
    # It would still ask for the same; but nobody can know that.
    path.write_text(path.read_text().replace("def test_one(lab):", "def test_one(lab):\n    assert lab"))
    assert containers(pytester.runpytest_subprocess()) == "1 started"
    path.write_text(path.read_text().replace("'60'", "'6100'"))
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    assert containers(result) == "1 started"
    changed = json.loads(cache.read_text())
    assert [spec["spec"]["command"] for spec in changed["specs"]] == [["sleep", "6100"]]
    assert changed["tests"].keys() == first["tests"].keys()
    assert changed["tests"] != first["tests"]


def test_a_value_that_the_file_does_not_show_is_not_written_down(
    pytester: pytest.Pytester, engine: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable from the environment may be a secret: its container is not remembered."""
    monkeypatch.setenv("TOKEN", "s3cr3t-value")
    pytester.makepyfile(
        """
        def test_it(lab):
            lab.run("alpine", ["true"], env={"TOKEN": None})
            lab.run("alpine", ["true"], env={"MODE": "plain"})
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    text = (pytester.path / ".pytest_cache" / "v" / "dockerlab" / "lookahead").read_text()
    assert "plain" in text
    assert "s3cr3t-value" not in text


def test_siblings_are_learned_from(pytester: pytest.Pytester, engine: Lab) -> None:
    """What one case of a parametrised test asked for is made for the next; cases that differ are left alone."""
    pytester.makepyfile(
        HELPERS
        + """
    @pytest.mark.parametrize("number", range(3))
    def test_same(lab, number):
        box = lab.run("alpine", SERVER, wait="up")
        if number == 1:
            Path("seen").write_text(json.dumps(sorted(wait_for(lab, 2) - {box.id})))
        note(lab, box)

    @pytest.mark.parametrize("number", range(4))
    def test_other(lab, number):
        box = lab.run("alpine", ["sleep", str(700 + number)])
        assert box.inspect()["Config"]["Cmd"] == ["sleep", str(700 + number)]
        note(lab, box)
    """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=7)
    assert len(set(got(pytester.path))) == 7
    assert got(pytester.path)[2] in json.loads((pytester.path / "seen").read_text())
    assert left(engine, pytester.path) == []


def test_what_was_made_for_nothing_is_gone(pytester: pytest.Pytester, engine: Lab) -> None:
    """A run that ends early leaves nothing of what it had ready."""
    pytester.makepyfile(
        DECLARED.replace(
            "note(lab, box)\n\n    def test_two", "note(lab, box)\n        assert False\n\n    def test_two"
        )
    )
    result = pytester.runpytest_subprocess("-x")
    result.assert_outcomes(failed=1)
    assert len(json.loads((pytester.path / "seen").read_text())) >= 3
    assert left(engine, pytester.path) == []
    result.stdout.no_fnmatch_line("left over*")


def test_only_what_failed_is_run_again(pytester: pytest.Pytester, engine: Lab) -> None:
    """With ``--lf`` the tests that come are others than last time."""
    pytester.makepyfile(
        HELPERS
        + """
    box = container_fixture("alpine", ["sleep", "600"])

    @pytest.mark.parametrize("number", range(4))
    def test_it(lab, box, number):
        other = lab.run("alpine", ["sleep", "601"])
        assert len({box.id, other.id}) == 2
        note(lab, box)
        note(lab, other)
        assert number != 2
    """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=3, failed=1)
    pytester.runpytest_subprocess("--lf").assert_outcomes(failed=1)
    assert len(set(got(pytester.path))) == 10
    assert left(engine, pytester.path) == []


@pytest.mark.parametrize("dist", ["load", "loadfile"])
def test_workers_look_ahead_each_for_itself(pytester: pytest.Pytester, engine: Lab, dist: str) -> None:
    """Whatever the distribution, every test gets its own container, and none is left."""
    body = """
    box = container_fixture("alpine", ["sleep", "600"])

    @pytest.mark.parametrize("number", range(4))
    def test_it(lab, box, number):
        other = lab.run("alpine", ["sleep", "601"])
        assert box.exec(["true"]).ok
        note(lab, box, f"got-{__name__}-{number}")
        note(lab, other, f"got-{__name__}-{number}")
    """
    pytester.makepyfile(test_a=HELPERS + body, test_b=HELPERS + body)
    for _ in range(2):
        for path in pytester.path.glob("got-*"):
            path.unlink()
        result = pytester.runpytest_subprocess("-n2", f"--dist={dist}")
        result.assert_outcomes(passed=8)
        used = [box for path in pytester.path.glob("got-*") for box in got(pytester.path, path.name)]
        assert (len(used), len(set(used))) == (16, 16)
        assert left(engine, pytester.path) == []
    learned = json.loads((pytester.path / ".pytest_cache" / "v" / "dockerlab" / "lookahead").read_text())
    assert len(learned["tests"]) == 8


def test_what_lives_longer_is_made_ahead_once(pytester: pytest.Pytester, engine: Lab) -> None:
    """A module's container is ready when its first test comes, and is not made again for the others."""
    pytester.makepyfile(
        HELPERS
        + """
    box = container_fixture("alpine", ["sh", "-c", "echo up; sleep 600"], scope="module", wait="up")

    def test_without(lab):
        Path("seen").write_text(json.dumps(sorted(wait_for(lab, 1))))

    @pytest.mark.parametrize("number", range(3))
    def test_with(lab, box, number):
        assert wait_for(lab, 1) == {box.id}
        note(lab, box)
    """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=4)
    assert containers(result) == "1 started, 1 of them ahead"
    assert set(got(pytester.path)) == set(json.loads((pytester.path / "seen").read_text()))
    assert left(engine, pytester.path) == []


def test_containers_of_declared_images(pytester: pytest.Pytester, engine: Lab) -> None:
    """They are made ahead as soon as the image is there, and gone before it is."""
    pytester.makepyfile(
        HELPERS
        + """
    image = image_fixture("FROM alpine\\nENV MADE=ahead\\n", scope="module")
    box = container_fixture(image, ["sleep", "600"])

    def test_one(lab, box):
        wait_for(lab, 2)
        note(lab, box)

    @pytest.mark.parametrize("number", range(2))
    def test_more(lab, box, number):
        assert box.exec(["sh", "-c", "echo $MADE"]).output == "ahead\\n"
        note(lab, box)
    """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=3)
    assert len(set(got(pytester.path))) == 3
    assert left(engine, pytester.path) == []
    run = (pytester.path / "run").read_text()
    assert engine.engine.images.list({"org.dockerlab.run": run}) == ()
    result.stdout.no_fnmatch_line("left over*")


def test_what_may_not_be_ahead_is_not(pytester: pytest.Pytester, engine: Lab) -> None:
    """``ahead=False``, a fixture of the same name nearer by, a parameter in its place, a test that is skipped."""
    pytester.makeconftest(
        """
        from pytest_dockerlab import container_fixture
        near = container_fixture("alpine", ["sleep", "600"])
        """
    )
    pytester.makepyfile(
        HELPERS
        + """
    late = container_fixture("alpine", ["sleep", "600"], ahead=False)
    skipped = container_fixture("alpine", ["sleep", "600"])

    @pytest.fixture
    def near():
        return "nothing"

    @pytest.mark.parametrize("number", range(2))
    def test_late(lab, late, number):
        assert wait_for(lab, 1) == {late.id}
        lab.close()

    def test_near(lab, near):
        assert near == "nothing"

    @pytest.mark.skip
    def test_skipped(skipped): pass
    """
    )
    result = pytester.runpytest_subprocess("--dockerlab-lookahead=declared")
    result.assert_outcomes(passed=3, skipped=1)
    assert containers(result) == "2 started"


def test_a_declaration_that_can_not_be_meant_fails_its_own_test(pytester: pytest.Pytester, engine: Lab) -> None:
    """Looking ahead says nothing of it; the others run."""
    pytester.makepyfile(
        """
        from pytest_dockerlab import container_fixture
        wrong = container_fixture("alpine", memory="much")
        gone = container_fixture("alpine", ["no-such-program"])
        def test_fine(lab): assert lab.run("alpine", ["true"]).exit_code == 0
        def test_wrong(wrong): pass
        def test_gone(gone): pass
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(["E *memory: *'much'*", "E *no-such-program*"])


def test_what_fails_in_the_background_is_told(pytester: pytest.Pytester, engine: Lab) -> None:
    """A container that can't be removed after its test is no silent success."""
    pytester.makepyfile(
        """
        def test_it(lab):
            box = lab.run("alpine", ["true"])
            def stuck(*args, **kwargs):
                raise OSError("in the way")
            lab._containers._remove = stuck
            box.remove()
            lab._containers._own(box.testcontainer, box.image, "alpine", 60, later=True)
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(["left over   container * of alpine: OSError: in the way"])


def test_a_lab_that_is_closed_by_hand_has_left_nothing(pytester: pytest.Pytester, engine: Lab) -> None:
    """``lab.close()`` returns when all of it is gone, for tests that want to see that."""
    pytester.makepyfile(
        """
        def test_it(lab):
            boxes = [lab.run("alpine", ["sleep", "600"]) for _ in range(3)]
            lab.close()
            there = {box.id for box in lab.engine.containers.list({"org.dockerlab.run": lab.ownership.run})}
            assert there.isdisjoint(box.id for box in boxes)
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
