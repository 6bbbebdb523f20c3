"""``run.txt`` → ``Command``s: verb, flags and arguments, as the docker client would read them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_dockerlab.exercises.flags import VERBS, Flag, flag_of
from pytest_dockerlab.exercises.refusal import Refusal, refuse
from pytest_dockerlab.exercises.shell import Line, Shell, read_lines

__all__ = ["Command", "Commands", "read_commands"]

# docker container run is docker run, docker buildx build is docker build.
_GROUPS = {
    "container": ("run", "create", "exec", "start", "stop", "rm", "commit"),
    "image": ("build", "pull", "push", "rm", "tag", "save", "load"),
    "buildx": ("build", "b"),
    "builder": ("build",),
}
_OTHER_VERBS = (
    *("attach", "checkpoint", "compose", "config", "context", "cp", "debug", "diff", "events", "export", "history"),
    *("images", "import", "info", "init", "inspect", "kill", "login", "logout", "logs", "manifest", "mcp", "model"),
    *("network", "node", "pause", "plugin", "port", "ps", "rename", "restart", "sandbox", "scout", "search"),
    *("secret", "service", "stack", "stats", "swarm", "system", "top", "trust", "unpause", "update", "version"),
    *("volume", "wait", "app", "ai", "extension", "offload", "desktop", "sbom", "scan", "dev", "container", "image"),
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.ASCII | re.DOTALL)
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One docker command.

    Attributes:
        verb: a key of ``flags.VERBS``.
        where: file and line.
        options: long name and value, in order; a switch has ``"true"`` or ``"false"``.
        arguments: what is no flag.
        ignored: flags as written that have no effect here.
    """

    verb: str
    where: str
    options: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of this flag, in order."""
        return tuple(value for key, value in self.options if key == name)

    def last(self, name: str, default: str = "") -> str:
        """Its last value, which is the one that counts."""
        return next(reversed(self.all(name)), default)

    def on(self, name: str) -> bool:
        """Whether this switch is on."""
        return self.last(name) == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What a text asks for, and what in it is refused. A line with a refusal is no command."""

    commands: tuple[Command, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def of(self, *verbs: str) -> tuple[Command, ...]:
        """The commands of these verbs, in order."""
        return tuple(command for command in self.commands if command.verb in verbs)


def read_commands(text: str, shell: Shell | None = None, *, path: str = "run.txt") -> Commands:
    """Read a text's docker commands. Never fails, runs nothing.

    Args:
        shell: what ``$PWD`` and the like stand for.
        path: for messages.
    """
    commands: list[Command] = []
    refusals: list[Refusal] = []
    for line in read_lines(text, shell or Shell(), path=path):
        where = f"{path}:{line.number}"
        command, found = _command(line, where)
        refusals.extend(found)
        if command is not None and not found:
            commands.append(command)
    return Commands(commands=tuple(commands), refusals=tuple(refusals))


def _command(line: Line, where: str) -> tuple[Command | None, Sequence[Refusal]]:
    if line.refusals:
        return None, line.refusals
    words = list(line.words)
    if words[0] == "sudo" and len(words) > 1:
        words = words[1:]
    if _ASSIGNMENT.fullmatch(words[0]):
        return None, [refuse("assignment", where, words[0])]
    if words[0] != "docker":
        return None, [refuse("not_docker", where, words[0])]
    verb, rest, refusal = _verb(words[1:], where)
    if refusal is not None:
        return None, [refusal]
    reader = _Flags(verb, rest, where)
    reader.read()
    known = VERBS[verb]
    count = len(reader.arguments)
    if not reader.refusals and (count < known.least or (known.most is not None and count > known.most)):
        value = " ".join(reader.arguments) or "none"
        reader.refusals.append(refuse("arguments", where, value, verb=verb, wanted=known.wanted))
    command = Command(
        verb=verb,
        where=where,
        options=tuple(reader.options),
        arguments=tuple(reader.arguments),
        ignored=tuple(reader.ignored),
    )
    return command, reader.refusals


def _verb(words: list[str], where: str) -> tuple[str, list[str], Refusal | None]:
    if not words:
        return "", [], refuse("verb", where, "(nothing)", known=", ".join(VERBS))
    verb, rest = words[0], words[1:]
    if verb.startswith("-"):
        return "", [], refuse("global_option", where, verb)
    if verb in _GROUPS and rest and rest[0] in _GROUPS[verb]:
        inner = {"b": "build"}.get(rest[0], rest[0])
        return ("rmi" if (verb, inner) == ("image", "rm") else inner), rest[1:], None
    if verb in VERBS:
        return verb, rest, None
    if verb in _OTHER_VERBS or verb in _GROUPS:
        return "", [], refuse("verb", where, " ".join([verb, *rest[:1]]), known=", ".join(VERBS))
    return "", [], refuse("unknown_verb", where, verb, meant=_closest(verb, [*VERBS, *_OTHER_VERBS]))


class _Flags:
    """Reads flags as the client's own library does (spf13/pflag)."""

    def __init__(self, verb: str, words: list[str], where: str) -> None:
        self.verb, self.where = verb, where
        self.pending = list(reversed(words))
        self.options: list[tuple[str, str]] = []
        self.arguments: list[str] = []
        self.ignored: list[str] = []
        self.refusals: list[Refusal] = []

    def read(self) -> None:
        while self.pending:
            word = self.pending.pop()
            if word == "--":
                break
            if word.startswith("--"):
                self._long(word)
            elif word.startswith("-") and word != "-":
                self._letters(word)
            else:
                self.arguments.append(word)
                if not VERBS[self.verb].anywhere:
                    break
        self.arguments.extend(reversed(self.pending))

    def _long(self, word: str) -> None:
        name, equals, value = word[2:].partition("=")
        flag = flag_of(self.verb, name) if len(name) > 1 else None
        if flag is None:
            self._unknown(word, name)
        elif equals:
            self._take(flag, f"--{name}", value)
        elif flag.switch:
            self._take(flag, word, "true")
        else:
            self._next(flag, word)

    def _letters(self, word: str) -> None:
        rest = word[1:]
        while rest:
            letter, rest = rest[0], rest[1:]
            flag = flag_of(self.verb, letter)
            if flag is None:
                self._unknown(word, word[1:].partition("=")[0])
                return
            if rest.startswith("="):
                self._take(flag, f"-{letter}", rest[1:])
                return
            if flag.switch:
                self._take(flag, f"-{letter}", "true")
            elif rest:
                self._take(flag, f"-{letter}", rest)
                return
            else:
                self._next(flag, f"-{letter}")

    def _next(self, flag: Flag, written: str) -> None:
        if self.pending:
            self._take(flag, written, self.pending.pop())
        else:
            self.refusals.append(refuse("flag_value", self.where, written))

    def _take(self, flag: Flag, written: str, value: str) -> None:
        if flag.switch:
            if value not in _TRUE + _FALSE:
                self.refusals.append(refuse("bool_value", self.where, f"{written}={value}"))
                return
            value = "true" if value in _TRUE else "false"
        if flag.treatment == "refused":
            if value != "false" or not flag.switch:
                self.refusals.append(refuse(flag.reason, self.where, written if flag.switch else f"{written} {value}"))
        elif flag.treatment == "ignored":
            self.ignored.append(written)
        else:
            self.options.append((flag.name, value))

    def _unknown(self, word: str, name: str) -> None:
        names = [flag.name for flag in VERBS[self.verb].flags]
        # -name is what people write for --name.
        meant = f"--{name}" if name in names else _closest(name, names, "--")
        self.refusals.append(refuse("unknown_flag", self.where, word, verb=self.verb, meant=meant))


def _closest(word: str, known: Sequence[str], dashes: str = "") -> str:
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.5)
    return dashes + close[0] if close else f"{dashes}help"
