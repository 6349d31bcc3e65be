"""What is nobody's message: faults and interrupts after a suspension; and answers of the wrong kind."""

from __future__ import annotations

from typing import Any

import pytest

import actorflow as af
from actorflow import Limits, callback, entity, signal, update
from actorflow._core import facts
from actorflow._core.facts import Input
from actorflow._core.step import step
from actorflow.testing import Scenario
from tests.core.proof import bare, prove, run, sent
from tests.core.shop import act


@entity
class Broken:
    """Runs into what is nobody's message."""

    n: int = 0

    @signal
    async def faulty(self) -> None:
        self.n += 1
        await act(1)
        self.n += 1
        raise af.DecodeError("somewhere", "a library found damage")

    @signal
    async def stopped(self) -> None:
        self.n += 1
        raise KeyboardInterrupt

    @signal
    async def stopped_later(self) -> None:
        self.n += 1
        await act(1)
        self.n += 1
        raise KeyboardInterrupt

    @signal
    async def foreign(self) -> None:
        self.n += 1
        await act(1)
        self.n += 1
        try:
            await Foreign()
        finally:
            await act(2)


class Foreign:
    """What belongs to another event loop."""

    def __await__(self) -> Any:
        yield "not ours"


ANSWER = Input(facts.RESOLVE, facts.OK, b"\x01", ref=(1, 0))


@pytest.mark.parametrize(
    ("handler", "fault"),
    [
        (Broken.faulty, af.DecodeError),
        (Broken.foreign, af.ForeignAwait),
        (Broken.stopped_later, KeyboardInterrupt),
    ],
)
def test_a_fault_after_a_suspension_is_raised_to_the_host_and_undone(
    handler: Any, fault: type[BaseException]
) -> None:
    """It is no outcome of the handler: the turn has not happened, and the answer can be given again."""
    broken = bare(Broken)
    run(broken, sent(handler))
    for _ in range(2):
        with pytest.raises(fault):
            step(broken, ANSWER, 0)
        assert (broken.state.n, broken.seq, list(broken.pending)) == (1, 1, [(1, 0)])


def test_an_interrupt_in_a_handler_stops_the_program_and_not_the_message() -> None:
    """It is raised to the host; the message that happened to run has not been taken, and is not parked."""
    broken = bare(Broken)
    with pytest.raises(KeyboardInterrupt):
        step(broken, sent(Broken.stopped), 0)
    assert (broken.phase, broken.seq, broken.parked) == (0, 0, {})


# ---- answers of the wrong kind ---------------------------------------------------------------------------


@entity
class Untyped:
    """Answers what it has not declared."""

    @signal
    def tells(self) -> None:
        return "something"  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # the mistake

    @update
    async def wrong(self) -> int:
        await act(1)
        return "text"  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # the mistake


def test_a_handler_that_is_declared_to_give_nothing_gives_nothing() -> None:
    """What it returns would be lost: its message is parked, and says so."""
    untyped = Scenario(Untyped)
    untyped.signal(Untyped.tells)
    assert "a handler that is declared -> None gave 'something'" in untyped.parked[0].error


def test_an_answer_that_does_not_fit_is_the_handlers_failure() -> None:
    """Also of a handler that has suspended: its caller is told, and not handed what it cannot read."""
    untyped = Scenario(Untyped)
    reply = untyped.update(Untyped.wrong)
    untyped.answer(act, 1)
    with pytest.raises(af.HandlerFailed, match="WrongArgument"):
        _ = reply.value
    prove(untyped)


# ---- how a handler ends that had suspended -----------------------------------------------------------------


@entity(limits=Limits(payload_bytes=100))
class Later:
    """Everything after a suspension."""

    n: int = 0

    @update
    async def tell(self, size: int) -> str:
        await act(1)
        if not size:
            raise ValueError("nothing")
        return "x" * size

    @signal
    async def forget(self) -> None:
        callback(int, timeout=None)
        await act(1)

    @signal
    async def cancelled(self) -> None:
        await act(1)
        raise af.Cancelled("by itself")

    @signal
    def parked(self) -> None:
        raise ValueError("at once")

    @signal
    def inc(self) -> None:
        self.n += 1


def test_an_answer_that_is_too_large_is_the_handlers_failure() -> None:
    """After a suspension as before it."""
    later = Scenario(Later)
    fits, exceeds = later.update(Later.tell, 90), later.update(Later.tell, 110)
    later.answer(act, 1)
    later.answer(act, 1)
    assert fits.value == "x" * 90
    with pytest.raises(af.LimitExceeded, match="payload_bytes=100"):
        _ = exceeds.value
    prove(later)


def test_what_a_handler_no_longer_awaits_is_withdrawn_with_its_end() -> None:
    """No effect outlives who asked for it: an answer from outside would come to nobody."""
    later = bare(Later)
    run(later, sent(Later.forget))
    (turn,) = run(later, Input(facts.RESOLVE, facts.OK, b"\x01", ref=(1, 1)))
    assert [one[:3] for one in turn.effects] == [(facts.WITHDRAW, 1, 0), (facts.ENDED, 1, facts.OK)]
    assert later.pending == {}


def test_the_last_failure_is_kept_and_a_cancelling_is_none() -> None:
    """Who looks at an actor sees which handler failed last, and with what."""
    later = bare(Later)
    assert later.last_failure is None
    run(later, sent(Later.tell, 0))
    run(later, ANSWER)
    assert later.last_failure is not None
    assert later.last_failure[:2] == (1, "tell")
    assert later.spec.codec.unpack(later.last_failure[2])[1] == "ValueError"
    seq = later.seq + 1
    run(later, sent(Later.cancelled))
    run(later, ANSWER._replace(ref=(seq, 0)))
    assert (later.open, later.last_failure[0]) == ({}, 1)
    run(later, sent(Later.parked))
    assert (later.last_failure[:2], list(later.parked)) == ((later.seq, "parked"), [later.seq])


def test_an_answer_is_remembered_from_when_it_was_given() -> None:
    """What comes after it, once or for years, does not make its window longer."""
    later = bare(Later)
    run(later, sent(Later.tell, 1, id_="i"))
    run(later, ANSWER, 5)
    for now in (9, 10):
        run(later, sent(Later.inc, id_=f"at {now}"), now)
        assert later.ids.entries()["i"].at == 5
