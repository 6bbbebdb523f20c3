"""Which of the host's addresses mean the same inside of a container."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

__all__ = ["for_containers", "proxies"]


def for_containers(url: str) -> str:
    """``url`` as an image may hold it, ``""`` if it may not.

    Only ``http`` and ``https`` addresses of other machines are reached from a container.
    A user name and password are taken off: an image is readable for everybody who has it.
    """
    # Proxies are also written without a scheme.
    parts = urlsplit(f"http://{url}" if re.fullmatch(r"[\w.@-]+:\d+/?", url) else url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or _is_loopback(host):
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Scheme → proxy, as the environment's ``http_proxy`` and ``https_proxy`` say, lower case first."""
    found = {}
    for scheme in ("http", "https"):
        if value := environ.get(f"{scheme}_proxy") or environ.get(f"{scheme.upper()}_PROXY"):
            found[scheme] = value
    return found
