"""Attempts of activities: which run, which wait to be answered by one call, and what is told of their ends.

An attempt that has outlived its time is given up, whether or not its function lets itself be stopped: the
errand goes on, and what the function still comes to is ignored.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from contextvars import copy_context
from itertools import count
from typing import TYPE_CHECKING, Final

import trio

from actorflow.errors import ActorflowError

from .errand import Ending, Errand
from .run import FOR_EVER, Run
from .turns import BEGINS

if TYPE_CHECKING:
    from .host import Host

__all__ = ["Attempts"]

_log = logging.getLogger("actorflow.activity")

LINGER_S: Final = 1.0
"""How long an attempt may take to end once its time is over, before it is given up."""


class _Gathered:
    """Errands that one call is to answer."""

    def __init__(self) -> None:
        self.errands: list[Errand] = []
        self.full = trio.Event()


class Attempts:
    """Runs what errands let begin."""

    def __init__(self, host: Host, nursery: trio.Nursery, threads: int) -> None:
        self.host = host
        self.limiter = trio.CapacityLimiter(threads)
        self.token = trio.lowlevel.current_trio_token()
        self.thread = threading.get_ident()
        self.running: dict[Run, None] = {}
        self.hanging: dict[str, None] = {}
        """Threads whose function still runs although it was given up."""
        self._threads = threads
        self._lent = 0
        """Places given to others for those that hanging threads keep."""
        self._present: dict[Run, None] = {}
        """Those whose function may still run, given up or not."""
        self._all_over: trio.Event | None = None
        self._all_gone: trio.Event | None = None
        """Set when none of those is there any more, once somebody waits for that."""
        self._gathered: dict[str, _Gathered] = {}
        self._over = False
        self._ready: deque[Run] = deque()
        """Those whose function begins as soon as the loop comes by."""
        self._coming = False
        """A task is on its way to them."""
        self.numbers = count(1)
        self._stirred = trio.Event()
        self._watched_at = FOR_EVER
        """When somebody looks whether one hangs."""
        self._nursery = nursery
        nursery.start_soon(self._watch)

    # -- beginning and ending ------------------------------------------------------------------------------

    def begin(self, errands: Iterable[Errand]) -> None:
        """Let attempts begin: the frame is durable that says so."""
        for errand in errands:
            batching = errand.activity.batching
            if batching is None:
                self._begin([errand])
                continue
            name = errand.activity.name
            gathered = self._gathered.get(name)
            if gathered is None:
                gathered = self._gathered[name] = _Gathered()
                self._nursery.start_soon(self._gather, name, gathered, batching.within.total_seconds())
            gathered.errands.append(errand)
            if len(gathered.errands) >= batching.at_most:
                del self._gathered[name]
                gathered.full.set()

    async def _gather(self, name: str, gathered: _Gathered, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await gathered.full.wait()
        if self._gathered.get(name) is gathered:
            del self._gathered[name]
        self._begin(gathered.errands)

    def _begin(self, errands: Sequence[Errand]) -> None:
        if self._over:
            return  # the next runtime takes these for interrupted
        run = Run(self, errands)
        self.running[run] = None
        self.host.in_turn((BEGINS, run.number), lambda: self._start(run))

    def _start(self, run: Run) -> None:
        if run in self.running:  # and the runtime is not being closed
            self._present[run] = None
            self._ready.append(run)
            self._call_a_taker()

    async def _take(self) -> None:
        """Run them one after the other for as long as none suspends: then another task goes on with the rest.

        A task for each takes a fifth of what a short one costs.
        """
        ready = self._ready
        self._coming = False
        clean = copy_context()
        while ready:
            run = ready.popleft()
            if ready:
                self._call_a_taker()
            await self._go(run)
            if copy_context() != clean:
                return  # what one has left in its task is not the next one's

    def _call_a_taker(self) -> None:
        if not self._coming:
            self._coming = True
            self._nursery.start_soon(self._take)

    async def _go(self, run: Run) -> None:
        try:
            await run.go()
        finally:
            del self._present[run]
            if self._all_gone is not None and not self._present:
                self._all_gone.set()

    def stop(self, errands: Iterable[Errand]) -> None:
        """Nobody wants these any more."""
        for errand in errands:
            if errand.run is not None:
                errand.run.withdraw()

    def ended(self, run: Run, endings: Sequence[Ending]) -> None:
        """Have it written down how the attempts of a run have ended; nothing, if it was given up."""
        if not self._let_go(run):
            return
        errands = self.host.population.errands
        for (errand, number), ending in zip(run.parts, endings, strict=True):
            errands.ended(errand, number, ending, self.host.clock())
        self.host.stir()

    def left_outside(self, run: Run, seconds: float) -> None:
        """Have it written down that the end of a run comes from outside, and how long it may take."""
        if not self._let_go(run):
            return
        now = self.host.clock()
        for errand, number in run.parts:
            self.host.population.errands.left_outside(errand, number, now + round(seconds * 1e6), now)
        self.host.stir()

    def _let_go(self, run: Run) -> bool:
        """Have a run be over; says whether it was still there, and not given up."""
        if run not in self.running:
            return False
        del self.running[run]
        if self._all_over is not None and not self.running:
            self._all_over.set()
        return True

    def beaten(self, run: Run, details: bytes) -> None:
        """Have it written down that a run is alive, and how far it has come."""
        if run in self.running:
            run.prolong()
            errands, now = self.host.population.errands, self.host.clock()
            for errand, number in run.parts:
                if errand.wants(number) and errands.beat(errand, details, now):
                    self.host.stir()

    # -- giving up -----------------------------------------------------------------------------------------

    async def finish(self, seconds: float) -> None:
        """Wait until all have ended, but not longer than this; those that then still run are made again."""
        with trio.move_on_after(seconds):
            with suppress(ActorflowError):  # of the journal: then nothing more begins
                await self.host.nothing_pending("closing")
            for gathered in self._gathered.values():
                gathered.full.set()
            await trio.lowlevel.checkpoint()
            while self.running or self._gathered:
                if self.running:
                    self._all_over = trio.Event()
                    await self._all_over.wait()
                await trio.lowlevel.checkpoint()
        self.drop()
        if self._present:
            self._all_gone = trio.Event()
            with trio.move_on_after(LINGER_S):
                await self._all_gone.wait()
        for run in self._present:
            _log.error("%s shields itself from being stopped: closing waits for it", run)

    def drop(self) -> None:
        """Let nothing begin any more, and give up whatever runs."""
        self._over = True
        for run in list(self.running):
            del self.running[run]
            run.scope.cancel()

    def hangs(self, name: str) -> None:
        """A thread does not end, and cannot be stopped: its place is lent to another, up to as many again."""
        self.hanging[name] = None
        if self._lent < self._threads:
            self._lent += 1
            self.limiter.total_tokens += 1

    def ends_at_last(self) -> None:
        """One of those has ended."""
        if self._lent > len(self.hanging):
            self._lent -= 1
            self.limiter.total_tokens -= 1

    @property
    def in_threads(self) -> list[Run]:
        """Those that have a thread, or wait for one."""
        return [run for run in self.running if run.in_thread]

    def see_time(self, run: Run) -> None:
        """Have it looked at in time whether a run hangs."""
        if run.scope.deadline + LINGER_S < self._watched_at:
            self._stirred.set()

    async def _watch(self) -> None:
        """Give up what does not end although its time is over."""
        while True:
            self._stirred = trio.Event()
            ends = min((run.scope.deadline for run in self.running), default=FOR_EVER)
            # Not oftener than that: many may run, and each may end at another time.
            self._watched_at = max(ends, trio.current_time()) + LINGER_S
            with trio.move_on_at(self._watched_at):
                await self._stirred.wait()
                continue
            now = trio.current_time()
            for run in list(self.running):
                if run.scope.deadline + LINGER_S <= now:
                    _log.error("%s hangs: it does not end, and is given up", run)
                    self.ended(run, run.late())
