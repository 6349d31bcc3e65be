"""How many bytes of memory does an actor take?

A cart with ten items that nobody speaks to: once it has been given them in this process, once it has been
brought back from the tables, and once it has left memory.  Bytes that Python's allocator has given out
(``tracemalloc``) over all carts, in a process that does nothing else.  Beside them, in another process, by
how much that has become larger for the system: what was free in between stays with it, for the next ones.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import trio

from actorflow import Limits, Runtime
from entities.cart import Cart
from persistence import LmdbJournal

from ._case import Case, Found, Size, at_most
from ._process import measurable, weight

ASKED_BYTES = 4_000
ITEMS = 10
AT_ONCE = 100
"""Carts of one batch."""
SOME = 200
"""Carts that are there before anything is measured."""
STEP_US = 11_000_000
"""The tables are brought up to a quiet log after ten seconds."""

SHAPES: dict[Size, int] = {"tiny": 200, "small": 1_000, "full": 20_000}
T = TypeVar("T")
Which = Literal["given its items here", "brought back", "asleep again"]


def weigh(path: Path, carts: int, which: Which) -> Found:
    """Bytes, by the system and by Python's allocator."""
    totals: list[int] = []
    bytes_: list[float] = []
    for measure in (own_bytes, traced_bytes):
        folder = path / measure.__name__
        folder.mkdir()
        if which != "given its items here":
            alone(partial(leave, folder, carts))
        found, total = alone(partial(held, folder, carts, which, measure))
        bytes_.append(found)
        totals.append(total)
    assert len(set(totals)) == 1, "both came to the same"
    own, traced = bytes_
    return Found(traced, totals[0], {"process B": own})


def alone(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do it in a process that has done nothing else."""
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as process:
        return process.submit(trio.run, work).result()


async def leave(path: Path, carts: int) -> None:
    """Leave carts with their items in a journal, asleep."""
    journal = LmdbJournal(path / "journal", durability="process")
    async with Runtime(journal, entities=[Cart]) as runtime:
        await fill(runtime, range(carts))


async def held(path: Path, carts: int, which: Which, measure: Callable[[], int]) -> tuple[float, int]:
    """Bytes of each cart, and what they came to."""
    residents = 1 if which == "asleep again" else carts + 2 * SOME
    now = time.time_ns() // 1_000
    journal = LmdbJournal(path / "journal", durability="process")
    limits = Limits(resident_actors=residents)
    async with Runtime(journal, entities=[Cart], limits=limits, clock=lambda: now) as runtime:
        stand_in = runtime.actor(Cart, "stand-in")

        async def settle() -> None:
            nonlocal now
            while (told := runtime.statistics()).actors_behind > 1 or told.residents > max(residents, 10):
                now += STEP_US
                await stand_in.signal(Cart.add_item, "sku", 1, cents=1)  # with each commit goes a slice

        await fill(runtime, range(carts, carts + SOME))  # what is made once for all is there
        await settle()
        if measure is traced_bytes:
            tracemalloc.start()
        before = measure()
        if which == "given its items here":
            await fill(runtime, range(carts))
        else:
            for number in range(carts):
                await runtime.actor(Cart, f"cart-{number}").query(Cart.total)
        await settle()
        bytes_ = measure() - before
        tracemalloc.stop()
        total = 0
        for number in range(0, carts, max(1, carts // 100)):
            total += await runtime.actor(Cart, f"cart-{number}").query(Cart.total)
        return bytes_ / carts, total


async def fill(runtime: Runtime, numbers: range) -> None:
    """Give carts their items."""
    for start in range(0, len(numbers), AT_ONCE):
        for item in range(ITEMS):
            async with runtime.batch() as batch:
                for number in numbers[start : start + AT_ONCE]:
                    cart = runtime.actor(Cart, f"cart-{number}")
                    batch.signal(cart, Cart.add_item, f"sku-{item}", item + 1, cents=1_000 + number % 100)


def own_bytes() -> int:
    """As the system has it."""
    gc.collect()
    return weight().own


def traced_bytes() -> int:
    """As Python has it."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else 0


def cases(size: Size) -> Iterator[Case]:
    """An actor by how it came where it is."""
    if not measurable():
        return
    for which in get_args(Which):
        yield Case(
            where={"carts": SHAPES[size], "": which},
            unit="B",
            ours=partial(weigh, carts=SHAPES[size], which=which),
            asked=None if which == "asleep again" or size == "tiny" else at_most(ASKED_BYTES, of="figure"),
            durability="no syncs, which are not asked about",
        )
