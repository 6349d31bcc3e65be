"""What is told to whom when a life ends while much is under way, and what becomes of what was set aside."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import field

import actorflow as af
from actorflow import Limits, entity, main, signal, timer, update
from actorflow._core import facts
from actorflow._core.facts import Input
from actorflow._core.image import differences, image
from actorflow._core.replay import replay
from actorflow._core.step import advance, step
from actorflow.testing import Scenario
from tests.core.proof import bare, prove, run, sent
from tests.core.shop import act

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@entity
class Room:
    """Much can be under way in it."""

    log: list[str] = field(factory=list)

    @update
    async def hold(self) -> int:
        await act(1)
        return len(self.log)

    @update
    def count(self) -> int:
        return len(self.log)

    @signal
    def inc(self) -> None:
        self.log.append("inc")

    @signal
    def bad(self) -> None:
        if "mended" not in self.log:
            raise ValueError("bad")
        self.log.append("good")

    @signal
    def mend(self) -> None:
        self.log.append("mended")

    @signal
    def set(self) -> None:
        self.ring().arm(after=SECOND)

    @timer
    def ring(self) -> None:
        self.log.append("rang")

    @signal
    def family(self) -> None:
        for policy in ("cancel", "terminate", "abandon"):
            af.start_child(Room(), policy, policy=policy)


# ---- what waits, what is open, what belongs to it ----------------------------------------------------------


def test_a_life_that_ends_tells_everybody_who_waits() -> None:
    """Updates are answered and their ids free, signals are parked, a retry's message is parked still."""
    room = Scenario(Room)
    room.signal(Room.bad)
    room.signal(Room.set)
    held = room.once("held").update(Room.hold)
    room.advance(SECOND)
    room.retry(1)
    room.signal(Room.inc)
    waiting, again = room.once("id").update(Room.count), room.update(Room.count)
    assert room.mailbox == ["ring", "retry", "inc", "count", "count"]
    room.terminate()
    assert room.status == "terminated"
    for reply in (waiting, again):
        with pytest.raises(af.ActorCompleted):
            _ = reply.value
    assert [(one.handler, one.first) for one in room.parked] == [("bad", 1), ("inc", 6)]
    with pytest.raises(af.HandlerFailed, match="was terminated"):
        _ = held.value
    with pytest.raises(af.HandlerFailed, match="was terminated"):
        _ = room.once("held").update(Room.hold).value
    room.start(Room(log=["mended"]), if_completed="new")
    assert room.once("id").update(Room.count).value == 1
    room.retry(1)
    assert room.state.log == ["mended", "good"]
    prove(room)


def test_children_end_as_their_policy_says() -> None:
    """One is cancelled, one is terminated, and one is left alone and not waited for."""
    room = Scenario(Room)
    room.signal(Room.family)
    room.cancel()
    told = [(one.key, one.how) for one in room.effects if isinstance(one, facts.CloseChild)]
    assert told == [("cancel", "cancel"), ("terminate", "terminate")]
    room.confirm_cancelled("terminate")
    assert room.status == "closing"
    room.confirm_cancelled("cancel")
    assert room.status == "cancelled"
    prove(room)


def test_children_that_do_not_end_in_time_are_terminated() -> None:
    """After ``close_timeout``; those that were terminated already are not told again."""
    room = Scenario(Room)
    room.signal(Room.family)
    room.cancel()
    room.advance(DAY)
    told = [(one.key, one.how) for one in room.effects if isinstance(one, facts.CloseChild)]
    assert told == [("cancel", "terminate")]
    room.confirm_cancelled("cancel")
    room.confirm_cancelled("terminate")
    assert room.status == "cancelled"
    prove(room)


@entity
class Lodger:
    """Comes to an end of its own, also when it is told to."""

    log: list[str] = field(factory=list)
    raises: bool = False

    @signal(interleave=True)
    def note(self, text: str) -> None:
        self.log.append(text)

    @signal(interleave=True)
    def unsay(self) -> None:
        self.log.pop()

    @update
    async def hold(self) -> None:
        await act(1)
        self.log.append("free")

    @signal
    def close(self) -> None:
        af.complete("closed by hand")

    @main
    async def course(self) -> str:
        try:
            await af.wait_until(lambda: "go" in self.log)
        except af.Cancelled:
            async with af.shielded():
                await act(7)
            if self.raises:
                raise ValueError("in the cellar") from None
            return "packed"
        self.log.append("gone")
        return "left"


@pytest.mark.parametrize("raises", [False, True])
def test_what_was_cancelled_and_came_to_an_end_of_its_own_has_that_end(raises: bool) -> None:
    """Main cleans up and returns, or fails: the life is completed, or failed, and not cancelled."""
    lodger = Scenario(Lodger)
    lodger.start(Lodger(raises=raises))
    lodger.cancel()
    assert lodger.status == "closing"
    lodger.answer(act, 7)
    if raises:
        assert lodger.status == "failed"
        with pytest.raises(af.HandlerFailed, match="in the cellar"):
            lodger.result(str)
    else:
        assert (lodger.status, lodger.result(str)) == ("completed", "packed")
    prove(lodger)


@pytest.mark.parametrize("raises", [False, True])
def test_what_was_completed_stays_completed(raises: bool) -> None:
    """A handler has ended the life with a result: how main takes that changes neither."""
    lodger = Scenario(Lodger)
    lodger.start(Lodger(raises=raises))
    lodger.signal(Lodger.close)
    assert lodger.status == "closing"
    lodger.answer(act, 7)
    assert (lodger.status, lodger.result(str)) == ("completed", "closed by hand")
    prove(lodger)


def test_a_condition_of_main_is_tried_between_handlers() -> None:
    """What comes true while the mailbox is held wakes main when it is free, and not before."""
    lodger = Scenario(Lodger)
    lodger.start(Lodger())
    lodger.update(Lodger.hold)
    lodger.signal(Lodger.note, "go")
    lodger.signal(Lodger.unsay)
    lodger.answer(act, 1)
    assert (lodger.state.log, lodger.status) == (["free"], "running"), "it was true in vain"
    lodger.signal(Lodger.unsay)
    lodger.update(Lodger.hold)
    lodger.signal(Lodger.note, "go")
    assert lodger.state.log == ["go"]
    lodger.answer(act, 1)
    assert (lodger.state.log, lodger.result(str)) == (["go", "free", "gone"], "left")
    prove(lodger)


@entity
class Stillborn:
    """Its main fails before it first waits."""

    log: list[str] = field(factory=list)

    @update(interleave=True)
    async def beside(self) -> None:
        try:
            await act(1)
        finally:
            self.log.append("cleaned up")

    @main
    async def course(self) -> None:
        self.log.append("never")
        raise ValueError("cannot begin")


def test_a_main_that_cannot_begin_is_the_end_of_the_life() -> None:
    """What is open is cancelled and cleans up; of main itself nothing is left but its failure."""
    stillborn = Scenario(Stillborn)
    beside = stillborn.update(Stillborn.beside)
    stillborn.confirm_cancelled(act)
    with pytest.raises(af.HandlerFailed, match="Cancelled"):
        _ = beside.value
    assert (stillborn.status, stillborn.state.log) == ("failed", ["cleaned up"])
    with pytest.raises(af.HandlerFailed, match="cannot begin"):
        stillborn.result(type(None))
    prove(stillborn)


class Foreign:
    """What belongs to another event loop."""

    def __await__(self) -> Any:
        yield "not ours"


@entity
class Hasty:
    """The same main beside a handler that cleans up with what is not ours."""

    @update(interleave=True)
    async def beside(self) -> None:
        try:
            await af.sleep(DAY)
        except af.Cancelled:
            await Foreign()
            raise

    @main
    async def course(self) -> None:
        raise ValueError("cannot begin")


def test_a_fault_while_a_life_fails_is_undone_whole() -> None:
    """The host is told; the life has not failed, main is due still, and what was open waits still."""
    actor = bare(Hasty)
    turn = step(actor, sent(Hasty.beside), 0)
    before = image(actor)
    for _ in range(2):
        with pytest.raises(af.ForeignAwait):
            advance(actor, 0)
        assert differences(image(actor), before) == []
    again = bare(Hasty)
    assert turn.record is not None
    replay(again, [turn.record])
    assert differences(image(again), before) == []


# ---- what was set aside ------------------------------------------------------------------------------------


@entity
class Gate:
    """What fails at it holds the mailbox."""

    opened: bool = False
    log: list[str] = field(factory=list)

    @signal(interleave=True, on_failure="stop")
    def pass_(self) -> None:
        if not self.opened:
            raise ValueError("closed")
        self.log.append("passed")

    @signal(interleave=True)
    def open(self) -> None:
        self.opened = True

    @signal
    async def hold(self) -> None:
        await act(1)
        self.log.append("held")

    @signal
    def inc(self) -> None:
        self.log.append("inc")


def test_the_retry_of_what_stopped_the_mailbox_goes_before_what_waits() -> None:
    """It waits for the handler that is open, and for nobody else."""
    gate = Scenario(Gate)
    gate.signal(Gate.hold)
    gate.signal(Gate.pass_)
    gate.signal(Gate.inc)
    gate.signal(Gate.open)
    gate.retry(2)
    assert gate.mailbox == ["retry", "inc"]
    gate.restart()
    gate.answer(act, 1)
    assert (gate.state.log, gate.parked, gate.mailbox) == (["held", "passed", "inc"], [], [])
    prove(gate)


def test_a_second_retry_of_the_same_message_finds_nothing() -> None:
    """Both waited, the first did it; the second is stale and runs nothing."""
    room = Scenario(Room)
    room.signal(Room.bad)
    room.update(Room.hold)
    room.signal(Room.mend)
    room.retry(1)
    room.retry(1)
    room.answer(act, 1)
    assert (room.state.log, room.parked) == (["mended", "good"], [])
    assert room.history[-1].outcome == "stale"
    prove(room)


def test_a_retry_that_waited_and_fails_again_is_parked_under_its_number() -> None:
    """The number of the first try stays with it."""
    room = Scenario(Room)
    room.signal(Room.bad)
    room.update(Room.hold)
    room.retry(1)
    room.answer(act, 1)
    assert [(one.seq, one.first) for one in room.parked] == [(3, 1)]
    room.drop(3)
    assert room.parked == []
    prove(room)


@entity(limits=Limits(parked_messages=5))
class Clock:
    """Its timer fails."""

    n: int = 0

    @signal
    def set(self, number: int) -> None:
        self.ring(number).arm(after=SECOND)

    @update
    async def hold(self) -> int:
        return await act(1)

    @timer
    def ring(self, number: int) -> None:
        if number > self.n:
            self.n += 1
            raise ValueError("not yet")


def test_a_timer_that_fails_is_parked_and_does_not_ring_again() -> None:
    """Whether its fire ran at once or had waited; an operator's retry is what runs it again."""
    clock = Scenario(Clock)
    clock.signal(Clock.set, 1)
    clock.advance(SECOND)
    clock.signal(Clock.set, 2)
    clock.update(Clock.hold)
    clock.advance(SECOND)
    clock.answer(act, 1)
    assert [(one.handler, one.arguments) for one in clock.parked] == [("ring", (1,)), ("ring", (2,))]
    clock.advance(DAY)
    assert (clock.state.n, clock.waiting) == (0, [])
    clock.retry(clock.parked[0].seq)
    assert len(clock.parked) == 2, "parked again, under the number of the retry"
    prove(clock)


def test_what_held_the_mailbox_of_one_life_holds_none_of_the_next() -> None:
    """It stays parked, and may be retried in the next one."""
    gate = Scenario(Gate)
    gate.start(Gate())
    gate.signal(Gate.pass_)
    gate.signal(Gate.inc)
    assert gate.mailbox == ["inc"]
    gate.terminate()
    gate.start(Gate(), if_completed="new")
    gate.signal(Gate.inc)
    assert (gate.state.log, gate.mailbox) == (["inc"], [])
    assert [one.handler for one in gate.parked] == ["pass_", "inc"]
    prove(gate)


# ---- ended by force ----------------------------------------------------------------------------------


@entity
class Waiter:
    """Two handlers that wait side by side, and one behind them."""

    @update
    async def hold(self) -> int:
        return await act(1)

    @signal(interleave=True)
    async def beside(self) -> None:
        await af.gather(act(2), act(3))

    @update
    def ask(self) -> int:
        return 1


def test_who_is_terminated_tells_the_world_to_stop_and_everybody_who_waits() -> None:
    """What was asked for is withdrawn; updates are answered, those with an id for good, a signal is over."""
    waiter = bare(Waiter)
    hold, beside = sent(Waiter.hold, id_="hold"), sent(Waiter.beside, id_="beside")
    run(waiter, hold)
    run(waiter, beside)
    run(waiter, sent(Waiter.ask, id_="ask"))
    (turn,) = run(waiter, Input(facts.TERMINATE))
    assert [one[:3] for one in turn.effects if isinstance(one, facts.Withdraw)] == [
        (facts.WITHDRAW, 1, 0),
        (facts.WITHDRAW, 2, 0),
        (facts.WITHDRAW, 2, 1),
    ]
    ended = [(one.seq, one.outcome) for one in turn.effects if isinstance(one, facts.Ended)]
    assert ended == [(1, facts.CANCELLED), (2, facts.CANCELLED), (3, "not run")]
    assert isinstance(turn.effects[-1], facts.Closed)
    assert (waiter.pending, waiter.open, waiter.status) == ({}, {}, "terminated")
    again = step(waiter, hold, 0)
    assert (again.fate, again.how) == ("answer", facts.CANCELLED)
    assert step(waiter, beside, 0).how == facts.OK, "a signal was accepted, whatever became of it"
    assert list(waiter.ids.entries()) == ["beside", "hold"], "what never ran leaves its id free"


@entity
class Doomed:
    """Its course fails before it waits for anything."""

    @main
    async def course(self) -> None:
        raise ValueError("at once")

    @signal
    def inc(self) -> None:
        """Nothing."""


def test_a_main_that_fails_at_once_is_the_last_failure_by_its_name() -> None:
    """As one is that fails later."""
    doomed = bare(Doomed)
    run(doomed, sent(Doomed.inc))
    assert (doomed.status, doomed.main_due) == ("failed", False)
    assert doomed.last_failure is not None
    assert doomed.last_failure[:2] == (2, "course")


@entity(limits=Limits(close_timeout=timedelta(seconds=7)))
class Family:
    """Children who close when they are told to."""

    @signal
    def adopt(self, key: str) -> None:
        af.start_child(Doomed(), key)


def test_children_have_the_time_to_close_that_their_parent_allows() -> None:
    """Then they are terminated; with the last of them the alarm is called off."""
    for late in (False, True):
        family = bare(Family)
        run(family, sent(Family.adopt, "a"))
        (told,) = run(family, Input(facts.CANCEL), 100)
        close, alarm = told.effects
        assert isinstance(close, facts.CloseChild)
        assert (close.how, alarm) == ("cancel", facts.Sleep(facts.SLEEP, 7_000_100))
        assert (family.alarm, family.alarm_due) == ((told.seq, 1), 7_000_100)
        ring = Input(facts.RESOLVE, facts.OK, ref=(told.seq, 1))
        assert step(family, ring, 7_000_099).fate == "ignore"
        if late:
            (harsh,) = run(family, ring, 7_000_100)
            assert [getattr(one, "how", "") for one in harsh.effects] == ["terminate"]
        (last,) = run(family, Input(facts.RESOLVE, facts.CANCELLED, ref=(1, 0)), 7_000_100)
        assert [type(one).__name__ for one in last.effects] == [*["Withdraw"] * (not late), "Closed"]
        assert (family.status, family.alarm, family.harsh) == ("cancelled", None, False)
