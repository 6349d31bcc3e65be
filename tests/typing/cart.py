"""The cart of the design, as an author writes it; pyright alone does not follow attrs into ``factory=dict``."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from attrs import define, field

from actorflow import Refused, activity, complete, entity, query, saga, signal, timer, update, uuid4


@define
class Item:
    quantity: int
    cents: int


@activity(start_to_close=timedelta(seconds=30))
async def reserve(reservation: str, items: dict[str, Item]) -> None: ...
@activity
async def release(reservation: str) -> None: ...
@activity
async def charge(payment: str, cents: int, card: str) -> str:
    return f"{payment}: {cents} from {card}"


@activity
async def refund(payment: str) -> None: ...


@entity
class Cart:
    items: dict[str, Item] = field(factory=dict)  # E: pyright[reportUnknownVariableType]
    receipt: str | None = None

    @signal
    def add_item(self, sku: str, quantity: int, cents: int) -> None:
        held = self.items.get(sku)
        self.items[sku] = Item(quantity + (held.quantity if held else 0), cents)
        self.abandon().arm(after=timedelta(days=30))

    @query
    def total(self) -> int:
        return sum(item.quantity * item.cents for item in self.items.values())

    @update
    async def checkout(self, card: str) -> str:
        if not self.items:
            raise Refused("the cart is empty")
        reservation, payment = str(uuid4()), str(uuid4())
        async with saga() as undo:
            undo(release, reservation)
            await reserve(reservation, self.items)
            undo(refund, payment)
            self.receipt = await charge(payment, self.total(), card)
        complete(self.receipt)
        return self.receipt

    @timer
    def abandon(self) -> None:
        complete(None)

    # ---- what is not the design's: every kind of handler with and without options, waiting and not --------

    @signal(interleave=True, on_failure="stop", name="note", aliases=["remark"])
    async def remark(self, text: str, *, loud: bool = False) -> None:
        assert_type(self.total(), int)
        assert_type(self.add_item("apple", 1, cents=1), None)
        self.remark("never awaited")  # E: mypy[unused-coroutine] pyright[reportUnusedCoroutine]
        assert_type(await self.remark("again", loud=loud), None)
        assert_type(await self.checkout("card"), str)
        assert_type(self.discount(10), int)
        assert_type(await self.gift("a friend"), bool)
        assert_type(self.count("apple"), int | None)

    @update
    def discount(self, percent: int) -> int:
        return self.total() * percent // 100

    @discount.validator
    def _may_discount(self, percent: int) -> None:
        if percent > 50:
            raise Refused("too much")

    @update(interleave=True, name="gift", aliases=("present",))
    async def gift(self, to: str) -> bool:
        return bool(to)

    @gift.validator
    def _may_be_gift(self, to: str) -> None:
        assert to

    @update(name="clear")
    def clear(self) -> None:
        self.items.clear()

    @query(name="count", aliases=["number"])
    def count(self, sku: str = "apple") -> int | None:
        held = self.items.get(sku)
        return held.quantity if held else None

    @timer(on_failure="stop")
    async def expire(self, reservation: str, /, hard: bool) -> None:
        await release(reservation)


@entity(name="shelf", version=1)
class Shelf:
    label: str
    rows: list[str] = field(factory=list[str])

    @signal
    def put(self, sku: str) -> None:
        self.rows.append(sku)

    @query
    def full(self) -> bool:
        return len(self.rows) > 10

    @update
    async def take(self, sku: str) -> int:
        self.rows.remove(sku)
        return len(self.rows)
