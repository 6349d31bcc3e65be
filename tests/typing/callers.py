"""What callers write: every argument is checked, positional and keyword, and every answer inferred."""

from __future__ import annotations

from typing import assert_type

from actorflow.testing import Reply, Scenario
from tests.typing.cart import Cart, Shelf

cart = Scenario(Cart)
shelf = Scenario(Shelf, "shelf-1")
assert_type(cart, Scenario[Cart])

# ---- signals -----------------------------------------------------------------------------------------

cart.signal(Cart.add_item, "apple", 2, 150)
cart.signal(Cart.add_item, "apple", 2, cents=150)
cart.signal(Cart.add_item, cents=150, quantity=2, sku="apple")
cart.signal(Cart.remark, "hello")
cart.signal(Cart.remark, "hello", loud=True)
assert_type(cart.signal(Cart.add_item, "apple", 2, 150), None)

cart.signal(Cart.add_item)  # E: mypy[call-arg] pyright[reportCallIssue]
cart.signal(Cart.add_item, "apple", 2)  # E: mypy[call-arg] pyright[reportCallIssue]
cart.signal(Cart.add_item, "apple", 2, 150, 3)  # E: mypy[call-arg] pyright[reportCallIssue]
cart.signal(Cart.add_item, "apple", "2", 150)  # E: mypy[arg-type] pyright[reportArgumentType]
cart.signal(Cart.add_item, "apple", 2, cents="150")  # E: mypy[arg-type] pyright[reportArgumentType]
cart.signal(Cart.add_item, "apple", 2, euros=1)  # E: mypy[call-arg] pyright[reportCallIssue]
cart.signal(Cart.add_item, "apple", 2, 150, sku="pear")  # E: mypy[misc] pyright[reportCallIssue]
cart.signal(Cart.remark, "hello", True)  # E: mypy[call-arg] pyright[reportCallIssue]
cart.signal(Cart.remark, "hello", loud="yes")  # E: mypy[arg-type] pyright[reportArgumentType]

# ---- updates -----------------------------------------------------------------------------------------

assert_type(cart.update(Cart.checkout, "card"), Reply[str])
assert_type(cart.update(Cart.checkout, "card").value, str)
assert_type(cart.update(Cart.checkout, card="card").done, bool)
assert_type(cart.update(Cart.discount, 10).value, int)
assert_type(cart.update(Cart.gift, "a friend").value, bool)
assert_type(cart.update(Cart.clear), Reply[None])

cart.update(Cart.checkout)  # E: mypy[call-arg] pyright[reportCallIssue]
cart.update(Cart.checkout, 5)  # E: mypy[arg-type] pyright[reportArgumentType]
cart.update(Cart.checkout, "card", "another")  # E: mypy[call-arg] pyright[reportCallIssue]
cart.update(Cart.checkout, kard="card")  # E: mypy[call-arg] pyright[reportCallIssue]
cart.update(Cart.discount, percent="10")  # E: mypy[arg-type] pyright[reportArgumentType]

# ---- queries -----------------------------------------------------------------------------------------

assert_type(cart.query(Cart.total), int)
assert_type(cart.query(Cart.count), int | None)
assert_type(cart.query(Cart.count, sku="pear"), int | None)

cart.query(Cart.total, 1)  # E: mypy[call-arg] pyright[reportCallIssue]
cart.query(Cart.count, 1)  # E: mypy[arg-type] pyright[reportArgumentType]
cart.query(Cart.count, name="pear")  # E: mypy[call-arg] pyright[reportCallIssue]

# ---- once --------------------------------------------------------------------------------------------

assert_type(cart.once("a").update(Cart.checkout, "card"), Reply[str])
cart.once("b").signal(Cart.add_item, "apple", 2, cents=150)

cart.once(1)  # E: mypy[arg-type] pyright[reportArgumentType]
cart.once("c").update(Cart.checkout, 5)  # E: mypy[arg-type] pyright[reportArgumentType]
cart.once("d").signal(Cart.add_item, "apple")  # E: mypy[call-arg] pyright[reportCallIssue]
cart.once("e").signal(Shelf.put, "apple")  # E: mypy[arg-type] pyright[reportArgumentType]
cart.once("f").query(Cart.total)  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue, reportUnknownMemberType]

# ---- the wrong kind of handler, and handlers of somebody else ------------------------------------------

cart.signal(Cart.total)  # E: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
cart.signal(Cart.checkout, "card")  # E: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
cart.signal(Cart.abandon)  # E: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
cart.update(Cart.add_item, "apple", 2, 150)  # E: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
cart.update(Cart.total)  # E: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
cart.query(Cart.checkout, "card")  # E: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
cart.query(Cart.add_item, "apple", 2, 150)  # E: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
cart.signal("add_item", "apple", 2, 150)  # E: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
cart.signal(Shelf.put, "apple")  # E: mypy[arg-type] pyright[reportArgumentType]
cart.update(Shelf.take, "apple")  # E: mypy[arg-type] pyright[reportArgumentType]
cart.query(Shelf.full)  # E: mypy[arg-type] pyright[reportArgumentType]
shelf.query(Cart.total)  # E: mypy[arg-type] pyright[reportArgumentType]
shelf.signal(Cart.add_item, "apple", 2, 150)  # E: mypy[arg-type] pyright[reportArgumentType]

# ---- what a scenario shows -----------------------------------------------------------------------------

assert_type(cart.state, Cart)
assert_type(cart.state.items["apple"].quantity, int)
assert_type(cart.result(str), str)
assert_type(cart.result(list[int]), list[int])
shelf.start(Shelf("top"), if_running="use", if_completed="new")
shelf.start(Cart())  # E: mypy[arg-type] pyright[reportArgumentType]
shelf.start(Shelf("top"), if_running="perhaps")  # E: mypy[arg-type] pyright[reportArgumentType]
cart.state.wrong  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue, reportUnknownMemberType]
