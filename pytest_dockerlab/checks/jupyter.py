"""Whether what answers at an address is a Jupyter server that lets in whom it should, and whose kernels compute."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_dockerlab.checks.web import Exchange
from pytest_dockerlab.checks.words import Expected, clip, matches, tail, wanted
from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.findings import Checked, Finding

__all__ = ["CellResult", "JupyterPages", "jupyter_cell", "jupyter_pages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JupyterPages:
    """What a server answered.

    Attributes:
        token: that was sent; ``""``: the server should ask for none.
        api: ``/api``, which is open to everybody.
        status: ``/api/status`` with the token.
        lab: ``/lab`` with the token.
        stranger_status, stranger_lab: the same without the token; ``None`` where there is none.
        quoted_works: the token ``''``, two quotes, opens it (a shell's quotes taken by their letters).
    """

    token: str
    api: Exchange
    status: Exchange
    lab: Exchange
    stranger_status: Exchange | None = None
    stranger_lab: Exchange | None = None
    quoted_works: bool = False

    @property
    def version(self) -> str:
        """The server's version, ``""`` if it tells none."""
        try:
            return str(self.api.json()["version"])
        except (ValueError, KeyError, TypeError, FormatError):
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """What came of a cell.

    Attributes:
        code: that was executed.
        kernel: name of the kernel (``python3``), ``kernel_id`` its id.
        stdout, stderr: what it printed.
        result: text of its last expression, ``""`` for none.
        displays: texts of what it displayed.
        error: ``NameError: …``, ``""`` if it ran through.
        xsrf: the server wanted its ``_xsrf`` cookie back (it does where no token is sent).
    """

    code: str
    kernel: str = ""
    kernel_id: str = ""
    stdout: str = ""
    stderr: str = ""
    result: str = ""
    displays: tuple[str, ...] = ()
    error: str = ""
    xsrf: bool = False

    @property
    def output(self) -> str:
        """What it printed on standard output, and the text of its last expression."""
        return self.stdout + self.result


def _failed(what: str, expected: str, found: Exchange, why: str, hint: str) -> Finding:
    body = tail(found.text, 3) if found.status is not None and len(found.text) < 2000 else ""
    return Finding(what=what, expected=expected, found=f"{found}\n{body}".rstrip(), why=why, hint=hint)


_OPEN = "start it with --IdentityProvider.token='' (older: --ServerApp.token, --LabApp.token), or send its token"


def jupyter_pages(pages: JupyterPages) -> Checked[JupyterPages]:
    """``/api`` tells a version; with the token ``/api/status`` and ``/lab`` answer, without it they don't."""
    if pages.api.status != 200 or not pages.version:
        finding = _failed(
            f"no Jupyter server answers at {pages.api.url}",
            'status 200 and {"version": …} from /api',
            pages.api,
            "/api answers everybody, with the server's version",
            "is it another server, or one with a base_url? then give base_url=",
        )
        return Checked(evidence=pages, findings=(finding,))
    findings: list[Finding] = []
    if pages.status.status != 200:
        findings.append(_shut(pages))
    else:
        findings.extend(_page(pages))
    if pages.stranger_status is not None and pages.stranger_status.status == 200:
        findings.append(
            _failed(
                f"{pages.stranger_status.url} answers without the token",
                "status 403",
                pages.stranger_status,
                "the server lets everybody in: whoever reaches the port runs programs in the container",
                "give it the token: docker run -e JUPYTER_TOKEN=…, or --IdentityProvider.token=…",
            )
        )
    elif pages.stranger_lab is not None and pages.stranger_lab.status not in (302, 401, 403):
        findings.append(
            _failed(
                f"{pages.stranger_lab.url} does not ask for the token",
                "status 302, to the login page",
                pages.stranger_lab,
                "without the token nobody should see JupyterLab",
                "give it the token: docker run -e JUPYTER_TOKEN=…, or --IdentityProvider.token=…",
            )
        )
    return Checked(evidence=pages, findings=tuple(findings))


def _shut(pages: JupyterPages) -> Finding:
    if pages.token:
        why, hint = "the server knows another token", "give the server's own token=, and look at JUPYTER_TOKEN in it"
    elif pages.quoted_works:
        why = "its token is two quotes, '': nothing took them off"
        hint = (
            'no shell takes quotes off in CMD ["…"] and docker run -e: write JUPYTER_TOKEN= or --…token= without them'
        )
    else:
        why, hint = "the server asks for a token, and none was given", _OPEN
    what = f"{pages.status.url} answered {pages.status.status} " + (
        "with the token" if pages.token else "without a token"
    )
    return _failed(what, "status 200", pages.status, why, hint)


def _page(pages: JupyterPages) -> tuple[Finding, ...]:
    is_html = pages.lab.headers.get("content-type", "").startswith("text/html")
    if pages.lab.status == 200 and is_html:
        return ()
    return (
        _failed(
            f"{pages.lab.url} shows no JupyterLab",
            "status 200, a page in HTML",
            pages.lab,
            "a server without JupyterLab (jupyter notebook, jupyter server) has no such page"
            if pages.lab.status == 404
            else "",
            "pip install jupyterlab, and start it with: jupyter lab",
        ),
    )


def jupyter_cell(cell: CellResult, output: Expected | None, *, of: str) -> Checked[CellResult]:
    """The cell ran through, and gave this output (all of it, if it is text; or a pattern found in it)."""
    good = output is None or (cell.output == output if isinstance(output, str) else matches(output, cell.output))
    if not cell.error and good:
        return Checked(evidence=cell)
    rest = f"\nstandard error:\n{tail(cell.stderr, 5)}" if cell.stderr else ""
    finding = Finding(
        what=f"a cell failed in {of}: {clip(cell.error)}" if cell.error else f"a cell gave another output in {of}",
        where=f"kernel {cell.kernel}: {clip(cell.code, 70)}",
        expected="runs through" if output is None else wanted(output),
        found=(cell.error or repr(cell.output)) + rest,
        why="it ran in the container's kernel: with the packages and files that are there",
        hint="run the same line in the container: container.exec" if cell.error else "print ends with a newline",
    )
    return Checked(evidence=cell, findings=(finding,))
