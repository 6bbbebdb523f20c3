"""Ports and answers, on hand-made values."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from pytest_dockerlab.checks.jupyter import CellResult, JupyterPages, jupyter_cell, jupyter_pages
from pytest_dockerlab.checks.web import Exchange, http_answer, port_not_published, port_published, published_ports
from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.findings import Checked
from pytest_dockerlab.run.state import ContainerState

UP = ContainerState(status="running")
INSPECT = {
    "NetworkSettings": {
        "Ports": {
            "8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": "49153"}],
            "53/udp": [{"HostIp": "", "HostPort": "53"}],
            "80/tcp": None,
        }
    }
}
OF = "container x"


def said(checked: Checked[Any]) -> str:
    assert len(checked.findings) == 1
    return str(checked.findings[0])


def test_published_ports_are_read_from_inspect() -> None:
    """An exposed port without a host port is not published; no address means all."""
    assert [str(port) for port in published_ports(INSPECT)] == ["8888/tcp on 127.0.0.1:49153", "53/udp on 0.0.0.0:53"]
    assert published_ports({}) == ()


def test_a_port_that_is_not_published() -> None:
    """Those that are stand in the message."""
    ports = published_ports(INSPECT)
    found = port_published(ports, 8888, UP, of=OF).evidence
    assert found is not None
    assert found.host_port == 49153
    text = said(port_published(ports, 80, UP, of=OF))
    assert "container x does not publish 80/tcp" in text
    assert "8888/tcp on 127.0.0.1:49153" in text
    assert "EXPOSE publishes nothing" in text
    text = said(port_published((), 80, ContainerState(status="exited"), of=OF))
    assert "only a running container has its ports published" in text


def test_a_port_that_should_not_be_published() -> None:
    """One that is open to the network is warned of."""
    ports = published_ports(INSPECT)
    assert port_not_published(ports, 80, of=OF).evidence == ports
    assert "container x publishes 8888/tcp" in said(port_not_published(ports, 8888, of=OF))
    assert "open to the whole network" in said(port_not_published(ports, "53/udp", of=OF))


OK = Exchange(method="GET", url="http://h/", status=200, reason="OK", headers={"server": "x/1"}, body=b"hello\n")


def test_an_answer_is_judged_by_status_text_and_headers() -> None:
    """All three, each with a finding of its own."""
    assert http_answer(OK, contains="hell", headers={"Server": "x/"}).evidence is OK
    assert http_answer(OK, status=(200, 204)).ok
    checked = http_answer(OK, status=204, contains=re.compile("bye"), headers={"Server": "y", "ETag": "1"})
    texts = [str(finding) for finding in checked.findings]
    assert texts[0].startswith("GET http://h/ answered 200\n  expected: 204\n")
    assert "text that matches /bye/" in texts[1]
    assert "has another header Server\n  expected: 'y'\n  found:    'x/1'" in texts[2]
    assert "found:    no such header" in texts[3]


@pytest.mark.parametrize(
    ("status", "why"), [(403, "wants a token"), (404, "no such path"), (302, "elsewhere"), (500, "failed at it")]
)
def test_a_status_is_explained(status: int, why: str) -> None:
    """In the learner's terms."""
    assert why in said(http_answer(replace(OK, status=status)))


def test_no_answer_shows_the_container_that_should_have_answered() -> None:
    """Ended, or listening where nobody can reach it."""
    dead = Exchange(method="GET", url="http://h/", error="connection refused", attempts=5, seconds=2)
    text = said(http_answer(dead, state=ContainerState(status="exited", exit_code=1), log="Traceback\n"))
    assert "GET http://h/ got no answer" in text
    assert "connection refused, 5 tries in 2.0 s" in text
    assert "Traceback" in text
    assert "its main process has ended" in text
    assert "listens on 127.0.0.1 inside the container" in said(http_answer(dead, state=UP))


def test_an_answer_that_is_no_json() -> None:
    """Is an error with its beginning."""
    with pytest.raises(FormatError, match="answered with no JSON: 'hello"):
        OK.json()


API = Exchange(method="GET", url="http://h/api", status=200, body=b'{"version": "2.21"}')
STATUS = Exchange(method="GET", url="http://h/api/status", status=200, body=b"{}")
LAB = Exchange(method="GET", url="http://h/lab", status=200, headers={"content-type": "text/html; charset=UTF-8"})
SHUT = replace(STATUS, status=403, reason="Forbidden")
LOGIN = replace(LAB, status=302, headers={"location": "/login"})
OPEN = JupyterPages(token="", api=API, status=STATUS, lab=LAB)
CLOSED = JupyterPages(token="t", api=API, status=STATUS, lab=LAB, stranger_status=SHUT, stranger_lab=LOGIN)


def test_jupyter_open_and_closed() -> None:
    """Both are right, each for what was asked."""
    assert jupyter_pages(OPEN).evidence.version == "2.21"
    assert jupyter_pages(CLOSED).ok


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}"])
def test_another_server_is_not_taken_for_jupyter(body: bytes) -> None:
    """/api has to tell a version."""
    assert "no Jupyter server answers at http://h/api" in said(
        jupyter_pages(replace(OPEN, api=replace(API, body=body)))
    )


def test_a_token_that_does_not_fit_is_told_from_one_that_is_missing() -> None:
    """And both from quotes that nobody took off."""
    assert "none was given" in said(jupyter_pages(replace(OPEN, status=SHUT)))
    assert "the server knows another token" in said(jupyter_pages(replace(CLOSED, status=SHUT)))
    assert "its token is two quotes" in said(jupyter_pages(replace(OPEN, status=SHUT, quoted_works=True)))


def test_a_server_that_lets_everybody_in() -> None:
    """With a token asked for, that is a finding."""
    text = said(jupyter_pages(replace(CLOSED, stranger_status=STATUS, stranger_lab=LAB)))
    assert "http://h/api/status answers without the token\n  expected: status 403" in text
    assert "whoever reaches the port runs programs" in text
    assert "does not ask for the token" in said(jupyter_pages(replace(CLOSED, stranger_lab=LAB)))


def test_a_server_without_lab() -> None:
    """The page has to be one."""
    text = said(jupyter_pages(replace(OPEN, lab=replace(LAB, status=404))))
    assert "http://h/lab shows no JupyterLab" in text
    assert "pip install jupyterlab" in text
    assert not jupyter_pages(replace(OPEN, lab=replace(LAB, headers={"content-type": "application/json"}))).ok


CELL = CellResult(code="print(6 * 7)", kernel="python3", stdout="42\n")


def test_a_cells_output_is_compared() -> None:
    """Text is all of it, with the last expression's; a pattern is found in it."""
    assert jupyter_cell(CELL, "42\n", of="k").evidence is CELL
    assert jupyter_cell(CELL, re.compile("2"), of="k").ok
    assert jupyter_cell(CELL, None, of="k").ok
    assert jupyter_cell(replace(CELL, stdout="", result="42"), "42", of="k").ok
    text = said(jupyter_cell(replace(CELL, stderr="warned\n"), "43\n", of="the kernel"))
    assert "a cell gave another output in the kernel" in text
    assert "expected: '43\\n'\n  found:    '42\\n'\n            standard error:\n            warned" in text


def test_a_cell_that_failed() -> None:
    """Its error is the first line."""
    text = said(jupyter_cell(replace(CELL, error="NameError: name 'x' is not defined"), None, of="the kernel"))
    assert text.startswith("a cell failed in the kernel: NameError: name 'x' is not defined")
