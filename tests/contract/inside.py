"""An engine's program run from its root file system: in a mount namespace of its own, on this machine's kernel."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_dockerlab.places import cache_dir, runtime_dir

__all__ = ["enter", "stand_in"]


def enter(root: Path, command: Sequence[str], shared: Sequence[Path]) -> list[str]:
    """A command line that runs ``command`` in ``root``; it sees ``shared`` under the same paths as we do.

    All of its mounts are in a namespace of its own and end with it; ``exec`` all the way keeps the process's id.
    """
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _script(root, shared), "sh", *command]


def _script(root: Path, shared: Sequence[Path]) -> str:
    top = shlex.quote(str(root))
    # A mount point of its own: engines remount what they take for the root of all.
    rows = [f"mount --bind {top} {top}"]
    rows += [f"mount --rbind /{name} {top}/{name}" for name in ("proc", "sys", "dev")]
    # Its own folder of what runs: what is in this machine's is not its business.
    rows += [f"mount -t tmpfs none {top}/run"]
    # A user of rootless engines has to open it, which the machine's own mode may forbid.
    rows += [f"rm -f {top}/tun", f"mknod -m 666 {top}/tun c 10 200", f"mount --bind {top}/tun {top}/dev/net/tun"]
    rows += [f"cp -L /etc/resolv.conf {top}/etc/resolv.conf", f"cp /etc/hosts {top}/etc/hosts"]
    for path in shared:
        target = f"{top}{shlex.quote(str(path))}"
        rows += [f"mkdir -p {target}", f"mount --rbind {shlex.quote(str(path))} {target}"]
    # The namespace's own root, not a chroot: an exec joins a container by its namespace, whose root it would find
    # to be this machine's (setns(2)).
    rows += [f"cd {top}", "pivot_root . mnt", 'exec chroot . sh -c \'umount -l /mnt; exec "$@"\' sh "$@"']
    return "\n".join(rows)


def stand_in(
    root: Path, program: str, folder: Path, *, features: Mapping[str, bool], shared: Sequence[Path] = ()
) -> None:
    """Write a script that is taken for ``program`` where ``folder`` comes first on PATH.

    Args:
        shared: what it sees of this machine, besides its own run-time files and data.
    """
    shared = [runtime_dir(), cache_dir(), *shared]
    edit = ""
    if features:
        # What this package writes for an engine of its own, and the features of the edition.
        code = (
            "import json, sys; path = sys.argv[1].partition('=')[2]; config = json.load(open(path));"
            f" config['features'] = json.loads({json.dumps(json.dumps(dict(features)))});"
            " json.dump(config, open(path, 'w'))"
        )
        edit = f'python3 -c {shlex.quote(code)} "$1"\n'
    line = shlex.join(enter(root, [f"/usr/sbin/{program}" if program == "dockerd" else program], shared))
    script = folder / program
    script.write_text(f'#!/bin/sh\nset -e\n{edit}exec {line} "$@"\n')
    script.chmod(0o755)
