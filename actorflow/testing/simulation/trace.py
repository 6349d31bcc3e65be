"""What has happened in a world: the last of it as lines to read, all of it as one digest.

Equal seeds give equal digests.  What is noted is bytes, numbers and texts; how a line reads is found out only
when somebody wants to read it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Final

from .agenda import Agenda

__all__ = ["KEPT", "Trace"]

KEPT: Final = 40
"""So many lines are shown of a world that failed."""

Reader = Callable[..., str]


class Trace:
    """The course of a world."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self._hash = blake2b(digest_size=16)
        self._last: deque[tuple[int, int, str, tuple[Any, ...], Reader | None]] = deque(maxlen=KEPT)
        self.step = 0
        self.counts: Counter[str] = Counter()

    def note(self, kind: str, *parts: Any, read: Reader | None = None) -> None:
        """Something has happened; ``read`` makes a text of its parts."""
        self.counts[kind] += 1
        now = self._agenda.now
        self._hash.update(repr((now, kind, parts)).encode("utf-8", "backslashreplace"))
        self._last.append((self.step, now, kind, parts, read))

    @property
    def digest(self) -> str:
        """Of everything that has happened."""
        return self._hash.hexdigest()

    def lines(self) -> list[str]:
        """The last of it, to be read."""
        return [self._line(*one) for one in self._last]

    def _line(self, step: int, now: int, kind: str, parts: tuple[Any, ...], read: Reader | None) -> str:
        try:
            text = ", ".join(map(_shown, parts)) if read is None else read(*parts)
        except Exception as error:  # noqa: BLE001 - what cannot be read must not hide what went wrong
            text = f"{', '.join(map(_shown, parts))} (unreadable: {error})"
        return f"{step:>5} {timedelta(microseconds=now)!s:>20}  {kind:<12} {text}"


def _shown(part: object) -> str:
    return part.hex()[:32] if isinstance(part, bytes) else str(part)
