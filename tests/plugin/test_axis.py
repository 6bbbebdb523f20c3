"""The platform as an axis: which tests it multiplies, what their ids say, and what becomes of each platform."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.engine import emulation
from pytest_dockerlab.errors import InstallFailed
from pytest_dockerlab.platforms import Platform, same
from pytest_dockerlab.settings import read_settings

BOTH = "linux/amd64,linux/arm64"
SUITE = """
    import pytest
    from pytest_dockerlab import container_fixture

    box = container_fixture("alpine", ["sleep", "60"])

    def test_directly(lab): pass
    def test_by_a_fixture(box): pass
    @pytest.mark.parametrize("n", [1, 2])
    def test_twice(lab_session, n): pass
    def test_none(): pass
    @pytest.mark.platforms("linux/arm64", "riscv64")
    def test_marked(lab): pass
    class TestIt:
        pytestmark = pytest.mark.platforms("arm/v7")
        def test_in_a_class(self, lab): pass
"""


def collected(pytester: pytest.Pytester, *options: str) -> list[str]:
    result = pytester.runpytest_subprocess("--collect-only", "-q", *options)
    return sorted(line.partition("::")[2] for line in result.outlines if "::" in line)


def test_one_platform_changes_no_id(pytester: pytest.Pytester) -> None:
    """Be it the engine's own or one that was asked for; a test whose mark names platforms shows its own."""
    pytester.makepyfile(SUITE)
    plain = collected(pytester)
    assert plain == [
        "TestIt::test_in_a_class[linux/arm/v7]",
        "test_by_a_fixture",
        "test_directly",
        "test_marked[linux/arm64]",
        "test_marked[linux/riscv64]",
        "test_none",
        "test_twice[1]",
        "test_twice[2]",
    ]
    one = collected(pytester, "--dockerlab-platform=aarch64")
    assert one == [name for name in plain if "riscv64" not in name]


def test_several_platforms_multiply_what_uses_a_lab(pytester: pytest.Pytester) -> None:
    """Directly or by fixtures, beside other parameters; what uses none stays one test. A mark narrows."""
    pytester.makepyfile(SUITE)
    found = collected(pytester, f"--dockerlab-platform={BOTH}")
    assert {name for name in found if name.startswith("test_twice")} == {
        f"test_twice[{platform}-{n}]" for platform in BOTH.split(",") for n in (1, 2)
    }
    assert "test_by_a_fixture[linux/arm64]" in found
    assert "test_none" in found
    assert [name for name in found if name.startswith("test_marked")] == ["test_marked[linux/arm64]"]
    assert collected(pytester, f"--dockerlab-platform={BOTH}", "-k", "directly and arm64") == [
        "test_directly[linux/arm64]"
    ]


def test_the_setting_comes_from_three_places(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ini, environment and option; a slip ends the run and names its source."""
    pytester.makepyfile("def test(lab): pass")
    pytester.makeini(f"[pytest]\ndockerlab_platform = {BOTH}\n")
    assert len(collected(pytester)) == 2
    monkeypatch.setenv("DOCKERLAB_PLATFORM", "linux/arm64")
    assert len(collected(pytester)) == 1
    result = pytester.runpytest_subprocess("--dockerlab-platform", "linux/amd64,a/b/c/d")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--dockerlab-platform: not a platform: 'a/b/c/d'*"])
    assert read_settings({"platform": "arm64, linux/aarch64"}, environ={}).platforms == (Platform("linux", "arm64"),)


def test_a_mark_that_names_nothing_is_refused(pytester: pytest.Pytester) -> None:
    """With the test and what to write."""
    pytester.makepyfile("import pytest\n@pytest.mark.platforms()\ndef test(lab): pass")
    result = pytester.runpytest_subprocess("--collect-only")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*::test: @pytest.mark.platforms: it names none*"])


def test_a_marked_test_is_skipped_where_others_are_asked_for(pytester: pytest.Pytester, engine: Lab) -> None:
    """It is not left out in silence; where nothing is asked for, an unavailable platform is a skip, in CI too."""
    pytester.makepyfile("import pytest\n@pytest.mark.platforms('linux/s390x')\ndef test(lab): pass")
    result = pytester.runpytest_subprocess("-rs", f"--dockerlab-platform={engine.engine.info.platform}")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*made for linux/s390x, and --dockerlab-platform asks for others"])


@pytest.fixture
def unknown(engine: Lab) -> str:
    """A platform that nobody has an emulator for, and that we have no program to try with."""
    return "linux/vax"


def test_an_unavailable_platform_is_a_skip_with_its_remedy(pytester: pytest.Pytester, unknown: str) -> None:
    """What is missing, and the command that mends it; the engine's own platform goes on."""
    own = Platform.of_host()
    pytester.makepyfile("def test(lab): pass")
    result = pytester.runpytest_subprocess("-rs", f"--dockerlab-platform={own},{unknown}")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            f"dockerlab: {unknown} unavailable: *",
            f"platforms   {unknown} unavailable: *",
            f"SKIPPED * {unknown} is unavailable: * → *dockerlab up --install --platform {unknown}*",
        ]
    )


def test_in_ci_it_is_a_failure(pytester: pytest.Pytester, unknown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the option asked for it. Of a test whose own mark did, it stays a skip."""
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(f"import pytest\n@pytest.mark.platforms('{unknown}')\ndef test_marked(lab): pass")
    pytester.runpytest_subprocess().assert_outcomes(skipped=1)
    pytester.makepyfile("def test(lab): pass")
    result = pytester.runpytest_subprocess(f"--dockerlab-platform={unknown}")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{unknown} is unavailable: *(--dockerlab-platform asks for it, CI for all)*"])


# Emulated --------------------------------------------------------------------------------------------------------


@pytest.fixture
def arm64(engine: Lab, need: Callable[[str], None]) -> Iterator[str]:
    """Another platform than the engine's own, and it runs here."""
    other = "linux/amd64" if engine.engine.info.platform.architecture == "arm64" else "linux/arm64"
    try:
        held = emulation.hold(Platform.parse(other), can_install=True)
    except InstallFailed as error:
        need(str(error))
    yield other
    if held is not None:
        held.release()


EMULATED = """
    import pytest
    from pytest_dockerlab import CapabilityMissing, container_fixture, image_fixture

    image = image_fixture("FROM alpine\\nRUN uname -m > /machine\\n", scope="run")
    box = container_fixture(image, ["sleep", "60"])

    @pytest.mark.row("A01")
    def test_a_name(lab):
        found = lab.run("alpine", ["uname", "-m"])
        assert found.output.strip() == lab.platform.machine
        assert found.warnings == ()
    def test_an_image(lab, image):
        assert lab.run(image, ["cat", "/machine"]).output.strip() == lab.platform.machine
    def test_a_container(box, lab_platform):
        assert box.exec(["uname", "-m"]).output.strip() == lab_platform.machine
    def test_one_of_the_run(lab_run):
        assert lab_run.run("alpine", ["uname", "-m"]).output.strip() == lab_run.platform.machine
    def names(lab):
        return {tag: image.id for image in lab.engine.images.list() for tag in image.tags if tag == "alpine:latest"}
    def test_a_pull(lab):
        before = names(lab)
        lab.pull("alpine")
        assert lab.image("alpine").platform == lab.platform
        assert names(lab) == before, "the engine's own platform keeps the name"
    @pytest.mark.requires("native")
    def test_of_time(lab): pass
    @pytest.mark.requires("set_uid")
    def test_of_rights(lab):
        lab.requires("set_uid")
        lab.requires("buildkit" if lab.engine.info.product == "Docker Engine" else "local_files")
        if lab.platform != lab.engine.info.platform:
            with pytest.raises(CapabilityMissing, match="'native' does not apply: .* is emulated here"):
                lab.requires("native")
"""


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["alone", "workers"])
def test_each_platform_has_its_own(
    pytester: pytest.Pytester, engine: Lab, arm64: str, workers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bases, builds, containers of the run: no test sees the other platform's. What is emulated says so."""
    monkeypatch.setenv("CI", "true")  # what does not apply is a skip there, too
    own = engine.engine.info.platform
    before = names_on(engine)
    pytester.makepyfile(EMULATED)
    result = pytester.runpytest_subprocess(
        "-rs", "--junitxml=told.xml", f"--dockerlab-platform={own},{arm64}", *workers, timeout=300
    )
    result.assert_outcomes(passed=13, skipped=1)
    result.stdout.fnmatch_lines(
        [
            f"dockerlab: {arm64} emulated: tried: *",
            f"platforms   {arm64} emulated: tried: *",
            f"SKIPPED *does not apply: requires native: {arm64} is emulated here*",
        ]
    )
    told = (pytester.path / "told.xml").read_text()
    for platform in (own, f"{arm64} (emulated)"):
        assert told.count(f'name="platform" value="{platform}"') == 1
    # An engine that is not ours keeps no names; another worker's are there for a moment.
    deadline, kept = time.monotonic() + 120, names_on(engine) - before
    while kept:
        assert time.monotonic() < deadline, kept
        time.sleep(0.05)
        kept &= names_on(engine)


def test_what_a_worker_made_for_its_run_goes_with_it_on_each_platform(
    pytester: pytest.Pytester, engine: Lab, arm64: str
) -> None:
    """Its lab_run for one platform is not forgotten when its tests go on to the other: it removes what that made.

    Looked at as the worker has ended: later the process that leads the run removes what it finds left, too.
    """
    name = f"axis-{os.urandom(4).hex()}"
    pytester.makeconftest(
        f"""
        import pathlib
        from pytest_dockerlab.engine.endpoint import Endpoint
        from pytest_dockerlab.engine.engine import Engine

        def pytest_testnodedown(node, error):
            with Engine(Endpoint(url={engine.engine.endpoint.url!r}, name="it", source="a test")) as engine:
                tags = [tag for image in engine.images.list() for tag in image.tags if {name!r} in tag]
            pathlib.Path("left").write_text(repr(tags))
        """
    )
    pytester.makepyfile(
        f"def test(lab_run):\n    lab_run.tag('alpine', '{name}:' + lab_run.platform.architecture)\n"
        "def test_again(lab_run):\n    assert lab_run.run('alpine', ['true']).exit_code == 0\n"
    )
    platforms = f"{engine.engine.info.platform},{arm64}"
    result = pytester.runpytest_subprocess("-n1", f"--dockerlab-platform={platforms}", timeout=300)
    result.assert_outcomes(passed=4)
    assert (pytester.path / "left").read_text() == "[]"


def names_on(engine: Lab) -> set[str]:
    return {tag for image in engine.engine.images.list() for tag in image.tags if "dockerlab.invalid" in tag}


def test_what_is_learned_of_a_test_is_its_platforms(pytester: pytest.Pytester, engine: Lab, arm64: str) -> None:
    """A run on one platform, whose ids say nothing of it, foresees nothing for a run on another."""
    pytester.makepyfile("def test(lab):\n    lab.run('alpine', ['true']).exit_code")
    for platform in (engine.engine.info.platform, arm64):
        result = pytester.runpytest_subprocess(f"--dockerlab-platform={platform}", timeout=300)
        result.assert_outcomes(passed=1)
    (kept,) = pytester.path.glob(".pytest_cache/v/dockerlab/lookahead")
    tests = json.loads(kept.read_text())["tests"]
    assert [name.endswith(f"::test {arm64}") for name in sorted(tests)] == [False, True]


def test_points_are_given_once(pytester: pytest.Pytester) -> None:
    """A check that is worth points runs on the first platform only."""
    pytester.makepyfile("import pytest\n@pytest.mark.exercise('a', 'b')\ndef test(lab): pass")
    assert collected(pytester, f"--dockerlab-platform={BOTH}") == ["test[linux/amd64]"]


def test_a_variant_that_is_not_told_may_be_any() -> None:
    """arm64 is arm64/v8; two that are told have to be the same."""
    assert same(Platform.parse("linux/arm64/v8"), Platform.parse("arm64"))
    assert same(Platform.parse("linux/arm"), Platform.parse("linux/arm/v7"))
    assert not same(Platform.parse("linux/arm/v6"), Platform.parse("linux/arm/v7"))
    assert not same(Platform.parse("linux/arm64"), Platform.parse("linux/arm"))
