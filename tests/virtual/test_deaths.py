"""Can a test let the process die, in its middle, and go on with what is left?"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import field

from actorflow import (
    NotAccepted,
    Standstill,
    Unknown,
    activity,
    complete,
    entity,
    now,
    query,
    signal,
    timer,
    update,
)
from actorflow.testing import virtual_runtime
from persistence import FaultyJournal, LmdbJournal, Locked, MemoryJournal
from tests.callers.props import GatedJournal
from tests.virtual.props import DAY, HOUR, SECONDS, Cart

START = datetime(2026, 1, 1, tzinfo=UTC)


@activity
async def load(what: str) -> str:
    """Take half a minute, and tell which attempts have ended."""
    attempt = activity.current()
    try:
        await trio.sleep(30.0)
    finally:
        ends.append(attempt.number)
    return f"{what}, attempt {attempt.number}"


ends: list[int] = []


@entity
class Ship:
    """Loads, which takes half a minute."""

    cargo: list[str] = field(factory=list[str])

    @signal
    async def take(self, what: str) -> None:
        self.cargo.append(await load(what))

    @update
    async def stow(self, what: str) -> str:
        return await load(what)

    @query
    def all(self) -> list[str]:
        return self.cargo


async def test_an_attempt_that_a_crash_interrupts_is_made_again() -> None:
    """The process dies while an activity runs: the next one begins its second attempt, at the same time."""
    ends.clear()
    async with virtual_runtime(entities=[Ship]) as runtime:
        ship = runtime.actor(Ship, "ship-1")
        await ship.signal(Ship.take, "tea")
        await runtime.sleep(timedelta(seconds=10))
        await runtime.crash()
        assert ends == [1]
        assert runtime.now == START + timedelta(seconds=10)
        assert [(one.name, one.attempt) for one in (await ship.describe()).waiting] == [("load", 2)]
        await runtime.sleep(timedelta(seconds=30))
        assert await ship.query(Ship.all) == ["tea, attempt 2"]
        assert runtime.now == START + timedelta(seconds=40)


async def test_a_restart_is_graceful() -> None:
    """What runs may end within the grace of closing; and what is open goes on after it."""
    ends.clear()
    async with virtual_runtime(entities=[Ship]) as runtime:
        ship = runtime.actor(Ship, "ship-1")
        await ship.signal(Ship.take, "tea")
        await runtime.sleep(timedelta(seconds=29))
        await runtime.restart()
        assert await ship.query(Ship.all) == ["tea, attempt 1"]


async def test_timers_outlive_a_crash() -> None:
    """Each of thirty timers fires once and in time, though the process dies after each second one."""
    async with virtual_runtime(entities=[Cart]) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        for day in range(1, 31):
            await cart.signal(Cart.remind, str(day), day * DAY)
        for _ in range(15):
            await runtime.sleep(2 * DAY)
            await runtime.crash()
        assert await cart.query(Cart.happened) == [(str(day), START + day * DAY) for day in range(1, 31)]


async def test_who_waits_is_told() -> None:
    """A caller whose update is open when the process dies gets ``Unknown``, and with its id the answer."""
    told: list[BaseException] = []

    async def stow() -> None:
        try:
            await ship.once("tea").update(Ship.stow, "tea")
        except Unknown as error:
            told.append(error)

    async with virtual_runtime(entities=[Ship]) as runtime:
        ship = runtime.actor(Ship, "ship-1")
        async with trio.open_nursery() as nursery:
            with runtime.hold():
                nursery.start_soon(stow)
                await trio.testing.wait_all_tasks_blocked(0.02)
                await runtime.crash()
        assert "its process was killed" in str(told[0])
        assert await ship.once("tea").update(Ship.stow, "tea") == "tea, attempt 2"


async def test_what_was_not_durable_is_gone() -> None:
    """What stands before the disk when the process dies may be lost, and is not acknowledged."""
    journal = GatedJournal()
    async with virtual_runtime(entities=[Cart], journal=journal) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        await cart.signal(Cart.add, "apple")
        journal.shut()
        journal.failure = OSError("the process is gone")
        told: list[BaseException] = []

        async def add() -> None:
            try:
                await cart.signal(Cart.add, "pear")
            except Unknown as error:
                told.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(add)
            await trio.to_thread.run_sync(journal.writing.wait, SECONDS)
            nursery.start_soon(runtime.crash)
            with trio.fail_after(SECONDS):
                while not told:
                    await trio.testing.wait_all_tasks_blocked(0.01)
            journal.gate.set()
        journal.failure = None
        assert await cart.query(Cart.contents) == ["apple"]


async def test_a_journal_that_lies_is_caught() -> None:
    """A faulty journal loses at a crash what it acknowledged and did not sync; one that syncs does not."""
    for fsync in (True, False):
        lost = 0
        for seed in range(8):
            journal = FaultyJournal(seed, fsync=fsync)
            async with virtual_runtime(entities=[Cart], journal=journal) as runtime:
                cart = runtime.actor(Cart, "cart-1")
                for sku in ("apple", "pear", "plum"):
                    await cart.signal(Cart.add, sku)
                await runtime.crash()
                await cart.signal(Cart.add, "fig")
                lost += await cart.query(Cart.contents) != ["apple", "pear", "plum", "fig"]
        assert bool(lost) is not fsync


async def test_a_planned_crash_of_the_disk() -> None:
    """Where the journal dies of itself callers get ``Unknown``; after ``crash`` it is opened again."""
    journal = FaultyJournal()
    journal.crash_at(2, kept=True)
    async with virtual_runtime(entities=[Cart], journal=journal) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        await cart.once("1").signal(Cart.add, "apple")
        with pytest.raises(Unknown):
            await cart.once("2").signal(Cart.add, "pear")
        with pytest.raises(NotAccepted):
            await cart.signal(Cart.add, "plum")
        await runtime.crash()
        await cart.once("2").signal(Cart.add, "pear")
        assert await cart.query(Cart.contents) == ["apple", "pear"]
        assert runtime.journal is not journal


def test_a_journal_on_disk(tmp_path: Path) -> None:
    """A journal on disk is opened again after a crash, and by the next runtime, whose time begins later."""
    with virtual_runtime(entities=[Cart], journal=LmdbJournal(tmp_path / "shop")) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        cart.signal(Cart.add, "apple")
        runtime.sleep(HOUR)
        runtime.crash()
        cart.signal(Cart.add, "pear")
        runtime.restart()
        assert cart.query(Cart.contents) == ["apple", "pear"]
    later = START + 400 * DAY
    with virtual_runtime(entities=[Cart], journal=LmdbJournal(tmp_path / "shop"), start=later) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        assert cart.query(Cart.happened)[-1] == ("given up", later)


def test_no_two_lives_draw_the_same() -> None:
    """A journal that a second runtime opens has other lives there, with keys of their own for activities."""
    keys: list[str] = []

    @activity
    def note() -> None:
        keys.append(activity.current().key)

    @entity
    class Mayfly:
        @update
        async def live(self) -> None:
            await note()
            complete()

    journal = MemoryJournal()
    for _ in range(3):
        with virtual_runtime(entities=[Mayfly], journal=journal) as runtime:
            runtime.start(Mayfly(), "m", if_completed="new").update(Mayfly.live)
    with virtual_runtime(entities=[Mayfly]) as runtime:
        runtime.start(Mayfly(), "m").update(Mayfly.live)
    assert len(set(keys)) == 3
    assert keys[0] == keys[3]  # in a journal of its own the same test draws the same


def test_newer_code_after_a_restart() -> None:
    """The next process may have newer code of an entity, whose timers then do something else."""

    def parcel(days: int) -> type:
        @entity(name="parcel")
        class Parcel:
            log: list[str] = field(factory=list[str])

            @signal
            def send(self) -> None:
                self.late().arm(after=10 * DAY)

            @timer
            def late(self) -> None:
                self.log.append(f"{days} days: {now():%d}")

            @query
            def all(self) -> list[str]:
                return self.log

        return Parcel

    first, second = parcel(1), parcel(2)
    with virtual_runtime(entities=[first]) as runtime:
        runtime.actor(first, "p").signal(first.send)  # type: ignore[attr-defined]
        runtime.restart(entities=[second])
        runtime.sleep(10 * DAY)
        assert runtime.actor(second, "p").query(second.all) == ["2 days: 11"]  # type: ignore[attr-defined]


def test_what_opening_raises_is_raised() -> None:
    """A journal that is open already is an error at the first line of the block, for every kind of caller."""
    journal = MemoryJournal()

    async def open_again() -> None:
        async with virtual_runtime(entities=[Cart], journal=journal):
            pass

    with virtual_runtime(entities=[Cart], journal=journal) as runtime:
        with pytest.raises(Locked), virtual_runtime(entities=[Cart], journal=journal):
            pass
        with pytest.raises(Locked):
            trio.run(open_again)
        with pytest.raises(Locked):
            asyncio.run(open_again())
        runtime.actor(Cart, "cart-1").signal(Cart.add, "apple")


async def test_what_the_block_raises_is_raised() -> None:
    """The test's own error is what it ends with, also while activities run that have hours to go."""

    async def fail() -> None:
        async with virtual_runtime(entities=[Ship]) as runtime:
            await runtime.actor(Ship, "ship-1").signal(Ship.take, "tea")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()


def test_a_closed_runtime_cannot_die() -> None:
    """Neither crash nor restart opens what was closed; a journal in memory can be had by the next one."""
    journal = MemoryJournal()
    with virtual_runtime(entities=[Cart], journal=journal) as runtime:
        runtime.actor(Cart, "cart-1").signal(Cart.add, "apple")
    for again in (runtime.crash, runtime.restart):
        with pytest.raises(NotAccepted, match="closed"):
            again()
    with virtual_runtime(entities=[Cart], journal=journal) as runtime:
        assert runtime.actor(Cart, "cart-1").query(Cart.contents) == ["apple"]


async def test_what_waits_for_outside_still_does() -> None:
    """A callback that nobody has answered is awaited after a crash as before it."""
    async with virtual_runtime(entities=[Cart], patience=timedelta(seconds=0.05)) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        with pytest.raises(Standstill):
            await cart.once("1").update(Cart.ask_outside)
        await runtime.crash()
        await runtime.resolve(await cart.query(Cart.its_token), 7)
        assert await cart.once("1").update(Cart.ask_outside) == 7
