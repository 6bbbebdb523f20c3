"""assert_jupyter: servers that are none, or half of one, in a thread; the real one in a container."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from pytest_dockerlab.assertions import assert_jupyter
from pytest_dockerlab.findings import CheckFailed
from pytest_dockerlab.lab import Container, Lab
from pytest_dockerlab.lab.waiting import jupyter_ready

Answer = tuple[int, Mapping[str, str], bytes]
Serve = Callable[[Callable[[str, str, Mapping[str, str]], Answer]], str]

HTML = {"Content-Type": "text/html"}


class Fake:
    """The pages of a Jupyter server; kernels don't start."""

    def __init__(self, token: str = "", base: str = "", version: str = '{"version": "2.14"}') -> None:
        self.token, self.base, self.version = token, base, version
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []

    def __call__(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:
        self.asked.append((method, path, headers))
        path = path.removeprefix(self.base)
        let_in = not self.token or headers.get("authorization") == f"token {self.token}"
        if method == "GET" and path == "/api":
            return 200, {}, self.version.encode()
        if method == "GET" and path == "/api/status":
            return (200, {}, b"{}") if let_in else (403, {}, b'{"message": "Forbidden"}')
        if method == "GET" and path == "/lab":
            if not let_in:
                return 302, {"Location": "/login?next=%2Flab"}, b""
            return 200, {**HTML, "Set-Cookie": "_xsrf=cookie; Path=/"}, b"<title>JupyterLab</title>"
        return 500, {}, json.dumps({"message": "no kernels here"}).encode()


def test_a_server_whose_kernels_do_not_start(serve: Serve) -> None:
    """Pages alone are no proof; the request that failed is shown."""
    fake = Fake()
    with pytest.raises(
        CheckFailed, match=r"(?s)no cell can be executed at .*POST .*/api/kernels: 500.*no kernels here"
    ):
        assert_jupyter(serve(fake))
    method, _, headers = fake.asked[-1]
    assert method == "POST"
    assert headers["x-xsrftoken"] == "cookie"
    assert "_xsrf=cookie" in headers["cookie"]


def test_a_token_is_sent_instead_of_the_cookie(serve: Serve) -> None:
    """Where there is one."""
    fake = Fake(token="t", base="/user/x")
    with pytest.raises(CheckFailed, match=r"no cell can be executed at http://.*/user/x\n"):
        assert_jupyter(serve(fake), token="t", base_url="/user/x/")
    assert fake.asked[-1][2]["authorization"] == "token t"
    assert "x-xsrftoken" not in fake.asked[-1][2]


def test_a_server_that_wants_a_token(serve: Serve) -> None:
    """None was given, or another one."""
    address = serve(Fake(token="t"))
    with pytest.raises(CheckFailed, match=r"(?s)/api/status answered 403 without a token.*none was given"):
        assert_jupyter(address)
    with pytest.raises(CheckFailed, match=r"(?s)/api/status answered 403 with the token.*another token"):
        assert_jupyter(address, token="guessed")


def test_quotes_that_nobody_took_off(serve: Serve) -> None:
    """A token of two quotes is recognised by trying it."""
    with pytest.raises(CheckFailed, match=r"its token is two quotes, ''"):
        assert_jupyter(serve(Fake(token="''")))


def test_a_server_that_lets_everybody_in(serve: Serve) -> None:
    """Although it should have a token."""
    with pytest.raises(CheckFailed, match=r"/api/status answers without the token\n  expected: status 403"):
        assert_jupyter(serve(Fake()), token="t")


def test_another_server(serve: Serve) -> None:
    """It has no version to tell."""
    with pytest.raises(CheckFailed, match=r"no Jupyter server answers at http://.*/api\n"):
        assert_jupyter(serve(Fake(version="<html>")))


def test_a_container_without_the_port(lab: Lab) -> None:
    """The port is the first thing to go wrong."""
    with pytest.raises(CheckFailed, match=r"does not publish 8888/tcp"):
        assert_jupyter(lab.run("alpine", ["sleep", "600"]))


TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="module", params=["", TOKEN], ids=["open", "token"])
def server(lab_module: Lab, request: pytest.FixtureRequest, base: Callable[[str], None]) -> Container:
    """A real server, with and without a token."""
    base("jupyter/datascience-notebook")
    command = ["jupyter", "lab", "--ip=0.0.0.0", "--allow-root"]
    if not request.param:
        command.append("--IdentityProvider.token=")
    return lab_module.run(
        "jupyter/datascience-notebook",
        command,
        env={"JUPYTER_TOKEN": request.param} if request.param else {},
        labels={"token": request.param},
        ports=[8888],
        wait=jupyter_ready(token=request.param),
        timeout=120,
    )


def token_of(server: Container) -> str:
    return str(server.spec.labels["token"])


@pytest.mark.requires("loopback_ports")
def test_a_cell_runs_in_a_real_kernel(server: Container) -> None:
    """With the token, and without one by the cookie; the kernel is gone afterwards."""
    token = token_of(server)
    proof = assert_jupyter(server, token=token)
    assert (proof.cell.stdout, proof.cell.error, proof.cell.xsrf) == ("42\n", "", not token)
    assert proof.pages.api.json() == {"version": proof.version}
    seen = assert_jupyter(server, token=token, cell="import sys; print('x', file=sys.stderr); 6 * 7", output="42").cell
    assert (seen.stdout, seen.stderr, seen.result) == ("", "x\n", "42")
    kernels = "import urllib.request as u, sys; print(u.urlopen(u.Request('http://127.0.0.1:8888/api/kernels', "
    kernels += "headers={'Authorization': 'token ' + sys.argv[1]} if sys.argv[1] else {})).read().decode())"
    assert server.exec(["python3", "-c", kernels, token]).output == "[]\n"


@pytest.mark.requires("loopback_ports")
def test_a_cell_that_fails_or_says_something_else(server: Container) -> None:
    """Its error, or both outputs, are shown; one that does not end is given up."""
    token = token_of(server)
    with pytest.raises(
        CheckFailed, match=r"another output in the kernel at .*\n.*\n  expected: '43\\n'\n  found:    '42\\n'"
    ):
        assert_jupyter(server, token=token, output="43\n")
    with pytest.raises(
        CheckFailed, match=r"a cell failed in the kernel at .*: ModuleNotFoundError: No module named 'no_"
    ):
        assert_jupyter(server, token=token, cell="import no_such_module")
    with pytest.raises(CheckFailed, match=r"a cell has not come to its end after 2 s"):
        assert_jupyter(server, token=token, cell="import time; time.sleep(600)", timeout=2)
