"""What an order knows: how to get goods, money and a parcel in turn, and to give back what it got."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

from attrs import define, field

from actorflow import (
    Cancelled,
    CompensationFailed,
    Refused,
    RetryPolicy,
    activity,
    actor,
    complete,
    entity,
    query,
    saga,
    update,
    uuid4,
)

from .inventory import Inventory

__all__ = ["LINES_MAX", "Line", "Order", "Standing", "charge", "recall", "refund", "ship"]

LINES_MAX: Final = 100


@define
class Line:
    """So many of one thing, at a price each."""

    quantity: int
    cents: int


@define
class Standing:
    """How far an order is, and what of it somebody has to see to."""

    step: str
    reason: str
    """Why it was undone."""
    undone: list[str]
    not_undone: list[str]
    payment: str
    shipment: str


# Your payments and your carrier go here.  Each may be asked more than once, and is told an id by which it
# knows that.  ``Refused``, raised in one of them, is a final no; anything else is tried again.


@activity(retry=RetryPolicy(maximum_attempts=5), schedule_to_close=timedelta(minutes=10))
async def charge(payment: str, cents: int, card: str) -> None:
    """Take the money."""


@activity(retry=RetryPolicy(maximum_attempts=20), schedule_to_close=timedelta(hours=12))
async def ship(shipment: str, address: str, lines: dict[str, Line]) -> str:
    """Give a parcel to the carrier; gives its number."""
    return f"parcel {shipment}, {len(lines)} lines to {address}"


# What undoes is harmless where nothing was done, and is tried much longer: after it there is only a person.


@activity(
    retry=RetryPolicy(maximum_attempts=100, maximum_interval=timedelta(hours=1)),
    schedule_to_close=timedelta(days=3),
)
async def refund(payment: str) -> None:
    """Give the money back, if it was taken."""


@activity(
    retry=RetryPolicy(maximum_attempts=30, maximum_interval=timedelta(minutes=10)),
    schedule_to_close=timedelta(hours=5),
)
async def recall(shipment: str) -> None:
    """Have the parcel come back, if there is one."""


@entity
class Order:
    """One order, from its lines to the number of its parcel."""

    lines: dict[str, Line] = field(factory=dict[str, Line])
    step: Literal["new", "reserving", "charging", "shipping", "shipped", "undone", "half undone"] = "new"
    reason: str = ""
    undone: list[str] = field(factory=list[str])
    not_undone: list[str] = field(factory=list[str])
    payment: str = ""
    shipment: str = ""

    @update
    async def place(self, lines: dict[str, Line], card: str, address: str) -> str:
        """Reserve, charge, ship; gives the parcel's number, with which the order ends.

        What fails is undone, and the order can be placed again.
        """
        self.lines, self.reason, self.undone = lines, "", []
        # New ids each time: what an earlier try has undone must not be taken for what this one does.
        reservation, self.payment, self.shipment = str(uuid4()), str(uuid4()), str(uuid4())
        try:
            async with saga() as undo:
                self.step = "reserving"
                for sku, line in lines.items():
                    undo(self.put_back, sku, reservation)  # before the step: its answer may never come
                    await actor(Inventory, sku).update(Inventory.reserve, reservation, line.quantity)
                self.step = "charging"
                undo(refund, self.payment)
                await charge(self.payment, sum(line.quantity * line.cents for line in lines.values()), card)
                self.step = "shipping"
                for sku in lines:  # from now on nothing expires
                    await actor(Inventory, sku).update(Inventory.commit, reservation)
                undo(recall, self.shipment)
                parcel = await ship(self.shipment, address, lines)
        except CompensationFailed as failed:
            self.step, self.reason = "half undone", str(failed.__cause__) or "it was cancelled"
            self.undone, self.not_undone = list(failed.undone), list(failed.not_undone)
            raise
        except (Exception, Cancelled) as error:
            self.step, self.reason = "undone", str(error) or "it was cancelled"
            raise
        self.step = "shipped"
        complete(parcel)
        return parcel

    @place.validator
    def _valid(self, lines: dict[str, Line], card: str, address: str) -> None:
        """Refuse what cannot work before it is written down at all."""
        if not lines or len(lines) > LINES_MAX:
            raise Refused(f"an order has 1 to {LINES_MAX} lines, not {len(lines)}")
        for sku, line in lines.items():
            if line.quantity < 1 or line.cents < 0:
                raise Refused(f"{line.quantity} of {sku} at {line.cents} cents")
        if not card or not address:
            raise Refused("there is no card, or no address")
        if self.not_undone:
            raise Refused("an earlier try is only half undone: somebody has to see to it first")

    @query
    def standing(self) -> Standing:
        return Standing(self.step, self.reason, self.undone, self.not_undone, self.payment, self.shipment)

    # -- for whoever sees to what could not be undone --------------------------------------------------------

    @update
    async def undo_again(self) -> None:
        """The other side is back: undo all of it once more, which is harmless where it was undone."""
        if not self.not_undone:
            raise Refused("there is nothing to undo")
        await recall(self.shipment)
        await refund(self.payment)
        self.step, self.not_undone = "undone", []

    @update
    def settle(self, how: str) -> None:
        """The rest was undone by hand."""
        if not self.not_undone:
            raise Refused("there is nothing to settle")
        self.step, self.reason, self.not_undone = "undone", f"{self.reason}; by hand: {how}", []

    async def put_back(self, sku: str, reservation: str) -> None:
        """A signal arrives exactly once, and waits for nobody: this is a compensation that cannot fail."""
        actor(Inventory, sku).signal(Inventory.release, reservation)
