"""Does time move only when it may: nothing goes on by itself, and somebody waits?

Each promise has a clock that breaks it: it must be caught.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import trio
import trio.testing

from actorflow import HandlerFailed, Limits, Standstill
from actorflow._runtime.host import Host
from actorflow.testing import VirtualRuntime, callers, virtual_runtime
from actorflow.testing.callers import Callers
from actorflow.testing.pace import Pace
from tests.callers.props import GatedJournal
from tests.virtual.props import DAY, HOUR, SECONDS, Cart, Till, world

START = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT = 0.02
"""Of real time: a clock that jumps at all has then jumped for long."""


SHORT = timedelta(seconds=0.05)


async def test_time_stands_still_when_nobody_waits() -> None:
    """After any number of calls it is as late as before, and what is armed can be looked at."""
    async with virtual_runtime(entities=[Cart]) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        await cart.signal(Cart.add, "apple")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: cart.update(Cart.rest, 60.0))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()  # nobody waits for it any more, and it goes on
        for _ in range(20):
            await cart.query(Cart.contents)
        await trio.testing.wait_all_tasks_blocked(MOMENT)
        told = await cart.describe()
        assert runtime.now <= START + timedelta(minutes=1)
        assert [(one.kind, one.name) for one in told.waiting if one.kind == "timer"] == [("timer", "give_up")]
        assert told.waiting[0].due == START + 30 * DAY


# ---- a commit ----------------------------------------------------------------------------------------


async def _moved_during_a_commit() -> timedelta:
    """How much time passes while a commit is under way and somebody sleeps."""
    journal = GatedJournal()
    async with virtual_runtime(entities=[Cart], journal=journal) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        await cart.signal(Cart.add, "apple")
        journal.shut()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: cart.signal(Cart.add, "pear"))
            await trio.to_thread.run_sync(journal.writing.wait, SECONDS)
            nursery.start_soon(runtime.sleep, DAY)
            await trio.testing.wait_all_tasks_blocked(MOMENT)
            moved = runtime.now - START
            journal.gate.set()
        assert runtime.now == START + DAY
        return moved


async def test_time_waits_for_a_commit() -> None:
    """While the writer writes, nobody's sleep goes on."""
    assert await _moved_during_a_commit() == timedelta(0)


async def test_a_clock_that_overtakes_a_commit_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that looks at tasks alone, as trio's own for tests does, jumps while the writer writes."""
    monkeypatch.setattr(Host, "writing", False)
    monkeypatch.setattr("actorflow.testing.virtual_bridge.VirtualBridge.moving", False)
    assert await _moved_during_a_commit() == DAY


# ---- a thread ----------------------------------------------------------------------------------------


async def _moved_during_a_thread() -> tuple[timedelta, timedelta]:
    """How much time passes while an activity stands in a thread and somebody sleeps; and in all."""
    async with virtual_runtime(entities=[Cart], patience=timedelta(seconds=SECONDS)) as runtime:
        cart = runtime.actor(Cart, "cart-1")

        async def pass_gate() -> None:
            with suppress(HandlerFailed):  # where time does not wait, it times out
                await cart.update(Cart.pass_gate)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(pass_gate)
            await trio.to_thread.run_sync(world.entered.wait, SECONDS)
            nursery.start_soon(runtime.sleep, DAY)
            await trio.testing.wait_all_tasks_blocked(MOMENT)
            await cart.query(Cart.contents)  # which is answered all the same
            await trio.testing.wait_all_tasks_blocked(MOMENT)
            moved = runtime.now - START
            world.gate.set()
        return moved, runtime.now - START


async def test_time_waits_for_a_thread() -> None:
    """While an activity's thread runs, nobody's sleep goes on, and actors answer."""
    assert await _moved_during_a_thread() == (timedelta(0), DAY)


async def test_a_clock_that_overtakes_a_thread_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that does not look at threads jumps while one runs, and lets it time out."""

    def none(_: Pace, __: Host) -> tuple[str, ...]:
        return ()

    monkeypatch.setattr(Pace, "_busy_threads", none)
    moved, _ = await _moved_during_a_thread()
    assert moved >= DAY


async def test_a_thread_that_never_ends_is_told() -> None:
    """Whoever waits for time that a thread holds up is told which, instead of hanging; and so is leaving."""
    limits = Limits(close_grace=timedelta(milliseconds=1))
    async with virtual_runtime(entities=[Cart], patience=SHORT, limits=limits) as runtime:
        with pytest.raises(Standstill, match=r"activity gated of Cart 'cart-1', attempt 1 takes its time"):
            await runtime.actor(Cart, "cart-1").update(Cart.pass_gate)


# ---- a crossing --------------------------------------------------------------------------------------


async def _relay(runtime: VirtualRuntime, log: list[tuple[str, int]]) -> None:
    """Two callers wait by turns, each for less than the other."""

    async def call(name: str, days: list[int]) -> None:
        for number in days:
            await runtime.sleep(number * DAY)
            log.append((name, (runtime.now - START).days))
            # Between two sleeps a caller has more to do than one pass of its loop.
            for _ in range(5):
                await trio.lowlevel.checkpoint()
            await runtime.actor(Cart, name).signal(Cart.add, "apple")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call, "one", [1, 2, 3, 4])
        nursery.start_soon(call, "other", [5, 1, 1, 1])


DUE = [
    ("one", 1),
    ("one", 3),
    ("other", 5),
    ("one", 6),
    ("other", 6),
    ("other", 7),
    ("other", 8),
    ("one", 10),
]


async def test_time_waits_for_a_caller_who_was_answered() -> None:
    """No caller's sleep is overtaken by another's, who has just been answered and is about to call again."""
    for _ in range(10):
        log: list[tuple[str, int]] = []
        async with virtual_runtime(entities=[Cart]) as runtime:
            await _relay(runtime, log)
        assert sorted(log, key=lambda entry: entry[1]) == log
        assert sorted(log) == sorted(DUE)


async def test_a_clock_that_overtakes_callers_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that does not wait for callers lets one sleep through what the other was to do."""

    def at_once(_: Callers) -> float:
        return 0.0

    monkeypatch.setattr(Callers, "restless_for", at_once)
    late = False
    for _ in range(20):
        log: list[tuple[str, int]] = []
        async with virtual_runtime(entities=[Cart]) as runtime:
            await _relay(runtime, log)
        late = late or sorted(log) != sorted(DUE)
    assert late


def test_threads_by_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of callers in threads neither is overtaken, who goes on within a moment."""
    monkeypatch.setattr(callers, "LULL_S", 3.0)  # on a busy machine a moment is long
    log: list[tuple[str, int]] = []
    with virtual_runtime(entities=[Cart]) as runtime:

        def call(name: str, days: list[int]) -> None:
            runtime.actor(Cart, name).signal(Cart.add, "apple")
            here.wait(SECONDS)
            for number in days:
                runtime.sleep(number * DAY)
                log.append((name, (runtime.now - START).days))

        threads = [
            threading.Thread(target=call, args=("one", [1, 2, 3, 4])),
            threading.Thread(target=call, args=("other", [5, 1, 1, 1])),
        ]
        here = threading.Barrier(3)
        with runtime.hold():
            for thread in threads:
                thread.start()
            here.wait(SECONDS)
        for thread in threads:
            thread.join(SECONDS)
    assert sorted(log) == sorted(DUE)


# ---- a wait without end ------------------------------------------------------------------------------


async def test_a_wait_without_end_is_an_error() -> None:
    """Who waits for what nothing can bring is told so, and what the actor waits for; the actor lives on."""
    async with virtual_runtime(entities=[Cart], patience=SHORT) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        with pytest.raises(Standstill) as caught:
            await cart.update(Cart.ask_outside)
        said = str(caught.value)
        assert "Cart.ask_outside waits in vain: nothing is due, and nothing is under way" in said
        assert "Cart 'cart-1': running" in said
        assert "waits for callback" in said
        assert "hint:" in said
        await runtime.resolve(await cart.query(Cart.its_token), 5)
        assert await cart.query(Cart.contents) == []


async def test_an_end_that_never_comes_is_named() -> None:
    """So is who waits for the end of a life; and whoever that one waits for is shown with it."""
    async with virtual_runtime(entities=[Cart, Till], patience=SHORT) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        await cart.signal(Cart.remind, "in time", HOUR)
        with pytest.raises(Standstill, match=r"result\(\) of Cart 'cart-1' waits in vain"):
            await cart.result(int)
        assert runtime.now == START + HOUR  # what was due has happened first
        with pytest.raises(Standstill) as caught:
            await runtime.actor(Till, "till-1").update(Till.settle, "cart-2")
        assert "Till 'till-1'" in str(caught.value)
        assert "Cart 'cart-2'" in str(caught.value)


async def test_a_caller_who_comes_later_is_in_time() -> None:
    """Patience is for callers who do something else just now: what they then bring ends the wait."""
    async with virtual_runtime(entities=[Cart], patience=timedelta(seconds=SECONDS)) as runtime:
        cart = runtime.actor(Cart, "cart-1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cart.result, int)
            await trio.testing.wait_all_tasks_blocked(MOMENT)
            await cart.signal(Cart.close)
        assert runtime.now == START


Wait = Callable[[VirtualRuntime], Awaitable[object]]


@pytest.mark.parametrize("leave", ["sleeps", "waits"])
async def test_leaving_while_others_wait(leave: str) -> None:
    """A block that is left while somebody still waits in it ends, and tells them."""
    waits: dict[str, Wait] = {
        "sleeps": lambda runtime: runtime.sleep(DAY),
        "waits": lambda runtime: runtime.actor(Cart, "cart-1").update(Cart.ask_outside),
    }
    told: list[BaseException] = []

    async def wait(runtime: VirtualRuntime) -> None:
        try:
            await waits[leave](runtime)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
            told.append(error)

    async with trio.open_nursery() as nursery:
        async with virtual_runtime(entities=[Cart], patience=timedelta(seconds=SECONDS)) as runtime:
            held = runtime.hold()
            held.__enter__()  # and left only when the runtime is closed
            nursery.start_soon(wait, runtime)
            await trio.testing.wait_all_tasks_blocked(MOMENT)
        held.__exit__(None, None, None)
    assert "closed" in str(told[0])
