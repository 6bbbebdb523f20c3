"""Whole runs that build declared images ahead: that it happens, and that no test can tell by what its steps say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.plugin.recipes import Recipes

# The inner tests look by an engine of their own: what a lab's engine is used for nobody can know.
HELPERS = """
    import os, time
    from pathlib import Path

    import pytest
    from pytest_dockerlab import container_fixture, image_fixture
    from pytest_dockerlab.engine.endpoint import Endpoint
    from pytest_dockerlab.engine.engine import Engine

    N = os.urandom(8).hex()

    def there(mark):
        with Engine(Endpoint(url=os.environ["DOCKERLAB_ENGINE"], name="e", source="e")) as engine:
            return {tag for image in engine.images.list({"mark": mark + N}) for tag in image.tags}

    def wait_for(mark, count=1):
        deadline = time.monotonic() + 120
        while len(there(mark)) < count:
            assert time.monotonic() < deadline, mark
            time.sleep(0.05)

    def note(built):
        with Path("notes").open("a") as file:
            file.write(f"{[step.cached for step in built.steps[1:]]} {built.context_files}\\n")
"""


def notes(folder: Path) -> list[str]:
    """What the inner tests saw, taken away."""
    text = (folder / "notes").read_text()
    (folder / "notes").unlink()
    return text.splitlines()


def builds(result: pytest.RunResult) -> str:
    """What the summary says of them, but for the time."""
    (line,) = (line for line in result.outlines if line.startswith("builds  "))
    return line.partition("; ")[2]


def left(lab: Lab, mark: str) -> Sequence[object]:
    return lab.engine.images.list({"mark": mark})


SHARED = (
    HELPERS
    + """
    TEXT = f"FROM alpine\\nRUN echo {N}\\n"
    first = image_fixture(TEXT + "RUN echo first\\n", labels={"mark": "first" + N})
    two = image_fixture(TEXT + "RUN echo two\\n", labels={"mark": "two" + N}, scope="module")
    again = image_fixture(TEXT, labels={"mark": "again" + N}, scope="function")
    late = image_fixture(TEXT + "RUN echo late\\n", labels={"mark": "late" + N}, ahead=False)
    box = container_fixture(two, ["true"])

    def test_in_the_body(lab):
        Path("nonce").write_text(N)
        note(lab.build(TEXT))
        time.sleep(0.2)
        assert there("first") == set()

    def test_nothing():
        if "AHEAD" in os.environ:
            wait_for("two")

    def test_first(first):
        note(first)

    def test_two(lab, box, two):
        assert lab.run(two, ["true"], check=True)
        note(two)

    @pytest.mark.parametrize("number", range(2))
    def test_again(again, number):
        note(again)
        time.sleep(0.1 * number)
        assert there("late") == set()

    def test_late(late):
        note(late)

    def test_in_the_body_again(lab, two):
        note(lab.build(TEXT + "RUN echo two\\nRUN echo three\\n"))
"""
)
SEEN = ["[False] 1", *["[True, False] 1"] * 2, *["[True] 1"] * 2, "[True, False] 1", "[True, True, False] 1"]


def test_steps_say_the_same_whether_built_ahead_or_in_time(
    pytester: pytest.Pytester, engine: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images that begin alike keep their order; nothing is built before a test that builds the same; none is left."""
    pytester.makepyfile(SHARED)
    plain = pytester.runpytest_subprocess("--dockerlab-lookahead=off")
    plain.assert_outcomes(passed=8)
    assert notes(pytester.path) == SEEN
    monkeypatch.setenv("AHEAD", "1")
    ahead = pytester.runpytest_subprocess("--dockerlab-lookahead=declared")
    ahead.assert_outcomes(passed=8)
    assert notes(pytester.path) == SEEN
    assert builds(ahead) == f"{builds(plain)}; 4 of them ahead"
    nonce = (pytester.path / "nonce").read_text()
    assert [left(engine, mark + nonce) for mark in ("first", "two", "again", "late")] == [()] * 4


def test_what_was_changed_since_is_built_again(pytester: pytest.Pytester, engine: Lab) -> None:
    """A test gets an image of the files as they are when it asks; the one of what they were is gone."""
    pytester.makepyfile(
        HELPERS
        + """
    folder = Path(__file__).parent / "context"
    folder.mkdir()
    (folder / "data").write_text("before")
    (folder / "Dockerfile").write_text(f"FROM alpine\\nCOPY data /data\\nRUN echo {N}; cat /data\\n")
    image = image_fixture(folder, labels={"mark": "image" + N})

    def test_changes():
        wait_for("image")
        (folder / "data").write_text("after!")  # as long as before

    def test_uses(image):
        assert "after!" in image.step(3).log
        Path("names").write_text(image.name)

    def test_is_one():
        deadline = time.monotonic() + 240
        while there("image") != {Path("names").read_text()}:
            assert time.monotonic() < deadline, there("image")
            time.sleep(0.05)
    """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=3)
    assert "ahead" not in builds(result)


def test_a_failure_is_its_tests_and_long_builds_hold_nobody_up(pytester: pytest.Pytester, engine: Lab) -> None:
    """Who asks for an image that can't be built gets the error; a run that ends early ends, and leaves none."""
    nonce = os.urandom(8).hex()
    pytester.makepyfile(
        HELPERS
        + f"""
    wrong = image_fixture("FROM alpine\\nRUN exit 3\\n")
    long = image_fixture("FROM alpine\\nRUN echo {nonce}; sleep 500\\n", labels={{"mark": "{nonce}"}})
    fine = image_fixture("FROM alpine\\nRUN echo {nonce} fine\\n", labels={{"mark": "{nonce}"}})

    def test_wrong(wrong): pass
    def test_fine(fine): assert not fine.step(2).cached; time.sleep(0.5); assert False
    def test_long(long): pass
    """
    )
    result = pytester.runpytest_subprocess("--maxfail=2", timeout=300)
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_wrong*", "E *exit code 3*"])
    result.stdout.no_fnmatch_line("left over*")
    assert left(engine, nonce) == ()


def test_workers_build_ahead_each_for_itself(pytester: pytest.Pytester, engine: Lab) -> None:
    """Each content's steps run once, whoever builds it; images of the run are left to who comes first."""
    body = """
    text = "FROM alpine\\nRUN echo NONCE {}\\n"
    images = [image_fixture(text.format(number), scope=scope) for number, scope in enumerate(("session", "run"))]
    first, second = images

    def test_before(): pass
    @pytest.mark.parametrize("number", range(2))
    def test_one(first, number): assert first.steps
    @pytest.mark.parametrize("number", range(2))
    def test_two(second, number): assert not second.step(2).cached
    """.replace("NONCE", os.urandom(8).hex())
    pytester.makepyfile(test_a=HELPERS + body, test_b=HELPERS + body)
    result = pytester.runpytest_subprocess("-n2", "--dist=loadfile")
    result.assert_outcomes(passed=10)
    assert builds(result).startswith("steps: 2 run, 1 reused")


DECLARED = """
    import pytest
    from pytest_dockerlab import container_fixture, image_fixture
    image = image_fixture("FROM alpine\\nRUN true\\n")
    box = container_fixture(image)

    @pytest.fixture
    def own(lab): return lab.build("FROM alpine\\nRUN true\\n")
    @pytest.fixture(name="called")
    def otherwise(lab_session): return lab_session
    @pytest.fixture
    def asks(request): return request.getfixturevalue("lab")
    @pytest.fixture
    def plain(tmp_path): return tmp_path
    @pytest.fixture(scope="module")
    def boxes(lab_module): yield lab_module.run("alpine")
    @pytest.fixture
    def lent(lab): return {"lab": lab}
"""
BUILDS_NOTHING = [
    "def test(): pass",
    "def test(plain, tmp_path): pass",
    "def test(image, plain, boxes): pass",
    "def test(image, box, tmp_path): assert box.ok",
    "def test(lab, image): assert lab.run(image, ['true']).ok; lab.network()",
    "@pytest.mark.parametrize('a, b', [(1, 2)])\ndef test(lab, a, b): lab.run('alpine')",
    "@pytest.mark.usefixtures('image')\ndef test(monkeypatch): pass",
]
MAY_BUILD = [
    "def test(lab): lab.build('FROM alpine\\nRUN true')",
    "def test(lab_module): assert helper(lab_module)",
    "def test(lab):\n    other = lab\n    other.build('ex1')",
    "def test(lab): getattr(lab, 'build')('ex1')",
    "def test(lab): lab.engine.build(spec)",
    "def test(lab):\n    with lab.fresh_cache(): pass",
    "def test(lab): (lambda: lab.build('ex1'))()",
    "def test(own): pass",
    "def test(called): pass",
    "def test(asks): pass",
    "def test(image, lent): pass",
    "def test(request): request.getfixturevalue('lab').build('ex1')",
    "@pytest.mark.parametrize('own', [1], indirect=True)\ndef test(own): pass",
    "@pytest.fixture\ndef box(lab): return lab.build('ex1')\ndef test(box): pass",
    "@pytest.fixture(autouse=True)\ndef auto(lab): lab.build('ex1')\ndef test(image): pass",
]


@pytest.mark.parametrize("body", [*BUILDS_NOTHING, *MAY_BUILD])
def test_who_may_build(pytester: pytest.Pytester, body: str) -> None:
    """Not a test that has no lab, or that does with it only what builds nothing, as its fixtures do; any other may."""
    text = "\n".join(line.removeprefix("    ") for line in DECLARED.splitlines())
    (item,) = pytester.getitems(f"{text}\n{body}\n")
    assert Recipes(item.config).may_build(item) == (body in MAY_BUILD)
