"""Messages that come again: late, twice, with another meaning, behind crashes.  Is an id one message?"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import pytest

from actorflow import IdReused
from actorflow._core.once import Ids
from tests.faults.counting import tried

from .drive import Drive, Ticket
from .town import Account, Basket

PROGRAMS = 280
MOVES = 24


class Meant(NamedTuple):
    """What an id stands for since it was first taken."""

    handler: str
    cents: int
    seq: int
    outcome: tuple[str, bytes] | None


def _refuses(handler: str, cents: int) -> bool:
    return handler == "deposit" and cents < 1


class Program:
    """Callers who repeat themselves, and what they have to be told."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.drive = Drive(every=self.chance.choice((1, 2, 5)))
        self.meant: dict[str, Meant] = {}
        self.said: list[str] = []

    def move(self) -> None:
        """Send something, or have the process die, or let time pass."""
        kind = self.chance.random()
        if kind < 0.1:
            self.drive.commit()
            self.drive = self.drive.crash()
        elif kind < 0.15:
            self.drive.commit()
            self.drive = self.drive.reopen()
        elif kind < 0.25:
            self.drive.later(self.chance.choice((1, 60, 3_600)))
        else:
            self.send()

    def send(self) -> None:
        id_, cents = f"id-{self.chance.randrange(4)}", self.chance.choice((0, 1, 2))
        handler = self.chance.choice(("deposit", "take"))
        ticket = self.drive.send(Account, "a", getattr(Account, handler), "t", cents, id_=id_)
        self.said.append(f"{handler} {cents} {id_}")
        self.see(id_, handler, cents, ticket)

    def see(self, id_: str, handler: str, cents: int, ticket: Ticket) -> None:
        meant, what = self.meant.get(id_), " ".join(self.said)
        if meant is None:
            assert ticket.refused is None, what
            self.drive.commit()
            if not _refuses(handler, cents):  # which leaves the id free
                self.meant[id_] = Meant(handler, cents, ticket.seq, ticket.outcome)
        elif (meant.handler, meant.cents) == (handler, cents):
            assert ticket.refused is None, f"it is the same: {what}"
            assert ticket.seq == meant.seq, f"it was taken again: {what}"
            self.drive.commit()
            assert ticket.outcome == meant.outcome, f"it was answered otherwise: {what}"
        else:
            assert isinstance(ticket.refused, IdReused), f"it means another: {what}"

    def see_counted(self) -> None:
        """The state is what each id has made of it once."""
        expected = sum(one.cents for one in self.meant.values())
        if self.meant:
            assert self.drive.state(Account, "a").cents == expected, " ".join(self.said)
        self.drive.send(Basket, "b", Basket.add, "t", "sku", id_="id-0")  # an id is its actor's
        assert self.drive.state(Basket, "b").seen == ["t"]


def run(seed: int) -> None:
    """One program, to its end."""
    program = Program(seed)
    for _ in range(MOVES):
        program.move()
    program.see_counted()


def test_whatever_comes_again_an_id_is_one_message(seed: int, effort: int) -> None:
    """The same is answered as it was, another is refused, and each has happened once."""
    for number in range(PROGRAMS * effort):
        run(seed + number)
        tried()


def test_ids_that_are_forgotten_are_noticed(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: an actor that has let go of every other id takes a message twice."""
    find = Ids.find
    calls: list[int] = []

    def forget(ids: Ids, id_: str, now: int) -> object:
        calls.append(1)
        return find(ids, id_, now) if len(calls) % 2 else None

    monkeypatch.setattr(Ids, "find", forget)

    def all_of_them() -> None:
        for number in range(20):
            run(seed + number)

    with pytest.raises(AssertionError, match=r"taken again|means another"):
        all_of_them()
