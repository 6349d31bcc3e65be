"""How fast is DBOS on SQLite, in process like actorflow?

A cart is a workflow that receives one message after the other; an update is a message, and an event with
its answer.  Steps are DBOS's steps.  SQLite keeps a write-ahead log, which its file remembers, instead of
the rollback journal that DBOS would leave it with: as durable, and fewer syncs.  On SQLite, waiting for a
message is polling, so the interval is short.  DBOS's documentation advises to keep long-lived objects in
tables of the application, and PostgreSQL for production: this is not what it does best.
"""
# pyright: reportMissingImports=false
# The library is installed where this runs, and nowhere else.

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from dbos import DBOS, DBOSConfig, SetWorkflowID

from benchmarks.peers import _main, _work

POLL_SECONDS: Final = 0.01
FOREVER_SECONDS: Final = 1e6

taken = 0
"""How many messages the carts have taken; nothing is recovered here, so none is counted twice."""


@DBOS.workflow()
async def cart() -> None:
    """What is in it."""
    global taken  # noqa: PLW0603 - it is no state of the cart
    items: dict[str, tuple[int, int]] = {}
    while True:
        message: dict[str, Any] = await DBOS.recv_async(timeout_seconds=FOREVER_SECONDS)
        if "sku" in message:
            held, _ = items.get(message["sku"], (0, 0))
            items[message["sku"]] = (held + message["quantity"], message["cents"])
            taken += 1
        if message["ask"] == "total":
            await DBOS.set_event_async(
                message["reply"], sum(quantity * cents for quantity, cents in items.values())
            )
        elif message["ask"] == "contents":
            await DBOS.set_event_async(message["reply"], items)
        elif message["ask"] == "end":
            return


@DBOS.step()
async def nothing(number: int) -> int:
    """Touch nothing."""
    return number


@DBOS.workflow()
async def one_after_the_other(times: int) -> int:
    """Steps in a row."""
    total = 0
    for number in range(times):
        total += await nothing(number)
    return total


@DBOS.workflow()
async def all_at_once(times: int) -> int:
    """Steps side by side."""
    return sum(await asyncio.gather(*(nothing(number) for number in range(times))))


class Library(_work.System):
    """DBOS."""

    name = "dbos"
    version = version("dbos")
    applied_when_acknowledged = False

    def __init__(self, database: Path) -> None:
        self.replies = itertools.count()
        self.durability = pragmas(database)

    @property
    def applied(self) -> int:
        return taken

    async def begin(self, carts: Sequence[str]) -> None:
        for key in carts:
            with SetWorkflowID(key):
                await DBOS.start_workflow_async(cart)

    async def end(self, carts: Sequence[str]) -> None:
        for key in carts:
            await DBOS.send_async(key, {"ask": "end"})
            await (await DBOS.retrieve_workflow_async(key)).get_result(polling_interval_sec=POLL_SECONDS)

    async def add_item(self, cart: str, sku: str, quantity: int, cents: int) -> None:
        await DBOS.send_async(cart, {"sku": sku, "quantity": quantity, "cents": cents, "ask": ""})

    async def put(self, cart: str, sku: str, quantity: int, cents: int) -> int:
        return int(await self._ask(cart, "total", sku=sku, quantity=quantity, cents=cents))

    async def contents(self, cart: str) -> _work.Contents:
        held: _work.Contents = await self._ask(cart, "contents")
        return held

    async def steps(self, key: str, times: int) -> int:
        with SetWorkflowID(key):
            handle = await DBOS.start_workflow_async(one_after_the_other, times)
        return await handle.get_result(polling_interval_sec=POLL_SECONDS)

    async def tasks(self, key: str, times: int) -> int:
        with SetWorkflowID(key):
            handle = await DBOS.start_workflow_async(all_at_once, times)
        return await handle.get_result(polling_interval_sec=POLL_SECONDS)

    async def _ask(self, cart: str, what: str, **said: object) -> Any:
        reply = f"reply-{next(self.replies)}"
        await DBOS.send_async(cart, {**said, "ask": what, "reply": reply})
        return await DBOS.get_event_async(cart, reply, timeout_seconds=FOREVER_SECONDS)


def pragmas(database: Path) -> str:
    """What SQLite does for a commit to this file."""
    with closing(sqlite3.connect(database)) as connection:
        (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
        (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    return (
        f"SQLite of Python, journal_mode {journal}, synchronous {_work.SYNCHRONOUS[str(synchronous)]}, "
        "an fdatasync for each transaction"
    )


def journaled(database: Path) -> Path:
    """A file of SQLite that keeps a write-ahead log from now on."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    return database


@contextmanager
def launched(database: Path) -> Iterator[None]:
    """DBOS, for as long as the block lasts."""
    config: DBOSConfig = {
        "name": "bench-peers",
        "system_database_url": f"sqlite:///{database}",
        "notification_listener_polling_interval_sec": POLL_SECONDS,
        "console_log_level": "ERROR",
        "log_level": "ERROR",
    }
    DBOS(config=config)
    DBOS.launch()
    try:
        yield
    finally:
        DBOS.destroy()


async def serve(directory: Path, drive: Callable[[_work.System], Awaitable[None]]) -> None:
    """Have it for as long as it is driven."""
    database = journaled(directory / "dbos.sqlite")
    with launched(database):
        await drive(Library(database))


def main(argv: Sequence[str] | None = None) -> None:
    """Answer on standard output."""
    _main.answer_all(argv, serve)


if __name__ == "__main__":
    main()
