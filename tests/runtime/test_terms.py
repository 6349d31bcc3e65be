"""On which terms lives begin, with callers, children and restarts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import trio
from attrs import field

from actorflow import (
    HandlerFailed,
    IdReused,
    Limits,
    Runtime,
    complete,
    entity,
    main,
    query,
    signal,
    sleep,
    start_child,
    update,
)
from actorflow.errors import ChildFailed
from persistence import FaultyJournal

from .drive import SECOND_US, Drive, holding
from .held import Clock, calm

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@entity
class Guest:
    """It stays until it is sent away, or has stayed too long."""

    log: list[str] = field(factory=list)

    @main
    async def stay(self) -> None:
        self.log.append("came")
        await sleep(400 * DAY)

    @query
    def seen(self) -> list[str]:
        return self.log

    @signal
    def leave(self) -> None:
        complete("left")


@entity
class Host:
    """It takes in guests, and hears how they went."""

    log: list[str] = field(factory=list)

    @update
    async def invite(self, key: str, hours: int, again: bool = True) -> str:
        child = start_child(Guest(), key, timeout=hours * HOUR, if_completed="new" if again else "fail")
        try:
            return await child.result(str)
        except ChildFailed as failed:
            return failed.type


async def test_a_life_that_has_lasted_too_long_says_so() -> None:
    """Whoever awaits its end, lists it or describes it: it has timed out, also after another opening."""
    journal, clock = FaultyJournal(), Clock()
    async with Runtime(journal, entities=[Guest], clock=clock) as runtime:
        guest = await runtime.start(Guest(), "g", delay=HOUR, timeout=DAY)
        assert await guest.query(Guest.seen) == []
        assert [one.name for one in (await guest.describe()).waiting] == ["(time-out)", "(begin)"]
    clock.now += 2 * 3_600 * SECOND_US
    journal = holding(journal.history)
    async with Runtime(journal, entities=[Guest], clock=clock) as runtime:
        guest = runtime.actor(Guest, "g")
        with trio.fail_after(20):
            while await guest.query(Guest.seen) != ["came"]:
                await calm()
    clock.now += 30 * 3_600 * SECOND_US
    async with Runtime(holding(journal.history), entities=[Guest], clock=clock) as runtime:
        with trio.fail_after(20), pytest.raises(HandlerFailed, match="as long as it may") as raised:
            await runtime.actor(Guest, "g").result()
        assert raised.value.type == "TimeoutError"
        (listed,) = await runtime.list(Guest, status="timed out")
        assert listed.key == "g"


START: dict[str, Any] = {"initial": Guest(["booked"]), "delay": HOUR, "timeout": DAY}
OTHERS: dict[str, dict[str, Any]] = {
    "another state": {"initial": Guest(["walked in"])},
    "another delay": {"delay": 2 * HOUR},
    "no delay": {"delay": None},
    "another time-out": {"timeout": 2 * DAY},
    "no time-out": {"timeout": None},
    "neither": {"delay": None, "timeout": None},
    "the two exchanged": {"delay": DAY, "timeout": HOUR},
}


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("what", OTHERS)
async def test_an_id_of_a_start_means_its_terms_as_well(what: str, restart: bool) -> None:
    """Repeated it is the same life, whatever was to be done about one that runs; otherwise it is another."""
    journal, clock = FaultyJournal(), Clock()
    async with Runtime(journal, entities=[Guest], clock=clock) as runtime:
        await runtime.actor(Guest, "g").once("b-1").start(**START)
        if not restart:
            await _see_meant(runtime, OTHERS[what])
    if restart:
        async with Runtime(holding(journal.history), entities=[Guest], clock=clock) as runtime:
            await _see_meant(runtime, OTHERS[what])


async def _see_meant(runtime: Runtime, other: dict[str, Any]) -> None:
    once = runtime.actor(Guest, "g").once("b-1")
    await once.start(**START)
    await once.start(**START, if_running="use", if_completed="new")
    with pytest.raises(IdReused, match="for a start, now it came with other arguments for a start"):
        await once.start(**START | other)
    assert (await runtime.actor(Guest, "g").describe()).seq == 1


async def test_an_id_of_a_start_on_no_terms_means_none() -> None:
    """What was begun without a delay is not what comes with one."""
    async with Runtime(FaultyJournal(), entities=[Guest], clock=Clock()) as runtime:
        once = runtime.actor(Guest, "g").once("b-1")
        await once.start(Guest())
        await once.start(Guest(), if_running="use")
        with pytest.raises(IdReused):
            await once.start(Guest(), timeout=DAY)
        with pytest.raises(IdReused, match="for a start, now it came with leave"):
            await once.signal(Guest.leave)


@pytest.mark.parametrize("crash", [False, True])
def test_a_child_that_has_lasted_too_long_is_its_parents_to_hear(crash: bool) -> None:
    """The parent that awaits it is told, whatever dies between."""
    drive = Drive(entities=[Host, Guest])
    ticket = drive.send(Host, "h", Host.invite, "g", 3)
    if crash:
        drive = drive.crash(entities=[Host, Guest])
        drive.hear()
    drive.later(3 * 3_600 - 1)
    assert drive.actor(Guest, "g").status == ""
    drive.later(1)
    drive.settle()
    assert drive.actor(Guest, "g").status == "timed out"
    assert not drive.actor(Host, "h").open
    if not crash:
        assert ticket.outcome is not None
        assert b"TimeoutError" in ticket.outcome[1]


@pytest.mark.parametrize("again", [True, False])
def test_a_child_under_a_key_that_has_lived_is_a_matter_of_terms(again: bool) -> None:
    """By default it lives again; who wants it once is told that it has lived."""
    drive = Drive(entities=[Host, Guest])
    drive.send(Guest, "g", Guest.leave)
    drive.settle()
    ticket = drive.send(Host, "h", Host.invite, "g", 3, again)
    drive.settle()
    assert drive.actor(Guest, "g").life == (2 if again else 1)
    assert (ticket.outcome is None) == again
    if ticket.outcome is not None:
        assert b"AlreadyStarted" in ticket.outcome[1]


def test_limits_of_a_child_are_not_its_parents_time_out() -> None:
    """Passivated, the child times out all the same: what is due is in the tables."""
    drive = Drive(entities=[Host, Guest], limits=Limits(resident_actors=1, log_bytes=1))
    drive.send(Host, "h", Host.invite, "g", 3)
    drive.settle()
    drive = drive.reopen(entities=[Host, Guest])
    drive.later(3 * 3_600)
    drive.settle()
    assert drive.actor(Guest, "g").status == "timed out"
