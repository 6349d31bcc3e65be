"""A total that lives in a module which the entity only calls."""

from __future__ import annotations

from actorflow import entity, signal
from tests.proofs import ledger

SAYS = "what handlers remember belongs in fields"


@entity
class Planted:
    n: int = 0

    @signal
    def add(self, cents: int) -> None:
        self.n = ledger.add(cents)


@entity
class Mended:
    n: int = 0

    @signal
    def add(self, cents: int) -> None:
        self.n += cents
