"""Whether the engine of a run is still there, and still the one on which a test's containers were started."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_dockerlab.engine.lifeline import Lifeline
from pytest_dockerlab.engine.ping import ping
from pytest_dockerlab.errors import EngineError, EngineUnreachable

if TYPE_CHECKING:
    from pytest_dockerlab.engine.endpoint import Endpoint

__all__ = ["Presence"]

# Seconds: a restart takes no longer as a rule, and a run that waits for its engine should not look as if it hung.
_COMES_BACK = 10.0
_ANSWER = 5.0
_PAUSE = 0.2


class Presence:
    """Watches one engine for one process of a run."""

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        """Args:
        timeout: seconds of silence after which the engine is taken to hang.
        """
        self._endpoint = endpoint
        self._patience = min(_COMES_BACK, timeout / 6)
        self._line: Lifeline | None = None
        self._restarts = 0
        self._opened: dict[str, int] = {}

    def opened(self, fixture: str) -> None:
        """A fixture's lab was opened: what it makes from now on lives on the engine as it is now."""
        self._look()
        self._opened[fixture] = self._restarts

    def judge(self, fixtures: Iterable[str]) -> EngineError | None:
        """After a failure of a test with these fixtures: the engine's fault that explains it, if there is one."""
        answer = ping(self._endpoint, timeout=_ANSWER)
        if not answer.ok:
            return self._gone(answer.reason)
        self._look()
        if any(self._opened.get(name, self._restarts) < self._restarts for name in fixtures):
            return EngineError(
                f"{self._called} was restarted while this test's containers were in use: they have ended with it",
                remedy="see in its log why it was restarted, and run the test again",
            )
        return None

    def lost(self) -> EngineUnreachable | None:
        """Wait a moment for an engine that failed; why the run can't go on, if it does not come back."""
        deadline = time.monotonic() + self._patience
        while not (answer := ping(self._endpoint, timeout=_ANSWER)).ok:
            if time.monotonic() > deadline:
                return self._gone(answer.reason)
            time.sleep(_PAUSE)
        return None

    def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _look(self) -> None:
        if self._line is not None and self._line.broken:
            self._restarts += 1
            self.close()
        if self._line is None:
            try:
                self._line = Lifeline(self._endpoint)
            except (OSError, http.client.HTTPException):
                return  # the next request will say why

    @property
    def _called(self) -> str:
        return f"{self._endpoint.name} at {self._endpoint.url} (named by {self._endpoint.source})"

    def _gone(self, reason: str) -> EngineUnreachable:
        return EngineUnreachable(
            f"{self._called} does not answer any more: {reason}",
            remedy="see whether it was stopped or hangs (its log may say why), start it again, and run the tests again",
        )
