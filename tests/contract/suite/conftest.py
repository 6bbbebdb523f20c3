"""What the contract's modules share: the builders, one base image, and what the table needs of each test.

These modules are a run of their own for each engine (``python -m tests.contract``), so the run of all tests passes them
by; name one to run it on the engine that is there: ``pytest tests/contract/suite/test_build.py``.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from pytest_dockerlab import Image, Lab
from pytest_dockerlab.build.spec import BuilderName
from tests.contract.results import Facts

collect_ignore_glob = ["test_*.py"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "proves(group): the group of capabilities that a test of the contract belongs to"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test's group and claim go into the report, from which the table is made."""
    for item in items:
        if (mark := item.get_closest_marker("proves")) is not None:
            claim = str(getattr(item, "obj", item).__doc__ or "").partition("\n")[0].rstrip(".")
            assert claim, f"{item.nodeid} says nothing of what it proves"
            item.user_properties += [("proves", mark.args[0]), ("claim", claim)]


@pytest.fixture(scope="session")
def facts(lab_session: Lab) -> str:
    """Which engine this is, and what it says it can: the head of its column in the table."""
    return json.dumps(asdict(Facts.of(lab_session.engine)))


@pytest.fixture(autouse=True)
def told(request: pytest.FixtureRequest, facts: str) -> None:
    """Each test tells: of a run with workers nothing is recorded as a whole."""
    request.node.user_properties.append(("facts", facts))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("buildkit", id="BuildKit", marks=pytest.mark.requires("buildkit")),
        pytest.param("classic", id="classic", marks=pytest.mark.requires("classic_builder")),
        pytest.param("podman", id="Buildah", marks=pytest.mark.requires("buildah")),
    ],
)
def builder(request: pytest.FixtureRequest) -> BuilderName:
    """Each builder that the engine has."""
    name: BuilderName = request.param
    return name


@pytest.fixture(scope="session")
def alpine(lab_session: Lab) -> Image:
    """The base of all images here; small, and with a shell."""
    return lab_session.image("alpine")
