"""Trying a path's permissions in a container: one exec, one small shell script, each try reported by itself."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_dockerlab.assertions.things import Executed, RunsCommands, container, insist_on_running, name_of
from pytest_dockerlab.checks.files import mode_text
from pytest_dockerlab.checks.permissions import Access, Attempt
from pytest_dockerlab.errors import ContainerFailed, UsageError
from pytest_dockerlab.findings import CheckFailed, Finding

__all__ = ["try_access"]

_NAME = "dockerlab-probe"

# For dash, bash and busybox. $0: name in front of the shell's own messages. $1: readable, writable or
# executable; $2: what the path is ("" to look), $3: path, $4: name for probes, further: a program's arguments.
# An exec costs more than all that a script does: who may look at the path needs only one.
#
# Each try runs in a subshell, since a failed redirection may end the shell it happens in, and prints
# one line "part TAB action TAB status TAB message". Redirections are in braces, so that the shell's
# own complaint about them is caught. test -w as root says yes on a read-only mount with some shells:
# it is never the only try.
_SCRIPT = r"""
part=path
report() { message=${3%%
*}; printf '%s\t%s\t%s\t%s\n' "$part" "$1" "$2" "$message"; }
try() { action=$1; shift; said=$("$@" 2>&1) && report "$action" 0 "" || report "$action" $? "$said"; }
opens_to_read() { { : < "$1"; } 2>&1; }
opens_to_append() { { : >> "$1"; } 2>&1; }
creates() { { set -C; : > "$1"; } 2>&1; }
deletes() { rm "$1" < /dev/null 2>&1; }
enters() { cd "$1" 2>&1; }
in_folder() {
  try 'create a file in it' creates "$1/$2"
  if [ -e "$1/$2" ]; then try 'delete that file' deletes "$1/$2"; fi
}
starts() {
  program=$1; shift
  "$program" "$@" < /dev/null > /dev/null 2>&1 &
  child=$!
  ( sleep 2; kill -9 $child ) < /dev/null > /dev/null 2>&1 &
  watch=$!
  wait $child; code=$?
  kill $watch 2> /dev/null
  case $code in
    126|127)
      # Only the shell's own words tell whether it could not start it, or whether it started and said so itself.
      said=$("$program" "$@" < /dev/null 2>&1 > /dev/null)
      case $said in "$name: "*) printf '%s\n' "$said"; return $code ;; esac ;;
  esac
  return 0
}
name=$0 wanted=$1 kind=$2 path=$3 probe=$4
shift 4
printf 'id\t%s\t0\t\n' "$(id -u 2> /dev/null):$(id -g 2> /dev/null)"
if [ -z "$kind" ]; then
  kind=nothing
  if [ -d "$path" ]; then kind=folder; elif [ -f "$path" ]; then kind=file
  elif [ -c "$path" ] || [ -b "$path" ]; then kind=device; elif [ -e "$path" ]; then kind='pipe or socket'; fi
fi
printf 'there\t%s\t%s\t\n' "$kind" "$(stat -L -c '%u:%g %a' "$path" 2> /dev/null)"
what=nothing
case $wanted/$kind in
  readable/file|readable/folder|readable/device) what=read ;;
  writable/file|writable/device) what=write-file ;;
  writable/folder) what=write-folder ;;
  executable/file) what=start ;;
  executable/folder) what=enter ;;
esac
case $what in
  read) try 'test -r' test -r "$path"; try 'open it to read' opens_to_read "$path" ;;
  write-file) try 'test -w' test -w "$path"; try 'open it to append' opens_to_append "$path" ;;
  write-folder) try 'test -w' test -w "$path"; in_folder "$path" "$probe" ;;
  enter) try 'test -x' test -x "$path"; try 'enter it' enters "$path" ;;
  start) try 'test -x' test -x "$path"; try 'start it' starts "$path" "$@" ;;
esac
part=control
case $what in
  read) try 'read /dev/null' opens_to_read /dev/null ;;
  write-file) try 'append to /dev/null' opens_to_append /dev/null ;;
  write-folder)
    for place in /dev/shm /tmp /var/tmp /dev/mqueue; do
      if [ -d "$place" ] && [ -w "$place" ]; then in_folder "$place" "$probe"; break; fi
    done ;;
  enter) try 'enter /' enters / ;;
  start) try 'start /bin/sh' /bin/sh -c : ;;
esac
"""


def try_access(
    box: RunsCommands,
    path: str,
    wanted: Literal["readable", "writable", "executable"],
    *,
    user: str | int | None = None,
    args: Sequence[str] = (),
) -> Access:
    """Try it as the user, with a control elsewhere; if refused, once more as the path's owner, to compare.

    Raises:
        CheckFailed: the container has ended, there is nothing at ``path``, or something that can't be tried without
            harm (a socket, a pipe).
        UsageError: the container was not started, or has no shell.
    """
    box = container(box, f"trying whether a path is {wanted}")
    insist_on_running(
        box,
        "what a user may do is tried in a running container",
        'run something that stays, such as ["sleep", "600"]; assert_mode and assert_owner need no process',
    )
    if not path.startswith("/"):
        raise UsageError(f"not an absolute path: {path!r}", remedy="write it from the root: /…")
    probe = f".{_NAME}-{secrets.token_hex(4)}"
    who = "" if user is None else str(user)
    tried = _run(box, who, (wanted, "", path, probe, *args))
    there = tried.there
    if there.kind == "nothing":
        # Nothing for this user, who may not even enter its folder; root sees whether it is there.
        there = _run(box, "0", ("nothing", "", path, probe)).there
        if there.kind != "nothing":
            tried = _run(box, who, (wanted, there.kind, path, probe, *args))
    if not tried.attempts:
        what = f"{name_of(box)} has no {path}" if there.kind == "nothing" else f"{path} is a {there.kind}"
        hint = "look at assert_file, assert_mode and assert_owner"
        raise CheckFailed([Finding(what=f"{what}: whether it is {wanted} can't be tried", hint=hint)])
    owner: tuple[Attempt, ...] = ()
    if not all(attempt.worked for attempt in tried.attempts) and there.owner:
        owner = _run(box, there.owner, (wanted, there.kind, path, probe, *args)).attempts
    return Access(
        path=path,
        wanted=wanted,
        user=who,
        attempts=tried.attempts,
        control=tried.control,
        owner=owner,
        identity=tried.identity,
        path_is=str(there) if there.owner else "",
    )


@dataclass(frozen=True, slots=True)
class _There:
    """What is seen at the path from inside: the archive API sees no tmpfs, /proc or /dev."""

    kind: str
    owner: str = ""
    mode: int = 0

    def __str__(self) -> str:
        return f"a {self.kind} of {self.owner}, mode {mode_text(self.mode)}"


@dataclass(frozen=True, slots=True)
class _Tried:
    """What one run of the script said; no attempts where the path is nothing that can be tried."""

    identity: str
    there: _There
    attempts: tuple[Attempt, ...]
    control: tuple[Attempt, ...]


def _shell(box: RunsCommands, user: str, script: str, args: Sequence[str]) -> Executed:
    try:
        return box.exec(["/bin/sh", "-c", script, _NAME, *args], user=user, env={"LC_ALL": "C"})
    except ContainerFailed as error:
        raise UsageError(
            f"nothing can be tried in {name_of(box)} as {f'user {user}' if user else 'its user'}: {error.what}",
            remedy="it needs /bin/sh; look at modes with assert_mode and assert_owner, which need no shell",
        ) from error


def _run(box: RunsCommands, user: str, args: Sequence[str]) -> _Tried:
    """Identity, what the path is, tries on it, tries on the control's place."""
    done = _shell(box, user, _SCRIPT, args)
    identity = ""
    there: _There | None = None
    attempts: dict[str, list[Attempt]] = {"path": [], "control": []}
    for row in done.output.splitlines():
        part, action, status, message = [*row.split("\t"), "", "", ""][:4]
        if part == "id":
            identity = action if not action.startswith(":") else ""
        elif part == "there":
            owner, _, mode = status.partition(" ")
            there = _There(action, owner, int(mode or "0", 8))
        elif part in attempts:
            attempts[part].append(Attempt(action=action, worked=status == "0", message=_own_words(message)))
    if there is None:
        raise UsageError(
            f"nothing can be tried in {name_of(box)} as {f'user {user}' if user else 'its user'}: "
            f"its shell ended with {done.exit_code}: {(done.stderr or done.output).strip()[:200]}",
            remedy="look whether it knows the user; assert_mode and assert_owner need neither user nor shell",
        )
    return _Tried(identity, there, tuple(attempts["path"]), tuple(attempts["control"]))


def _own_words(message: str) -> str:
    """A shell's message without the name and line in front of it."""
    rest = message.removeprefix(f"{_NAME}: ")
    head, _, after = rest.partition(": ")
    return after if head.removeprefix("line ").isdecimal() else rest
