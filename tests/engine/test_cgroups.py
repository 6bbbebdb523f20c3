"""Control groups of both versions: which files get what; on a folder, as no machine has both."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pytest_dockerlab.engine.cgroups import ControlGroup, Counted, remove_tree, writable

MEGABYTE = 1 << 20


def made(root: Path, *files: str) -> None:
    """Files that the kernel would make."""
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("0")


def test_limits_of_version_2(tmp_path: Path) -> None:
    """One folder has all."""
    files = ("memory.max", "memory.swap.max", "cpu.max", "pids.max")
    made(tmp_path, *(f"a/b/{name}" for name in files))
    group = ControlGroup("/a/b", 2, tmp_path)
    assert group.limit(memory=MEGABYTE, nano_cpus=1_500_000_000, pids=7)
    assert [(tmp_path / "a/b" / name).read_text() for name in files] == [str(MEGABYTE), "0", "150000 100000", "7"]


def test_limits_of_version_1(tmp_path: Path) -> None:
    """Each controller has a folder of its own."""
    files = ("memory/a/memory.limit_in_bytes", "memory/a/memory.memsw.limit_in_bytes", "cpu/a/cpu.cfs_quota_us",
             "pids/a/pids.max")  # fmt: skip
    made(tmp_path, *files)
    assert ControlGroup("/a", 1, tmp_path).limit(memory=MEGABYTE, nano_cpus=500_000_000, pids=7)
    assert [(tmp_path / name).read_text() for name in files] == [str(MEGABYTE), str(MEGABYTE), "50000", "7"]


def test_a_limit_that_is_not_taken_is_told(tmp_path: Path) -> None:
    """A group whose parents are not there can't be limited yet."""
    assert not ControlGroup("/a/b", 2, tmp_path).limit(memory=MEGABYTE, nano_cpus=None, pids=None)


def test_what_is_counted(tmp_path: Path) -> None:
    """Numbers stand by themselves or behind their names, under other names in each version."""
    two, one = tmp_path / "2", tmp_path / "1"
    made(two, "a/memory.current", "a/pids.current")
    (two / "a/memory.peak").write_text("9\n")
    (two / "a/memory.events").write_text("low 1\noom 3\noom_kill 2\n")
    (two / "a/pids.events").write_text("max 4\n")
    (two / "a/memory.stat").write_text("anon 5\nfile 100\nshmem 6\n")
    group = ControlGroup("a", 2, two)
    assert (group.counted(), group.held()) == (Counted(peak=9, oom_kills=2, refused=4), 11)
    made(one, "memory/a/memory.usage_in_bytes", "pids/a/pids.current")
    (one / "memory/a/memory.max_usage_in_bytes").write_text("8\n")
    (one / "memory/a/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    assert ControlGroup("a", 1, one).counted() == Counted(peak=8, oom_kills=1)


def test_a_process_of_another_group_is_not_ended(tmp_path: Path) -> None:
    """A number may be given out again between two looks at the list."""
    process = subprocess.Popen(["sleep", "600"])
    try:
        made(tmp_path, "a/pids.max")
        (tmp_path / "a/cgroup.procs").write_text("")
        group = ControlGroup("a", 2, tmp_path)
        group._end(process.pid)
        assert process.poll() is None
        (tmp_path / "a/cgroup.procs").write_text(f"{process.pid}\n")
        group.end(patience=0.01)
        assert process.wait(120) == -9
        assert (tmp_path / "a/pids.max").read_text() == "0"
    finally:
        process.kill()


def test_a_tree_goes_as_far_as_it_is_empty(tmp_path: Path) -> None:
    """In every hierarchy; a file stands for a process that somebody put there."""
    for name in ("memory/x/a/b", "pids/x/a", "x/a", "memory/other"):
        (tmp_path / name).mkdir(parents=True)
    made(tmp_path, "pids/x/held/file")
    remove_tree("x", tmp_path)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_dir())
    assert left == ["memory", "memory/other", "pids", "pids/x", "pids/x/held"]


def test_where_no_limits_can_be_set_that_is_told(tmp_path: Path) -> None:
    """The folder that is missing is named."""
    assert writable(2, tmp_path) == ""
    assert writable(1, tmp_path).startswith(f"there is no {tmp_path}/")
