"""A bridge to a host on a virtual clock: what is on its way, and who waits for what time alone can bring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import trio

from actorflow._runtime.bridge import Bridge, Crossing, Sent
from actorflow._runtime.host import Host

__all__ = ["Keeper", "Late", "VirtualBridge"]


class Late(Exception):
    """What a crossing ends with whose caller waits no longer."""


class Keeper(Protocol):
    """Whatever keeps the time of a host."""

    def bring_back(self, crossings: Sequence[Crossing]) -> None:
        """Have callers hear their answers."""
        ...

    async def keep(self, bridge: VirtualBridge) -> None:
        """Keep it, as long as the host lives."""
        ...


class VirtualBridge(Bridge):
    """A bridge to a host whose time is kept."""

    def __init__(self, host: Host, clock: trio.abc.Clock, keeper: Keeper) -> None:
        super().__init__(host, keeper.bring_back)
        self.clock = clock
        self._keeper = keeper
        self._killed: BaseException | None = None
        """Why the host is to be abandoned, and not closed."""

    def kill(self, why: BaseException) -> None:
        """Have the host abandoned as if its process were killed; ``ended`` tells when it is."""
        self._killed = why
        self.stop()

    async def _serve(self) -> None:
        self._nursery.start_soon(self._keeper.keep, self)
        await super()._serve()

    async def _end_host(self) -> None:
        if self._killed is None:
            await super()._end_host()
        else:
            await self.host.abandon(self._killed)

    @property
    def stopping(self) -> bool:
        """Whether the host is being closed."""
        return self._stop.is_set()  # and not earlier, or time would pass for those who are to be told

    async def stopped(self) -> None:
        """Wait until the host is to be closed."""
        await self._stop.wait()

    @property
    def moving(self) -> bool:
        """Whether somebody is on the way there or back, or is answered as soon as a commit ends."""
        return bool(self._rung or self._incoming or self._settled or self._watched)

    @property
    def waiting(self) -> list[Crossing]:
        """Those who wait for what only time, or another message, can bring."""
        return [*self._alone, *(crossing for line in self._stalled.values() for crossing in line)]

    def fail(self, crossing: Crossing, error: BaseException) -> None:
        """Let somebody who waits have this error, and be forgotten; the host's thread."""
        crossing.error = error
        if crossing.scope is not None:
            crossing.scope.cancel()
        elif isinstance(crossing, Sent):
            line = self._stalled.get(crossing.address, {})
            if crossing in line:
                del line[crossing]
                self._settle(crossing)

    def end_in(self, crossing: Crossing, seconds: float) -> None:
        """Let a crossing end with ``Late`` after this time on the virtual clock; any thread."""
        self._ring(self._nursery.start_soon, self._end_in, crossing, seconds)

    async def _end_in(self, crossing: Crossing, seconds: float) -> None:
        await trio.sleep(seconds)
        if crossing in self.waiting:
            self.fail(crossing, Late())

    def nudge(self) -> None:
        """Have the host's loop go round once; any thread."""
        if self._token is not None:
            self._ring(_nothing)


def _nothing() -> None:
    """Needs no doing."""
