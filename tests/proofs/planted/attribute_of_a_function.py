"""A function that counts its calls on itself."""

from __future__ import annotations

from actorflow import entity, signal
from tests.proofs import ledger

SAYS = "what handlers remember belongs in fields"


@entity
class Planted:
    n: int = 0

    @signal
    def add(self) -> None:
        self.n = ledger.greet()


@entity
class Mended:
    n: int = 0

    @signal
    def add(self) -> None:
        self.n += 1
