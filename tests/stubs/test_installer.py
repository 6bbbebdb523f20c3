"""The stand-in installer, run by this machine's shell with a Python that only writes down how it was called."""

from __future__ import annotations

import os
import platform
import pty
import re
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.stubs import DownloadSite, Installer
from pytest_dockerlab.stubs.installer import size_at

HERE = Installer(
    machine=platform.machine(), padding=1000, pip_conf="[global]\ncert = /ca.pem\n", packages=("lab", "two")
)

# `python3 -m venv PREFIX` makes a prefix whose programs say what they were told.
PYTHON = """\
#!/bin/sh
[ "$1" = -c ] && exit 0
mkdir -p "$3/bin"
for name in pip uv; do
    printf '#!/bin/sh\\necho "$(basename "$0") $*${SSL_CERT_FILE:+ with }${SSL_CERT_FILE:-}" >> "%s/calls"\\n' \\
        "$3" > "$3/bin/$name"
    chmod +x "$3/bin/$name"
done
"""


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A folder with the installer, and a folder ``bin`` that goes before PATH."""
    (tmp_path / "setup.sh").write_bytes(HERE.content)
    (tmp_path / "bin").mkdir()
    program(tmp_path, "python3", PYTHON)
    return tmp_path


def program(bench: Path, name: str, text: str) -> None:
    (bench / "bin" / name).write_text(text, encoding="utf-8")
    (bench / "bin" / name).chmod(0o755)


def environ(bench: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    return {**inherited, "PATH": f"{bench / 'bin'}:{os.environ['PATH']}", "HOME": str(bench)}


def run(bench: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it with nobody there to answer."""
    return subprocess.run(
        ["sh", "setup.sh", *arguments],
        cwd=bench,
        env=environ(bench),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def calls(prefix: Path) -> list[str]:
    return (prefix / "calls").read_text(encoding="utf-8").splitlines()


def test_in_batch_mode_it_makes_the_prefix(bench: Path) -> None:
    """-b -p PREFIX: Python, the packages, pip's configuration, and a note that this is a stand-in."""
    prefix = bench / "anaconda"
    done = run(bench, "-b", "-p", str(prefix))
    assert done.returncode == 0, done.stderr
    assert f"This is a stand-in for {HERE.name}" in done.stdout
    assert HERE.name in (prefix / "STAND-IN").read_text(encoding="utf-8")
    assert (prefix / "pip.conf").read_text(encoding="utf-8") == HERE.pip_conf
    first, install, last = calls(prefix)
    assert first.endswith(" uv")
    assert re.match(r"uv pip install --python \S+/anaconda/bin/python .* lab two with /ca\.pem$", install)
    assert last == "pip uninstall -q -y uv"


def test_without_uv_pip_does_it(bench: Path) -> None:
    """Where uv can't be had, or fails, it only takes longer."""
    program(bench, "python3", PYTHON.replace("pip uv", "pip"))
    assert run(bench, "-b", "-p", str(bench / "anaconda")).returncode == 0
    assert calls(bench / "anaconda")[-1].endswith(" lab two")
    assert calls(bench / "anaconda")[-1].startswith("pip install ")


def test_without_a_prefix_it_takes_the_home_folder(bench: Path) -> None:
    """As the original: anaconda3 in HOME."""
    assert run(bench, "-b").returncode == 0
    assert (bench / "anaconda3" / "STAND-IN").is_file()


def test_its_options_are_told(bench: Path) -> None:
    """-h lists them and ends with 0; an unknown one ends with 2."""
    told = run(bench, "-h")
    assert told.returncode == 0
    for option in ("-b", "-f", "-h", "-p PREFIX", "-s", "-u", "-t"):
        assert f"\n{option} " in told.stdout
    unknown = run(bench, "-x")
    assert unknown.returncode == 2
    assert "usage: setup.sh" in unknown.stderr


def test_with_nobody_to_answer_it_does_not_hang(bench: Path) -> None:
    """Without -b, and without a terminal, it ends and names -b."""
    done = run(bench, "-p", str(bench / "anaconda"))
    assert done.returncode == 1
    assert "run it in batch mode, sh setup.sh -b -p PREFIX" in done.stderr


@pytest.mark.parametrize(("license_answer", "status"), [("yes", 0), ("no", 1)])
def test_at_a_terminal_it_asks(bench: Path, license_answer: str, status: int) -> None:
    """ENTER, the license, the prefix: as the tutorial shows it."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"\n{license_answer}\n{bench}/chosen\n".encode())
        done = subprocess.run(
            ["sh", "setup.sh"],
            cwd=bench,
            env=environ(bench),
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == status
    assert "Do you accept the license terms?" in done.stderr
    assert (bench / "chosen" / "STAND-IN").is_file() == (status == 0)


def test_on_another_machine_it_refuses(bench: Path) -> None:
    """What `uname -m` says decides, and both machines are named."""
    program(bench, "uname", "#!/bin/sh\necho another64\n")
    done = run(bench, "-b", "-p", str(bench / "anaconda"))
    assert done.returncode == 1
    assert f"is for {HERE.machine}, and this machine is another64" in done.stderr
    assert not (bench / "anaconda").exists()


@pytest.mark.parametrize(("option", "status"), [("", 1), ("-f", 0), ("-u", 0)])
def test_a_prefix_that_is_there_is_left_alone(bench: Path, option: str, status: int) -> None:
    """Unless -f or -u is given."""
    (bench / "anaconda").mkdir()
    done = run(bench, "-b", *filter(None, [option]), "-p", str(bench / "anaconda"))
    assert done.returncode == status
    assert ("File or directory already exists" in done.stderr) == (status == 1)


def test_a_prefix_with_spaces_is_refused(bench: Path) -> None:
    """As by the original."""
    done = run(bench, "-b", "-p", f"{bench}/my folder")
    assert (done.returncode, "directories with spaces" in done.stderr) == (1, True)


def test_a_package_that_can_not_be_had_fails_it(bench: Path) -> None:
    """The step of the Dockerfile has to fail, too."""
    program(bench, "python3", PYTHON.replace(">>", "; exit 9 >>"))
    done = run(bench, "-b", "-p", str(bench / "anaconda"))
    assert done.returncode == 9
    assert not (bench / "anaconda" / "STAND-IN").exists()


def test_it_weighs_something_and_is_the_same_each_time() -> None:
    """A padding that can't be compressed; the same values make the same bytes and the same address."""
    installer = Installer()
    content = installer.content
    assert len(content) > 16 << 20
    assert len(zlib.compress(content, 1)) > 16 << 20
    assert content == Installer().content
    assert content.startswith(b"#!/bin/sh\n")
    assert installer.mark in content[:1000]
    assert installer.name == "Anaconda3-2021.05-Linux-x86_64.sh"


@pytest.mark.parametrize(
    "change", [{"machine": "aarch64"}, {"packages": ("other",)}, {"pip_conf": "#"}, {"padding": 1}]
)
def test_another_content_has_another_address(change: dict[str, object]) -> None:
    """Or a build's cache would take one for the other."""
    assert replace(HERE, **change).path != HERE.path  # type: ignore[arg-type]  # one value of each kind


def test_a_configuration_that_would_end_the_script_is_refused() -> None:
    """It is written in a here-document."""
    with pytest.raises(UsageError, match="line END"):
        _ = Installer(pip_conf="[global]\nEND\nrm -rf /\n").content


def test_the_size_of_what_an_address_has() -> None:
    """It is asked for and not fetched; an error, or a host that does not answer, has nothing."""
    with DownloadSite({"/large": bytes(1000)}, address="127.0.0.1") as site:
        assert size_at(site.url("/large")) == 1000
        assert size_at(site.url("/none")) == 0
        assert {fetch.method for fetch in site.fetched} == {"HEAD"}
        gone = site.url("/large")
    assert size_at(gone) == 0
