"""A context variable in which the first message leaves what the next one reads."""

from __future__ import annotations

from actorflow import entity, signal
from tests.proofs import ledger

SAYS = "what handlers remember belongs in fields"


@entity
class Planted:
    who: str = ""

    @signal
    def add(self, who: str) -> None:
        self.who = ledger.CUSTOMER.get()
        ledger.CUSTOMER.set(who)


@entity
class Mended:
    who: str = ""
    next: str = "nobody"

    @signal
    def add(self, who: str) -> None:
        self.who, self.next = self.next, who
