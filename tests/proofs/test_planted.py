"""Does a search find what is planted, in few stories and short ones, and leave alone what is mended?"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from actorflow import ActorflowError, CheckFailed, NondeterminismWarning, TwinDiffers, UsageError
from actorflow.testing import Scenario, check, machine
from tests.proofs import planted

NAMES = sorted(one.name for one in pkgutil.iter_modules(planted.__path__))
SEARCHES = 5
"""One search in twenty misses the rarest of them."""
EXAMPLES = 100
FEWER = 30
"""Of what is mended, for there all of them are played."""
MOVES_MAX = 10


def the(name: str) -> ModuleType:
    """A module of the catalogue; what the lint says of it when it is imported is not asked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NondeterminismWarning)
        return importlib.import_module(f"{planted.__name__}.{name}")


def options(module: ModuleType) -> dict[str, Any]:
    """What its searches are given."""
    given: dict[str, Any] = getattr(module, "OPTIONS", {})
    return {"examples": EXAMPLES, **given}


def found_in(module: ModuleType, seed: int) -> tuple[CheckFailed, int]:
    """What a search finds, and the seed of the one that did: chance may have to be asked again."""
    for one in range(seed, seed + SEARCHES):
        try:
            check(module.Planted, seed=one, **options(module))
        except CheckFailed as found:
            return found, one
    pytest.fail(f"{SEARCHES} searches from seed {seed} have not found it")


def test_the_catalogue_is_there() -> None:
    """There are at least twenty-five kinds of bugs, or the tests below would promise little."""
    assert len(NAMES) >= 25


@pytest.mark.parametrize("name", NAMES)
def test_what_is_planted_is_found(name: str, seed: int) -> None:
    """The search ends with a short story that names the bug, and the printed test fails as it does."""
    module = the(name)
    found, used = found_in(module, seed)
    assert module.SAYS in found.what
    assert 1 <= len(found.story) <= MOVES_MAX
    assert f"seed={used}" in str(found)
    if name != "unbounded_state":  # of which the first messages are told, and do no harm
        pasted: dict[str, Any] = {}
        exec(found.listing, pasted)  # noqa: S102 - it is what we print
        with pytest.raises(ActorflowError) as again:
            pasted["test_planted"]()
        assert type(again.value) is type(found.error)


@pytest.mark.parametrize("seed", [200, 1_700, 2_100])
def test_a_crash_that_shows_it_has_everything_to_replay(seed: int) -> None:
    """Where only a replay from the first record shows a bug, no snapshot hides it from the crash told."""
    found, _ = found_in(the("refusal_that_leaves_a_trace"), seed)
    assert len(found.story) <= MOVES_MAX


def test_what_goes_only_together_is_left_out_together() -> None:
    """Messages and the answers to what they asked for are no part of a story that goes wrong without both."""
    found, _ = found_in(the("compensation_in_the_wrong_order"), 4_007)
    assert len(found.story) == 5


def test_what_leaves_no_record_when_it_is_done_again_is_told() -> None:
    """A message whose record was lost, and that is refused by the next process, is done again as nothing."""
    planted = the("rate_of_this_process").Planted
    scenario = Scenario(planted, twin=True)
    scenario.signal(planted.set_rate, "a", 0)
    scenario.snapshot()
    scenario.update(planted.pay, "a", 0)
    with pytest.raises(TwinDiffers, match="nothing"):
        scenario.restart(lost=1)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_mended_passes(name: str, seed: int) -> None:
    """A sound entity is never said to be broken."""
    module = the(name)
    check(
        module.Mended, seed=seed, elsewhere=name == "order_of_a_set", **{**options(module), "examples": FEWER}
    )


def test_a_machine_is_a_test_of_its_own(seed: int) -> None:
    """The search as a Hypothesis state machine finds the same, under settings of one's own."""
    module = the("memory_in_a_called_module")
    made = hypothesis.seed(seed)(machine(module.Planted))
    quick = hypothesis.settings(max_examples=50, database=None, phases=[hypothesis.Phase.generate])
    with pytest.raises(CheckFailed, match="what handlers remember"):
        run_state_machine_as_test(made, settings=quick)


def test_a_search_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search writes nothing where it is run."""
    monkeypatch.chdir(tmp_path)
    check(the("closure").Mended, examples=5, elsewhere=False)
    assert list(tmp_path.iterdir()) == []


def test_what_makes_no_sense_is_told() -> None:
    """An option for a parameter that there is not is a mistake at the caller's line."""
    mended = the("lost_update").Mended
    with pytest.raises(UsageError, match="which takes cents"):
        check(mended, arguments={mended.pay_in: {"euros": st.integers()}})
    with pytest.raises(UsageError, match="no handler of"):
        check(mended, arguments={the("closure").Mended.add: {}})
