"""A gate that readers pass together, and that is shut while the ground they stand on moves.

Knows threads alone.  LMDB's map may not move or be closed while a transaction reads from it, and says
nothing if it does: the process dies.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["Gate"]


class Gate:
    """``with gate:`` reads; ``with gate.shut():`` waits until nobody is inside, and lets nobody in."""

    __slots__ = ("_changed", "_inside", "_lock", "_shut")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._inside = 0
        self._shut = False

    def __enter__(self) -> None:
        with self._lock:
            while self._shut:
                self._changed.wait()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._shut:
                self._changed.notify_all()

    @contextmanager
    def shut(self) -> Generator[None]:
        """Have the ground to oneself; one at a time."""
        with self._lock:
            while self._shut:
                self._changed.wait()
            self._shut = True
            while self._inside:
                self._changed.wait()
        try:
            yield
        finally:
            with self._lock:
                self._shut = False
                self._changed.notify_all()
