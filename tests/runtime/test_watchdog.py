"""A handler that computes keeps everybody waiting: is it said who it is, and of nobody else?"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
import trio

from actorflow import Runtime, entity, query, signal, sleep, update, wait_until
from actorflow._core.actor import Actor
from actorflow._runtime import watchdog
from actorflow._runtime.watchdog import Glances, Watchdog
from persistence import MemoryJournal
from tests.faults.counting import tried

PATIENCE_S = 20
HEARD_S = 2
told: list[str] = []
"""What the log has said; handlers compute until there is something."""


def burn() -> int:
    """Compute until somebody says so."""
    began = time.monotonic()  # actorflow: ok - it is to take its time
    while not told and time.monotonic() < began + PATIENCE_S:  # actorflow: ok
        pass
    return len(told)


def hold(_: object = None) -> int:
    """Compute in C, where no other thread has its turn; again if another program held up the dog."""
    total = 0
    for _ in range(5):
        total += sum(range(60_000_000))
        if told:  # actorflow: ok - it is to take its time
            break
    return total


@entity
class Busy:
    """Computes wherever an author's code runs."""

    done: int = 0

    @signal
    def compute(self) -> None:
        burn()
        self.done += 1

    @signal
    def compute_in_c(self) -> None:
        hold()
        self.done += 1

    @update
    async def compute_later(self) -> int:
        await sleep(timedelta(0))
        return burn()

    @signal
    async def compute_in_a_condition(self) -> None:
        await wait_until(lambda: burn() >= 0)

    @signal
    def sit(self) -> None:
        time.sleep(0.4)  # actorflow: ok - a call that blocks is what is asked about

    @query
    def look(self) -> int:
        return burn()

    @signal
    def be_quick(self) -> None:
        self.done += 1

    @query
    def count(self) -> int:
        return self.done


class Ear(logging.Handler):
    """Hears warnings, in whatever thread."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            told.append(record.getMessage())


@pytest.fixture(autouse=True)
def _listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A quicker dog, and somebody who hears it."""
    monkeypatch.setattr(watchdog, "SLOW_S", 0.1)
    monkeypatch.setattr(watchdog, "LOOK_S", 0.02)
    told.clear()
    ear, log = Ear(), logging.getLogger("actorflow.runtime")
    log.addHandler(ear)
    log.setLevel(logging.WARNING)
    yield
    log.removeHandler(ear)
    told.clear()


def runtime() -> Runtime:
    """One with nobody in it."""
    return Runtime(MemoryJournal(), entities=[Busy])


SLOW: dict[str, Callable[[Any], Any]] = {
    "compute": lambda busy: busy.signal(Busy.compute),
    "compute_in_c": lambda busy: busy.signal(Busy.compute_in_c),
    "compute_later": lambda busy: busy.update(Busy.compute_later),
    "compute_in_a_condition": lambda busy: busy.signal(Busy.compute_in_a_condition),
    "sit": lambda busy: busy.signal(Busy.sit),
    "look": lambda busy: busy.query(Busy.look),
}
INSIDE = {"compute": "burn", "compute_in_c": "hold", "sit": "sit", "look": "burn"}


async def _see_told(which: str) -> None:
    """It was said of this handler, with where in it, and the statistics know it."""
    async with runtime() as one:
        await one.actor(Busy, "anna").signal(Busy.be_quick)
        with trio.fail_after(PATIENCE_S):
            await SLOW[which](one.actor(Busy, "anna"))
        with trio.move_on_after(HEARD_S):
            while not told:  # what was computed in C is told of when it is over
                await trio.lowlevel.checkpoint()
        found = [line for line in told if f"Busy 'anna': Busy.{which}" in line]
        assert found, told
        assert "it is at test_watchdog.py:" in found[0]
        assert f"in {INSIDE.get(which, 'burn')}\n  hint: " in found[0]
        slow = one.statistics().slow_turns
        assert any(name.startswith(f"Busy: Busy.{which}") for name in slow), slow


@pytest.mark.parametrize("which", SLOW)
async def test_who_computes_is_told_of(which: str) -> None:
    """In a handler, behind an await, in a condition, in a query; in Python, in C, in a call that blocks."""
    await _see_told(which)
    tried()


async def test_others_are_served_in_order_behind_it_and_the_disk_goes_on() -> None:
    """Callers wait as long as it computes, and no longer; nothing is lost, and a commit takes no longer."""
    async with runtime() as one:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.actor(Busy, "anna").signal, Busy.sit)
            for _ in range(50):
                nursery.start_soon(one.actor(Busy, "bob").signal, Busy.be_quick)
        assert trio.current_time() - began >= 0.4
        assert await one.actor(Busy, "bob").query(Busy.count) == 50
        assert one.statistics().commits <= 10, "who waited shares commits"


async def test_a_dog_that_sleeps_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where nobody looks, the tests above fail."""
    monkeypatch.setattr(Watchdog, "_watch", lambda _: None)
    monkeypatch.setattr("tests.runtime.test_watchdog.HEARD_S", 0.1)
    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True, allow_unwrapped=True):
        await _see_told("sit")


# ---- what is one turn, and what are many ---------------------------------------------------------------


class Somebody:
    """An actor, as far as it is looked at."""

    def __init__(self) -> None:
        self.effects: list[object] = []


def seen(glances: Glances, who: Somebody | None, signs: int, now: float, late: float = 0) -> float:
    """What comes of one look."""
    return glances.seconds(cast("Actor | None", who), signs, now, now - late)


def test_many_short_turns_are_not_one_long() -> None:
    """Not those of many actors, nor of one; nor queries of it between which the loop goes on."""
    glances, anna, bob = Glances(), Somebody(), Somebody()
    for look in range(20):
        assert seen(glances, anna if look % 2 else bob, 0, look) == 0
    for look in range(20):
        anna.effects = []
        assert seen(glances, anna, 0, look) == 0
    for look in range(20):
        assert seen(glances, anna, 1 + look, look) == 0
    for look in range(20):
        assert seen(glances, None, 0, look) == 0
        assert seen(glances, anna, 0, look + 0.5) == 0


def test_one_long_turn_is_as_long_as_it_was_seen() -> None:
    """From the first look at it; or, where that came late, from when it was due."""
    glances, anna = Glances(), Somebody()
    assert [seen(glances, anna, 3, look) for look in (5.0, 6.0, 9.5)] == [0, 1, 4.5]
    assert seen(glances, anna, 4, 10.0, late=2.5) == 2.5
