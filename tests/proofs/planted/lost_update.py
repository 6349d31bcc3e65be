"""A handler that reads, waits, and writes what it read."""

from __future__ import annotations

from actorflow import activity, entity, invariant, update

SAYS = "balanced does not hold"


@activity
async def book(cents: int) -> None:
    """Write it into the books."""


@entity
class Planted:
    cents: int = 0
    booked: int = 0

    @update(interleave=True)
    async def pay_in(self, cents: int) -> int:
        before = self.cents
        await book(cents)
        self.cents = before + cents
        self.booked += cents
        return self.cents

    @invariant
    def balanced(self) -> bool:
        return self.cents == self.booked


@entity
class Mended:
    cents: int = 0
    booked: int = 0

    @update(interleave=True)
    async def pay_in(self, cents: int) -> int:
        await book(cents)
        self.cents += cents
        self.booked += cents
        return self.cents

    @invariant
    def balanced(self) -> bool:
        return self.cents == self.booked
