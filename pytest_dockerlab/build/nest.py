"""COPY and ADD made to take their sources from a folder of the archive, so that what lies beside it stays unseen.

BuildKit gets context and Dockerfile in one archive, and does not apply ``.dockerignore`` to it. A
Dockerfile that COPY must not see (it is ignored, or lies outside of the context) is therefore put
beside a folder that holds the context.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable

from pytest_dockerlab.build.dockerfile import Dockerfile
from pytest_dockerlab.build.lexer import Instruction, words
from pytest_dockerlab.foreign import read_json

__all__ = ["CONTEXT_FOLDER", "nest", "takes_everything", "unnested"]

CONTEXT_FOLDER = ".dockerlab-context"
_WHOLE = (".", "./", "/", "*", "./*", ".*")


def takes_everything(dockerfile: Dockerfile) -> bool:
    """Whether an instruction copies, or mounts, the whole context."""
    return any(
        set(_sources(each) or ()) & set(_WHOLE) or any(_is_context_mount(mount) for mount in _mounts(each))
        for each in dockerfile.instructions
    )


def nest(dockerfile: Dockerfile) -> str | None:
    """The text with all sources below ``CONTEXT_FOLDER``, line for line; ``None`` where that can't be told apart.

    It can't where a variable may turn out to be a URL (``ADD $SOURCE``).
    """
    lines = dockerfile.text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    for each in dockerfile.instructions:
        sources = _sources(each)
        if sources is not None:
            if each.keyword == "ADD" and any(source.lstrip("\"'").startswith("$") for source in sources):
                return None
            _put(lines, each, _with_sources(each))
        elif any(_is_context_mount(mount) for mount in _mounts(each)):
            _put(lines, each, _with_mounts(each.text, filter(_is_context_mount, _mounts(each))))
    return "\n".join(lines)


def unnested(message: str) -> str:
    """A builder's message with the paths as the Dockerfile has them."""
    return message.replace(f"/{CONTEXT_FOLDER}/", "/").replace(f"/{CONTEXT_FOLDER}", "/")


def _sources(each: Instruction) -> tuple[str, ...] | None:
    """What a COPY or ADD takes from the context; ``None`` for what takes nothing from it."""
    if each.keyword not in ("COPY", "ADD") or each.flag("from") or not each.arguments:
        return None
    return tuple((_json(each) or words(each.arguments))[:-1])


def _json(each: Instruction) -> list[str] | None:
    if not each.arguments.startswith("["):
        return None
    try:
        found = read_json(each.arguments)
    except ValueError:
        return None
    return [str(word) for word in found] if isinstance(found, list) else None


def _with_sources(each: Instruction) -> str:
    head = each.text[: len(each.text) - len(each.arguments)]
    in_json = _json(each)
    if in_json:
        return head + json.dumps([*map(_below, in_json[:-1]), in_json[-1]])
    *sources, target = words(each.arguments)
    return head + " ".join([*map(_below, sources), target])


def _below(source: str) -> str:
    if source.startswith(("<<", "git@")) or "://" in source:
        return source
    quote = source[0] if source[:1] in ("'", '"') else ""
    path = source[len(quote) :]
    if not quote and "$" not in path:
        slash = "/" if path.endswith("/") else ""
        path = posixpath.normpath("/" + path).lstrip("/") + slash  # .. stops at the context's root, as in BuildKit
    return f"{quote}/{CONTEXT_FOLDER}/{path.removeprefix('/')}"


def _mounts(each: Instruction) -> tuple[str, ...]:
    return tuple(value for key, value in each.flags if each.keyword == "RUN" and key == "mount")


def _with_mounts(text: str, mounts: Iterable[str]) -> str:
    parts: list[str] = []
    at = 0
    for mount in mounts:
        found = text.find(f"--mount={mount}", at)  # in order: each is behind the one before
        if found < 0:
            continue  # a --mount without a value, which no builder takes
        parts += [text[at:found], f"--mount={_with_source(mount)}"]
        at = found + len(f"--mount={mount}")
    return "".join([*parts, text[at:]])


def _options(mount: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in mount.split(","))


def _is_context_mount(mount: str) -> bool:
    options = _options(mount)
    return options.get("type", "bind") == "bind" and not options.get("from")


def _with_source(mount: str) -> str:
    options = _options(mount)
    source = options.get("source") or options.get("src") or "/"
    kept = [part for part in mount.split(",") if part.partition("=")[0] not in ("source", "src")]
    return ",".join([*kept, f"source={_below(source)}"])


def _put(lines: list[str], each: Instruction, text: str) -> None:
    """Write an instruction on its first line and leave the lines that continued it empty (here-documents stay)."""
    bodies = sum(heredoc.content.count("\n") + 1 for heredoc in each.heredocs)
    last = each.end_line - bodies
    lines[each.line - 1 : last] = [text, *[""] * (last - each.line)]
    if bodies and last > each.line:
        # A here-document must follow at once: the instruction goes on the last of its lines.
        lines[each.line - 1 : last] = [*[""] * (last - each.line), text]
