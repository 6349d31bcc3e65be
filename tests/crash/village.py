"""Entities that remember, in little room, what they were told: by whom, in which order, and how often.

Whoever tells them something numbers it, each for each actor from 1.  So what is lost is a gap, what is
repeated or out of order is noticed at once, and a long row is two numbers.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from attrs import define, field

from actorflow import (
    actor,
    complete,
    entity,
    info,
    main,
    query,
    signal,
    sleep,
    start_child,
    timer,
    update,
    wait_until,
)
from entities.account import Account
from entities.cart import Cart

__all__ = ["VILLAGE", "Box", "Evidence", "Twig"]

MILLISECOND: Final = timedelta(milliseconds=1)

Runs = list[int]
"""Rows of numbers without a gap: the first and the last of each."""


@define
class Evidence:
    """What a box can say of what reached it."""

    taken: dict[str, Runs]
    """By caller."""
    passed: dict[str, Runs]
    """By the box that sent it on."""
    sent: dict[str, int]
    """By the box that it was sent to, how many."""
    wrong: list[str]
    armed: list[int]
    """Timers that have not fired."""
    ballast: int = 0
    """Bytes of no use."""


@entity
class Box:
    """Takes what it is told, in many ways."""

    taken: dict[str, Runs] = field(factory=dict[str, Runs])
    passed: dict[str, Runs] = field(factory=dict[str, Runs])
    sent: dict[str, int] = field(factory=dict[str, int])
    wrong: list[str] = field(factory=list[str])
    armed: list[int] = field(factory=list[int])
    count: int = 0
    ballast: list[str] = field(factory=list[str])

    @signal
    def put(self, caller: str, number: int) -> None:
        self._take(self.taken, caller, number)

    @update
    def post(self, caller: str, number: int) -> int:
        """The same, with an answer."""
        self._take(self.taken, caller, number)
        return number

    @update
    async def hold(self, caller: str, number: int, milliseconds: int) -> int:
        """The same, and the others wait for so long."""
        self._take(self.taken, caller, number)
        await sleep(milliseconds * MILLISECOND)
        return number

    @signal
    def remind(self, caller: str, number: int, milliseconds: int) -> None:
        """The same, with a timer that has to fire once."""
        self._take(self.taken, caller, number)
        self.count += 1
        self.armed.append(self.count)
        self.ring(self.count).arm(after=milliseconds * MILLISECOND)

    @timer
    def ring(self, number: int) -> None:
        if number in self.armed:
            self.armed.remove(number)
        else:
            self.wrong.append(f"timer {number} has fired before")

    @signal
    def pass_on(self, caller: str, number: int, to: str) -> None:
        """The same, and another box is told."""
        self._take(self.taken, caller, number)
        self.sent[to] = self.sent.get(to, 0) + 1
        actor(Box, to).signal(Box.passed_on, info().key, self.sent[to])

    @signal
    def passed_on(self, sender: str, number: int) -> None:
        self._take(self.passed, sender, number)

    @signal
    def trip(self, caller: str, number: int) -> None:
        """Is parked: it leaves no trace here."""
        self._take(self.taken, caller, number)
        raise ValueError(f"{caller} {number}")

    @update
    async def adopt(self, caller: str, number: int, child: str) -> int:
        """The same, and a child lives and ends meanwhile."""
        self._take(self.taken, caller, number)
        return await start_child(Twig(number), child).result(int)

    @signal
    def load(self, caller: str, number: int, ballast: str) -> None:
        """The same, and it grows."""
        self._take(self.taken, caller, number)
        self.ballast.append(ballast)

    @update(interleave=True)
    async def wait_for(self, caller: str, number: int, sender: str, count: int) -> int:
        """Wait until another caller has told so many."""
        self._take(self.taken, caller, number)
        await wait_until(lambda: self.taken.get(sender, [0])[-1] >= count)
        return number

    @update
    def settle(self) -> None:
        """Wait behind everybody who holds the mailbox."""

    @update(interleave=True)
    async def rest(self) -> None:
        """Wait until every timer has fired."""
        await wait_until(lambda: not self.armed)

    @update
    def finish(self, caller: str, number: int) -> Evidence:
        """The end of this life; gives what it has to say."""
        self._take(self.taken, caller, number)
        found = self.evidence()
        complete(number)
        return found

    @query
    def evidence(self) -> Evidence:
        return Evidence(
            self.taken, self.passed, self.sent, self.wrong, self.armed, sum(len(one) for one in self.ballast)
        )

    @query
    def last(self, caller: str) -> int:
        """The newest number of a caller."""
        return self.taken.get(caller, [0])[-1]

    def _take(self, runs: dict[str, Runs], teller: str, number: int) -> None:
        row = runs.setdefault(teller, [])
        if row and number <= row[-1]:
            self.wrong.append(f"{teller} told {number} after {row[-1]}")
        elif row and number == row[-1] + 1:
            row[-1] = number
        else:
            row += [number, number]


@entity
class Twig:
    """A child that does not live long."""

    number: int = 0

    @main
    async def grow(self) -> int:
        await sleep(MILLISECOND)
        return self.number


VILLAGE: Final[tuple[type[Any], ...]] = (Box, Twig, Account, Cart)
