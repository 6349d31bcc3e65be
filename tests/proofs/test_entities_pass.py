"""Is what readers are told to copy sound?  Every entity of ``entities``, searched."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from actorflow.testing import check
from entities.account import Account
from entities.approval import Approval
from entities.campaign import Campaign, Segment
from entities.cart import Cart
from entities.ingestion import Ingestion
from entities.inventory import Inventory
from entities.order import Order
from entities.schedule import Report, Runner, Schedule
from entities.topic import Points, Stockroom, Till, Topic

AMOUNTS = {"cents": st.integers(-1, 100)}
KEYS = st.sampled_from(["a", "b"])
SEARCHES: dict[type[Any], dict[str, Any]] = {
    Account: {
        "arguments": {
            Account.deposit: AMOUNTS,
            Account.withdraw: AMOUNTS,
            Account.transfer: {**AMOUNTS, "to": KEYS},
        }
    },
    Approval: {},
    Campaign: {},
    Segment: {"state": st.builds(Segment, KEYS, st.just("text"), KEYS)},
    Cart: {"arguments": {Cart.add_item: {"quantity": st.integers(0, 9), **AMOUNTS}}},
    Ingestion: {},
    Inventory: {
        "arguments": {
            Inventory.receive: {"quantity": st.integers(0, 20)},
            Inventory.reserve: {"quantity": st.integers(0, 9), "reservation": KEYS},
        }
    },
    Order: {},
    Report: {},
    Runner: {},
    Schedule: {},
    Points: {},
    Stockroom: {},
    Till: {},
    Topic: {},
}


@pytest.mark.parametrize("entity", SEARCHES, ids=lambda entity: entity.__name__)
def test_an_entity_to_copy_is_sound(entity: type[Any], seed: int, effort: int) -> None:
    """No story makes it do what it must not."""
    check(entity, seed=seed, examples=40 * effort, elsewhere=entity is Cart, **SEARCHES[entity])
