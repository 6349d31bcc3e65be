"""How many queries a second does one caller ask of an idle actor, and how long does each take?

A query writes nothing.  It is told once the actor's newest frame is durable, which of an idle one it is; what
is left is to encode the question, read the state, and pass once through trio's loop.  While others send, most
actors have something that is under way, and a query waits for the disk as a signal does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import trio

from actorflow import ActorHandle
from entities.cart import Cart, Item

from ._case import Case, Found, Size, at_least, at_most
from ._load import CENTS, add_one, opened

ITEMS = 10
CALLERS = 64
ACTORS = 100

# queries of an idle actor, and how many while others send
SHAPES: dict[Size, tuple[int, int]] = {"tiny": (100, 10), "small": (50_000, 500), "full": (300_000, 3_000)}

MEDIAN = "median µs"


async def idle(path: Path, queries: int, what: str) -> Found:
    """Queries a second; and the median of as many, each with the clock looked at."""
    async with opened(path, 1) as (_, (cart,)):
        for number in range(1, ITEMS):
            await add_one(cart, 0, number)
        asked: Any = Cart.total if what == TOTAL else Cart.contents
        for _ in range(100):
            await cart.query(asked)
        began = time.perf_counter()
        for _ in range(queries):
            await cart.query(asked)
        took = time.perf_counter() - began
        each = await _timed(cart, asked, queries)
        assert await cart.query(Cart.total) == ITEMS * CENTS
        told = await cart.query(asked)
    return Found(queries / took, repr(told), {MEDIAN: each})


async def _timed(cart: ActorHandle[Cart], asked: Any, queries: int) -> float:
    waits: list[int] = []
    for _ in range(queries):
        began = time.perf_counter_ns()
        await cart.query(asked)
        waits.append(time.perf_counter_ns() - began)
    return median(waits) / 1e3


async def bare(_: Path, queries: int, what: str) -> Found:
    """The least: the same method called on a plain object, and one pass through trio's loop."""
    cart = Cart({f"sku-{number}": Item(1, CENTS) for number in range(ITEMS)})
    asked: Any = Cart.total if what == TOTAL else Cart.contents
    function = asked.function
    began = time.perf_counter()
    for _number in range(queries):
        await trio.lowlevel.checkpoint()
        function(cart)
    return Found(queries / (time.perf_counter() - began))


async def meanwhile(path: Path, queries: int) -> Found:
    """The same of actors that others send signals to."""
    async with opened(path, ACTORS) as (runtime, carts):
        waits: list[int] = []
        async with trio.open_nursery() as nursery:

            async def send(caller: int) -> None:
                number = 0
                while True:
                    await add_one(carts[(caller + number) % ACTORS], caller, number)
                    number += 1

            for caller in range(CALLERS):
                nursery.start_soon(send, caller)
            before, began = runtime.statistics().messages, time.perf_counter()
            for number in range(queries):
                asked = time.perf_counter_ns()
                cents = await carts[number % ACTORS].query(Cart.total)
                waits.append(time.perf_counter_ns() - asked)
                assert cents >= CENTS
                assert not cents % CENTS
            took = time.perf_counter() - began
            signals = (runtime.statistics().messages - before) / took
            nursery.cancel_scope.cancel()
    return Found(queries / took, queries, {MEDIAN: median(waits) / 1e3, "signals/s": signals})


TOTAL, CONTENTS = "a number, of an idle cart", "ten items, of an idle cart"


def cases(size: Size) -> Iterator[Case]:
    """What is asked, and of whom."""
    few, some = SHAPES[size]
    for what in (TOTAL, CONTENTS):
        yield Case(
            where={"callers": 1, "what": what},
            unit="/s",
            ours=partial(idle, queries=few, what=what),
            light=partial(bare, queries=few, what=what),
            against="bare call",
            asked=at_least(100_000, of="figure") if what == TOTAL else None,
            also_asked={MEDIAN: at_most(10, of="figure")} if what == TOTAL else {},
        )
    yield Case(
        where={"callers": 1, "what": f"a number, while {CALLERS} others send"},
        unit="/s",
        ours=partial(meanwhile, queries=some),
    )
