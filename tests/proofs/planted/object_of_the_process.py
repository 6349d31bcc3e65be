"""An object of which there is one in each process."""

from __future__ import annotations

from attrs import field

from actorflow import entity, signal
from tests.proofs import ledger

SAYS = "what handlers remember belongs in fields"


@entity
class Planted:
    n: int = 0

    @signal
    def add(self, sku: str) -> None:
        self.n = ledger.BOOK.write(sku)


@entity
class Mended:
    n: int = 0
    lines: list[str] = field(factory=list[str])

    @signal
    def add(self, sku: str) -> None:
        self.lines.append(sku)
        self.n = len(self.lines)
