"""How fast is DBOS on SQLite, with the carts in tables of the application, as its documentation advises?

A signal is a workflow of one transaction, which adds to a row; an update answers from the same transaction.
The tables are in a file of their own, and both files keep a write-ahead log.  Callers are threads.  There is
no mailbox and no entity here: it is what one would write with DBOS instead.
"""
# pyright: reportMissingImports=false
# The library is installed where this runs, and nowhere else.

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import sqlalchemy as sql
from dbos import DBOS, SQLAlchemyDatasource

from benchmarks.peers import _main, _work
from benchmarks.peers.in_dbos import journaled, launched, pragmas

META = sql.MetaData()
ITEMS = sql.Table(
    "items",
    META,
    sql.Column("cart", sql.String, primary_key=True),
    sql.Column("sku", sql.String, primary_key=True),
    sql.Column("quantity", sql.Integer, nullable=False),
    sql.Column("cents", sql.Integer, nullable=False),
)


class Carts:
    """Where the carts are; set before any workflow runs."""

    source: SQLAlchemyDatasource


def _add(cart: str, sku: str, quantity: int, cents: int) -> int:
    """Add to a row, and what the cart comes to."""
    session = Carts.source.sql_session()
    row = {"cart": cart, "sku": sku, "quantity": quantity, "cents": cents}
    more = {"quantity": ITEMS.c.quantity + quantity, "cents": cents}
    session.execute(
        sql.dialects.sqlite.insert(ITEMS).values(row).on_conflict_do_update(["cart", "sku"], set_=more)
    )
    total = sql.select(sql.func.sum(ITEMS.c.quantity * ITEMS.c.cents)).where(ITEMS.c.cart == cart)
    return int(session.execute(total).scalar_one())


@DBOS.workflow()
def add_item(cart: str, sku: str, quantity: int, cents: int) -> int:
    """A message, whole."""
    answer: int = Carts.source.run_tx_step({"name": "add"}, _add, cart, sku, quantity, cents)
    return answer


class Tables(_work.Threads):
    """DBOS and tables."""

    name = "dbos-tables"
    version = version("dbos")
    cannot = dict.fromkeys((_work.STEPS, _work.TASKS), "as dbos")

    def __init__(self, database: Path) -> None:
        self.durability = f"{pragmas(database)}, and five of those for each message"

    async def add_item(self, cart: str, sku: str, quantity: int, cents: int) -> None:
        add_item(cart, sku, quantity, cents)

    async def put(self, cart: str, sku: str, quantity: int, cents: int) -> int:
        return add_item(cart, sku, quantity, cents)

    async def contents(self, cart: str) -> _work.Contents:
        with Carts.source.engine.connect() as connection:
            rows = connection.execute(sql.select(ITEMS).where(ITEMS.c.cart == cart))
            return {row.sku: (row.quantity, row.cents) for row in rows}


async def serve(directory: Path, drive: Callable[[_work.System], Awaitable[None]]) -> None:
    """Have it for as long as it is driven."""
    database = journaled(directory / "carts.sqlite")
    Carts.source = SQLAlchemyDatasource.create(f"sqlite:///{database}")
    META.create_all(Carts.source.engine)
    with launched(journaled(directory / "dbos.sqlite")):
        await drive(Tables(database))


def main(argv: Sequence[str] | None = None) -> None:
    """Answer on standard output."""
    _main.answer_all(argv, serve, _work.finish)


if __name__ == "__main__":
    main()
