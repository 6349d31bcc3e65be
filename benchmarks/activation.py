"""How long does an actor with a long history take to its first answer, after a kill?

A process sends one cart so many signals, and some to a hundred others, and is killed (``kill -9``).  The
clock begins when the journal is open again, and ends when the cart has told its total: milliseconds.
Either a checkpoint had brought everything into the tables before, which is how an actor sleeps that has
not just been spoken to; or there was none.  Then the log alone has what came since the cart's run was
closed last, which happens every thousand records: 5,990 signals are the worst that can be.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trio

from actorflow import Limits, Runtime
from entities.cart import Cart
from persistence import LmdbJournal

from ._case import Case, Found, Size, at_most
from ._process import Tally, kill_when, measurable

ASKED_MS = 20.0
OTHERS = 100
AT_ONCE = 100
STEP_US = 11_000_000
"""The tables are brought up to a quiet log after ten seconds."""
NEVER = 1 << 40

SHAPES: dict[Size, list[int]] = {
    "tiny": [100],
    "small": [10, 100, 1_000, 5_000, 5_990],
    "full": [10, 100, 1_000, 5_000, 5_990],
}


def activate(path: Path, signals: int, tabled: bool) -> Found:  # noqa: FBT001 - one of two cases
    """Leave a cart with a history, and ask it."""
    done = Tally(1)
    kill_when(lambda: bool(done[0]), lambda: trio.run(leave, path / "journal", signals, tabled, done))
    return trio.run(ask, path / "journal", signals)


async def leave(path: Path, signals: int, tabled: bool, done: Tally) -> None:  # noqa: FBT001 - as above
    """Make the history, say so, and go on until the end."""
    now = time.time_ns() // 1_000
    limits = Limits(log_bytes=NEVER)
    async with Runtime(LmdbJournal(path), entities=[Cart], limits=limits, clock=lambda: now) as runtime:
        cart = runtime.actor(Cart, "cart")
        others = [runtime.actor(Cart, f"other-{number}") for number in range(OTHERS)]
        for first in range(0, signals, AT_ONCE):
            async with runtime.batch() as batch:
                for number in range(first, min(first + AT_ONCE, signals)):
                    batch.signal(cart, Cart.add_item, f"sku-{number % 10}", 1, cents=150)
            if tabled:
                now += STEP_US
        while True:
            async with runtime.batch() as batch:
                for other in others:
                    batch.signal(other, Cart.add_item, "sku-0", 1, cents=150)
            # The one that was not spoken to any more is in the tables once a checkpoint has begun and ended.
            now += STEP_US if tabled else 0
            if not tabled or runtime.statistics().checkpoints > signals // AT_ONCE + 3:
                done[0] = 1


async def ask(path: Path, signals: int) -> Found:
    """The first answer."""
    began = time.perf_counter()
    async with Runtime(LmdbJournal(path), entities=[Cart]) as runtime:
        cart = runtime.actor(Cart, "cart")
        opened = time.perf_counter()
        total = await cart.query(Cart.total)
        answered = time.perf_counter()
        assert total == signals * 150, f"{signals} were acknowledged, {total // 150} are there"
        again = time.perf_counter()
        await cart.query(Cart.total)
        return Found(
            (answered - opened) * 1e3,
            total,
            {"open ms": (opened - began) * 1e3, "again ms": (time.perf_counter() - again) * 1e3},
        )


def cases(size: Size) -> Iterator[Case]:
    """By length, and by who knows of it."""
    if not measurable():
        return
    for tabled in (True, False):
        for signals in SHAPES[size]:
            yield Case(
                where={"signals": signals, "": "all in the tables" if tabled else "no checkpoint"},
                unit="ms",
                ours=partial(activate, signals=signals, tabled=tabled),
                asked=at_most(ASKED_MS, of="figure"),
                rounds=3 if size == "small" else 7,
            )
