"""The wall clock is set back: what is a duration takes no longer for that."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from trio.testing import MockClock

from actorflow import Breaker, Unavailable, entity, signal, update, wait_until
from actorflow._runtime.checkpoint import Checkpoint
from actorflow._runtime.errands import Errands
from persistence import MemoryJournal

from .desk import office
from .drive import SECOND_US, Drive
from .held import Clock
from .town import Account
from .works import SECOND, Yard, policy, see_rest, yard

HOUR_US = 3_600 * SECOND_US


@entity
class Queue:
    """A handler that waits for one behind it."""

    ready: bool = False

    @update
    async def wait(self) -> None:
        await wait_until(lambda: self.ready)

    @signal
    def let_go(self) -> None:
        self.ready = True


def pauses() -> Yard:
    """Somebody pauses after a failure."""
    drive = yard(retry=policy(3, 5, 5))
    drive.want("one")
    drive.end("one", ValueError("no"))
    return drive


def rated() -> Yard:
    """Somebody waits, for only so many may begin in a second."""
    drive = yard(rate=0.2)
    drive.want("zero")
    drive.want("one")
    drive.end("zero")
    return drive


def broken() -> Yard:
    """Somebody waits until it may be tried whether the other side is there again."""
    drive = yard(breaker=Breaker(failures=1, pause=5 * SECOND), retry=policy(9, 1, 1))
    drive.want("one")
    drive.end("one", Unavailable("down"))
    return drive


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("waiting", [pauses, rated, broken])
def test_a_pause_takes_no_longer(waiting: Callable[[], Yard], told: bool) -> None:
    """Five seconds are five seconds; and whoever is not told waits for an hour."""
    drive = waiting()
    drive.settle()
    drive.now -= HOUR_US
    if told:
        drive.errands.set_back(HOUR_US)
    begun = len(drive.numbers("one"))
    drive.later(4.9)
    drive.later(1.5)
    drive.settle()
    assert (len(drive.numbers("one")) == begun + 1) == told
    if told:
        drive.rest()
        see_rest(drive)


def test_a_bound_of_time_is_as_long_as_it_was() -> None:
    """``schedule_to_close`` comes after its seconds, not an hour later."""
    drive = yard(schedule_to_close=60 * SECOND, retry=policy(9, 40, 40))
    drive.want("one")
    drive.end("one", ValueError("no"))
    drive.now -= HOUR_US
    drive.errands.set_back(HOUR_US)
    drive.later(41)
    drive.settle()
    drive.end("one", ValueError("no"))
    assert drive.told() == ["one: ValueError no"], "another pause would be longer than there is time"


@pytest.mark.parametrize("told", [True, False])
def test_tables_lag_behind_no_longer(told: bool) -> None:
    """What was written is in the tables after seconds, not an hour later; unless nobody is told."""
    drive = Drive()
    drive.send(Account, "a", Account.deposit, "t", 1)
    drive.settle()
    assert drive.population.checkpoint.tails
    drive.later(9)
    drive.now -= HOUR_US
    if told:
        drive.population.set_back(HOUR_US)
    drive.settle()
    assert drive.population.checkpoint.tails, "ten seconds are not over"
    drive.later(1)
    drive.settle()
    assert bool(drive.population.checkpoint.tails) != told


@pytest.mark.parametrize("told", [True, False])
def test_who_can_never_go_on_is_looked_at_no_later(told: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A mailbox that stands still for a second is reported then; unless nobody is told."""
    caplog.set_level(logging.WARNING, "actorflow.runtime")
    drive = Drive(entities=[Queue])
    drive.send(Queue, "q", Queue.wait)
    drive.send(Queue, "q", Queue.let_go)
    drive.hear()
    drive.now -= HOUR_US
    if told:
        drive.population.set_back(HOUR_US)
    drive.later(1.1)
    assert ("can never move" in caplog.text) == told


@pytest.mark.parametrize("told", [True, False])
async def test_the_host_tells_the_tables(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    """When it looks at the clock again; unless it tells nobody, and then there is no checkpoint."""
    if not told:
        monkeypatch.setattr(Checkpoint, "set_back", lambda self, by: None)

    async def work() -> str:
        return "done"

    clock = Clock()
    async with office(MemoryJournal(), mock_clock, {"one": work}, clock=clock) as one:
        assert await one.told("one") == "ok done"
        clock.now -= HOUR_US
        for _ in range(4):
            await one.passes(5)
        assert (one.runtime.statistics().checkpoints > 0) == told


async def test_the_host_sees_it(mock_clock: MockClock) -> None:
    """It looks at the clock every few seconds, and tells the errands."""
    clock, calls = Clock(), list[int]()

    async def fail_once() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("no")
        return "done"

    acts = {"one": fail_once}
    async with office(MemoryJournal(), mock_clock, acts, clock=clock, retry=policy(2, 20, 20)) as one:
        caller = one.ask("one")
        await one.passes(0)
        clock.now -= HOUR_US
        for _ in range(8):
            await one.passes(5)
        assert caller.value == "ok done"


async def test_and_without_that_it_would_not(mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: whoever does not tell them lets them wait."""
    monkeypatch.setattr(Errands, "set_back", lambda self, by: None)
    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True):
        await test_the_host_sees_it(mock_clock)


async def test_what_is_asked_for_right_after_is_as_long_as_it_should(mock_clock: MockClock) -> None:
    """It counts by the new time already, and is not moved along, whoever looks at the clock first."""
    clock, calls = Clock(), list[int]()

    async def fail_once() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("no")
        return "done"

    options: dict[str, Any] = {"retry": policy(2, 20, 20), "schedule_to_close": 60 * SECOND}
    async with office(MemoryJournal(), mock_clock, {"one": fail_once}, clock=clock, **options) as one:
        await one.passes(0)
        clock.now -= HOUR_US
        caller = one.ask("one")
        await one.passes(6)
        assert (len(calls), caller.done) == (1, False)
        for _ in range(5):
            await one.passes(5)
        assert caller.value == "ok done"


@pytest.mark.parametrize("crash", [False, True])
def test_who_has_lived_in_the_old_time_waits_no_longer(crash: bool) -> None:
    """An actor's own time does not go back; what it asks for is bounded by that on the wall all the same."""
    drive = yard(schedule_to_close=60 * SECOND, retry=policy(9, 40, 40))
    drive.want("zero")
    drive.end("zero")
    if crash:
        drive.want("one")
    drive.now -= HOUR_US
    if crash:
        drive = drive.crash()  # nobody was there to see it
        drive.hear()
        drive.settle()
    else:
        drive.errands.set_back(HOUR_US)
        drive.want("one")
    drive.end("one", ValueError("no"))
    drive.later(41)
    drive.settle()
    drive.end("one", ValueError("no"))
    assert drive.told()[-1] == "one: ValueError no", "another pause would be longer than there is time"
