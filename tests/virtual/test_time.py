"""Does everything follow one virtual time: timers, sleeps, activities with all their bounds, children?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import perf_counter

import pytest
import trio
from attrs import field

from actorflow import (
    ActivityFailed,
    Breaker,
    RetryPolicy,
    Unavailable,
    UsageError,
    activity,
    entity,
    gather,
    query,
    update,
)
from actorflow.testing import virtual_runtime
from tests.virtual.props import DAY, HOUR, Cart, Parcel, Van, world

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ONCE = RetryPolicy(maximum_attempts=1)


async def test_thirty_days_take_milliseconds() -> None:
    """A timer of thirty days fires to the microsecond, and nobody waits for it."""
    async with virtual_runtime(entities=[Cart]) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        await cart.signal(Cart.add, "apple")
        began = perf_counter()
        await runtime.sleep(30 * DAY)
        assert perf_counter() - began < 1.0
        assert runtime.now == START + 30 * DAY
        assert (await cart.query(Cart.happened))[-1] == ("given up", START + 30 * DAY)


async def test_timers_fire_in_due_order_over_years() -> None:
    """Of many timers over thirty years each fires at its time, whatever the order they were armed in."""
    spans = [7 * DAY, 3650 * DAY, SECOND, 10_950 * DAY, timedelta(microseconds=1), 366 * DAY, HOUR]
    async with virtual_runtime(entities=[Cart]) as runtime:
        one, other = runtime.actor(Cart, "one"), runtime.actor(Cart, "other")
        for number, span in enumerate(spans):
            await (one, other)[number % 2].signal(Cart.remind, str(span), span)
        await runtime.sleep(11_000 * DAY)
        told = [*await one.query(Cart.happened), *await other.query(Cart.happened)]
        assert sorted(told, key=lambda entry: entry[1]) == [
            (str(span), START + span) for span in sorted(spans)
        ]


async def test_time_stands_at_each_due_in_its_turn() -> None:
    """Whoever sleeps until a moment finds everything done that was due by then, and nothing else."""
    async with virtual_runtime(entities=[Cart], start=datetime(2000, 2, 28, tzinfo=UTC)) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        for day in (1, 2, 3):
            await cart.signal(Cart.remind, f"day {day}", day * DAY)
        for day in (1, 2, 3):
            await runtime.sleep_until(datetime(2000, 2, 28, tzinfo=UTC) + day * DAY)
            assert [what for what, _ in await cart.query(Cart.happened)] == [
                f"day {n + 1}" for n in range(day)
            ]
        await runtime.sleep_until(datetime(1999, 1, 1, tzinfo=UTC))
        assert runtime.now == datetime(2000, 3, 2, tzinfo=UTC)


async def test_a_callers_wait_lets_time_pass() -> None:
    """Who awaits an update that takes two years has its answer, and it is two years later."""
    async with virtual_runtime(entities=[Cart]) as runtime:
        assert await runtime.actor(Cart, "cart-1").update(Cart.wait, 730 * DAY) == START + 730 * DAY
        assert runtime.now == START + 730 * DAY


async def test_an_activity_is_retried_over_hours() -> None:
    """An activity on trio that fails four times pauses longer and longer, for hours, and then succeeds."""
    world.failures = 4
    async with virtual_runtime(entities=[Cart]) as runtime:
        assert await runtime.actor(Cart, "cart-1").update(Cart.pay, 150) == "receipt for 150"
        assert len(world.calls) == 5
        assert 12 * HOUR < runtime.now - START - timedelta(minutes=5) < 18 * HOUR


async def test_an_activity_in_a_thread_is_retried_over_hours() -> None:
    """So is one that is a plain function, in a thread; its arguments by name come as they were given."""
    world.failures = 3
    async with virtual_runtime(entities=[Cart]) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        await cart.signal(Cart.add, "apple")
        assert await cart.update(Cart.weight) == 49
        assert len(world.calls) == 4
        assert 5.6 * HOUR <= runtime.now - START <= 8.4 * HOUR


# ---- the bounds of activities ------------------------------------------------------------------------


passing: list[Callable[[timedelta], None]] = []
"""How a function in a thread lets virtual time pass; a test says it."""


@activity(start_to_close=HOUR, retry=ONCE)
async def too_long() -> None:
    """Take twice as long as it may."""
    await trio.sleep(7200)


@activity(start_to_close=10 * HOUR, heartbeat=timedelta(minutes=5), retry=ONCE)
async def silent() -> None:
    """Be heard for a while, and then no more."""
    for _ in range(10):
        await trio.sleep(240)
        activity.current().heartbeat()
    await trio.sleep(7200)


@activity(start_to_close=10 * HOUR, heartbeat=timedelta(minutes=5), retry=ONCE)
def silent_in_thread() -> None:
    """The same in a thread."""
    for _ in range(10):
        passing[-1](timedelta(minutes=4))
        activity.current().heartbeat()
    passing[-1](2 * HOUR)


@activity(schedule_to_close=3 * HOUR, retry=RetryPolicy(initial_interval=HOUR, maximum_attempts=100))
async def hopeless() -> None:
    """Fail always."""
    raise ConnectionError("never")


@activity(rate=1 / 60)
async def rare(number: int) -> int:
    """May begin once a minute."""
    world.called(str(number))
    return number


@activity(
    breaker=Breaker(failures=3, pause=6 * HOUR),
    retry=RetryPolicy(initial_interval=SECOND, maximum_interval=SECOND, maximum_attempts=10),
)
async def broken() -> str:
    """Be down four times."""
    if len(world.calls) < 4:
        world.calls.append("down")
        raise Unavailable("down")
    return "up"


@activity.batched(at_most=10, within=5 * HOUR)
async def together(numbers: list[int]) -> list[int]:
    """Answer several at once."""
    world.called(str(len(numbers)))
    return [n + 1 for n in numbers]


@activity
async def own_bound() -> str:
    """Trio's own bounds are virtual too."""
    with trio.move_on_after(30) as scope:
        await trio.sleep(3600)
    return "moved on" if scope.cancelled_caught else "slept"


@entity
class Clerk:
    """Asks for one after the other."""

    done: list[str] = field(factory=list[str])

    @update
    async def try_(self, which: str) -> str:
        known = {
            "too_long": too_long,
            "silent": silent,
            "silent_in_thread": silent_in_thread,
            "hopeless": hopeless,
        }
        try:
            await known[which]()
        except ActivityFailed as failure:
            return failure.message
        return "done"

    @update
    async def many(self, count: int) -> list[int]:
        return list(await gather(*[rare(n) for n in range(count)]))

    @update
    async def batch(self, count: int) -> list[int]:
        return list(await gather(*[together(n) for n in range(count)]))

    @update
    async def ask_broken(self) -> str:
        return await broken()

    @update
    async def bound(self) -> str:
        return await own_bound()

    @query
    def all(self) -> list[str]:
        return self.done


@pytest.mark.parametrize(
    ("which", "after", "why"),
    [
        ("too_long", HOUR, "it took longer than 1:00:00"),
        ("silent", timedelta(minutes=45), "no heartbeat came for 300 s"),
        ("silent_in_thread", timedelta(minutes=45), "no heartbeat came for 300 s"),
        ("hopeless", 3 * HOUR, "never"),
    ],
)
async def test_every_time_out_is_virtual(which: str, after: timedelta, why: str) -> None:
    """An attempt that takes too long, is silent too long, or is tried for too long ends when it should."""
    async with virtual_runtime(entities=[Clerk]) as runtime:
        passing.append(runtime.in_threads.sleep)
        assert await runtime.actor(Clerk, "clerk-1").update(Clerk.try_, which) == why
        if which == "hopeless":
            assert runtime.now - START < after
        else:
            assert runtime.now - START == after


async def test_a_rate_is_kept_in_virtual_time() -> None:
    """Of an activity that may begin once a minute, ten take nine minutes."""
    async with virtual_runtime(entities=[Clerk]) as runtime:
        assert await runtime.actor(Clerk, "clerk-1").update(Clerk.many, 10) == list(range(10))
        assert runtime.now - START == timedelta(minutes=9)
        assert world.calls == [str(n) for n in range(10)]


async def test_a_circuit_is_tried_in_virtual_time() -> None:
    """A broken circuit lets one attempt try every six hours."""
    async with virtual_runtime(entities=[Clerk]) as runtime:
        assert await runtime.actor(Clerk, "clerk-1").update(Clerk.ask_broken) == "up"
        assert runtime.now - START == 24 * HOUR


async def test_a_batch_gathers_in_virtual_time() -> None:
    """Three small calls are one after five hours; ten are at once."""
    async with virtual_runtime(entities=[Clerk]) as runtime:
        clerk = runtime.actor(Clerk, "clerk-1")
        assert await clerk.update(Clerk.batch, 10) == list(range(1, 11))
        assert runtime.now == START
        assert await clerk.update(Clerk.batch, 3) == [1, 2, 3]
        assert runtime.now - START == 5 * HOUR
        assert world.calls == ["10", "3"]


async def test_trios_own_time_is_the_same() -> None:
    """What an activity measures, and where it moves on of itself, is virtual time."""
    async with virtual_runtime(entities=[Cart, Clerk]) as runtime:
        assert await runtime.actor(Cart, "cart-1").update(Cart.rest, 86_400.0) == 86_400.0
        assert runtime.now - START == DAY
        assert await runtime.actor(Clerk, "clerk-1").update(Clerk.bound) == "moved on"
        assert runtime.now - START == DAY + 30 * SECOND


async def test_children_live_for_days() -> None:
    """A parent waits for children that travel for up to forty days, side by side."""
    async with virtual_runtime(entities=[Van, Parcel]) as runtime:
        assert await runtime.actor(Van, "van-1").update(Van.deliver, [3, 40, 7]) == 50
        assert runtime.now - START == 40 * DAY


async def test_what_is_no_time_is_refused() -> None:
    """A time without a zone, a negative sleep and a plain number are errors with a hint."""
    async with virtual_runtime(entities=[Cart]) as runtime:
        with pytest.raises(UsageError, match="tzinfo=UTC"):
            await runtime.sleep_until(datetime(2030, 1, 1))  # noqa: DTZ001 - that is the mistake
        with pytest.raises(UsageError, match="never goes back"):
            await runtime.sleep(-SECOND)
        with pytest.raises(UsageError, match="timedelta"):
            await runtime.sleep(5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="start="):
        virtual_runtime(entities=[Cart], start=datetime(2030, 1, 1))  # noqa: DTZ001 - the same
