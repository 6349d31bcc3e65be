"""A control of the search itself: a cache of what is the same everywhere is no bug."""

from __future__ import annotations

from actorflow import entity, signal
from tests.proofs import ledger

SAYS = "what handlers remember belongs in fields"


@entity
class Planted:
    n: int = 0

    @signal
    def add(self, number: int) -> None:
        self.n = ledger.add(ledger.square(number))


@entity
class Mended:
    n: int = 0

    @signal
    def add(self, number: int) -> None:
        self.n += ledger.square(number)
