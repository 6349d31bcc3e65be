"""The whole runtime on a virtual clock, in the process of a test: real activities, and no waiting.

The host lives in a thread of its own, for only there can the clock of its loop be another than the test's.
Callers may be tasks of trio or asyncio, or plain functions in any number of threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import trio

from actorflow._runtime.in_asyncio import outlast
from actorflow._runtime.in_threads import BlockingActors, blocked
from actorflow._runtime.runtime import Actors, Statistics, statistics
from actorflow.errors import NotAccepted, UsageError

from .callers import in_loop
from .scenario import BEGINNING
from .virtual_host import VirtualBlockingDoor, VirtualDoor, VirtualHost

if TYPE_CHECKING:
    from actorflow._core.facts import Instant
    from actorflow._runtime.host import Host
    from actorflow._runtime.stand_ins import Replacing
    from actorflow.limits import Limits
    from persistence import Journal

__all__ = ["BlockingVirtualRuntime", "VirtualRuntime", "virtual_runtime"]

PATIENCE: Final = timedelta(seconds=5)


class VirtualRuntime(Actors):
    """What ``async with virtual_runtime(...)`` gives, under trio and under asyncio.

    Time passes only while somebody waits, in a call or in ``sleep``, and nothing goes on by itself.
    """

    def __init__(self, host: VirtualHost) -> None:
        self._virtual = host
        self._door = VirtualDoor(host)

    def __repr__(self) -> str:
        return _shown(self._virtual)

    @property
    def now(self) -> datetime:
        """What time it is for the actors."""
        return self._virtual.now

    @property
    def journal(self) -> Journal:
        """The journal that is open, or is to be opened next."""
        return self._virtual.journal

    @property
    def in_threads(self) -> BlockingVirtualRuntime:
        """The same runtime for threads: for an activity that is a ``def``, and would let time pass."""
        return BlockingVirtualRuntime(self._virtual)

    def hold(self) -> AbstractContextManager[None]:
        """Let no time pass while the block is open, whoever waits: until all are there that are to wait."""
        return self._virtual.hold()

    async def sleep(self, duration: timedelta) -> None:
        """Let so much time pass; everything that falls due meanwhile happens, in order."""
        await self._pass_until(self._virtual.after(duration))

    async def sleep_until(self, when: datetime) -> None:
        """Let time pass until then; nothing, if that is over."""
        await self._pass_until(self._virtual.at(when))

    async def _pass_until(self, instant: Instant) -> None:
        await self._door.call(lambda _: self._virtual.pass_until(instant), "sleep()")

    async def settle(self) -> None:
        """Wait until everything has happened that can without time, as every call does before it returns."""
        await self._door.call(_nothing, "settle()")

    async def restart(self, *, entities: Sequence[type[Any]] | None = None) -> None:
        """Close it gracefully, and open the same journal again, perhaps with newer code of the entities."""
        await _outlast(self._virtual.end())
        await _outlast(self._virtual.reopen(entities))
        await self.settle()

    async def crash(self, *, entities: Sequence[type[Any]] | None = None) -> None:
        """Let its process die, and open what is left of the journal, perhaps with newer code.

        Nothing is closed gracefully, and callers who wait get ``Unknown``.  What in reality would die too,
        activities that run, is cancelled; a thread cannot be, and what it comes to is ignored.
        """
        await _outlast(self._virtual.kill())
        await _outlast(self._virtual.reopen(entities))
        await self.settle()

    def statistics(self) -> Statistics:
        """What it has done since it was opened, and what it holds."""
        bridge = self._virtual.bridge
        if bridge.shut:
            raise NotAccepted("statistics()", bridge.shut)
        return statistics(bridge.host)


class BlockingVirtualRuntime(BlockingActors):
    """What ``with virtual_runtime(...)`` gives: the same for plain functions, in any number of threads."""

    def __init__(self, host: VirtualHost) -> None:
        super().__init__(VirtualBlockingDoor(host))
        self._virtual = host

    def __repr__(self) -> str:
        return _shown(self._virtual)

    @property
    def now(self) -> datetime:
        """What time it is for the actors."""
        return self._virtual.now

    @property
    def journal(self) -> Journal:
        """The journal that is open, or is to be opened next."""
        return self._virtual.journal

    def hold(self) -> AbstractContextManager[None]:
        """Let no time pass while the block is open, whoever waits: until all are there that are to wait."""
        return self._virtual.hold()

    def sleep(self, duration: timedelta) -> None:
        """Let so much time pass; everything that falls due meanwhile happens, in order."""
        self._pass_until(self._virtual.after(duration))

    def sleep_until(self, when: datetime) -> None:
        """Let time pass until then; nothing, if that is over."""
        self._pass_until(self._virtual.at(when))

    def _pass_until(self, instant: Instant) -> None:
        blocked(self._door.call(lambda _: self._virtual.pass_until(instant), "sleep()"))

    def settle(self) -> None:
        """Wait until everything has happened that can without time, as every call does before it returns."""
        blocked(self._door.call(_nothing, "settle()"))

    def restart(self, *, entities: Sequence[type[Any]] | None = None) -> None:
        """Close it gracefully, and open the same journal again, perhaps with newer code of the entities."""
        self._virtual.end().result()
        self._virtual.reopen(entities).result()
        self.settle()

    def crash(self, *, entities: Sequence[type[Any]] | None = None) -> None:
        """Let its process die, and open what is left of the journal, perhaps with newer code.

        Nothing is closed gracefully, and callers who wait get ``Unknown``.  What in reality would die too,
        activities that run, is cancelled; a thread cannot be, and what it comes to is ignored.
        """
        self._virtual.kill().result()
        self._virtual.reopen(entities).result()
        self.settle()


async def _nothing(_: Host) -> None:
    """Is answered when it is its turn, as everything is."""


def _shown(host: VirtualHost) -> str:
    bridge = host.bridge
    entities = ", ".join(bridge.host.specs)
    return f"<virtual runtime of {entities}: {bridge.shut or 'open'}, {host.now:%Y-%m-%d %H:%M:%S}>"


class virtual_runtime:  # noqa: N801 - a context manager reads as a verb
    """The whole runtime on a virtual clock: a wait of thirty days takes milliseconds.

    ``async with`` it under trio or asyncio, ``with`` it in a plain function.
    """

    def __init__(
        self,
        *,
        entities: Sequence[type[Any]],
        journal: Journal | None = None,
        activities: Replacing | None = None,
        limits: Limits | None = None,
        strict: bool = True,
        start: datetime = BEGINNING,
        patience: timedelta = PATIENCE,
        seed: int = 0,
    ) -> None:
        """Make one, and open nothing yet.

        ``activities`` says what is called in the place of which activity; ``start``, when the virtual time
        begins.  ``patience`` is how much real time may go by in which only the world outside could end a
        wait.  From the ``seed`` grows all that is drawn by chance.
        """
        if journal is None:
            from persistence import MemoryJournal  # noqa: PLC0415 - who hands one in need not have this package

            journal = MemoryJournal()
        self._host = VirtualHost(
            entities,
            journal,
            limits=limits,
            strict=strict,
            activities=activities,
            start=start,
            patience=patience,
            seed=seed,
        )

    # -- under trio and asyncio ----------------------------------------------------------------------------

    async def __aenter__(self) -> VirtualRuntime:
        """Start the host's thread and open the journal in it; raises what opening raises."""
        opened = self._host.open()
        try:
            await _outlast(opened)
            runtime = VirtualRuntime(self._host)
            await runtime.settle()
        except BaseException:
            await _outlast(self._host.close())
            raise
        return runtime

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take nothing more, make durable what was taken, and let go of the journal."""
        await _outlast(self._host.close())
        if error is None and self._host.failure is not None:
            raise self._host.failure

    # -- in a plain function -------------------------------------------------------------------------------

    def __enter__(self) -> BlockingVirtualRuntime:
        """Start the host's thread and open the journal in it; raises what opening raises."""
        if in_loop():
            raise UsageError(
                "`with virtual_runtime(...)` would block this event loop\n"
                "  hint: async with virtual_runtime(...)"
            )
        opened = self._host.open()
        try:
            opened.result()
            runtime = BlockingVirtualRuntime(self._host)
            runtime.settle()
        except BaseException:
            self._host.close().result()
            raise
        return runtime

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take nothing more, make durable what was taken, and let go of the journal."""
        self._host.close().result()
        if error is None and self._host.failure is not None:
            raise self._host.failure

    # -- for a fixture, which is outside of the loop that it is for ----------------------------------------

    @contextmanager
    def opened(self, *, awaited: bool) -> Generator[VirtualRuntime | BlockingVirtualRuntime]:
        """Open it for tasks of whichever loop comes, or for plain functions."""
        with self as runtime:
            yield VirtualRuntime(self._host) if awaited else runtime


async def _outlast(ended: Future[None]) -> None:
    """Wait until it is done, whoever is cancelled meanwhile, and raise what it ended with."""
    if trio.lowlevel.in_trio_task():
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(_wait, ended)
        await trio.lowlevel.checkpoint_if_cancelled()
    elif await outlast(ended):
        raise asyncio.CancelledError
    ended.result()


def _wait(ended: Future[None]) -> None:
    with suppress(BaseException):
        ended.result()
