"""What a benchmark is made of: cases, and what a round of one came to.  Knows nothing of how they are run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from attrs import field, frozen

__all__ = ["SYNCED", "Asked", "Case", "Found", "Size", "Work", "at_least", "at_most"]

Size = Literal["tiny", "small", "full"]
"""Tiny: does it still run?  Small: a look, in seconds.  Full: the figures that are quoted."""

SYNCED: Final = "synced before every acknowledgement"
"""What our figures stand for unless a case says otherwise."""


@frozen
class Found:
    """What one round of a case came to."""

    figure: float
    """What was asked for, in the case's unit."""
    result: object = None
    """What came out, to show that nothing was left out for speed's sake: the same in every round."""
    also: Mapping[str, float] = field(factory=dict[str, float])
    """Figures that stand beside, by name."""
    curve: Sequence[tuple[float, float]] = ()
    """What a picture draws instead of the one figure: a distribution, as percentiles and milliseconds."""


Work = Callable[[Path], Found] | Callable[[Path], Coroutine[Any, Any, Found]]
"""One round, in a directory of its own and a process of its own; what is async runs in trio."""


class Asked(NamedTuple):
    """What a figure has to reach, or its ratio to the light."""

    bound: float
    of: Literal["figure", "light"]
    least: bool

    def kept(self, figure: float, share: float | None) -> bool:
        """Whether it does."""
        value = figure if self.of == "figure" else share
        if value is None:
            return False
        return value >= self.bound if self.least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.bound:,g}{' ×' if self.of == 'light' else ''}"


def at_least(bound: float, of: Literal["figure", "light"] = "light") -> Asked:
    """More is better."""
    return Asked(bound, of, least=True)


def at_most(bound: float, of: Literal["figure", "light"] = "light") -> Asked:
    """Less is better."""
    return Asked(bound, of, least=False)


@frozen(kw_only=True)
class Case:
    """One row of the table."""

    where: Mapping[str, str | int]
    """What sets it apart from the other rows: ``{"callers": 64, "actors": 100}``."""
    unit: str
    """Of the figure: ``/s``, ``ms``, ``µs``, ``MB``, …."""
    ours: Work
    light: Work | None = None
    """What it is read against: the least that it could cost, measured in turn with ours, in the same unit."""
    against: str = "light"
    """What that is, at the head of its column, where it is not the bare loop of ``_light``."""
    asked: Asked | None = None
    also_asked: Mapping[str, Asked] = field(factory=dict[str, Asked])
    """The same of figures that stand beside, by their names."""
    rounds: int = 3
    seconds_max: int = 900
    """A round that takes longer is ended, and has failed."""
    durability: str = SYNCED

    def __str__(self) -> str:
        return ", ".join(_said(name, value) for name, value in self.where.items())


def _said(name: str, value: str | int) -> str:
    """``64 callers``, ``1 caller``; what is a text speaks for itself."""
    if not isinstance(value, int):
        return value
    return f"{value:,} {name.removesuffix('s') if value == 1 else name}"
