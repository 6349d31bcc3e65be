"""Which faults there are in a world, how often each comes, and the dice that everything is drawn from.

Each kind has dice of its own, so that a fault which is left out leaves the others where they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log
from random import Random
from typing import Final

import attrs
from attrs import field, frozen
from attrs.validators import ge, le

from actorflow.errors import UsageError

__all__ = ["Dice", "Faults"]


def _rate(default: float) -> float:
    rate: float = field(default=default, validator=[ge(0.0), le(1.0)])
    return rate


@frozen(kw_only=True)
class Faults:
    """How likely each fault is, at every occasion that there is for it.

    Not every world has all of them: each seed leaves some out and lets others come more often, because what
    always comes together hides what only one of them brings to light.
    """

    # At every step of the world.
    crash: float = _rate(0.006)
    """The process is killed, wherever it is."""
    power: float = _rate(0.003)
    """The power fails: what was being written is there as a whole, or not at all."""
    restart: float = _rate(0.003)
    """The process is stopped in an orderly way, and started again."""
    clock: float = _rate(0.005)
    """The wall clock jumps, forth or back, by up to twelve hours."""
    lull: float = _rate(0.003)
    """Nobody comes for a while: a second, or forty days."""
    room: float = _rate(0.003)
    """The journal is at its quota for a while, and takes nothing new."""

    # At every commit.
    slow: float = _rate(0.08)
    """It takes seconds."""
    fail: float = _rate(0.015)
    """It raises; whether it is on the disk turns out when the journal is opened again."""
    full: float = _rate(0.008)
    """There is not even room for what has begun."""

    # At every attempt of an activity.
    error: float = _rate(0.15)
    """It raises, before or after it has done its work."""
    hang: float = _rate(0.05)
    """It does not come back in time; its answer comes when it was given up."""
    twice: float = _rate(0.08)
    """Its answer comes twice."""

    # At every call.
    cancel: float = _rate(0.02)
    """The caller gives up waiting, and goes away."""
    lost: float = _rate(0.04)
    """The answer gets lost, and the caller is told ``Unknown``."""

    @classmethod
    def none(cls) -> Faults:
        """Nothing goes wrong."""
        return cls(**dict.fromkeys(cls.kinds(), 0.0))

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        """The names of all faults."""
        return tuple(one.name for one in attrs.fields(cls))

    def without(self, kinds: Iterable[str]) -> Faults:
        """The same, but for these."""
        kinds = tuple(kinds)
        for kind in kinds:
            if kind not in self.kinds():
                raise UsageError(f"there is no fault {kind!r}; there are {', '.join(self.kinds())}")
        return attrs.evolve(self, **dict.fromkeys(kinds, 0.0))

    def mixed(self, dice: Dice) -> Faults:
        """What one seed makes of these: some left out, some more often."""
        mixed = {kind: min(1.0, getattr(self, kind) * dice.choice(SHARES)) for kind in self.kinds()}
        return Faults(**mixed)


SHARES: Final = (0.0, 0.0, 0.5, 1.0, 1.0, 3.0)


class Dice(Random):
    """Everything that is drawn, for one purpose, in one world."""

    def __init__(self, seed: object, purpose: str) -> None:
        super().__init__(f"{seed} {purpose}")
        self._of = f"{seed} {purpose}"

    def of(self, purpose: str) -> Dice:
        """Other dice, that follow from these."""
        return Dice(self._of, purpose)

    def hits(self, rate: float) -> bool:
        """Whether something so likely happens; always one draw."""
        return self.random() < rate

    def between(self, least_us: int, most_us: int) -> int:
        """A time: small ones as often as large ones."""
        return round(exp(self.uniform(log(least_us), log(most_us))))
