"""On which terms a life begins: main that begins later, and a bound on how long the life may last."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import field

from actorflow import Limits, UsageError, complete, entity, main, saga, signal, sleep, start_child, update
from actorflow._core import facts
from actorflow.errors import Cancelled, ChildFailed, DefinitionError
from actorflow.testing import Scenario
from tests.core.proof import prove
from tests.core.shop import charge, release

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@entity(limits=Limits(continue_records=4))
class Watch:
    """It sleeps, and says when it woke."""

    log: list[str] = field(factory=list)
    cleans_up: bool = False

    @main
    async def course(self) -> str:
        self.log.append("began")
        try:
            await sleep(10 * DAY)
        except Cancelled:
            if self.cleans_up:
                return "cleaned up"
            raise
        return "slept"

    @signal
    def write(self, text: str) -> None:
        self.log.append(text)


@entity
class Plain:
    """Without a course of its own."""

    @signal
    def touch(self) -> None: ...

    @update
    async def buy(self) -> str:
        async with saga() as undo:
            undo(release, "r")
            return await charge("p", 1)

    @signal
    def end(self) -> None:
        complete(1)


# ---- delay -------------------------------------------------------------------------------------------


def test_main_begins_after_the_delay_and_messages_are_taken_at_once() -> None:
    """The life begins now, what it does of itself begins later; nothing that happens meanwhile hurries it."""
    watch = Scenario(Watch)
    watch.start(Watch(), delay=DAY)
    for n in range(10):
        watch.signal(Watch.write, str(n))  # several runs of it
    watch.restart()
    watch.advance(DAY - timedelta(microseconds=1))
    assert "began" not in watch.state.log
    assert [one.name for one in watch.waiting] == ["(begin)"]
    watch.advance(timedelta(microseconds=1))
    assert watch.state.log[-1] == "began"
    watch.advance(10 * DAY)
    assert watch.result(str) == "slept"
    prove(watch)


def test_a_delay_of_nothing_is_one_all_the_same() -> None:
    """Main begins when somebody looks."""
    watch = Scenario(Watch)
    watch.start(Watch(), delay=timedelta(0))
    watch.advance(timedelta(0))
    assert watch.state.log == ["began"]
    prove(watch)


def test_who_has_no_main_cannot_begin_later() -> None:
    """Nothing would happen later; the error says what to do instead."""
    with pytest.raises(UsageError, match="Plain has no main that could begin later") as raised:
        Scenario(Plain).start(Plain(), delay=HOUR)
    assert "hint: " in str(raised.value)


@entity(name="Late")
class Late:
    """Its main can be kept from beginning."""

    began: int = 0

    @main
    async def course(self) -> str:
        self.began += 1
        await sleep(HOUR)
        return "done"

    @signal
    def touch(self) -> None: ...


@entity(name="Late")
class Never:
    """By now it has no main."""

    began: int = 0

    @signal
    def touch(self) -> None: ...


def test_a_life_whose_main_is_gone_when_it_should_begin_goes_on() -> None:
    """Between a start and its delay lies time enough to change the code."""
    late = Scenario(Late)
    late.start(Late(), delay=DAY)
    never = Scenario.of_records(Never, late.key, late.records)
    never.advance(DAY)
    never.signal(Never.touch)
    assert (never.status, never.waiting) == ("running", [])
    prove(never)


# ---- time-out ----------------------------------------------------------------------------------------


def test_a_life_that_has_lasted_too_long_is_ended() -> None:
    """As by a cancel, with a status of its own, whatever has happened meanwhile, over runs and restarts."""
    watch = Scenario(Watch)
    watch.start(Watch(), timeout=DAY)
    for n in range(10):
        watch.signal(Watch.write, str(n))
    watch.snapshot()
    watch.restart()
    watch.advance(DAY - timedelta(microseconds=1))
    assert watch.status == "running"
    watch.advance(timedelta(microseconds=1))
    assert watch.status == "timed out"
    prove(watch)


def test_who_cleans_up_in_time_ends_as_it_says() -> None:
    """A main that hears of it and returns has a result."""
    watch = Scenario(Watch)
    watch.start(Watch(cleans_up=True), timeout=DAY)
    watch.advance(DAY)
    assert (watch.status, watch.result(str)) == ("completed", "cleaned up")
    prove(watch)


def test_what_is_under_way_is_compensated() -> None:
    """A time-out is no kill: handlers hear of it, and sagas undo; the life ends when they have."""
    plain = Scenario(Plain)
    plain.start(Plain(), timeout=HOUR)
    bought = plain.update(Plain.buy)
    plain.advance(HOUR)
    assert plain.status == "closing"
    plain.confirm_cancelled(charge)
    plain.answer(release)
    assert plain.status == "timed out"
    assert bought.done
    prove(plain)


def test_who_ends_in_time_is_not_disturbed() -> None:
    """The bound is of this life; a later one has its own, or none."""
    plain = Scenario(Plain)
    plain.start(Plain(), timeout=HOUR)
    plain.signal(Plain.end)
    assert (plain.status, plain.waiting) == ("completed", [])
    plain.start(Plain(), if_completed="new")
    plain.advance(DAY)
    assert plain.status == "running"
    prove(plain)


def test_a_message_cannot_forge_a_timer_of_the_life() -> None:
    """A fire that nobody armed is nothing, and no handler can have such a name."""
    plain = Scenario(Plain)
    plain.signal(Plain.touch)
    assert plain._step(facts.Input(facts.FIRE, facts.TIME_OUT, b"", ref=(1, 0))).record is None
    with pytest.raises(DefinitionError, match="begins with a parenthesis"):

        @entity
        class Forged:  # pyright: ignore[reportUnusedClass]
            @signal(name="(time-out)")
            def over(self) -> None: ...


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ({"timeout": -HOUR}, "timeout="),
        ({"timeout": 5}, "timedelta"),
        ({"if_running": "maybe"}, "one of fail, use"),
        ({"if_completed": "maybe"}, "one of new, fail"),
        ({"at_once": True}, "it takes if_running="),
    ],
)
def test_terms_that_make_no_sense_are_refused(said: dict[str, object], hint: str) -> None:
    """At the caller's line, with what was allowed."""
    watch = Scenario(Watch)
    with pytest.raises(UsageError, match=hint):
        watch.start(Watch(), **said)  # type: ignore[arg-type]
    assert watch.status == "vacant"


# ---- children ----------------------------------------------------------------------------------------


@entity
class Parent:
    """It gives its child terms."""

    @update
    async def bear(self, hours: int) -> str:
        child = start_child(Watch(), "w", delay=HOUR, timeout=hours * HOUR, if_completed="fail")
        try:
            return await child.result(str)
        except ChildFailed as failed:
            return f"{failed.type}: {failed.message}"


def test_a_child_is_given_terms() -> None:
    """They travel with the start; how it ended comes back."""
    parent = Scenario(Parent)
    reply = parent.update(Parent.bear, 3)
    (started,) = [one for one in parent.effects if isinstance(one, facts.StartChild)]
    assert facts.Terms(*started.terms or ()) == facts.Terms("fail", "fail", 3_600_000_000, 3 * 3_600_000_000)  # type: ignore[arg-type]
    parent.time_out("w")
    assert reply.value == "TimeoutError: it has lasted as long as it may"
    prove(parent)


@entity
class Mother:
    """It says nothing of terms."""

    @update
    async def bear(self) -> str:
        return await start_child(Watch(), "w").result(str)


def test_a_child_started_before_there_were_terms_is_started_as_it_was() -> None:
    """Records that say nothing of terms are replayed all the same: the same is asked for."""
    mother = Scenario(Mother)
    mother.update(Mother.bear)
    record = mother.codec.unpack_record(mother.records[0])
    before = [tuple(one)[:5] if one[0] == facts.START_CHILD else one for one in record.effects]
    assert before != record.effects
    old = mother.codec.pack_record((*record[:4], before, record.extra))
    prove(Scenario.of_records(Mother, mother.key, [old]))
