"""Whether anything on an engine carries a label, asked before docker-py is worth importing."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Mapping
from urllib.parse import quote

from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.ping import connection
from pytest_dockerlab.engine.resources import label_filter

__all__ = ["is_clear"]

# Containers, networks, volumes, images: as things.labelled asks.
_LISTS = ("/containers/json?all=1&", "/networks?", "/volumes?", "/images/json?")


def is_clear(endpoint: Endpoint, labels: Mapping[str, str], *, timeout: float = 5.0) -> bool:
    """Whether the engine says that nothing carries all of ``labels``; ``False`` where it can't be asked so.

    Args:
        timeout: seconds, for each of four requests.
    """
    opened = connection(endpoint, timeout)
    if opened is None:
        return False  # behind ssh
    filters = f"filters={quote(label_filter(labels))}"
    try:
        with contextlib.closing(opened):
            return all(_is_empty(opened, f"{path}{filters}") for path in _LISTS)
    except (OSError, ValueError, http.client.HTTPException):
        return False


def _is_empty(opened: http.client.HTTPConnection, target: str) -> bool:
    opened.request("GET", target)
    response = opened.getresponse()
    said = json.loads(response.read())
    return response.status == 200 and not (said.get("Volumes") if isinstance(said, dict) else said)
