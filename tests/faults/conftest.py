"""What tests of faults share: an engine of the module's own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.engine.engine import Engine
from tests.faults.mortal import Mortal


@pytest.fixture(scope="module")
def mortal(private_engines: None, lab_session: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    """An engine that the module may do anything to; it has alpine."""
    if os.getuid() != 0:
        pytest.skip("dockerd is started as root")
    lab_session.image("alpine")
    archive = tmp_path_factory.mktemp("mortal") / "alpine.tar"
    lab_session.save("alpine", archive)
    mortal = Mortal()
    try:
        with Engine(mortal.endpoint) as engine, archive.open("rb") as file:
            engine.images.load(iter(lambda: file.read(1 << 20), b""))
        yield mortal
    finally:
        mortal.close()
