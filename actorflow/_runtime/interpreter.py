"""What Python is told while a runtime is open: the collector comes by less often, threads take turns sooner.

The collector.  Every caller that waits is a handful of objects that have just been made and are still needed,
which the collector takes for a reason to look, and to look at everything else as well.  Measured with 1,024
callers: half of the time of a message.

Turns of threads.  Whoever wants the interpreter waits 5 ms until another thread has to let go of it, and a
message changes threads some four times.  Beside one thread that computes a single caller gets 65 messages a
second through; with what is said here 1,650, and the thread does 0.6 of what it does alone
(`benchmarks/busy_threads.py`).  It has to be shorter than a pass of the loop: with each, the loop lets go and
takes it again before anybody has woken, and who waits begins to count anew.

A process that has said something of its own keeps it.
"""

from __future__ import annotations

import gc
import sys
import threading
from typing import Final

__all__ = ["leave", "suit"]

PYTHONS_OWN: Final = frozenset({700, 2_000})
"""The collector's first threshold as Python comes with it: up to 3.12, and from 3.13 on."""
CALM: Final = (50_000, 20, 50)
PYTHONS_TURN_S: Final = 0.005
TURN_S: Final = 0.000_05

_lock = threading.Lock()
_open = 0
_thresholds: tuple[int, int, int] | None = None
"""What they were, where they were changed."""
_turned = False


def suit() -> None:
    """A runtime is opened."""
    global _open, _thresholds, _turned  # noqa: PLW0603 - what is counted here belongs to the process
    with _lock:
        _open += 1
        if _open > 1:
            return
        if gc.get_threshold()[0] in PYTHONS_OWN:
            _thresholds = gc.get_threshold()
            gc.set_threshold(*CALM)
        if _same(sys.getswitchinterval(), PYTHONS_TURN_S):
            _turned = True
            sys.setswitchinterval(TURN_S)


def leave() -> None:
    """A runtime is closed: with the last one, things are as they were."""
    global _open, _thresholds, _turned  # noqa: PLW0603 - as above
    with _lock:
        _open -= 1
        if _open:
            return
        if _thresholds is not None and gc.get_threshold() == CALM:
            gc.set_threshold(*_thresholds)
        if _turned and _same(sys.getswitchinterval(), TURN_S):
            sys.setswitchinterval(PYTHONS_TURN_S)
        _thresholds, _turned = None, False


def _same(one: float, other: float) -> bool:
    """Whether these are the same interval; Python counts microseconds."""
    return round(one * 1e6) == round(other * 1e6)
