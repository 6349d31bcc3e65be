"""A desk whose activities do what a test says, in a runtime whose time passes when it is told to."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import trio
from attrs import field
from trio.testing import MockClock

from actorflow import (
    ActivityFailed,
    Limits,
    RetryPolicy,
    Runtime,
    activity,
    callback,
    entity,
    gather,
    race,
    signal,
    sleep,
    update,
)

from .held import Caller, Clock, still

__all__ = ["SECOND", "Office", "desk", "office"]

SECOND = timedelta(seconds=1)
Act = Callable[..., Any]


def desk(acts: dict[str, Act], **options: Any) -> type[Any]:
    """An entity whose handlers ask for activities, which do what stands under their name."""

    @activity(name="job", **options)
    async def job(what: str) -> str:
        answer: str = await acts[what]()
        return answer

    @activity(name="labour", **options)
    def labour(what: str) -> str:
        answer: str = acts[what]()
        return answer

    @activity(name="total")
    async def total(items: list[int]) -> int:
        return sum(items)

    @activity.batched(name="each", at_most=3, within=5 * SECOND, **options)
    async def each(items: list[str]) -> list[str]:
        answers: list[str] = await acts["each"](items)
        return answers

    jobs = (job, labour, each)

    @entity(name="Desk")
    class Desk:
        told: list[str] = field(factory=list[str])

        @update(interleave=True)
        async def ask(self, what: str) -> str:
            """Have a task of trio do it."""
            return self._tell(what, await _outcome(jobs[0], what))

        @update(interleave=True)
        async def ask_thread(self, what: str) -> str:
            """Have a thread do it."""
            return self._tell(what, await _outcome(jobs[1], what))

        @update(interleave=True)
        async def ask_each(self, what: str) -> str:
            return self._tell(what, await _outcome(jobs[2], what))

        @update(interleave=True)
        async def ask_quickly(self, what: str) -> str:
            return self._tell(what, await _outcome(jobs[0].options(start_to_close=1 * SECOND), what))

        @update(interleave=True)
        async def hurry(self, what: str, place: int) -> str:
            """Wait for five seconds, and for the attempt that runs then."""
            await race(_outcome(jobs[place], what), sleep(5 * SECOND))
            return self._tell(what, "over")

        @update
        async def add(self) -> tuple[int, int]:
            """Ask for a sum, and change what was to be summed up before it is awaited."""
            items = [1, 2, 3]
            first = total(items)
            items.append(100)
            return await gather(first, total(items))

        @update(interleave=True)
        async def wait(self) -> int:
            promise = callback(int, timeout=None)
            self.told.append(promise.token)
            return await promise

        @signal
        def note(self, what: str) -> None:
            self.told.append(what)

        def _tell(self, what: str, outcome: str) -> str:
            self.told.append(f"{what}: {outcome}")
            return outcome

    async def _outcome(work: Any, what: str) -> str:
        try:
            return f"ok {await work(what)}"
        except ActivityFailed as error:
            return f"{error.type} {error.message}"

    return Desk


class Office:
    """A runtime over a desk."""

    def __init__(
        self, runtime: Runtime, nursery: trio.Nursery, clocks: tuple[Clock, MockClock], desk: Any
    ) -> None:
        self.runtime = runtime
        self.nursery = nursery
        self.desk = desk
        self._clocks = clocks

    def ask(self, what: str, name: str = "ask", *more: Any, key: str = "a") -> Caller:
        """Somebody asks for an activity, and waits."""
        handler = getattr(self.desk, name)
        call = cast("Callable[[], Awaitable[Any]]", lambda: self.actor(key).update(handler, what, *more))
        return Caller(self.nursery, call)

    def actor(self, key: str = "a") -> Any:
        return self.runtime.actor(self.desk, key)

    async def told(self, what: str, name: str = "ask", *more: Any, key: str = "a") -> str:
        """Ask, and wait for the outcome."""
        caller = await self.ask(what, name, *more, key=key).ended()
        assert caller.error is None, caller.error
        answer: str = caller.value
        return answer

    async def passes(self, seconds: float) -> None:
        """Let time pass, and whatever follows from it happen."""
        clock, trios = self._clocks
        await self.still()
        clock.now += round(seconds * 1_000_000)
        trios.jump(seconds)
        await self.still()

    async def still(self) -> None:
        await still(self.runtime)

    async def until(self, event: threading.Event) -> None:
        """Wait for something that a thread says."""
        assert await trio.to_thread.run_sync(event.wait, 20), "the thread has not come so far"


@asynccontextmanager
async def office(
    journal: Any,
    mock_clock: MockClock,
    acts: dict[str, Act],
    *,
    limits: Limits | None = None,
    clock: Clock | None = None,
    **options: Any,
) -> AsyncIterator[Office]:
    """A runtime over a desk, and a nursery for its callers; an activity is tried once, unless told more."""
    mock_clock.rate = 1  # what hangs comes to an end; nothing else depends on time passing of itself
    entity_ = desk(acts, **({"retry": RetryPolicy(maximum_attempts=1)} | options))
    wall = Clock() if clock is None else clock
    async with (
        Runtime(journal, entities=[entity_], limits=limits, clock=wall) as runtime,
        trio.open_nursery() as nursery,
    ):
        yield Office(runtime, nursery, (wall, mock_clock), entity_)
        nursery.cancel_scope.cancel()
