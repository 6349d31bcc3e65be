"""What replay says when records and code do not agree, and what stays in force where they need not."""

# Long because every kind of difference has a story of its own.

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import field

import actorflow as af
from actorflow import Limits, entity, main, signal, timer, update
from actorflow._authoring.entity import CODEC
from actorflow._core import facts
from actorflow._core.facts import Input, Record
from actorflow._core.image import differences, image
from actorflow._core.replay import replay
from actorflow._core.step import Turn
from actorflow.testing import Scenario
from tests.core.proof import bare, prove, run, sent
from tests.core.shop import act, other

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
EMPTY = b"\x90"
"""No arguments."""


@entity
class Plain:
    """Counts, and can be made to wait."""

    n: int = 0

    @signal
    def inc(self) -> None:
        self.n += 1

    @signal
    async def hold(self) -> None:
        await act(1)


def records(*turns: Turn) -> list[bytes]:
    """The journal that these turns make."""
    return [turn.record for turn in turns if turn.record is not None]


def written(seq: int, outcome: int, input_: Input | None, *effects: facts.Effect, **extra: Any) -> bytes:
    """A record as somebody might have written it."""
    return CODEC.pack_record(tuple(Record(seq, 0, outcome, input_, list(effects), extra or None)))


def altered(record: bytes, **changes: Any) -> bytes:
    """The record, but for these fields."""
    return CODEC.pack_record(tuple(CODEC.unpack_record(record)._replace(**changes)))


# ---- records that cannot follow on each other ----------------------------------------------------------


def test_a_missing_record_is_noticed() -> None:
    """A journal with a hole is damaged: nothing is replayed across it."""
    actor = bare(Plain)
    first, second, third = records(*(run(actor, sent(Plain.inc))[0] for _ in range(3)))
    with pytest.raises(af.DecodeError, match="message 3 follows on 1"):
        replay(bare(Plain), [first, third])
    whole = bare(Plain)
    replay(whole, [first, second, third])
    assert whole.state.n == 3


def test_a_turn_of_a_message_that_does_not_wait_is_a_divergence() -> None:
    """The order of the mailbox is what was recorded; a turn of nobody, or out of order, is named."""
    actor = bare(Plain)
    held = records(*run(actor, sent(Plain.hold)))
    with pytest.raises(af.Divergence, match="the message whose turn it is") as nobody:
        replay(bare(Plain), [*held, written(2, facts.DONE, None)])
    assert (nobody.value.recorded, nobody.value.produced) == (2, "nothing")
    waiting = records(*run(actor, sent(Plain.inc)), *run(actor, sent(Plain.inc)))
    with pytest.raises(af.Divergence, match="the message whose turn it is") as early:
        replay(bare(Plain), [*held, *waiting, written(3, facts.DONE, None)])
    assert (early.value.recorded, early.value.produced) == (3, 2)


def test_a_resolution_that_nobody_awaits_is_a_divergence() -> None:
    """An answer was recorded because somebody waited for it; if nobody does, the code is another."""
    held = records(*run(bare(Plain), sent(Plain.hold)))
    with pytest.raises(af.Divergence, match=r"recorded: effect \(1, 7\)"):
        replay(
            bare(Plain), [*held, written(2, facts.DONE, Input(facts.RESOLVE, facts.OK, b"\x01", ref=(1, 7)))]
        )


def test_a_continuation_while_a_handler_is_open_is_a_divergence() -> None:
    """A run closed because nothing was open; under code where something is, that something is named."""
    held = records(*run(bare(Plain), sent(Plain.hold)))
    with pytest.raises(af.Divergence, match="what is open") as open_:
        replay(bare(Plain), [*held, written(2, facts.DONE, Input(facts.CONTINUE))])
    assert open_.value.produced == Plain.hold.where


def test_a_first_state_that_cannot_be_read_is_damage() -> None:
    """What cannot be decoded is told as that, and not as a difference between codes."""
    with pytest.raises(af.DecodeError):
        replay(bare(Plain), [written(1, facts.DONE, Input(facts.START, "", b"\xc1"))])


# ---- handlers that do something else -------------------------------------------------------------------


def asking(how: str = "") -> type[Any]:
    """One entity, whose handlers do what ``how`` says."""

    @entity(name="Asking")
    class Asking:
        n: int = 0

        @signal
        async def go(self) -> None:
            if how == "raises":
                raise ValueError("mended badly")
            if how == "ends":
                return
            await act(1)
            if how == "sends":
                af.actor(Plain, "p").signal(Plain.inc)
            elif how == "more":
                self.later().arm(after=DAY)
                await other(2)
            else:
                self.later().arm(after=DAY)

        @signal
        def quick(self) -> None:
            if how == "interrupted":
                raise KeyboardInterrupt
            self.n += 1

        @timer
        def later(self) -> None:
            self.n += 1

    return Asking


def recorded() -> Scenario[Any]:
    """The plain code, up to the end of its handler."""
    old = asking()
    scenario: Scenario[Any] = Scenario(old)
    scenario.signal(old.go)
    scenario.answer(act, 1)
    return scenario


def test_a_handler_that_now_raises_is_a_divergence() -> None:
    """It is told with what it raised, which is its cause too."""
    with pytest.raises(af.Divergence, match="it raised ValueError: mended badly") as raised:
        recorded().restart(asking("raises"))
    assert (raised.value.handler, raised.value.recorded) == ("go", "open")
    assert isinstance(raised.value.__cause__, ValueError)


def test_a_handler_that_now_ends_at_once_is_a_divergence() -> None:
    """Recorded as suspended, produced as done."""
    with pytest.raises(af.Divergence, match="the outcome") as ended:
        recorded().restart(asking("ends"))
    assert (ended.value.recorded, ended.value.produced) == ("open", "done")


def test_an_effect_of_another_kind_is_a_divergence() -> None:
    """Instead of arming a timer it sends a signal: both are shown."""
    with pytest.raises(af.Divergence, match="effect 0") as differs:
        recorded().restart(asking("sends"))
    assert differs.value.handler == "a resolution", "nobody is open behind it"
    assert str(differs.value.recorded).startswith("Arm(name='later'")
    assert str(differs.value.produced).startswith("Send(entity='Plain'")


def test_an_effect_is_named_by_its_place() -> None:
    """What agrees before it is passed over."""
    with pytest.raises(af.Divergence, match="effect 1") as differs:
        recorded().restart(asking("more"))
    assert differs.value.handler.endswith("Asking.go"), "who is open behind it"
    assert str(differs.value.recorded).startswith("Ended(seq=1")
    assert str(differs.value.produced).startswith("Schedule(name='other'")


def test_an_effect_that_is_not_asked_for_any_more_is_a_divergence() -> None:
    """So is one that was not asked for then."""
    (turn,) = run(bare(Plain), sent(Plain.inc))
    (record,) = records(turn)
    asked = facts.Sleep(facts.SLEEP, 5 * 24 * 3_600 * 1_000_000)
    with pytest.raises(af.Divergence, match="produced: nothing") as gone:
        replay(bare(Plain), [altered(record, effects=[asked])])
    assert gone.value.recorded == "Sleep(due=1970-01-06 00:00:00)"
    (held,) = records(*run(bare(Plain), sent(Plain.hold)))
    with pytest.raises(af.Divergence, match="recorded: nothing"):
        replay(bare(Plain), [altered(held, effects=[])])


def test_under_the_same_code_an_argument_counts() -> None:
    """The code that wrote a record asks for exactly what is recorded, or it is not deterministic."""
    (held,) = records(*run(bare(Plain), sent(Plain.hold)))
    another = facts.Schedule(facts.SCHEDULE, "act", b"\x91\x02", None)
    with pytest.raises(af.Divergence, match=r"recorded: Schedule\(name='act', body=\(2,\)"):
        replay(bare(Plain), [altered(held, effects=[another])])


def test_under_other_code_the_recorded_argument_is_in_force() -> None:
    """The same activity with another argument is the same effect: what the world was asked for stands."""
    (held,) = records(*run(bare(Plain), sent(Plain.hold)))
    another = facts.Schedule(facts.SCHEDULE, "act", b"\x91\x02", None)
    extra = {**(CODEC.unpack_record(held).extra or {}), facts.CODE: b"code of yesterday"}
    actor = bare(Plain)
    replay(actor, [altered(held, effects=[another], extra=extra)])
    assert actor.pending[1, 0].effect == another


def test_under_other_code_a_digest_is_not_compared() -> None:
    """A mended bug gives another state; only under the code that wrote it is a digest a promise."""
    actor = bare(Plain, strict=True)
    (record,) = records(*run(actor, sent(Plain.inc)))
    extra = CODEC.unpack_record(record).extra or {}
    other_digest = {**extra, facts.DIGEST: b"another"}
    with pytest.raises(af.Divergence, match="the state"):
        replay(bare(Plain), [altered(record, extra=other_digest)])
    mended = bare(Plain)
    replay(mended, [altered(record, extra={**other_digest, facts.CODE: b"code of yesterday"})])
    assert mended.state.n == 1


def test_an_interrupt_is_nobodys_divergence() -> None:
    """Whoever stops the program while it replays is obeyed, and is not told that the code has changed."""
    old = asking()
    scenario: Scenario[Any] = Scenario(old)
    scenario.signal(old.quick)
    with pytest.raises(KeyboardInterrupt):
        scenario.restart(asking("interrupted"))


# ---- what is in force is what was recorded -------------------------------------------------------------


def timed(days: int) -> type[Any]:
    """Two timers, of which the later one is moved by a change of code."""

    @entity(name="Timed")
    class Timed:
        rang: list[int] = field(factory=list)

        @signal
        def go(self) -> None:
            self.ring(1).arm(after=5 * DAY)
            self.ring(2).arm(after=days * DAY)

        @timer
        def ring(self, number: int) -> None:
            self.rang.append(number)

    return Timed


def test_a_timer_stays_due_when_it_was_due() -> None:
    """Code that would arm it for another day arms it so from now on; what is armed is armed."""
    old, new = timed(1), timed(9)
    scenario: Scenario[Any] = Scenario(old)
    scenario.signal(old.go)
    dues = [one.due for one in scenario.waiting]
    scenario.restart(new)
    assert [one.due for one in scenario.waiting] == dues
    scenario.advance(2 * DAY)
    assert scenario.state.rang == [2]
    prove(scenario)


def test_how_who_and_to_whom_an_end_is_told_counts_under_any_code() -> None:
    """Only the text of a failure, and under other code an answer, may be another one."""
    cls = answering(1)
    asked = sent(cls.ask, inside=True)
    (record,) = records(*run(bare(cls), asked))
    (ended,) = CODEC.unpack_record(record).effects
    assert isinstance(ended, facts.Ended)
    extra = CODEC.unpack_record(record).extra or {}
    for code in (extra[facts.CODE], b"code of yesterday"):
        under = {**extra, facts.CODE: code}
        for other_end in (
            ended._replace(seq=7),
            ended._replace(outcome=facts.FAILED),
            ended._replace(sender=("Q", "other", 1, 0)),
            ended._replace(sender=None),
        ):
            with pytest.raises(af.Divergence, match="recorded: Ended"):
                replay(bare(cls), [altered(record, effects=[other_end], extra=under)])
    answer = ended._replace(body=b"\x07")
    with pytest.raises(af.Divergence, match="recorded: Ended"):
        replay(bare(cls), [altered(record, effects=[answer])])
    under = {**extra, facts.CODE: b"code of yesterday"}
    replay(bare(cls), [altered(record, effects=[answer], extra=under)])


def answering(answer: int) -> type[Any]:
    """An update, before and after a change of its answer."""

    @entity(name="Answering")
    class Answering:
        @update
        def ask(self) -> int:
            return answer

    return Answering


def test_under_other_code_a_timer_is_known_by_its_name_and_arguments() -> None:
    """One that nobody knows any more, too; when it is due is as it was recorded."""
    cls = timed(1)
    (record,) = records(*run(bare(cls), sent(cls.go)))
    extra = {**(CODEC.unpack_record(record).extra or {}), facts.CODE: b"code of yesterday"}
    first, second = CODEC.unpack_record(record).effects
    assert isinstance(first, facts.Arm)
    for another in (first._replace(name="gone"), first._replace(body=b"\x91\x07")):
        with pytest.raises(af.Divergence, match="effect 0"):
            replay(bare(cls), [altered(record, effects=[another, second], extra=extra)])
    later = first._replace(due=first.due + 1)
    actor = bare(cls)
    replay(actor, [altered(record, effects=[later, second], extra=extra)])
    assert actor.timers["ring", first.body].due == later.due


def test_an_answer_that_was_given_stays_given() -> None:
    """Whoever repeats an id after the code has changed is told what was told the first time."""
    old, new = answering(1), answering(2)
    scenario: Scenario[Any] = Scenario(old)
    assert scenario.once("x").update(old.ask).value == 1
    scenario.restart(new)
    assert scenario.once("x").update(new.ask).value == 1
    assert scenario.once("y").update(new.ask).value == 2


@entity
class Vague:
    """Fails with a text that is never the same, once in an update and once for good."""

    @update
    async def ask(self) -> int:
        await act(1)
        raise ValueError(f"bad {object()!r}")

    @main
    async def course(self) -> None:
        await other(2)
        raise ValueError(f"bad {object()!r}")


def test_how_a_life_failed_is_told_as_it_was_recorded() -> None:
    """The text of the error that ended it may differ on replay; its parent and its callers hear one."""
    actor, again = bare(Vague), bare(Vague)
    turns = run(actor, sent(Vague.ask, id_="i"))
    turns += run(actor, Input(facts.RESOLVE, facts.OK, b"\x01", ref=(1, 0)))
    turns += run(actor, Input(facts.RESOLVE, facts.OK, b"\x01", ref=(actor.seq, 0)))
    assert actor.status == "failed"
    replay(again, records(*turns))
    assert differences(image(actor), image(again)) == []
    assert again.result == actor.result


def test_a_life_that_ended_otherwise_is_a_divergence() -> None:
    """That a life has failed is no matter of its text."""
    actor = bare(Vague)
    turns = run(actor, sent(Vague.ask))
    turns += run(actor, Input(facts.RESOLVE, facts.OK, b"\x01", ref=(1, 0)))
    turns += run(actor, Input(facts.RESOLVE, facts.OK, b"\x01", ref=(actor.seq, 0)))
    *before, last = records(*turns)
    effects = CODEC.unpack_record(last).effects
    effects[-1] = facts.Closed(facts.CLOSED, facts.FAILED, b"", ("Parent", "p", 1, 0))
    with pytest.raises(af.Divergence, match=r"recorded: Closed\(status='failed'"):
        replay(bare(Vague), [*before, altered(last, effects=effects)])


def patient(limits: Limits) -> type[Any]:
    """A parent, under limits."""

    @entity(name="Patient", limits=limits)
    class Patient:
        @signal
        def go(self) -> None:
            af.start_child(Plain(), "a")

    return Patient


def test_the_alarm_of_a_closing_life_stays_when_it_was() -> None:
    """Another ``close_timeout`` holds for the lives that begin to close under it."""
    old = patient(Limits(close_timeout=10 * SECOND))
    scenario: Scenario[Any] = Scenario(old)
    scenario.signal(old.go)
    scenario.cancel()
    (due,) = [one.due for one in scenario.waiting if one.kind == "alarm"]
    scenario.restart(patient(Limits(close_timeout=DAY)))
    assert [one.due for one in scenario.waiting if one.kind == "alarm"] == [due]
    scenario.advance(10 * SECOND)
    assert [one.how for one in scenario.effects if isinstance(one, facts.CloseChild)] == ["terminate"]


# ---- handlers that exclude each other only today --------------------------------------------------------


def doors(*, interleave: bool) -> type[Any]:
    """Two slow handlers, of which one may come between or may not."""

    @entity(name="Doors")
    class Doors:
        log: list[str] = field(factory=list)

        @signal
        async def slow(self) -> None:
            await act(1)
            self.log.append("slow")

        @signal(interleave=interleave)
        async def between(self) -> None:
            await other(1)
            self.log.append("between")

        @signal
        async def until(self) -> None:
            await af.wait_until(lambda: bool(self.log))
            self.log.append("until")

        @signal
        def quick(self) -> None:
            self.log.append("quick")

    return Doors


def test_the_mailbox_is_held_until_the_last_that_excludes_others_has_ended() -> None:
    """Two that began side by side, and exclude each other under new code, both keep what waits waiting."""
    old, new = doors(interleave=True), doors(interleave=False)
    scenario: Scenario[Any] = Scenario(old)
    scenario.signal(old.slow)
    scenario.signal(old.between)
    scenario.restart(new)
    scenario.answer(other, 1)
    scenario.signal(new.quick)
    assert (scenario.open, scenario.mailbox) == (["slow"], ["quick"])
    scenario.answer(act, 1)
    assert scenario.state.log == ["between", "slow", "quick"]
    prove(scenario)


def test_who_waits_beside_another_open_handler_is_not_stuck() -> None:
    """A condition may still come true by what runs beside the one that holds the mailbox."""
    old, new = doors(interleave=True), doors(interleave=False)
    scenario: Scenario[Any] = Scenario(old)
    scenario.signal(old.between)
    scenario.signal(old.until)
    scenario.restart(new)
    scenario.signal(new.quick)
    assert scenario.mailbox == ["quick"]
    scenario.answer(other, 1)
    assert scenario.state.log == ["between", "until", "quick"]
