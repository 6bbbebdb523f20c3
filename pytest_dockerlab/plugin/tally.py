"""What the processes of a run did, gathered for the summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Tally"]


class Tally:
    """What the processes of a run did, as plain lists and mappings that travel between them.

    Attributes:
        events: what the labs recorded (``lab.events.Recorder.to_json``).
        bases: name of a base image → how it came.
        unjudged: tests that the engine kept from being carried out.
        kept: what stays on request: ``test``, ``containers`` (name → whether it runs), ``docker`` (how to call it),
            ``remove`` (how it goes).
        trouble: what could not be removed, or ended badly, at the end.
        learned: test → what it asked for (``plugin.learned``).
    """

    def __init__(self) -> None:
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.bases: dict[str, str] = {}
        self.unjudged: list[str] = []
        self.kept: list[dict[str, Any]] = []
        self.trouble: list[str] = []
        self.learned: dict[str, Any] = {}

    def to_json(self) -> dict[str, Any]:
        """For a worker to hand over."""
        return {
            "events": self.events,
            "bases": self.bases,
            "unjudged": self.unjudged,
            "kept": self.kept,
            "trouble": self.trouble,
            "learned": self.learned,
        }

    def merge(self, data: Mapping[str, Any]) -> None:
        """Take over what another process's ``to_json`` gave."""
        for kind, events in data.get("events", {}).items():
            self.events.setdefault(kind, []).extend(events)
        for name, kind in data.get("bases", {}).items():
            # One worker pulls what the others find present: the first one's word counts.
            if self.bases.get(name, "present") == "present":
                self.bases[name] = kind
        self.unjudged.extend(data.get("unjudged", ()))
        self.kept.extend(data.get("kept", ()))
        self.trouble.extend(data.get("trouble", ()))
        self.learned.update(data.get("learned", {}))
