"""A number that is stored as another type, and comes back as that."""

from __future__ import annotations

from actorflow import entity, signal

SAYS = "is stored"


@entity
class Planted:
    price: float = 0.0

    @signal
    def set(self, cents: int) -> None:
        self.price = cents


@entity
class Mended:
    price: float = 0.0

    @signal
    def set(self, cents: int) -> None:
        self.price = float(cents)
