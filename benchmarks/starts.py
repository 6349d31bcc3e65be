"""How many lives a second can begin, each with its first message?

Every message goes to a cart that nobody has heard of: it has to be made, bound to a nonce, and written with
its message.  In the bare loop a new cart is a dictionary that was there before.  ``start()`` begins a life
with a state, in one message; a signal after it is a second one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trio

from actorflow import ActorHandle
from entities.cart import Cart, Item

from ._case import Case, Found, Size, at_least
from ._light import light
from ._load import CENTS, add_one, opened

# callers, lives
SHAPES: dict[Size, list[tuple[int, int]]] = {
    "tiny": [(16, 96)],
    "small": [(64, 10_000), (1_024, 20_480)],
    "full": [(1, 2_000), (64, 10_000), (1_024, 51_200)],
}


async def starts(path: Path, callers: int, lives: int, how: str) -> Found:
    """Lives begun a second."""
    each = lives // callers
    async with opened(path, lives, begun=False) as (_, carts):

        async def call(mine: list[ActorHandle[Cart]]) -> None:
            for number, cart in enumerate(mine):
                if how != FIRST:
                    await cart.start(Cart({"sku-0": Item(1, CENTS)}))
                if how != START:
                    await add_one(cart, 0, number)

        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for caller in range(callers):
                nursery.start_soon(call, carts[caller * each : (caller + 1) * each])
        took = time.perf_counter() - began
        total = sum([await cart.query(Cart.total) for cart in carts[: callers * each]])
    assert total == callers * each * CENTS * (2 if how == BOTH else 1)
    return Found(callers * each / took, total)


FIRST, START, BOTH = "with a first signal", "with start()", "with start(), then a signal"


def cases(size: Size) -> Iterator[Case]:
    """Callers, and how lives begin."""
    for callers, lives in SHAPES[size]:
        for how in (FIRST, START, BOTH) if callers == 64 or size == "tiny" else (FIRST,):
            yield Case(
                where={"callers": callers, "how": how},
                unit="/s",
                ours=partial(starts, callers=callers, lives=lives, how=how),
                light=partial(light, callers=callers, actors=lives, messages=lives - lives % callers),
                asked=at_least(0.5) if callers == 64 and how == FIRST else None,
            )
