"""A list out of a cache, to which every actor adds."""

from __future__ import annotations

from attrs import field

from actorflow import entity, signal
from tests.proofs import ledger

SAYS = "what handlers remember belongs in fields"


@entity
class Planted:
    words: list[str] = field(factory=list[str])

    @signal
    def add(self, sku: str) -> None:
        words = ledger.template()
        words.append(sku)
        self.words = list(words)


@entity
class Mended:
    words: list[str] = field(factory=list[str])

    @signal
    def add(self, sku: str) -> None:
        self.words = [*self.words, sku]
