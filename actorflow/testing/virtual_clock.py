"""The one time of a virtual runtime: for its loop in seconds, for its actors in microseconds since 1970.

It stands still until it is told to jump.  trio asks a clock how long it may sleep when no task can go on, and
this clock hands the question on: so whoever answers it knows that the loop is idle, and what is due next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from actorflow._core.facts import Instant

__all__ = ["FAR_S", "LONG_S", "VirtualClock"]

LONG_S: Final = 3_600.0
"""Of real time: until somebody rings."""
FAR_S: Final = 9e9
"""Beyond 285 years a float does not count microseconds any more, and what is due there never comes."""


class VirtualClock(trio.abc.Clock):
    """Time that passes only in jumps."""

    def __init__(self, start: Instant) -> None:
        self._start = start
        self._now = start
        self._seconds = 0.0
        self.idle: Callable[[float], float] = _rest
        """Is told what is due next whenever the loop has nothing to do; gives for how long it may sleep."""

    def now(self) -> Instant:
        """The time for actors."""
        return self._now

    def seconds_at(self, instant: Instant) -> float:
        """A time for actors, as the loop counts it."""
        return (instant - self._start) / 1e6

    def jump(self, seconds: float) -> None:
        """Let it be then, and for actors the nearest microsecond."""
        now = self._start + round(seconds * 1e6)
        # Whoever computed a deadline from the actors' time is to find that it has come, to the microsecond.
        self._now = max(self._now, now)
        self._seconds = max(self._seconds, seconds, self.seconds_at(now))

    # -- what trio asks ------------------------------------------------------------------------------------

    def start_clock(self) -> None:
        """Nothing runs that could be started; a second loop goes on where the first has ended."""

    def current_time(self) -> float:
        """The time for the loop."""
        return self._seconds

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """No task can go on: how long to wait for something from outside."""
        return 0.0 if deadline <= self._seconds else self.idle(deadline)


def _rest(_: float) -> float:
    return LONG_S
