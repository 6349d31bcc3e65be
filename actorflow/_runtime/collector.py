"""Python's garbage collector while a runtime is open: it comes by less often.

Every caller that waits is a handful of objects that have just been made and are still needed, which the
collector takes for a reason to look, and to look at everything else as well.  Measured with 1,024 callers:
half of the time of a message.  A process that has set thresholds of its own keeps them.
"""

from __future__ import annotations

import gc
import threading
from typing import Final

__all__ = ["calm", "stir"]

PYTHONS_OWN: Final = frozenset({700, 2_000})
"""The first threshold as Python comes with it: up to 3.12, and from 3.13 on."""
CALM: Final = (50_000, 20, 50)

_lock = threading.Lock()
_open = 0
_before: tuple[int, int, int] | None = None


def calm() -> None:
    """A runtime is opened."""
    global _open, _before  # noqa: PLW0603 - what is counted here belongs to the process
    with _lock:
        _open += 1
        if _open == 1 and gc.get_threshold()[0] in PYTHONS_OWN:
            _before = gc.get_threshold()
            gc.set_threshold(*CALM)


def stir() -> None:
    """A runtime is closed: with the last one, things are as they were."""
    global _open, _before  # noqa: PLW0603 - as above
    with _lock:
        _open -= 1
        if not _open and _before is not None:
            if gc.get_threshold() == CALM:
                gc.set_threshold(*_before)
            _before = None
