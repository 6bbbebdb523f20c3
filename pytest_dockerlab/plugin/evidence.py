"""What a failing test shows besides its traceback: what its labs' containers and builds say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import pytest

from pytest_dockerlab.errors import CapabilityMissing, EngineError, LabError
from pytest_dockerlab.findings import CheckFailed

__all__ = ["attach", "compare_layers", "hide_our_frames", "is_engines_fault", "is_marked", "lacks", "mark", "skip"]

_PACKAGE = Path(__file__).resolve().parents[1]
_SHORT = 12
# Attribute of a report: xdist hands it over as it is.
_FAULT = "dockerlab_engines_fault"


def is_engines_fault(error: BaseException) -> bool:
    """Whether a test could not be carried out, whatever it wanted to show."""
    return isinstance(error, EngineError)


def mark(item: pytest.Item, report: pytest.TestReport) -> None:
    """Make the report an error of the run: nothing was found out about what the test is of."""
    setattr(report, _FAULT, True)
    item.user_properties.append(("dockerlab", "not judged: the engine's fault"))


def is_marked(report: object) -> bool:
    """Whether ``mark`` was called for this report, in whichever process."""
    return bool(getattr(report, _FAULT, False))


def lacks(item: pytest.Item, error: BaseException, *, strict: bool) -> bool:
    """Whether a test ended for want of a capability, found in the middle of it, that may be wanting.

    As the mark ``requires`` has it. A graded one stays a fault: points are neither given nor taken for it.
    """
    return isinstance(error, CapabilityMissing) and not strict and item.get_closest_marker("exercise") is None


def skip(item: pytest.Item, report: pytest.TestReport, error: BaseException) -> None:
    """Make a failed report one of a test that was skipped."""
    what = error.what if isinstance(error, LabError) else str(error)
    path, line, _ = item.reportinfo()
    report.outcome = "skipped"
    report.longrepr = (str(path), (line or 0) + 1, f"Skipped: {what}")


def attach(
    report: pytest.TestReport,
    error: BaseException,
    fault: BaseException | None,
    sections: Sequence[tuple[str, str]],
) -> None:
    """Put the evidence under a failed test's traceback.

    Args:
        error: what the test failed with.
        fault: the engine's, if that is why.
    """
    if fault is not None:
        text = f"{fault}\nNothing is known about what the test wanted to show: its engine did not do its part."
        report.sections.append(("dockerlab: the engine's fault", text))
    said = str(error)
    report.sections.extend((f"dockerlab: {title}", text) for title, text in sections if text.strip() not in said)


def hide_our_frames(error: BaseException, *, full: bool) -> None:
    """End the traceback of an error with a remedy where the user's own code ends.

    Args:
        full: ``--full-trace`` shows all.

    pytest looks for ``__tracebackhide__`` among a frame's variables and its module's.
    """
    if not isinstance(error, (LabError, CheckFailed)):
        return
    if not full and error.__cause__ is not None:
        # It says itself what its cause said; three libraries' frames of a broken connection say no more.
        error.__cause__ = None
    trace = error.__traceback__
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
        if _PACKAGE in Path(frame.f_code.co_filename).parents:
            frame.f_globals["__tracebackhide__"] = _has_a_remedy


def _has_a_remedy(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    return isinstance(excinfo.value, (LabError, CheckFailed))


def compare_layers(left: object, right: object) -> list[str] | None:
    """Explain ``layers == layers`` by the first layer that differs; ``None`` for anything else."""
    if not _are_digests(left) or not _are_digests(right):
        return None
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    same = next((n for n, (a, b) in enumerate(zip_longest(left, right)) if a != b), len(left))
    lines = [
        f"{_count(len(left))} == {_count(len(right))}",
        _same(same),
    ]
    for number, (a, b) in enumerate(zip_longest(left[same:], right[same:]), same + 1):
        if a == b:
            lines.append(f"  layer {number}: {_short(a)}")
        else:
            lines.append(
                f"  layer {number}: {_short(a)} != {_short(b)}"
                + ("   ← first difference" if number == same + 1 else "")
            )
    if same == min(len(left), len(right)):
        longer = "left" if len(left) > len(right) else "right"
        lines.append(f"the {longer} one has {_count(abs(len(left) - len(right)))} more, on top of the same base")
    return lines


def _same(number: int) -> str:
    return ("none is the same", "the first is the same", f"the first {number} are the same")[min(number, 2)]


def _are_digests(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(part, str) and part.startswith("sha256:") for part in value)


def _short(digest: str | None) -> str:
    return digest.removeprefix("sha256:")[:_SHORT] if digest else "(none)".ljust(_SHORT)


def _count(number: int) -> str:
    return "1 layer" if number == 1 else f"{number} layers"
