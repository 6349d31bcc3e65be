"""Do all four kinds of callers get the same: trio, asyncio, plain functions, threads?"""

from __future__ import annotations

import asyncio
import threading
import unittest
from datetime import UTC, datetime, timedelta

import pytest
import trio
from attrs import field

from actorflow import Refused, UsageError, activity, entity, query, signal, sleep, update
from actorflow.testing import BlockingVirtualRuntime, VirtualRuntime, virtual_runtime
from tests.virtual.props import DAY, HOUR, SECONDS, Cart, world

START = datetime(2026, 1, 1, tzinfo=UTC)


async def _story() -> list[object]:
    """What one caller does; under trio and asyncio alike."""
    async with virtual_runtime(entities=[Cart]) as runtime:
        return await _told(runtime)


async def _told(runtime: VirtualRuntime) -> list[object]:
    cart = runtime.actor(Cart, "cart-1")
    world.failures = 2
    await cart.signal(Cart.add, "apple")
    async with runtime.batch() as batch:
        batch.signal(cart, Cart.add, "pear")
        batch.signal(cart, Cart.add, "plum")
    paid = await cart.update(Cart.pay, 5)
    await runtime.sleep(31 * DAY)
    (line,) = await runtime.list(Cart)
    return [paid, await cart.query(Cart.happened), line, runtime.now]


def _told_blocking(runtime: BlockingVirtualRuntime) -> list[object]:
    cart = runtime.actor(Cart, "cart-1")
    world.failures = 2
    cart.signal(Cart.add, "apple")
    with runtime.batch() as batch:
        batch.signal(cart, Cart.add, "pear")
        batch.signal(cart, Cart.add, "plum")
    paid = cart.update(Cart.pay, 5)
    runtime.sleep(31 * DAY)
    (line,) = runtime.list(Cart)
    return [paid, cart.query(Cart.happened), line, runtime.now]


def test_all_kinds_of_callers_are_told_the_same() -> None:
    """One course, to the microsecond, whoever calls: the pauses between attempts are drawn from the seed."""
    in_trio = trio.run(_story)
    in_asyncio = asyncio.run(_story())
    with virtual_runtime(entities=[Cart]) as runtime:
        in_function = _told_blocking(runtime)
    told: list[object] = []
    with virtual_runtime(entities=[Cart]) as runtime:
        thread = threading.Thread(target=lambda: told.extend(_told_blocking(runtime)))
        thread.start()
        thread.join(SECONDS)
    assert in_trio == in_asyncio == in_function == told
    with virtual_runtime(entities=[Cart], seed=1) as runtime:
        assert _told_blocking(runtime) != in_trio


class TestPlain(unittest.TestCase):
    """As unittest has it."""

    def test_thirty_days(self) -> None:
        """A test case without any loop waits thirty days."""
        with virtual_runtime(entities=[Cart]) as runtime:
            runtime.actor(Cart, "cart-1").signal(Cart.add, "apple")
            runtime.sleep(30 * DAY)
            self.assertEqual(  # noqa: PT009 - it is unittest's
                runtime.actor(Cart, "cart-1").query(Cart.happened)[-1], ("given up", START + 30 * DAY)
            )


class TestInAsyncio(unittest.IsolatedAsyncioTestCase):
    """As unittest has it for asyncio."""

    async def test_thirty_days(self) -> None:
        """A test case in a loop of asyncio waits thirty days."""
        async with virtual_runtime(entities=[Cart]) as runtime:
            await runtime.actor(Cart, "cart-1").signal(Cart.add, "apple")
            await runtime.sleep(30 * DAY)
            self.assertEqual(runtime.now, START + 30 * DAY)  # noqa: PT009 - it is unittest's


async def _wait_by_turns(log: list[str]) -> None:
    async with virtual_runtime(entities=[Cart]) as runtime:

        async def call(name: str, days: list[int]) -> None:
            for number in days:
                await runtime.sleep(number * DAY)
                log.append(f"{name} {(runtime.now - START).days}")
                for _ in range(5):
                    await asyncio.sleep(0)

        await asyncio.gather(call("one", [1, 2, 3]), call("other", [2, 2, 4]))


def test_tasks_of_asyncio_by_turns() -> None:
    """Of two tasks that sleep by turns none is overtaken, though each has passes of its loop to do."""
    for _ in range(5):
        log: list[str] = []
        asyncio.run(_wait_by_turns(log))
        assert log == ["one 1", "other 2", "one 3", "other 4", "one 6", "other 8"]


def test_a_patience_of_threads_is_virtual() -> None:
    """``within`` bounds virtual time: two hours are too short for three, and long enough for one."""
    with virtual_runtime(entities=[Cart]) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        with pytest.raises(TimeoutError, match="no answer within 7200 s"):
            cart.within(2 * HOUR).update(Cart.wait, 3 * HOUR)
        assert runtime.now == START + 2 * HOUR
        runtime.sleep(HOUR)
        assert cart.within(2 * HOUR).update(Cart.wait, HOUR) == START + 4 * HOUR


def test_the_wrong_door_is_named() -> None:
    """Who forgets the async, or uses tasks' handles in a plain function, is told what to write."""

    async def forget() -> None:
        with virtual_runtime(entities=[Cart]):
            pass

    with pytest.raises(UsageError, match="async with virtual_runtime"):
        trio.run(forget)
    with pytest.raises(UsageError, match="async with virtual_runtime"):
        asyncio.run(forget())
    runtime = virtual_runtime(entities=[Cart])
    with runtime.opened(awaited=True) as opened:
        assert isinstance(opened, VirtualRuntime)
        with pytest.raises(UsageError, match="neither trio nor asyncio"):
            opened.sleep(DAY).send(None)
    with pytest.raises(UsageError, match="opened once"), runtime:
        pass


async def test_a_caller_that_is_cancelled() -> None:
    """Who stops waiting is forgotten, and time goes on for the others."""
    async with virtual_runtime(entities=[Cart]) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        with runtime.hold(), trio.move_on_after(0.01) as scope:
            await runtime.sleep(DAY)
        assert scope.cancelled_caught
        await runtime.sleep(HOUR)
        assert runtime.now == START + HOUR
        await cart.signal(Cart.add, "apple")


@entity
class Outer:
    """Asks another actor through an activity, which calls the runtime as everybody does."""

    found: list[str] = field(factory=list[str])

    @update
    async def relay(self, how: str) -> int:
        return await (through_task(how) if how == "a task" else through_thread(how))


runtimes: list[VirtualRuntime] = []


@activity
async def through_task(sku: str) -> int:
    """Call the runtime from its own loop."""
    cart = runtimes[-1].actor(Cart, "cart-1")
    await cart.signal(Cart.add, sku)
    await runtimes[-1].sleep(timedelta(seconds=20))
    found = await cart.query(Cart.contents)
    return len(found)


@activity
def through_thread(sku: str) -> int:
    """Call the runtime from a thread of an activity."""
    cart = runtimes[-1].in_threads.actor(Cart, "cart-1")
    cart.signal(Cart.add, sku)
    runtimes[-1].in_threads.sleep(timedelta(seconds=20))
    return len(cart.query(Cart.contents))


async def test_activities_call_too() -> None:
    """An activity that sends to another actor, and sleeps, is a caller like others, also in a thread."""
    async with virtual_runtime(entities=[Cart, Outer]) as runtime:
        runtimes.append(runtime)
        outer = runtime.actor(Outer, "outer-1")
        assert await outer.update(Outer.relay, "a task") == 1
        assert await outer.update(Outer.relay, "a thread") == 2
        assert runtime.now == START + timedelta(seconds=40)
        with pytest.raises(UsageError, match="would block the event loop"):
            runtime.in_threads.sleep(DAY)


def test_a_loop_after_another() -> None:
    """One runtime, opened outside of any loop, serves loops of both kinds, one after the other."""
    with virtual_runtime(entities=[Cart]).opened(awaited=True) as runtime:
        assert isinstance(runtime, VirtualRuntime)
        cart = runtime.actor(Cart, "cart-1")
        trio.run(runtime.sleep, DAY)
        asyncio.run(runtime.sleep(DAY))
        trio.run(lambda: cart.signal(Cart.add, "apple"))
        assert asyncio.run(cart.query(Cart.contents)) == ["apple"]
        assert runtime.now == START + 2 * DAY


@entity
class Door:
    """Refuses, and looks at how late it is."""

    opened: int = 0

    @update
    def open(self) -> int:
        raise Refused("it is locked")

    @signal
    async def ajar(self) -> None:
        await sleep(timedelta(days=1))
        self.opened += 1

    @query
    def count(self) -> int:
        return self.opened


def test_errors_come_back() -> None:
    """What an actor refuses is raised at the caller's line; handlers that sleep hold the mailbox for days."""
    with virtual_runtime(entities=[Door]) as runtime:
        door = runtime.actor(Door, "door-1")
        with pytest.raises(Refused, match="locked"):
            door.update(Door.open)
        for _ in range(3):
            door.signal(Door.ajar)
        runtime.sleep(2 * DAY)
        assert door.query(Door.count) == 2
        assert repr(runtime) == "<virtual runtime of Door: open, 2026-01-03 00:00:00>"
    with pytest.raises(UsageError, match="closed"):
        runtime.sleep(DAY)
