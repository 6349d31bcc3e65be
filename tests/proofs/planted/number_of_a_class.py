"""A number on a class, bound anew with each message."""

from __future__ import annotations

from actorflow import entity, signal
from tests.proofs import ledger

SAYS = "what handlers remember belongs in fields"


@entity
class Planted:
    n: int = 0

    @signal
    def add(self) -> None:
        ledger.Registry.count += 1
        self.n = ledger.Registry.count


@entity
class Mended:
    n: int = 0

    @signal
    def add(self) -> None:
        self.n += 1
