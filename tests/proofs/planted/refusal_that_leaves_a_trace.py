"""A message is refused after it has been counted outside: the actor is undone, the count is not."""

from __future__ import annotations

from actorflow import Refused, entity, update
from tests.proofs import ledger

SAYS = "what handlers remember belongs in fields"


@entity
class Planted:
    number: int = 0

    @update
    def order(self, quantity: int) -> int:
        number: int = ledger.next_number()
        if quantity < 1:
            raise Refused("nothing is ordered")
        self.number = number
        return number


@entity
class Mended:
    number: int = 0

    @update
    def order(self, quantity: int) -> int:
        self.number += 1
        if quantity < 1:
            raise Refused("nothing is ordered")
        return self.number
