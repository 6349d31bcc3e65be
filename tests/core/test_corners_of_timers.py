"""When a timer rings: once, when it is due, unless it was called off, and not in a life that is closing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import field

import actorflow as af
from actorflow import Limits, entity, signal, timer, update
from actorflow._core import facts
from actorflow._core.facts import Input
from actorflow._core.replay import replay
from actorflow._core.step import step
from actorflow.testing import Scenario
from tests.core.proof import bare, prove, run, sent
from tests.core.shop import act, other

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@entity
class Child:
    """Belongs to it."""

    n: int = 0

    @update
    def ask(self) -> int:
        return self.n


@entity
class Alarm:
    """A timer that is set and called off."""

    rang: int = 0

    @signal
    def set(self) -> None:
        self.ring().arm(after=SECOND)

    @signal
    def call_off(self) -> None:
        self.ring().cancel()

    @signal
    def adopt(self) -> None:
        af.start_child(Child(), "a")

    @timer
    def ring(self) -> None:
        self.rang += 1


def test_a_timer_that_is_called_off_never_rings() -> None:
    """Called off twice it is told to the world once."""
    alarm = Scenario(Alarm)
    alarm.signal(Alarm.set)
    alarm.signal(Alarm.call_off)
    assert [type(one).__name__ for one in alarm.effects] == ["Disarm"]
    alarm.signal(Alarm.call_off)
    assert alarm.effects == []
    alarm.advance(DAY)
    assert (alarm.state.rang, alarm.waiting) == (0, [])
    prove(alarm)


def test_a_fire_that_is_early_late_or_repeated_leaves_no_trace() -> None:
    """A host may tell of a timer too often; it runs once, and never before it is due."""
    alarm = bare(Alarm)
    run(alarm, sent(Alarm.set))
    fire = Input(facts.FIRE, "ring", b"\x90", ref=(1, 0))
    assert step(alarm, fire, 999_999).fate == "ignore"
    assert step(alarm, fire._replace(ref=(9, 0)), 1_000_000).fate == "ignore"
    assert step(alarm, fire, 1_000_000).outcome == facts.DONE
    assert step(alarm, fire, 1_000_000).fate == "ignore"
    assert alarm.state.rang == 1


def test_a_timer_that_falls_due_while_closing_is_not_outstanding() -> None:
    """It will not run any more, and so a host need not arm it; the child and the alarm it still awaits."""
    alarm = Scenario(Alarm)
    alarm.signal(Alarm.set)
    alarm.signal(Alarm.adopt)
    alarm.cancel()
    assert [one.kind for one in alarm.waiting] == ["child", "alarm"]
    alarm.restart()
    assert [one.kind for one in alarm.waiting] == ["child", "alarm"]
    alarm.advance(10 * SECOND)
    assert (alarm.status, alarm.state.rang) == ("closing", 0)
    alarm.confirm_cancelled("a")
    assert (alarm.status, alarm.waiting) == ("cancelled", [])
    prove(alarm)


# ---- a run that is too long --------------------------------------------------------------------------


@entity(limits=Limits(run_records=4, continue_records=3))
class Clerk:
    """It has a long talk beside the work, and a round to make every day."""

    rounds: int = 0
    talked: int = 0
    hung_up: bool = False

    @update(interleave=True)
    async def talk(self) -> int:
        while not self.hung_up:
            try:
                self.talked += await act(self.talked)
            except af.HistoryFull:
                break
        return self.talked

    @signal(interleave=True)
    def hang_up(self) -> None:
        self.hung_up = True

    @signal
    def begin(self) -> None:
        self.rounds += 1

    @signal
    def open(self) -> None:
        self.round().arm(after=DAY)

    @timer
    async def round(self) -> None:
        self.rounds += await act(0)
        self.round().arm(after=DAY)

    @signal
    async def count(self, number: int) -> None:
        if not self.rounds:
            raise ValueError(number)
        self.rounds += await other(number)


def test_a_timer_that_has_no_room_waits_and_rings_on() -> None:
    """Its handler could not await anything: it waits until what is open has ended, and is armed again."""
    clerk = Scenario(Clerk)
    clerk.signal(Clerk.open)
    talked = clerk.update(Clerk.talk)
    for _ in range(6):
        clerk.answer(act, 1)
    assert not talked.done
    clerk.advance(DAY)
    assert (clerk.mailbox, clerk.parked, clerk.open) == (["round"], [], ["talk"])
    clerk.restart()
    while not talked.done:  # until it is told that its run is too long
        clerk.answer(act, 1)
    assert (clerk.mailbox, clerk.open) == ([], ["round"])
    for day in range(1, 4):
        clerk.answer(act, 1)
        assert clerk.state.rounds == day
        clerk.advance(DAY)
    prove(clerk)


def test_a_retry_that_has_no_room_waits() -> None:
    """So does a message that is tried again behind another, and could not await anything either."""
    clerk = Scenario(Clerk)
    clerk.signal(Clerk.count, 1)
    clerk.signal(Clerk.begin)
    (parked,) = clerk.parked
    talked = clerk.update(Clerk.talk)
    clerk.signal(Clerk.count, 2)
    clerk.retry(parked.seq)
    while not clerk._actor.exhausted:
        clerk.answer(act, 1)
    clerk.answer(other, 1)
    assert (len(clerk.mailbox), clerk.open) == (1, ["talk"])
    clerk.restart()
    while not talked.done:
        clerk.answer(act, 1)
    assert (clerk.mailbox, clerk.open) == ([], ["count"])
    clerk.answer(other, 1)
    assert (clerk.state.rounds, clerk.parked) == (3, [])
    prove(clerk)


def test_a_timer_that_awaits_nothing_has_room_enough() -> None:
    """It rings at its time, however long the run is."""

    @entity(limits=Limits(run_records=2, continue_records=2))
    class Quick:
        rang: int = 0

        @update(interleave=True)
        async def talk(self) -> None:
            for n in range(3):
                await act(n)

        @signal
        def open(self) -> None:
            self.ring().arm(after=DAY)

        @timer
        def ring(self) -> None:
            self.rang += 1

    quick = Scenario(Quick)
    quick.signal(Quick.open)
    quick.update(Quick.talk)
    for _ in range(2):
        quick.answer(act, 1)
    quick.advance(DAY)
    assert quick.state.rang == 1
    prove(quick)


# ---- beside an open handler --------------------------------------------------------------------------


def ringing(*, beside: bool) -> type[Any]:
    """A timer that comes between, or does not."""

    @entity(name="Ringing")
    class Ringing:
        log: list[str] = field(factory=list)

        @update
        async def hold(self) -> None:
            self.ring().arm(after=SECOND)
            await act(0)
            self.log.append("held")

        @timer(interleave=beside)
        def ring(self) -> None:
            self.log.append("rang")

    return Ringing


@pytest.mark.parametrize(("beside", "log"), [(True, ["rang", "held"]), (False, ["held", "rang"])])
def test_a_timer_may_ring_beside_an_open_handler(beside: bool, log: list[str]) -> None:
    """Where its author says so; else it waits for its turn."""
    cls = ringing(beside=beside)
    ringing_ = Scenario(cls)
    ringing_.update(cls.hold)
    ringing_.advance(SECOND)
    ringing_.answer(act, 0)
    assert ringing_.state.log == log
    prove(ringing_)


# ---- under another name ------------------------------------------------------------------------------


def named(new: bool) -> type[Any]:
    """A timer, before and after it was given another name."""
    if not new:

        @entity(name="Named")
        class Before:
            rang: int = 0

            @signal
            def set(self) -> None:
                self.ring().arm(after=SECOND)

            @update
            async def hold(self) -> None:
                await act(0)

            @timer
            def ring(self) -> None:
                self.rang += 1

        return Before

    @entity(name="Named")
    class After:
        rang: int = 0

        @signal
        def set(self) -> None:
            self.toll().arm(after=SECOND)

        @update
        async def hold(self) -> None:
            await act(0)

        @timer(aliases=["ring"])
        def toll(self) -> None:
            self.rang += 1

    return After


def test_a_fire_finds_its_timer_under_the_name_that_it_had() -> None:
    """One that is recorded, one that waits, and one whose host has armed it before the code was changed."""
    old, new = named(new=False), named(new=True)
    fire = Input(facts.FIRE, "ring", b"\x90", ref=(1, 0))
    for waits in (False, True):
        before, after = bare(old), bare(new)
        records = run(before, sent(old.set))
        if waits:
            records += run(before, sent(old.hold))
        records += run(before, fire, 1_000_000)
        replay(after, [turn.record for turn in records if turn.record])
        if waits:
            run(after, Input(facts.RESOLVE, facts.OK, b"\xc0", ref=(2, 0)), 1_000_000)
        assert (after.state.rang, after.timers) == (1, {})
    later = bare(new)
    replay(later, [turn.record for turn in run(bare(old), sent(old.set)) if turn.record])
    run(later, fire, 1_000_000)
    assert later.state.rang == 1
