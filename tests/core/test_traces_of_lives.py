"""Traces 8 to 12 of ``docs/explanation/traces.md``: main, runs, lives, what is dropped, who awaits whom."""

from __future__ import annotations

import gc
from datetime import timedelta
from typing import Any

import pytest

from actorflow import (
    ActorCompleted,
    AlreadyStarted,
    Deadlock,
    HistoryFull,
    Limits,
    Stuck,
    activity,
    actor,
    complete,
    entity,
    main,
    saga,
    signal,
    sleep,
    timer,
    update,
    uuid4,
    wait_until,
)
from actorflow._codec.failures import pack_failure
from actorflow._core import facts
from actorflow._core.ambient import ambient
from actorflow._core.outstanding import Waits, asks
from actorflow._core.phases import CLOSED
from actorflow._core.step import Turn, advance, step
from actorflow.testing import Scenario
from tests.core.proof import bare, prove, run, sent, vacant
from tests.core.shop import Cart, Ledger, Subscription, charge, release

DAY = timedelta(days=1)
MONTH = timedelta(days=30)


# ---- 8: main -------------------------------------------------------------------------------------------


def test_trace_8_main_waits_for_months_while_signals_come() -> None:
    """Main sleeps, works and sleeps again, and signals are handled meanwhile as if it were not there."""
    subscription = Scenario(Subscription)
    subscription.signal(Subscription.write, "welcome")
    for month in (1, 2, 3):
        subscription.advance(MONTH)
        subscription.signal(Subscription.write, f"month {month}")
        subscription.answer(charge, "paid")
    subscription.signal(Subscription.end)
    assert subscription.status == "running", "main looks when it wakes"
    subscription.advance(MONTH)
    subscription.answer(charge, "paid")
    assert (subscription.status, subscription.result(int)) == ("completed", 4)
    prove(subscription)


def test_trace_8_main_goes_on_between_handlers_only() -> None:
    """What main waited for has come while an exclusive handler is open: main goes on when that has ended."""
    subscription = Scenario(Subscription)
    subscription.signal(Subscription.write, "welcome")
    settled = subscription.update(Subscription.settle)
    subscription.advance(MONTH)
    assert subscription.state.months == 0
    subscription.signal(Subscription.write, "waits")
    subscription.signal(Subscription.peek)
    assert subscription.state.log == ["welcome", "peek at 0"], "an interleaving handler comes between"
    subscription.answer(charge, "settled")
    assert settled.value == 0
    assert subscription.state.months == 1
    assert subscription.state.log == ["welcome", "peek at 0", "waits"]
    prove(subscription)


def test_trace_8_a_main_continues_as_new_by_its_own_word() -> None:
    """Main says so and is started again on the snapshot, in the next run of the same life."""
    ledger = Scenario(Ledger)
    for amount in (1, 1, 1, 3, 3):
        ledger.signal(Ledger.add, amount)
    assert (ledger.state.total, ledger.state.rounds) == (9, 3)
    assert [one.what for one in ledger.history].count("continuation") == 2
    prove(ledger)


def test_trace_8_a_restartable_main_is_restarted_by_itself() -> None:
    """A long run of a restartable main closes while it only waits, and main starts again from the top."""

    @entity(limits=Limits(continue_records=10))
    class Patient:
        total: int = 0
        starts: int = 0

        @signal
        def add(self, amount: int) -> None:
            self.total += amount

        @main(restartable=True)
        async def course(self) -> str:
            self.starts += 1
            await wait_until(lambda: self.total >= 50, timeout=400 * DAY)
            return "enough"

    patient = Scenario(Patient)
    for _ in range(30):
        patient.signal(Patient.add, 1)
    assert patient.state.starts == 4
    assert len([one for one in patient.waiting if one.kind == "sleep"]) == 1, "the old one was withdrawn"
    patient.signal(Patient.add, 20)
    assert patient.result(str) == "enough"
    prove(patient)


def test_trace_8_a_queue_that_can_never_move_is_reported_by_name() -> None:
    """A handler that waits for a condition which only messages behind it could make true is named."""

    @entity
    class Door:
        opened: bool = False

        @signal
        def open(self) -> None:
            self.opened = True

        @update
        async def enter(self) -> None:
            await wait_until(lambda: self.opened)

        @update
        async def knock(self) -> None:
            await wait_until(lambda: self.opened, timeout=timedelta(seconds=5))

    door = Scenario(Door)
    door.update(Door.enter)
    with pytest.raises(Stuck, match=r"Door\.enter waits for a condition, and the 1 message"):
        door.signal(Door.open)

    patient = Scenario(Door)
    knock = patient.update(Door.knock)
    patient.signal(Door.open)
    patient.advance(timedelta(seconds=5))
    with pytest.raises(Exception, match="TimeoutError"):
        _ = knock.value
    prove(patient)


# ---- 9: continuing as new ------------------------------------------------------------------------------


@entity(limits=Limits(continue_records=8))
class Busy:
    """Everything that a continuation has to carry."""

    done: int = 0

    @signal
    def work(self) -> None:
        self.done += 1
        self.later(self.done).arm(after=self.done * DAY)

    @signal
    async def slow(self) -> None:
        await release("slow")
        self.done += 100

    @update
    def count(self) -> int:
        return self.done

    @timer
    def later(self, number: int) -> None:
        self.done += 1000


def test_trace_9_a_continuation_carries_all_and_never_starves() -> None:
    """Waiting messages, timers and ids go over into the next run; a storm of messages cannot put it off."""
    busy = Scenario(Busy)
    busy.signal(Busy.slow)
    for number in range(12):
        busy.once(f"w-{number}").signal(Busy.work)
    counted = busy.once("c").update(Busy.count)
    assert len(busy.mailbox) == 13
    busy.answer(release)
    assert counted.value == 112
    assert [one.what for one in busy.history].count("continuation") >= 2
    assert len([one for one in busy.waiting if one.kind == "timer"]) == 12

    before = len(busy.records)
    busy.once("w-3").signal(Busy.work)
    assert len(busy.records) == before
    assert busy.once("c").update(Busy.count).value == 112
    busy.advance(200 * DAY)
    assert busy.state.done == 112 + 12 * 1000
    assert prove(busy) > 15


def test_trace_9_a_history_at_its_limit_is_refused_with_the_open_handler_named() -> None:
    """What an open handler keeps from closing may not grow for ever; the error says which one."""

    @entity(limits=Limits(run_records=20, continue_records=5))
    class Chatty:
        words: int = 0

        @signal(interleave=True)
        def say(self) -> None:
            self.words += 1

        @update
        async def listen(self) -> int:
            await wait_until(lambda: self.words >= 100)
            return self.words

    chatty = Scenario(Chatty)
    chatty.update(Chatty.listen)
    with pytest.raises(HistoryFull, match=r"run_records=20.*Chatty\.listen"):  # noqa: PT012 - one of many
        for _ in range(30):
            chatty.signal(Chatty.say)
    assert chatty.state.words == 19
    prove(chatty)


# ---- 10: the end, and again ----------------------------------------------------------------------------


def test_trace_10_an_end_and_a_new_life_under_the_same_key() -> None:
    """Completion with messages waiting: updates are told, signals parked; the next life is another."""

    @entity
    class Ticket:
        token: str = ""
        notes: int = 0

        @signal
        def note(self) -> None:
            self.notes += 1
            self.token = str(uuid4())

        @update
        async def close(self) -> str:
            await release("seat")
            complete(self.notes)
            return self.token

        @update
        def count(self) -> int:
            return self.notes

    ticket = Scenario(Ticket)
    ticket.signal(Ticket.note)
    first = ticket.state.token
    closed = ticket.once("close").update(Ticket.close)
    ticket.signal(Ticket.note)
    count = ticket.update(Ticket.count)
    ticket.answer(release)
    assert (closed.value, ticket.status, ticket.result(int)) == (first, "completed", 1)
    with pytest.raises(ActorCompleted):
        _ = count.value
    assert [one.handler for one in ticket.parked] == ["note"]
    with pytest.raises(ActorCompleted):
        ticket.signal(Ticket.note)
    with pytest.raises(AlreadyStarted):
        ticket.start(Ticket())
    records = len(ticket.records)

    ticket.start(Ticket(notes=7), if_completed="new")
    assert (ticket.status, ticket.state.notes) == ("running", 7)
    ticket.signal(Ticket.note)
    assert ticket.state.token != first
    assert [one.seq for one in ticket.history[records:]] == [6, 7], "numbers go on over lives"
    assert ticket.once("close").update(Ticket.close).value == first, "an answer outlives its life"
    ticket.retry(3)
    assert ticket.state.notes == 9
    prove(ticket)


@entity(limits=Limits(continue_records=3))
class Sleeper:
    """A main that may start again, and sleeps."""

    n: int = 0

    @signal
    def inc(self) -> None:
        self.n += 1

    @main(restartable=True)
    async def course(self) -> None:
        await sleep(timedelta(days=1))


def test_trace_8_what_a_restarted_main_waited_for_is_withdrawn() -> None:
    """Its sleep begins anew in the next run; the world is not asked for the old one any more."""
    sleeper = bare(Sleeper)
    turns = [turn for _ in range(3) for turn in run(sleeper, sent(Sleeper.inc))]
    asked = [
        (type(one).__name__, turn.seq) for turn in turns for one in turn.effects if one[0] != facts.ENDED
    ]
    again = sleeper.run - 1
    assert again > 0
    assert [name for name, _ in asked] == ["Sleep", *["Withdraw", "Sleep"] * again]
    assert [ref[0] for ref in sleeper.pending] == [asked[-1][1]]


# ---- 11: what is dropped -------------------------------------------------------------------------------


@activity
async def probe() -> None:
    """Something to wait for."""


LOG: list[str] = []


class Holding:
    """A context manager of the author's."""

    def __enter__(self) -> None:
        LOG.append("entered")

    def __exit__(self, *exc: object) -> None:
        LOG.append("left")
        complete("never")
        LOG.append("completed")


@entity
class Held:
    """Suspended with everything open that would act on its way out."""

    n: int = 0

    @update
    async def hold(self) -> None:
        try:
            async with saga() as undo:
                undo(release, "held")
                with Holding():
                    await probe()
        finally:
            LOG.append("finally")  # actorflow: ok
            actor(Cart, "c").signal(Cart.note, "never")
            LOG.append("sent")  # actorflow: ok

    @signal(interleave=True)
    def fail(self) -> None:
        self.n += 1
        raise ValueError("undo")

    @signal(interleave=True)
    def other(self) -> None:
        self.n += 1


@pytest.mark.parametrize("how", ["passivated", "undone", "collected", "terminated"])
def test_trace_11_what_is_dropped_can_do_nothing(how: str) -> None:
    """``finally``, a saga and a context manager of a dropped coroutine run, and reach nothing any more."""
    LOG.clear()
    held = Scenario(Held, strict=False)
    held.update(Held.hold)
    records = len(held.records)
    match how:
        case "passivated":
            held.restart()
        case "undone":
            held.signal(Held.fail)
        case "terminated":
            held.terminate()
        case _:
            other = Scenario(Held, "other", strict=False)
            held = Scenario(Held, "third", strict=False)
            gc.collect()
            other.signal(Held.other)
            assert (other.status, other.sent) == ("running", [])
    gc.collect()
    assert "completed" not in LOG
    assert "sent" not in LOG
    assert (ambient.dying, ambient.actor) == (0, None)
    assert held.sent == []
    if how == "undone":
        assert len(held.records) == records + 1
        held.answer(probe)
        assert held.status == "completed"
    elif how == "passivated":
        assert len(held.records) == records
        assert [one.name for one in held.waiting] == ["probe"]


def test_trace_11_what_is_undone_is_dropped_before_it_is_made_again() -> None:
    """And not when the collector comes by, in the middle of somebody's turn."""
    LOG.clear()
    held = bare(Held)
    gc.disable()
    try:
        run(held, sent(Held.hold))
        run(held, sent(Held.fail))
        assert LOG == ["entered", "left", "finally", "entered"]
    finally:
        gc.enable()


# ---- 12: a circle --------------------------------------------------------------------------------------


@entity
class Left:
    """Awaits Right."""

    @update
    async def go(self) -> str:
        return await actor(Right, "r").update(Right.go)


@entity
class Right:
    """Awaits Left."""

    @update
    async def go(self) -> str:
        return await actor(Left, "l").update(Left.go)


def test_trace_12_two_actors_await_each_other() -> None:
    """An ask that would close a circle is answered with ``Deadlock`` and its path; the rest goes on."""
    left, right = vacant(Left, "l"), vacant(Right, "r")
    actors = {left.address: left, right.address: right}
    waits = Waits()
    answers: list[tuple[str, bytes]] = []

    def host(turn: Turn, of: Any) -> None:
        for position, effect in enumerate(turn.effects):
            if isinstance(effect, facts.Ask):
                ref, target = (turn.seq, position), (effect.entity, effect.key)
                path = waits.path(of.address, target)
                if path is not None:
                    names = tuple(f"{entity_} {key!r}" for entity_, key in path)
                    resolve(of, ref, facts.FAILED, pack_failure(Deadlock(names)))
                    continue
                waits.asked(of.address, ref, target)
                assert list(asks(of)) == [(ref, target)]
                input_ = facts.Input(facts.UPDATE, effect.name, effect.body, sender=(*of.address, *ref))
                host(step(actors[target], input_, 1), actors[target])
            elif isinstance(effect, facts.Ended):
                if effect.sender is None:
                    answers.append((effect.outcome, effect.body))
                    continue
                asker, ref = actors[effect.sender[:2]], effect.sender[2:]
                waits.answered(asker.address, ref)
                how = facts.OK if effect.outcome == facts.OK else facts.FAILED
                resolve(asker, ref, how, effect.body)

    def resolve(of: Any, ref: Any, how: str, body: bytes) -> None:
        host(step(of, facts.Input(facts.RESOLVE, how, body, ref=ref), 1), of)
        while (turn := advance(of, 1)) is not None:
            host(turn, of)

    host(step(left, facts.Input(facts.UPDATE, "go", b"\x90"), 1), left)
    ((how, body),) = answers
    assert how == facts.FAILED
    assert b"actors wait for each other: Right 'r' -> Left 'l' -> Right 'r'" in body
    assert (left.open, right.open) == ({}, {})
    assert left.phase != CLOSED
    assert waits.path(left.address, right.address) is None
