"""How long does one caller wait for the answer to an update, beside a bare commit, and how many have many?

An update writes what a signal writes, and its answer is told once that is on the disk.  One caller has nobody
to share a commit with: what is above the bare commit, LMDB called from a plain loop with a frame of the same
size, is the price of trio, the thread that writes, and the actor.  Many callers are read against the bare
loop of ``_light``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median

import trio
from attrs import field

from actorflow import ActorHandle, Limits, Runtime, entity, query, update
from persistence import LmdbJournal

from ._case import Case, Found, Size, at_most
from ._light import bare_commits, light, whom
from ._load import alike

FRAME_BYTES = 120
"""About what the frame of one update comes to."""
WARM = 20

# updates of the one caller; callers, actors, updates of the many
SHAPES: dict[Size, tuple[int, list[tuple[int, int, int]]]] = {
    "tiny": (20, [(16, 4, 320)]),
    "small": (1_000, [(64, 100, 15_000), (1_024, 100, 40_000)]),
    "full": (3_000, [(64, 1, 30_000), (64, 100, 30_000), (64, 10_000, 30_000), (1_024, 100, 100_000)]),
}


@entity
class Cart:
    """Says how many things it holds."""

    items: dict[str, int] = field(factory=dict[str, int])

    @update
    def add(self, sku: str, quantity: int) -> int:
        self.items[sku] = self.items.get(sku, 0) + quantity
        return sum(self.items.values())

    @query
    def count(self) -> int:
        return sum(self.items.values())


async def alone(path: Path, updates: int, *, loop_waits: bool = False) -> Found:
    """Milliseconds, the median; every answer is looked at."""
    took: list[float] = []
    limits = Limits(loop_wait=timedelta(seconds=1 if loop_waits else 0))
    async with Runtime(LmdbJournal(path / "journal"), entities=[Cart], limits=limits) as runtime:
        cart = runtime.actor(Cart, "cart")
        for number in range(updates + WARM):
            began = time.perf_counter()
            held = await cart.update(Cart.add, f"sku-{number % 10}", 1)
            took.append(time.perf_counter() - began)
            assert held == number + 1
    return _waits(took[WARM:], updates)


def bare(path: Path, updates: int) -> Found:
    """The light of one caller."""
    return _waits(bare_commits(path, updates, FRAME_BYTES), updates)


def _waits(took: list[float], result: int) -> Found:
    ordered = sorted(took)
    curve = [(share, ordered[int(share / 100 * (len(ordered) - 1))] * 1e3) for share in PERCENTILES]
    return Found(median(took) * 1e3, result, {"p99 ms": curve[-1][1]}, curve)


PERCENTILES = (50, 75, 90, 95, 99)


async def together(path: Path, callers: int, actors: int, messages: int) -> Found:
    """Updates a second."""
    async with Runtime(LmdbJournal(path / "journal"), entities=[Cart]) as runtime:
        carts = [runtime.actor(Cart, f"cart-{number}") for number in range(actors)]

        async def begin(cart: ActorHandle[Cart]) -> None:
            assert await cart.update(Cart.add, "sku-0", 1) == 1

        async with trio.open_nursery() as nursery:
            for cart in carts:
                nursery.start_soon(begin, cart)

        async def call(caller: int) -> None:
            for number in range(messages // callers):
                assert await carts[whom(caller, number, actors)].update(Cart.add, f"sku-{number % 10}", 1) > 1

        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for caller in range(callers):
                nursery.start_soon(call, caller)
        took = time.perf_counter() - began
        held = sum([await cart.query(Cart.count) for cart in carts])
    assert held == messages + actors
    return Found(messages / took, held)


def cases(size: Size) -> Iterator[Case]:
    """One caller's wait, and the rate of many."""
    updates, shapes = SHAPES[size]
    yield Case(
        where={"callers": 1},
        unit="ms",
        ours=partial(alone, updates=updates),
        light=partial(bare, updates=updates),
        against="bare commit",
        asked=at_most(1.3),
        rounds=5,
    )
    yield Case(
        where={"callers": 1, "disk": "waited for in the loop"},
        unit="ms",
        ours=partial(alone, updates=updates, loop_waits=True),
        light=partial(bare, updates=updates),
        against="bare commit",
    )
    for callers, actors, messages in shapes:
        load = alike(callers, actors, messages)
        yield Case(
            where={"callers": callers, "actors": actors},
            unit="/s",
            ours=partial(together, **load),
            light=partial(light, **load),
        )
