"""Entities that the traces are told with."""

from __future__ import annotations

from datetime import timedelta

from attrs import define, field

from actorflow import (
    Refused,
    activity,
    actor,
    complete,
    continue_as_new,
    entity,
    main,
    query,
    saga,
    signal,
    sleep,
    timer,
    update,
    uuid4,
    wait_until,
)


@define
class Item:
    quantity: int
    cents: int


@activity
async def act(x: int) -> int:
    """Something in the world."""
    return x


@activity
async def other(x: int) -> int:
    """Something else in the world."""
    return x


@activity(start_to_close=timedelta(seconds=30))
async def reserve(reservation: str, items: dict[str, Item]) -> None:
    """Hold goods."""


@activity
async def release(reservation: str) -> None:
    """Let them go."""


@activity
async def charge(payment: str, cents: int) -> str:
    """Take money."""
    return payment


@activity
async def refund(payment: str) -> None:
    """Give it back."""


@entity
class Shelf:
    """Somebody to send to."""

    taken: int = 0

    @signal
    def take(self, sku: str) -> None:
        self.taken += 1


@entity
class Cart:
    """Signals, an update with effects, a timer, a query."""

    items: dict[str, Item] = field(factory=dict)
    receipt: str | None = None
    notes: list[str] = field(factory=list)

    @signal
    def add(self, sku: str, cents: int) -> None:
        held = self.items.get(sku)
        self.items[sku] = Item(1 + (held.quantity if held else 0), cents)
        self.abandon().arm(after=timedelta(days=30))

    @signal
    def note(self, text: str) -> None:
        self.notes.append(text)

    @signal
    def spill(self, sku: str) -> None:
        """Does everything a handler can, then fails."""
        actor(Shelf, "a").signal(Shelf.take, sku)
        self.abandon().arm(after=timedelta(days=1))
        self.items[sku] = Item(99, 99)
        self.notes.append("spilt")
        complete("gone")
        raise ValueError("the shelf is bare")

    @update
    def count(self, at_least: int) -> int:
        if len(self.items) < at_least:
            self.notes.append("never")
            raise Refused(f"there are only {len(self.items)}", len(self.items))
        return len(self.items)

    @update
    async def checkout(self) -> str:
        if not self.items:
            raise Refused("the cart is empty")
        reservation, payment = str(uuid4()), str(uuid4())
        async with saga() as undo:
            undo(release, reservation)
            await reserve(reservation, self.items)
            undo(refund, payment)
            self.receipt = await charge(payment, self.total())
        return self.receipt

    @query
    def total(self) -> int:
        return sum(item.quantity * item.cents for item in self.items.values())

    @timer
    def abandon(self) -> None:
        complete("abandoned")


@entity
class Subscription:
    """A course of its own beside its messages."""

    months: int = 0
    log: list[str] = field(factory=list)
    ended: bool = False

    @signal
    def write(self, text: str) -> None:
        self.log.append(text)

    @signal
    def end(self) -> None:
        self.ended = True

    @update
    async def settle(self) -> int:
        await charge("settle", self.months)
        return self.months

    @signal(interleave=True)
    def peek(self) -> None:
        self.log.append(f"peek at {self.months}")

    @main
    async def course(self) -> int:
        while not self.ended:
            await sleep(timedelta(days=30))
            self.months += 1
            await charge("month", self.months)
        return self.months


@entity
class Ledger:
    """A main that continues as new by its own word."""

    total: int = 0
    rounds: int = 0

    @signal
    def add(self, amount: int) -> None:
        self.total += amount

    @main
    async def course(self) -> None:
        self.rounds += 1
        seen = self.total
        await wait_until(lambda: self.total >= seen + 3)
        await continue_as_new()


@entity
class Watcher:
    """A main that may start again from the top."""

    total: int = 0
    starts: int = 0
    alarms: int = 0

    @signal
    def add(self, amount: int) -> None:
        self.total += amount

    @main(restartable=True)
    async def course(self) -> None:
        self.starts += 1
        while True:
            await wait_until(lambda: self.total >= 10 * (self.alarms + 1), timeout=timedelta(days=400))
            self.alarms += 1
