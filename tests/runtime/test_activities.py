"""Activities that run: on trio and in threads, each with its time, until they end or are given up."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actorflow import (
    Activity,
    AsyncioRuntime,
    BadToken,
    BlockingRuntime,
    Cancelled,
    Limits,
    NotInHandler,
    Refused,
    TokenSpent,
    WrongArgument,
    activity,
)
from actorflow._authoring.calls import Call
from actorflow._runtime.attempts import Attempts
from actorflow._runtime.errand import Errand
from actorflow._runtime.host import Host
from actorflow._runtime.run import Run
from persistence import FaultyJournal, MemoryJournal, Stopped

from .desk import SECOND, desk, office
from .drive import holding
from .held import HeldJournal, calm
from .works import policy

Acts = dict[str, Callable[..., Any]]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What the log has about activities."""
    caplog.set_level(logging.INFO, "actorflow.activity")
    return lambda: caplog.text


class Gate:
    """Something that a function waits for, on trio or in a thread."""

    def __init__(self) -> None:
        self.entered = trio.Event()
        self.opened = trio.Event()
        self.thread_entered = threading.Event()
        self.thread_opened = threading.Event()
        self.times = 0

    async def wait(self) -> str:
        self.times += 1
        self.entered.set()
        await self.opened.wait()
        return "through"

    async def insist(self) -> str:
        """The same, whatever anybody says."""
        with trio.CancelScope(shield=True):
            await self.wait()
        return "through"

    def block(self) -> str:
        self.times += 1
        self.thread_entered.set()
        opened = self.thread_opened.wait(20)
        return "through" if opened else "nobody opens the gate"


# ---- where they run ----------------------------------------------------------------------------------


async def test_an_async_function_runs_on_trio_and_a_plain_one_in_a_thread(mock_clock: MockClock) -> None:
    """Both know who they are: the number of the attempt, and a key that is the same in all of them."""
    seen: list[tuple[str, int, str]] = []

    def see() -> str:
        current = activity.current()
        seen.append((threading.current_thread().name, current.number, current.key))
        if current.number == 1:
            raise ValueError("not yet")
        return "done"

    async def see_on_trio() -> str:
        await trio.lowlevel.checkpoint()
        return see()

    acts = {"t": see_on_trio, "p": see}
    # Ten hours: seconds pass here in no time, and a busy machine may be long in coming to a thread.
    hours = 36_000 * SECOND
    async with office(MemoryJournal(), mock_clock, acts, retry=policy(2), start_to_close=hours) as one:
        for what, name in (("t", "ask"), ("p", "ask_thread")):
            caller = one.ask(what, name)
            while not caller.done:
                await one.passes(2)
            assert caller.value == "ok done"
    names, numbers, keys = zip(*seen, strict=True)
    assert names[0] == names[1] == threading.current_thread().name
    assert "activity labour of Desk 'a'" in names[2]
    assert numbers == (1, 2, 1, 2)
    assert (keys[0], keys[2]) == (keys[1], keys[3])
    assert keys[0] != keys[2]


async def test_outside_a_runtime_an_activity_is_the_function_that_it_is() -> None:
    """It just runs, with a key of its own; and where none runs there is no attempt to speak of."""

    @activity
    async def double(n: int) -> int:
        assert activity.current().number == 1
        activity.current().heartbeat("fine")
        with pytest.raises(NotInHandler):
            activity.current().complete_later()
        await trio.lowlevel.checkpoint()
        return 2 * n

    @activity
    def triple(n: int) -> int:
        return 3 * n

    assert (await double(4), await triple(4), triple.function(5)) == (8, 12, 15)
    with pytest.raises(NotInHandler):
        activity.current()


async def test_arguments_changed_after_the_call_change_nothing(mock_clock: MockClock) -> None:
    """What was asked for is what stood there when it was called."""
    async with office(MemoryJournal(), mock_clock, {}) as one:
        assert await one.actor().update(one.desk.add) == (6, 106)


# ---- time --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ask", "ask_thread"])
async def test_one_attempt_has_its_time(name: str, mock_clock: MockClock) -> None:
    """A function that hangs is ended by its time-out, and the next attempt begins."""
    gate = Gate()
    acts: Acts = {"one": gate.wait if name == "ask" else gate.block}
    async with office(MemoryJournal(), mock_clock, acts, start_to_close=10 * SECOND, retry=policy(2)) as one:
        caller = one.ask("one", name)
        for attempt in (1, 2):
            if name == "ask_thread":
                await one.until(gate.thread_entered)
                gate.thread_entered.clear()
            await one.passes(9)
            assert gate.times == attempt
            assert not caller.done
            await one.passes(1.1)
            await one.passes(2)
        await caller.ended()
        assert caller.value == "TimeoutError it took longer than 0:00:10"
        gate.thread_opened.set()


async def test_options_of_one_call_count_for_that_call(mock_clock: MockClock) -> None:
    """``options()`` overrides what was declared."""
    gate = Gate()
    async with office(MemoryJournal(), mock_clock, {"one": gate.wait}) as one:
        quick, slow = one.ask("one", "ask_quickly"), one.ask("one")
        await one.passes(1.1)
        assert quick.value == "TimeoutError it took longer than 0:00:01"
        assert not slow.done
        gate.opened.set()
        await slow.ended()


@pytest.mark.parametrize("name", ["ask", "ask_thread"])
async def test_all_attempts_together_have_their_time(name: str, mock_clock: MockClock) -> None:
    """The attempt that runs when it is over is ended, and no other follows."""
    gate = Gate()
    acts: Acts = {"one": gate.wait if name == "ask" else gate.block}
    async with office(
        MemoryJournal(), mock_clock, acts, schedule_to_close=10 * SECOND, retry=policy(5)
    ) as one:
        caller = one.ask("one", name)
        if name == "ask_thread":
            await one.until(gate.thread_entered)
        await one.passes(10.1)
        await caller.ended()
        assert caller.value == "TimeoutError all attempts together took longer than 0:00:10"
        assert gate.times == 1
        gate.thread_opened.set()


@pytest.mark.parametrize("name", ["ask", "ask_thread"])
async def test_who_is_silent_is_given_up(name: str, mock_clock: MockClock) -> None:
    """With ``heartbeat`` an attempt lives as long as it is heard of."""
    gate, beats = Gate(), 0
    again, beaten = threading.Semaphore(0), threading.Event()

    def beat() -> str:
        nonlocal beats
        while again.acquire(timeout=20):
            activity.current().heartbeat(beats)
            beats += 1
            beaten.set()
        return "silent"

    async def beat_on_trio() -> str:
        nonlocal beats
        for _ in range(3):
            await trio.sleep(2)
            activity.current().heartbeat(beats)
            beats += 1
        return await gate.wait()

    acts: Acts = {"one": beat_on_trio if name == "ask" else beat}
    async with office(MemoryJournal(), mock_clock, acts, heartbeat=3 * SECOND) as one:
        caller = one.ask("one", name)
        for _ in range(3):
            await one.passes(2.01)
            if name == "ask_thread":
                again.release()
                await one.until(beaten)
                beaten.clear()
            await one.still()
            assert not caller.done
        await one.passes(2)
        assert not caller.done
        await one.passes(1.1)
        await caller.ended()
        assert caller.value == "TimeoutError no heartbeat came for 3 s"
        assert beats == 3
        again.release()  # it hears now that nobody wants it any more


async def test_a_thread_that_hangs_is_named(mock_clock: MockClock, said: Callable[[], str]) -> None:
    """In the log and in the statistics, each by itself, until it ends at last."""
    gate, ended = Gate(), threading.Semaphore(0)

    def block() -> str:
        try:
            return gate.block()
        finally:
            ended.release()

    async with office(MemoryJournal(), mock_clock, {"one": block}, start_to_close=10 * SECOND) as one:
        callers = [one.ask("one", "ask_thread") for _ in range(2)]
        while gate.times < 2:
            await one.until(gate.thread_entered)
        await one.passes(10.1)
        for caller in callers:
            await caller.ended()
        hanging = one.runtime.statistics().threads_hanging
        assert len(hanging) == 2
        assert all("activity labour of Desk 'a'" in name for name in hanging)
        assert said().count("hangs: its time is over, and it cannot be stopped") == 2
        gate.thread_opened.set()
        with trio.fail_after(20):  # the thread says so after it is off the list
            while one.runtime.statistics().threads_hanging or said().count("has ended at last") < 2:
                await trio.lowlevel.checkpoint()


async def test_hanging_threads_do_not_keep_others_from_theirs(mock_clock: MockClock) -> None:
    """A place that a hanging thread keeps is lent to another, up to as many again; and given back."""
    gate = Gate()
    acts: Acts = {"one": gate.block, "two": lambda: "quick"}
    limits = Limits(activity_threads=1)
    async with office(MemoryJournal(), mock_clock, acts, limits=limits, start_to_close=10 * SECOND) as one:
        limiter = one.runtime._host._attempts.limiter  # type: ignore[union-attr]
        for times, places in ((1, 2), (2, 2)):
            hanging = one.ask("one", "ask_thread")
            while gate.times < times:
                await one.until(gate.thread_entered)
            await one.passes(10.1)
            await hanging.ended()
            assert limiter.total_tokens == places
        quick = one.ask("two", "ask_thread")
        await one.passes(1)
        assert not quick.done, "there is an end to it: two hang, where one has a place"
        gate.thread_opened.set()
        with trio.fail_after(20):
            assert (await quick.ended()).value == "ok quick"
            while limiter.total_tokens != 1:
                await trio.lowlevel.checkpoint()


async def test_who_shields_itself_from_being_stopped_is_named(
    mock_clock: MockClock, said: Callable[[], str]
) -> None:
    """Closing has to wait for it; the log says for whom."""
    gate = Gate()

    async with trio.open_nursery() as nursery:

        async def live() -> None:
            limits = Limits(close_grace=SECOND)
            async with office(MemoryJournal(), mock_clock, {"one": gate.insist}, limits=limits) as one:
                one.ask("one")
                await gate.entered.wait()

        nursery.start_soon(live)
        await gate.entered.wait()
        with trio.fail_after(20):
            while "shields itself from being stopped: closing waits for it" not in said():
                await trio.testing.wait_all_tasks_blocked()
                mock_clock.jump(0.5)
        gate.opened.set()
    assert "activity job of Desk 'a'" in said()


async def test_who_waits_for_a_thread_hangs_nothing(mock_clock: MockClock, said: Callable[[], str]) -> None:
    """Time begins with the thread; and one that never had a thread is not said to hang."""
    gate = Gate()
    acts: Acts = {"one": gate.block, "two": lambda: "quick"}
    limits = Limits(activity_threads=1)
    async with office(MemoryJournal(), mock_clock, acts, limits=limits, start_to_close=10 * SECOND) as one:
        first = one.ask("one", "ask_thread")
        await one.until(gate.thread_entered)
        second, third = one.ask("two", "ask_thread"), one.ask("two", "hurry", 1)
        await one.passes(9)
        await third.ended()
        assert third.value == "over"
        gate.thread_opened.set()
        assert (await first.ended()).value == "ok through"
        assert (await second.ended()).value == "ok quick"
        assert "hang" not in said()


async def test_an_async_function_that_shields_itself_is_given_up(
    mock_clock: MockClock, said: Callable[[], str]
) -> None:
    """The errand goes on without it, and what it still comes to is ignored."""
    gate = Gate()
    answers = ["second"]

    async def first_insist() -> str:
        return await gate.insist() if activity.current().number == 1 else answers[0]

    async with office(
        MemoryJournal(), mock_clock, {"one": first_insist}, start_to_close=10 * SECOND, retry=policy(2)
    ) as one:
        caller = one.ask("one")
        for _ in range(8):
            await one.passes(2)
        await caller.ended()
        assert caller.value == "ok second"
        assert "hangs: it does not end, and is given up" in said()
        gate.opened.set()
        await one.still()
        assert (await one.actor().describe()).waiting == ()
        assert one.runtime.statistics().activities_running == 0


# ---- heartbeats --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ask", "ask_thread"])
async def test_the_next_attempt_hears_how_far_the_last_one_came(name: str, mock_clock: MockClock) -> None:
    """What a heartbeat told is handed on."""
    heard: list[Any] = []

    def go_on() -> str:
        current = activity.current()
        heard.append(current.last_heartbeat)
        current.heartbeat({"page": len(heard)})
        if len(heard) < 3:
            raise ValueError("broke off")
        return "done"

    async def go_on_on_trio() -> str:
        await trio.lowlevel.checkpoint()
        return go_on()

    acts: Acts = {"one": go_on_on_trio if name == "ask" else go_on}
    patient = timedelta(days=1)  # time is made to pass while a thread is still on its way
    async with office(MemoryJournal(), mock_clock, acts, retry=policy(3), start_to_close=patient) as one:
        caller = one.ask("one", name)
        while not caller.done:
            await one.passes(3)
        assert caller.value == "ok done"
    assert heard == [None, {"page": 1}, {"page": 2}]


async def test_a_heartbeat_has_a_limit(mock_clock: MockClock) -> None:
    """It is written to the journal, so it may be as large as a payload and no larger."""

    async def shout() -> str:
        await trio.lowlevel.checkpoint()
        activity.current().heartbeat("x" * 2_000)
        return "done"

    async with office(MemoryJournal(), mock_clock, {"one": shout}, limits=Limits(payload_bytes=1_000)) as one:
        assert "LimitExceeded" in await one.told("one")


# ---- cancelling --------------------------------------------------------------------------------------


async def test_cancelling_reaches_a_task_and_waits_for_it(mock_clock: MockClock) -> None:
    """Its clean-up is awaited before the handler goes on; nothing follows."""
    gate, cleaning = Gate(), trio.Event()

    async def clean() -> str:
        try:
            return await gate.wait()
        finally:
            with trio.CancelScope(shield=True):
                await cleaning.wait()

    async with office(MemoryJournal(), mock_clock, {"one": clean}, retry=policy(5)) as one:
        caller = one.ask("one", "hurry", 0)
        await one.passes(5.1)
        assert gate.entered.is_set()
        assert not caller.done
        cleaning.set()
        assert (await caller.ended()).value == "over"
        assert gate.times == 1


async def test_cancelling_reaches_a_thread_with_its_next_heartbeat(mock_clock: MockClock) -> None:
    """The function is told by an error that it does not catch by chance."""
    gate, told = Gate(), threading.Event()

    def beat() -> str:
        gate.block()
        try:
            activity.current().heartbeat()
        except Cancelled:
            told.set()
            raise
        return "not told"

    async with office(MemoryJournal(), mock_clock, {"one": beat}, retry=policy(5)) as one:
        caller = one.ask("one", "hurry", 1)
        await one.until(gate.thread_entered)
        await one.passes(5.1)
        assert not caller.done
        gate.thread_opened.set()
        assert (await caller.ended()).value == "over"
        assert told.is_set()
        assert gate.times == 1


@pytest.mark.parametrize("place", [0, 1])
async def test_cancelling_may_leave_the_attempt_behind(place: int, mock_clock: MockClock) -> None:
    """With ``on_cancel="abandon"`` nobody waits for it, whatever it does."""
    gate = Gate()
    acts: Acts = {"one": (gate.insist, gate.block)[place]}
    async with office(MemoryJournal(), mock_clock, acts, on_cancel="abandon") as one:
        caller = one.ask("one", "hurry", place)
        if place:
            await one.until(gate.thread_entered)
        await one.passes(5.1)
        assert (await caller.ended()).value == "over"
        gate.opened.set()
        gate.thread_opened.set()


async def test_a_life_that_is_cancelled_ends_with_its_attempt(mock_clock: MockClock) -> None:
    """The actor closes when what it asked for has ended."""
    gate = Gate()
    async with office(MemoryJournal(), mock_clock, {"one": gate.insist}) as one:
        one.ask("one")
        await one.still()
        await one.actor().cancel()
        await one.still()
        assert (await one.actor().describe()).status in ("closing", "cancelled")
        assert (await one.actor().describe()).waiting != ()
        gate.opened.set()
        await one.still()
        assert (await one.actor().describe()).status == "cancelled"


# ---- from outside ------------------------------------------------------------------------------------


class Courier:
    """Hands out tokens."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    async def leave(self) -> str:
        await trio.lowlevel.checkpoint()
        self.tokens.append(activity.current().complete_later())
        return "ignored"

    def leave_in_thread(self) -> str:
        self.tokens.append(activity.current().complete_later())
        return "ignored"


@pytest.mark.parametrize("name", ["ask", "ask_thread"])
async def test_somebody_outside_completes_it(name: str, mock_clock: MockClock) -> None:
    """By the token: once, with an answer of the right type; the same again is no error, another one is."""
    courier = Courier()
    acts: Acts = {"one": courier.leave if name == "ask" else courier.leave_in_thread}
    async with office(MemoryJournal(), mock_clock, acts) as one:
        caller = one.ask("one", name)
        with trio.fail_after(20):
            while not courier.tokens or one.runtime.statistics().activities_running:
                await trio.lowlevel.checkpoint()
        (token,) = courier.tokens
        for wrong in ("nonsense", token[:-4] + "AAAA", token + token):
            with pytest.raises(BadToken):
                await one.runtime.resolve(wrong, "no")
        with pytest.raises(WrongArgument):
            await one.runtime.resolve(token, 5)
        assert not caller.done
        await one.runtime.resolve(token, "done")
        assert (await caller.ended()).value == "ok done"
        await one.runtime.resolve(token, "done")
        for again in (one.runtime.resolve(token, "other"), one.runtime.fail(token, ValueError("other"))):
            with pytest.raises(TokenSpent, match="does not wait for this answer any more"):
                await again
        assert (await one.actor().describe()).waiting == ()


async def test_somebody_outside_lets_the_attempt_fail(mock_clock: MockClock) -> None:
    """The next one has a token of its own; the spent one says so; ``Refused`` is final."""
    courier = Courier()
    async with office(MemoryJournal(), mock_clock, {"one": courier.leave}, retry=policy(5)) as one:
        caller = one.ask("one")
        await one.still()
        await one.runtime.fail(courier.tokens[0], ValueError("lost"))
        await one.runtime.fail(courier.tokens[0], ValueError("lost"))
        await one.passes(2)
        assert len(set(courier.tokens)) == 2
        await one.runtime.fail(courier.tokens[0], ValueError("lost"))
        spent = courier.tokens[0]
        for late in (one.runtime.resolve(spent, "late"), one.runtime.fail(spent, OSError())):
            with pytest.raises(TokenSpent, match="attempt 1 is over"):
                await late
        await one.still()
        assert not caller.done
        await one.runtime.fail(courier.tokens[1], Refused("nobody is at home"))
        assert (await caller.ended()).value == "Refused nobody is at home"


async def test_the_outside_may_be_quicker_than_the_function(mock_clock: MockClock) -> None:
    """Who completes it while it runs still: what the function then comes to is ignored."""
    gate, courier = Gate(), Courier()

    async def leave_and_wait() -> str:
        await courier.leave()
        return await gate.wait()

    async with office(MemoryJournal(), mock_clock, {"one": leave_and_wait}) as one:
        caller = one.ask("one")
        await one.still()
        await one.runtime.resolve(courier.tokens[0], "done")
        assert (await caller.ended()).value == "ok done"
        gate.opened.set()
        await one.still()
        assert one.runtime.statistics().activities_running == 0


async def test_who_is_failed_from_outside_while_it_runs_is_stopped(mock_clock: MockClock) -> None:
    """The next attempt is not to run beside it."""
    courier, running, most = Courier(), list[int](), list[int]()

    async def leave_and_stay() -> str:
        await courier.leave()
        running.append(1)
        most.append(len(running))
        try:
            await trio.sleep(30)
        finally:
            running.pop()
        return "done"

    async with office(MemoryJournal(), mock_clock, {"one": leave_and_stay}, retry=policy(3)) as one:
        one.ask("one")
        await one.still()
        for place in range(3):
            assert running
            await one.runtime.fail(courier.tokens[place], ValueError("lost"))
            await one.still()
            assert not running
            await one.passes(5)
        assert most == [1, 1, 1]


async def test_a_token_from_before_a_crash_is_void(mock_clock: MockClock) -> None:
    """The attempt that handed it out died before that was written down; who answers it is told so."""
    gate, courier = Gate(), Courier()

    async def leave_and_wait() -> str:
        await courier.leave()
        return await gate.wait()

    journal = FaultyJournal()
    async with office(journal, mock_clock, {"one": leave_and_wait}, retry=policy(3)) as one:
        one.ask("one")
        await one.still()
        crashed = holding(journal.history)
    async with office(crashed, mock_clock, {"one": leave_and_wait}, retry=policy(3)) as one:
        await one.still()
        assert len(courier.tokens) == 2
        with pytest.raises(TokenSpent, match="attempt 1 is over"):
            await one.runtime.resolve(courier.tokens[0], "done")
        await one.runtime.resolve(courier.tokens[1], "done")


async def test_a_heartbeat_of_an_old_attempt_is_ignored(mock_clock: MockClock) -> None:
    """An attempt that was ended from outside, and runs on, says nothing about the next one."""
    gate, courier, heard = Gate(), Courier(), list[Any]()

    async def run_on() -> str:
        current = activity.current()
        heard.append(current.last_heartbeat)
        if current.number == 1:
            await courier.leave()
            await gate.wait()
            current.heartbeat("late")
        elif current.number == 2:
            current.heartbeat("right")
            gate.opened.set()
            await trio.testing.wait_all_tasks_blocked()
            raise ValueError("again")
        return "done"

    async with office(MemoryJournal(), mock_clock, {"one": run_on}, retry=policy(3)) as one:
        caller = one.ask("one")
        await one.still()
        await one.runtime.fail(courier.tokens[0], ValueError("lost"))
        while not caller.done:
            await one.passes(2)
    assert heard == [None, None, "right"]


async def test_a_token_of_another_life_is_refused(mock_clock: MockClock) -> None:
    """A new life under the same key is nobody that the token speaks of."""
    courier = Courier()
    async with office(MemoryJournal(), mock_clock, {"one": courier.leave}) as one:
        one.ask("one")
        await one.still()
        await one.actor().terminate()
        with pytest.raises(TokenSpent):
            await one.runtime.resolve(courier.tokens[0], "done")
        await one.runtime.start(one.desk(), "a", if_completed="new")
        with pytest.raises(BadToken, match="not handed out by this life"):
            await one.runtime.resolve(courier.tokens[0], "done")


# ---- whatever a function does ------------------------------------------------------------------------


async def _raise_in_nursery(error: BaseException) -> str:
    async with trio.open_nursery() as nursery:

        async def fail() -> None:
            await trio.lowlevel.checkpoint()
            raise error

        nursery.start_soon(fail)
    return "never"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (SystemExit(3), "SystemExit 3"),
        (asyncio.CancelledError("stop"), "CancelledError stop"),
        (StopIteration("end"), "RuntimeError"),
        (GeneratorExit("end"), "GeneratorExit end"),
        (Cancelled("enough"), "Cancelled"),
        (Refused("no"), "Refused no"),
    ],
)
@pytest.mark.parametrize("how", ["ask", "ask_thread", "nursery"])
async def test_whatever_is_raised_is_the_outcome_of_that_attempt(
    error: BaseException, outcome: str, how: str, mock_clock: MockClock
) -> None:
    """It ends no other activity, and not the runtime."""

    async def raise_on_trio() -> str:
        await trio.lowlevel.checkpoint()
        raise error

    def raise_in_thread() -> str:
        raise error

    acts: Acts = {
        "ask": raise_on_trio,
        "ask_thread": raise_in_thread,
        "nursery": lambda: _raise_in_nursery(error),
        "fine": Courier().leave,
    }
    async with office(MemoryJournal(), mock_clock, acts) as one:
        told = await one.told(how, "ask" if how == "nursery" else how)
        assert told.startswith(outcome)
        await one.actor().signal(one.desk.note, "still there")


async def test_an_answer_that_does_not_fit_is_no_reason_to_do_it_again(mock_clock: MockClock) -> None:
    """Too large, or of another type than declared: the work is done, and would be done again in vain."""
    times = 0

    async def answer(value: Any) -> Any:
        nonlocal times
        times += 1
        await trio.lowlevel.checkpoint()
        return value

    acts: Acts = {"large": lambda: answer("x" * 2_000), "wrong": lambda: answer(object())}
    limits = Limits(payload_bytes=1_000)
    async with office(MemoryJournal(), mock_clock, acts, limits=limits, retry=policy(5)) as one:
        assert "bytes for its answer" in await one.told("large")
        assert (await one.told("wrong")).startswith("WrongArgument")
    assert times == 2


async def test_many_small_calls_are_answered_by_one(mock_clock: MockClock) -> None:
    """As soon as there are enough of them, or the first has waited long enough; each fails by itself."""
    calls: list[list[str]] = []

    async def each(items: list[str]) -> list[Any]:
        calls.append(items)
        await trio.lowlevel.checkpoint()
        return [ValueError("bad") if item == "bad" else item for item in items]

    async with office(MemoryJournal(), mock_clock, {"each": each}) as one:
        callers = [one.ask(what, "ask_each") for what in ("one", "bad", "two")]
        for caller in callers:
            await caller.ended()
        callers.append(one.ask("three", "ask_each"))
        await one.passes(4.9)
        assert not callers[3].done
        await one.passes(0.2)
        await callers[3].ended()
        assert [caller.value for caller in callers] == ["ok one", "ValueError bad", "ok two", "ok three"]
        assert [sorted(call) for call in calls] == [["bad", "one", "two"], ["three"]]


# ---- closing and failing -----------------------------------------------------------------------------


async def test_closing_gives_attempts_a_while_to_end(mock_clock: MockClock) -> None:
    """What ends in that time has its outcome, and is not done again."""
    journal, gate = FaultyJournal(), Gate()
    async with office(journal, mock_clock, {"one": gate.wait}, limits=Limits(close_grace=20 * SECOND)) as one:
        one.ask("one")
        await gate.entered.wait()
        trio.lowlevel.spawn_system_task(_open_soon, gate)
    again = Gate()
    async with office(journal, mock_clock, {"one": again.wait}) as one:
        await one.passes(1)
        assert again.times == 0
        assert (await one.actor().describe()).waiting == ()


async def _open_soon(gate: Gate) -> None:
    await calm()
    gate.opened.set()


@pytest.mark.parametrize("name", ["ask", "ask_thread"])
async def test_closing_waits_no_longer_than_it_was_given(name: str, mock_clock: MockClock) -> None:
    """What still runs then is begun again by the next runtime, with the next number."""
    journal, gate = FaultyJournal(), Gate()
    acts: Acts = {"one": gate.wait if name == "ask" else gate.block}
    async with office(
        journal, mock_clock, acts, limits=Limits(close_grace=SECOND / 1_000), retry=policy(3)
    ) as one:
        one.ask("one", name)
        if name == "ask":
            await gate.entered.wait()
        else:
            await one.until(gate.thread_entered)
    numbers: list[int] = []

    async def count() -> str:
        numbers.append(activity.current().number)
        await trio.lowlevel.checkpoint()
        return "done"

    def count_in_thread() -> str:
        numbers.append(activity.current().number)
        return "done"

    acts = {"one": count if name == "ask" else count_in_thread}
    async with office(journal, mock_clock, acts, retry=policy(3)) as one:
        await one.passes(1)
        with trio.fail_after(20):
            while (await one.actor().describe()).waiting:
                await trio.lowlevel.checkpoint()
    assert numbers == [2]
    gate.thread_opened.set()


async def test_what_is_being_written_when_it_closes_is_begun_and_awaited(mock_clock: MockClock) -> None:
    """An attempt that was promised a beginning has its while as well: it is not begun to be killed."""
    journal, times = HeldJournal(), 0

    async def count() -> str:
        nonlocal times
        times += 1
        for _ in range(5_000):  # longer than closing takes if nobody waits
            await trio.lowlevel.checkpoint()
        times += 100
        return "done"

    async with office(journal, mock_clock, {"one": count}, limits=Limits(close_grace=20 * SECOND)) as one:
        await one.still()
        journal.hold()
        one.ask("one")
        await calm()
        trio.lowlevel.spawn_system_task(_let_go_soon, journal)
    assert times == 101


async def _let_go_soon(journal: HeldJournal) -> None:
    await calm()
    journal.let_go()


async def test_nothing_begins_before_its_record_is_durable(mock_clock: MockClock) -> None:
    """While the disk is busy the world hears nothing."""
    await see_nothing_begins_early(mock_clock)


async def see_nothing_begins_early(mock_clock: MockClock) -> None:
    """The proof itself."""
    journal, gate = HeldJournal(), Gate()
    async with office(journal, mock_clock, {"one": gate.wait}) as one:
        await one.still()
        journal.hold()
        caller = one.ask("one")
        await calm()
        early = gate.times
        journal.let_go()
        await gate.entered.wait()
        gate.opened.set()
        await caller.ended()
    assert early == 0


async def test_a_runtime_that_fails_starts_nothing(mock_clock: MockClock) -> None:
    """What was asked for in a frame that failed is not begun, and what runs has nothing written any more."""
    journal, gate = FaultyJournal(), Gate()

    async def fail() -> None:
        async with office(journal, mock_clock, {"one": gate.wait, "two": gate.wait}) as one:
            one.ask("one")
            await one.still()
            assert gate.times == 1
            journal.fail_at(len(journal.history) + 1)
            failed = await one.ask("two").ended()
            assert failed.error is not None
            gate.opened.set()
            await calm()

    with pytest.raises(Stopped):
        await fail()
    assert gate.times == 1


# ---- from other worlds -------------------------------------------------------------------------------


def _others(courier: Courier) -> type[Any]:
    return desk({"quick": _quick, "slow": lambda: "slow", "outside": courier.leave})


async def _quick() -> str:
    await trio.lowlevel.checkpoint()
    return "quick"


def test_programs_in_asyncio_have_activities_as_well() -> None:
    """On trio, in threads, and completed from their own loop."""
    courier = Courier()
    entity = _others(courier)

    async def main() -> None:
        async with AsyncioRuntime(MemoryJournal(), entities=[entity]) as runtime:
            one: Any = runtime.actor(entity, "a")
            assert await one.update(entity.ask, "quick") == "ok quick"
            assert await one.update(entity.ask_thread, "slow") == "ok slow"
            waiting = asyncio.ensure_future(one.update(entity.ask, "outside"))
            while not courier.tokens:
                await one.describe()
            await runtime.resolve(courier.tokens[0], "done")
            assert await waiting == "ok done"

    asyncio.run(asyncio.wait_for(main(), 30))


def test_programs_in_threads_have_activities_as_well() -> None:
    """The same, completed from another thread."""
    courier = Courier()
    entity = _others(courier)
    with BlockingRuntime(MemoryJournal(), entities=[entity]) as runtime:
        one: Any = runtime.actor(entity, "a")
        assert one.update(entity.ask, "quick") == "ok quick"
        assert one.update(entity.ask_thread, "slow") == "ok slow"
        answers: list[str] = []
        thread = threading.Thread(target=lambda: answers.append(one.update(entity.ask, "outside")))
        thread.start()
        while not courier.tokens:
            one.describe()
        runtime.resolve(courier.tokens[0], "done")
        thread.join(20)
        assert answers == ["ok done"]


# ---- would it be noticed? ----------------------------------------------------------------------------


def takes_every_beat(patch: pytest.MonkeyPatch) -> None:
    """Whoever was an attempt once may speak for the next."""
    patch.setattr(Errand, "wants", lambda self, attempt: True)


def begins_when_closed(patch: pytest.MonkeyPatch) -> None:
    """Closing waits for what runs, and not for what is about to."""

    async def finish(self: Attempts, seconds: float) -> None:
        await trio.lowlevel.checkpoint()

    patch.setattr(Attempts, "finish", finish)


@pytest.mark.parametrize(
    ("rule", "proof"),
    [
        (takes_every_beat, test_a_heartbeat_of_an_old_attempt_is_ignored),
        (begins_when_closed, test_what_is_being_written_when_it_closes_is_begun_and_awaited),
    ],
)
async def test_without_the_rule_its_test_fails(
    rule: Callable[[pytest.MonkeyPatch], None],
    proof: Callable[..., Awaitable[None]],
    mock_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each promise is broken on purpose, and the test that names it has to say so."""
    rule(monkeypatch)
    with pytest.raises((AssertionError, ExceptionGroup)) as found:
        await proof(mock_clock)
    assert found.type is AssertionError or found.group_contains((AssertionError, trio.TooSlowError))


@pytest.mark.parametrize("rule", ["_silent_until", "_watch"])
async def test_without_a_time_out_nothing_would_end(
    rule: str, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is the time-out that ends what hangs, and the watch that gives up what does not let itself be."""
    monkeypatch.setattr(Run, "_silent_until", lambda self: float("inf"))
    if rule == "_watch":
        monkeypatch.undo()
        monkeypatch.setattr(Attempts, "_watch", lambda self: calm())
    gate = Gate()
    async with office(MemoryJournal(), mock_clock, {"one": gate.insist}, start_to_close=10 * SECOND) as one:
        caller = one.ask("one")
        for _ in range(8):
            await one.passes(2)
        assert not caller.done
        gate.opened.set()
        await caller.ended()


async def test_arguments_by_reference_would_be_noticed(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where what is asked for is written down when it is awaited, and not when it is called."""

    def call_by_reference(self: Activity[..., Any], *args: Any, **kwargs: Any) -> Call[Any]:
        late = lambda actor: self._begin(self._encode(args, kwargs))(actor)  # noqa: E731, PLW0108 - not before
        return Call("late", late)

    monkeypatch.setattr(Activity, "__call__", call_by_reference)
    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True):
        await test_arguments_changed_after_the_call_change_nothing(mock_clock)


async def test_an_early_start_would_be_noticed(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where attempts begin with the commit and not behind it, the test that names the promise fails."""
    commit = Host._commit

    def commit_and_begin(self: Host) -> None:
        begun = list(self.population.frame.begun)
        self.population.frame.begun.clear()
        commit(self)
        assert self._attempts is not None
        self._attempts.begin(begun)

    monkeypatch.setattr(Host, "_commit", commit_and_begin)
    with pytest.raises(AssertionError):
        await see_nothing_begins_early(mock_clock)
