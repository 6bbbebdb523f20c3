"""What an engine does with programs of other platforms: tried with a real one, on this machine's own kernel."""

from __future__ import annotations

import os
import struct
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.engine import binfmt, emulation
from pytest_dockerlab.engine.support import Support, support
from pytest_dockerlab.engine.trial import trial_program
from pytest_dockerlab.errors import CapabilityMissing, InstallFailed
from pytest_dockerlab.image.elf import body_address, make_elf, read_elf
from pytest_dockerlab.platforms import Platform

ALL = ("386", "amd64", "arm", "arm64", "ppc64le", "riscv64", "s390x")


def test_the_engines_own_platform_is_native(lab_session: Lab) -> None:
    """Nothing is tried; times and rights mean something there."""
    found = support(lab_session.engine, lab_session.engine.info.platform)
    assert (found.state, found.set_uid, found.remedy) == ("native", True, "")
    assert lab_session.engine.capabilities.on(found).has("native")


@pytest.mark.parametrize("architecture", ALL)
def test_a_trial_runs_or_says_what_is_in_the_way(
    lab_session: Lab, architecture: str, need: Callable[[str], None]
) -> None:
    """Before its emulator is there it fails, and names the command that mends it; then it runs, set-uid and all."""
    engine, platform = lab_session.engine, Platform("linux", architecture)
    if engine.info.platform.architecture in (architecture, {"386": "amd64", "arm": "arm64"}.get(architecture)):
        assert support(engine, platform).state == "native"
        return
    if not binfmt.emulator(architecture).usable:
        found = support(engine, platform)
        assert found.state in ("unavailable", "emulated")  # another test's run may have registered it just now
        if found.state == "unavailable":
            assert "tried: " in found.reason
            assert found.remedy.endswith(f"dockerlab up --install --platform {platform}")
    try:
        held = emulation.hold(platform, can_install=True)
    except InstallFailed as error:
        need(str(error))
    found = support(engine, platform)
    if held is not None:
        held.release()
    assert found.state == "emulated"
    assert found.reason.startswith("tried: a program ran, the kernel runs it with ")
    # The distribution's own registration may be without the flag.
    assert found.set_uid is (held is not None or binfmt.emulator(architecture).set_uid)
    emulated = engine.capabilities.on(found)
    assert not emulated.has("native")
    with pytest.raises(CapabilityMissing, match=rf"'native' does not apply: {platform} is emulated here"):
        emulated.require("native")
    assert emulated.has("buildkit") == engine.capabilities.has("buildkit")


def test_a_trial_leaves_nothing(lab_session: Lab) -> None:
    """No image and no container; what another process tries at the same time is there for a moment."""
    engine = lab_session.engine
    support(engine, Platform("linux", "s390x"))

    def left() -> list[str]:
        names = [tag for image in engine.images.list() for tag in image.tags if tag.startswith("dockerlab/trial-")]
        return [*names, *(box.id for box in engine.containers.list({"org.dockerlab.trial": ""}))]

    deadline, seen = time.monotonic() + 120, left()
    while seen:
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)
        seen = [each for each in seen if each in left()]


def test_what_we_have_no_program_for_is_the_kernels_word(lab_session: Lab) -> None:
    """Its list says why not."""
    found = support(lab_session.engine, Platform("linux", "vax"))
    assert found.state == "unavailable"
    assert "tried" not in found.reason
    assert trial_program(Platform("linux", "vax")) is None
    assert trial_program(Platform("windows", "amd64")) is None


@pytest.mark.parametrize("architecture", ALL)
def test_a_made_program_says_what_it_is_made_for(architecture: str) -> None:
    """Its header is read as any other's; its first instruction is where it is said to be."""
    program = make_elf(architecture, b"code")
    found = read_elf(program.ljust(64, b"\0"))
    assert found is not None
    assert (found.architecture, found.static) == (architecture, True)
    order, word, at = (">" if architecture == "s390x" else "<"), *(("I", 24) if program[4] == 1 else ("Q", 24))
    (entry,) = struct.unpack_from(order + word, program, at)
    assert entry == body_address(architecture) == 0x400000 + len(program) - 4


def test_the_trial_tells_its_effective_user(tmp_path: Path) -> None:
    """Run on this machine itself."""
    program = tmp_path / "trial"
    program.write_bytes(trial_program(replace(Platform.of_host(), variant="")) or b"")
    program.chmod(0o755)
    assert subprocess.run([program], check=False, timeout=120).returncode == os.geteuid() & 255


def test_support_travels_as_plain_values() -> None:
    """Its defaults are what a native platform has."""
    assert Support(platform=Platform(), state="native", reason="").set_uid
