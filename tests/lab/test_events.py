"""What labs did, in one process and over several."""

from __future__ import annotations

import json

from pytest_dockerlab.lab.events import BuildEvent, ContainerEvent, PullEvent, Recorder

BUILD = BuildEvent(name="ex1", seconds=4.0, steps=2, reused=1, scope="test")
CONTAINER = ContainerEvent(name="web", image="alpine", seconds=0.3)
PULL = PullEvent(name="python:3.10", seconds=9.0, kind="stand-in")


def test_events_are_kept_by_kind() -> None:
    """Each kind has its list."""
    recorder = Recorder()
    for event in (BUILD, CONTAINER, PULL):
        recorder.add(event)
    assert (recorder.builds, recorder.containers, recorder.pulls) == ([BUILD], [CONTAINER], [PULL])


def test_the_slowest_come_first() -> None:
    """The longest of all kinds are found, longest first."""
    recorder = Recorder(builds=[BUILD], containers=[CONTAINER], pulls=[PULL])
    assert recorder.slowest(2) == (PULL, BUILD)


def test_a_worker_hands_its_events_over() -> None:
    """What one process recorded reaches another one as JSON, added to its own."""
    recorder = Recorder(builds=[BUILD])
    recorder.merge(json.loads(json.dumps(Recorder(builds=[BUILD], containers=[CONTAINER], pulls=[PULL]).to_json())))
    assert recorder == Recorder(builds=[BUILD, BUILD], containers=[CONTAINER], pulls=[PULL])
