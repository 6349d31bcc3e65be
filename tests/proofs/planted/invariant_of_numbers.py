"""A withdrawal that is checked against the wrong number."""

from __future__ import annotations

from actorflow import Refused, entity, invariant, update

SAYS = "never_negative does not hold"


@entity
class Planted:
    cents: int = 0

    @update
    def deposit(self, cents: int) -> int:
        if cents < 1:
            raise Refused("that is no amount")
        self.cents += cents
        return self.cents

    @update
    def withdraw(self, cents: int) -> int:
        if cents < 1 or self.cents < 1:
            raise Refused("there is nothing")
        self.cents -= cents
        return self.cents

    @invariant
    def never_negative(self) -> bool:
        return self.cents >= 0


@entity
class Mended:
    cents: int = 0

    @update
    def deposit(self, cents: int) -> int:
        if cents < 1:
            raise Refused("that is no amount")
        self.cents += cents
        return self.cents

    @update
    def withdraw(self, cents: int) -> int:
        if not 0 < cents <= self.cents:
            raise Refused("there is not so much")
        self.cents -= cents
        return self.cents

    @invariant
    def never_negative(self) -> bool:
        return self.cents >= 0
