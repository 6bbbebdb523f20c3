"""Which layers a pull or push moved, in the words of engines."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pytest_dockerlab.checks.transfer import moved
from pytest_dockerlab.errors import UsageError


@dataclass(frozen=True)
class Layer:
    id: str
    status: str


def layers(*statuses: str) -> tuple[Layer, ...]:
    return tuple(Layer(f"layer{number}", status) for number, status in enumerate(statuses, 1))


@pytest.mark.parametrize("there", ["Already exists", "Layer already exists", "Mounted from library/alpine"])
@pytest.mark.parametrize("went", ["Pull complete", "Pushed"])
def test_the_words_of_pull_and_push(there: str, went: str) -> None:
    """What moved is the evidence; what was there already is counted."""
    checked = moved(layers(there, went), 1, kept=1)
    assert checked.ok
    assert [layer.status for layer in checked.evidence] == [went]


def test_other_numbers_are_shown_layer_by_layer() -> None:
    """The finding has both counts and every layer."""
    [finding] = moved(layers("Pushed", "Pushed", "Layer already exists"), 1, kept=2).findings
    assert finding.what == "2 layers moved, 1 of 3 were there already"
    assert finding.expected == "1 layer moved, 2 there already"
    assert finding.found.splitlines()[2] == "layer3 Layer already exists"


def test_the_number_that_stayed_can_be_left_open() -> None:
    """Without ``kept`` only what moved counts."""
    assert moved(layers("Pushed", "Layer already exists"), 1).ok
    assert not moved(layers("Pushed", "Layer already exists"), 0).ok


def test_a_layer_that_fared_otherwise_is_neither() -> None:
    """A layer that is still waiting has not moved, and was not there: the counts alone would hide it."""
    assert not moved(layers("Pushed", "Waiting"), 1, kept=0).ok


def test_a_number_of_layers_is_whole() -> None:
    """Half a layer can't be meant."""
    with pytest.raises(UsageError, match="not a number of layers: -1"):
        moved(layers("Pushed"), -1)
