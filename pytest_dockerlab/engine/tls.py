"""TLS to an engine over TCP: what a connection is made with, and what it means when none comes about."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

from pytest_dockerlab.engine.endpoint import Tls

__all__ = ["context", "explained", "missing_file"]

_PLACE = "DOCKER_CERT_PATH names their folder, or the docker context does"
_DETAIL = re.compile(r"certificate verify failed: (?P<why>[^(\"']*[^(\"' ])")
# Of an engine that has looked at our certificate, as OpenSSL words its alerts.
_REFUSED = ("certificate required", "bad certificate", "unknown ca", "unsupported certificate", "certificate unknown")
_NO_TLS = ("wrong version number", "record layer failure", "packet length too long")
_NAMES = ("mismatch", "doesn't match", "not valid for")


def context(tls: Tls) -> ssl.SSLContext:
    """What a connection is made with.

    Raises:
        OSError: a file is not there, or (``ssl.SSLError``) holds something else.
    """
    made = ssl.create_default_context(cafile=tls.ca or None)
    if not tls.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if tls.cert:
        made.load_cert_chain(tls.cert, tls.key or None)
    return made


def missing_file(tls: Tls) -> str:
    """The first of the files that is not there, ``""`` if all are."""
    return next((path for path in (tls.ca, tls.cert, tls.key) if path and not Path(path).is_file()), "")


def explained(said: str, tls: Tls | None) -> tuple[str, str]:
    """Why there is no connection over TLS, and what to do; two empty strings where the cause is another one.

    Args:
        said: OpenSSL's words, however deep in others', or an answer of the engine's.
        tls: what the connection was to be made with.
    """
    words = said.lower().replace("_", " ")
    if "http request to an https server" in words:
        return (
            "it speaks TLS only",
            "set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem",
        )
    if tls is None:
        return "", ""
    if path := missing_file(tls):
        return f"TLS: there is no {path}", f"put ca.pem, cert.pem and key.pem there ({_PLACE})"
    if "certificate verify failed" in words:
        found = _DETAIL.search(said)
        why = found["why"] if found else "not to be trusted"
        if any(sign in why.lower() for sign in _NAMES):
            return f"TLS: its certificate is for another name: {why}", "name the engine as its certificate does"
        return (
            f"TLS: its certificate can't be trusted by {tls.ca or 'the system'}: {why}",
            f"take the ca.pem of the authority that signed the engine's certificate ({_PLACE})",
        )
    if any(sign in words for sign in _REFUSED):
        given = f"refuses {tls.cert}" if tls.cert else "wants a certificate, and none was given"
        return f"TLS: it {given}", f"take a cert.pem and key.pem that the engine's --tlscacert signed ({_PLACE})"
    if any(sign in words for sign in _NO_TLS):
        return "TLS: it does not speak TLS", "unset DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, or name its TLS port (2376)"
    return "", ""
