"""The host's apt, as far as an image of the same distribution needs it: where packages come from, and how.

Formats: sources.list(5) (one-line and deb822), apt.conf(5).
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_dockerlab.bases.addresses import for_containers

__all__ = [
    "Source",
    "apt_options",
    "dump",
    "parse_deb822",
    "parse_one_line",
    "read_sources",
    "render_options",
    "render_sources",
]

# Keyrings that every tree of the distribution has from its own packages.
_OWN_KEYRINGS = ("debian-archive", "ubuntu-archive", "ubuntu-keyring")
# Settings of the host without which apt in an image would fail where the host's works.
_OPTIONS = re.compile(
    r"Acquire::(?:https?::Proxy(?:::[^ ]+)?|https::Verify-(?:Peer|Host)|Check-Valid-Until|Check-Date|ForceIPv[46]"
    r"|Retries)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One place that packages come from, as a deb822 stanza says it."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""
    trusted: bool = False

    @property
    def tls(self) -> bool:
        return any(uri.startswith("https://") for uri in self.uris)


def parse_deb822(text: str) -> Iterator[Source]:
    """The binary package sources of a ``*.sources`` file; disabled ones are left out."""
    for block in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        fields: dict[str, list[str]] = {}
        name = ""
        for row in block.splitlines():
            if row[:1].isspace():
                if name:
                    fields[name].append(row.strip())
                continue
            name, _, value = row.partition(":")
            name = name.strip().lower()
            fields[name] = [value.strip()]
        words = {key: tuple(" ".join(rows).split()) for key, rows in fields.items()}
        if "deb" not in words.get("types", ()) or words.get("enabled", ("yes",))[:1] == ("no",):
            continue
        yield Source(
            uris=words.get("uris", ()),
            suites=words.get("suites", ()),
            components=words.get("components", ()),
            # A key may stand in the file itself; such a source is not the distribution's.
            signed_by=" ".join(words.get("signed-by", ())),
            trusted=words.get("trusted", ("no",))[:1] == ("yes",),
        )


def parse_one_line(text: str) -> Iterator[Source]:
    """The binary package sources of a ``*.list`` file."""
    for row in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<rest>[^#]+)", row)
        if not found:
            continue
        options = dict(part.partition("=")[::2] for part in (found["options"] or "").split())
        words = found["rest"].split()
        if len(words) < 2:
            continue
        uri, suite, *components = words
        yield Source(
            uris=(uri,),
            suites=(suite,),
            components=tuple(components),
            signed_by=options.get("signed-by", ""),
            trusted=options.get("trusted", "no") == "yes",
        )


def read_sources(suite: str, etc: Path = Path("/etc/apt")) -> tuple[Source, ...]:
    """Where the host gets the packages of its own release from; other vendors' sources are left out.

    Args:
        suite: the release's code name; its ``-updates`` and ``-security`` count as it.
        etc: apt's configuration folder.
    """
    found: list[Source] = []
    for path in (etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))):
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found.extend(parse_deb822(text) if path.suffix == ".sources" else parse_one_line(text))
    return tuple(source for each in found if (source := _own(each, suite)) is not None)


def _own(source: Source, suite: str) -> Source | None:
    """``source`` as far as it is the distribution's own release and reachable from a container."""
    if source.signed_by and not Path(source.signed_by).name.startswith(_OWN_KEYRINGS):
        return None
    if "main" not in source.components:
        return None
    suites = tuple(name for name in source.suites if name in (suite, f"{suite}-updates", f"{suite}-security"))
    uris = tuple(safe for uri in source.uris for plain in _plain(uri) if (safe := for_containers(plain)))
    if not (suites and uris):
        return None
    return Source(
        uris=uris, suites=suites, components=source.components, signed_by=source.signed_by, trusted=source.trusted
    )


def _plain(uri: str) -> Iterable[str]:
    """``uri``, or the first address of the list that a ``mirror+file:`` names (apt-transport-mirror(1))."""
    if not uri.startswith("mirror+file:"):
        return (uri,)
    path = Path("/" + uri.removeprefix("mirror+file:").lstrip("/"))
    rows = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [row.split()[0] for row in rows if row.startswith(("http://", "https://"))][:1]


def render_sources(sources: Iterable[Source]) -> str:
    """A ``*.sources`` file."""
    blocks = []
    for source in sources:
        rows = [
            "Types: deb",
            f"URIs: {' '.join(source.uris)}",
            f"Suites: {' '.join(source.suites)}",
            f"Components: {' '.join(source.components)}",
        ]
        rows += [f"Signed-By: {source.signed_by}"] if source.signed_by else []
        rows += ["Trusted: yes"] if source.trusted else []
        blocks.append("\n".join(rows) + "\n")
    return "\n".join(blocks)


def apt_options(dump: str, proxies: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The options that an image needs, from ``apt-config dump`` and the environment's proxies.

    A proxy on the host's loopback is left out: a container can't reach it.

    Args:
        dump: output of ``apt-config dump``.
        proxies: scheme → proxy address, for schemes of which apt has none of its own.
    """
    said = re.findall(r'^(\S+) "(.*)";$', dump, re.MULTILINE)
    options: dict[str, str] = {name: value for name, value in said if _OPTIONS.fullmatch(name) and value}
    for scheme, proxy in proxies.items():
        options.setdefault(f"Acquire::{scheme}::Proxy", proxy)
    return tuple(
        (name, safe)
        for name, value in sorted(options.items())
        if (safe := for_containers(value) if "::Proxy" in name and value != "DIRECT" else value)
    )


def render_options(options: Iterable[tuple[str, str]]) -> str:
    """An ``apt.conf`` file."""
    return "".join(f'{name} "{value}";\n' for name, value in options)


def dump() -> str:
    """``apt-config dump`` of the host, ``""`` where there is no apt."""
    try:
        done = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout
