"""How many signals a second, beside threads that compute?

One interpreter serves all threads of a process, and lets one that computes go on for 5 ms before another gets
its turn; a message waits for several turns.  While a runtime is open they are shorter.  Read against the same
with turns as Python has them, and beside it what the threads get done, of what they do alone.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ._case import Case, Found, Size
from ._load import alike, cents, expected, opened, sent

PYTHONS_OWN_S = 0.005_01
"""As long as Python's, and said by us: what a process has said is left alone."""
ALONE_S = 0.3

# callers, threads, messages, messages where turns are long
SHAPES: dict[Size, list[tuple[int, int, int, int]]] = {
    "tiny": [(16, 1, 160, 32)],
    "small": [(1, 1, 2_000, 100), (64, 1, 20_000, 5_000)],
    "full": [
        (1, 1, 10_000, 300),
        (64, 1, 100_000, 15_000),
        (1, 2, 5_000, 60),
        (64, 2, 50_000, 3_000),
    ],
}
ACTORS = 100


class Pace:
    """What threads get done."""

    def __init__(self) -> None:
        self.rounds = 0
        self.over = False

    def compute(self) -> None:
        """Until it is over."""
        while not self.over:
            sum(range(1_000))
            self.rounds += 1  # of two threads one may be lost now and then


@contextmanager
def computing(threads: int) -> Generator[Pace]:
    """So many threads compute meanwhile."""
    pace = Pace()
    started = [threading.Thread(target=pace.compute) for _ in range(threads)]
    for thread in started:
        thread.start()
    try:
        yield pace
    finally:
        pace.over = True
        for thread in started:
            thread.join()


async def beside(
    path: Path, callers: int, actors: int, messages: int, threads: int, turn_s: float | None
) -> Found:
    """Messages a second."""
    with computing(threads) as pace:
        time.sleep(ALONE_S)  # noqa: ASYNC251 - nothing else runs yet
        alone = pace.rounds / ALONE_S
    if turn_s is not None:
        sys.setswitchinterval(turn_s)
    async with opened(path, actors) as (_, carts):
        with computing(threads) as pace:
            took = await sent(carts, callers, messages)
            share = pace.rounds / took / alone
        assert await cents(carts) == expected(actors, callers, messages)
    return Found(messages / took, "all there", {"done by the threads, of 1": share})


def cases(size: Size) -> Iterator[Case]:
    """One caller and many, beside one thread and two."""
    for callers, threads, messages, fewer in SHAPES[size]:
        work = partial(beside, threads=threads)
        yield Case(
            where={"callers": callers, "threads": threads},
            unit="/s",
            ours=partial(work, **alike(callers, ACTORS, messages), turn_s=None),
            light=partial(work, **alike(callers, ACTORS, fewer), turn_s=PYTHONS_OWN_S),
            against="by Python's turns",
        )
