"""What a process in a container printed, as a value."""

from __future__ import annotations

import pytest

from pytest_dockerlab.engine.results import Output
from pytest_dockerlab.errors import ContainerFailed
from pytest_dockerlab.lab.executed import Executed, Logs


def test_a_command_that_worked() -> None:
    """Exit code 0 is ok, and check gives the result back."""
    done = Executed(command=("id", "-u"), exit_code=0, stdout=b"1111\n", stderr="")
    assert done.ok
    assert done.check().output == "1111\n"


def test_a_command_that_failed_says_what_it_printed() -> None:
    """check names the command, the container, the code, and shows both streams."""
    done = Executed(command=("sh", "-c", "exit 3"), exit_code=3, stdout=b"half\n", stderr="why\n", where="web")
    assert not done.ok
    with pytest.raises(ContainerFailed) as caught:
        done.check()
    assert str(caught.value) == (
        "sh -c 'exit 3' in container web ended with exit code 3\n"
        "  standard error:\n    why\n"
        "  standard output:\n    half\n"
        "  → look at what it printed for why"
    )


def test_logs_are_text_with_the_streams_at_hand() -> None:
    """A log compares as text, and has both streams as they came."""
    logs = Logs(Output(stdout=b"out\n", stderr=b"\xff\n", both=b"\xff\nout\n"))
    assert logs == "\ufffd\nout\n"
    assert "out" in logs
    assert type(logs.text) is str
    assert (logs.stdout, logs.stderr, logs.both) == (b"out\n", b"\xff\n", b"\xff\nout\n")
