"""Five hundred worlds, and twenty thousand in a long proof: whatever goes wrong, what must hold holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actorflow.testing import Faults, World, explore
from tests.faults.counting import tried

from . import towns
from .yard import doers

SLICES = 5
SEEDS = 20
"""Of each slice of each town: 500 in all, and 40 times as many in a long proof."""
PROOF = 40
STEPS = 300


@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("make", towns.TOWNS, ids=lambda make: make.__name__)
def test_what_must_hold_holds_in_every_world(
    make: Callable[[int], World], part: int, seed: int, effort: int, record_property: Callable[..., None]
) -> None:
    """Nothing is lost, repeated, told too early or left undone, and the books balance, whatever fails."""
    count = SEEDS * (PROOF if effort > 1 else 1)
    first = seed + part * count
    explored = explore(make, seeds=range(first, first + count), steps=STEPS)
    assert explored.worlds == count
    faults = sum(explored.counts[kind] for kind in Faults.kinds())
    assert faults > count, "much has gone wrong"
    tried(explored.worlds)
    record_property("worlds", (explored.worlds, explored.steps, faults, explored.seconds))


@pytest.mark.parametrize(("make", "number"), [(doers, 50_405), (towns.mail, 50_260)])
def test_a_world_that_was_wrong_itself(make: Callable[[int], World], number: int) -> None:
    """A caller that gives up as its answer comes; and a process that has just opened is not at rest."""
    make(number).run(STEPS)


def test_callers_that_give_up_as_their_answer_comes() -> None:
    """Whoever has gone is not called back, however close it was."""
    explore(lambda seed: doers(seed, Faults(cancel=1.0)), seeds=range(40), steps=STEPS)
