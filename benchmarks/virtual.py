"""How long does a wait of thirty days take on a virtual clock, and what does each thing cost that is due?

The same entity under the same calls: a wait with nothing due in it, with one timer, with many, an activity
that is retried over hours, and opening and closing the whole.  Milliseconds, the best of some.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import trio

from actorflow import RetryPolicy, activity, entity, query, signal, timer, update
from actorflow.testing import BlockingVirtualRuntime, virtual_runtime

from ._case import Case, Found, Size

DAYS = timedelta(days=30)
TIMES: dict[Size, int] = {"tiny": 1, "small": 10, "full": 20}
RINGS: dict[Size, tuple[int, ...]] = {"tiny": (1, 5), "small": (1, 30, 720), "full": (1, 30, 720, 7_200)}


@activity(retry=RetryPolicy(initial_interval=timedelta(hours=1), maximum_interval=timedelta(hours=8)))
async def ask() -> int:
    """Fail four times."""
    await trio.sleep(20)
    if activity.current().number < 5:
        raise ConnectionError
    return activity.current().number


@entity
class Bell:
    """Rings, each time a while after the last."""

    rung: int = 0

    @signal
    def wind_up(self, every: timedelta) -> None:
        self.ring(every).arm(after=every)

    @timer
    def ring(self, every: timedelta) -> None:
        self.rung += 1
        self.ring(every).arm(after=every)

    @query
    def count(self) -> int:
        return self.rung

    @update
    async def asked(self) -> int:
        return await ask()


def waited(_: Path, work: Callable[[BlockingVirtualRuntime], int], times: int, each: int = 1) -> Found:
    """Milliseconds that this takes in a runtime that is open, and microseconds for each thing that is due."""
    best, result = float("inf"), 0
    for _number in range(times):
        with virtual_runtime(entities=[Bell]) as runtime:
            runtime.actor(Bell, "bell").signal(Bell.wind_up, timedelta(days=300_000))
            began = time.perf_counter()
            result = work(runtime)
            best = min(best, time.perf_counter() - began)
    return Found(best * 1e3, result, {"µs each": best * 1e6 / each} if each > 1 else {})


def opened(_: Path, times: int) -> Found:
    """Milliseconds for a runtime that nobody uses."""
    best = float("inf")
    for _number in range(times):
        began = time.perf_counter()
        with virtual_runtime(entities=[Bell]):
            pass
        best = min(best, time.perf_counter() - began)
    return Found(best * 1e3)


def nothing(runtime: BlockingVirtualRuntime) -> int:
    """Sleep."""
    runtime.sleep(DAYS)
    return runtime.actor(Bell, "bell").query(Bell.count)


def ringing(runtime: BlockingVirtualRuntime, times: int) -> int:
    """Sleep while it rings."""
    bell = runtime.actor(Bell, "bell")
    bell.signal(Bell.wind_up, DAYS / times)
    runtime.sleep(DAYS)
    rung = bell.query(Bell.count)
    assert rung == times
    return rung


def retried(runtime: BlockingVirtualRuntime) -> int:
    """Wait for what succeeds at the fifth attempt."""
    number = runtime.actor(Bell, "bell").update(Bell.asked)
    assert number == 5
    return number


def cases(size: Size) -> Iterator[Case]:
    """What is waited for."""
    times = TIMES[size]

    def row(what: str, ours: Callable[[Path], Found]) -> Case:
        return Case(where={"what": what}, unit="ms", ours=ours, durability="a journal in memory")

    yield row("opening and closing", partial(opened, times=times))
    yield row("thirty days, nothing due", partial(waited, work=nothing, times=times))
    for rings in RINGS[size]:
        ours = partial(
            waited, work=partial(ringing, times=rings), times=max(1, min(times, 1_000 // rings)), each=rings
        )
        yield row(f"thirty days, {rings:,} timer{'' if rings == 1 else 's'}", ours)
    yield row("an activity, five attempts over hours", partial(waited, work=retried, times=times))
