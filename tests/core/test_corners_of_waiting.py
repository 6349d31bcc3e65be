"""What a handler is told while it waits: conditions that raise, calls it forgot, ends by the world or by us.

Also who waits for whom, for those who look for circles.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import field

import actorflow as af
from actorflow import entity, main, query, signal, update
from actorflow._core import facts
from actorflow._core.outstanding import Waits, asks
from actorflow.testing import Scenario
from tests.core.proof import bare, prove, run, sent
from tests.core.shop import act

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@entity
class Line:
    """A child, or somebody to ask."""

    n: int = 0

    @update
    def ask(self) -> int:
        return self.n


# ---- conditions ------------------------------------------------------------------------------------------


@entity
class Scales:
    """Waits for conditions that are not as they should be."""

    weights: dict[str, int] = field(factory=dict)
    log: list[str] = field(factory=list)

    @signal(interleave=True)
    def weigh(self, what: str, grams: int) -> None:
        self.weights[what] = grams

    @update(interleave=True)
    async def ratio(self) -> int:
        await af.wait_until(lambda: "a" in self.weights and self.weights["b"] // self.weights["a"] > 1)
        return self.weights["b"]

    @update
    async def forgiving(self) -> str:
        try:
            await af.wait_until(lambda: 10 // self.weights.get("a", 10) > 5)
        except ZeroDivisionError:
            self.log.append("caught")
        return "went on"

    @update(interleave=True)
    async def writes(self) -> None:
        await af.wait_until(lambda: "a" in self.weights and self.completes())

    def completes(self) -> bool:
        """Do what nobody may who only reads."""
        af.complete()
        return True

    @query
    def ends(self) -> None:
        af.complete()


def test_a_condition_that_raises_later_raises_where_it_is_waited_for() -> None:
    """The message that made it raise is done and good; the handler that wrote the condition fails."""
    scales = Scenario(Scales)
    failing, forgiving = scales.update(Scales.ratio), scales.update(Scales.forgiving)
    scales.signal(Scales.weigh, "a", 0)
    with pytest.raises(af.HandlerFailed, match="KeyError"):
        _ = failing.value
    assert forgiving.value == "went on"
    assert (scales.state.weights, scales.state.log, scales.parked) == ({"a": 0}, ["caught"], [])
    prove(scales)


def test_what_only_reads_may_not_act() -> None:
    """A condition and a query that complete the life are told so, and the life goes on."""
    scales = Scenario(Scales)
    writes = scales.update(Scales.writes)
    scales.signal(Scales.weigh, "a", 1)
    with pytest.raises(af.HandlerFailed, match="a condition only reads"):
        _ = writes.value
    with pytest.raises(af.NotInHandler, match="a query only reads"):
        scales.query(Scales.ends)
    assert scales.status == "running"
    prove(scales)


# ---- calls that were forgotten ---------------------------------------------------------------------------


@entity
class Forgetful:
    """Calls, and does not await."""

    log: list[str] = field(factory=list)

    @signal
    def plain(self) -> None:
        act(1)
        self.log.append("plain")

    @update
    async def waits_first(self) -> None:
        act(1)
        self.log.append("called")
        await af.wait_until(lambda: "never" in self.log)

    @update
    async def later(self) -> None:
        await act(0)
        act(1)
        try:
            await act(2)
        except af.NotAwaited as error:
            self.log.append(str(error).partition("\n")[0])
            raise

    @update
    async def in_a_branch(self) -> None:
        await act(0)

        async def sets() -> None:
            await af.wait_until(lambda: True)
            self.log.append("branch")

        act(1)
        try:
            await af.gather(sets(), act(2))
        except af.NotAwaited:
            self.log.append("owner")

    @update
    async def fails_first(self) -> None:
        await act(0)
        act(1)
        raise ValueError("the reason")


def test_a_plain_handler_that_awaits_nothing_is_told_what_it_forgot() -> None:
    """A ``def`` cannot await at all: the call it made is named, and its message leaves no trace."""
    forgetful = Scenario(Forgetful)
    forgetful.signal(Forgetful.plain)
    assert "Forgetful.plain called act() and did not await it" in forgetful.parked[0].error
    assert forgetful.status == "vacant"


def test_a_call_that_is_forgotten_shows_when_the_handler_waits() -> None:
    """Not at its end, which may be in years: before the first suspension the message leaves no trace."""
    forgetful = Scenario(Forgetful)
    with pytest.raises(af.HandlerFailed, match=r"called act\(\) and did not await it"):
        _ = forgetful.update(Forgetful.waits_first).value
    assert forgetful.records == []


def test_a_call_that_is_forgotten_later_is_raised_at_the_await() -> None:
    """After a suspension the await under way raises, and what it asked for is withdrawn."""
    forgetful = Scenario(Forgetful)
    reply = forgetful.update(Forgetful.later)
    forgetful.answer(act, 0)
    with pytest.raises(af.HandlerFailed, match=r"called act\(\) and did not await it"):
        _ = reply.value
    assert len(forgetful.state.log) == 1
    assert [type(one).__name__ for one in forgetful.effects] == ["Schedule", "Withdraw", "Ended"]
    assert forgetful.waiting == []
    prove(forgetful)


def test_who_forgot_a_call_is_told_and_not_its_branches() -> None:
    """A branch of a ``gather`` that ends well has ended well; the handler that gathers made the mistake."""
    forgetful = Scenario(Forgetful)
    reply = forgetful.update(Forgetful.in_a_branch)
    forgetful.answer(act, 0)
    assert forgetful.state.log == ["branch"]
    forgetful.confirm_cancelled(act)
    assert (reply.done, forgetful.state.log) == (True, ["branch", "owner"])
    prove(forgetful)


def test_a_handler_that_fails_is_told_its_own_failure() -> None:
    """What it forgot as well is not why it failed."""
    forgetful = Scenario(Forgetful)
    reply = forgetful.update(Forgetful.fails_first)
    forgetful.answer(act, 0)
    with pytest.raises(af.HandlerFailed, match="ValueError: the reason"):
        _ = reply.value
    prove(forgetful)


# ---- who cancelled ---------------------------------------------------------------------------------------


@entity
class Parent:
    """Waits for a child, and notes how that ended."""

    log: list[str] = field(factory=list)

    @update
    async def wait(self) -> str:
        child = af.start_child(Line(), "a")
        try:
            return str(await child.result(int))
        except af.ChildFailed as error:
            self.log.append(f"child: {error.type}")
            return "gone"
        except af.Cancelled:
            self.log.append("we")
            raise

    @update
    async def call_off(self) -> str:
        child = af.start_child(Line(), "b")
        child.cancel()
        child.cancel()
        try:
            await child.result(int)
        except af.ChildFailed as error:
            self.log.append(f"called off: {error.type}")
        child.cancel()
        return "done"


def test_a_child_that_the_world_cancelled_has_failed() -> None:
    """Somebody else cancelled the child: the parent is told a failure like others, and goes on."""
    parent = Scenario(Parent)
    reply = parent.update(Parent.wait)
    parent.confirm_cancelled("a")
    assert (reply.value, parent.state.log, parent.status) == ("gone", ["child: Cancelled"], "running")
    prove(parent)


def test_a_child_whose_parent_is_cancelled_is_not_what_has_failed() -> None:
    """We are cancelled: the wait raises ``Cancelled`` at once; the child is told, and its end awaited."""
    parent = Scenario(Parent)
    reply = parent.update(Parent.wait)
    parent.cancel()
    with pytest.raises(af.HandlerFailed, match="Cancelled"):
        _ = reply.value
    assert (parent.state.log, parent.status) == (["we"], "closing")
    assert [one.how for one in parent.effects if isinstance(one, facts.CloseChild)] == ["cancel"]
    parent.confirm_cancelled("a")
    assert (parent.state.log, parent.status) == (["we"], "cancelled")
    prove(parent)


def test_a_child_is_told_once() -> None:
    """Calling a child off again, or after its end, asks the world for nothing."""
    parent = Scenario(Parent)
    reply = parent.update(Parent.call_off)
    assert [type(one).__name__ for one in parent.effects] == ["StartChild", "CloseChild"]
    parent.confirm_cancelled("b")
    assert (reply.value, parent.state.log) == ("done", ["called off: Cancelled"])
    assert [type(one).__name__ for one in parent.effects] == ["Ended"]
    prove(parent)


# ---- main ------------------------------------------------------------------------------------------------


@entity
class Beside:
    """A main beside messages."""

    log: list[str] = field(factory=list)

    @update
    async def hold(self) -> None:
        await act(1)
        self.log.append("hold")

    @signal
    def inc(self) -> None:
        self.log.append("inc")

    @main
    async def course(self) -> str:
        await af.sleep(DAY)
        self.log.append("main")
        await af.wait_until(lambda: "inc" in self.log)
        af.complete("said")
        return "returned"


def test_a_main_that_wakes_while_the_mailbox_is_held_goes_on_when_it_is_free() -> None:
    """Between handlers, in the turn that frees the mailbox, and before the message that waits."""
    beside = Scenario(Beside)
    beside.start(Beside())
    beside.update(Beside.hold)
    beside.signal(Beside.inc)
    beside.advance(DAY)
    assert beside.state.log == []
    beside.answer(act, 1)
    assert beside.state.log == ["hold", "main", "inc"]
    prove(beside)


def test_what_main_completes_with_is_what_it_said_first() -> None:
    """``complete`` in main decides; what it returns after that does not."""
    beside = Scenario(Beside)
    beside.signal(Beside.inc)
    beside.advance(DAY)
    assert (beside.status, beside.result(str)) == ("completed", "said")
    prove(beside)


# ---- who waits for whom ------------------------------------------------------------------------------------


def test_a_circle_is_found_among_many_that_wait() -> None:
    """Also where ways part and meet again, or run in a circle that the asker is not part of."""
    a, b, c, d = (("E", key) for key in "abcd")
    waits = Waits()
    waits.asked(a, (1, 0), b)
    waits.asked(a, (1, 1), c)
    waits.asked(b, (1, 0), d)
    waits.asked(c, (1, 0), d)
    assert waits.path(("E", "x"), a) is None
    waits.asked(b, (1, 1), a)
    assert waits.path(("E", "x"), a) is None, "a circle of others"
    assert waits.path(d, a) in ((d, a, b, d), (d, a, c, d))


def test_an_answer_ends_one_wait() -> None:
    """What else the asker awaits goes on counting; an answer that nobody awaits changes nothing."""
    a, b, c = (("E", key) for key in "abc")
    waits = Waits()
    waits.asked(a, (1, 0), b)
    waits.asked(a, (1, 1), c)
    waits.answered(a, (1, 0))
    assert (waits.path(b, a), waits.path(c, a)) == (None, (c, a, c))
    waits.answered(a, (1, 1))
    waits.answered(a, (1, 1))
    assert waits.path(c, a) is None


@entity
class Asker:
    """Asks others, while it holds its mailbox and while it does not."""

    @signal
    async def both(self) -> None:
        await af.gather(af.actor(Line, "b").update(Line.ask), act(1))

    @signal(interleave=True)
    async def beside(self) -> None:
        await af.actor(Line, "c").update(Line.ask)


def test_only_who_holds_its_mailbox_is_in_a_circle() -> None:
    """An ask beside the mailbox keeps nobody waiting, nor does an activity."""
    asker = bare(Asker)
    run(asker, sent(Asker.beside))
    assert list(asks(asker)) == []
    run(asker, sent(Asker.both))
    assert list(asks(asker)) == [((2, 0), ("Line", "b"))]
