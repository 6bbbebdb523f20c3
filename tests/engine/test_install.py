"""Installing packages, against an apt-get of the test's own that writes down what it was told."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from pytest_dockerlab.engine import install
from pytest_dockerlab.errors import InstallFailed

APT = """\
#!/bin/sh
echo "$@" >> {log}
[ -x {policy} ] && echo "policy $({policy}; echo $?)" >> {log}
{script}
"""

QUERY = """\
#!/bin/sh
shift 3
for name in "$@"; do grep -q "^$name$" {there} && echo "$name installed"; done
true
"""


class Machine:
    """A PATH with an apt-get that does as it is told, and a list of what is installed."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.log = folder, folder / "log"
        self.there, self.policy = folder / "there", folder / "policy-rc.d"
        self.there.touch()
        self.log.touch()
        for program in ("sh", "env", "grep", "true", "rm", "chmod", "touch", "printf", "cat"):
            found = shutil.which(program)
            assert found
            (folder / program).symlink_to(found)
        self.write("dpkg-query", QUERY.format(there=self.there))
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.setenv("DOCKERLAB_RUNTIME", str(folder / "r"))
        monkeypatch.setattr(install, "_POLICY", self.policy)
        monkeypatch.setattr(os, "getuid", lambda: 0)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def apt(self, script: str) -> None:
        """What apt-get does when it is called."""
        self.write("apt-get", APT.format(log=self.log, policy=self.policy, script=script))

    @property
    def calls(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if not line.startswith("policy")]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with nothing installed."""
    return Machine(tmp_path, monkeypatch)


def test_what_is_missing_is_installed_and_nothing_else(machine: Machine) -> None:
    """No recommended packages, no questions; a lock that another apt holds is waited for."""
    machine.there.write_text("iptables\n")
    machine.apt(f"echo Setting up docker.io; echo docker.io >> {machine.there}")
    said: list[str] = []
    assert install.ensure(["docker.io", "iptables"], said.append) == ("docker.io",)
    (call,) = machine.calls
    assert call.endswith("install docker.io")
    assert "--no-install-recommends" in call
    assert "DPkg::Lock::Timeout=120" in call
    assert said == [
        "installing docker.io with apt-get",
        "Setting up docker.io",
        "installed docker.io; no service was started",
    ]


def test_with_all_there_nothing_is_run(machine: Machine) -> None:
    """apt-get is not even called."""
    machine.apt("exit 9")
    machine.there.write_text("docker.io\n")
    assert install.ensure(["docker.io"]) == ()
    assert machine.calls == []


def test_the_lists_are_updated_only_where_the_packages_are_not_found(machine: Machine) -> None:
    """First an attempt, then the update, then another attempt."""
    machine.apt(f'case "$*" in *update*) touch {machine.folder}/fresh;; esac; [ -e {machine.folder}/fresh ]')
    install.ensure(["docker.io"])
    assert machine.calls[0].split()[-2:] == ["install", "docker.io"]
    assert machine.calls[1].endswith("update")
    assert machine.calls[2] == machine.calls[0]


def test_a_failure_says_what_apt_said(machine: Machine) -> None:
    """With the names, apt's own words, and the command to try by hand."""
    machine.apt("echo E: Unable to locate package docker.io; exit 100")
    with pytest.raises(InstallFailed, match=r"could not install docker\.io: E: Unable to locate") as caught:
        install.ensure(["docker.io"])
    assert "apt-get install --no-install-recommends docker.io" in caught.value.remedy
    assert not machine.policy.exists()


def test_services_are_not_started_and_the_policy_goes_again(machine: Machine) -> None:
    """During the installation a policy forbids it (exit 101); afterwards there is none, as before."""
    machine.apt("true")
    install.ensure(["docker.io"])
    assert "policy 101" in machine.log.read_text()
    assert not machine.policy.exists()


def test_an_administrators_policy_stays(machine: Machine) -> None:
    """A policy that is there already is neither replaced nor removed."""
    machine.write("policy-rc.d", "#!/bin/sh\nexit 104\n")
    machine.apt("true")
    install.ensure(["docker.io"])
    assert machine.policy.read_text() == "#!/bin/sh\nexit 104\n"
    assert stat.S_IMODE(machine.policy.stat().st_mode) == 0o755
    assert "policy 104" in machine.log.read_text()


def test_a_policy_that_a_killed_installation_left_goes(machine: Machine) -> None:
    """It is recognised as ours."""
    machine.write("policy-rc.d", install._POLICY_TEXT)
    machine.apt("true")
    install.ensure(["docker.io"])
    assert not machine.policy.exists()


def test_without_apt_the_error_says_what_to_install_by_hand(machine: Machine) -> None:
    """By the package manager that is there."""
    machine.write("dnf", "#!/bin/sh\n")
    with pytest.raises(InstallFailed, match=r"can't install docker\.io: there is no apt-get here") as caught:
        install.ensure(["docker.io"])
    assert "sudo dnf install" in caught.value.remedy
    (machine.folder / "dnf").unlink()
    with pytest.raises(InstallFailed) as caught:
        install.ensure(["docker.io"])
    assert caught.value.remedy == "install Docker or Podman by hand"


def test_who_is_not_root_needs_sudo_without_a_password(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise an administrator is told the command; with it, apt-get runs under sudo."""
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    machine.apt("true")
    machine.write("sudo", "#!/bin/sh\nexit 1\n")
    with pytest.raises(InstallFailed, match="sudo asks for a password") as caught:
        install.ensure(["podman"])
    assert "apt-get install --no-install-recommends podman" in caught.value.remedy
    assert machine.calls == []
    machine.write("sudo", f'#!/bin/sh\nshift; echo sudo >> {machine.folder}/sudo.log; exec "$@"\n')
    install.ensure(["podman"])
    assert machine.calls[0].endswith("install podman")
    assert "sudo" in (machine.folder / "sudo.log").read_text()


def test_root_gets_docker_and_others_get_podman(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed unasked is what this user can run."""
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert "docker.io" in install.packages()
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert "podman" in install.packages()
    assert "docker.io" not in install.packages()


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="needs dpkg")
def test_what_dpkg_has_installed_is_known() -> None:
    """Against the real dpkg: it has itself, and not a package that nobody makes."""
    assert install.lacking(["dpkg", "no-such-package-as-this"]) == ("no-such-package-as-this",)
    assert subprocess.run(["dpkg-query", "--version"], capture_output=True, check=False).returncode == 0
