"""Attempts of activities that run: ``async def`` as a trio task, ``def`` in a thread, each with its time.

An attempt that has outlived its time is given up, whether or not its function lets itself be stopped: the
errand goes on, and what the function still comes to is ignored.  A thread that hangs is named in the log, and
keeps its place among the threads until it ends.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from actorflow._authoring.activities import RUNNING, Attempt
from actorflow._codec import pack
from actorflow._core.facts import CANCELLED, OK, TIMED_OUT
from actorflow.errors import Cancelled, LimitExceeded

from .errand import Ending, Errand, ending_of

if TYPE_CHECKING:
    from .host import Host

__all__ = ["Attempts"]

_log = logging.getLogger("actorflow.activity")

LINGER_S: Final = 1.0
"""How long an attempt may take to end once its time is over, before it is given up."""


class Attempts:
    """Runs what errands let begin."""

    def __init__(self, host: Host, nursery: trio.Nursery, threads: int) -> None:
        self.host = host
        self.limiter = trio.CapacityLimiter(threads)
        self.token = trio.lowlevel.current_trio_token()
        self.thread = threading.get_ident()
        self.running: dict[_Run, None] = {}
        self.hanging: dict[str, None] = {}
        """Threads whose function still runs although it was given up."""
        self._nursery = nursery
        nursery.start_soon(self._watch)

    def begin(self, errands: Iterable[Errand]) -> None:
        """Let attempts begin: the frame is durable that says so."""
        for errand in errands:
            run = errand.run = _Run(self, errand)
            self.running[run] = None
            self._nursery.start_soon(run.go)

    def stop(self, errands: Iterable[Errand]) -> None:
        """Nobody wants these any more."""
        for errand in errands:
            if errand.run is not None:
                errand.run.withdraw()

    async def finish(self, seconds: float) -> None:
        """Wait until all have ended, but not longer than this; those that then still run are made again."""
        with trio.move_on_after(seconds):
            while self.running:
                await next(iter(self.running)).over.wait()
        for run in list(self.running):
            del self.running[run]
            run.scope.cancel()

    def ended(self, run: _Run, ending: Ending) -> None:
        """Have it written down how an attempt has ended; nothing, if it was given up."""
        if run not in self.running:
            return
        del self.running[run]
        run.over.set()
        self.host.population.errands.ended(run.errand, run.number, ending, self.host.clock())
        self.host.stir()

    async def _watch(self) -> None:
        """Give up what does not end although its time is over."""
        while True:
            await trio.sleep(LINGER_S)
            now = trio.current_time()
            for run in list(self.running):
                if run.scope.deadline + LINGER_S < now:
                    _log.error("%s hangs: attempt %d does not end, and is given up", run.errand, run.number)
                    self.ended(run, Ending(TIMED_OUT, pack(run.lateness())))


class _Run:
    """One attempt."""

    def __init__(self, attempts: Attempts, errand: Errand) -> None:
        self.errand = errand
        self.number = errand.attempt
        self.over = trio.Event()
        self._attempts = attempts
        self._wanted = True
        self._outside = False
        options = errand.options
        now = trio.current_time()
        self._close_at = now + options.start_to_close.total_seconds()
        if errand.close_by is not None:
            self._close_at = min(self._close_at, now + (errand.close_by - attempts.host.clock()) / 1e6)
        self._silence = float("inf") if options.heartbeat is None else options.heartbeat.total_seconds()
        self.scope = trio.CancelScope(deadline=min(self._close_at, now + self._silence))

    async def go(self) -> None:
        """Run the function, and tell how it ended."""
        ending = await self._ending() if self._wanted else Ending(CANCELLED)
        if ending.how == OK and self._outside:
            self._leave_outside()
        else:
            self._attempts.ended(self, ending)

    async def _ending(self) -> Ending:
        errand = self.errand
        activity = errand.activity
        RUNNING.set(Attempt(self.number, errand.key, errand.details, self._beat, self._complete_later))
        try:
            arguments = activity.arguments.decode(errand.body)
            with self.scope:
                if activity.waits:
                    answer = await activity.run(*arguments)
                else:
                    answer = await self._in_thread(partial(activity.run, *arguments))
                return Ending(OK) if self._outside else self._packed(answer)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises is how the attempt ended
            return ending_of(error)
        except Cancelled:
            return Ending(CANCELLED)
        if self._wanted:
            return Ending(TIMED_OUT, pack(self.lateness()))
        return Ending(CANCELLED)

    def _packed(self, answer: Any) -> Ending:
        errand = self.errand
        limit = self._attempts.host.spec(errand.address[0]).limits.payload_bytes
        try:
            body = errand.activity.arguments.answer.encode(answer)
        except Exception as error:  # noqa: BLE001 - it has done its work, and would do it again in vain
            return ending_of(error)._replace(final=True)
        if len(body) <= limit:
            return Ending(OK, body)
        over = LimitExceeded(str(errand), f"{len(body)} bytes for its answer", "payload_bytes", limit)
        return ending_of(over)._replace(final=True)

    async def _in_thread(self, work: partial[Any]) -> Any:
        attempts, number = self._attempts, self.number
        name = f"{self.errand}, attempt {number}"
        state = {"ended": False}

        def watched() -> Any:
            try:
                return work()
            finally:
                state["ended"] = True
                if name in attempts.hanging:
                    attempts.hanging.pop(name, None)
                    _log.warning("the thread %r has ended at last; nobody waits for what it came to", name)

        try:
            return await trio.to_thread.run_sync(
                watched, thread_name=name, abandon_on_cancel=True, limiter=attempts.limiter
            )
        except trio.Cancelled:
            if not state["ended"]:
                attempts.hanging[name] = None
                if state["ended"]:  # just now
                    attempts.hanging.pop(name, None)
                    raise
                _log.error("the thread %r hangs: its time is over, and it cannot be stopped", name)
            raise

    def lateness(self) -> str:
        """Why its time is over."""
        if trio.current_time() < self._close_at:
            return f"no heartbeat came for {self._silence:g} s"
        errand = self.errand
        if errand.close_by is not None and errand.close_by <= self._attempts.host.clock():
            return f"all attempts together took longer than {errand.options.schedule_to_close}"
        return f"it took longer than {errand.options.start_to_close}"

    def withdraw(self) -> None:
        """Nobody wants it any more; a thread is told at its next heartbeat."""
        self._wanted = False
        if self.errand.activity.waits:
            self.scope.cancel()

    # -- what the function may say while it runs -----------------------------------------------------------

    def _beat(self, details: bytes) -> bool:
        if not self._wanted or self not in self._attempts.running:
            return False
        if threading.get_ident() == self._attempts.thread:
            self._beaten(details)
        else:
            self._attempts.token.run_sync_soon(self._beaten, details)
        return True

    def _beaten(self, details: bytes) -> None:
        attempts = self._attempts
        if self in attempts.running:
            self.scope.deadline = min(self._close_at, trio.current_time() + self._silence)
            if attempts.host.population.errands.beat(self.errand, details, attempts.host.clock()):
                attempts.host.stir()

    def _complete_later(self) -> str:
        self._outside = True
        return self.errand.token(self.number)

    def _leave_outside(self) -> None:
        attempts = self._attempts
        if self not in attempts.running:
            return
        del attempts.running[self]
        self.over.set()
        now = attempts.host.clock()
        left = max(0, round((self._close_at - trio.current_time()) * 1e6))
        attempts.host.population.errands.left_outside(self.errand, self.number, now + left, now)
        attempts.host.stir()
