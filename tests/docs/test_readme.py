"""The README's two commands stand first, and its examples are what tests run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from pytest_dockerlab.lab import Lab

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def python_block(marker: str) -> str:
    (found,) = [text for language, text in BLOCKS if language == "python" and marker in text]
    return str(found)


def run_pytest(
    folder: Path, lab: Lab, *arguments: str, python: str = sys.executable, **environ: str
) -> subprocess.CompletedProcess[str]:
    """A run of its own on this run's engine, as a user would start it."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_", "PYTHON"))}
    return subprocess.run(
        [python, "-m", "pytest", "-p", "dockerlab", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**known, "DOCKERLAB_ENGINE": lab.engine.endpoint.url, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_two_commands_are_the_first_two_sh_blocks() -> None:
    """One command line each, and what they start exists."""
    commands = [text.strip() for language, text in BLOCKS if language == "sh"][:2]
    assert commands == ["./run tutorial", "./run tests"]
    assert os.access(ROOT / "run", os.X_OK)


def test_the_job_script_says_how_it_is_used() -> None:
    """An unknown job is a usage error that lists the jobs."""
    done = subprocess.run([ROOT / "run", "nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "./run tutorial" in done.stderr
    assert "./run tests" in done.stderr


@pytest.mark.parametrize("autoload", ["", "1"])
def test_the_five_lines_work_where_they_are_typed(tmp_path: Path, lab_session: Lab, autoload: str) -> None:
    """In an empty folder, with the plugin named on the command line, with and without plugin autoloading."""
    (tmp_path / "test_alpine.py").write_text(python_block("# test_alpine.py"), "utf-8")
    extra = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": autoload} if autoload else {}
    done = run_pytest(tmp_path, lab_session, "test_alpine.py", **extra)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert "dockerlab: " in done.stdout


def test_the_example_at_the_top_works(tmp_path: Path, lab_session: Lab) -> None:
    """Layers, cache reuse and permissions, on the exercises of this repository."""
    (tmp_path / "test_example.py").write_text(python_block("assert_reused(ex2, step=2)"), "utf-8")
    done = run_pytest(tmp_path, lab_session, f"--dockerlab-dockerfiles={ROOT / 'dockerfiles'}")
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_wheel_works_without_the_checkout(tmp_path: Path, lab_session: Lab) -> None:
    """Built, installed into an environment of its own, and used from there."""
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path / "dist"), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    # What it depends on is here already; only the package itself must come from the wheel.
    venv.create(tmp_path / "venv", with_pip=False)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    others = [entry for entry in sys.path if entry.endswith("site-packages")]
    (site / "others.pth").write_text("\n".join(others), "utf-8")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(site), str(wheel)],
        check=True,
        capture_output=True,
    )
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "test_alpine.py").write_text(python_block("# test_alpine.py"), "utf-8")
    (folder / "test_where.py").write_text(
        f"import pytest_dockerlab\ndef test_where():\n    assert {str(site)!r} in pytest_dockerlab.__file__\n", "utf-8"
    )
    python = str(tmp_path / "venv" / "bin" / "python")
    done = run_pytest(folder, lab_session, python=python)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    subprocess.run([python, "-m", "pytest_dockerlab", "new-course", "course"], cwd=folder, check=True, env={})
    template = ROOT / "pytest_dockerlab" / "grade" / "templates" / "course"
    assert contents(folder / "course") == contents(template)


def contents(folder: Path) -> dict[Path, bytes]:
    """All files of a folder, but what Python compiled there."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path.relative_to(folder): path.read_bytes() for path in files}


@pytest.mark.parametrize("page", sorted(path.name for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]))
def test_links_lead_somewhere(page: str) -> None:
    """A relative link in a page names a file that is there."""
    path = next(place for place in (ROOT / page, ROOT / "docs" / page) if place.exists())
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), f"{page}: {target}"
