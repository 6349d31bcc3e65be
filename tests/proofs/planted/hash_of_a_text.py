"""The hash of a text."""

from __future__ import annotations

from actorflow import entity, signal
from tests.proofs import outside

SAYS = "would be different on replay"


@entity
class Planted:
    n: int = 0

    @signal
    def add(self, sku: str) -> None:
        self.n = outside.text_hash(sku)


@entity
class Mended:
    n: int = 0

    @signal
    def add(self, sku: str) -> None:
        self.n = len(sku)
