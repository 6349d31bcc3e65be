"""What happens next, and what time it is: one heap of moments, from which everything in a world follows.

Time passes only from one moment to the next.  The wall clock is another matter: it may jump.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import Final

from actorflow._core.facts import EPOCH, MICROSECOND, Instant

__all__ = ["BEGINNING", "DAY_US", "HOUR_US", "MILLISECOND_US", "SECOND_US", "Agenda"]

MILLISECOND_US: Final = 1_000
SECOND_US: Final = 1_000_000
HOUR_US: Final = 3_600 * SECOND_US
DAY_US: Final = 24 * HOUR_US
BEGINNING: Final[Instant] = (datetime(2026, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
"""What the wall clock shows when a world begins."""


class Agenda:
    """What is going to happen, in its order."""

    def __init__(self) -> None:
        self.now = 0
        """Microseconds since the world began; never goes back."""
        self.skew = 0
        """By how much the wall clock is off."""
        self.latest: Instant = BEGINNING
        """The latest time that the wall clock has shown."""
        self._heap: list[tuple[int, int, Callable[[], object]]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._heap)

    def after(self, delay_us: int, what: Callable[[], object]) -> None:
        """Let something happen, later."""
        self._number += 1
        heappush(self._heap, (self.now + delay_us, self._number, what))

    def step(self) -> bool:
        """Let happen what is next; says whether there was anything."""
        if not self._heap:
            return False
        self.now, _, what = heappop(self._heap)
        what()
        return True

    def wall(self) -> Instant:
        """What the wall clock shows."""
        shown = BEGINNING + self.now + self.skew
        self.latest = max(self.latest, shown)
        return shown

    def jump(self, skew: int) -> None:
        """Let the wall clock be off by so much."""
        self.skew = skew
        self.wall()
