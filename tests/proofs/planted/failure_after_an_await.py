"""What was set aside for a payment stays aside when the payment fails."""

from __future__ import annotations

from actorflow import ActivityFailed, Refused, activity, entity, invariant, signal, update

SAYS = "all_is_somewhere does not hold"


@activity
async def charge(cents: int) -> None:
    """Take the money."""


@entity
class Planted:
    received: int = 0
    free: int = 0
    sold: int = 0

    @signal
    def receive(self, quantity: int) -> None:
        if quantity > 0:
            self.received += quantity
            self.free += quantity

    @update
    async def sell(self) -> None:
        if not self.free:
            raise Refused("there is nothing to sell")
        self.free -= 1
        await charge(100)
        self.sold += 1

    @invariant
    def all_is_somewhere(self) -> None:
        assert self.received == self.free + self.sold, "some of it is nowhere"


@entity
class Mended:
    received: int = 0
    free: int = 0
    sold: int = 0

    @signal
    def receive(self, quantity: int) -> None:
        if quantity > 0:
            self.received += quantity
            self.free += quantity

    @update
    async def sell(self) -> None:
        if not self.free:
            raise Refused("there is nothing to sell")
        self.free -= 1
        try:
            await charge(100)
        except BaseException as failed:
            self.free += 1
            if isinstance(failed, ActivityFailed):
                raise Refused("the card is no good") from None
            raise
        self.sold += 1

    @invariant
    def all_is_somewhere(self) -> None:
        assert self.received == self.free + self.sold, "some of it is nowhere"
