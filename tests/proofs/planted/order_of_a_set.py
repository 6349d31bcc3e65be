"""The order of a set, in a function that the lint does not follow."""

from __future__ import annotations

from attrs import field

from actorflow import entity, signal
from tests.proofs import ledger

SAYS = "another process"


@entity
class Planted:
    words: list[str] = field(factory=list[str])

    @signal
    def add(self, sku: str) -> None:
        self.words = ledger.in_any_order([*self.words, sku])


@entity
class Mended:
    words: list[str] = field(factory=list[str])

    @signal
    def add(self, sku: str) -> None:
        self.words = ledger.in_order([*self.words, sku])
