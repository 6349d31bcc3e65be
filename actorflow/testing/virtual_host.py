"""A host in a thread of its own, on a virtual clock, that can be closed, killed, and opened again.

What outlives an opening is here: the time, the journal, the entities, and whoever calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from actorflow._authoring.identity import instant, moment
from actorflow._core.facts import MICROSECOND, Instant
from actorflow._runtime.bridge import OPENED_ONCE, Crossing
from actorflow._runtime.crossings import CrossingDoor
from actorflow._runtime.host import Host
from actorflow._runtime.in_threads import FOREVER, BlockingDoor
from actorflow.errors import NotAccepted, UsageError

from .callers import Callers
from .pace import Pace
from .virtual_bridge import Late, VirtualBridge
from .virtual_clock import VirtualClock

if TYPE_CHECKING:
    from actorflow._runtime.stand_ins import Replacing
    from actorflow.limits import Limits
    from persistence import Journal

__all__ = ["VirtualBlockingDoor", "VirtualDoor", "VirtualHost"]

T = TypeVar("T")


class _Killed(Exception):
    """What a host stops with whose process is to seem dead."""


class VirtualHost:
    """Actors on a virtual clock, through as many openings as a test wants."""

    def __init__(
        self,
        entities: Sequence[type[Any]],
        journal: Journal,
        *,
        limits: Limits | None,
        strict: bool,
        activities: Replacing | None,
        start: datetime,
        patience: timedelta,
        seed: int,
    ) -> None:
        self.journal = journal
        self.clock = VirtualClock(_instant(start, "start="))
        self.callers = Callers()
        self._entities = entities
        self._limits = limits
        self._strict = strict
        self._activities = activities
        self._seed = seed
        self._random: Random | None = None
        self._pace = Pace(self.clock, self.callers, patience.total_seconds())
        self._was_opened = False
        self.bridge = self._bridge_to(journal)

    def _bridge_to(self, journal: Journal) -> VirtualBridge:
        host = Host(
            journal,
            self._entities,
            self._limits,
            strict=self._strict,
            clock=self.clock.now,
            activities=self._activities,
            clock_jumps=False,
            entropy=self._draw,
            in_turn=self._pace.in_turn,
            watched=False,
        )
        bridge = VirtualBridge(host, self.clock, self._pace)
        bridge.opened.add_done_callback(lambda _: self._begin_to_draw(host))
        return bridge

    def _begin_to_draw(self, host: Host) -> None:
        """The journal has just been opened, and nothing has been drawn for what it holds."""
        if self._random is None:
            # Of a journal that another runtime has filled nobody may draw again what that has drawn: it tells
            # lives apart.
            self._random = Random(f"{self._seed} {host.population.frame.position}")  # noqa: S311 - it must repeat

    def _draw(self, count: int) -> bytes:
        assert self._random is not None, "the journal is open"
        return self._random.randbytes(count)

    # -- opening and ending --------------------------------------------------------------------------------

    def open(self) -> Future[None]:
        """Start the host's thread; done once the journal is open, or with what opening it raised."""
        if self._was_opened:
            raise UsageError(OPENED_ONCE)
        self._was_opened = True
        self.bridge.thread.start()
        return self.bridge.opened

    def close(self) -> Future[None]:
        """Take nothing more, and bring to its end what was taken; done when the thread is gone."""
        self.bridge.stop()
        return self.bridge.ended

    def kill(self) -> Future[None]:
        """Let go of everything as if the process were killed; done when the thread is gone."""
        self._see_open("crash()")
        # What a crash leaves of a journal that can tell is known before anybody can close it.
        reopened: Callable[[], Journal] | None = getattr(self.journal, "reopened", None)
        if reopened is not None:
            self.journal = reopened()
        self.bridge.kill(_Killed("its process was killed, as the test wanted"))
        return self.bridge.ended

    def end(self) -> Future[None]:
        """As ``close``, of a runtime that is to be opened again."""
        self._see_open("restart()")
        return self.close()

    def reopen(self, entities: Sequence[type[Any]] | None) -> Future[None]:
        """Open the same journal at the same time, as the next process would."""
        if entities is not None:
            self._entities = entities
        self.bridge = self._bridge_to(self.journal)
        self.bridge.thread.start()
        return self.bridge.opened

    @property
    def failure(self) -> BaseException | None:
        """Why the host has stopped, if nobody stopped it."""
        return self.bridge.failure

    def _see_open(self, what: str) -> None:
        if self.bridge.shut:
            raise NotAccepted(what, self.bridge.shut)

    def hold(self) -> AbstractContextManager[None]:
        """Let no time pass while the block is open, whoever waits."""
        return self._pace.hold()

    # -- time ----------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The virtual time."""
        return moment(self.clock.now())

    def after(self, duration: timedelta) -> Instant:
        """The time so much later."""
        if not isinstance(duration, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise UsageError(f"sleep() takes a timedelta, not {duration!r}\n  hint: timedelta(days=...)")
        if duration < timedelta(0):
            raise UsageError(f"sleep({duration!r}): time never goes back")
        return self.clock.now() + duration // MICROSECOND

    def at(self, when: datetime) -> Instant:
        """A time as actors count it."""
        return _instant(when, "sleep_until()")

    async def pass_until(self, instant: Instant) -> None:
        """Wait until then; in the host's loop."""
        with trio.move_on_at(self.clock.seconds_at(instant)):
            await self.bridge.stopped()
            raise NotAccepted("sleep()", "the runtime is closed")


def _instant(when: datetime, where: str) -> Instant:
    if when.tzinfo is None:
        raise UsageError(
            f"{where} takes a time with its zone, not {when!r}\n  hint: datetime(..., tzinfo=UTC)"
        )
    return instant(when)


class VirtualDoor(CrossingDoor):
    """The way in for tasks, under trio or asyncio."""

    def __init__(self, host: VirtualHost) -> None:
        self.host = host

    @property
    def bridge(self) -> VirtualBridge:
        """To the host as it is now."""
        return self.host.bridge

    async def _cross(self, crossing: Crossing) -> Any:
        bridge = self.bridge
        if bridge.shut:
            raise NotAccepted(crossing.where, bridge.shut)
        await self.host.callers.cross(bridge, crossing)
        if crossing.error is not None:
            raise crossing.error
        return crossing.value


class VirtualBlockingDoor(BlockingDoor):
    """The way in for threads; the time that ``within`` bounds is virtual, too."""

    def __init__(self, host: VirtualHost, seconds: float = FOREVER) -> None:
        super().__init__(host.bridge, seconds)
        self.host = host

    @property
    def bridge(self) -> VirtualBridge:
        """To the host as it is now."""
        return self.host.bridge

    def within(self, seconds: float) -> VirtualBlockingDoor:
        """The same door, at which nobody waits longer than this."""
        return VirtualBlockingDoor(self.host, seconds)

    def _returned(self, crossing: Crossing) -> bool:
        bridge = self.bridge
        if self._seconds != FOREVER:
            bridge.end_in(crossing, self._seconds)
        self.host.callers.cross_blocking(bridge, crossing)
        return not isinstance(crossing.error, Late)
