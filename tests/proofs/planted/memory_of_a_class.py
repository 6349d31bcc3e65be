"""A list on a class that all actors of a process share."""

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
        ledger.Registry.seen.append(sku)
        self.n = len(ledger.Registry.seen)


@entity
class Mended:
    n: int = 0
    seen: list[str] = field(factory=list[str])

    @signal
    def add(self, sku: str) -> None:
        self.seen.append(sku)
        self.n = len(self.seen)
