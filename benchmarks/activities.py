"""How many activities a second, each with its outcome on disk?

Actors that ask for one after another: each waits until the record that asks is durable, and the record that
tells how it ended asks for the next, so one commit serves both.  And a hierarchical fan-out: a parent with
children, each of which asks for many, never more than so many at a time.  The activities do nothing, so what
is measured is the house.  The memory is what the process holds besides the pages of the journal's file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import trio

from actorflow import Runtime, activity, entity, fan_out, gather, update
from actorflow import main as course
from persistence import LmdbJournal

# actors that ask one after another, and how often; children, and how often each asks
SHAPES = {
    "full": ([(1, 1_000), (20, 100), (100, 100)], [(100, 100), (1_000, 100)]),
    "small": ([(2, 5)], [(3, 4)]),
}
ROUNDS = {"full": 3, "small": 1}
AT_ONCE = 50
CHILDREN_AT_ONCE = 100


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


class Measured(NamedTuple):
    """What a round came to."""

    rate: float
    commits: float
    """For each activity."""


async def in_a_row(path: Path, actors: int, times: int) -> Measured:
    """Actors that ask for one after another."""
    async with Runtime(LmdbJournal(path), entities=[Row]) as runtime:

        async def ask(number: int) -> None:
            await runtime.actor(Row, f"a{number}").update(Row.ask, times)

        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for number in range(actors):
                nursery.start_soon(ask, number)
        took = time.perf_counter() - began
        return Measured(actors * times / took, runtime.statistics().commits / (actors * times))


async def spread_out(path: Path, parts: int, times: int) -> Measured:
    """A parent, its children, and what each of them asks for."""
    async with Runtime(LmdbJournal(path), entities=[Whole, Part]) as runtime:
        began = time.perf_counter()
        whole = await runtime.start(Whole(parts, times), "whole")
        assert await whole.result(int) == parts * sum(range(times))
        took = time.perf_counter() - began
        return Measured(parts * times / took, runtime.statistics().commits / (parts * times))


def _megabytes() -> str:
    """What the process holds, where the system tells."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return "?"
    return next((f"{int(line.split()[1]) >> 10:,}" for line in lines if line.startswith("RssAnon")), "?")


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="activities")
    parser.add_argument("--size", choices=["small", "full"], default="full")
    parser.add_argument("--million", action="store_true", help="only the fan-out to a million: minutes")
    arguments = parser.parse_args(argv)
    size: str = arguments.size
    rows, fans = ([], [(1_000, 1_000)]) if arguments.million else SHAPES[size]
    rounds = 1 if arguments.million else ROUNDS[size]
    print(f"{'':>14}{'actors':>8}{'each':>8}{'activities/s':>14}{'commits':>9}{'MB':>8}")
    for name, shapes, measure in (("in a row", rows, in_a_row), ("fanned out", fans, spread_out)):
        for actors, times in shapes:
            found: list[Measured] = []
            for _ in range(rounds):
                with TemporaryDirectory() as directory:
                    found.append(trio.run(measure, Path(directory) / "journal", actors, times))
            rate, commits = median(one.rate for one in found), median(one.commits for one in found)
            print(
                f"{name:>14}{actors:>8}{times:>8}{rate:>14,.0f}{commits:>9.3f}{_megabytes():>8}", flush=True
            )
    return 0
