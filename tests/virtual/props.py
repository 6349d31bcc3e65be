"""A shop whose actors wait for hours, days and years, and activities that take their time."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Event

import trio
from attrs import field

from actorflow import (
    ActivityFailed,
    RetryPolicy,
    activity,
    actor,
    callback,
    complete,
    entity,
    fan_out,
    main,
    now,
    query,
    race,
    signal,
    sleep,
    timer,
    update,
)

__all__ = ["DAY", "HOUR", "Cart", "Pair", "Parcel", "Till", "Van", "World", "charge", "weigh", "world"]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECONDS = 30
"""Nothing here takes one; what takes so long hangs."""


class World:
    """What activities meet: how often they fail, and gates at which a thread waits."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """As in the beginning."""
        self.calls: list[str] = []
        self.failures = 0
        self.entered = Event()
        self.gate = Event()

    def called(self, what: str) -> None:
        """Note a call, and let it fail if it is to."""
        self.calls.append(what)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("nobody answers")

    def stand_at_gate(self) -> None:
        """Block until somebody opens it."""
        self.entered.set()
        assert self.gate.wait(SECONDS), "nobody opened the gate"


world = World()

PATIENT = RetryPolicy(initial_interval=HOUR, maximum_interval=8 * HOUR, maximum_attempts=6)


@activity(start_to_close=2 * HOUR, retry=PATIENT)
async def charge(cents: int) -> str:
    """Take a minute, and fail as often as the world wants."""
    await trio.sleep(60)
    world.called("charge")
    return f"receipt for {cents}"


@activity(start_to_close=2 * HOUR, retry=PATIENT)
def weigh(sku: str, *, tare: int = 0) -> int:
    """The same in a thread, in no time."""
    world.called("weigh")
    return 10 * len(sku) - tare


@activity(start_to_close=2 * HOUR)
def gated() -> str:
    """Block a thread until the test lets it go on."""
    world.stand_at_gate()
    return "through"


@activity(start_to_close=timedelta(days=400))
async def nap(seconds: float) -> float:
    """Take so long, and tell how long that was."""
    began = trio.current_time()
    await trio.sleep(seconds)
    return trio.current_time() - began


@entity
class Cart:
    """Goods, and a reminder for whoever forgets them."""

    items: list[str] = field(factory=list[str])
    log: list[tuple[str, datetime]] = field(factory=list[tuple[str, datetime]])
    token: str = ""

    @signal
    def add(self, sku: str) -> None:
        self.items.append(sku)
        self.log.append((sku, now()))
        self.give_up().arm(after=30 * DAY)

    @timer
    def give_up(self) -> None:
        self.log.append(("given up", now()))

    @signal
    def remind(self, what: str, after: timedelta) -> None:
        self.reminder(what).arm(after=after)

    @timer
    def reminder(self, what: str) -> None:
        self.log.append((what, now()))

    @update
    async def pay(self, cents: int) -> str:
        return await charge(cents)

    @update
    async def weight(self) -> int:
        return sum([await weigh(sku, tare=1) for sku in self.items])

    @update
    async def pass_gate(self) -> str:
        return await gated()

    @update
    async def rest(self, seconds: float) -> float:
        return await nap(seconds)

    @update
    async def wait(self, duration: timedelta) -> datetime:
        await sleep(duration)
        return now()

    @update
    async def ask_outside(self) -> int:
        promise = callback(int, timeout=None)
        self.token = promise.token
        return await promise

    @signal
    def close(self) -> None:
        complete(len(self.items))

    @query
    def contents(self) -> list[str]:
        return self.items

    @query
    def happened(self) -> list[tuple[str, datetime]]:
        return self.log

    @query
    def its_token(self) -> str:
        return self.token


@entity
class Parcel:
    """Travels for some days."""

    days: int

    @main
    async def travel(self) -> int:
        await sleep(self.days * DAY)
        return self.days


@entity
class Van:
    """Sends parcels, and waits until all are there."""

    @update
    async def deliver(self, days: list[int]) -> int:
        ended = await fan_out({str(n): Parcel(n) for n in days}, result=int)
        return sum(ended.values())


@entity
class Till:
    """Waits for the answer of a cart."""

    @update
    async def settle(self, key: str) -> int:

        return await actor(Cart, key).within(timedelta(days=300_000)).update(Cart.ask_outside)


@activity
async def left(seconds: float) -> str:
    await trio.sleep(seconds)
    return "left"


@activity
async def right(seconds: float) -> str:
    await trio.sleep(seconds)
    return "right"


@entity
class Pair:
    """Does two things at once that take the same time."""

    wins: list[int] = field(factory=list[int])

    @update
    async def run(self, seconds: float) -> int:
        first, _ = await race(left(seconds), right(seconds))
        self.wins.append(first)
        return first

    @update
    async def fail(self) -> str:
        try:
            return await charge(1)
        except ActivityFailed as failure:
            return str(failure)
