"""How long do the slowest signals take at half of the full load, while checkpoints run?

First callers send as fast as they are answered: that is the full load.  Then messages come at half of that
rate by the clock, a tick's at a time, whether earlier ones are answered or not.  Where the loop has stood
still, each waits from the moment at which it should have come: a standstill counts for everybody whom it
keeps waiting.  Of ten messages eight are
signals, one is an update, one a query; each signal arms a timer.  What the slowest of a thousand signals
waits is told in commits: the median of those that the journal made meanwhile.  Once with a log as long as it
is wherever nobody says otherwise, with a checkpoint every few seconds, and once with one so short that there
is always a checkpoint under way.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple, cast

import trio
import trio.testing
from attrs import field

from actorflow import ActorHandle, Limits, Runtime, entity, query, signal, timer, update
from persistence import Batch, Journal, LmdbJournal

from ._case import Case, Found, Size, at_most
from ._light import whom

CALLERS = 64
TICK_S = 0.001
LATE_S = 0.003
"""What sleeps for a tick in trio wakes up to two later, for its clock counts whole milliseconds."""
BATCH = 500
SENDERS = 3_000
"""More than messages wait at any time."""
PERCENTILES = (50, 75, 90, 95, 99, 99.5, 99.9, 99.99, 100)


class Shape(NamedTuple):
    """How much of it."""

    actors: int
    full_s: float
    half_s: float
    log_bytes: int


USUAL: dict[Size, Shape] = {
    "tiny": Shape(20, 0.1, 0.2, 1 << 20),
    "small": Shape(2_000, 1.5, 6, 2 << 20),  # a log of the usual length would not be full in that time
    "full": Shape(10_000, 5, 30, Limits().log_bytes),
}
SHORT: dict[Size, Shape] = {
    "small": Shape(2_000, 1.5, 4, 128 << 10),
    "full": Shape(10_000, 5, 30, 2 << 20),
}


@entity
class Cart:
    """Is given up after thirty days."""

    items: dict[str, int] = field(factory=dict[str, int])
    given_up: bool = False

    @signal
    def add(self, sku: str, quantity: int) -> None:
        self.items[sku] = self.items.get(sku, 0) + quantity
        self.give_up().arm(after=timedelta(days=30))

    @update
    def take(self, sku: str) -> int:
        self.items[sku] = self.items.get(sku, 0)
        return self.items[sku]

    @query
    def count(self) -> int:
        return sum(self.items.values())

    @timer
    def give_up(self) -> None:
        self.given_up = True


class Timed:
    """A journal that remembers how long each of its commits took."""

    def __init__(self, journal: LmdbJournal) -> None:
        self._journal = journal
        self.took: list[float] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._journal, name)

    @contextmanager
    def write(self) -> Iterator[Batch]:
        """Leaving the block commits."""
        block = self._journal.write()
        with block as batch:
            yield batch
            began = time.perf_counter()
        self.took.append(time.perf_counter() - began)


class Load:
    """Messages of all kinds, and how long the signals among them waited."""

    def __init__(self, carts: list[ActorHandle[Cart]]) -> None:
        self._carts = carts
        self.signals = 0
        self.waits: list[float] = []

    async def send(self, caller: int, number: int, since: float) -> None:
        """Send the message of this number; what it waits is counted from a moment in the past."""
        cart = self._carts[whom(caller, number, len(self._carts))]
        sku = f"sku-{number % 10}"
        kind = (caller + number) % 10
        if kind == 0:
            await cart.query(Cart.count)
        elif kind == 1:
            await cart.update(Cart.take, sku)
        else:
            self.signals += 1
            await cart.signal(Cart.add, sku, 1)
            self.waits.append(time.perf_counter() - since)


async def at_full(load: Load, seconds: float) -> float:
    """Messages a second, by callers that wait for each."""
    sent = 0
    began = time.perf_counter()

    async def call(caller: int) -> None:
        nonlocal sent
        number = 0
        while (now := time.perf_counter()) - began < seconds:
            await load.send(caller, number, now)
            number += 1
            sent += 1

    async with trio.open_nursery() as nursery:
        for caller in range(CALLERS):
            nursery.start_soon(call, caller)
    return sent / (time.perf_counter() - began)


async def by_the_clock(load: Load, rate: float, seconds: float) -> None:
    """So many a second, whoever is still waiting."""
    due: deque[tuple[int, float]] = deque()
    idle: list[trio.lowlevel.Task] = []

    def give_up(_: object) -> trio.lowlevel.Abort:
        return trio.lowlevel.Abort.SUCCEEDED

    async def send() -> None:
        while True:
            while due:
                number, since = due.popleft()
                await load.send(number % CALLERS, number, since)
            idle.append(trio.lowlevel.current_task())
            await trio.lowlevel.wait_task_rescheduled(give_up)

    async with trio.open_nursery() as nursery:
        # A task for each message would cost as much as the message, and half of the load would be all of it.
        for _ in range(SENDERS):
            nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()  # of what that has made, which would be a standstill of 50 ms at the beginning
        began = time.perf_counter()
        sent, total = 0, int(rate * seconds)
        while sent < total:
            now = time.perf_counter()
            until = min(total, int((now - began) * rate) + 1)
            for number in range(sent, until):
                since = began + number / rate
                # A little late is who sends, not who answers; later than that the loop has stood still.
                due.append((number, now if now - since < LATE_S else since))
            # Whoever was last to send is next: by turns all of them would be fetched from memory, and half
            # of the load would again be nearly all of it.
            for _ in range(min(len(idle), until - sent)):
                trio.lowlevel.reschedule(idle.pop())
            sent = until
            await trio.sleep(TICK_S)
        await trio.testing.wait_all_tasks_blocked(LATE_S)
        nursery.cancel_scope.cancel()


async def tail(path: Path, shape: Shape, *, checkpoints: bool) -> Found:
    """How many median commits 99.9 % of the signals take at most."""
    journal = Timed(LmdbJournal(path / "journal"))
    limits = Limits(log_bytes=shape.log_bytes)
    async with Runtime(cast("Journal", journal), entities=[Cart], limits=limits) as runtime:
        carts = [runtime.actor(Cart, f"cart-{number}") for number in range(shape.actors)]
        for start in range(0, shape.actors, BATCH):
            async with runtime.batch() as batch:
                for cart in carts[start : start + BATCH]:
                    batch.signal(cart, Cart.add, "sku-0", 1)
        load = Load(carts)
        rate = await at_full(load, shape.full_s)
        load.waits.clear()
        journal.took.clear()
        before = runtime.statistics().checkpoints
        await by_the_clock(load, rate / 2, shape.half_s)
        done = runtime.statistics().checkpoints - before
        waits, commit = sorted(load.waits), median(journal.took)
        counted = sum([await cart.query(Cart.count) for cart in carts])
    assert counted == load.signals + shape.actors, f"{counted:,} of {load.signals + shape.actors:,}"
    assert done or not checkpoints, "no checkpoint ran"
    curve = [(percentile, _at(waits, percentile) * 1e3) for percentile in PERCENTILES]
    also = {
        "median ms": _at(waits, 50) * 1e3,
        "p99 ms": _at(waits, 99) * 1e3,
        "p99.9 ms": _at(waits, 99.9) * 1e3,
        "median commit ms": commit * 1e3,
        "checkpoints": done,
        "messages/s": rate / 2,
    }
    return Found(_at(waits, 99.9) / commit, "all there", also, curve)


def _at(ordered: list[float], percentile: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * percentile / 100))]


def cases(size: Size) -> Iterator[Case]:
    """One load, over two logs."""
    usual, short = USUAL[size], SHORT.get(size)
    for shape in (usual, short) if short else (usual,):
        yield Case(
            where={"actors": shape.actors, "log": "usual" if shape is usual else "short"},
            unit="× commit",
            ours=partial(tail, shape=shape, checkpoints=size != "tiny"),
            asked=at_most(5, of="figure") if shape is usual else None,
        )
