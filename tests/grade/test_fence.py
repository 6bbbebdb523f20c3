"""What a policy lets builds reach, as a fence for an engine."""

from __future__ import annotations

import pytest

from pytest_dockerlab import UsageError
from pytest_dockerlab.exercises.policy import Policies, Policy, read_policies
from pytest_dockerlab.grade.fence import fence_of, index_hosts, pip_hosts


def test_a_fence_has_all_that_any_build_may_reach() -> None:
    """Of each exercise; an exercise without network adds nothing."""
    policies = read_policies(
        'index = ["a.example"]\n[exercise.x]\nindex = ["b.example:8080", "a.example"]\n'
        '[exercise.y]\nbuild_network = "none"\nindex = ["c.example"]\n'
    )
    assert fence_of(policies) == ("a.example", "b.example:8080")
    assert fence_of(Policies(default=Policy(build_network="none"))) == ()


def test_without_a_list_it_is_the_usual_indexes_and_this_machines() -> None:
    """Whoever installs from another place than the usual ones has stand-ins that do."""
    found = index_hosts(Policy(), {"PIP_INDEX_URL": "https://me:secret@pip.example:8443/simple/"})
    assert pip_hosts()
    assert set(pip_hosts()) < set(found)
    assert "pip.example:8443" in found
    assert not any("secret" in host for host in found)


def test_an_engine_is_fenced_or_not() -> None:
    """Open for one and closed for another can't be kept by one engine, unless the instructor says that it need not."""
    assert fence_of(read_policies('build_network = "open"')) is None
    assert fence_of(read_policies('run_network = "open"\nbuild_network = "none"')) is None
    mixed = '[exercise.x]\nbuild_network = "open"\n'
    with pytest.raises(UsageError, match='"open" for x, and builds of the others may reach the package index alone'):
        fence_of(read_policies(mixed))
    assert fence_of(read_policies(f'unkept = ["network"]\n{mixed}')) is None
