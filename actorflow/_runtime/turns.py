"""When the beginning of an attempt, and the news of its end, take place: at once, unless a host orders them.

A host that has to do the same thing every time it is run puts those of one moment into an order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["BEGINS", "ENDS", "InTurn", "Place", "at_once"]

BEGINS: Final = 0
ENDS: Final = 1
Place = tuple[int, int]
"""What of it takes place, and the number of the run: smaller places come first."""
InTurn = Callable[[Place, Callable[[], None]], None]


def at_once(_: Place, work: Callable[[], None]) -> None:
    """Now."""
    work()
