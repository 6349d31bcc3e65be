"""One run of an activity's function: ``async def`` as a trio task, ``def`` in a thread.  Knows its time.

It is the attempt of one errand, or of many that a batched activity answers together.  A thread cannot be
stopped: one that outlives its time is named in the log, and its place among the threads is lent to another.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from actorflow._authoring.attempt import RUNNING, Attempt, one_of
from actorflow._codec import pack
from actorflow._core.facts import CANCELLED, OK, TIMED_OUT
from actorflow.errors import Cancelled, LimitExceeded, NotInHandler

from .errand import Ending, Errand, alone, ending_of
from .turns import ENDS

if TYPE_CHECKING:
    from .attempts import Attempts

__all__ = ["Run"]

_log = logging.getLogger("actorflow.activity")

FOR_EVER: Final = float("inf")
A_MOMENT_US: Final = 1_000
"""By so much two clocks may differ that began at the same time."""


class Run:
    """One run of a function."""

    def __init__(self, attempts: Attempts, errands: Sequence[Errand]) -> None:
        self.parts = [(errand, errand.attempt) for errand in errands]
        for errand in errands:
            errand.run = self
        self._first = first = errands[0]
        self._attempts = attempts
        self._outside = False
        self.number = next(attempts.numbers)
        self._does = attempts.host.stand_ins.get(first.activity.name, first.activity)
        self._in_thread = not self._does.waits
        self._began = False
        self.in_thread = False
        """Its function is in a thread, or waits for one."""
        self.thread: int | None = None
        """That thread, once it has begun."""
        heartbeat = first.options.heartbeat
        self._silence = FOR_EVER if heartbeat is None else heartbeat.total_seconds()
        self._close_at = self._ends()
        # Given at once: setting a deadline later costs as much as all the rest of this.
        self.scope = trio.CancelScope(deadline=self._silent_until())
        attempts.see_time(self)

    def __str__(self) -> str:
        errand, number = self.parts[0]
        more = f", and of {len(self.parts) - 1} others" if len(self.parts) > 1 else ""
        return f"{errand}, attempt {number}{more}"

    # -- time ----------------------------------------------------------------------------------------------

    def _ends(self) -> float:
        """When it has to be over; the time of a thread begins with the thread."""
        left = FOR_EVER
        if self._began or not self._in_thread:
            left = self._first.options.start_to_close.total_seconds()
        for errand, _ in self.parts:
            if errand.close_by is not None:
                left = min(left, (errand.close_by - self._attempts.host.clock()) / 1e6)
        return trio.current_time() + left

    def _silent_until(self) -> float:
        """When it has to be over, or to have been heard of."""
        if self._silence == FOR_EVER or (self._in_thread and not self._began):
            return self._close_at
        return min(self._close_at, trio.current_time() + self._silence)

    def _thread_began(self) -> None:
        self._close_at = self._ends()
        self.prolong()

    def prolong(self) -> None:
        """It is alive."""
        self.scope.deadline = self._silent_until()
        self._attempts.see_time(self)

    def late(self) -> list[Ending]:
        """How its attempts end when its time is over."""
        return [Ending(TIMED_OUT, pack(self._why_late(errand))) for errand, _ in self.parts]

    def _why_late(self, errand: Errand) -> str:
        if trio.current_time() < self._close_at:
            return f"no heartbeat came for {self._silence:g} s"
        if errand.close_by is not None and errand.close_by <= self._attempts.host.clock() + A_MOMENT_US:
            return f"all attempts together took longer than {errand.options.schedule_to_close}"
        return f"it took longer than {errand.options.start_to_close}"

    # -- running -------------------------------------------------------------------------------------------

    async def go(self) -> None:
        """Run the function, and tell how it ended."""
        endings = await self._endings() if self.wanted else [Ending(CANCELLED)] * len(self.parts)
        self._attempts.host.in_turn((ENDS, self.number), lambda: self._tell(endings))

    def _tell(self, endings: Sequence[Ending]) -> None:
        if self._outside and endings[0].how == OK:
            self._attempts.left_outside(self, max(0.0, self._close_at - trio.current_time()))
        else:
            self._attempts.ended(self, endings)

    async def _endings(self) -> list[Ending]:
        activity = self._first.activity
        count = len(self.parts)
        number = max(number for _, number in self.parts)
        token = RUNNING.set(Attempt(number, self._keys, self._first.details, self._beat, self._leave))
        try:
            bodies = [activity.arguments.decode(errand.body) for errand, _ in self.parts]
            arguments = bodies[0] if activity.batching is None else ([item for (item,) in bodies],)
            with self.scope:
                if self._in_thread:
                    answer = await self._thread(partial(self._does.run, *arguments))
                else:
                    answer = await self._does.run(*arguments)
                if self._outside:
                    return [Ending(OK)]
                if activity.batching is None:
                    return [self._packed(self._first, answer)]
                return [self._packed_one(place, answer) for place in range(count)]
        except (trio.Cancelled, KeyboardInterrupt):
            raise  # it is the runtime that ends
        except BaseException as error:  # noqa: BLE001 - whatever it raises is how the attempt ended
            if isinstance(alone(error), Cancelled):
                return [Ending(CANCELLED)] * count
            return [ending_of(error)] * count
        finally:
            RUNNING.reset(token)
        return self.late() if self.wanted else [Ending(CANCELLED)] * count

    def _keys(self) -> tuple[str, ...]:
        return tuple(errand.key for errand, _ in self.parts)

    def _packed_one(self, place: int, answers: Any) -> Ending:
        try:
            answer = one_of(answers, place, len(self.parts))
        except Exception as error:  # noqa: BLE001 - one of many has failed, with whatever stands in its place
            return ending_of(error)
        return self._packed(self.parts[place][0], answer)

    def _packed(self, errand: Errand, answer: Any) -> Ending:
        limit = self._attempts.host.spec(errand.address[0]).limits.payload_bytes
        try:
            body = errand.activity.arguments.answer.encode(answer)
        except Exception as error:  # noqa: BLE001 - it has done its work, and would do it again in vain
            return ending_of(error)._replace(final=True)
        if len(body) <= limit:
            return Ending(OK, body)
        over = LimitExceeded(str(errand), f"{len(body)} bytes for its answer", "payload_bytes", limit)
        return ending_of(over)._replace(final=True)

    async def _thread(self, work: partial[Any]) -> Any:
        attempts, (seq, position) = self._attempts, self._first.ref
        name = f"{self} ({seq}.{position})"
        ended = threading.Event()

        def watched() -> Any:
            self._began = True
            self.thread = threading.get_ident()
            attempts.token.run_sync_soon(self._thread_began)
            try:
                return work()
            finally:
                ended.set()
                if attempts.hanging.pop(name, ended) is None:
                    _log.warning("the thread %r has ended at last; nobody waits for what it came to", name)
                    with suppress(trio.RunFinishedError):
                        attempts.token.run_sync_soon(attempts.ends_at_last)

        self.in_thread = True
        try:
            return await trio.to_thread.run_sync(
                watched, thread_name=name, abandon_on_cancel=True, limiter=attempts.limiter
            )
        except trio.Cancelled:
            if self._began and not ended.is_set():
                attempts.hangs(name)
                _log.error("the thread %r hangs: its time is over, and it cannot be stopped", name)
                if ended.is_set():  # just now
                    attempts.hanging.pop(name, None)
                    attempts.ends_at_last()
            raise
        finally:
            self.in_thread = False

    # -- nobody wants it any more --------------------------------------------------------------------------

    @property
    def wanted(self) -> bool:
        """Whether anybody waits for it."""
        return any(errand.wants(number) for errand, number in self.parts)

    def withdraw(self) -> None:
        """See whether anybody waits for it still; a thread that runs is told at its next heartbeat."""
        if not self.wanted and not self._began:
            self.scope.cancel()

    # -- what the function may say while it runs -----------------------------------------------------------

    def _beat(self, details: bytes) -> bool:
        if not self.wanted or self not in self._attempts.running:
            return False
        limit = self._attempts.host.limits.payload_bytes
        if len(details) > limit:
            raise LimitExceeded(str(self), f"{len(details)} bytes for a heartbeat", "payload_bytes", limit)
        if threading.get_ident() == self._attempts.thread:
            self._attempts.beaten(self, details)
        else:
            self._attempts.token.run_sync_soon(self._attempts.beaten, self, details)
        return True

    def _leave(self) -> str:
        if len(self.parts) > 1 or self._first.activity.batching is not None:
            raise NotInHandler("complete_later()", "a batched activity answers at once")
        self._outside = True
        return self._first.token(self.parts[0][1])
