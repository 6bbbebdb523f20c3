"""Secrets that an image gives away: in files of any layer (deleted ones, too), environment, labels, history."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pytest_dockerlab.checks.layers import instruction_text, instructions
from pytest_dockerlab.checks.needles import Hit, Needle, search, search_stream
from pytest_dockerlab.checks.words import clip, listing, name_of, plural
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import Checked, Finding
from pytest_dockerlab.image.model import Image, LayerFiles

__all__ = ["KNOWN_KEYS", "SecretScan", "Wanted", "mask", "no_secret", "read_wanted"]

Wanted = Mapping[str, Needle]

_EDGE = rb"(?<![A-Za-z0-9_-])"
# Forms that their issuers document; narrow, so that what they match is a key. The second column is how each begins.
_FORMS: Mapping[str, tuple[bytes, tuple[bytes, ...]]] = {
    "OpenAI-style key": (
        rb"sk-(?:proj-|ant-[a-z0-9]+-)?(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_]{20,}",
        (b"sk-",),
    ),
    "AWS access key": (rb"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])(?<!EXAMPLE)", (b"AKIA", b"ASIA")),
    "GitHub token": (
        rb"(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})",
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
    ),
    "Slack token": (rb"xox[baprs]-[0-9]{8,}-[0-9A-Za-z-]{16,}", (b"xoxb-", b"xoxa-", b"xoxp-", b"xoxr-", b"xoxs-")),
    "Google API key": (rb"AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])", (b"AIza",)),
    "Hugging Face token": (rb"hf_[A-Za-z]{34}(?![0-9A-Za-z])", (b"hf_",)),
}
_PRIVATE = rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\r?\n(?:[A-Za-z0-9+/=]{40,}\r?\n){2}"
KNOWN_KEYS: Wanted = {
    **{name: Needle.of_form(re.compile(_EDGE + form), starts) for name, (form, starts) in _FORMS.items()},
    "private key": Needle.of_form(re.compile(_PRIVATE), (b"-----BEGIN ",)),
}
# Where packages keep keys of their tests and examples: there a private key is nobody's secret.
_PACKAGED = re.compile(r"^/(usr|lib|lib64|opt/conda)/|/(site|dist)-packages/|/node_modules/|/tests?/")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretScan:
    """How much was looked at.

    Attributes:
        layers, files: how many; ``size``: bytes of the files, all of them read.
    """

    layers: int = 0
    files: int = 0
    size: int = 0


def mask(value: str) -> str:
    """A secret as a message may show it: its first characters and its length."""
    return f"{value[: min(3, len(value) // 4)]}…({plural(len(value), 'character')})"


def read_wanted(
    wanted: str | re.Pattern[str] | Sequence[str | re.Pattern[str]] | Mapping[str, str | re.Pattern[str]] | None,
) -> Wanted:
    """What to look for: texts as they stand, patterns, or both, maybe named; ``None`` is the known forms of keys.

    Raises:
        UsageError: nothing, or a text so short that it is found everywhere.
    """
    if wanted is None:
        return KNOWN_KEYS
    if isinstance(wanted, (str, re.Pattern)):
        wanted = (wanted,)
    named = dict(wanted) if isinstance(wanted, Mapping) else {f"secret {n}": one for n, one in enumerate(wanted, 1)}
    if not named:
        raise UsageError(
            "no secret was named", remedy="give the value, a pattern, or nothing for the known forms of keys"
        )
    return {name: _compiled(name, value) for name, value in named.items()}


def _compiled(name: str, value: str | re.Pattern[str]) -> Needle:
    if isinstance(value, re.Pattern):
        return Needle(pattern=re.compile(value.pattern.encode(), value.flags & ~re.UNICODE))
    if len(value) < 6:
        raise UsageError(
            f"{name} has {plural(len(value), 'character')}: too short to be told from other text",
            remedy="give a longer value, or a pattern with what stands around it: re.compile('PASSWORD=1234')",
        )
    return Needle.of_text(value)


@dataclass(frozen=True, slots=True)
class _Place:
    """Somewhere a secret could be: words for it (secrets masked), and what to do if it is there."""

    where: str
    why: str
    hint: str
    packaged: bool = False


_USE_SECRET = "RUN --mount=type=secret,id=… gives a secret to one step and leaves nothing behind"
_INSPECT = "everybody who has the image reads it with docker inspect"
_HISTORY = "docker history --no-trunc shows every instruction, with the build arguments it could see"
_LAYER = "a layer keeps what was written in it, even if a later one deletes the file: docker save shows it"


def _masked(text: str, wanted: Wanted) -> str:
    """The text, each secret in it masked."""
    data = text.encode()
    for needle in wanted.values():
        data = needle.masked(data, lambda found: mask(_text(found)).encode())
    return _text(data)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _config_places(image: Image, wanted: Wanted) -> Iterator[tuple[_Place, bytes]]:
    config = image.config
    for name, value in config.env.items():
        hint = f"set it when running: docker run -e {name}=…"
        yield _Place(f"environment variable {name}", _INSPECT, hint), f"{name}={value}".encode()
    for name, value in config.labels.items():
        yield _Place(f"label {name}", _INSPECT, "take it out of LABEL"), f"{name}={value}".encode()
    health = config.healthcheck.test if config.healthcheck else ()
    for word, parts in (("CMD", config.cmd), ("ENTRYPOINT", config.entrypoint), ("HEALTHCHECK", health)):
        yield _Place(word, _INSPECT, "read it from the environment or a mounted file"), "\0".join(parts or ()).encode()
    for number, entry in enumerate(image.history, 1):
        # Masked before it is shortened: half a secret is too much, and no pattern finds it.
        shown = clip(_masked(instruction_text(entry), wanted), 70)
        yield _Place(f"history, line {number}: {shown}", _HISTORY, _USE_SECRET), entry.created_by.encode()


class _Layers:
    """Words for places in layers."""

    def __init__(self, image: Image, wanted: Wanted) -> None:
        self._wanted = wanted
        self._count = len(image.layers)
        self._made_by: dict[int, str] = {}
        # An image whose history doesn't fit its layers is looked at all the same, without instructions.
        with suppress(UsageError):
            rows = ((row.index, row.text) for row in instructions(image))
            self._made_by = {n: clip(_masked(text, wanted), 60) for n, text in rows if n is not None}
        self._deleted: dict[str, list[int]] = {}

    def deletes(self, index: int, layer: LayerFiles) -> None:
        for path in layer.deleted:
            self._deleted.setdefault(path, []).append(index)

    def place(self, index: int, path: str) -> _Place:
        made_by = f" ({self._made_by[index]})" if index in self._made_by else ""
        gone = next((n for n in self._deleted.get(path, ()) if n > index), None)
        then = "" if gone is None else f" (deleted in layer {gone + 1})"
        return _Place(
            f"layer {index + 1} of {self._count}{made_by}: {_masked(path, self._wanted)}{then}",
            _LAYER,
            f"name it in .dockerignore, or: {_USE_SECRET}",
            packaged=bool(_PACKAGED.search(path)),
        )


def no_secret(image: Image, wanted: Wanted, *, first_layer: int = 0) -> Checked[SecretScan]:
    """None of the texts and patterns is in the image. Evidence: how much was looked at.

    Args:
        first_layer: index of the first layer to look at; those below are somebody else's.

    Raises:
        UsageError: the image's source can't show its files.
    """
    if image.files is None:
        raise UsageError(
            f"{name_of(image)} has no files to look at", remedy="take the image from an engine or an archive"
        )
    hits: dict[str, list[tuple[_Place, str]]] = {name: [] for name in wanted}

    def note(place: _Place, found: Mapping[str, Hit], part: str = "") -> None:
        for name, hit in found.items():
            if place.packaged and wanted[name] is KNOWN_KEYS["private key"]:
                continue
            form = f" in {hit.encoding}" if hit.encoding else ""
            hits[name].append((place, f"{part}{mask(_text(hit.text))}{form}"))

    def look(data: bytes) -> Mapping[str, Hit]:
        found = ((name, search(needle, data)) for name, needle in wanted.items())
        return {name: hit for name, hit in found if hit is not None}

    for place, data in _config_places(image, wanted):
        note(place, look(data))
    words = _Layers(image, wanted)
    layers = image.files.layers()
    for index, layer in enumerate(layers):
        words.deletes(index, layer)
    for index, layer in enumerate(layers[first_layer:], first_layer):
        for entry in layer.files:
            if found := look(f"{entry.path}\n{entry.link}".encode("utf-8", "surrogateescape")):
                note(words.place(index, entry.path), found, "in the name: ")
    files, size = 0, 0
    for index, entry, content in image.files.contents(first_layer):
        in_content, read = search_stream(content, wanted)
        files, size = files + 1, size + read
        if in_content:
            note(words.place(index, entry.path), in_content)
    scan = SecretScan(layers=len(layers) - first_layer, files=files, size=size)
    return Checked(evidence=scan, findings=tuple(_finding(image, name, found) for name, found in hits.items() if found))


def _finding(image: Image, name: str, found: Sequence[tuple[_Place, str]]) -> Finding:
    first = found[0][0]
    return Finding(
        what=f"{name_of(image)} gives away {name}",
        where=first.where,
        expected="nowhere in the image",
        found=listing((f"{value} in {place.where}" for place, value in found), 8),
        why=first.why,
        hint=f"{first.hint}\na key that was in an image others have is to be replaced",
    )
