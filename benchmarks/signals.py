"""How many signals a second, beside the least that a durable message can cost on this machine?

Carts take ``add_item`` from so many callers, each waiting for its acknowledgement, every commit synced; the
bare loop of ``_light`` does the same in the same minute.  Where actors are new, the runtime also begins them,
which the bare loop does not.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import trio

from actorflow import ActorHandle, Runtime
from entities.cart import Cart
from persistence import LmdbJournal

from ._case import Asked, Case, Found, Size, at_least
from ._light import light

LIGHT = {1: 1.0, 64: 0.75, 1_024: 0.6}
"""What is asked, by callers: the share of the light."""
AT_ONCE = 1_000

# callers, actors, messages, and how many of the actors begin with them
SHAPES: dict[Size, list[tuple[int, int, int, int]]] = {
    "tiny": [(1, 5, 20, 0), (16, 10, 320, 10)],
    "small": [
        (1, 100, 2_000, 0),
        (16, 100, 10_000, 0),
        (64, 1, 30_000, 0),
        (64, 100, 30_000, 0),
        (64, 10_000, 30_000, 0),
        (256, 100, 50_000, 0),
        (1_024, 100, 80_000, 0),
    ],
    "full": [
        (callers, actors, messages, 0)
        for callers, messages in ((1, 3_000), (16, 20_000), (64, 50_000), (256, 100_000), (1_024, 150_000))
        for actors in (1, 100, 10_000, 100_000)
    ]
    + [(64, 10_000, 40_000, 10_000), (1_024, 10_000, 100_000, 10_000)],
}


async def signals(path: Path, callers: int, actors: int, messages: int, new: int) -> Found:
    """Messages a second; so many of the actors begin with them."""
    async with Runtime(LmdbJournal(path / "journal"), entities=[Cart]) as runtime:
        carts = [runtime.actor(Cart, f"cart-{number}") for number in range(actors)]
        await begin(runtime, carts[new:])
        before = runtime.statistics().commits

        async def call(first: int) -> None:
            for number in range(messages // callers):
                cart = carts[(first * 7919 + number * 31) % actors]
                await cart.signal(Cart.add_item, f"sku-{number % 10}", 1, cents=150)

        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for first in range(callers):
                nursery.start_soon(call, first)
        took = time.perf_counter() - began
        commits = runtime.statistics().commits - before
        total = 0
        for cart in carts[:: max(1, actors // 100)]:
            total += await cart.query(Cart.total)
        return Found(messages / took, total, {"messages a commit": messages / commits})


async def begin(runtime: Runtime, carts: Sequence[ActorHandle[Cart]]) -> None:
    """Have the carts begun, as the bare loop's are when its clock starts."""
    for start in range(0, len(carts), AT_ONCE):
        async with runtime.batch() as batch:
            for cart in carts[start : start + AT_ONCE]:
                batch.signal(cart, Cart.add_item, "sku-0", 1, cents=150)


async def bare(path: Path, callers: int, actors: int, messages: int) -> Found:
    """The light."""
    path.joinpath("light").mkdir()
    return Found(await light(path / "light", callers, actors, messages))


def _asked(callers: int, actors: int) -> Asked | None:
    return at_least(LIGHT[callers]) if callers in LIGHT and actors <= 10_000 else None


def cases(size: Size) -> Iterator[Case]:
    """Callers and actors."""
    for callers, actors, messages, new in SHAPES[size]:
        sent = messages - messages % callers
        yield Case(
            where={"callers": callers, "actors": actors} | ({"new": new} if new else {}),
            unit="/s",
            ours=partial(signals, callers=callers, actors=actors, messages=sent, new=new),
            light=partial(bare, callers=callers, actors=actors, messages=sent),
            asked=None if new else _asked(callers, actors),
        )
