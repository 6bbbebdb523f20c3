"""Whether a Dockerfile may be built under a policy, and what of it is forced.

Where a reading is in doubt it is refused: what an attacker needs is one reading of ours that differs from
the builder's.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping

from pytest_dockerlab.build.dockerfile import Dockerfile, Stage, parse
from pytest_dockerlab.build.lexer import Instruction, words
from pytest_dockerlab.build.stage import StageNames
from pytest_dockerlab.exercises.policy import Policy
from pytest_dockerlab.exercises.refusal import Refusal, refuse
from pytest_dockerlab.quantity import human_bytes
from pytest_dockerlab.run.readers import RESERVED_LABELS

__all__ = ["LEAST_INTERVAL", "judge_dockerfile", "syntax_of", "without_syntax"]

# BuildKit looks for it behind "//", too, below a "#!" line, and in JSON (frontend/dockerfile/parser, DetectSyntax).
_SYNTAX = re.compile(r"\s*(?:#|//)\s*syntax\s*=(.+)", re.IGNORECASE)
_COMMENT = re.compile(r"\s*(?:#|//)")
_OFFICIAL = re.compile(r"(?:docker\.io/)?docker/dockerfile:1(?:\.\d+)*")
_REMOTE = re.compile(r"://|^git@|^github\.com/|^[\w.-]+@[\w.-]+:|\.git(?:[#?].*)?$", re.IGNORECASE | re.ASCII)
#: Seconds between two health checks, which are the engine's own doing and in no container's limits.
LEAST_INTERVAL = 1.0
# As Go reads durations (time.ParseDuration).
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})(ns|us|µs|ms|s|m|h)", re.ASCII)
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_VARIABLE = re.compile(r"\$\{?(\w+)", re.ASCII)
# Characters that a variable of the base may have.
_UNKNOWN = 1_000
_MOST_EXPANDED = 256 * 1024
_QUOTES = str.maketrans("", "", "\\`'\"")


def judge_dockerfile(
    text: str, policy: Policy, *, path: str = "Dockerfile", args: Mapping[str, str] | None = None
) -> tuple[Refusal, ...]:
    """What of a Dockerfile is refused; nothing, if it may be built. Reasons that the policy permits are left out.

    Args:
        text: its text.
        path: for messages.
        args: the build arguments, as a FROM may use them.
    """
    found = _judged(parse(text, path, args), text, policy, path, args or {})
    return tuple(refusal for refusal in found if refusal.code not in policy.permits)


def syntax_of(text: str) -> str:
    """The frontend that ``# syntax=`` names in any way that a builder may understand, ``""`` for none."""
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped.startswith("{"):
        return "{…}"
    for row in text.removeprefix("\ufeff").split("\n"):
        if not row.strip():
            continue
        if not _COMMENT.match(row):
            break
        if match := _SYNTAX.match(row):
            return match[1].strip() or match[1]
    return ""


def without_syntax(text: str) -> str:
    """The same Dockerfile for the built-in frontend: same lines, without ``# syntax=``."""
    rows = text.removeprefix("\ufeff").split("\n")
    end = next((i for i, row in enumerate(rows) if row.strip() and not _COMMENT.match(row)), len(rows))
    head = [row for row in rows[:end] if not _SYNTAX.match(row)]
    # Directives stand above everything else: what is taken out is made up for below them.
    return "\n".join([*head, *["#"] * (end - len(head)), *rows[end:]])


def _judged(dockerfile: Dockerfile, text: str, policy: Policy, path: str, args: Mapping[str, str]) -> Iterator[Refusal]:
    known = ", ".join(policy.bases) or "(no base is allowed)"
    syntax = syntax_of(text)
    # The official frontend's language is the built-in one's; without_syntax takes the line out.
    if syntax and not _OFFICIAL.fullmatch(syntax):
        yield refuse("syntax", f"{path}:1", syntax)
        return
    for problem in dockerfile.problems:
        yield refuse("unbuildable", problem.where, problem.what, meant=problem.hint or "-")
    count = len(dockerfile.instructions)
    if count > policy.instructions:
        yield refuse("instructions", path, count, most=policy.instructions)
    if len(dockerfile.stages) > policy.stages:
        yield refuse("stages", path, len(dockerfile.stages), most=policy.stages)
    if not policy.heredocs:
        for each in dockerfile.heredocs:
            yield refuse("heredoc", f"{path}:{each.line}", each.text)
    yield from _expansion(dockerfile, path, args)
    unclear = _unclear(dockerfile)
    for stage in dockerfile.stages:
        if unclear:
            yield refuse("base_unknown", f"{path}:{stage.line}", unclear)
        else:
            yield from _base(stage, policy, path, known)
        for each in stage.instructions:
            where = f"{path}:{each.line}"
            if each.keyword == "RUN":
                yield from _run(each, stage, dockerfile, policy, where, known)
            elif each.keyword in ("COPY", "ADD"):
                yield from _copy(each, stage, dockerfile, policy, where, known)
            elif each.keyword == "ONBUILD":
                yield refuse("onbuild", where, each.arguments)
            elif each.keyword == "LABEL" and RESERVED_LABELS in each.arguments.translate(_QUOTES):
                yield refuse("label", where, each.arguments)
            elif each.keyword == "HEALTHCHECK":
                yield from _health(each, where)


def _expansion(dockerfile: Dockerfile, path: str, args: Mapping[str, str]) -> Iterator[Refusal]:
    """Variables that grow with each line: the builder, which all share, would hold what becomes of them in memory."""
    known = {name: len(value) for name, value in args.items()}

    def length(text: str) -> int:
        return len(text) + sum(known.get(match[1], _UNKNOWN) for match in _VARIABLE.finditer(text))

    for each in dockerfile.instructions:
        if each.keyword == "RUN":
            continue  # its variables are the shell's
        if length(each.arguments) > _MOST_EXPANDED:
            yield refuse("expansion", f"{path}:{each.line}", each.arguments, most=human_bytes(_MOST_EXPANDED))
            return
        if each.keyword in ("ARG", "ENV"):
            found = {}
            for word in words(each.arguments):
                name, _, value = word.partition("=")
                found[name] = length(value)
            if each.keyword == "ENV" and "=" not in each.arguments.partition(" ")[0]:
                name, _, value = each.arguments.partition(" ")  # the old form: ENV NAME value
                found[name] = length(value)
            # A stage may start from an earlier one, or not: the longest counts.
            known.update({name: max(size, known.get(name, 0)) for name, size in found.items()})


def _unclear(dockerfile: Dockerfile) -> str:
    """A word of a FROM, or of an ARG above it, in which our reading of escapes might not be the builder's."""
    if dockerfile.directives.get("escape", "\\") == "\\":
        return ""
    heads = (*dockerfile.arguments, *(stage.instructions[0] for stage in dockerfile.stages))
    return next((each.text for each in heads if "\\" in each.text or "`" in each.text), "")


def _health(each: Instruction, where: str) -> Iterator[Refusal]:
    for key, value in each.flags:
        if key in ("interval", "start-interval"):
            parts = _DURATION.findall(value)
            seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
            # 0 is the engine's default of 30 seconds. What is no duration would be refused by the builder, too.
            if "".join(map("".join, parts)) != value or 0 < seconds < LEAST_INTERVAL:
                yield refuse("health_interval", where, value, least=f"{LEAST_INTERVAL:g} s")


def _base(stage: Stage, policy: Policy, path: str, known: str) -> Iterator[Refusal]:
    where = f"{path}:{stage.line}"
    if stage.base_stage is not None or not stage.base:
        return  # an empty one is among the problems
    if stage.base == "scratch":
        if not policy.scratch:
            yield refuse("scratch", where, stage.base, known=known)
    elif "$" in stage.base:
        yield refuse("base_unknown", where, stage.written)
    elif not policy.allows_image(stage.base):
        yield refuse("base", where, stage.base, known=known)


def _source(
    name: str, stage: Stage, dockerfile: Dockerfile, policy: Policy, where: str, known: str
) -> Iterator[Refusal]:
    if StageNames(dockerfile.stages).find(name, stage.index) is None and not policy.allows_image(name):
        yield refuse("copy_from", where, name, known=known)


def _copy(
    each: Instruction, stage: Stage, dockerfile: Dockerfile, policy: Policy, where: str, known: str
) -> Iterator[Refusal]:
    for key, value in each.flags:
        if key.lower() == "from":
            yield from _source(value.translate(_QUOTES), stage, dockerfile, policy, where, known)
    if each.keyword == "COPY":
        return  # it takes files of the context or of an image, and nothing else
    # Both forms, words and JSON; a builder takes quotes and escapes off before it looks.
    words = [word.translate(_QUOTES) for word in re.split(r"[\s,\[\]]+", each.arguments)]
    words = [word for word in words if word]
    for index, word in enumerate(words):
        # A variable may hold an address, or a part of one; the last word is where it goes.
        remote = _REMOTE.search(word) or ("$" in word and index < len(words) - 1)
        if remote and not word.startswith(policy.downloads or ("\0",)):
            yield refuse("add_remote", where, word)


def _run(
    each: Instruction, stage: Stage, dockerfile: Dockerfile, policy: Policy, where: str, known: str
) -> Iterator[Refusal]:
    for key, value in each.flags:
        name = key.lower()
        if name == "mount":
            yield from _mount(value, stage, dockerfile, policy, where, known)
        elif name == "security" and value != "sandbox":
            yield refuse("run_security", where, value)
        elif name == "network" and value not in ("default", "none"):
            yield refuse("run_network", where, value)
        elif name == "device":
            yield refuse("run_device", where, value)


def _mount(
    value: str, stage: Stage, dockerfile: Dockerfile, policy: Policy, where: str, known: str
) -> Iterator[Refusal]:
    # The builder reads it as a line of CSV, where a quote can hide a comma.
    fields = next(csv.reader([value]), [])
    options = {key.strip().lower(): text for key, _, text in (field.partition("=") for field in fields)}
    kind = options.get("type", "bind")
    if '"' in value or "$" in kind:
        yield refuse("mount_unknown", where, value)
        return
    if kind == "cache":
        yield refuse("mount_cache", where, value)
    elif kind in ("secret", "ssh"):
        yield refuse("mount_secret", where, value)
    elif kind not in ("bind", "tmpfs"):
        yield refuse("mount_unknown", where, value)
    if options.get("from"):
        yield from _source(options["from"], stage, dockerfile, policy, where, known)
