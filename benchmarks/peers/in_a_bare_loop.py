"""What is the least that a durable signal can cost on this machine?

The bare loop of ``benchmarks/_light.py``, asked like every other system: it packs what has gathered, appends
it to LMDB, syncs, and wakes the callers.  It has signals and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import lmdb
import trio

from benchmarks._light import Light
from benchmarks.peers import _main, _work


class BareLoop(_work.System):
    """The light, as a system."""

    name = "light"
    durability = _work.LMDB
    version = f"lmdb {lmdb.__version__}"
    cannot = dict.fromkeys((_work.UPDATES, _work.STEPS, _work.TASKS), "only signals")

    def __init__(self, bare: Light) -> None:
        self.bare = bare
        self.numbers: dict[str, int] = {}
        self.held: dict[tuple[str, str], _work.Item] = {}

    async def together(self, callers: Sequence[_work.Caller]) -> None:
        async with trio.open_nursery() as nursery:
            for caller in callers:
                nursery.start_soon(caller)

    async def begin(self, carts: Sequence[str]) -> None:
        self.numbers = {cart: number for number, cart in enumerate(carts)}
        for cart in self.bare.carts:
            cart.clear()

    async def add_item(self, cart: str, sku: str, quantity: int, cents: int) -> None:
        await self.bare.send(self.numbers[cart], (sku, quantity))
        self.held[cart, sku] = (0, cents)  # the bare loop keeps no prices

    async def contents(self, cart: str) -> _work.Contents:
        counted = self.bare.carts[self.numbers[cart]]
        return {sku: (quantity, self.held[cart, sku][1]) for sku, quantity in counted.items()}


async def serve(directory: Path, drive: Callable[[_work.System], Awaitable[None]]) -> None:
    """Have it for as long as it is driven."""
    bare = Light(directory, _work.CARTS)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bare.commit, 1 << 60)
        await drive(BareLoop(bare))
        nursery.cancel_scope.cancel()
    bare.journal.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Answer on standard output."""
    _main.answer_all(argv, serve, trio.run)


if __name__ == "__main__":
    main()
