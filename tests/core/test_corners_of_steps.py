"""What a step does at its very edges: one moment, one place, one message more or less."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from attrs import field

from actorflow import LimitExceeded, Limits, entity, query, signal, update
from actorflow._core import facts
from actorflow._core.ambient import ambient
from actorflow._core.facts import Input
from actorflow._core.step import advance, ask, step
from actorflow.testing import Scenario
from tests.core.proof import bare, prove, run, sent
from tests.core.shop import act

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
EMPTY = b"\x90"
"""No arguments."""
DONE = Input(facts.RESOLVE, facts.OK, b"\x01", ref=(1, 0))
"""The answer to what the first turn asked for."""


@entity(limits=Limits(parked_messages=2))
class Desk:
    """A slow handler, quick ones behind it and beside it, and one that fails."""

    mended: bool = False
    log: list[str] = field(factory=list)

    @update
    async def hold(self) -> int:
        return await act(1)

    @signal
    def inc(self) -> None:
        self.log.append("inc")

    @signal
    def bad(self) -> None:
        if not self.mended:
            raise ValueError("bad")
        self.log.append("good")

    @signal(interleave=True)
    async def beside(self) -> None:
        await act(2)

    @signal(interleave=True)
    def mend(self) -> None:
        self.mended = True


# ---- when ----------------------------------------------------------------------------------------------


def test_what_an_actor_does_of_itself_it_does_at_the_time_it_is_told() -> None:
    """Or at that of its last turn, if the clock has gone back meanwhile."""
    for told, then in ((9, 9), (3, 5)):
        desk = bare(Desk)
        step(desk, sent(Desk.hold), 1)
        step(desk, sent(Desk.inc), 2)
        step(desk, DONE, 5)
        assert advance(desk, told) is not None
        assert (desk.now, desk.state.log) == (then, ["inc"])


def test_a_message_that_waits_brings_its_time_with_it() -> None:
    """An actor that has taken something at seven does nothing at three."""
    desk = bare(Desk)
    step(desk, sent(Desk.hold), 1)
    step(desk, sent(Desk.inc), 7)
    assert desk.now == 7
    step(desk, DONE, 3)
    assert desk.now == 7


# ---- who goes first ------------------------------------------------------------------------------------


def test_only_what_stopped_the_mailbox_goes_on_while_it_is_stopped() -> None:
    """The retry of something else waits, as messages do."""
    desk = Scenario(Desk)
    desk.signal(Desk.bad)
    desk.signal(Desk.bad)
    desk.signal(Desk.bad)
    desk.signal(Desk.mend)
    desk.retry(1)
    assert (desk.mailbox, [one.seq for one in desk.parked]) == (["retry"], [1, 2, 3])
    desk.retry(3)
    assert (desk.mailbox, [one.seq for one in desk.parked]) == ([], [2])
    assert desk.state.log == ["good", "good"]
    prove(desk)


def test_the_retry_of_what_stopped_the_mailbox_runs_at_once() -> None:
    """Where no handler is open it is not admitted first, to wait for itself; that of another waits."""
    desk = bare(Desk)
    for handler in (Desk.bad, Desk.bad, Desk.bad, Desk.mend, Desk.inc):
        run(desk, sent(handler))
    assert (desk.stopped, len(desk.mailbox)) == (3, 1)
    assert step(desk, Input(facts.RETRY, ref=(2, 0)), 0).outcome == facts.ADMITTED
    assert [turn.outcome for turn in run(desk, Input(facts.RETRY, ref=(3, 0)))] == [facts.DONE] * 3
    assert desk.state.log == ["good", "inc", "good"]


def test_what_comes_between_begins_at_once_while_there_is_room() -> None:
    """Also where it was sent by another actor and will wait for something."""
    desk = bare(Desk)
    run(desk, sent(Desk.hold))
    run(desk, sent(Desk.beside, inside=True))
    assert [one.handler.name for one in desk.open.values()] == ["hold", "beside"]
    assert not desk.mailbox


# ---- whose turn it is ----------------------------------------------------------------------------------


@entity
class Looked:
    """Something to look at."""

    n: int = 0

    @update
    def put(self, n: int) -> int:
        self.n = n
        return n

    @put.validator
    def _check(self, n: int) -> None:
        if n < 0:
            raise ValueError(n)

    @query
    def get(self) -> int:
        if not self.n:
            raise ValueError("empty")
        return self.n

    @signal
    async def hold(self) -> None:
        await act(1)


def test_behind_a_step_nobody_is_the_actor_any_more() -> None:
    """Whatever ran, and however it ended: code of somebody else's is not taken for a handler's."""
    looked = bare(Looked)
    for input_ in (sent(Looked.put, -1), sent(Looked.put, 1), sent(Looked.hold), Input(facts.TERMINATE)):
        step(looked, input_, 0)
        assert ambient.actor is None
    fresh = bare(Looked)
    for n in (0, 1):
        step(fresh, sent(Looked.put, n), 0)
        with suppress(ValueError):
            ask(fresh, "get", EMPTY, 0)
        assert ambient.actor is None


@entity(limits=Limits(mailbox_messages=1))
class Narrow:
    """One may wait."""

    @update
    async def hold(self) -> int:
        return await act(1)

    @signal
    def inc(self) -> None:
        """Nothing."""


def test_a_full_mailbox_is_full_for_signals_and_updates() -> None:
    """And for nobody whose sender is past: what other actors sent is taken."""
    for full in (sent(Narrow.hold), sent(Narrow.inc)):
        narrow = bare(Narrow)
        run(narrow, sent(Narrow.hold))
        assert step(narrow, full, 0).outcome == facts.ADMITTED
        for more in (sent(Narrow.hold), sent(Narrow.inc)):
            with pytest.raises(LimitExceeded, match="mailbox_messages=1"):
                step(narrow, more, 0)
        assert step(narrow, sent(Narrow.hold, inside=True), 0).outcome == facts.ADMITTED
