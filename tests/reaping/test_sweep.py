"""What dead runs left goes, and nothing else does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_dockerlab.cli import main
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.things import labelled
from pytest_dockerlab.reaping import beside
from pytest_dockerlab.reaping.kept import keep, kept_on, let_go
from pytest_dockerlab.reaping.owner import LABEL_RUN, Owner, owned_by
from pytest_dockerlab.reaping.sweep import look, sweep_at_start
from pytest_dockerlab.run.spec import Mount, RunSpec


@dataclass(frozen=True, slots=True)
class Left:
    """What a run of a given owner has on the engine: one thing of each kind."""

    engine: Engine
    run: str

    @property
    def kinds(self) -> list[str]:
        return [thing.kind for thing in labelled(self.engine, {LABEL_RUN: self.run})]


@pytest.fixture
def dead() -> Owner:
    """A process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE) as process:
        owner = Owner.of(process.pid)
    assert owner.alive is False
    return owner


def leave(engine: Engine, owner: Owner) -> Left:
    """Make one thing of each kind, as a run of this owner would."""
    run = uuid.uuid4().hex[:8]
    engine.labels = owned_by(run, owner, "test")
    volume, network = engine.volumes.create(), engine.networks.create()
    spec = RunSpec(
        image="alpine", command=("sleep", "600"), init=True, network=network,
        mounts=(Mount(kind="volume", source=volume, target="/data"),),
    )  # fmt: skip
    container = engine.containers.create(spec).id
    engine.containers.start(container)
    engine.containers.commit(container, f"swept-{run}:1")
    engine.labels = {}
    left = Left(engine, run)
    assert left.kinds == ["container", "network", "volume", "image"]
    return left


def remove(left: Left) -> None:
    """By hand."""
    from pytest_dockerlab.reaping.removing import remove_things

    assert remove_things(left.engine, labelled(left.engine, {LABEL_RUN: left.run})) == []
    assert left.kinds == []


def test_what_a_dead_run_left_goes(engine: Engine, dead: Owner) -> None:
    """Containers, though they run, then networks, volumes and images; it is told what there was."""
    left, said = leave(engine, dead), list[str]()
    sweep_at_start(engine, said.append)
    assert left.kinds == []
    (line,) = [row for row in said if "container" in row]
    assert line.startswith("removed what dead runs left: ")
    said.clear()
    sweep_at_start(engine, said.append)
    assert said == []


def test_what_a_suspended_process_owns_stays(engine: Engine) -> None:
    """As in a debugger for an hour: it lives, and so does what it has made."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        process.send_signal(signal.SIGSTOP)
        try:
            left = leave(engine, Owner.of(process.pid))
            sweep_at_start(engine, lambda line: None)
            assert left.kinds == ["container", "network", "volume", "image"]
        finally:
            process.send_signal(signal.SIGCONT)
            process.communicate(b"\n")
            remove(left)


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"host": "elsewhere", "boot": "another"}])
def test_what_another_host_owns_stays(engine: Engine, dead: Owner, change: dict[str, str]) -> None:
    """Of a process there nothing is known here."""
    left = leave(engine, replace(dead, **change))  # type: ignore[arg-type]
    try:
        sweep_at_start(engine, lambda line: None)
        assert left.kinds == ["container", "network", "volume", "image"]
        assert {one.verdict for one in look(engine) if one.thing.labels.get(LABEL_RUN) == left.run} == {"unknown"}
    finally:
        remove(left)


def test_what_an_earlier_boot_owned_goes(engine: Engine, dead: Owner) -> None:
    """No process survives that."""
    left = leave(engine, replace(dead, boot="an-earlier-one", pid=os.getpid()))
    sweep_at_start(engine, lambda line: None)
    assert left.kinds == []


def test_what_has_no_owner_that_can_be_read_stays(engine: Engine) -> None:
    """A label of another form, or none, is nobody's leave to remove."""
    others = [
        engine.volumes.create(labels=labels)
        for labels in ({"org.dockerlab.owner": "nonsense"}, {"org.dockerlab.run": "x"}, {})
    ]
    try:
        sweep_at_start(engine, lambda line: None)
        for name in others:
            engine.volumes.inspect(name)
    finally:
        for name in others:
            engine.volumes.remove(name)


def test_what_is_kept_stays_with_what_it_needs(engine: Engine, dead: Owner) -> None:
    """Until it is let go: then all of it is gone, its mark and its folder, too."""
    left = leave(engine, dead)
    (container,) = [one for one in labelled(engine, {LABEL_RUN: left.run}) if one.kind == "container"]
    other = engine.volumes.create(labels=owned_by(left.run, dead, "test"))
    kept = keep(engine, [container.id, "0" * 12], run=left.run, test="a test")
    assert kept is not None
    assert list(kept.containers) == [container.names[0]]
    sweep_at_start(engine, lambda line: None)
    assert sorted(left.kinds) == ["container", "image", "network", "volume"] or "image" not in left.kinds
    assert other not in [one.id for one in labelled(engine, {LABEL_RUN: left.run})]
    assert let_go(engine, [one for one in kept_on(engine) if one.run == left.run]) == []
    assert left.kinds == []
    assert [one for one in kept_on(engine) if one.run == left.run] == []


def test_the_command_lists_and_removes(
    engine: Engine, dead: Owner, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--dry-run`` names each thing with its owner and age, and leaves it; without it, it is gone."""
    monkeypatch.setenv("DOCKERLAB_ENGINE", engine.endpoint.url)
    left = leave(engine, dead)
    assert main(["sweep", "--dry-run"]) == 0
    rows = [row for row in capsys.readouterr().out.splitlines() if left.run in row]
    assert len(rows) == 4
    for row in rows:
        assert row.startswith("  would remove ")
        assert f"process {dead.pid} on {dead.host}" in row
        assert row.endswith(" old)")
    assert left.kinds == ["container", "network", "volume", "image"]
    assert main(["sweep"]) == 0
    assert sum(row.startswith("  removed ") and left.run in row for row in capsys.readouterr().out.splitlines()) == 4
    assert left.kinds == []


def test_the_command_takes_a_hosts_runs_for_dead_if_told(
    engine: Engine, dead: Owner, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another host has left can be removed by somebody who knows that it does not come back."""
    monkeypatch.setenv("DOCKERLAB_ENGINE", engine.endpoint.url)
    left = leave(engine, replace(dead, host=f"gone-{uuid.uuid4().hex[:6]}"))
    assert main(["sweep"]) == 0
    assert "stays: of another host or boot (--host NAME" in capsys.readouterr().out
    assert left.kinds == ["container", "network", "volume", "image"]
    (host,) = {one.owner.host for one in look(engine) if one.owner and one.thing.labels.get(LABEL_RUN) == left.run}
    assert main(["sweep", "--host", host]) == 0
    assert left.kinds == []


def test_a_dead_runs_folders_and_servers_go(dead: Owner, runtime: Path, need: Callable[[str], None]) -> None:
    """A registry that its run could not stop is ended; what is kept below the scratch folder stays."""
    from pytest_dockerlab.engine.private.registry import RegistryProcess
    from pytest_dockerlab.engine.private.registry import missing as no_registry
    from pytest_dockerlab.engine.processes import alive

    need(no_registry())
    folder = beside.runs_folder() / "killed"
    folder.mkdir(parents=True)
    scratch = beside.begin(folder, os.getpid())
    server = RegistryProcess(scratch / "storage", scratch=scratch)
    server.start()
    pid = server.pid
    try:
        (scratch / "dockerlab-dir-x" / "dir").mkdir(parents=True)
        beside.spare(folder, [str(scratch / "dockerlab-dir-x" / "dir")])
        assert list(beside.dead_runs()) == []
        said = json.loads((folder / "owner.json").read_text())
        (folder / "owner.json").write_text(json.dumps({**said, "owner": str(dead)}))
        (record,) = beside.dead_runs()
        assert f"process {pid}" in beside.remove_beside(record)
        assert not alive(pid)
        assert not folder.exists()
        assert [str(path.relative_to(scratch)) for path in scratch.rglob("*")] == [
            "dockerlab-dir-x", "dockerlab-dir-x/dir",
        ]  # fmt: skip
    finally:
        server.stop()
        (scratch / "dockerlab-dir-x" / "dir").rmdir()
        (scratch / "dockerlab-dir-x").rmdir()
        scratch.rmdir()
