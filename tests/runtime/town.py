"""Entities for the proofs: what they are told carries a token, to be found again wherever it went."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from attrs import define, field

from actorflow import (
    Deadlock,
    HandlerFailed,
    Refused,
    actor,
    callback,
    complete,
    entity,
    gather,
    main,
    query,
    signal,
    sleep,
    start_child,
    timer,
    update,
    wait_until,
)

__all__ = ["TOWN", "Account", "Basket", "Child", "Course", "Echo", "Item", "Parent"]

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@define
class Item:
    """So many of a thing."""

    quantity: int = 0


@entity
class Account:
    """Money, sent on by signals and by awaited updates."""

    cents: int = 0
    seen: list[str] = field(factory=list[str])

    @update
    def deposit(self, token: str, cents: int) -> int:
        if cents < 1:
            raise Refused("no amount")
        self._see(token, cents)
        return self.cents

    @signal
    def pay(self, token: str, to: str, cents: int) -> None:
        """Parked if there is not enough."""
        if cents > self.cents:
            raise Refused("not enough", self.cents)
        self._see(token, -cents)
        actor(Account, to).signal(Account.take, token, cents)

    @signal
    def pay_once(self, token: str, to: str, cents: int) -> None:
        """The same, and the other account is told twice, under one id."""
        if cents > self.cents:
            raise Refused("not enough", self.cents)
        self._see(token, -cents)
        for _ in range(2):
            actor(Account, to).once(token).signal(Account.take, token, cents)

    @signal
    def take(self, token: str, cents: int) -> None:
        self._see(token, cents)

    @update
    async def move(self, token: str, to: str, cents: int) -> int:
        """Send by an update, whose answer is awaited while the mailbox is held."""
        if cents > self.cents:
            raise Refused("not enough", self.cents)
        self._see(token, -cents)
        try:
            await actor(Account, to).within(100 * HOUR).update(Account.put, token, cents)
        except (Deadlock, HandlerFailed):
            self.cents += cents
        return self.cents

    @update
    def put(self, token: str, cents: int) -> int:
        self._see(token, cents)
        return self.cents

    @update
    async def move_once(self, token: str, to: str, cents: int) -> int:
        """The same, with an id."""
        if cents > self.cents:
            raise Refused("not enough", self.cents)
        self._see(token, -cents)
        try:
            await actor(Account, to).within(100 * HOUR).once(token).update(Account.put, token, cents)
        except (Deadlock, HandlerFailed):
            self.cents += cents
        return self.cents

    @query
    def balance(self) -> int:
        return self.cents

    def _see(self, token: str, cents: int) -> None:
        self.cents += cents
        self.seen.append(token)


@entity
class Basket:
    """Items, timers, a handler that sleeps, an end and another life."""

    items: dict[str, Item] = field(factory=dict[str, Item])
    seen: list[str] = field(factory=list[str])
    fired: list[int] = field(factory=list[int])

    @signal
    def add(self, token: str, sku: str) -> None:
        self.items.setdefault(sku, Item()).quantity += 1
        self.seen.append(token)
        self.remind(1).arm(after=20 * SECOND)

    @signal
    def arm(self, token: str, number: int, seconds: int) -> None:
        self.seen.append(token)
        self.remind(number).arm(after=seconds * SECOND)

    @signal
    def disarm(self, token: str, number: int) -> None:
        self.seen.append(token)
        self.remind(number).cancel()

    @signal
    def fail(self, token: str) -> None:
        """Parked, without a trace in the state."""
        self.seen.append(token)
        raise ValueError(token)

    @update
    async def pack(self, token: str, seconds: int) -> int:
        """Hold the mailbox for a while."""
        self.seen.append(token)
        await sleep(seconds * SECOND)
        return len(self.seen)

    @update
    def refuse(self, token: str) -> int:
        self.seen.append(token)
        raise Refused(token)

    @update
    async def call(self, token: str) -> int:
        """Wait for an answer from outside, at most an hour."""
        self.seen.append(token)
        given = await callback(int, timeout=HOUR)
        self.seen.append(f"{token} {given}")
        return given

    @update
    def finish(self, token: str) -> int:
        self.seen.append(token)
        complete(len(self.seen))
        return len(self.seen)

    @query
    def size(self) -> int:
        return len(self.seen)

    @timer
    def remind(self, number: int) -> None:
        self.fired.append(number)


@entity
class Child:
    """Ends when it is told to, or when it has slept."""

    n: int = 0
    seconds: int = 0
    told: list[str] = field(factory=list[str])

    @signal
    def tell(self, token: str) -> None:
        self.told.append(token)

    @signal
    def end(self, token: str) -> None:
        self.told.append(token)
        complete(self.n)

    @main
    async def live(self) -> int:
        if self.seconds:
            await sleep(self.seconds * SECOND)
        else:
            await wait_until(lambda: self.n < 0)
        return self.n


@entity
class Parent:
    """Has children, waits for some, and leaves others behind."""

    results: list[int] = field(factory=list[int])
    seen: list[str] = field(factory=list[str])

    @update
    async def raise_children(self, token: str, count: int, seconds: int) -> int:
        """Start children and wait for all of them."""
        self.seen.append(token)
        children = [start_child(Child(n, seconds), f"{token}-{n}") for n in range(count)]
        self.results += await gather(*[child.result(int) for child in children])
        return sum(self.results)

    @signal
    def adopt(self, token: str, policy: str) -> None:
        """Start a child that lives on its own until somebody ends it."""
        self.seen.append(token)
        start_child(Child(7), f"{token}", policy=policy)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    @signal
    def finish(self, token: str) -> None:
        self.seen.append(token)
        complete(len(self.seen))


@entity
class Echo:
    """Sends to itself and to others, as often as it is told."""

    heard: list[str] = field(factory=list[str])
    count: int = 0

    @signal
    def flood(self, token: str, to: str, count: int) -> None:
        """So many signals to another, or to several in turns."""
        targets = to.split(",")
        for n in range(count):
            actor(Echo, targets[n % len(targets)]).signal(Echo.hear, f"{token}-{n}")

    @signal
    def hear(self, token: str) -> None:
        self.heard.append(token)
        self.count += 1

    @signal
    def bounce(self, to: str, back: str) -> None:
        """To another, who sends it back, for ever."""
        self.count += 1
        actor(Echo, to).signal(Echo.bounce, back, to)

    @update
    async def ask(self, chain: list[str]) -> int:
        """Ask the first of a chain to ask the next."""
        if not chain:
            return self.count
        return 1 + await actor(Echo, chain[0]).within(HOUR).update(Echo.ask, chain[1:])

    @update
    async def ask_late(self, to: str, seconds: int) -> str:
        """Ask, but not wait for long."""
        try:
            await actor(Echo, to).within(seconds * SECOND).update(Echo.slow, 60)
        except TimeoutError:
            self.heard.append("late")
            return "late"
        return "in time"

    @update
    async def slow(self, seconds: int) -> int:
        await sleep(seconds * SECOND)
        return seconds

    @query
    def counted(self) -> int:
        return self.count


@entity
class Course:
    """Goes on of itself: timers without a delay, a main that never rests."""

    n: int = 0
    turns: int = 0

    @signal
    def spin(self, n: int) -> None:
        """Arm a timer that is due at once and arms itself again."""
        self.n = n
        self.again().arm(after=0 * SECOND)

    @timer
    def again(self) -> None:
        self.turns += 1
        if self.turns < self.n:
            self.again().arm(after=0 * SECOND)

    @update
    async def doze(self, times: int) -> int:
        for _ in range(times):
            await sleep(0 * SECOND)
            self.turns += 1
        return self.turns


TOWN: tuple[type[Any], ...] = (Account, Basket, Child, Parent, Echo, Course)
