"""Numbers from an iterator of the module."""

from __future__ import annotations

from actorflow import entity, signal
from tests.proofs import ledger

SAYS = "what handlers remember belongs in fields"


@entity
class Planted:
    n: int = 0

    @signal
    def add(self) -> None:
        self.n = next(ledger.NUMBERS)


@entity
class Mended:
    n: int = 0

    @signal
    def add(self) -> None:
        self.n += 1
