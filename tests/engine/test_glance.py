"""Whether anything carries a label, by four plain requests to a real engine."""

from __future__ import annotations

import secrets
from dataclasses import replace

from pytest_dockerlab import Lab
from pytest_dockerlab.engine.glance import is_clear


def test_everything_that_carries_a_label_is_seen(lab: Lab) -> None:
    """A container, stopped or not, a network, a volume, an image; and nothing of another label."""
    engine, endpoint = lab.engine, lab.engine.endpoint
    kinds = [{f"glance-{kind}": secrets.token_hex(4)} for kind in ("container", "network", "volume", "image")]
    assert all(is_clear(endpoint, labels) for labels in kinds)
    container, network, volume, image = kinds
    lab.create("alpine", ["true"], labels=container)
    lab.build("FROM alpine\n", labels=image)
    made = engine.networks.create(f"glance-{secrets.token_hex(4)}", labels=network)
    kept = engine.volumes.create("", labels=volume)
    try:
        assert not any(is_clear(endpoint, labels) for labels in kinds)
    finally:
        engine.networks.remove(made)
        engine.volumes.remove(kept)
    lab.close()
    assert all(is_clear(endpoint, labels) for labels in kinds)


def test_who_does_not_answer_is_not_clear(lab: Lab) -> None:
    """Nobody listens there, or it is behind ssh: who wants to know has to ask otherwise."""
    for url in ("unix:///nonexistent/docker.sock", "tcp://127.0.0.1:9", "ssh://nobody@nowhere.invalid"):
        assert not is_clear(replace(lab.engine.endpoint, url=url, private=False), {"glance": "1"})
