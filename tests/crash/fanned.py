"""A parent whose children each ask for many activities, to be killed while they run.

What each activity does is a line of eight bytes in a file, so that what was done twice can be counted.
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from actorflow import Limits, Runtime, activity, entity, fan_out, gather
from actorflow import main as course
from persistence import LmdbJournal

__all__ = ["AT_ONCE", "LINE", "Part", "Whole", "main"]

AT_ONCE: Final = 64
"""How many attempts run at a time, whoever has asked for them."""
LIMITS: Final = Limits(running_activities=AT_ONCE)
LINE: Final = struct.Struct(">II")
PULSE: Final = 50
_done = -1


@activity
async def work(part: int, number: int) -> int:
    """Do it, for everybody to see."""
    os.write(_done, LINE.pack(part, number))
    if not number % PULSE:
        os.write(sys.stdout.fileno(), b".")
    await trio.lowlevel.checkpoint()
    return number


@entity
class Part:
    """Asks for its share."""

    part: int
    times: int

    @course
    async def ask(self) -> int:
        works = (work(self.part, number) for number in range(self.times))
        return sum(await gather(*works, at_most=32))


@entity
class Whole:
    """Has parts."""

    parts: int
    times: int

    @course
    async def spread(self) -> int:
        parts = {f"part-{number}": Part(number, self.times) for number in range(self.parts)}
        return sum((await fan_out(parts, result=int, at_most=32)).values())


async def live(journal: Path, parts: int, times: int) -> int:
    """Begin it or go on with it, to its end."""
    async with Runtime(LmdbJournal(journal), entities=[Whole, Part], limits=LIMITS) as runtime:
        os.write(sys.stdout.fileno(), b"o")
        whole = await runtime.start(Whole(parts, times), "whole", if_running="use")
        return await whole.result(int)


def main(argv: Sequence[str] | None = None) -> int:
    """Live once."""
    global _done  # noqa: PLW0603 - the one file of the process
    parser = argparse.ArgumentParser(prog="fanned")
    parser.add_argument("--pulse", action="store_true", help="always: it beats on standard output")
    parser.add_argument("--limits", default="", help="there is one set of them")
    parser.add_argument("--parts", type=int, default=8)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("journal", type=Path)
    parser.add_argument("done", type=Path)
    parser.add_argument("seed", help="there is no chance in it")
    options = parser.parse_args(argv)
    _done = os.open(options.done, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    total = trio.run(live, options.journal, options.parts, options.times)
    return 0 if total == options.parts * sum(range(options.times)) else 1


if __name__ == "__main__":
    sys.exit(main())
