"""The world around orders: payments and a carrier that outlive every crash, and fail as they are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import attrs
import pytest
import trio

from actorflow import Activity, Refused
from entities import order
from entities.order import Line

__all__ = ["MOMENT", "NOWHERE", "World", "stand_in"]

NOWHERE = "nowhere"
"""An address to which the carrier brings a parcel in vain."""
MOMENT = timedelta(microseconds=1)


def stand_in(activity: Activity[Any, Any], function: Callable[..., Any]) -> Activity[Any, Any]:
    """The same activity with another function, and with no pauses between its attempts."""
    retry = attrs.evolve(activity.defaults.retry, initial_interval=MOMENT, maximum_interval=MOMENT)
    return attrs.evolve(
        activity, function=function, run=function, defaults=attrs.evolve(activity.defaults, retry=retry)
    )


class World:
    """What is true outside, whatever the journal says."""

    def __init__(self, seed: int = 0, *, trouble: float = 0.0) -> None:
        self.chance = Random(seed)
        self.trouble = trouble
        """How likely a call fails before it has done anything, and how likely after."""
        self.down: set[str] = set()
        """The activities whose other side does not answer at all."""
        self.closed: set[str] = set()
        """Those whose other side says that it never will."""
        self.calls: list[str] = []
        self.charged: dict[str, int] = {}
        self.refunded: set[str] = set()
        self.shipped: dict[str, dict[str, Line]] = {}
        self.recalled: set[str] = set()

    @property
    def cents(self) -> int:
        """The money that was taken and not given back."""
        return sum(cents for payment, cents in self.charged.items() if payment not in self.refunded)

    @property
    def parcels(self) -> list[dict[str, Line]]:
        """What is on its way to customers."""
        return [lines for shipment, lines in self.shipped.items() if shipment not in self.recalled]

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let orders meet this world."""
        for name in ("charge", "ship", "refund", "recall"):
            activity: Activity[Any, Any] = getattr(order, name)
            monkeypatch.setattr(order, name, stand_in(activity, getattr(self, f"_{name}")))

    async def _reached(self, name: str) -> None:
        """A call that may not arrive, or that the caller may not live to see the end of."""
        self.calls.append(name)
        await trio.lowlevel.checkpoint()
        if name in self.closed:
            raise Refused(f"{name} is closed")
        if name in self.down or self.chance.random() < self.trouble:
            raise ConnectionError(f"{name} does not answer")

    async def _answered(self, name: str) -> None:
        """An answer that may get lost."""
        await trio.lowlevel.checkpoint()
        if self.chance.random() < self.trouble:
            raise ConnectionError(f"the answer of {name} got lost")

    async def _charge(self, payment: str, cents: int, card: str) -> None:
        await self._reached("charge")
        if card == "empty":
            raise Refused("there is no money on the card")
        assert self.charged.setdefault(payment, cents) == cents, "an id is one payment"
        await self._answered("charge")

    async def _ship(self, shipment: str, address: str, lines: dict[str, Line]) -> str:
        await self._reached("ship")
        self.shipped[shipment] = lines
        if address == NOWHERE:
            raise Refused("nobody lives there")  # and the parcel is on its way all the same
        await self._answered("ship")
        return f"parcel {shipment}"

    async def _refund(self, payment: str) -> None:
        await self._reached("refund")
        self.refund(payment)
        await self._answered("refund")

    async def _recall(self, shipment: str) -> None:
        await self._reached("recall")
        self.recall(shipment)
        await self._answered("recall")

    def refund(self, payment: str) -> None:
        """Give money back, if it was taken."""
        if payment in self.charged:
            self.refunded.add(payment)

    def recall(self, shipment: str) -> None:
        """Have a parcel come back, if there is one."""
        if shipment in self.shipped:
            self.recalled.add(shipment)
