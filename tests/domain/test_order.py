"""The story of an order: goods, money and a parcel, one after the other, and undone in reverse."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import trio

from actorflow import HandlerFailed, Limits, Refused, Runtime
from actorflow.testing import Scenario
from entities import order as orders
from entities.cart import Cart
from entities.inventory import Inventory, Ledger
from entities.order import Line, Order, charge, recall, refund, ship
from persistence import MemoryJournal
from tests.domain.world import NOWHERE, World, stand_in

CARD, HOME = "card-token", "Elm Street 1"
LINES = {"apple": Line(2, 150), "pear": Line(1, 90)}
ENTITIES = [Order, Inventory, Cart]


@pytest.fixture
def order() -> Scenario[Order]:
    """An order, of which nothing is known yet."""
    return Scenario(Order, "order-7")


def up_to_shipping(order: Scenario[Order]) -> None:
    """Let everything before the parcel go well, with a crash after each step."""
    for step in (Inventory.reserve, Inventory.reserve, charge, Inventory.commit, Inventory.commit):
        order.answer(step)
        order.restart()


def released(order: Scenario[Order]) -> list[str]:
    """Whose stock the last step has given back."""
    return [sent.key for sent in order.sent if sent.handler == "release"]


# ---- when all goes well ------------------------------------------------------------------------------


def test_an_order_takes_one_step_after_the_other(order: Scenario[Order]) -> None:
    """Goods, money, parcel; with the parcel's number the order ends, whatever was restarted meanwhile."""
    placed = order.update(Order.place, LINES, CARD, HOME)
    steps: list[str] = []
    while not placed.done:
        (waiting,) = [one for one in order.waiting if one.kind in {"activity", "update"}]
        steps.append(f"{waiting.name.split('.')[-1]} {order.query(Order.standing).step}")
        order.restart()
        order.answer(waiting, "parcel-1" if waiting.name == "ship" else None)
    assert steps == [
        "reserve reserving",
        "reserve reserving",
        "charge charging",
        "commit shipping",
        "commit shipping",
        "ship shipping",
    ]
    assert (placed.value, order.status, order.result(str)) == ("parcel-1", "completed", "parcel-1")


def test_what_is_charged_is_what_was_ordered(order: Scenario[Order]) -> None:
    """The sum of all lines is taken from the card, once, under an id."""
    order.update(Order.place, LINES, CARD, HOME)
    order.answer(Inventory.reserve)
    order.answer(Inventory.reserve)
    (payment,) = [one for one in order.waiting if one.kind == "activity"]
    assert payment.arguments == (order.query(Order.standing).payment, 390, CARD)


@pytest.mark.parametrize(
    ("lines", "card", "address"),
    [
        ({}, CARD, HOME),
        ({"apple": Line(0, 150)}, CARD, HOME),
        ({"apple": Line(1, -1)}, CARD, HOME),
        ({str(number): Line(1, 1) for number in range(101)}, CARD, HOME),
        (LINES, "", HOME),
        (LINES, CARD, ""),
    ],
)
def test_what_cannot_work_is_refused_at_once(
    order: Scenario[Order], lines: dict[str, Line], card: str, address: str
) -> None:
    """What is wrong with an order itself is found before anything is asked for, and leaves no trace."""
    with pytest.raises(Refused):
        _ = order.update(Order.place, lines, card, address).value
    assert (order.status, order.history) == ("vacant", [])


# ---- when a step fails -------------------------------------------------------------------------------


def test_what_is_not_there_is_not_paid_for(order: Scenario[Order]) -> None:
    """Where the pears are gone, the apples go back, nobody pays, and the caller hears why."""
    placed = order.update(Order.place, LINES, CARD, HOME)
    order.answer(Inventory.reserve)
    order.fail(Inventory.reserve, Refused("there are 0, not 1", 0))
    assert released(order) == ["pear", "apple"]  # the pears too: nobody knows what a failed step has done
    with pytest.raises(Refused, match="there are 0"):
        _ = placed.value
    assert order.waiting == []


def test_everything_is_undone_in_reverse(order: Scenario[Order]) -> None:
    """Where the parcel fails, the parcel, the money and the goods come back, each under its own id."""
    placed = order.update(Order.place, LINES, CARD, HOME)
    up_to_shipping(order)
    standing = order.query(Order.standing)
    order.fail(ship, RuntimeError("no room in the van"))
    for undoing, id_ in ((recall, standing.shipment), (refund, standing.payment)):
        (waiting,) = order.waiting
        assert (waiting.name, waiting.arguments) == (undoing.name, (id_,))
        order.restart()  # also in the middle of undoing
        order.answer(undoing)
    assert released(order) == ["pear", "apple"]
    with pytest.raises(HandlerFailed, match="no room"):
        _ = placed.value
    assert (order.query(Order.standing).step, order.query(Order.standing).not_undone) == ("undone", [])


def test_a_reservation_that_expired_meanwhile_undoes_the_order(order: Scenario[Order]) -> None:
    """If paying took so long that the goods went back on the shelf, the money goes back, too."""
    placed = order.update(Order.place, LINES, CARD, HOME)
    for step in (Inventory.reserve, Inventory.reserve, charge):
        order.answer(step)
    order.fail(Inventory.commit, Refused("the reservation is expired"))
    order.answer(refund)
    with pytest.raises(Refused, match="expired"):
        _ = placed.value


def test_an_order_can_be_placed_again(order: Scenario[Order]) -> None:
    """What was undone is no obstacle: another card, and new ids, so that nothing old is taken for new."""
    first = order.update(Order.place, LINES, CARD, HOME)
    for step in (Inventory.reserve, Inventory.reserve):
        order.answer(step)
    before = order.query(Order.standing).payment
    order.fail(charge, RuntimeError("declined"))
    order.answer(refund)
    assert first.done
    second = order.update(Order.place, LINES, "another card", HOME)
    assert order.query(Order.standing).payment != before
    up_to_shipping(order)
    order.answer(ship, "parcel-2")
    assert second.value == "parcel-2"


def test_an_order_that_is_cancelled_is_undone(order: Scenario[Order]) -> None:
    """A cancel ends the order, and not before it has given back what it had got."""
    order.update(Order.place, LINES, CARD, HOME)
    up_to_shipping(order)
    order.cancel()
    order.confirm_cancelled(ship)
    order.answer(recall)
    assert order.status == "closing"
    order.answer(refund)
    assert released(order) == ["pear", "apple"]
    assert (order.status, order.query(Order.standing).step) == ("cancelled", "undone")


# ---- when undoing fails ------------------------------------------------------------------------------


@pytest.fixture
def half_undone(order: Scenario[Order]) -> Scenario[Order]:
    """An order whose money did not come back."""
    order.update(Order.place, LINES, CARD, HOME)
    up_to_shipping(order)
    order.fail(ship, RuntimeError("no room in the van"))
    order.answer(recall)
    order.fail(refund, RuntimeError("the bank is closed"))
    return order


def test_a_compensation_that_fails_stops_no_other(half_undone: Scenario[Order]) -> None:
    """The goods go back though the money did not, and what was and was not undone can be seen, and why."""
    assert released(half_undone) == ["pear", "apple"]
    standing = half_undone.query(Order.standing)
    undone = [call.partition("(")[0] for call in standing.undone]
    assert (standing.step, undone) == ("half undone", ["recall", "Order.put_back", "Order.put_back"])
    (left,) = standing.not_undone
    assert left.startswith(f"refund('{standing.payment}') (")
    assert "the bank is closed" in left
    assert "no room in the van" in standing.reason


def test_what_is_half_undone_takes_nothing_new(half_undone: Scenario[Order]) -> None:
    """Until somebody has seen to it, the order cannot be placed again: it would forget what it owes."""
    with pytest.raises(Refused, match="half undone"):
        _ = half_undone.update(Order.place, LINES, CARD, HOME).value


def test_what_is_half_undone_can_be_undone_again(half_undone: Scenario[Order]) -> None:
    """Once the bank is open an operator has it tried again, with the same payment; if in vain, it stays."""
    payment = half_undone.query(Order.standing).payment
    vain = half_undone.update(Order.undo_again)
    half_undone.answer(recall)
    half_undone.fail(refund, RuntimeError("still closed"))
    with pytest.raises(HandlerFailed, match="still closed"):
        _ = vain.value
    assert half_undone.query(Order.standing).not_undone
    again = half_undone.update(Order.undo_again)
    half_undone.answer(recall)
    assert half_undone.waiting[0].arguments == (payment,)
    half_undone.answer(refund)
    assert again.value is None
    assert half_undone.query(Order.standing).not_undone == []
    assert not half_undone.update(Order.place, LINES, CARD, HOME).done


def test_what_is_half_undone_can_be_settled_by_hand(half_undone: Scenario[Order]) -> None:
    """Somebody has sent the money by other means, and says so; where nothing is owed that is refused."""
    _ = half_undone.update(Order.settle, "transferred on Monday").value
    assert half_undone.query(Order.standing).reason.endswith("by hand: transferred on Monday")
    for nothing in (half_undone.update(Order.settle, "again"), half_undone.update(Order.undo_again)):
        with pytest.raises(Refused, match="nothing"):
            _ = nothing.value


def test_what_is_left_of_a_cancelled_order_can_still_be_seen(order: Scenario[Order]) -> None:
    """A life that was cancelled takes no more messages, and says what it owes all the same."""
    placed = order.update(Order.place, LINES, CARD, HOME)
    for step in (Inventory.reserve, Inventory.reserve):
        order.answer(step)
    order.cancel()
    order.confirm_cancelled(charge)
    order.fail(refund, RuntimeError("the bank is closed"))
    with pytest.raises(HandlerFailed, match="not undone refund"):
        _ = placed.value
    standing = order.query(Order.standing)
    assert (order.status, standing.step, standing.reason) == ("cancelled", "half undone", "it was cancelled")
    assert standing.payment


# ---- in a runtime ------------------------------------------------------------------------------------


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Payments and a carrier that do as they are asked."""
    made = World()
    made.install(monkeypatch)
    return made


async def stocked(runtime: Runtime) -> None:
    """Ten of each, also where they are there already."""
    for sku in LINES:
        await runtime.actor(Inventory, sku).once("delivery").update(Inventory.receive, 10)


async def ledgers(runtime: Runtime) -> list[Ledger]:
    """Where the apples and the pears are."""
    return [await runtime.actor(Inventory, sku).query(Inventory.ledger) for sku in LINES]


async def test_an_order_moves_goods_and_money_once(world: World) -> None:
    """Placed, and placed again with the same id before and after a restart, it is one order."""
    journal = MemoryJournal()
    parcels: set[str] = set()
    for _ in range(2):
        async with Runtime(journal, entities=ENTITIES, strict=True) as runtime:
            await stocked(runtime)
            order = runtime.actor(Order, "order-7").once("place")
            for _ in range(2):
                parcels.add(await order.update(Order.place, LINES, CARD, HOME))
            assert await ledgers(runtime) == [Ledger(10, 8, 0, 2), Ledger(10, 9, 0, 1)]
    assert len(parcels) == 1
    assert (world.cents, world.parcels, world.calls) == (390, [LINES], ["charge", "ship"])


async def test_a_cart_becomes_an_order(world: World) -> None:
    """What was put into a cart is kept for its owner, sold and sent."""
    async with Runtime(MemoryJournal(), entities=ENTITIES, strict=True) as runtime:
        await stocked(runtime)
        cart = runtime.actor(Cart, "cart-42")
        await cart.signal(Cart.add_item, "apple", 2, cents=150)
        lines = {
            sku: Line(item.quantity, item.cents) for sku, item in (await cart.query(Cart.contents)).items()
        }
        await runtime.actor(Order, "of cart-42").once("place").update(Order.place, lines, CARD, HOME)
        assert (await ledgers(runtime))[0] == Ledger(10, 8, 0, 2)
        assert world.cents == await cart.query(Cart.total)


@pytest.mark.parametrize(
    ("quantity", "card", "address", "calls"),
    [
        (11, CARD, HOME, []),
        (2, "empty", HOME, ["charge", "refund"]),
        (2, CARD, NOWHERE, ["charge", "ship", "recall", "refund"]),
    ],
)
async def test_what_fails_is_undone(
    world: World, quantity: int, card: str, address: str, calls: list[str]
) -> None:
    """Out of stock, no money, no such address: goods and money are where they were."""
    async with Runtime(MemoryJournal(), entities=ENTITIES, strict=True) as runtime:
        await stocked(runtime)
        order = runtime.actor(Order, "order-7")
        with pytest.raises((Refused, HandlerFailed)):
            await order.update(
                Order.place, {"pear": Line(1, 90), "apple": Line(quantity, 150)}, card, address
            )
        assert await ledgers(runtime) == [Ledger(10, 10, 0, 0)] * 2
        assert (world.cents, world.parcels, world.calls) == (0, [], calls)
        assert (await order.query(Order.standing)).step == "undone"


async def test_each_compensation_has_its_own_patience(world: World) -> None:
    """With bank and carrier away, each is tried as often as it says, and what is left is described."""
    world.down = {"refund", "recall"}
    journal = MemoryJournal()
    async with Runtime(journal, entities=ENTITIES, strict=True) as runtime:
        await stocked(runtime)
        with pytest.raises(HandlerFailed, match="CompensationFailed"):
            await runtime.actor(Order, "order-7").update(Order.place, LINES, CARD, NOWHERE)
    assert [world.calls.count(name) for name in ("charge", "ship", "recall", "refund")] == [1, 1, 30, 100]
    async with Runtime(journal, entities=ENTITIES, strict=True) as runtime:
        order = runtime.actor(Order, "order-7")
        told = str(await order.describe())
        assert re.search(r"undone Order.put_back\('pear', .*\('apple', .*; not undone recall\('", told)
        assert "refund does not answer" in told
        assert (await order.query(Order.standing)).reason.endswith("nobody lives there")
        (owing,) = await runtime.list(Order, where=lambda one: one.debt_count > 0)
        assert owing.key == "order-7"
        assert world.cents == 390  # the customer's: somebody has to see to it
        world.down.clear()
        await order.update(Order.undo_again)
        assert world.cents == 0


async def test_an_order_goes_on_where_it_was(world: World) -> None:
    """A runtime that is closed while the carrier is asked goes on with that, and charges nobody twice."""
    asked = trio.Event()

    async def hang(shipment: str, address: str, lines: dict[str, Line]) -> str:
        asked.set()
        await trio.sleep_forever()
        return ""

    async def place(runtime: Runtime) -> str:
        order = runtime.actor(Order, "order-7").once("place")
        return await order.update(Order.place, LINES, CARD, HOME)

    journal = MemoryJournal()
    limits = Limits(close_grace=timedelta(microseconds=1))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(orders, "ship", stand_in(ship, hang))
        async with (
            Runtime(journal, entities=ENTITIES, strict=True, limits=limits) as runtime,
            trio.open_nursery() as nursery,
        ):
            await stocked(runtime)
            nursery.start_soon(place, runtime)
            await asked.wait()
            nursery.cancel_scope.cancel()
    async with Runtime(journal, entities=ENTITIES, strict=True) as runtime:
        assert (await place(runtime)).startswith("parcel ")
    assert (world.calls, world.cents) == (["charge", "ship"], 390)
