"""What an account knows: its balance, what became of its money, and money of its that has not arrived yet."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from attrs import define, field

from actorflow import Refused, actor, entity, info, now, query, signal, update, uuid4

__all__ = ["Account", "Line", "Statement", "Transfer"]

LINES_MAX: Final = 100
UNDER_WAY_MAX: Final = 100


@define
class Line:
    """One change of the balance."""

    at: datetime
    what: str
    """``deposit``, ``withdrawal``, ``sent``, ``received`` or ``returned``."""
    cents: int
    """What it added; less than zero where it took."""
    other: str = ""
    """The account at the other end."""


@define
class Statement:
    """The newest changes, and what is not shown of the older ones."""

    left_out: int
    """How many older changes are not shown."""
    carried: int
    """What they came to: the balance before the first line."""
    lines: list[Line]
    balance: int


@define
class Transfer:
    """Money that has left for another account."""

    to: str
    cents: int


@entity
class Account:
    """Money of one owner; opened by its first deposit."""

    cents: int = 0
    opened: bool = False
    closed: bool = False
    lines: list[Line] = field(factory=list[Line])
    left_out: int = 0
    carried: int = 0
    leaving: dict[str, Transfer] = field(factory=dict[str, Transfer])

    @update
    def deposit(self, cents: int) -> int:
        """Pay in; gives the balance."""
        self._must_be_positive(cents)
        if self.closed:
            raise Refused("the account is closed")
        self.opened = True
        self._book("deposit", cents)
        return self.cents

    @update
    def withdraw(self, cents: int) -> int:
        """Pay out what is there, never more; gives the balance."""
        self._must_hold(cents)
        self._book("withdrawal", -cents)
        return self.cents

    @update
    def close(self) -> None:
        """Take nothing more.  The account lives on, to send back what still arrives."""
        if self.cents or self.leaving:
            raise Refused(f"there are {self.cents} cents in it, and {len(self.leaving)} transfers under way")
        self.closed = True

    @query
    def balance(self) -> int:
        """In cents, without what is under way."""
        return self.cents

    @query
    def statement(self) -> Statement:
        return Statement(self.left_out, self.carried, self.lines, self.cents)

    @query
    def under_way(self) -> dict[str, Transfer]:
        """Money that has left and of which the other account has not said yet what became of it."""
        return self.leaving

    # Money leaves this account in the turn that sends it on.  What a turn does is durable as a whole, so no
    # crash comes between.  The other account takes it or sends it back; until then it is in `leaving`.

    @update
    def transfer(self, to: str, cents: int) -> str:
        """Send money to another account, whence it comes back if it is not taken; gives the transfer's id."""
        self._must_hold(cents)
        if to == info().key:
            raise Refused("an account sends nothing to itself")
        if len(self.leaving) >= UNDER_WAY_MAX:
            raise Refused(f"{UNDER_WAY_MAX} transfers are under way")
        transfer = str(uuid4())
        self._book("sent", -cents, to)
        self.leaving[transfer] = Transfer(to, cents)
        actor(Account, to).signal(Account.take, transfer, cents, info().key)
        return transfer

    @signal
    def take(self, transfer: str, cents: int, sender: str) -> None:
        """From another account: here is money."""
        if self.opened and not self.closed:
            self._book("received", cents, sender)
            actor(Account, sender).signal(Account.arrived, transfer)
        else:
            # Not an exception: it would park the message here, and the sender would wait for ever.
            actor(Account, sender).signal(Account.take_back, transfer)

    @signal
    def arrived(self, transfer: str) -> None:
        """From the other account: it has the money."""
        del self.leaving[transfer]

    @signal
    def take_back(self, transfer: str) -> None:
        """From the other account: it is not open, so the money comes back."""
        sent = self.leaving.pop(transfer)
        self._book("returned", sent.cents, sent.to)

    def _must_be_positive(self, cents: int) -> None:
        if cents < 1:
            raise Refused(f"{cents} cents are no amount")

    def _must_hold(self, cents: int) -> None:
        self._must_be_positive(cents)
        if cents > self.cents:
            raise Refused(f"there are {self.cents} cents, not {cents}", self.cents)

    def _book(self, what: str, cents: int, other: str = "") -> None:
        self.cents += cents
        self.lines.append(Line(now(), what, cents, other))
        if len(self.lines) > LINES_MAX:
            self.carried += self.lines.pop(0).cents
            self.left_out += 1
