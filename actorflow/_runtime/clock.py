"""What time it is: microseconds since 1970, from the wall, as it is."""

from __future__ import annotations

import time

from actorflow._core.facts import Instant

__all__ = ["wall"]


def wall() -> Instant:
    """The time on the wall, which may jump; an actor's own time never goes back."""
    return time.time_ns() // 1_000
