"""The host's pip configuration, as far as an image needs it to reach the same package index.

Files and their order: pip's documentation, "Configuration" (global, user, ``PIP_CONFIG_FILE``,
then the environment). A virtual environment's own file is not read: two of them would
make two stand-ins of one machine.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_dockerlab.bases.addresses import for_containers, proxies

__all__ = ["CA_BUNDLE", "pip_files", "read_pip", "render_pip"]

CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

_LISTS = ("extra-index-url", "trusted-host")
_URLS = ("index-url", "extra-index-url", "proxy")
_NAMES = (*_URLS, "trusted-host", "timeout")


def pip_files(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Configuration files that pip would read on this host, least important first; they may not exist."""
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return ()
    home = Path(environ.get("HOME", "/"))
    folders = environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
    shared = [Path(folder) / "pip/pip.conf" for folder in folders if folder]
    user = [home / ".pip/pip.conf", Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"]
    return (*shared, Path("/etc/pip.conf"), *user, *([Path(named)] if named else []))


def read_pip(files: Iterable[Path], environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Option → value (lists joined by a blank), only what means the same in a container.

    Addresses of files, of this machine's loopback, and users and passwords in addresses are left out.
    """
    options: dict[str, str] = {}
    for path in files:
        if path.is_file():
            options.update(_from_file(path.read_text(encoding="utf-8", errors="replace")))
    for name in (*_NAMES, "default-timeout"):
        if value := environ.get("PIP_" + name.upper().replace("-", "_")):
            options["timeout" if name == "default-timeout" else name] = value
    if "proxy" not in options and (proxy := proxies(environ).get("https")):
        options["proxy"] = proxy
    found = []
    for name in _NAMES:
        words = options.get(name, "").split()
        if name in _URLS:
            words = [safe for word in words if (safe := for_containers(word))]
        if words:
            found.append((name, " ".join(words)))
    return tuple(found)


def _from_file(text: str) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}  # pip itself would complain; a base image is not the place to
    found: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            for name, value in parser.items(section):
                plain = "timeout" if name == "default-timeout" else name.replace("_", "-")
                if plain in _NAMES:
                    found[plain] = " ".join(value.split())
    return found


def render_pip(options: Iterable[tuple[str, str]]) -> str:
    """``/etc/pip.conf``; a pip that was upgraded has certificates of its own, so the bundle is named."""
    rows = ["[global]", f"cert = {CA_BUNDLE}"]
    for name, value in options:
        words = value.split() if name in _LISTS else [value]
        rows.append(f"{name} = {words[0]}" if len(words) == 1 else f"{name} =")
        rows += [f"    {word}" for word in words] if len(words) > 1 else []
    return "\n".join(rows) + "\n"
