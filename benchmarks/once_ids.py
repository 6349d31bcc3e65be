"""What does it cost to send a signal once, and what to be told that it was sent before?

Carts take signals with an id each, beside the same signals without; and then the same ids again, which change
nothing and are answered from what the actor remembers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from actorflow import ActorHandle
from entities.cart import Cart

from ._case import Case, Found, Size
from ._load import CENTS, add_one, alike, cents, expected, opened, sent

# callers, actors, messages
SHAPES: dict[Size, list[tuple[int, int, int]]] = {
    "tiny": [(16, 10, 160)],
    "small": [(64, 100, 15_000)],
    "full": [
        (1, 100, 3_000),
        (64, 1, 50_000),
        (64, 100, 50_000),
        (64, 10_000, 50_000),
        (1_024, 100, 100_000),
    ],
}


async def once(cart: ActorHandle[Cart], caller: int, number: int) -> None:
    """Put one more thing into it, unless this caller has done so under this number."""
    await cart.once(f"{caller}/{number}").signal(Cart.add_item, f"sku-{number % 10}", 1, cents=CENTS)


async def told(path: Path, callers: int, actors: int, messages: int, how: str) -> Found:
    """Messages a second."""
    async with opened(path, actors) as (runtime, carts):
        took = await sent(carts, callers, messages, add_one if how == WITHOUT else once)
        if how == AGAIN:
            before = runtime.statistics()
            took = await sent(carts, callers, messages, once)
            after = runtime.statistics()
            assert after.messages == before.messages, "a duplicate was taken for a message"
        total = await cents(carts)
    assert total == expected(actors, callers, messages)
    return Found(messages / took, total)


ONCE, AGAIN, WITHOUT = "with ids", "the same ids again", "without"


def cases(size: Size) -> Iterator[Case]:
    """Callers and actors, for the first time and again."""
    for callers, actors, messages in SHAPES[size]:
        load = alike(callers, actors, messages)
        for how in (ONCE, AGAIN):
            yield Case(
                where={"callers": callers, "actors": actors, "how": how},
                unit="/s",
                ours=partial(told, **load, how=how),
                light=partial(told, **load, how=WITHOUT),
                against="without ids",
            )
