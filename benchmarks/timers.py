"""How many timers a second can be armed, and how many that are due at once fire?

A million over ten thousand actors, each message arming some, a month ahead.  Then the wall clock jumps: all
are due, known only to tables and not in memory, and fire in the order of their times, each durably.  It is
the runtime as it is, no virtual one: its clock shows the wall's time, and after the jump a month more.  A
jump is noticed within five seconds, so firing is measured from the first that is seen to have fired.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import trio
from attrs import field

from actorflow import ActorHandle, Runtime, entity, query, signal, timer
from persistence import LmdbJournal

from ._case import Case, Found, Size

MONTH = timedelta(days=30)
AHEAD: dict[Size, timedelta] = {"tiny": timedelta(milliseconds=100), "small": MONTH, "full": MONTH}
AT_ONCE = 10
"""Timers that a message arms."""
BATCH = 500
LOOK_S = 0.02
SAMPLE = 100

# actors, timers of each
SHAPES: dict[Size, list[tuple[int, int]]] = {
    "tiny": [(5, 20)],
    "small": [(2_000, 10)],
    "full": [(10_000, 1), (10_000, 10), (10_000, 100)],
}


class Clock:
    """The wall's, and so much later."""

    def __init__(self) -> None:
        self.later = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000 + self.later

    def jump(self, by: timedelta) -> None:
        """Let so much time be over."""
        self.later += int(by.total_seconds() * 1e6)


@entity
class Calendar:
    """Has dates."""

    rung: set[int] = field(factory=set[int])

    @signal
    def mark(self, first: int, dates: int, after: timedelta) -> None:
        for number in range(first, first + dates):
            self.ring(number).arm(after=after)

    @timer
    def ring(self, number: int) -> None:
        self.rung.add(number)

    @query
    def count(self) -> int:
        return len(self.rung)


def _key(number: int) -> str:
    """What is due in the same microsecond fires in the order of keys."""
    return f"calendar-{number:06}"


async def armed(path: Path, actors: int, each: int, ahead: timedelta) -> Found:
    """Timers armed a second."""
    async with Runtime(LmdbJournal(path / "journal"), entities=[Calendar]) as runtime:
        took = await _mark(runtime, actors, each, ahead)
        some = await runtime.actor(Calendar, _key(0)).describe()
    assert len(some.waiting) == each
    return Found(actors * each / took, actors * each, {"messages/s": actors * max(1, each // AT_ONCE) / took})


async def _mark(runtime: Runtime, actors: int, each: int, ahead: timedelta) -> float:
    calendars = [runtime.actor(Calendar, _key(number)) for number in range(actors)]
    began = time.perf_counter()
    for first in range(0, each, AT_ONCE):
        for start in range(0, actors, BATCH):
            async with runtime.batch() as batch:
                for calendar in calendars[start : start + BATCH]:
                    batch.signal(calendar, Calendar.mark, first, min(AT_ONCE, each - first), ahead)
    return time.perf_counter() - began


async def rung(path: Path, actors: int, each: int, ahead: timedelta) -> Found:
    """Timers fired a second, each once, until the last is durable."""
    clock, timers = Clock(), actors * each
    async with Runtime(LmdbJournal(path / "journal"), entities=[Calendar], clock=clock) as runtime:
        await _mark(runtime, actors, each, ahead)
        clock.jump(ahead)
        await _see(runtime.actor(Calendar, _key(0)), 1)
        began = time.perf_counter()
        await _see(runtime.actor(Calendar, _key(actors - 1)), each)  # whose dates are the last of all
        took = time.perf_counter() - began
        sample = range(0, actors, max(1, actors // SAMPLE))
        counted = [await runtime.actor(Calendar, _key(number)).query(Calendar.count) for number in sample]
    assert counted == [each] * len(counted), counted
    return Found(timers / took, timers)


async def _see(calendar: ActorHandle[Calendar], rings: int) -> None:
    """Wait until it has rung so often, durably."""
    while await calendar.query(Calendar.count) < rings:  # noqa: ASYNC110 - nothing else tells
        await trio.sleep(LOOK_S)


def cases(size: Size) -> Iterator[Case]:
    """Armed, and fired."""
    for actors, each in SHAPES[size]:
        for what, ours in (("armed", armed), ("due at once", rung)):
            yield Case(
                where={"actors": actors, "timers each": each, "what": what},
                unit="/s",
                ours=partial(ours, actors=actors, each=each, ahead=AHEAD[size]),
                rounds=1 if actors * each >= 1_000_000 else 3,
            )
