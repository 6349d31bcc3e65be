"""What a cart knows: its items, how it is paid for, and that nobody keeps one for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from attrs import define, field

from actorflow import Refused, activity, complete, entity, query, saga, signal, timer, update, uuid4

__all__ = ["Cart", "Item", "charge", "refund", "release", "reserve"]

KEPT: Final = timedelta(days=30)
"""How long a cart lives after its last change."""


@define
class Item:
    """So many of one thing, at a price each."""

    quantity: int
    cents: int


# What touches the world is an activity.  It runs at least once, so each is told an id by which the other side
# knows it again, and those that undo do no harm where nothing was done.  Your warehouse and payments go here.


@activity(start_to_close=timedelta(seconds=30))
async def reserve(reservation: str, items: dict[str, Item]) -> None:
    """Put the items aside."""


@activity
async def release(reservation: str) -> None:
    """Put them back on the shelf, if they were put aside."""


@activity(start_to_close=timedelta(seconds=30))
async def charge(payment: str, cents: int, card: str) -> str:
    """Take the money; gives a receipt."""
    return f"{cents} cents by {card}, payment {payment}"


@activity
async def refund(payment: str) -> None:
    """Give the money back, if it was taken."""


@entity
class Cart:
    """One customer's cart, from its first item to its receipt."""

    items: dict[str, Item] = field(factory=dict[str, Item])
    receipt: str | None = None

    @signal
    def add_item(self, sku: str, quantity: int, cents: int) -> None:
        """Add so many of a thing; the price is the newest one."""
        if quantity < 1 or cents < 0:
            raise Refused(f"{quantity} of {sku} at {cents} cents")  # parked, where it can be seen
        held = self.items.get(sku)
        self.items[sku] = Item(quantity + (held.quantity if held else 0), cents)
        self.abandon().arm(after=KEPT)  # arming again replaces

    @signal
    def remove_item(self, sku: str, quantity: int) -> None:
        """Take so many of a thing out, or as many as there are."""
        held = self.items.get(sku)
        if held is not None:
            if quantity < held.quantity:
                self.items[sku] = Item(held.quantity - quantity, held.cents)
            else:
                del self.items[sku]
        self.abandon().arm(after=KEPT)

    @query
    def contents(self) -> dict[str, Item]:
        return self.items

    @query
    def total(self) -> int:
        """In cents."""
        return sum(item.quantity * item.cents for item in self.items.values())

    @update
    async def checkout(self, card: str) -> str:
        """Pay; gives the receipt, with which the cart ends.  If that fails, the cart lives on as it was."""
        if not self.items:
            raise Refused("the cart is empty")  # before the first await: leaves no trace at all
        reservation, payment = str(uuid4()), str(uuid4())  # the same on every replay
        async with saga() as undo:
            undo(release, reservation)  # before the step: if that fails, nobody knows whether it was done
            await reserve(reservation, self.items)
            undo(refund, payment)
            self.receipt = await charge(payment, self.total(), card)
        complete(self.receipt)
        return self.receipt

    @timer
    def abandon(self) -> None:
        """Thirty days after the last change."""
        complete(None)
