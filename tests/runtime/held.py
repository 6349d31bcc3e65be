"""A journal whose commits are held until somebody lets them go, and callers whose fate can be looked at."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from actorflow import Limits, Runtime
from actorflow._runtime.host import Host
from persistence import FaultyJournal

from .drive import BEGINNING
from .town import TOWN

__all__ = ["Caller", "Clock", "HeldJournal", "calm", "running", "still"]


class HeldJournal(FaultyJournal):
    """Commits are carried out only while the gate is open."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.gate = threading.Event()
        self.gate.set()
        self.arrived = threading.Semaphore(0)

    def hold(self) -> None:
        """Let no commit through."""
        self.gate.clear()

    def let_go(self) -> None:
        self.gate.set()

    def _commit(self, batch: Any, /) -> None:
        self.arrived.release()
        assert self.gate.wait(20), "nobody lets it go"
        super()._commit(batch)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = BEGINNING

    def __call__(self) -> int:
        return self.now


class Caller:
    """Somebody who calls, and what became of it."""

    def __init__(self, nursery: trio.Nursery, call: Callable[[], Awaitable[Any]]) -> None:
        self.done = False
        self.value: Any = None
        self.error: Exception | None = None
        self.scope = trio.CancelScope()
        self._call = call
        self._ended = trio.Event()
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        with self.scope:
            try:
                self.value = await self._call()
            except Exception as error:  # noqa: BLE001 - to be looked at
                self.error = error
            self.done = True
        self._ended.set()

    async def ended(self) -> Caller:
        with trio.fail_after(20):
            await self._ended.wait()
        return self


async def calm() -> None:
    """Wait until everybody waits for somebody."""
    await wait_all_tasks_blocked()


async def still(runtime: Runtime) -> None:
    """Wait until everybody waits for somebody who is no commit."""
    host: Host = runtime._host
    await calm()
    while (frame := host._in_flight) is not None:
        await host.durable(frame, "this")
        await calm()


@asynccontextmanager
async def running(
    journal: Any, clock: Callable[[], int] | None = None, **limits: Any
) -> AsyncIterator[tuple[Runtime, trio.Nursery]]:
    """A runtime over the town, and a nursery for its callers."""
    async with (
        Runtime(
            journal, entities=TOWN, limits=Limits(**limits) if limits else None, clock=clock or Clock()
        ) as runtime,
        trio.open_nursery() as nursery,
    ):
        yield runtime, nursery
