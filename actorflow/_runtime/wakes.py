"""Who has something to do, and when: the near future in memory, the far one in a table.  Knows no clock.

An entry may come too early (the timer was armed again, later) but never too late, so whoever is woken looks
for himself and says when to be woken next.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

from actorflow._core.facts import Instant

from .tables import NUMBER_BYTES

__all__ = ["FOR_EVER", "NEAR_US", "Wakes"]

NEAR_US: Final = 3_600_000_000
"""What falls due within the hour is in memory; later than that, the table is read again."""
PAGE_ROWS: Final = 1_000
FOR_EVER: Final[Instant] = 1 << 63


class Wakes:
    """Paths by the time at which to look at them."""

    def __init__(
        self, scan: Callable[[bytes, bytes, int], list[tuple[bytes, bytes]]], near_us: int = NEAR_US
    ) -> None:
        self._scan = scan
        self._near_us = near_us
        self._heap: list[tuple[Instant, bytes]] = []
        self._known_to = 0
        """When the table has to be read again at the latest; 0 if it has not been read."""
        self._cursor = b""
        """What sorts before this in the table is in the heap, or has been."""
        self.far: Instant = FOR_EVER
        """What is due from then on is left to the table, whoever it is for."""

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due: Instant, path: bytes) -> bool:
        """Have somebody looked at; says whether it is in memory: what is far off is left to the table."""
        if due >= self.far:
            return False
        heappush(self._heap, (due, path))
        return True

    @property
    def first(self) -> Instant:
        """The earliest that is known in memory."""
        return self._heap[0][0] if self._heap else FOR_EVER

    def next(self, now: Instant) -> Instant:
        """When to look next."""
        self._read(now)
        return min(self.first, self._known_to)

    def take(self, now: Instant) -> bytes | None:
        """Somebody to look at now."""
        self._read(now)
        if self._heap and self._heap[0][0] <= now:
            return heappop(self._heap)[1]
        return None

    def _read(self, now: Instant) -> None:
        """Bring the near future into memory, a page at a time."""
        while self._known_to <= now + self._near_us // 2 and not (self._heap and self._heap[0][0] <= now):
            horizon = (now + self._near_us).to_bytes(NUMBER_BYTES, "big")
            rows = self._scan(self._cursor, horizon, PAGE_ROWS)
            for key, _ in rows:
                heappush(self._heap, (int.from_bytes(key[:NUMBER_BYTES], "big"), key[NUMBER_BYTES:]))
            if len(rows) < PAGE_ROWS:
                self._cursor = horizon
                self._known_to = now + self._near_us
            else:
                self._cursor = rows[-1][0] + b"\0"
                self._known_to = int.from_bytes(self._cursor[:NUMBER_BYTES], "big")
        if self._known_to:
            # The clock may be past what is known: after a jump, or with pages to read still.  What is armed
            # for soon would then be left to a table that has no row for it before it is due.
            self.far = max(self._known_to, now + NEAR_US // 2) + 1
