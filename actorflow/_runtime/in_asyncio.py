"""The runtime for programs in asyncio: ``async with AsyncioRuntime(journal, entities=[...])``.

The same names and handles as under trio.  What the tasks of one pass of the loop send goes over the bridge
together, and what one commit has answered comes back together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from actorflow._core.facts import Instant
from actorflow.errors import NotAccepted, UsageError
from actorflow.limits import Limits

from .bridge import OPENED_ONCE, Bridge, Crossing
from .clock import wall
from .crossings import CrossingDoor
from .host import Host
from .runtime import Actors, Statistics, statistics

if TYPE_CHECKING:
    from concurrent.futures import Future

    from persistence import Journal

    from .stand_ins import Replacing

__all__ = ["AsyncioRuntime", "outlast"]

T = TypeVar("T")


class AsyncioDoor(CrossingDoor):
    """The way in from one loop of asyncio."""

    def __init__(self, host: Host) -> None:
        self._bridge = Bridge(host, self._bring_back)
        self.loop: asyncio.AbstractEventLoop | None = None
        self._going: list[Crossing] = []
        """What this pass of the loop sends."""

    @property
    def bridge(self) -> Bridge:
        """To the host."""
        return self._bridge

    async def _cross(self, crossing: Crossing) -> Any:
        loop = self.here(crossing.where)
        going = self._going
        if not going:
            loop.call_soon(self.send_over)
        going.append(crossing)
        crossing.back = loop.create_future()
        try:
            await crossing.back
        except BaseException:
            self.bridge.give_up(crossing)
            raise
        if crossing.error is not None:
            raise crossing.error
        return crossing.value

    def here(self, what: str) -> asyncio.AbstractEventLoop:
        """The loop that this is called in, if it is the right one."""
        if self.bridge.shut:
            raise NotAccepted(what, self.bridge.shut)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is None or loop is not self.loop:
            raise UsageError(
                f"{what}: an AsyncioRuntime belongs to the event loop that opened it, and was used "
                f"{'in another one' if loop is not None else 'outside of it'}\n"
                "  hint: asyncio.run_coroutine_threadsafe reaches that loop; BlockingRuntime is for threads"
            )
        return loop

    def send_over(self) -> None:
        """Let go what this pass has gathered."""
        if self._going:
            going, self._going = self._going, []
            self.bridge.send_over(going)

    def _bring_back(self, crossings: Sequence[Crossing]) -> None:
        assert self.loop is not None, "it was opened"
        with suppress(RuntimeError):  # the loop is closed, and nobody waits in it
            self.loop.call_soon_threadsafe(_wake, crossings)


def _wake(crossings: Sequence[Crossing]) -> None:
    for crossing in crossings:
        if not crossing.back.done():
            crossing.back.set_result(None)


class AsyncioRuntime(Actors):
    """Actors that live in this process, and in one journal, for callers in one loop of asyncio.

    Cancelling who awaits a message ends the waiting and not the message: whether it was taken is unknown.
    Sent again with the same ``once(id)``, it happens once.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        entities: Sequence[type[Any]],
        limits: Limits | None = None,
        strict: bool = False,
        clock: Callable[[], Instant] = wall,
        activities: Replacing | None = None,
    ) -> None:
        self._door = self._asyncio = AsyncioDoor(
            Host(journal, entities, limits, strict=strict, clock=clock, activities=activities)
        )

    async def __aenter__(self) -> Self:
        """Start the host's thread and open the journal in it; raises what opening raises."""
        door = self._asyncio
        if door.loop is not None:
            raise UsageError(OPENED_ONCE)
        door.loop = asyncio.get_running_loop()
        door.bridge.thread.start()
        try:
            await asyncio.shield(asyncio.wrap_future(door.bridge.opened))
        except asyncio.CancelledError:
            door.bridge.stop()
            await outlast(door.bridge.ended)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take nothing more, make durable what was taken, and let go of the journal."""
        bridge = self._asyncio.bridge
        self._asyncio.send_over()
        bridge.stop()
        if await outlast(bridge.ended):
            raise asyncio.CancelledError
        if error is None and bridge.failure is not None:
            raise bridge.failure

    def statistics(self) -> Statistics:
        """What it has done since it was opened, and what it holds."""
        if self._asyncio.bridge.shut:
            raise NotAccepted("statistics()", self._asyncio.bridge.shut)
        return statistics(self._asyncio.bridge.host)


async def outlast(ended: Future[None]) -> bool:
    """Wait for the thread to end, whoever is cancelled meanwhile; tells whether somebody was."""
    cancelled = False
    waited = asyncio.wrap_future(ended)
    while not waited.done():
        try:
            await asyncio.shield(waited)
        except asyncio.CancelledError:
            cancelled = True
    return cancelled
