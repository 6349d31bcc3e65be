"""How many activities a second, each with its outcome on disk?

Actors that ask for one after another: each waits until the record that asks is durable, and the record that
tells how it ended asks for the next, so one commit serves both.  And a hierarchical fan-out: a parent with
children, each of which asks for many, never more than so many at a time.  The activities do nothing, so what
is measured is the house.  The memory is what the process holds at most, without the pages of the journal's
file, which the system takes back when it likes; and with them.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from actorflow import Runtime, activity, entity, fan_out, gather, update
from actorflow import main as course
from persistence import LmdbJournal

from ._case import Case, Found, Size, at_least, at_most

# actors that ask one after another, and how often; children, and how often each asks
SHAPES: dict[Size, tuple[list[tuple[int, int]], list[tuple[int, int]]]] = {
    "tiny": ([(2, 5)], [(3, 4)]),
    "small": ([(1, 500), (20, 100), (100, 100)], [(100, 100)]),
    "full": ([(1, 1_000), (20, 100), (100, 100)], [(100, 100), (1_000, 100), (1_000, 1_000)]),
}
AT_ONCE = 10
CHILDREN_AT_ONCE = 100
"""With both, as many as may run at a time: more would only wait for their turn, and be written down."""
MEMORY = "MB"
LOOK_S = 0.25
"""How often the memory is looked at."""


@activity
async def nothing(number: int) -> int:
    """Touch nothing."""
    return number


@entity
class Row:
    """Asks for one after another."""

    @update
    async def ask(self, times: int) -> int:
        total = 0
        for number in range(times):
            total += await nothing(number)
        return total


@entity
class Part:
    """Asks for many at a time."""

    times: int

    @course
    async def ask(self) -> int:
        return sum(await gather(*(nothing(number) for number in range(self.times)), at_most=AT_ONCE))


@entity
class Whole:
    """Has parts."""

    parts: int
    times: int

    @course
    async def spread(self) -> int:
        parts = {f"part-{number}": Part(self.times) for number in range(self.parts)}
        return sum((await fan_out(parts, result=int, at_most=CHILDREN_AT_ONCE)).values())


async def in_a_row(path: Path, actors: int, times: int) -> Found:
    """Actors that ask for one after another."""
    told: list[int] = []
    async with _remembered() as also, Runtime(LmdbJournal(path / "journal"), entities=[Row]) as runtime:

        async def ask(number: int) -> None:
            told.append(await runtime.actor(Row, f"a{number}").update(Row.ask, times))

        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for number in range(actors):
                nursery.start_soon(ask, number)
        took = time.perf_counter() - began
        also["commits each"] = runtime.statistics().commits / (actors * times)
    assert told == [sum(range(times))] * actors
    return Found(actors * times / took, sum(told), also)


async def fanned_out(path: Path, children: int, times: int) -> Found:
    """A parent, its children, and what each of them asks for."""
    runtime = Runtime(LmdbJournal(path / "journal"), entities=[Whole, Part])
    async with _remembered() as also, runtime:
        began = time.perf_counter()
        whole = await runtime.start(Whole(children, times), "whole")
        told = await whole.result(int)
        took = time.perf_counter() - began
        also["commits each"] = runtime.statistics().commits / (children * times)
    assert told == children * sum(range(times))
    return Found(children * times / took, told, also)


@asynccontextmanager
async def _remembered() -> AsyncIterator[dict[str, float]]:
    """The most that the process held meanwhile, where the system tells."""
    held: dict[str, float] = {MEMORY: math.nan}
    async with trio.open_nursery() as nursery:

        async def look() -> None:
            while True:
                held[MEMORY] = max(_megabytes("RssAnon"), held[MEMORY])
                await trio.sleep(LOOK_S)

        nursery.start_soon(look)
        yield held
        held[MEMORY] = max(_megabytes("RssAnon"), held[MEMORY])
        held["MB with the file's pages"] = _megabytes("VmHWM")
        nursery.cancel_scope.cancel()


def _megabytes(of: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return math.nan
    return next((int(line.split()[1]) / 1_024 for line in lines if line.startswith(of)), math.nan)


def cases(size: Size) -> Iterator[Case]:
    """One after another, and fanned out."""
    rows, fans = SHAPES[size]
    for actors, times in rows:
        yield Case(
            where={"actors": actors, "activities each": times, "how": "in a row"},
            unit="/s",
            ours=partial(in_a_row, actors=actors, times=times),
            asked=at_least(10_000, of="figure") if (actors, times) == (20, 100) else None,
        )
    for children, times in fans:
        million = children * times == 1_000_000
        yield Case(
            where={"children": children, "activities each": times, "how": "fanned out"},
            unit="/s",
            ours=partial(fanned_out, children=children, times=times),
            asked=at_least(20_000, of="figure") if million else None,
            also_asked={MEMORY: at_most(1_024, of="figure")} if million else {},
            rounds=1 if million else 3,
        )
