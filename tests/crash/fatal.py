"""A journal in whose calls the process is killed, so that it dies at a moment that is known.

``before-commit:7`` dies as the seventh commit is about to be written, ``after-commit:7`` when it is on the
disk and nobody knows.  ``checkpoint`` counts commits that bring the tables up to the log, ``forget`` those
that cut it off, ``closing`` those after the callers have left, ``note`` actors on their way into memory,
``open`` openings.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from persistence import LmdbJournal
from persistence._batch import Collected

__all__ = ["FatalJournal"]


class FatalJournal(LmdbJournal):
    """A journal that may be the end."""

    def __init__(
        self,
        path: Path,
        die: str = "",
        *,
        quota_bytes: int = 64 << 30,
        durability: Literal["power", "process"] = "power",
    ) -> None:
        super().__init__(path, quota_bytes=quota_bytes, durability=durability)
        self._side, _, place = die.partition("-")
        self._place, _, number = place.partition(":")
        self._number = int(number or 1)
        self._counts: Counter[str] = Counter()
        self.closing = False
        """The callers have left."""

    def open(self, tables: Sequence[str], /) -> None:
        self._dies("before", "open")
        super().open(tables)
        self._dies("after", "open")

    def note(self, text: bytes, /) -> None:
        if text:
            self._dies("before", "note")
        super().note(text)
        if text:
            self._dies("after", "note")

    def _commit(self, batch: Collected, /) -> None:
        places = ["commit"]
        places += ["checkpoint"] * ("heads" in batch.rows)
        places += ["forget"] * batch.forgot
        places += ["closing"] * self.closing
        for place in places:
            self._dies("before", place)
        super()._commit(batch)
        for place in places:
            self._dies("after", place)

    def _dies(self, side: str, place: str) -> None:
        if side == self._side and place == self._place:
            self._counts[side] += 1
            if self._counts[side] == self._number:
                os.kill(os.getpid(), signal.SIGKILL)
