"""Trace 14 of ``docs/explanation/traces.md``: gather, race, wait_until, nested, and cancelled in each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import field

from actorflow import (
    Cancelled,
    CompensationFailed,
    ForeignAwait,
    HandlerFailed,
    NotAwaited,
    TokenSpent,
    activity,
    callback,
    entity,
    fan_out,
    gather,
    race,
    saga,
    shielded,
    signal,
    sleep,
    update,
    wait_until,
)
from actorflow.testing import Scenario
from tests.core.proof import prove

SECOND = timedelta(seconds=1)


@activity
async def fetch(number: int) -> int:
    """Ask the world."""
    return number


@activity(on_cancel="abandon")
async def look(number: int) -> int:
    """Ask the world, and do not wait when it is no longer wanted."""
    return number


@activity
async def undo_it(number: int) -> None:
    """Take it back."""


@entity
class Leaf:
    """A child."""

    n: int = 0

    @signal
    def grow(self) -> None:
        self.n += 1


@entity
class Waits:
    """A handler for each way of waiting."""

    log: list[str] = field(factory=list)
    ready: bool = False

    @signal(interleave=True)
    def set_ready(self) -> None:
        self.ready = True

    @update
    async def ten(self) -> tuple[int, ...]:
        return await gather(*(fetch(n) for n in range(10)), at_most=2)

    @update
    async def first(self) -> str:
        winner = await race(look(1), look(2), sleep(10 * SECOND))
        return f"{winner.index}: {winner.value}"

    @update
    async def until(self, seconds: int) -> str:
        try:
            await wait_until(lambda: self.ready, timeout=seconds * SECOND if seconds else None)
        except TimeoutError:
            return "late"
        return "ready"

    @update
    async def nested(self) -> str:
        async def branch(name: str, *numbers: int) -> int:
            got = await gather(*(look(n) for n in numbers))
            self.log.append(f"{name} {got}")
            return sum(got)

        winner = await race(
            gather(branch("a", 1, 2), branch("b", 3)),
            wait_until(lambda: self.ready),
            sleep(60 * SECOND),
        )
        return f"{winner.index}: {winner.value}"

    @update
    async def guarded(self) -> str:
        async with saga() as undo:
            undo(undo_it, 1)
            await fetch(1)
            undo(undo_it, 2)
            try:
                await gather(look(2), wait_until(lambda: self.ready), sleep(60 * SECOND))
            except Cancelled:
                self.log.append("cancelled")
                try:
                    await look(3)
                except Cancelled:
                    self.log.append("again")
                async with shielded():
                    self.log.append(f"shielded {await look(4)}")
                raise
        return "done"

    @update
    async def approved(self) -> str:
        asked = callback(bool, timeout=100 * SECOND)
        self.log.append(asked.token)
        for reminder in range(3):
            winner = await race(asked, sleep(10 * SECOND))
            if winner.index == 0:
                return f"{winner.value} after {reminder}"
        return f"{await asked} in the end"

    @update
    async def leaves(self) -> dict[str, int]:
        return await fan_out({"a": Leaf(1), "b": Leaf(2), "c": Leaf(3)}, result=int, at_most=2)

    @update
    async def careless(self) -> int:
        fetch(1)
        return await fetch(2)

    @update
    async def late_careless(self) -> int:
        got = await fetch(1)
        fetch(2)
        return got

    @update
    async def foreign(self) -> None:
        class Alien:
            def __await__(self) -> Any:
                yield "alien"

        await Alien()


def asked(scenario: Scenario[Any]) -> list[int]:
    """The numbers that activities were asked for and have not answered."""
    return [one.arguments[0] for one in scenario.waiting if one.kind == "activity" and not one.withdrawn]


def test_trace_14_gather_never_has_more_under_way_than_its_bound() -> None:
    """Ten effects, two at a time, answered out of order: answers come in the order asked."""
    waits = Scenario(Waits)
    reply = waits.update(Waits.ten)
    most = 0
    while not reply.done:
        open_ = [one for one in waits.waiting if one.kind == "activity"]
        most = max(most, len(open_))
        last = open_[-1]
        waits.answer(last, last.arguments[0] * 10)
    assert reply.value == tuple(range(0, 100, 10))
    assert most == 2
    prove(waits)


def test_trace_14_the_first_failure_cancels_the_others_and_waits_for_them() -> None:
    """Gather raises the first failure once the running attempt of the other has ended."""
    waits = Scenario(Waits)
    reply = waits.update(Waits.ten)
    waits.fail(fetch, ValueError("no"))
    assert not reply.done
    (other,) = [one for one in waits.waiting if one.kind == "activity"]
    assert other.withdrawn
    waits.confirm_cancelled(other)
    with pytest.raises(HandlerFailed, match="ValueError: no"):
        _ = reply.value
    assert waits.waiting == []
    prove(waits)


@pytest.mark.parametrize(("number", "expected"), [(1, "0: 7"), (2, "1: 7"), (0, "2: None")])
def test_trace_14_a_race_is_won_by_the_first(number: int, expected: str) -> None:
    """The first to end decides, and what has lost is withdrawn."""
    waits = Scenario(Waits)
    reply = waits.update(Waits.first)
    if number:
        waits.answer(next(one for one in waits.waiting if one.arguments == (number,)), 7)
    else:
        waits.advance(10 * SECOND)
    assert reply.value == expected
    assert waits.waiting == []
    prove(waits)


def test_trace_14_wait_until_with_and_without_a_time_out() -> None:
    """A condition wakes when it comes true, and a time-out withdraws the wait and not only the timer."""
    waits = Scenario(Waits)
    late = waits.update(Waits.until, 5)
    waits.advance(4 * SECOND)
    assert not late.done
    waits.advance(SECOND)
    assert late.value == "late"
    on_time = waits.update(Waits.until, 5)
    waits.signal(Waits.set_ready)
    assert on_time.value == "ready"
    assert waits.waiting == []
    assert waits.update(Waits.until, 0).value == "ready"
    prove(waits)


def test_trace_14_nested_waits_end_as_one() -> None:
    """A race around gathers around coroutines: the loser's whole tree is cancelled."""
    waits = Scenario(Waits)
    reply = waits.update(Waits.nested)
    assert asked(waits) == [1, 2, 3]
    waits.answer(next(one for one in waits.waiting if one.arguments == (3,)), 30)
    assert waits.state.log == ["b (30,)"]
    waits.signal(Waits.set_ready)
    assert reply.value == "1: None"
    assert waits.waiting == []
    prove(waits)

    other = Scenario(Waits)
    won = other.update(Waits.nested)
    for number in (1, 2, 3):
        other.answer(next(one for one in other.waiting if one.arguments == (number,)), number)
    assert won.value == "0: (3, 3)"
    prove(other)


def test_trace_14_cancellation_is_a_state_until_the_scope_ends() -> None:
    """Every await raises again, what is shielded does not, and the saga undoes in reverse."""
    waits = Scenario(Waits)
    reply = waits.update(Waits.guarded)
    waits.answer(fetch, 1)
    assert asked(waits) == [2]
    waits.cancel()
    assert waits.state.log == ["cancelled", "again"]
    assert asked(waits) == [4]
    waits.restart()
    waits.answer(look, 4)
    assert waits.state.log[-1] == "shielded 4"
    assert asked(waits) == [2]
    waits.answer(undo_it)
    assert asked(waits) == [1]
    assert not reply.done
    waits.answer(undo_it)
    assert waits.status == "cancelled"
    with pytest.raises(HandlerFailed, match="Cancelled"):
        _ = reply.value
    prove(waits)


@pytest.mark.parametrize("handler", ["ten", "first", "nested", "approved", "leaves"])
def test_trace_14_a_cancel_reaches_into_each(handler: str) -> None:
    """Whatever is awaited, a cancelled actor comes to its end."""
    waits: Scenario[Any] = Scenario(Waits)
    waits.update(getattr(Waits, handler))
    waits.cancel()
    for one in waits.waiting:
        if one.kind == "activity":
            waits.confirm_cancelled(one)
        if one.kind == "child":
            waits.confirm_cancelled(one)
    assert (waits.status, waits.waiting) == ("cancelled", [])
    prove(waits)


def test_a_saga_that_cannot_be_undone_whole_says_what_is_left() -> None:
    """A compensation that fails does not stop the others."""
    waits = Scenario(Waits)
    reply = waits.update(Waits.guarded)
    waits.answer(fetch, 1)
    waits.fail(look, ValueError("no"))
    waits.fail(undo_it, RuntimeError("locked"))
    waits.answer(undo_it)
    with pytest.raises(
        HandlerFailed, match=r"undone undo_it\(1\); not undone undo_it\(2\) \(ActivityFailed.*locked"
    ) as failed:
        _ = reply.value
    assert failed.value.type == CompensationFailed.__name__
    prove(waits)


def test_a_callback_may_be_awaited_until_it_comes() -> None:
    """A lost race gives up one wait for a callback, and not the callback."""
    waits = Scenario(Waits)
    reply = waits.update(Waits.approved)
    waits.advance(25 * SECOND)
    token = waits.state.log[0]
    waits.resolve(token, value=True)
    waits.resolve(token, value=True)
    with pytest.raises(TokenSpent, match="there was another answer"):
        waits.resolve(token, value=False)
    assert reply.value == "True after 2"
    prove(waits)

    late = Scenario(Waits)
    unanswered = late.update(Waits.approved)
    late.advance(100 * SECOND)
    with pytest.raises(HandlerFailed, match="TimeoutError"):
        _ = unanswered.value


def test_a_fan_out_is_bounded_and_tells_the_others() -> None:
    """Children start as others end; the first failure tells those alive to cancel."""
    waits = Scenario(Waits)
    reply = waits.update(Waits.leaves)
    children = [one.name for one in waits.waiting]
    assert children == ["Leaf 'a'", "Leaf 'b'"]
    waits.answer("b", 20)
    waits.answer("c", 30)
    waits.answer("a", 10)
    assert reply.value == {"a": 10, "b": 20, "c": 30}
    prove(waits)

    other = Scenario(Waits)
    failing = other.update(Waits.leaves)
    other.fail("a", ValueError("no"))
    assert [effect for effect in other.effects if type(effect).__name__ == "CloseChild"]
    with pytest.raises(HandlerFailed, match="ChildFailed"):
        _ = failing.value


def test_a_call_that_nobody_awaits_is_an_error() -> None:
    """Before a first suspension it leaves no trace; after one, the handler fails."""
    waits = Scenario(Waits)
    careless = waits.update(Waits.careless)
    with pytest.raises(
        HandlerFailed, match=r"Waits\.careless called fetch\(\) and did not await it"
    ) as failed:
        _ = careless.value
    assert failed.value.type == NotAwaited.__name__
    assert waits.records == []
    late = waits.update(Waits.late_careless)
    waits.answer(fetch, 1)
    with pytest.raises(HandlerFailed, match="did not await it"):
        _ = late.value
    prove(waits)


def test_a_foreign_awaitable_is_refused_by_name() -> None:
    """What is not actorflow's stops the actor and not the message, and nothing of the turn has happened."""
    waits = Scenario(Waits)
    with pytest.raises(ForeignAwait, match=r"Waits\.foreign awaited builtins\.str"):
        waits.update(Waits.foreign)
    assert (waits.records, waits.status) == ([], "vacant")
