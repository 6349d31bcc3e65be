"""Would it be noticed?  Each promise is broken on purpose, and the same oracle has to say so.

What becomes of syncs that are left out is in ``test_power.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .process import Site

Complain = Callable[[Site], list[str]]


@pytest.fixture
def village(tmp_path: Path, seed: int) -> Site:
    """A journal without small limits: who reads back what was not written yet would notice by himself."""
    return Site(tmp_path, seed, "usual")


def _killed(site: Site, *options: str) -> None:
    with site.working(*options) as process:
        process.hear_until(lambda one: one.beats >= 200)
        process.kill()
        process.end()
    assert len(site.said().done) > 20


def test_an_acknowledgement_before_the_commit_is_noticed(village: Site, wrong: Complain) -> None:
    """Where callers are told too early, what they were told is lost by a kill, and the oracle sees it."""
    # Of all that callers do, only this: where a start is lost, the oracle stumbles over that first.
    _killed(village, "--control", "early", "--only", "put")
    assert any("was acknowledged, and is lost" in line for line in wrong(village))


def test_a_repetition_is_noticed(village: Site, wrong: Complain) -> None:
    """Where ids are not looked up, what is repeated happens twice, and the oracle sees it."""
    # Of all that callers do, only this: a start that is repeated would end the process too early.
    _killed(village, "--control", "ids", "--only", "put,again")
    assert any("after" in line and "told" in line for line in wrong(village))


def test_without_a_control_nothing_is_noticed(village: Site, wrong: Complain) -> None:
    """The same process, with its promises kept, gives no complaint: so it is these that were noticed."""
    _killed(village)
    assert wrong(village) == []
