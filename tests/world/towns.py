"""Worlds of the entities that ship as examples: who calls them, what is outside, and what must balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from actorflow import Refused, activity
from actorflow.testing import Caller, Faults, Town, World
from entities import campaign as mailing
from entities import cart as carts
from entities import order as orders
from entities.account import Account
from entities.campaign import Campaign, Segment
from entities.cart import Cart
from entities.inventory import Inventory
from entities.order import Line, Order
from entities.topic import Points, Stockroom, Till, Topic

__all__ = ["TOWNS", "bank", "fair", "mail", "shop", "store"]

MILD = Faults(error=0.05, hang=0.02)
"""So that what has ten attempts does come to a good end, nearly always: less than once in a million."""


# ---- money -------------------------------------------------------------------------------------------


def bank(seed: int) -> World:
    """Accounts that pay one another: what is in them is what was paid in."""
    world = World(seed, entities=[Account])
    paid = Counter[str]()

    @world.caller
    async def payer(me: Caller) -> None:
        account, cents = me.actor(Account, me.chance.choice("abc")).once(me.id()), me.chance.randrange(1, 100)
        paid["sent"] += cents
        await me.insist(lambda: account.update(Account.deposit, cents))
        paid["told"] += cents

    async def mover(me: Caller) -> None:
        one, other = me.chance.sample("abcd", 2)
        account, cents = me.actor(Account, one).once(me.id()), me.chance.randrange(1, 60)
        await me.insist(lambda: account.update(Account.transfer, other, cents))

    @world.caller
    async def looker(me: Caller) -> None:
        assert await me.actor(Account, me.chance.choice("abc")).query(Account.balance) >= 0

    world.caller(mover, count=2)

    def held(town: Town) -> int:
        accounts = town.states(Account).values()
        return sum(one.cents + sum(sent.cents for sent in one.leaving.values()) for one in accounts)

    @world.always
    def nobody_owes(town: Town) -> None:
        assert all(one.cents >= 0 for one in town.states(Account).values())
        assert held(town) <= paid["sent"]

    @world.at_last
    def books_balance(town: Town) -> None:
        assert not any(one.leaving for one in town.states(Account).values())
        assert paid["told"] <= held(town) <= paid["sent"]

    return world


# ---- carts -------------------------------------------------------------------------------------------


def shop(seed: int) -> World:
    """Carts: who was charged has a receipt, and who has none got the money back."""
    charged: dict[str, int] = {}
    refunded: set[str] = set()

    def charge(payment: str, cents: int, card: str) -> str:
        if card == "stolen":
            raise Refused("the card was stolen")
        charged[payment] = cents
        return payment

    world = World(
        seed,
        entities=[Cart],
        activities={
            carts.reserve: lambda reservation, items: None,
            carts.release: lambda reservation: None,
            carts.charge: charge,
            carts.refund: refunded.add,
        },
        faults=MILD,
    )
    receipts: dict[str, str] = {}

    async def shopper(me: Caller) -> None:
        cart = me.actor(Cart, f"cart-{me.chance.randrange(12)}")
        for _ in range(me.chance.randrange(3)):
            await cart.signal(Cart.add_item, me.chance.choice(("apple", "pear")), 1, 150)
        checkout = cart.once(me.id())
        card = me.chance.choice(("card", "card", "stolen"))
        receipt = await me.insist(lambda: checkout.update(Cart.checkout, card))
        assert receipts.setdefault(cart.key, receipt) == receipt

    world.caller(shopper, count=4)

    @world.at_last
    def who_paid_has_a_receipt(town: Town) -> None:
        states = town.states(Cart)
        kept = {payment for payment in charged if payment not in refunded}
        assert kept == {cart.receipt for cart in states.values() if cart.receipt is not None}
        assert all(states[key].receipt == receipt for key, receipt in receipts.items())

    return world


# ---- orders and stock --------------------------------------------------------------------------------

SKUS = ("apple", "pear")


def store(seed: int) -> World:
    """Orders over a stock: nothing is sold twice, and what was undone is back on the shelf and repaid."""
    charged: dict[str, int] = {}
    refunded: set[str] = set()
    shipped: dict[str, dict[str, Line]] = {}
    recalled: set[str] = set()

    def charge(payment: str, cents: int, card: str) -> None:
        if card == "stolen":
            raise Refused("the card was stolen")
        charged[payment] = cents

    def ship(shipment: str, address: str, lines: dict[str, Line]) -> str:
        if address == "nowhere":
            raise Refused("nobody lives there")
        shipped[shipment] = lines
        return shipment

    world = World(
        seed,
        entities=[Order, Inventory],
        activities={
            orders.charge: charge,
            orders.refund: refunded.add,
            orders.ship: ship,
            orders.recall: recalled.add,
        },
    )

    @world.caller
    async def supplier(me: Caller) -> None:
        stock = me.actor(Inventory, me.chance.choice(SKUS)).once(me.id())
        await me.insist(lambda: stock.update(Inventory.receive, 5))

    async def customer(me: Caller) -> None:
        order = me.actor(Order, me.name).once("place")
        lines = {sku: Line(me.chance.randrange(1, 4), 100) for sku in me.chance.sample(SKUS, 2)}
        card, address = (
            me.chance.choice(("card", "card", "stolen")),
            me.chance.choice(("here", "here", "nowhere")),
        )
        parcel = await me.insist(lambda: order.update(Order.place, lines, card, address))
        assert parcel in shipped

    world.caller(customer, count=4)

    @world.always
    def every_unit_is_somewhere(town: Town) -> None:
        for stock in town.states(Inventory).values():
            assert stock.received == stock.on_shelf + sum(stock.reserved.values()) + stock.sold
            assert stock.on_shelf >= 0

    @world.at_last
    def orders_and_the_world_agree(town: Town) -> None:
        done = [one for one in town.states(Order).values() if one.step == "shipped"]
        # Where the clock jumps over the time in which to undo, a person has to see to it.
        half = [one for one in town.states(Order).values() if one.step == "half undone"]
        assert {one.step for one in town.states(Order).values()} <= {"shipped", "undone", "half undone"}
        assert {one.shipment for one in done} == set(shipped) - recalled - {one.shipment for one in half}
        assert {one.payment for one in done} == set(charged) - refunded - {one.payment for one in half}
        for sku, stock in town.states(Inventory).items():
            assert stock.sold == sum(one.lines[sku].quantity for one in done if sku in one.lines)
            assert not stock.reserved

    return world


# ---- who hears of whom -------------------------------------------------------------------------------


def fair(seed: int) -> World:
    """Tills, and those who hear of their sales: everybody hears everything, once, in order."""
    world = World(seed, entities=[Topic, Stockroom, Points, Till])
    sales = Counter[str]()

    @world.caller
    async def opener(me: Caller) -> None:
        points = me.actor(Points, me.chance.choice(("ann", "bob"))).once("follow")
        await me.insist(lambda: points.update(Points.follow, "sales"))
        room = me.actor(Stockroom, "room").once("follow")
        await me.insist(lambda: room.update(Stockroom.follow, "sales"))
        await me.sleep(timedelta(days=30))

    async def seller(me: Caller) -> None:
        till = me.actor(Till, me.chance.choice("ab")).once(me.id())
        customer = me.chance.choice(("ann", "bob"))
        sales["sent"] += 1
        await me.insist(lambda: till.update(Till.sell, "apple", customer, 100))
        sales["told"] += 1

    world.caller(seller, count=3)

    @world.at_last
    def all_was_heard(town: Town) -> None:
        sold = sum(till.sales for till in town.states(Till).values())
        assert sales["told"] <= sold <= sales["sent"]
        for points in town.states(Points).values():
            numbers = [notice.number for notice in points.newest]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
        for topic in town.states(Topic).values():
            assert topic.published >= sold

    return world


# ---- mail to many ------------------------------------------------------------------------------------


def mail(seed: int) -> World:
    """Campaigns: each recipient is told of by one call, and counted once."""
    keys: dict[str, set[str]] = {}

    def send(text: str, recipient: str) -> None:
        keys.setdefault(f"{text} {recipient}", set()).add(activity.current().key)
        if recipient == "nobody":
            raise Refused("no such address")

    world = World(
        seed,
        entities=[Campaign, Segment],
        activities={
            mailing.divide: lambda audience: audience.split(";"),
            mailing.read: lambda segment: segment.split(","),
            mailing.send: send,
        },
    )

    @world.caller
    async def sender(me: Caller) -> None:
        await me.insist(lambda: _started(me, f"campaign-{me.name}"))
        campaign = me.actor(Campaign, f"campaign-{me.name}")
        if me.chance.hits(0.3):
            await me.insist(lambda: campaign.update(Campaign.pause))
            await me.insist(lambda: campaign.update(Campaign.resume))
        await campaign.query(Campaign.progress)

    async def _started(me: Caller, key: str) -> None:
        await me.actor(Campaign, key).start(
            Campaign("ann,bob,nobody;cid", key), if_running="use", if_completed="fail"
        )

    @world.at_last
    def everybody_was_seen_to(town: Town) -> None:
        assert all(len(one) == 1 for one in keys.values())
        statuses = town.statuses(Campaign)
        for key, campaign in town.states(Campaign).items():
            if campaign.paused:
                continue
            if statuses[key] == "failed":
                # Each attempt to divide it may have died with a process: one seed in ten thousand.
                assert campaign.stage == "dividing", key
                assert not any(one.startswith(f"{key} ") for one in keys), key
                continue
            assert campaign.stage == "ended", key
            # One has no address; of another, all eight attempts may have failed, or died with a process.
            assert (campaign.sent + campaign.failed, campaign.lost) == (4, []), key
            assert campaign.failed >= 1
            assert campaign.text in {one.split()[0] for one in keys}

    return world


TOWNS: tuple[Callable[[int], World], ...] = (bank, shop, store, fair, mail)
