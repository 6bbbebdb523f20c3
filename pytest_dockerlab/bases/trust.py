"""Certificate authorities that this host trusts beyond its distribution's own.

Behind a company's proxy, TLS certificates are signed by a local authority. The host knows
it; an image has to, or pip and curl fail in it. Such certificates go where
``update-ca-certificates`` (8) looks for local ones, so that they survive an
``apt-get install ca-certificates``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["bundles", "certificates", "local_authorities"]

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
_SYSTEM = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_DISTRIBUTION = Path("/usr/share/ca-certificates")


def bundles(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Files that hold what this host trusts."""
    named = [environ[name] for name in _VARIABLES if environ.get(name)]
    system = next(([path] for path in _SYSTEM if Path(path).is_file()), [])
    return tuple(dict.fromkeys(Path(path) for path in (*named, *system)))


def certificates(text: str) -> tuple[str, ...]:
    """The certificates in a PEM file, each as one line of base64 (so that layout makes no difference)."""
    found = []
    for body in _PEM.findall(text):
        plain = "".join(body.split())
        try:
            base64.b64decode(plain, validate=True)
        except binascii.Error:
            continue  # a comment that looks like one
        found.append(plain)
    return tuple(found)


def local_authorities(files: Iterable[Path], distribution: Path = _DISTRIBUTION) -> tuple[tuple[str, str], ...]:
    """File name → PEM text of every certificate in ``files`` that the distribution's package doesn't bring."""
    known = {
        certificate
        for path in distribution.rglob("*.crt")
        for certificate in certificates(path.read_text(encoding="ascii", errors="replace"))
    }
    found: dict[str, str] = {}
    for path in files:
        if not path.is_file():
            continue
        for certificate in certificates(path.read_text(encoding="ascii", errors="replace")):
            if certificate not in known:
                name = f"host-{hashlib.sha256(certificate.encode()).hexdigest()[:12]}.crt"
                rows = [certificate[at : at + 64] for at in range(0, len(certificate), 64)]
                found[name] = "\n".join(("-----BEGIN CERTIFICATE-----", *rows, "-----END CERTIFICATE-----", ""))
    return tuple(sorted(found.items()))
