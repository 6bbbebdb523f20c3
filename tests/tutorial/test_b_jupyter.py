"""From zero to AWS, chapter "ports between host and container": rows B28 and B29."""

from __future__ import annotations

import contextlib
import socket

import pytest
import requests
from testcontainers.core.wait_strategies import HttpWaitStrategy

from pytest_dockerlab import (
    Build,
    Container,
    Lab,
    assert_http,
    assert_jupyter,
    assert_port_not_published,
    assert_port_published,
    container_fixture,
    image_fixture,
    jupyter_ready,
)

TOKEN = "a-token-of-the-tests"

jupyter = image_fixture("jupyter", scope="run")
# As the tutorial starts it: nobody is asked for a token.
jupyter_open = container_fixture(jupyter, ports=[8888], wait=jupyter_ready(), scope="run")
# The same image, closed: the token is given at run time, not in the image.
jupyter_closed = container_fixture(
    jupyter,
    ["jupyter", "lab", "--ip=0.0.0.0", "--allow-root"],
    env={"JUPYTER_TOKEN": TOKEN},
    ports=[8888],
    wait=jupyter_ready(TOKEN),
    scope="run",
)

# A small server in the same image, where it is the port that matters and not who answers on it.
SMALL_SERVER = ["python", "-m", "http.server", "8888"]


def get(box: Container, path: str, token: str = "") -> requests.Response:
    headers = {"Authorization": f"token {token}"} if token else {}
    return requests.get(box.url(8888, path), headers=headers, timeout=20, allow_redirects=False)


def listens(address: str, port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(2)
        return probe.connect_ex((address, port)) == 0


# --- B28: the port ---------------------------------------------------------------------------


@pytest.mark.row("B28")
@pytest.mark.requires("loopback_ports")
def test_b28_jupyter_answers_on_the_published_port(jupyter_open: Container) -> None:
    """B28: jupyter's port 8888 is reachable on the host's port that it was published on."""
    assert_port_published(jupyter_open, 8888)
    assert get(jupyter_open, "/api").status_code == 200


@pytest.mark.row("B28")
@pytest.mark.requires("loopback_ports")
def test_b28_on_no_other_port(lab: Lab, jupyter: Build) -> None:
    """B28: a port that was not published is open in the container only, and ports go with the container."""
    box = lab.run(
        jupyter,
        ["sh", "-c", "python -m http.server 9999 & exec python -m http.server 8888"],
        ports=[8888],
        wait=HttpWaitStrategy(8888, "/"),
    )
    inside = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9999/', timeout=20).status)"
    assert box.exec(["python", "-c", inside]).output == "200\n"
    assert {at.port for at in assert_port_not_published(box, 9999)} == {"8888/tcp"}
    host_port = box.port(8888)
    assert listens("127.0.0.1", host_port)
    box.remove()
    assert not listens("127.0.0.1", host_port)


@pytest.mark.row("B28")
@pytest.mark.requires("loopback_ports")
def test_b28_two_at_once_do_not_collide(lab: Lab, jupyter: Build, jupyter_open: Container) -> None:
    """B28: a second server on 8888 gets a host port of its own, and each port leads to its own container."""
    second = lab.run(jupyter, SMALL_SERVER, ports=[8888], wait=HttpWaitStrategy(8888, "/"))
    assert second.port(8888) != jupyter_open.port(8888)
    assert "SimpleHTTP" in requests.get(second.url(8888), timeout=20).headers["Server"]
    assert get(jupyter_open, "/api").json().keys() == {"version"}


@pytest.mark.row("B28")
@pytest.mark.requires("loopback_ports")
def test_b28_a_host_port_is_taken_once(lab: Lab, jupyter: Build, jupyter_open: Container) -> None:
    """B28: asking for a host port that another container has is an error that names the port."""
    taken = jupyter_open.port(8888)
    with pytest.raises(Exception, match=str(taken)):
        lab.run(jupyter, SMALL_SERVER, ports={8888: taken})


@pytest.mark.row("B28")
def test_wrong_b28_not_published(lab: Lab, jupyter: Build) -> None:
    """B28: without -p the check fails and names the port."""
    box = lab.run(jupyter, SMALL_SERVER)
    with pytest.raises(AssertionError, match="8888"):
        assert_port_published(box, 8888)


@pytest.mark.row("B28")
@pytest.mark.requires("loopback_ports")
def test_wrong_b28_bound_to_the_containers_loopback(lab: Lab, jupyter: Build) -> None:
    """B28: a server that listens on 127.0.0.1 in the container (no --ip=0.0.0.0) can't be reached from the host."""
    box = lab.run(jupyter, [*SMALL_SERVER, "--bind", "127.0.0.1"], ports=[8888])
    with pytest.raises(AssertionError, match=r"listens on 127\.0\.0\.1 inside the container"):
        assert_http(box, "/", port=8888, status=200, timeout=2)


# --- B29: jupyter ----------------------------------------------------------------------------


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
@pytest.mark.parametrize("path", ["/api", "/api/status", "/lab"])
def test_b29_without_a_token_everybody_is_let_in(jupyter_open: Container, path: str) -> None:
    """B29: started with --LabApp.token='' as in the tutorial, jupyter answers to anybody."""
    assert get(jupyter_open, path).status_code == 200


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
def test_b29_api_tells_its_version_and_status(jupyter_open: Container) -> None:
    """B29: /api tells the server's version, /api/status how many kernels run, /lab is JupyterLab's page."""
    assert get(jupyter_open, "/api").json()["version"].count(".") >= 1
    assert {"started", "kernels", "connections"} <= get(jupyter_open, "/api/status").json().keys()
    assert "JupyterLab" in get(jupyter_open, "/lab").text


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
def test_b29_with_a_token_nobody_gets_in_without_it(jupyter_closed: Container) -> None:
    """B29: with a token, /api/status is refused and /lab leads to the login page."""
    assert get(jupyter_closed, "/api/status").status_code == 403
    lab_page = get(jupyter_closed, "/lab")
    assert lab_page.status_code == 302
    assert lab_page.headers["Location"].startswith("/login")


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
def test_b29_a_wrong_token_is_refused(jupyter_closed: Container) -> None:
    """B29: another token is as good as none."""
    assert get(jupyter_closed, "/api/status", token="guessed").status_code == 403


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
@pytest.mark.parametrize("path", ["/api", "/api/status", "/lab"])
def test_b29_with_its_token_one_is_let_in(jupyter_closed: Container, path: str) -> None:
    """B29: with the token sent, the same pages answer."""
    assert get(jupyter_closed, path, token=TOKEN).status_code == 200


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
def test_b29_a_cell_runs_in_a_kernel(jupyter_open: Container) -> None:
    """B29: without a token, a cell is run in a real kernel of the container, and its result is right."""
    assert_jupyter(jupyter_open, token="", cell="print(6 * 7)", output="42\n", timeout=150)


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
def test_b29_a_cell_runs_with_a_token(jupyter_closed: Container) -> None:
    """B29: with the token, a cell is run in the container's kernel: it sees the container's files."""
    marker = jupyter_closed.id[:12]
    jupyter_closed.exec(["sh", "-c", f"echo {marker} > /tmp/marker"])
    assert_jupyter(
        jupyter_closed, token=TOKEN, cell="print(open('/tmp/marker').read(), end='')", output=f"{marker}\n", timeout=150
    )


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
def test_wrong_b29_open_where_it_should_be_closed(jupyter_open: Container) -> None:
    """B29: a server without a token fails the check for one with a token: it lets everybody in."""
    with pytest.raises(AssertionError, match=r"(?i)token"):
        assert_jupyter(jupyter_open, token=TOKEN)


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
def test_wrong_b29_closed_where_it_should_be_open(jupyter_closed: Container) -> None:
    """B29: a server with a token fails the check for an open one, with the status 403."""
    with pytest.raises(AssertionError, match=r"403"):
        assert_jupyter(jupyter_closed, token="")


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
def test_wrong_b29_another_result(jupyter_open: Container) -> None:
    """B29: a cell with another result fails the check, and both results are shown."""
    with pytest.raises(AssertionError, match=r"(?s)43.*42"):
        assert_jupyter(jupyter_open, token="", cell="print(6 * 7)", output="43\n")


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
def test_wrong_b29_not_jupyter(lab: Lab, jupyter: Build) -> None:
    """B29: another web server on the port is not taken for jupyter: /api is not there."""
    box = lab.run(jupyter, SMALL_SERVER, ports=[8888], wait=HttpWaitStrategy(8888, "/"))
    with pytest.raises(AssertionError, match=r"/api"):
        assert_jupyter(box, token="")
