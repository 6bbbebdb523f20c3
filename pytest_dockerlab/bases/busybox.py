"""The tree of ``alpine``'s stand-in: busybox, one static program, and a link for each tool in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pytest_dockerlab.bases.apt import render_sources
from pytest_dockerlab.bases.blobs import Entry
from pytest_dockerlab.bases.host import Host
from pytest_dockerlab.bases.rootfs import debian_architecture
from pytest_dockerlab.errors import BaseImageMissing
from pytest_dockerlab.image.elf import read_elf
from pytest_dockerlab.platforms import Platform

__all__ = ["applets", "busybox_tree", "find_busybox"]

_PROGRAM = Path("/bin/busybox")

_FOLDERS = (
    "bin", "dev", "etc", "etc/profile.d", "home", "lib", "media", "mnt", "opt", "proc", "run", "sbin", "srv", "sys",
    "usr", "usr/bin", "usr/lib", "usr/local", "usr/local/bin", "usr/sbin", "usr/share", "var", "var/cache", "var/lib",
    "var/log",
)  # fmt: skip
_PASSWD = """\
root:x:0:0:root:/root:/bin/sh
bin:x:1:1:bin:/bin:/sbin/nologin
daemon:x:2:2:daemon:/sbin:/sbin/nologin
guest:x:405:100:guest:/dev/null:/sbin/nologin
nobody:x:65534:65534:nobody:/:/sbin/nologin
"""
_GROUP = """\
root:x:0:root
bin:x:1:root,bin,daemon
daemon:x:2:root,bin,daemon
dialout:x:20:root
users:x:100:
nobody:x:65534:
"""
_APK = """\
#!/bin/sh
echo "apk: this image is pytest-dockerlab's stand-in for alpine: it has no packages to install" >&2
exit 1
"""


def applets(program: bytes) -> tuple[str, ...]:
    """The tools in a busybox, read from its table of names, so that one for another machine can be asked, too.

    Raises:
        BaseImageMissing: no such table is in it.
    """
    start = program.find(b"\0[\0[[\0") + 1
    end = program.find(b"\0\0", start)
    if not start or end < 0:
        raise BaseImageMissing("the busybox found has no list of its tools", remedy="apt-get install busybox-static")
    return tuple(name.decode("ascii") for name in program[start:end].split(b"\0"))


def busybox_tree(program: bytes, host: Host) -> tuple[Entry, ...]:
    """The files of the image."""
    version = f"busybox of {host.pretty}" if host.pretty else "busybox"
    release = f'NAME="stand-in for alpine"\nID=dockerlab-standin\nPRETTY_NAME="stand-in for alpine ({version})"\n'
    texts = {"etc/passwd": _PASSWD, "etc/group": _GROUP, "etc/os-release": release, "etc/hostname": "localhost\n"}
    texts["etc/profile"] = 'export PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"\n'
    return (
        *(Entry(path=folder) for folder in _FOLDERS),
        Entry(path="root", mode=0o700),
        Entry(path="tmp", mode=0o1777),
        Entry(path="var/tmp", mode=0o1777),
        Entry(path="bin/busybox", content=program),
        *(Entry(path=f"bin/{name}", link="busybox") for name in applets(program) if name != "busybox"),
        Entry(path="sbin/apk", content=_APK.encode()),
        *(Entry(path=path, content=text.encode(), mode=0o644) for path, text in texts.items()),
    )


def find_busybox(platform: Platform, folder: Path, host: Host, program: Path = _PROGRAM) -> bytes:
    """A static busybox: this host's own if it is one, else out of the distribution's package.

    Args:
        folder: where a package may be downloaded to.
        host: where it gets its packages from.
        program: the host's own.

    Raises:
        BaseImageMissing: there is none, and none can be downloaded.
    """
    if program.is_file() and _fits(content := program.read_bytes(), platform):
        return content
    package, apt = "busybox-static", ["apt-get", "-q", "-o", "APT::Sandbox::User=root"]
    remedy = "apt-get install busybox-static"
    if debian_architecture(platform) != debian_architecture(Platform.of_host()):
        package, remedy = f"{package}:{debian_architecture(platform)}", "see whether the distribution has it"
        apt += _apart(debian_architecture(platform), folder, host)
        _said([*apt, "update"], folder, package, remedy)
    _said([*apt, "download", package], folder, package, remedy)
    _said(["sh", "-c", "dpkg-deb -x busybox-static_*.deb tree"], folder, package, remedy)
    for path in (folder / "tree/bin/busybox", folder / "tree/usr/bin/busybox"):
        if path.is_file() and _fits(content := path.read_bytes(), platform):
            return content
    raise BaseImageMissing(f"the package {package} has no static busybox for {platform} in it")


def _apart(architecture: str, folder: Path, host: Host) -> list[str]:
    """Options by which apt looks at another architecture's packages, and changes nothing of this machine's."""
    top = folder / "apt"
    for name in ("sources", "state/lists/partial", "cache/archives/partial"):
        (top / name).mkdir(parents=True)
    (top / "sources/host.sources").write_text(render_sources(host.sources), encoding="utf-8")
    (top / "status").touch()
    said = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "Acquire::Languages": "none",
        "Dir::State": str(top / "state"),
        "Dir::State::Status": str(top / "status"),
        "Dir::Cache": str(top / "cache"),
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": str(top / "sources"),
    }
    return [word for name, value in said.items() for word in ("-o", f"{name}={value}")]


def _said(command: list[str], folder: Path, package: str, remedy: str) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    except FileNotFoundError as error:
        raise BaseImageMissing(f"{package}: there is no {command[0]} here") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise BaseImageMissing(f"can't download the package {package}: {' '.join(said)}", remedy=remedy)


def _fits(program: bytes, platform: Platform) -> bool:
    """Whether this is a program for ``platform`` that needs no loader."""
    found = read_elf(program)
    return found is not None and found.static and found.architecture == platform.architecture
