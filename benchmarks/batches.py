"""How much sooner is one caller through who sends many signals together, beside the same one by one?

A batch is one wait, one frame and one commit, whatever is in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from entities.cart import Cart

from ._case import Case, Found, Size, at_least
from ._light import whom
from ._load import CENTS, cents, expected, opened

ACTORS = 100
ASKED = {64: 20}
"""By the size of the batch: how many times as fast."""

# sizes of batches, messages, and how many are sent one by one: their rate is what counts
SHAPES: dict[Size, tuple[tuple[int, ...], int, int]] = {
    "tiny": ((8,), 64, 16),
    "small": ((8, 64, 512), 20_480, 1_000),
    "full": ((8, 64, 512, 4_096), 102_400, 3_000),
}


async def batches(path: Path, messages: int, of: int) -> Found:
    """Messages a second."""
    async with opened(path, ACTORS) as (runtime, carts):
        before = runtime.statistics().commits
        began = time.perf_counter()
        for first in range(0, messages, of):
            async with runtime.batch() as batch:
                for number in range(first, min(first + of, messages)):
                    cart = carts[whom(0, number, ACTORS)]
                    batch.signal(cart, Cart.add_item, f"sku-{number % 10}", 1, cents=CENTS)
        took = time.perf_counter() - began
        commits = runtime.statistics().commits - before
        total = await cents(carts)
    assert total == expected(ACTORS, 1, messages)
    return Found(messages / took, total, {"messages a commit": messages / commits})


async def one_by_one(path: Path, messages: int) -> Found:
    """The same, each in a wait of its own."""
    async with opened(path, ACTORS) as (_, carts):
        began = time.perf_counter()
        for number in range(messages):
            cart = carts[whom(0, number, ACTORS)]
            await cart.signal(Cart.add_item, f"sku-{number % 10}", 1, cents=CENTS)
        took = time.perf_counter() - began
        total = await cents(carts)
    assert total == expected(ACTORS, 1, messages)
    return Found(messages / took, total)


def cases(size: Size) -> Iterator[Case]:
    """Sizes of batches."""
    sizes, messages, alone = SHAPES[size]
    for of in sizes:
        yield Case(
            where={"callers": 1, "signals a batch": of},
            unit="/s",
            ours=partial(batches, messages=messages, of=of),
            light=partial(one_by_one, messages=alone),
            against="one by one",
            asked=at_least(ASKED[of]) if of in ASKED else None,
        )
