"""Same seed, same run, byte for byte: in one process, in another, and with other hashes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from actorflow.testing import Caller, World
from entities.account import Account
from tests.tidy.house import ROOT

from . import towns
from .yard import doers

MAKES = (*towns.TOWNS, doers)
SCRIPT = """
from tests.world import test_same_seed
print(*(test_same_seed.digest(make) for make in test_same_seed.MAKES))
"""


def digest(make: Callable[[int], World], seed: int = 7) -> str:
    """Of the world of this seed."""
    return make(seed).run(300).digest


@pytest.mark.parametrize("make", MAKES, ids=lambda make: make.__name__)
def test_a_seed_gives_the_same_world_twice(make: Callable[[int], World], seed: int) -> None:
    """Whatever ran before it in the same process."""
    assert digest(make, seed) == digest(make, seed)
    assert digest(make, seed) != digest(make, seed + 1)


def test_a_seed_gives_the_same_world_in_another_process() -> None:
    """Hashes of texts differ there, and so do addresses."""
    here = [digest(make) for make in MAKES]
    for hashes in ("0", "12345"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=120,
        )
        assert done.stdout.split() == here


def test_what_is_not_drawn_from_the_seed_is_noticed() -> None:
    """A caller that counts over worlds is another each time, and the digest says so."""
    calls = [0]

    def counting(seed: int) -> World:
        world = World(seed, entities=[Account])

        @world.caller
        async def payer(me: Caller) -> None:
            calls[0] += 1
            await me.actor(Account, "a").update(Account.deposit, calls[0])

        return world

    assert digest(counting) != digest(counting)
