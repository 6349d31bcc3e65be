"""How fast is actorflow itself, asked what its peers are asked?

The cart of ``entities/cart.py`` without its timer and its checkout, for not every peer has those.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import trio
from attrs import define, field

from actorflow import Runtime, activity, entity, gather, query, signal, update
from benchmarks.peers import _main, _work
from persistence import LmdbJournal


@define
class Item:
    """So many of one thing, at a price each."""

    quantity: int
    cents: int


@activity
async def nothing(number: int) -> int:
    """Touch nothing."""
    return number


@entity
class Cart:
    """What is in it."""

    items: dict[str, Item] = field(factory=dict[str, Item])

    @signal
    def add_item(self, sku: str, quantity: int, cents: int) -> None:
        held = self.items.get(sku)
        self.items[sku] = Item(quantity + (held.quantity if held else 0), cents)

    @update
    def put(self, sku: str, quantity: int, cents: int) -> int:
        """Add, and answer what it comes to."""
        held = self.items.get(sku)
        self.items[sku] = Item(quantity + (held.quantity if held else 0), cents)
        return sum(item.quantity * item.cents for item in self.items.values())

    @query
    def contents(self) -> dict[str, Item]:
        return self.items


@entity
class Course:
    """Asks for steps, one after the other or all at once."""

    @update
    async def steps(self, times: int) -> int:
        total = 0
        for number in range(times):
            total += await nothing(number)
        return total

    @update
    async def tasks(self, times: int) -> int:
        return sum(await gather(*(nothing(number) for number in range(times))))


class Ours(_work.System):
    """actorflow."""

    name = "actorflow"
    durability = _work.LOG_FILE
    version = version("actorflow")

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def together(self, callers: Sequence[_work.Caller]) -> None:
        async with trio.open_nursery() as nursery:
            for caller in callers:
                nursery.start_soon(caller)

    async def add_item(self, cart: str, sku: str, quantity: int, cents: int) -> None:
        await self.runtime.actor(Cart, cart).signal(Cart.add_item, sku, quantity, cents)

    async def put(self, cart: str, sku: str, quantity: int, cents: int) -> int:
        return await self.runtime.actor(Cart, cart).update(Cart.put, sku, quantity, cents)

    async def contents(self, cart: str) -> _work.Contents:
        held = await self.runtime.actor(Cart, cart).query(Cart.contents)
        return {sku: (item.quantity, item.cents) for sku, item in held.items()}

    async def steps(self, key: str, times: int) -> int:
        return await self.runtime.actor(Course, key).update(Course.steps, times)

    async def tasks(self, key: str, times: int) -> int:
        return await self.runtime.actor(Course, key).update(Course.tasks, times)


async def serve(directory: Path, drive: Callable[[_work.System], Awaitable[None]]) -> None:
    """Have it for as long as it is driven."""
    async with Runtime(LmdbJournal(directory / "journal"), entities=[Cart, Course]) as runtime:
        await drive(Ours(runtime))


def main(argv: Sequence[str] | None = None) -> None:
    """Answer on standard output."""
    _main.answer_all(argv, serve, trio.run)


if __name__ == "__main__":
    main()
