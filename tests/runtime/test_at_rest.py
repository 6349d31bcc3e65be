"""An actor that nobody speaks to takes little memory, and is none the less whole."""

from __future__ import annotations

import gc
import sys
from types import FunctionType, ModuleType
from typing import Any

import pytest

from actorflow._core.actor import Actor
from actorflow._core.image import image
from actorflow._core.spec import Spec
from entities.cart import Cart

from .drive import Drive

KEPT_BYTES = 4_300
"""Ten items take 1,300 of them, and what is asked for is 4,000."""
OTHERS = (type, ModuleType, FunctionType, Spec)


def reached(root: Any) -> dict[int, Any]:
    """All objects that something holds, and that may be its own."""
    found: dict[int, Any] = {}
    todo = [root]
    while todo:
        one = todo.pop()
        if id(one) not in found and not isinstance(one, OTHERS):
            found[id(one)] = one
            todo += gc.get_referents(one)
    return found


def weighed(drive: Drive) -> int:
    """Bytes that one cart holds and another does not."""
    others = reached(drive.resident(Cart, "cart-1"))
    own = [one for at, one in reached(drive.resident(Cart, "cart-0")).items() if at not in others]
    return sum(map(sys.getsizeof, own))


def carts() -> Drive:
    """Two of them, with ten items and a history."""
    drive = Drive(entities=[Cart])
    for number in range(60):
        for cart in range(2):
            drive.send(Cart, f"cart-{cart}", Cart.add_item, f"sku-{number % 10}", 1, 1_000 + number)
    return drive


def settled() -> Drive:
    """The same, and the tables have them."""
    drive = carts()
    drive.later(11)
    drive.commit()
    drive.later(11)
    drive.settle()
    return drive


def test_an_idle_actor_holds_little_more_than_its_state() -> None:
    """What it needed for its last turn, and to undo the next, is not kept for years."""
    assert weighed(settled()) <= KEPT_BYTES < weighed(carts())


def test_an_actor_that_was_only_asked_holds_as_little() -> None:
    """The same where it was brought back from the tables."""
    drive = settled().crash(entities=[Cart])
    assert drive.ask(Cart, "cart-0", Cart.total) == drive.ask(Cart, "cart-1", Cart.total)
    assert weighed(drive) <= KEPT_BYTES


def test_an_actor_at_rest_is_whole() -> None:
    """It is observed as it was, goes on as another does that never rested, and what fails is undone."""
    rested, restless = settled(), carts()
    assert image(rested.actor(Cart, "cart-0")) == image(restless.actor(Cart, "cart-0"))
    for drive in (rested, restless):
        drive.now = 2_000_000_000_000_000
        drive.send(Cart, "cart-0", Cart.add_item, "sku-1", 0, 0)  # fails, and is parked
        drive.send(Cart, "cart-0", Cart.checkout, "card")
    assert rested.actor(Cart, "cart-0").parked
    assert rested.actor(Cart, "cart-0").open
    assert image(rested.actor(Cart, "cart-0")) == image(restless.actor(Cart, "cart-0"))


def test_an_actor_that_forgot_something_at_rest_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a rest that lets go of a table with something in it is seen."""
    rest = Actor.rest

    def careless(actor: Actor) -> None:
        actor.timers = {}
        rest(actor)

    monkeypatch.setattr(Actor, "rest", careless)
    assert image(settled().actor(Cart, "cart-0")) != image(carts().actor(Cart, "cart-0"))
