"""How many signals a second are replayed, and how many snapshots restored?

What activation does once the records are read, without a disk: the core is given the records of a cart, as
the journal has them, and makes the cart again.  Beside it the least that could do: the same handler,
called with arguments that msgpack has unpacked from the same records.  Snapshots are of a cart with ten
items.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgpack
from attrs import define, field

from actorflow import entity, signal, timer
from actorflow._authoring.entity import spec_of
from actorflow._core.actor import Actor
from actorflow._core.facts import SIGNAL, Input
from actorflow._core.once import Ids
from actorflow._core.replay import replay
from actorflow._core.snapshot import restore, snapshot
from actorflow._core.step import Turn, advance, step

from ._case import Case, Found, Size

NOW = 1_700_000_000_000_000
SKUS = 10
INPUT, KIND, BODY = 3, 0, 2
"""Where these stand in a record, and in an input."""

SHAPES: dict[Size, int] = {"tiny": 500, "small": 20_000, "full": 500_000}


@define
class Item:
    """A line of a cart."""

    quantity: int
    cents: int


@entity
class Cart:
    """Ten lines at most, whatever is added."""

    items: dict[str, Item] = field(factory=dict[str, Item])

    @signal
    def add(self, sku: str, quantity: int, cents: int) -> None:
        held = self.items.get(sku)
        self.items[sku] = Item(quantity + (held.quantity if held else 0), cents)

    @signal
    def add_and_arm(self, sku: str, quantity: int, cents: int) -> None:
        self.add(sku, quantity, cents)
        self.abandon().arm(after=timedelta(days=30))

    @signal
    def once(self, sku: str, quantity: int, cents: int) -> None:
        self.add(sku, quantity, cents)

    @timer
    def abandon(self) -> None:
        self.items.clear()


SPEC = spec_of(Cart)


def _actor() -> Actor:
    return Actor(SPEC, "cart", Ids.within(SPEC.limits.id_window, 1 << 40), b"a nonce for carts")


def _lived(name: str, signals: int) -> tuple[Actor, list[bytes]]:
    """A cart that has had so many signals, and its records."""
    actor, records = _actor(), list[bytes]()
    encode = SPEC.handlers[name].encode
    for number in range(signals):
        body = encode((f"sku-{number % SKUS}", 1, 150), {})
        id_ = f"order-{number}" if name == "once" else None
        turn: Turn | None = step(actor, Input(SIGNAL, name, body, id_), NOW + number)
        while turn is not None:
            assert turn.record is not None, "signals leave one"
            records.append(turn.record)
            turn = advance(actor, NOW + number)
    return actor, records


def replayed(path: Path, name: str, signals: int) -> Found:  # noqa: ARG001 - there is no disk
    """Signals a second."""
    actor, records = _lived(name, signals)
    again = _actor()
    began = time.perf_counter()
    replay(again, records)
    took = time.perf_counter() - began
    assert snapshot(again) == snapshot(actor), "it is the same cart"
    return Found(signals / took, SPEC.dump(again.state), {"record B": sum(map(len, records)) / len(records)})


def floor(path: Path, name: str, signals: int) -> Found:  # noqa: ARG001 - there is no disk
    """Handlers called a second."""
    _, records = _lived(name, signals)
    add = Cart.add.function
    cart = Cart()
    unpack = msgpack.unpackb
    began = time.perf_counter()
    for record in records:
        input_ = unpack(record)[INPUT]
        if input_ is not None and input_[KIND] == SIGNAL:
            add(cart, *unpack(input_[BODY]))
    took = time.perf_counter() - began
    assert sum(item.quantity for item in cart.items.values()) == signals
    return Found(signals / took)


def restored(path: Path, snapshots: int) -> Found:  # noqa: ARG001 - there is no disk
    """Snapshots a second."""
    actor, _ = _lived("add_and_arm", 10)
    data = snapshot(actor)
    again = _actor()
    began = time.perf_counter()
    for _ in range(snapshots):
        restore(again, data)
    took = time.perf_counter() - began
    assert snapshot(again) == data, "it is the same cart"
    return Found(snapshots / took, SPEC.dump(again.state), {"snapshot B": len(data)})


def loaded(path: Path, snapshots: int) -> Found:  # noqa: ARG001 - there is no disk
    """States a second that msgpack unpacks, and that are made into a cart."""
    actor, _ = _lived("add_and_arm", 10)
    data = msgpack.packb(({sku: (item.quantity, item.cents) for sku, item in actor.state.items.items()},))
    cart = Cart()
    began = time.perf_counter()
    for _ in range(snapshots):
        (items,) = msgpack.unpackb(data)
        cart = Cart({sku: Item(quantity, cents) for sku, (quantity, cents) in items.items()})
    took = time.perf_counter() - began
    assert cart == actor.state
    return Found(snapshots / took)


def cases(size: Size) -> Iterator[Case]:
    """Signals by what they do beside, and snapshots."""
    for name, says in (
        ("add", "signals"),
        ("add_and_arm", "signals that arm a timer"),
        ("once", "signals with once-ids"),
    ):
        yield Case(
            where={"": says},
            unit="/s",
            ours=partial(replayed, name=name, signals=SHAPES[size]),
            light=partial(floor, name=name, signals=SHAPES[size]),
            against="handlers",
            durability="none: there is no disk",
        )
    yield Case(
        where={"": "snapshots of ten items"},
        unit="/s",
        ours=partial(restored, snapshots=SHAPES[size] // 5),
        light=partial(loaded, snapshots=SHAPES[size] // 5),
        against="msgpack",
        durability="none: there is no disk",
    )
