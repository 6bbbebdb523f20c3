"""Assertion that a Jupyter server works: from its first page to a cell executed in a kernel."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_dockerlab.assertions.client import ask, ask_until_up
from pytest_dockerlab.assertions.http import address_of
from pytest_dockerlab.assertions.kernel import JupyterClient
from pytest_dockerlab.assertions.things import Publishes, is_container
from pytest_dockerlab.checks import jupyter as check
from pytest_dockerlab.checks import web
from pytest_dockerlab.checks.jupyter import CellResult, JupyterPages
from pytest_dockerlab.checks.words import Expected
from pytest_dockerlab.errors import ContainerFailed
from pytest_dockerlab.findings import CheckFailed, Finding, demand

__all__ = ["JupyterEvidence", "assert_jupyter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JupyterEvidence:
    """What a Jupyter server has proven.

    Attributes:
        version: of jupyter_server.
        pages: what its pages answered, with and without the token.
        cell: what was executed in which kernel.
    """

    url: str
    version: str
    pages: JupyterPages
    cell: CellResult


def assert_jupyter(
    where: Publishes | str,
    *,
    port: int | None = 8888,
    token: str | None = None,
    base_url: str = "/",
    cell: str = "print(6 * 7)",
    output: Expected | None = None,
    kernel: str = "",
    timeout: float = 60.0,
) -> JupyterEvidence:
    """A Jupyter server answers as it should, and a cell runs in a real kernel of it. Returns what it has proven.

    ``/api`` tells its version; ``/api/status`` and ``/lab`` answer; with a token, they don't
    answer without it (403, and 302 to the login page). Then a kernel is started, the cell
    executed over the websocket, its output compared, and the kernel deleted.

    Args:
        where: a container, or the server's URL.
        port: in the container.
        token: that the server should want; ``None`` or ``""``: it should want none.
        base_url: the server's ``base_url`` option.
        cell: code to execute.
        output: all that the cell should print, with the text of its last expression, or a
            pattern to be found in it; ``None`` is ``"42\\n"`` for the default cell, and anything for another.
        kernel: name of the kernel; ``""`` is the server's default.
        timeout: seconds to wait for the server, and again for the cell.

    Raises:
        CheckFailed: one of these does not hold; each that does not is shown.
    """
    base = base_url.strip("/")
    client = JupyterClient(address_of(where, port) + (f"/{base}" if base else ""), token or "")
    pages = demand(check.jupyter_pages(_pages(client, where, timeout)))
    expected = "42\n" if output is None and cell == "print(6 * 7)" else output
    try:
        done = client.execute(cell, kernel=kernel, timeout=timeout)
    except ContainerFailed as error:
        raise CheckFailed([_no_cell(client, cell, error)]) from error
    demand(check.jupyter_cell(done, expected, of=f"the kernel at {client.url}"))
    return JupyterEvidence(url=client.url, version=pages.version, pages=pages, cell=done)


def _no_cell(client: JupyterClient, cell: str, error: ContainerFailed) -> Finding:
    return Finding(
        what=f"no cell can be executed at {client.url}",
        where=cell[:70],
        expected="a kernel starts, executes the cell and answers",
        found=error.what,
        why="the pages come from the server, cells are executed by a process of their own: the kernel",
        hint=error.remedy,
    )


def _pages(client: JupyterClient, where: Publishes | str, timeout: float) -> JupyterPages:
    box = where if is_container(where) else None
    api = ask_until_up(
        lambda seconds: client.get("/api", timeout=seconds),
        timeout,
        alive=lambda: box is None or box.state.running,
    )
    if api.status is None:
        log, state = (box.logs().text, box.state) if box is not None else ("", None)
        demand(web.http_answer(api, state=state, log=log))
    status = client.get("/api/status")
    quoted = False
    if status.status == 403 and not client.token:
        quoted = ask(f"{client.url}/api/status", headers={"Authorization": "token ''"}).status == 200
    return JupyterPages(
        token=client.token,
        api=api,
        status=status,
        lab=client.get("/lab"),
        stranger_status=ask(f"{client.url}/api/status") if client.token else None,
        stranger_lab=ask(f"{client.url}/lab") if client.token else None,
        quoted_works=quoted,
    )
