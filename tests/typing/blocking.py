"""What callers in threads write: the same names, checked the same, and answers without an await."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, assert_type

from actorflow import ActorHandle, AsyncioRuntime, BlockingHandle, BlockingRuntime
from persistence import MemoryJournal
from tests.typing.cart import Cart, Shelf

runtime = BlockingRuntime(MemoryJournal(), entities=[Cart, Shelf])
cart = runtime.actor(Cart, "cart-42")
shelf = runtime.start(Shelf("top"), "shelf-1", if_running="use")
assert_type(cart, BlockingHandle[Cart])
assert_type(shelf, BlockingHandle[Shelf])
assert_type(cart.once("a").within(timedelta(seconds=5)), BlockingHandle[Cart])

# ---- messages ----------------------------------------------------------------------------------------

assert_type(cart.signal(Cart.add_item, "apple", 2, cents=150), None)
assert_type(cart.update(Cart.checkout, "card"), str)
assert_type(cart.update(Cart.discount, 10), int)
assert_type(cart.query(Cart.total), int)
assert_type(cart.query(Cart.count, sku="pear"), int | None)

cart.signal(Cart.add_item, "apple", 2)  # E: mypy[call-arg] pyright[reportCallIssue]
cart.signal(Cart.add_item, "apple", "2", 150)  # E: mypy[arg-type] pyright[reportArgumentType]
cart.signal(Cart.add_item, "apple", 2, euros=1)  # E: mypy[call-arg] pyright[reportCallIssue]
cart.signal(Cart.add_item, "apple", 2, 150, timeout=5)  # E: mypy[call-arg] pyright[reportCallIssue]
cart.update(Cart.checkout, 5)  # E: mypy[arg-type] pyright[reportArgumentType]
cart.query(Cart.total, 1)  # E: mypy[call-arg] pyright[reportCallIssue]
cart.signal(Shelf.put, "apple")  # E: mypy[arg-type] pyright[reportArgumentType]
cart.query(Cart.checkout, "card")  # E: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
cart.within(5)  # E: mypy[arg-type] pyright[reportArgumentType]

# ---- the rest ----------------------------------------------------------------------------------------

assert_type(cart.result(str), str)
assert_type(cart.result(), Any)
assert_type(cart.at(3).query(Cart.total), int)
cart.start(Shelf("top"))  # E: mypy[arg-type] pyright[reportArgumentType]

with runtime.batch() as batch:
    batch.signal(cart, Cart.add_item, "apple", 2, cents=150)
    batch.signal(cart, Cart.add_item, "apple")  # E: mypy[call-arg] pyright[reportCallIssue]
    batch.signal(cart, Shelf.put, "apple")  # E: mypy[misc] pyright[reportArgumentType]


async def in_asyncio() -> None:
    async with AsyncioRuntime(MemoryJournal(), entities=[Cart]) as runtime:
        cart = runtime.actor(Cart, "cart-42")
        assert_type(cart, ActorHandle[Cart])
        assert_type(await cart.update(Cart.checkout, "card"), str)
        assert_type(await asyncio.create_task(cart.result(str)), str)
        await cart.signal(Cart.add_item, "apple")  # E: mypy[call-arg] pyright[reportCallIssue]
