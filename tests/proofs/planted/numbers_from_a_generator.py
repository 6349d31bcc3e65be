"""Numbers from a generator, which no tool can copy."""

from __future__ import annotations

from actorflow import entity, signal
from tests.proofs import ledger

SAYS = "what handlers remember belongs in fields"


@entity
class Planted:
    n: int = 0

    @signal
    def add(self) -> None:
        self.n = next(ledger.TICKETS)


@entity
class Mended:
    n: int = 0

    @signal
    def add(self) -> None:
        self.n += 1
