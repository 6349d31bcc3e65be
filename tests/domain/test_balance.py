"""Do money and goods balance, whatever fails and whenever the process dies?  Many orders, at random."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import trio

from actorflow import (
    ActorCompleted,
    HandlerFailed,
    Limits,
    NotAccepted,
    NotStarted,
    Refused,
    Runtime,
    Unknown,
    saga,
)
from actorflow._runtime.clock import wall
from entities import order as orders
from entities.inventory import Inventory, Ledger
from entities.order import Line, Order
from persistence import FaultyJournal, Stopped
from tests.domain.world import MOMENT, NOWHERE, World
from tests.faults.counting import tried

ORDERS = 80
CUSTOMERS = 8
DELIVERED = {"apple": 200, "pear": 80, "plum": 40}
"""Not enough of each."""
HOUR_US = 3_600_000_000
LIVES_MIN = 8
TROUBLE = 0.25
"""How likely a call fails before it has done anything, and how likely after."""


class Wanted:
    """What a customer wants, and what has come of it."""

    def __init__(self, number: int, chance: Random) -> None:
        self.key = f"order-{number}"
        skus = chance.sample(sorted(DELIVERED), chance.randint(1, 3))
        self.lines = {sku: Line(chance.randint(1, 4), chance.randint(1, 500)) for sku in skus}
        self.card = "empty" if chance.random() < 0.1 else "card-token"
        self.address = NOWHERE if number % 5 == 0 else "Elm Street 1"
        self.fickle = chance.random() < 0.1
        """Cancels the order as soon as it is placed."""
        self.parcel: str | None = None
        self.over = False

    @property
    def cents(self) -> int:
        return sum(line.quantity * line.cents for line in self.lines.values())

    async def place(self, runtime: Runtime) -> None:
        """Place the order, again with the same id if nobody knows whether it was placed."""
        order = runtime.actor(Order, self.key).once("place")
        try:
            self.parcel = await order.update(Order.place, self.lines, self.card, self.address)
        except (Refused, HandlerFailed, ActorCompleted):
            pass
        except (NotAccepted, Unknown):
            return  # in the next life
        self.over = True

    async def change_mind(self, runtime: Runtime) -> None:
        """Cancel the order once it is there, however far it is."""
        order = runtime.actor(Order, self.key)
        with contextlib.suppress(NotAccepted, Unknown):
            while not self.over:
                with contextlib.suppress(NotStarted):
                    await order.cancel()
                    return
                await trio.lowlevel.checkpoint()


class Town:
    """A shop, its customers, and all the lives of its process."""

    def __init__(self, seed: int, *, fail: float) -> None:
        self.chance = Random(seed)
        self.world = World(seed, trouble=TROUBLE)
        self.journal = FaultyJournal(seed, fail=fail)
        self.wanted = [Wanted(number, self.chance) for number in range(ORDERS)]
        self.lives = 0
        self.left = 0
        """How many orders an operator had to see to."""
        self.late = 0
        """How much time has passed while no process was there."""

    def runtime(self) -> Runtime:
        self.lives += 1
        # Now and then the other side of a compensation is away for long, or for good.
        undoing = ("refund", "recall")
        self.world.down = {name for name in undoing if self.chance.random() < 0.2}
        self.world.closed = {name for name in undoing if self.chance.random() < 0.2}
        self.late += self.chance.choice([0, 0, HOUR_US // 20, 2 * HOUR_US])
        late = self.late
        # A process that is closed may not wait until what it has begun has ended.
        limits = Limits(close_grace=MOMENT)
        return Runtime(
            self.journal, entities=[Order, Inventory], strict=True, limits=limits, clock=lambda: wall() + late
        )

    async def trade(self) -> None:
        """Live again and again until every customer knows what has become of the order."""
        while not all(wanted.over for wanted in self.wanted):
            with contextlib.suppress(Stopped, Unknown, NotAccepted):
                async with self.runtime() as runtime:
                    await self._stock(runtime)
                    await self._serve(runtime)

    async def _stock(self, runtime: Runtime) -> None:
        for sku, quantity in DELIVERED.items():
            await runtime.actor(Inventory, sku).once("delivery").update(Inventory.receive, quantity)

    async def _serve(self, runtime: Runtime) -> None:
        """Let customers come, several at a time, and close in the middle of it as often as not."""
        open_ = [wanted for wanted in self.wanted if not wanted.over]
        self.chance.shuffle(open_)
        leave_at = self.chance.randrange(1, 12) if self.lives < LIVES_MIN else len(open_)
        async with trio.open_nursery() as nursery:

            async def customer(mine: list[Wanted]) -> None:
                for wanted in mine:
                    if wanted.fickle:
                        nursery.start_soon(wanted.change_mind, runtime)
                    await wanted.place(runtime)
                    if len([one for one in open_ if one.over]) >= leave_at:
                        nursery.cancel_scope.cancel()

            for number in range(CUSTOMERS):
                nursery.start_soon(customer, open_[number::CUSTOMERS])

    async def see_to(self, runtime: Runtime) -> int:
        """Do what an operator does: find the orders that are half undone, and have that done again."""
        found = 0
        for summary in await runtime.list(Order, status="running"):
            order = runtime.actor(Order, summary.key)
            while (await order.query(Order.standing)).not_undone:
                found += 1
                with contextlib.suppress(HandlerFailed):
                    await order.update(Order.undo_again)
        for summary in await runtime.list(Order, status="cancelled"):
            standing = await runtime.actor(Order, summary.key).query(Order.standing)
            if standing.not_undone:  # that life takes no more messages: by hand
                found += 1
                self.world.refund(standing.payment)
                self.world.recall(standing.shipment)
        return found

    async def complaints(self, runtime: Runtime) -> list[str]:
        """What does not balance: money, goods and parcels, each against what customers were told."""
        world, told = self.world, [wanted for wanted in self.wanted if wanted.parcel is not None]
        found: list[str] = []
        if world.cents != sum(wanted.cents for wanted in told):
            found.append(f"{world.cents} cents were kept, for orders of {sum(one.cents for one in told)}")
        if sorted(map(str, world.parcels)) != sorted(str(wanted.lines) for wanted in told):
            found.append(f"{len(world.parcels)} parcels are on their way, for {len(told)} orders")
        sold = Counter[str]()
        for wanted in told:
            sold.update({sku: line.quantity for sku, line in wanted.lines.items()})
        for sku, received in DELIVERED.items():
            ledger = await runtime.actor(Inventory, sku).query(Inventory.ledger)
            due = Ledger(received, received - sold[sku], 0, sold[sku])
            if ledger != due:
                found.append(f"{sku}: {ledger}, and not {due}")
        found += [str(one) for sku in DELIVERED for one in await runtime.actor(Inventory, sku).parked()]
        return found


async def traded(town: Town) -> list[str]:
    """Let a town trade, and look at its books in a life without mishaps."""
    await town.trade()
    town.world.down.clear()
    town.world.closed.clear()
    calm = FaultyJournal.as_of(town.journal, len(town.journal.history))
    async with Runtime(
        calm, entities=[Order, Inventory], strict=True, clock=lambda: wall() + town.late
    ) as runtime:
        town.left += await town.see_to(runtime)
        return await town.complaints(runtime)


async def test_money_and_goods_balance(seed: int, effort: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every customer got a parcel for money, or neither; every unit is on the shelf or on its way."""
    for number in range(3 * effort):
        town = Town(seed + number, fail=0.03)
        town.world.install(monkeypatch)
        assert await traded(town) == [], f"seed {seed + number}, {town.lives} lives"
        tried(town.lives)


class _Forgetful:
    """A saga of whose compensations one is never registered."""

    def __init__(self, forgotten: str, whole: Any) -> None:
        self._forgotten = forgotten
        self._saga = whole

    async def __aenter__(self) -> Callable[..., None]:
        undo = await self._saga.__aenter__()

        def register(compensation: Any, *args: Any) -> None:
            if getattr(compensation, "name", getattr(compensation, "__name__", "")) != self._forgotten:
                undo(compensation, *args)

        return register

    async def __aexit__(self, *how: object) -> None:
        await self._saga.__aexit__(*how)


@pytest.mark.parametrize(
    ("forgotten", "complaint"), [("refund", "cents"), ("recall", "parcels"), ("put_back", "Ledger")]
)
async def test_a_compensation_that_was_left_out_is_noticed(
    seed: int, monkeypatch: pytest.MonkeyPatch, forgotten: str, complaint: str
) -> None:
    """Of an order that undoes all but one of its steps, the books say so."""
    town = Town(seed, fail=0.0)
    town.world.install(monkeypatch)
    monkeypatch.setattr(orders, "saga", lambda: _Forgetful(forgotten, saga()))
    assert any(complaint in one for one in await traded(town))
