"""Keep on request: containers stay, a private engine with them, and the user learns how to get in."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.reaping import beside

if TYPE_CHECKING:
    from pytest_dockerlab.engine.endpoint import Endpoint
    from pytest_dockerlab.lab import Lab

__all__ = ["docker_command", "keep", "outlives", "whose"]


def keep(lab: Lab, test: str, folder: Path) -> dict[str, Any] | None:
    """Keep a lab's containers, and what they need.

    Args:
        folder: of the run.

    Returns:
        A record for ``Tally.kept``; ``None`` where the lab has no container.

    Raises:
        LabError: the engine did not do its part.
    """
    endpoint = lab.engine.endpoint
    kept = lab.keep(test)
    if kept is None:
        return None
    beside.spare(folder, kept.folders)
    if endpoint.private:
        from pytest_dockerlab.engine import private

        private.hand_over(endpoint)
    return {
        "test": test,
        "containers": {name: lab.engine.containers.state(id).running for name, id in kept.containers.items()},
        "docker": docker_command(endpoint),
        "remove": f"dockerlab sweep --kept --engine {shlex.quote(endpoint.url)}",
    }


def outlives(endpoint: Endpoint) -> bool:
    """Whether this is a private engine that outlives its run because something on it is kept."""
    from pytest_dockerlab.engine import private

    return any(state.url == endpoint.url and state.kept for _, state in private.states())


def whose(scope: str) -> str:
    """Whose containers a lab that is being closed has: the running test's, or those of a longer scope."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    return test if scope == "test" and test else f"the tests of a {scope}"


def docker_command(endpoint: Endpoint) -> str:
    """The docker program's command line, as far as it names the engine."""
    words = ["docker", "-H", endpoint.url]
    if (tls := endpoint.tls) is not None:
        words.append("--tlsverify" if tls.verify else "--tls")
        files = (("--tlscacert", tls.ca), ("--tlscert", tls.cert), ("--tlskey", tls.key))
        words += [word for option, path in files if path for word in (option, path)]
    return shlex.join(words)
