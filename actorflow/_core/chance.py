"""Chance that is the same on every replay: a pure function of a seed.  Knows no other source.

An own generator, because ``random.Random`` may change how it draws between Python versions, and a journal
outlives those.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from hashlib import blake2b
from typing import TypeVar

__all__ = ["Chance"]

T = TypeVar("T")
_FLOAT_BITS = 53


class Chance:
    """A generator of random values; the same seed draws the same values for ever."""

    __slots__ = ("_count", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._count = 0

    def bytes(self, length: int) -> bytes:
        """So many random bytes."""
        drawn = b""
        while len(drawn) < length:
            self._count += 1
            drawn += blake2b(self._count.to_bytes(8, "big"), key=self._seed).digest()
        return drawn[:length]

    def getrandbits(self, bits: int) -> int:
        """A whole number of so many random bits."""
        return int.from_bytes(self.bytes((bits + 7) // 8), "big") >> (-bits % 8)

    def random(self) -> float:
        """A float from 0 up to, but not including, 1."""
        return self.getrandbits(_FLOAT_BITS) / (1 << _FLOAT_BITS)

    def uniform(self, low: float, high: float) -> float:
        """A float between the two."""
        return low + (high - low) * self.random()

    def randrange(self, start: int, stop: int | None = None) -> int:
        """A whole number below ``start``, or from ``start`` up to, but not including, ``stop``."""
        low, high = (0, start) if stop is None else (start, stop)
        if high <= low:
            raise ValueError(f"there is no whole number from {low} up to, but not including, {high}")
        span = high - low
        bits = span.bit_length()
        while (drawn := self.getrandbits(bits)) >= span:
            pass  # draw again: folding the surplus back would prefer some numbers
        return low + drawn

    def randint(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return self.randrange(low, high + 1)

    def choice(self, options: Sequence[T]) -> T:
        """One of them."""
        return options[self.randrange(len(options))]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Put them in random order, in place."""
        for last in range(len(items) - 1, 0, -1):
            other = self.randrange(last + 1)
            items[last], items[other] = items[other], items[last]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """So many different ones of them, in random order."""
        if count > len(options):
            raise ValueError(f"cannot take {count} of {len(options)}")
        drawn = list(options)
        self.shuffle(drawn)
        return drawn[:count]
