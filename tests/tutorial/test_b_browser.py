"""From zero to AWS, chapter "ports between host and container": row B29 as a student sees it, in a browser."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_dockerlab import Build, Container, InstallFailed, Lab, container_fixture, image_fixture, jupyter_ready
from pytest_dockerlab.engine import install
from pytest_dockerlab.plugin.current import run_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TOKEN = "a-token-of-the-tests"
SECONDS = 60_000  # in ms: a kernel's start on a machine that is busy

# No traffic but to the container: no updates, no lists, no names looked up.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)

jupyter = image_fixture("jupyter", scope="run")
# As the tutorial starts it: nobody is asked for a token.
jupyter_open = container_fixture(jupyter, ports=[8888], wait=jupyter_ready(), scope="module")
jupyter_closed = container_fixture(
    jupyter,
    ["jupyter", "lab", "--ip=0.0.0.0", "--allow-root"],
    env={"JUPYTER_TOKEN": TOKEN},
    ports=[8888],
    wait=jupyter_ready(TOKEN),
    scope="module",
)


# --- the browser -----------------------------------------------------------------------------


def find_chromium() -> str:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), "")


@pytest.fixture(scope="module")
def chromium(request: pytest.FixtureRequest) -> str:
    """The program; Debian's package is installed where that is allowed."""
    run = run_of(request.config)
    reason = "chromium is not installed → apt-get install chromium, or --dockerlab-install"
    if not importlib.util.find_spec("playwright"):
        reason = "playwright is not installed → pip install playwright"
    else:
        if not find_chromium() and run.settings.install:
            try:
                install.ensure(("chromium",), run.progress.now)
            except InstallFailed as error:
                reason = str(error)
        if found := find_chromium():
            return found
    if run.settings.strict:
        pytest.fail(f"no browser: {reason}")
    pytest.skip(f"no browser: {reason}")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Headless Chromium with a profile of its own. Not for longer than a module: it keeps an event loop running."""
    from playwright.sync_api import sync_playwright

    arguments = [*QUIET, *(["--no-sandbox"] if os.getuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new page without cookies."""
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        context.set_default_timeout(SECONDS)
        yield context.new_page()


@pytest.fixture
def screenshot(page: Page, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Keeps what the page shows as an artifact of the run: in ``artifacts/``, or the folder DOCKERLAB_ARTIFACTS."""

    def take(name: str) -> None:
        folder = Path(os.environ.get("DOCKERLAB_ARTIFACTS") or request.config.rootpath / "artifacts")
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / name)
        # As the rows are: record_property warns of JUnit XML's default family, which does take properties.
        request.node.user_properties.append(("artifact", str(folder / name)))

    return take


# --- what is done in the page ----------------------------------------------------------------


def open_lab(page: Page, box: Container, token: str = "") -> None:
    """Open JupyterLab, up to its launcher.

    Raises:
        AssertionError: it wants a token, or another one.
    """
    # A machine that is busy lets JupyterLab's theme time out: it says so in a dialog, and works without.
    late_theme = page.locator(".jp-Dialog").filter(has_text="Error Loading Theme")
    page.add_locator_handler(late_theme, lambda dialog: dialog.locator("button.jp-mod-accept").click())
    page.goto(box.url(8888, "/lab?reset" + (f"&token={token}" if token else "")))
    launcher, login = page.locator(".jp-Launcher-body"), page.locator("#password_input")
    launcher.or_(login).first.wait_for()
    assert not login.is_visible(), f"{page.url} wants a token" + (", and not this one" if token else "")


def open_notebook(page: Page) -> None:
    """Make a notebook from the launcher, and wait for its kernel.

    Raises:
        AssertionError: there is no kernel to make one with.
    """
    from playwright.sync_api import expect

    page.locator(".jp-LauncherCard[data-category=Other]").first.wait_for()
    cards = page.locator(".jp-LauncherCard[data-category=Notebook]")
    assert cards.count(), f"{page.url} has no kernel for a notebook: the launcher offers none"
    cards.first.click()
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=SECONDS)


def run_cell(page: Page, code: str) -> str:
    """Type a cell, run it with Shift+Enter, and read the output that the page shows."""
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
    page.keyboard.insert_text(code)
    page.keyboard.press("Shift+Enter")
    output = page.locator(".jp-Notebook .jp-OutputArea-output").first
    output.wait_for()
    return output.inner_text().strip()


# --- B29 -------------------------------------------------------------------------------------


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
def test_b29_a_cell_is_run_in_the_browser(
    jupyter_open: Container, page: Page, screenshot: Callable[[str], None]
) -> None:
    """B29: JupyterLab opens in a real browser; a cell that is typed there runs, and its result is on the page."""
    open_lab(page, jupyter_open)
    open_notebook(page)
    assert run_cell(page, "print(6 * 7)") == "42"
    screenshot("b29-jupyterlab.png")


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
def test_b29_the_browser_is_asked_for_the_token(jupyter_closed: Container, page: Page) -> None:
    """B29: with a token, the browser is led to the login page."""
    with pytest.raises(AssertionError, match=r"/login\?next=.* wants a token"):
        open_lab(page, jupyter_closed)


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
def test_b29_the_token_in_the_address_lets_the_browser_in(
    jupyter_closed: Container, page: Page, screenshot: Callable[[str], None]
) -> None:
    """B29: with the token in the address, the page opens, and its cells run in this container."""
    open_lab(page, jupyter_closed, TOKEN)
    open_notebook(page)
    assert run_cell(page, "import socket; print(socket.gethostname())") == jupyter_closed.id[:12]
    screenshot("b29-jupyterlab-token.png")


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
def test_wrong_b29_another_token_in_the_address(jupyter_closed: Container, page: Page) -> None:
    """B29: a wrong token in the address leads to the login page, and the check says so."""
    with pytest.raises(AssertionError, match="wants a token, and not this one"):
        open_lab(page, jupyter_closed, "guessed")


@pytest.mark.row("B29")
@pytest.mark.requires("loopback_ports")
def test_wrong_b29_a_page_without_a_kernel(lab: Lab, jupyter: Build, page: Page) -> None:
    """B29: JupyterLab without any kernel opens, but no cell can be run in it, and the check says so."""
    command = ["jupyter", "lab", "--ip=0.0.0.0", "--allow-root", "--KernelSpecManager.allowed_kernelspecs=none"]
    box = lab.run(jupyter, command, env={"JUPYTER_TOKEN": TOKEN}, ports=[8888], wait=jupyter_ready(TOKEN))
    open_lab(page, box, TOKEN)
    with pytest.raises(AssertionError, match="has no kernel for a notebook"):
        open_notebook(page)
