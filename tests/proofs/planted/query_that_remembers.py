"""A query that answers from the process and not from the state."""

from __future__ import annotations

from actorflow import entity, query, signal
from tests.proofs import ledger

SAYS = "the answer to query seen"


@entity
class Planted:
    n: int = 0

    @signal
    def add(self, sku: str) -> None:
        self.n += 1
        ledger.BOOK.write(sku)

    @query
    def seen(self) -> int:
        return len(ledger.BOOK.lines)


@entity
class Mended:
    n: int = 0

    @signal
    def add(self, sku: str) -> None:
        self.n += 1
        ledger.BOOK.write(sku)  # which nobody reads: a note for whoever looks at the process

    @query
    def seen(self) -> int:
        return self.n
