"""How fast is the library eventsourcing on SQLite, in process like actorflow?

A cart is an aggregate, and the application keeps it in its cache, as the library's documentation of caching
has it for a single process (no fast-forward, no copy); one lock for each cart takes the place of retrying
after a conflict.  Callers are threads, which is what the library is made for.
"""
# pyright: reportMissingImports=false
# The library is installed where this runs, and nowhere else.

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from benchmarks.peers import _main, _work


class Cart(Aggregate):
    """What is in it."""

    @event("Begun")
    def __init__(self, name: str) -> None:
        self.name = name
        self.items: dict[str, tuple[int, int]] = {}

    @staticmethod
    def create_id(name: str) -> UUID:
        return uuid5(NAMESPACE_URL, f"/carts/{name}")

    @event("ItemAdded")
    def add_item(self, sku: str, quantity: int, cents: int) -> None:
        held, _ = self.items.get(sku, (0, 0))
        self.items[sku] = (held + quantity, cents)


class Carts(Application):
    """All carts."""

    snapshotting_intervals = None


class Library(_work.Threads):
    """eventsourcing."""

    name = "eventsourcing"
    version = version("eventsourcing")
    cannot = dict.fromkeys((_work.STEPS, _work.TASKS), "no steps")

    def __init__(self, carts: Carts) -> None:
        self.carts = carts
        self.alone: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self.durability = (
            f"SQLite of Python, journal_mode {_pragma(carts, 'journal_mode')}, "
            f"synchronous {_work.SYNCHRONOUS[_pragma(carts, 'synchronous')]}: one fdatasync for each event"
        )

    async def begin(self, carts: Sequence[str]) -> None:
        for cart in carts:
            self.carts.save(Cart(cart))

    async def add_item(self, cart: str, sku: str, quantity: int, cents: int) -> None:
        self._add(cart, sku, quantity, cents)

    async def put(self, cart: str, sku: str, quantity: int, cents: int) -> int:
        return sum(quantity * cents for quantity, cents in self._add(cart, sku, quantity, cents).values())

    async def contents(self, cart: str) -> _work.Contents:
        held: Cart = self.carts.repository.get(Cart.create_id(cart))
        return dict(held.items)

    def _add(self, cart: str, sku: str, quantity: int, cents: int) -> _work.Contents:
        with self.alone[cart]:
            held: Cart = self.carts.repository.get(Cart.create_id(cart))
            held.add_item(sku, quantity, cents)
            self.carts.save(held)
            return held.items


def _pragma(carts: Carts, name: str) -> str:
    """What a connection of its pool really has."""
    with carts.factory.datastore.get_connection(commit=False) as connection, connection.cursor() as cursor:
        return str(cursor.execute(f"PRAGMA {name}").fetchone()[0])


async def serve(directory: Path, drive: Callable[[_work.System], Awaitable[None]]) -> None:
    """Have it for as long as it is driven."""
    carts = Carts(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "SQLITE_DBNAME": str(directory / "carts.sqlite"),
            "SQLITE_LOCK_TIMEOUT": "60",
            "AGGREGATE_CACHE_MAXSIZE": "100000",
            "AGGREGATE_CACHE_FASTFORWARD": "no",
            "DEEPCOPY_FROM_AGGREGATE_CACHE": "no",
        }
    )
    try:
        await drive(Library(carts))
    finally:
        carts.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Answer on standard output."""
    _main.answer_all(argv, serve, _work.finish)


if __name__ == "__main__":
    main()
