"""The story of a cart: filled, paid for, declined, given up, and there again after a restart."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actorflow import ActorCompleted, HandlerFailed, Refused, Runtime
from actorflow.testing import Scenario
from entities.cart import Cart, Item, charge, refund, release, reserve
from persistence import MemoryJournal

CARD = "card-token"


@pytest.fixture
def cart() -> Scenario[Cart]:
    """A cart with two apples and a pear."""
    filled = Scenario(Cart)
    filled.signal(Cart.add_item, "apple", 2, cents=150)
    filled.signal(Cart.add_item, "pear", 1, cents=90)
    return filled


# ---- filling -----------------------------------------------------------------------------------------


def test_items_add_up(cart: Scenario[Cart]) -> None:
    """What is added again is more of the same, at the newest price."""
    cart.signal(Cart.add_item, "apple", 1, cents=160)
    assert cart.query(Cart.contents) == {"apple": Item(3, 160), "pear": Item(1, 90)}
    assert cart.query(Cart.total) == 3 * 160 + 90


def test_items_can_be_removed(cart: Scenario[Cart]) -> None:
    """Some are taken out, or all there are, and what is not there cannot be missed."""
    cart.signal(Cart.remove_item, "apple", 1)
    cart.signal(Cart.remove_item, "pear", 5)
    cart.signal(Cart.remove_item, "plum", 1)
    assert cart.query(Cart.contents) == {"apple": Item(1, 150)}


def test_nonsense_is_set_aside(cart: Scenario[Cart]) -> None:
    """A quantity that cannot be is kept for somebody to look at, and the cart goes on without it."""
    cart.signal(Cart.add_item, "apple", -1, cents=150)
    assert [(one.handler, one.arguments) for one in cart.parked] == [("add_item", ("apple", -1, 150))]
    assert cart.query(Cart.total) == 390


# ---- paying ------------------------------------------------------------------------------------------


def test_an_empty_cart_cannot_be_paid_for() -> None:
    """Checkout of nothing is refused, and leaves nothing behind, not even a cart."""
    cart = Scenario(Cart)
    with pytest.raises(Refused, match="empty"):
        _ = cart.update(Cart.checkout, CARD).value
    assert (cart.status, cart.history) == ("vacant", [])


def test_a_paid_cart_is_complete(cart: Scenario[Cart]) -> None:
    """A cart that is paid for ends with its receipt, also across a restart at every step."""
    checkout = cart.update(Cart.checkout, CARD)
    cart.restart()
    cart.answer(reserve)
    cart.restart()
    (payment,) = [one for one in cart.waiting if one.name == charge.name]
    assert payment.arguments[1:] == (390, CARD)
    cart.answer(charge, "receipt-1")

    assert checkout.value == "receipt-1"
    assert (cart.status, cart.result(str)) == ("completed", "receipt-1")
    with pytest.raises(ActorCompleted):
        cart.signal(Cart.add_item, "plum", 1, cents=30)


def test_what_is_charged_is_what_was_in_the_cart(cart: Scenario[Cart]) -> None:
    """An item that comes during the checkout waits behind it: neither charged nor forgotten."""
    cart.update(Cart.checkout, CARD)
    cart.answer(reserve)
    cart.signal(Cart.add_item, "plum", 1, cents=30)
    assert cart.mailbox == ["add_item"]
    cart.fail(charge, RuntimeError("declined"))
    cart.answer(refund)
    cart.answer(release)
    assert cart.query(Cart.total) == 390 + 30


def test_a_declined_card_undoes_everything(cart: Scenario[Cart]) -> None:
    """Nobody knows whether a failed charge went through: money and goods go back, the cart lives on."""
    checkout = cart.update(Cart.checkout, CARD)
    cart.answer(reserve)
    (payment,) = [one.arguments[0] for one in cart.waiting if one.name == charge.name]
    cart.fail(charge, RuntimeError("declined"))

    (undoing,) = [one for one in cart.waiting if one.kind == "activity"]
    assert (undoing.name, undoing.arguments) == ("refund", (payment,))  # the same payment, in reverse order
    cart.answer(refund)
    cart.answer(release)

    with pytest.raises(HandlerFailed, match="declined"):
        _ = checkout.value
    assert (cart.status, cart.query(Cart.total)) == ("running", 390)


def test_what_cannot_be_reserved_is_not_charged(cart: Scenario[Cart]) -> None:
    """Where the goods are gone nobody pays."""
    checkout = cart.update(Cart.checkout, CARD)
    cart.fail(reserve, RuntimeError("no apples"))
    cart.answer(release)
    with pytest.raises(HandlerFailed, match="no apples"):
        _ = checkout.value
    assert not [one for one in cart.waiting if one.kind == "activity"]


# ---- being forgotten ---------------------------------------------------------------------------------


def test_a_cart_that_nobody_wants_is_closed(cart: Scenario[Cart]) -> None:
    """Thirty days after the last change, and not after the first, a cart is given up."""
    cart.advance(timedelta(days=29))
    cart.signal(Cart.remove_item, "pear", 1)
    cart.advance(timedelta(days=29))
    assert cart.status == "running"
    cart.advance(timedelta(days=1))
    assert cart.status == "completed"


# ---- in a runtime ------------------------------------------------------------------------------------


async def test_a_cart_is_there_after_a_restart() -> None:
    """What was added is there when the journal is opened again; sent again with its id, it is there once."""
    journal = MemoryJournal()
    async with Runtime(journal, entities=[Cart], strict=True) as runtime:
        cart = runtime.actor(Cart, "cart-42")
        await cart.once("apples").signal(Cart.add_item, "apple", 2, cents=150)
    async with Runtime(journal, entities=[Cart], strict=True) as runtime:
        cart = runtime.actor(Cart, "cart-42")
        await cart.once("apples").signal(Cart.add_item, "apple", 2, cents=150)
        assert await cart.query(Cart.contents) == {"apple": Item(2, 150)}


async def test_a_checkout_pays_and_ends_the_cart() -> None:
    """With its activities run by the runtime, a checkout gives a receipt, and so does asking for it again."""
    journal = MemoryJournal()
    async with Runtime(journal, entities=[Cart], strict=True) as runtime:
        cart = runtime.actor(Cart, "cart-42")
        await cart.signal(Cart.add_item, "apple", 2, cents=150)
        receipt = await cart.once("pay").update(Cart.checkout, CARD)
        assert receipt.startswith(f"300 cents by {CARD}")
    async with Runtime(journal, entities=[Cart], strict=True) as runtime:
        cart = runtime.actor(Cart, "cart-42")
        assert await cart.once("pay").update(Cart.checkout, CARD) == receipt
        assert await cart.result(str) == receipt
