"""What every caller sends, and what has to be there in the end.  Knows no runtime: numbers and plain Python.

A caller sends its messages one after the other, each under its number as the once-id.  So whoever knows how
many were acknowledged knows what was sent, and one whose acknowledgement got lost is simply sent again.
"""

from __future__ import annotations

import struct
from array import array
from typing import Final, NamedTuple

from attrs import define, field

from entities.cart import Item

__all__ = [
    "ACCOUNTS",
    "CALLERS",
    "CARTS",
    "OPENED",
    "OPENING_CENTS",
    "RECORD",
    "Change",
    "Sending",
    "Tally",
    "account_name",
    "cart_name",
    "change",
    "contents",
    "sending",
]

CARTS: Final = 96
"""The first callers have a cart each."""
CALLERS: Final = 128
"""The others send money about between accounts."""
ACCOUNTS: Final = 20
OPENING_CENTS: Final = 10_000
SKUS: Final = ("apple", "cherry", "fig", "pear", "plum")

RECORD: Final = struct.Struct("<HI?I")
"""How the process under load says that a message was acknowledged: caller, number, taken, microseconds."""
OPENED: Final = 0xFFFF
"""In place of a caller: service began, so many microseconds after the journal was about to be opened."""


class Change(NamedTuple):
    """What a caller does to its cart."""

    sku: str
    quantity: int
    """Less than zero: it takes out."""


class Sending(NamedTuple):
    """What a caller sends from one account to another."""

    sender: int
    to: int
    cents: int


def cart_name(caller: int) -> str:
    """The key of a caller's cart."""
    return f"cart-{caller}"


def account_name(number: int) -> str:
    """The key of an account."""
    return f"account-{number}"


def change(caller: int, number: int) -> Change:
    """The message of this number: three times out of four something is added."""
    quantity = 1 + (7_919 * number + 31 * caller) % 997
    return Change(SKUS[number % len(SKUS)], -quantity if number % 4 == 0 else quantity)


def contents(caller: int, count: int) -> dict[str, Item]:
    """What a cart holds after so many messages, each of them once and in their order."""
    held: dict[str, int] = {}
    for number in range(1, count + 1):
        sku, quantity = change(caller, number)
        held[sku] = max(0, held.get(sku, 0) + quantity)
    return {sku: Item(quantity, 100) for sku, quantity in held.items() if quantity}


def sending(caller: int, number: int) -> Sending:
    """The transfer of this number."""
    mixed = 1_000_003 * caller + 7_919 * number
    sender = mixed % ACCOUNTS
    return Sending(sender, (sender + 1 + mixed // 7 % (ACCOUNTS - 1)) % ACCOUNTS, 1 + mixed % 499)


@define
class Tally:
    """What was acknowledged, as seen from outside the process that is killed."""

    done: list[int] = field(factory=lambda: [0] * CALLERS)
    """How many of each caller's messages."""
    balances: list[int] = field(factory=lambda: [OPENING_CENTS] * ACCOUNTS)
    micros: array[int] = field(factory=lambda: array("I"))
    """How long each was waited for."""
    out_of_order: list[str] = field(factory=list[str])

    @property
    def messages(self) -> int:
        return len(self.micros)

    def take(self, caller: int, number: int, micros: int, *, taken: bool) -> None:
        """One more is acknowledged; one that was refused moved nothing."""
        if number != self.done[caller] + 1:
            self.out_of_order.append(f"caller {caller}: message {number} after {self.done[caller]}")
        self.done[caller] = number
        self.micros.append(micros)
        if caller >= CARTS and taken:
            sent = sending(caller, number)
            self.balances[sent.sender] -= sent.cents
            self.balances[sent.to] += sent.cents

    def wait(self, share: float) -> float:
        """Milliseconds within which this share of the messages was acknowledged."""
        waits = sorted(self.micros)
        return waits[min(len(waits) - 1, int(share * len(waits)))] / 1_000 if waits else 0.0
