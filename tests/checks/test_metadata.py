"""Configuration, on hand-made images."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pytest_dockerlab.checks import metadata as check
from pytest_dockerlab.checks.words import Expected
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import Checked
from pytest_dockerlab.image.model import Healthcheck, ImageConfig
from pytest_dockerlab.platforms import Platform

CONFIG = ImageConfig(
    env={"PATH": "/usr/bin", "PYTHON_VER": "3.10"},
    labels={"example": "2"},
    cmd=("/bin/sh", "-c", "python app.py"),
    entrypoint=("ls",),
    workdir="/work",
    user="",
    exposed_ports=("8888/tcp",),
    volumes=("/data",),
    healthcheck=Healthcheck(test=("CMD-SHELL", "curl -f http://localhost")),
)
OF = "image x"


def said(checked: Checked[Any]) -> str:
    assert len(checked.findings) == 1
    return str(checked.findings[0])


@pytest.mark.parametrize("value", ["3.10", re.compile(r"^3\.")])
def test_a_variable_is_compared_whole_or_searched(value: Expected) -> None:
    """The evidence are the variables that were asked for."""
    assert check.env(CONFIG, {"PYTHON_VER": value, "HOME": None}, of=OF).evidence == {"PYTHON_VER": "3.10"}


def test_each_wrong_variable_is_a_finding() -> None:
    """Another value, one that is missing, one that should be."""
    checked = check.env(CONFIG, {"PYTHON_VER": "3.9", "HOME": "/root", "PATH": None}, of=OF)
    texts = [str(finding) for finding in checked.findings]
    assert [text.splitlines()[0] for text in texts] == [
        "image x sets PYTHON_VER to '3.10'",
        "image x does not set HOME",
        "image x sets PATH to '/usr/bin'",
    ]
    assert "expected: '3.9'\n  found:    '3.10'" in texts[0]
    assert "ARG is there during the build only" in texts[1]


def test_a_variable_in_other_letters_is_hinted_at() -> None:
    """Names are case-sensitive."""
    assert "it is written PYTHON_VER there" in said(check.env(CONFIG, {"python_ver": "3.10"}, of=OF))


def test_a_claim_about_no_variable_is_refused() -> None:
    """It would always hold."""
    with pytest.raises(UsageError, match="no variable was named"):
        check.env(CONFIG, {}, of=OF)


def test_labels() -> None:
    """Missing ones show those that are there, others their value."""
    assert check.label(CONFIG, "example", of=OF).evidence == "2"
    assert "image x has no label nope" in (text := said(check.label(CONFIG, "nope", of=OF)))
    assert "found:    example" in text
    assert "expected: '1'\n  found:    '2'" in said(check.label(CONFIG, "example", "1", of=OF))


def test_text_means_the_shell_form() -> None:
    """As the engine stores it."""
    assert check.cmd(CONFIG, "python app.py", of=OF).ok
    assert check.cmd(CONFIG, ["/bin/sh", "-c", "python app.py"], of=OF).ok
    assert check.cmd(ImageConfig(), None, of=OF).ok


def test_the_two_forms_mixed_up_are_recognised() -> None:
    """The same words without brackets, and brackets that are no JSON."""
    text = said(check.cmd(CONFIG, ["python", "app.py"], of=OF))
    assert "expected: ['python', 'app.py']\n  found:    ['/bin/sh', '-c', 'python app.py']" in text
    assert 'CMD ["python", "app.py"]' in text
    broken = ImageConfig(cmd=("/bin/sh", "-c", "['python', 'app.py']"))
    assert "only if it is valid JSON" in said(check.cmd(broken, ["python", "app.py"], of=OF))


def test_another_entrypoint() -> None:
    """None at all is said in words."""
    assert check.entrypoint(CONFIG, ["ls"], of=OF).evidence == ("ls",)
    assert "image x has another ENTRYPOINT" in said(check.entrypoint(CONFIG, ["cat"], of=OF))
    assert "image x has no ENTRYPOINT" in said(check.entrypoint(ImageConfig(), ["cat"], of=OF))
    assert "takes the base's CMD away" in said(check.cmd(ImageConfig(), ["cat"], of=OF))


def test_workdir() -> None:
    """No WORKDIR is the root; a slash at the end is no difference."""
    assert check.workdir(CONFIG, "/work/", of=OF).evidence == "/work"
    assert check.workdir(ImageConfig(), "/", of=OF).ok
    assert "image x starts in /\n  expected: /work\n" in said(check.workdir(ImageConfig(), "/work", of=OF))


@pytest.mark.parametrize("asked", ["root", "0", 0, ""])
def test_no_user_is_root(asked: str | int) -> None:
    """However root is written."""
    assert check.user(CONFIG, asked, of=OF).ok


def test_another_user() -> None:
    """Root is named where there is no USER."""
    text = said(check.user(CONFIG, "1111", of=OF))
    assert "image x runs as root\n  expected: 1111\n  found:    root (no USER)" in text
    assert "image x runs as app" in said(check.user(ImageConfig(user="app"), "root", of=OF))


def test_exposed_ports() -> None:
    """A number means TCP."""
    assert check.exposes(CONFIG, [8888, "8888/tcp"], of=OF).evidence == ("8888/tcp",)
    text = said(check.exposes(CONFIG, [80, 8888, "53/udp"], of=OF))
    assert "image x does not expose 80/tcp, 53/udp" in text
    assert "EXPOSE 80 53/udp" in text


@pytest.mark.parametrize("port", [0, 65536, "http", True, "80/sip", -1])
def test_what_is_no_port_is_refused(port: int | str) -> None:
    """With its value."""
    with pytest.raises(UsageError, match="not a port"):
        check.port_name(port)


def test_volumes() -> None:
    """Missing ones are named."""
    assert check.volumes(CONFIG, ["/data/"], of=OF).evidence == ("/data",)
    assert "image x declares no volume at /srv" in said(check.volumes(CONFIG, ["/data", "/srv"], of=OF))


def test_health_checks() -> None:
    """None, one that is switched off, and another one."""
    assert check.healthcheck(CONFIG, "curl", of=OF).evidence is CONFIG.healthcheck
    assert "image x has no health check" in said(check.healthcheck(ImageConfig(), of=OF))
    off = ImageConfig(healthcheck=Healthcheck(test=("NONE",)))
    assert "image x has no health check" in said(check.healthcheck(off, of=OF))
    text = said(check.healthcheck(CONFIG, re.compile("wget"), of=OF))
    assert "image x has another health check" in text
    assert "one whose command has text that matches /wget/" in text


def test_platforms() -> None:
    """A variant counts where it is asked for."""
    assert check.platform(Platform.parse("linux/arm/v7"), "linux/arm", of=OF).ok
    assert check.platform(Platform.parse("arm64"), "aarch64", of=OF).ok
    text = said(check.platform(Platform.parse("arm64"), "amd64", of=OF))
    assert "image x is made for linux/arm64\n  expected: linux/amd64" in text
    assert not check.platform(Platform.parse("linux/arm/v7"), "linux/arm/v6", of=OF).ok
