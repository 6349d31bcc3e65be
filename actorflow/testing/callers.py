"""Who calls a virtual runtime: how each is woken, and whether any of them is still about to do something.

Tasks of trio or asyncio have had their say when their loop has nothing left to run.  Of a thread nobody can
tell, so one that was answered has a moment to call again.  Knows nothing of time on the virtual clock.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from itertools import count
from time import monotonic
from typing import Any, Final

import trio
import trio.testing

from actorflow._runtime.bridge import Crossing
from actorflow.errors import UsageError

from .virtual_bridge import VirtualBridge

__all__ = ["Callers", "in_loop"]

LULL_S: Final = 0.2
"""How long a thread that was answered may take to call again, before others go on without it."""
NOT_YET: Final = float("inf")
ASK_AGAIN_S: Final = 0.2
"""A loop that says nothing for so long may be gone."""
PASSES: Final = 30
"""So often a loop of asyncio goes round before it counts as having nothing left to run."""


class Back:
    """Where a crossing came from, and so where it goes back to."""

    __slots__ = ("home", "number", "waits")

    def __init__(self, number: int, home: Loop | threading.Thread, waits: Any) -> None:
        self.number = number
        """The order in which they set out."""
        self.home = home
        self.waits = waits
        """A task of trio, a future of asyncio, or a lock."""


class Loop(ABC):
    """A loop that callers live in, and what is known of it."""

    def __init__(self, bridge: VirtualBridge) -> None:
        self.bridge = bridge
        self.stirred = 0
        """Counts what may have given its tasks something to do."""
        self.asked_at = 0.0
        self._quiet_at = -1
        """The count at which it had nothing left to run."""

    @property
    def is_quiet(self) -> bool:
        """Whether all its tasks wait."""
        return self._quiet_at == self.stirred

    def tell(self) -> None:
        """It has nothing left to run; its own thread."""
        self._quiet_at = self.stirred
        self.asked_at = 0.0
        self.bridge.nudge()

    @abstractmethod
    def ask(self) -> None:
        """Have it tell when all its tasks wait; any thread.  Raises ``RuntimeError`` if it is gone."""

    @abstractmethod
    def here(self) -> Any:
        """What is to wait; its own thread."""

    @abstractmethod
    async def wait(self, back: Back) -> None:
        """Wait until the crossing is back."""

    @abstractmethod
    def wake(self, back: Back) -> None:
        """Let go on what waits; any thread.  Raises ``RuntimeError`` if the loop is gone."""


class TrioLoop(Loop):
    """A loop of trio."""

    def __init__(self, bridge: VirtualBridge, token: trio.lowlevel.TrioToken) -> None:
        super().__init__(bridge)
        self._token = token

    def ask(self) -> None:
        self._token.run_sync_soon(trio.lowlevel.spawn_system_task, self._watch)

    async def _watch(self) -> None:
        await trio.testing.wait_all_tasks_blocked()
        self.tell()

    def here(self) -> trio.lowlevel.Task:
        return trio.lowlevel.current_task()

    async def wait(self, back: Back) -> None:
        def give_up(_: object) -> trio.lowlevel.Abort:
            back.waits = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(give_up)

    def wake(self, back: Back) -> None:
        self._token.run_sync_soon(_reschedule, back)


def _reschedule(back: Back) -> None:
    task, back.waits = back.waits, None
    if task is not None:
        trio.lowlevel.reschedule(task)


class AsyncioLoop(Loop):
    """A loop of asyncio."""

    def __init__(self, bridge: VirtualBridge, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(bridge)
        self._loop = loop

    def ask(self) -> None:
        if not self._loop.is_running():
            raise RuntimeError("nothing in it can go on")
        self._loop.call_soon_threadsafe(self._pass, PASSES)

    def _pass(self, left: int) -> None:
        if left:
            self._loop.call_soon(self._pass, left - 1)
        else:
            self.tell()

    def here(self) -> asyncio.Future[None]:
        return self._loop.create_future()

    async def wait(self, back: Back) -> None:
        await back.waits

    def wake(self, back: Back) -> None:
        self._loop.call_soon_threadsafe(_set, back)


def _set(back: Back) -> None:
    if not back.waits.done():
        back.waits.set_result(None)


def in_loop() -> bool:
    """Whether this is called in a task, which must not block."""
    if trio.lowlevel.in_trio_task():
        return True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Callers:
    """Everybody who has called."""

    def __init__(self) -> None:
        self._loops: dict[object, Loop] = {}
        self._numbers = count(1)
        self._at_large: dict[threading.Thread, float] = {}
        """Threads that were answered and have not called again, and since when they have gone on."""
        self._inside: dict[int, None] = {}
        """Threads that wait for an answer."""
        self._lock = threading.Lock()

    # -- setting out: the caller's thread ------------------------------------------------------------------

    async def cross(self, bridge: VirtualBridge, crossing: Crossing) -> None:
        """Send a crossing over and wait until it is back, in a task of trio or of asyncio."""
        loop = self._loop(bridge, crossing.where)
        if isinstance(loop, TrioLoop):
            await trio.lowlevel.checkpoint_if_cancelled()
        back = crossing.back = Back(next(self._numbers), loop, loop.here())
        loop.stirred += 1
        bridge.send_over((crossing,))
        try:
            await loop.wait(back)
        except BaseException:
            loop.stirred += 1
            bridge.give_up(crossing)
            raise

    def _loop(self, bridge: VirtualBridge, where: str) -> Loop:
        if trio.lowlevel.in_trio_task():
            token = trio.lowlevel.current_trio_token()
            loop = self._loops.get(token)
            if loop is None:
                loop = self._loops[token] = TrioLoop(bridge, token)
        else:
            try:
                running = asyncio.get_running_loop()
            except RuntimeError:
                raise UsageError(
                    f"{where}: this is neither trio nor asyncio\n"
                    "  hint: `with virtual_runtime(...)`, without async, is for plain functions and threads"
                ) from None
            loop = self._loops.get(running)
            if loop is None:
                loop = self._loops[running] = AsyncioLoop(bridge, running)
        loop.bridge = bridge
        return loop

    def cross_blocking(self, bridge: VirtualBridge, crossing: Crossing) -> None:
        """Send a crossing over and block until it is back."""
        if in_loop():
            raise UsageError(
                f"{crossing.where} would block the event loop that it is called in\n"
                "  hint: async with virtual_runtime(...), and await it"
            )
        thread = threading.current_thread()
        lock = threading.Lock()
        lock.acquire()
        crossing.back = Back(next(self._numbers), thread, lock)
        # An interrupt may come between any two lines, and must leave nothing that others would trip over.
        try:
            self._inside[threading.get_ident()] = None
            bridge.send_over((crossing,))
            with self._lock:  # it is at large until the crossing can be seen, or time might pass in between
                if lock.locked():
                    self._at_large.pop(thread, None)
            lock.acquire()
        except BaseException:
            bridge.give_up(crossing)
            raise
        finally:
            self._inside.pop(threading.get_ident(), None)
            self._at_large[thread] = monotonic()

    # -- coming back: the host's thread --------------------------------------------------------------------

    def wake(self, crossing: Crossing) -> None:
        """Let a caller go on."""
        back: Back = crossing.back
        home = back.home
        if isinstance(home, threading.Thread):
            with self._lock:
                if not crossing.given_up:
                    self._at_large[home] = NOT_YET  # on a busy machine it may be long before it goes on
                if home.ident is not None:
                    self._inside.pop(home.ident, None)
                back.waits.release()
            return
        home.stirred += 1
        try:
            home.wake(back)
        except RuntimeError:  # it is over, and nobody waits in it
            self._forget(home)

    def is_inside(self, thread: int | None) -> bool:
        """Whether a thread waits for an answer."""
        return thread in self._inside

    def restless_for(self) -> float:
        """For how many seconds to wait before all callers have had their say; for none when they have."""
        longest = 0.0
        now = monotonic()
        for loop in list(self._loops.values()):
            if loop.is_quiet:
                continue
            if not loop.asked_at or now > loop.asked_at + ASK_AGAIN_S:
                loop.asked_at = now
                try:
                    loop.ask()
                except RuntimeError:
                    self._forget(loop)
                    continue
            longest = ASK_AGAIN_S
        for thread, since in list(self._at_large.items()):
            left = since + LULL_S - now if thread.is_alive() else 0.0
            if left > 0.0:
                longest = max(longest, min(left, ASK_AGAIN_S))
            else:
                self._at_large.pop(thread, None)
        return longest

    def _forget(self, loop: Loop) -> None:
        self._loops = {key: one for key, one in self._loops.items() if one is not loop}
