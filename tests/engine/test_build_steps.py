"""RUN steps as BuildKit's executor leaves them on the disk; on a folder, as an engine's own are gone in no time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_dockerlab.engine.build_steps import running_steps, written


def step(root: Path, ident: str, *hosts: str, path: str = "/docker/buildkit/x", broken: str = "") -> Path:
    """A step's folder."""
    bundle = root / "buildkit" / "executor" / ident
    bundle.mkdir(parents=True)
    file = bundle.parent / f"hosts.{ident}"
    file.write_text("127.0.0.1\tlocalhost buildkitsandbox\n" + "".join(f"127.0.0.1\t{host}\n" for host in hosts))
    config = {
        "linux": {"cgroupsPath": path},
        "mounts": [{"destination": "/proc"}, {"destination": "/etc/hosts", "source": str(file)}],
    }
    (bundle / "config.json").write_text(broken or json.dumps(config))
    return bundle


def test_a_step_is_told_by_its_hosts(tmp_path: Path) -> None:
    """With its group, wherever that is: systemd's driver has another place for it."""
    bundle = step(tmp_path, "one", "mine.invalid")
    step(tmp_path, "two", path="system.slice:docker:two")
    found = {each.ident: each for each in running_steps(tmp_path, 2)}
    assert "mine.invalid" in found["one"].hosts
    assert found["one"].bundle == bundle
    assert "mine.invalid" not in found["two"].hosts
    assert str(found["two"].group._pids) == "/sys/fs/cgroup/system.slice:docker:two"
    assert [each.ident for each in running_steps(tmp_path, 2, frozenset({"one"}))] == ["two"]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"linux": {}, "mounts": []}', "null"])
def test_a_step_that_is_not_all_there_yet_is_left_for_later(tmp_path: Path, text: str) -> None:
    """BuildKit is writing its configuration, or removing it."""
    step(tmp_path, "one", broken=text)
    assert list(running_steps(tmp_path, 1)) == []


def test_without_a_build_there_is_no_step(tmp_path: Path) -> None:
    """The folder comes with the first RUN."""
    assert list(running_steps(tmp_path, 1)) == []


def test_what_is_written_counts_holes_and_entries(tmp_path: Path) -> None:
    """As an image's layer would have them; links are not followed, and nobody counts on beyond the limit."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_bytes(bytes(10_000))
    (tmp_path / "out").symlink_to("/usr")
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 40)
    assert written(tmp_path, 1 << 50) == (1 << 40) + 12_288 + 4 * 4096
    assert written(tmp_path, 5000) > 5000
    for number in range(100):
        (tmp_path / f"{number}").touch()
    (tmp_path / "hole").unlink()
    assert written(tmp_path, 50 * 4096) <= 52 * 4096 + 12_288
    assert written(tmp_path / "missing", 100) == 0
