"""The line of one activity: who runs, who waits for a turn; its rate and its circuit.  Says who may begin."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from actorflow._core.facts import MICROSECOND, OK, TIMED_OUT, Instant

from .errand import WAITS, Ending, Errand

if TYPE_CHECKING:
    from actorflow._authoring.options import Options

__all__ = ["Line", "is_final"]

_log = logging.getLogger("actorflow.activity")


class Line:
    """The errands of one activity: those that run, and those that wait for their turn."""

    __slots__ = ("activity", "broken", "expected", "failures", "next_at", "running", "trial_at", "waiting")

    def __init__(self, activity: str) -> None:
        self.activity = activity
        self.running = 0
        self.waiting: deque[Errand] = deque()
        self.next_at: Instant = 0
        """Before that, the rate lets nothing begin."""
        self.failures = 0
        """In a row."""
        self.trial_at: Instant = 0
        """With the circuit broken: when one attempt may show whether it can be closed."""
        self.expected: Instant = 0
        """When it is looked at again of itself."""
        self.broken = False
        """What the activity depends on is taken to be down."""

    @property
    def waits(self) -> int:
        """How many wait for their turn."""
        return sum(errand.phase == WAITS for errand in self.waiting)

    def may_begin(self, errand: Errand, now: Instant) -> bool:
        """Whether, as far as its own activity goes, an attempt may begin now."""
        options = errand.options
        if options.concurrency is not None:
            batching = errand.activity.batching
            # A batched activity's bound is of calls.
            together = 1 if batching is None else batching.at_most
            if self.running >= options.concurrency * together:
                return False
        if self.next_at > now:
            return False
        # With the circuit broken, one attempt at a time may try.
        return not self.broken or (self.trial_at <= now and not self.running)

    def begins(self, options: Options, now: Instant) -> None:
        """One more runs."""
        self.running += 1
        if options.rate is not None:
            self.next_at = max(now, self.next_at) + round(1e6 / options.rate)

    @property
    def opens_at(self) -> Instant:
        """When its first may begin, as far as that is a matter of time."""
        return max(self.next_at, self.trial_at if self.broken else 0)

    def mind_circuit(self, options: Options, ending: Ending, now: Instant) -> None:
        """Break the circuit after too many failures in a row, and close it after anything else."""
        if ending.how == OK or (is_final(options, ending) and ending.types and not ending.down):
            self.failures = 0  # the other side has answered, if only with a no
            if self.broken:
                self.broken = False
                _log.warning("the circuit of activity %s is closed again", self.activity)
            return
        self.failures += 1
        breaker = options.breaker
        if breaker is not None and (ending.down or self.failures >= breaker.failures):
            self.trial_at = now + breaker.pause // MICROSECOND
            if not self.broken:
                self.broken = True
                _log.warning("the circuit of activity %s is broken: its attempts wait", self.activity)

    def set_back(self, by: Instant) -> None:
        """The clock was set back by so much."""
        self.next_at -= by
        self.trial_at -= by
        self.expected -= by


def is_final(options: Options, ending: Ending) -> bool:
    """Whether no other attempt would mend it."""
    types = ending.types or (("TimeoutError",) if ending.how == TIMED_OUT else ())
    return ending.final or any(name in options.retry.non_retryable for name in types)
