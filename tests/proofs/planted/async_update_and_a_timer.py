"""A basket with activities and a timer, whose reservations are known to this process alone."""

from __future__ import annotations

from datetime import timedelta

from attrs import field

from actorflow import Refused, activity, entity, query, signal, timer, update

SAYS = "what handlers remember belongs in fields"
_held: dict[str, int] = {}


@activity
async def charge(cents: int) -> str:
    """Take the money."""
    return f"{cents} cents"


@entity
class Planted:
    items: dict[str, int] = field(factory=dict[str, int])
    receipts: list[str] = field(factory=list[str])

    @signal
    def add(self, sku: str, quantity: int) -> None:
        self.items[sku] = quantity
        _held[sku] = quantity  # actorflow: ok - planted
        self.expire(sku).arm(after=timedelta(hours=1))

    @update
    async def pay(self) -> str:
        if not self.items:
            raise Refused("it is empty")
        receipt = await charge(sum(_held.get(sku, 0) for sku in self.items))
        self.receipts.append(receipt)
        self.items.clear()
        return receipt

    @timer
    def expire(self, sku: str) -> None:
        self.items.pop(sku, None)
        _held.pop(sku, None)  # actorflow: ok - planted

    @query
    def paid(self) -> int:
        return len(self.receipts)


@entity
class Mended:
    items: dict[str, int] = field(factory=dict[str, int])
    receipts: list[str] = field(factory=list[str])

    @signal
    def add(self, sku: str, quantity: int) -> None:
        self.items[sku] = quantity
        self.expire(sku).arm(after=timedelta(hours=1))

    @update
    async def pay(self) -> str:
        if not self.items:
            raise Refused("it is empty")
        receipt = await charge(sum(self.items.values()))
        self.receipts.append(receipt)
        self.items.clear()
        return receipt

    @timer
    def expire(self, sku: str) -> None:
        self.items.pop(sku, None)

    @query
    def paid(self) -> int:
        return len(self.receipts)
