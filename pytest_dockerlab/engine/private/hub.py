"""Whether Docker Hub's registry can be reached from here."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

__all__ = ["HUB", "answers"]

HUB = "https://registry-1.docker.io/v2/"


def answers(url: str = HUB, timeout: float = 3.0) -> bool:
    """Whether a registry answers there within ``timeout`` seconds, be it "log in first" or "too many requests".

    Proxies of the environment are used, as dockerd does. A refusal by something in between (403, 502) is not an
    answer of the registry.
    """
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        with error:
            return error.code in (401, 429)
    except (OSError, ValueError, http.client.HTTPException):
        return False
