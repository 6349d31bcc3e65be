"""What an actor and its senders are told at its bounds: effects, a run, a state, ids, slices of closing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import actorflow as af
from actorflow import Limits, entity, main, signal, timer, update
from actorflow._core import facts
from actorflow._core.facts import Input
from actorflow._core.image import differences, image
from actorflow._core.once import Ids
from actorflow._core.outstanding import crowded
from actorflow._core.replay import replay
from actorflow._core.snapshot import restore, snapshot
from actorflow._core.step import examine, step
from actorflow.testing import Scenario
from tests.core.proof import bare, prove, run, sent
from tests.core.shop import act

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


# ---- what a turn and a handler may ask for -----------------------------------------------------------


@entity(limits=Limits(turn_effects=2, pending_effects=2))
class Modest:
    """May ask for two things at a time."""

    n: int = 0

    @signal
    def shout(self, times: int) -> None:
        self.n += times
        for _ in range(times):
            af.actor(Modest, "b").signal(Modest.shout, 0)

    @update
    async def hold(self) -> int:
        await act(0)
        self.n += 1
        return self.n

    @signal(interleave=True)
    async def beside(self) -> None:
        await act(1)

    @update(interleave=True)
    async def another(self) -> int:
        return await act(1)


@entity(limits=Limits(turn_effects=2, payload_bytes=20))
class Alarmed:
    """May arm two timers in one turn, with little to say."""

    @signal
    def set(self, times: int, text: str) -> None:
        for number in range(times):
            self.ring(number, text).arm(after=SECOND)

    @timer
    def ring(self, number: int, text: str) -> None: ...


def test_a_turn_that_arms_too_much_is_undone_whole() -> None:
    """Timers are effects like others."""
    alarmed = Scenario(Alarmed)
    alarmed.signal(Alarmed.set, 3, "")
    assert "turn_effects=2" in alarmed.parked[0].error
    assert alarmed.waiting == []


def test_the_arguments_of_a_timer_have_a_bound() -> None:
    """As those of a message have."""
    alarmed = Scenario(Alarmed)
    alarmed.signal(Alarmed.set, 1, "x" * 14)
    assert "payload_bytes=20" not in "".join(one.error for one in alarmed.parked)
    actor = bare(Alarmed)
    run(actor, sent(Alarmed.set, 1, "x"))
    with pytest.raises(af.LimitExceeded, match="payload_bytes=20"):
        actor.arm("ring", b"x" * 21, 0)


@pytest.mark.parametrize(
    ("name", "bound"), [("run_records", Limits(run_records=3)), ("run_bytes", Limits(run_bytes=120))]
)
def test_at_twice_the_bound_of_a_run_nothing_more_is_asked_for(name: str, bound: Limits) -> None:
    """What is open may come to its end up to there; then it is told by name which bound it is."""

    @entity(limits=bound)
    class Endless:
        @update
        async def ask(self) -> int:
            total = 0
            while True:
                total += await act(1)

    endless = Scenario(Endless)
    asked = endless.update(Endless.ask)
    for _ in range(40):
        if not endless.waiting:
            break
        endless.answer(act, 1)
    with pytest.raises(af.HistoryFull, match=name):
        _ = asked.value


def test_a_turn_that_asks_for_too_much_is_undone_whole() -> None:
    """Three signals where two are allowed: none is sent, and the message is parked with the bound."""
    modest = Scenario(Modest)
    modest.signal(Modest.shout, 2)
    assert len(modest.sent) == 2
    modest.signal(Modest.shout, 3)
    assert modest.sent == []
    assert "turn_effects=2" in modest.parked[0].error
    assert modest.state.n == 2
    prove(modest)


@pytest.mark.parametrize("callback", [False, True])
def test_too_much_that_is_pending_is_the_askers_trouble(callback: bool) -> None:
    """The third handler that would wait for the world is undone; those that wait go on."""

    @entity(limits=Limits(pending_effects=2))
    class Crowd:
        @signal(interleave=True)
        async def wait(self) -> None:
            await (af.callback(int, timeout=None) if callback else act(1))

    crowd = Scenario(Crowd)
    for _ in range(3):
        crowd.signal(Crowd.wait)
    assert [one.error.partition(" (")[2].partition(")")[0] for one in crowd.parked] == ["pending_effects=2"]
    assert crowd.open == ["wait", "wait"]
    prove(crowd)


# ---- runs that are long ------------------------------------------------------------------------------


@entity(limits=Limits(run_records=4, mailbox_messages=100))
class Endless:
    """Asks again and again, and so its run never closes."""

    n: int = 0

    @update
    async def go(self) -> int:
        while True:
            self.n += await act(self.n)

    @update
    def count(self) -> int:
        return self.n


def test_what_is_open_may_ask_until_its_run_is_twice_too_long() -> None:
    """Messages are refused first, so that what is open can come to its end; then it is told, too."""
    endless = Scenario(Endless)
    reply = endless.update(Endless.go)
    for _ in range(3):
        endless.answer(act, 1)
    with pytest.raises(af.HistoryFull, match="run_records=4"):
        endless.update(Endless.count)
    for _ in range(5):
        assert not reply.done
        endless.answer(act, 1)
    with pytest.raises(af.HistoryFull, match=r"its run is too long for Endless\.go to ask for more") as full:
        _ = reply.value
    assert full.value.holders == (Endless.go.where,)
    assert endless.update(Endless.count).value == 8
    prove(endless)


@entity(limits=Limits(run_bytes=600, continue_bytes=600))
class Wordy:
    """Its run is short in records and long in bytes."""

    opened: bool = False
    words: int = 0

    @update
    async def enter(self) -> None:
        await af.wait_until(lambda: self.opened)

    @signal(interleave=True)
    def say(self, text: str) -> None:
        self.words += 1


def test_a_run_is_full_by_bytes_as_by_records() -> None:
    """It is warned of at half its bytes, and refuses messages at all of them."""
    wordy = bare(Wordy)
    run(wordy, sent(Wordy.enter))
    assert crowded(wordy) is None
    run(wordy, sent(Wordy.say, "x" * 300))
    warning = crowded(wordy)
    assert warning is not None
    assert (warning.limit, warning.holders) == ("run_bytes", (Wordy.enter.where,))
    run(wordy, sent(Wordy.say, "x" * 300))
    with pytest.raises(af.HistoryFull, match="run_bytes=600"):
        step(wordy, sent(Wordy.say, "x"), 0)
    assert wordy.state.words == 2
    wordy.run_bytes = 599
    examine(wordy, sent(Wordy.say, "x"), 0)
    wordy.run_bytes = 600
    with pytest.raises(af.HistoryFull, match="run_bytes=600"):
        examine(wordy, sent(Wordy.say, "x"), 0)


@entity(limits=Limits(continue_records=3, run_records=6, state_bytes=100))
class Hoarder:
    """Its state grows beyond what a snapshot may hold."""

    text: str = ""

    @signal
    def put(self, text: str) -> None:
        self.text = text

    @update
    def size(self) -> int:
        return len(self.text)


def test_a_run_cannot_close_on_a_state_that_is_too_large() -> None:
    """The actor goes on to the end of its run, then refuses with the bound of its state, not of its run."""
    hoarder = bare(Hoarder)
    turns = [turn for _ in range(6) for turn in run(hoarder, sent(Hoarder.put, "x" * 200))]
    assert len(turns) == 6, "no continuation"
    with pytest.raises(af.LimitExceeded, match="state_bytes=100"):
        step(hoarder, sent(Hoarder.put, "small"), 0)
    with pytest.raises(af.LimitExceeded, match="state_bytes=100"):
        examine(hoarder, sent(Hoarder.put, "small"), 0)
    again = bare(Hoarder)
    replay(again, [turn.record for turn in turns if turn.record is not None])
    assert differences(image(hoarder), image(again)) == []


def test_a_state_that_becomes_small_again_lets_the_run_close() -> None:
    """Before its run is full a message may mend it."""
    hoarder = bare(Hoarder)
    for _ in range(4):
        run(hoarder, sent(Hoarder.put, "x" * 200))
    assert hoarder.run == 1
    run(hoarder, sent(Hoarder.put, "small"))
    assert (hoarder.run, hoarder.unstorable) == (2, None)


@entity(limits=Limits(continue_records=1_000))
class Huge:
    """Can become something that has no bytes."""

    n: int = 0
    text: str = ""

    @signal
    def become(self, huge: bool, text: str) -> None:
        self.n = 1 << 80 if huge else 1

    @update
    def ask(self) -> int:
        return 1


def test_a_digest_that_cannot_be_made_is_left_out() -> None:
    """Without strict mode a state that cannot be stored costs its digests, and no message."""
    loose = bare(Huge)
    for _ in range(3):
        turns = run(loose, sent(Huge.become, True, "x" * 3_000))
        assert [turn.outcome for turn in turns] == [facts.DONE]
        assert turns[0].record is not None
        assert facts.DIGEST not in (loose.spec.codec.unpack_record(turns[0].record).extra or {})
    assert loose.unstorable is not None
    (turn,) = run(loose, sent(Huge.become, False, "x" * 3_000))
    assert turn.record is not None
    assert facts.DIGEST in (loose.spec.codec.unpack_record(turn.record).extra or {})


# ---- ids ---------------------------------------------------------------------------------------------


def test_ids_may_all_be_over_or_all_be_outstanding() -> None:
    """At the byte bound: what is over is let go to the last; what has no answer yet is kept to the last."""
    over, outstanding = (Ids.within(timedelta(microseconds=100), 150) for _ in range(2))
    one = Input(facts.UPDATE, "buy")
    for id_ in ("a", "b"):
        over.admit(id_, 1, one, b"d")
        over.answer(id_, 1, facts.OK, b"", 10)
        outstanding.admit(id_, 1, one, b"d")
    assert (over.full(110), len(over)) == (False, 0)
    assert (outstanding.full(110), len(outstanding)) == (True, 2)


# ---- closing in slices -------------------------------------------------------------------------------


@entity(limits=Limits(mailbox_messages=2_000, children=2_000))
class Large:
    """Much waits, and much belongs to it."""

    n: int = 0

    @signal
    def adopt(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            af.start_child(Large(), str(number))

    @update
    async def hold(self) -> int:
        return await act(1)

    @signal
    def inc(self) -> None:
        self.n += 1


def test_a_life_with_much_left_closes_in_turns_of_500() -> None:
    """1,100 messages and 1,100 children are seen to in several turns, each with a record that replays."""
    large = bare(Large)
    before = run(large, sent(Large.adopt, 0, 1_100)) + run(large, sent(Large.hold))
    before += [step(large, sent(Large.inc), 0) for _ in range(1_100)]
    turns = run(large, Input(facts.TERMINATE))
    again = bare(Large)
    replay(again, [turn.record for turn in before + turns if turn.record])
    assert differences(image(large), image(again)) == []
    told = [sum(isinstance(one, facts.CloseChild) for one in turn.effects) for turn in turns]
    assert told == [0, 0, 400, 500, 200]
    assert (len(large.parked), len(large.mailbox), large.phase) == (1_100, 0, 2)
    for ref in list(large.child_refs):
        step(large, Input(facts.RESOLVE, facts.CANCELLED, ref=ref), 0)
    assert (large.status, large.phase) == ("terminated", 3)


@pytest.mark.parametrize(("waiting", "turns"), [(499, 1), (500, 2), (501, 2)])
def test_a_slice_that_is_full_closes_nothing_yet(waiting: int, turns: int) -> None:
    """That nothing is left shows in the next one: so it is recorded, and so it stays."""
    large = bare(Large)
    run(large, sent(Large.hold))
    for _ in range(waiting):
        step(large, sent(Large.inc), 0)
    taken = run(large, Input(facts.TERMINATE))
    closed = [any(isinstance(one, facts.Closed) for one in turn.effects) for turn in taken]
    assert closed == [*[False] * (turns - 1), True]
    assert (large.phase, len(large.parked)) == (3, waiting)


# ---- undoing and bases -------------------------------------------------------------------------------


@entity
class Flaky:
    """Fails when told to."""

    n: int = 0

    @signal
    def inc(self, text: str) -> None:
        self.n += 1

    @signal
    def bad(self) -> None:
        raise ValueError("bad")

    @timer
    def ring(self) -> None:
        self.n += 1


def test_a_digest_comes_when_its_bytes_have_come_together() -> None:
    """Of a small state every 4,096 bytes of records, and not with each record from the first on."""
    wordy = bare(Huge)
    turns = [turn for _ in range(7) for turn in run(wordy, sent(Huge.become, False, "x" * 3_000))]
    extras = [wordy.spec.codec.unpack_record(turn.record).extra or {} for turn in turns if turn.record]
    assert [facts.DIGEST in extra for extra in extras] == [False, False, True, False, True, False, True]
    for place in range(1, 7):
        again = bare(Huge)
        replay(again, [turn.record for turn in turns[:place] if turn.record])
        (turn,) = run(again, sent(Huge.become, False, "x" * 3_000))
        assert turn.record == turns[place].record, "and after a restart where it would have come without one"


def test_a_digest_of_a_large_state_comes_seldom() -> None:
    """When the records since the last have four times its bytes: it costs a dump of all of it."""

    @entity
    class Page:
        text: str = ""

        @signal
        def put(self, text: str) -> None:
            self.text = text

    page = bare(Page)
    turns = [turn for _ in range(20) for turn in run(page, sent(Page.put, "x" * 3_000))]
    extras = [page.spec.codec.unpack_record(turn.record).extra or {} for turn in turns if turn.record]
    assert [place for place, extra in enumerate(extras) if facts.DIGEST in extra] == [2, 6, 10, 14, 18]


def test_what_fails_beside_an_open_handler_is_undone_however_long_the_tail() -> None:
    """No base can be taken while something is suspended."""

    @entity
    class Busy:
        n: int = 0

        @update
        async def hold(self) -> int:
            await act(1)
            return self.n

        @signal(interleave=True)
        def inc(self, fail: bool) -> None:
            self.n += 1
            if fail:
                raise ValueError("fail")

    busy = Scenario(Busy)
    held = busy.update(Busy.hold)
    for _ in range(20):
        busy.signal(Busy.inc, False)
    busy.signal(Busy.inc, True)
    busy.answer(act, 1)
    assert (held.value, len(busy.parked)) == (20, 1)


def test_failures_in_a_flock_are_undone_from_a_new_base() -> None:
    """After a failure that had to replay a long tail, the next one has a short one."""
    flaky = bare(Flaky)
    for _ in range(20):
        run(flaky, sent(Flaky.inc, ""))
    assert len(flaky.tail) == 20
    run(flaky, sent(Flaky.bad))
    assert len(flaky.tail) == 1, "the record of the failure"
    assert flaky.state.n == 20


def test_a_tail_that_outgrew_its_base_becomes_a_base() -> None:
    """Undoing never reads more than about twice the state, and a snapshot and the tail are the whole."""
    flaky = bare(Flaky)
    for _ in range(9):
        run(flaky, sent(Flaky.inc, "x" * 1_000))
    assert flaky.base is not None
    assert flaky.tail_bytes < 5_200
    run(flaky, sent(Flaky.bad))
    assert flaky.state.n == 9
    again = bare(Flaky)
    restore(again, snapshot(flaky))
    assert differences(image(flaky), image(again)) == []


def test_nothing_is_the_snapshot_of_nobody() -> None:
    """Empty bytes say that nobody has heard of the actor, whatever it was before."""
    flaky = bare(Flaky)
    run(flaky, sent(Flaky.inc, ""))
    restore(flaky, b"")
    assert differences(image(flaky), image(bare(Flaky))) == []
    run(flaky, sent(Flaky.inc, ""))
    assert (flaky.seq, flaky.state.n) == (1, 1)


def test_a_vacant_actor_may_have_a_base() -> None:
    """What was parked before any life began is kept there, also when there is too much for a tail."""
    flaky = bare(Flaky)
    for number in range(9):
        input_ = sent(Flaky.inc, "x" * 1_000, inside=True)
        run(flaky, input_._replace(name=f"gone_{number}"))
    assert (flaky.phase, len(flaky.parked)) == (0, 9)
    assert flaky.base is not None
    run(flaky, sent(Flaky.bad))
    assert len(flaky.parked) == 10


@entity(limits=Limits(continue_records=2))
class Course:
    """A short run, with a main in it."""

    n: int = 0

    @signal
    def inc(self) -> None:
        self.n += 1

    @main(restartable=True)
    async def course(self) -> None:
        await af.sleep(DAY)


def test_a_short_run_goes_on_in_another() -> None:
    """Runs are counted, and what they hold begins from nothing."""
    course: Scenario[Any] = Scenario(Course)
    for _ in range(6):
        course.signal(Course.inc)
    assert course.state.n == 6
    assert sum(one.what == "continuation" for one in course.history) >= 2
    assert [one.kind for one in course.waiting] == ["sleep"]
    prove(course)
