"""How many bytes of memory does an actor take?

A cart with ten items that nobody speaks to: once it has been given them in this process, once it has been
brought back from the tables, and once it has left memory.  Bytes of the process's own memory, over all carts,
in a process of its own; what Python's allocator says (``tracemalloc``, in another process) stands beside.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import trio

from actorflow import Limits, Runtime
from entities.cart import Cart
from persistence import LmdbJournal

from ._case import Case, Found, Size, at_most
from ._process import kill_when, measurable, Tally, weight

ASKED_BYTES = 4_000
ITEMS = 10
AT_ONCE = 100
"""Carts of one batch."""
STEP_US = 11_000_000
"""The tables are brought up to a quiet log after ten seconds."""

SHAPES: dict[Size, int] = {"tiny": 200, "small": 5_000, "full": 20_000}
Which = Literal["given its items here", "brought back", "asleep again"]


async def held(path: Path, carts: int, which: Which, traced: bool) -> tuple[float, int]:  # noqa: FBT001 - private
    """Bytes of each cart, and what they came to."""
    now = time.time_ns() // 1_000
    limits = Limits(resident_actors=carts + 10)
    journal = path / "journal"
    if which != "given its items here":
        async with Runtime(LmdbJournal(journal, durability="process"), entities=[Cart]) as runtime:
            await fill(runtime, 0, carts)
        if which == "asleep again":
            limits = Limits(resident_actors=1)
    measure = traced_bytes if traced else own_bytes
    opened = LmdbJournal(journal, durability="process")
    async with Runtime(opened, entities=[Cart], limits=limits, clock=lambda: now) as runtime:
        await fill(runtime, carts, AT_ONCE)  # what everybody needs is there
        if traced:
            tracemalloc.start()
        before = measure()
        if which == "given its items here":
            await fill(runtime, 0, carts)
        else:
            for number in range(carts):
                await runtime.actor(Cart, f"cart-{number}").query(Cart.total)
        resident = 1 if which == "asleep again" else carts
        while (told := runtime.statistics()).actors_behind or told.residents > resident + AT_ONCE + 1:
            now += STEP_US
            async with runtime.batch() as batch:  # a commit: with each goes a slice of a checkpoint
                batch.signal(runtime.actor(Cart, "nobody"), Cart.add_item, "sku", 1, cents=1)
            if told.actors_behind <= 1 and told.residents <= resident + AT_ONCE + 1:
                break
        bytes_ = measure() - before
        total = 0
        for number in range(0, carts, max(1, carts // 100)):
            total += await runtime.actor(Cart, f"cart-{number}").query(Cart.total)
        return bytes_ / carts, total


async def fill(runtime: Runtime, first: int, carts: int) -> None:
    """Give carts their items."""
    for start in range(first, first + carts, AT_ONCE):
        for item in range(ITEMS):
            async with runtime.batch() as batch:
                for number in range(start, min(start + AT_ONCE, first + carts)):
                    cart = runtime.actor(Cart, f"cart-{number}")
                    batch.signal(cart, Cart.add_item, f"sku-{item}", item + 1, cents=1_000 + number % 100)


def own_bytes() -> int:
    """As the system has it."""
    gc.collect()
    return weight().own


def traced_bytes() -> int:
    """As Python has it."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
