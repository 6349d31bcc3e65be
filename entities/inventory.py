"""What the stock of one thing knows: how many there are, for whom they are kept, and where each has gone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from attrs import define, field

from actorflow import Refused, entity, now, query, signal, timer, update

__all__ = ["ENDED_MAX", "KEPT", "REMEMBERED", "RESERVATIONS_MAX", "Inventory", "Ledger"]

KEPT: Final = timedelta(hours=1)
"""How long units are kept for somebody who does not commit to them."""
RESERVATIONS_MAX: Final = 1_000
"""As many as an actor may have timers."""
REMEMBERED: Final = timedelta(days=7)
"""How long it is known what became of a reservation.  Longer than any order takes, its undoing included."""
ENDED_MAX: Final = 50_000
"""In a week, so: a thing that sells faster has its stock under several keys."""


@define
class Ended:
    """What became of a reservation."""

    how: Literal["committed", "released", "expired"]
    quantity: int
    at: datetime


@define
class Ledger:
    """Where all units are that ever came in: ``received == on_shelf + reserved + sold``."""

    received: int
    on_shelf: int
    reserved: int
    sold: int


@entity
class Inventory:
    """The stock of one thing; its key is the SKU."""

    received: int = 0
    on_shelf: int = 0
    sold: int = 0
    reserved: dict[str, int] = field(factory=dict[str, int])
    ended: dict[str, Ended] = field(factory=dict[str, Ended])
    """The oldest first."""

    @update
    def receive(self, quantity: int) -> int:
        """Goods come in; gives how many can be had now."""
        self._must_be_positive(quantity)
        self.received += quantity
        self.on_shelf += quantity
        return self.on_shelf

    # A reservation has an id that its owner chose.  Each of these may come again with the same id, from an
    # owner who does not know whether it came before, and then changes nothing.

    @update
    def reserve(self, reservation: str, quantity: int) -> None:
        """Keep so many for somebody, for an hour."""
        self._must_be_positive(quantity)
        self._forget()
        held = self.reserved.get(reservation)
        if held == quantity:
            return
        if held is not None or reservation in self.ended:
            raise Refused(f"the reservation {reservation} was made before: another needs an id of its own")
        if quantity > self.on_shelf:
            raise Refused(f"there are {self.on_shelf}, not {quantity}", self.on_shelf)
        # A bound that refuses, and forgets nothing early: what is forgotten could not be undone any more.
        if len(self.reserved) >= RESERVATIONS_MAX or len(self.reserved) + len(self.ended) >= ENDED_MAX:
            raise Refused("there are too many reservations at the moment")
        self.on_shelf -= quantity
        self.reserved[reservation] = quantity
        self.expire(reservation).arm(after=KEPT)

    @update
    def commit(self, reservation: str) -> None:
        """The units are sold; a reservation that has expired is refused, for they may be somebody else's."""
        ended = self.ended.get(reservation)
        if ended is not None and ended.how == "committed":
            return
        if reservation not in self.reserved:
            raise Refused(f"the reservation {reservation} is {'unknown' if ended is None else ended.how}")
        self.sold += self._end(reservation, "committed")

    @signal
    def release(self, reservation: str) -> None:
        """The units go back on the shelf, sold or not; what is not out, or was never made, stays as it is."""
        ended = self.ended.get(reservation)
        if reservation in self.reserved:
            self.on_shelf += self._end(reservation, "released")
        elif ended is not None and ended.how == "committed":
            del self.ended[reservation]  # to be the newest again
            self.ended[reservation] = Ended("released", ended.quantity, now())
            self.sold -= ended.quantity
            self.on_shelf += ended.quantity

    @timer
    def expire(self, reservation: str) -> None:
        """An hour after it was made."""
        self.on_shelf += self._end(reservation, "expired")

    @query
    def available(self) -> int:
        return self.on_shelf

    @query
    def ledger(self) -> Ledger:
        return Ledger(self.received, self.on_shelf, sum(self.reserved.values()), self.sold)

    def _end(self, reservation: str, how: Literal["committed", "released", "expired"]) -> int:
        quantity = self.reserved.pop(reservation)
        self.expire(reservation).cancel()
        self.ended[reservation] = Ended(how, quantity, now())
        return quantity

    def _forget(self) -> None:
        """Forget what ended long ago."""
        while self.ended:
            oldest = next(iter(self.ended))
            if self.ended[oldest].at > now() - REMEMBERED:
                return
            del self.ended[oldest]

    def _must_be_positive(self, quantity: int) -> None:
        if quantity < 1:
            raise Refused(f"{quantity} is no quantity")
