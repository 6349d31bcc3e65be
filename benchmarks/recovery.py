"""How long until a killed process serves again, by how much of its log no table has?

A process that takes ``add_item`` for a thousand carts is killed amid its load (``kill -9``).  Then another
opens the journal and asks one of the carts: milliseconds to the first answer.  Beside it: how long the
opening took of that, and until every cart that the log speaks of has gone on.  Not one acknowledged
message may be lost, and none may be there that was not sent.  The clock of the process that is killed
stands still, so that no checkpoint comes between; how long the log may become is a limit (``log_bytes``),
32 MB if nobody says otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trio

from actorflow import Limits, NotStarted, Runtime
from entities.cart import Cart
from persistence import LmdbJournal

from ._case import Case, Found, Size
from ._process import Tally, kill_when, measurable

ACTORS = 1_000
SENDERS = 64
AT_ONCE = 16
"""Messages of one batch, all to one cart."""
NOW = 1_700_000_000_000_000
NEVER = 1 << 40

SHAPES: dict[Size, list[int]] = {
    "tiny": [1_000],
    "small": [1_000, 10_000, 50_000],
    "full": [0, 1_000, 10_000, 100_000, 300_000, 600_000],
}


def recover(path: Path, messages: int) -> Found:
    """Kill a process that has taken so many, and open what it leaves."""
    # What was handed over, and what was acknowledged, for each cart; and whether the load has begun.
    sent, taken, began = Tally(ACTORS), Tally(ACTORS), Tally(1)
    kill_when(
        lambda: bool(began[0]) and sum(taken) >= messages,
        lambda: trio.run(load, path / "journal", sent, taken, began),
    )
    return trio.run(serve_again, path / "journal", sent, taken)


async def load(path: Path, sent: Tally, taken: Tally, began: Tally) -> None:
    """Send until the end."""
    limits = Limits(log_bytes=NEVER)
    async with Runtime(LmdbJournal(path), entities=[Cart], limits=limits, clock=lambda: NOW) as runtime:
        carts = [runtime.actor(Cart, f"cart-{number}") for number in range(ACTORS)]

        async def call(number: int) -> None:
            while True:
                sent[number] += AT_ONCE
                async with runtime.batch() as batch:
                    for place in range(AT_ONCE):
                        batch.signal(carts[number], Cart.add_item, f"sku-{place % 10}", 1, cents=150)
                taken[number] += AT_ONCE
                number = (number + SENDERS) % ACTORS

        async with trio.open_nursery() as nursery:
            for first in range(SENDERS):
                nursery.start_soon(call, first)
            began[0] = 1


async def serve_again(path: Path, sent: Tally, taken: Tally) -> Found:
    """Open, ask one, and then all of them whether anything is gone."""
    began = time.perf_counter()
    async with Runtime(LmdbJournal(path), entities=[Cart]) as runtime:
        opened = time.perf_counter()
        carts = [runtime.actor(Cart, f"cart-{number}") for number in range(ACTORS)]
        await carts[0].query(Cart.total)
        answered = time.perf_counter()
        log = runtime.statistics().bytes_used
        await runtime.list(Cart, at_most=1)  # hears all of them first
        heard = time.perf_counter()
        found = 0
        for number, cart in enumerate(carts):
            try:
                there = await cart.query(Cart.total) // 150
            except NotStarted:
                there = 0
            assert taken[number] <= there <= sent[number], f"{cart}: {taken[number]} {there} {sent[number]}"
            found += there
        everything = ("lost", 0, "not sent", 0)
        return Found(
            (answered - began) * 1e3,
            everything,
            {
                "open ms": (opened - began) * 1e3,
                "answer ms": (answered - opened) * 1e3,
                "all heard ms": (heard - began) * 1e3,
                "messages": found,
                "journal MB": log / 1e6,
            },
        )


def cases(size: Size) -> Iterator[Case]:
    """By what only the log has."""
    if not measurable():
        return
    for messages in SHAPES[size]:
        yield Case(
            where={"messages at least in the log": messages},
            unit="ms",
            ours=partial(recover, messages=messages),
        )
