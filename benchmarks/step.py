"""How long does one message take in the core, and what does each of its rules add to that?

From the encoded message to the packed record, without a runtime, a disk or a caller: microseconds, the best
of several rounds.  The floor is the same handler called with arguments that msgpack unpacked, and its input
packed again: what is above it is the price of order, undo, history and replay.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from hashlib import blake2b
from itertools import count
from types import ModuleType

import msgpack
from attrs import define, field

from actorflow import Refused, activity, entity, signal, timer, update
from actorflow._authoring.entity import spec_of
from actorflow._core import replay as replays
from actorflow._core import snapshot as snapshots
from actorflow._core.actor import Actor
from actorflow._core.facts import OK, RESOLVE, SIGNAL, UPDATE, Input
from actorflow._core.once import Ids
from actorflow._core.replay import replay
from actorflow._core.snapshot import restore, snapshot
from actorflow._core.step import advance, step

ROUNDS = 5
NOW = 1_000_000


@define
class Item:
    """A line of a cart."""

    quantity: int
    cents: int


@activity
async def charge(cents: int) -> str:
    """Take money."""
    return str(cents)


@entity
class Cart:
    """Ten lines at most, whatever is added."""

    items: dict[str, Item] = field(factory=dict)

    @signal
    def add(self, sku: str, quantity: int, cents: int) -> None:
        held = self.items.get(sku)
        self.items[sku] = Item(quantity + (held.quantity if held else 0), cents)

    @signal
    def add_and_arm(self, sku: str, quantity: int, cents: int) -> None:
        held = self.items.get(sku)
        self.items[sku] = Item(quantity + (held.quantity if held else 0), cents)
        self.abandon().arm(after=timedelta(days=30))

    @update
    def add_and_tell(self, sku: str, quantity: int, cents: int) -> int:
        held = self.items.get(sku)
        self.items[sku] = Item(quantity + (held.quantity if held else 0), cents)
        return len(self.items)

    @update
    def refuse(self, sku: str, quantity: int, cents: int) -> int:
        raise Refused(f"{quantity} {sku} for {cents}")

    @update
    async def pay(self, sku: str, quantity: int, cents: int) -> str:  # noqa: ARG002 - the same arguments for all
        return await charge(quantity * cents)

    @timer
    def abandon(self) -> None:
        self.items.clear()


SPEC = spec_of(Cart)


def _actor(*, strict: bool = False) -> Actor:
    limits = SPEC.limits
    actor = Actor(SPEC, "bench", Ids.within(limits.id_window, 1 << 40), b"a nonce for bench")
    actor.strict = strict
    return actor


def _inputs(name: str, kind: int, messages: int, *, ids: bool = False) -> list[Input]:
    encode = SPEC.handlers[name].encode
    return [
        Input(kind, name, encode((f"sku-{n % 10}", 1, 150), {}), f"id-{n}" if ids else None)
        for n in range(messages)
    ]


def _timed(work: Callable[[], None], messages: int) -> float:
    """Microseconds a message, the best of the rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        gc.collect()
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best / messages * 1e6


def _stepped(name: str, kind: int, messages: int, *, ids: bool = False, strict: bool = False) -> float:
    inputs = _inputs(name, kind, messages, ids=ids)

    def work() -> None:
        actor = _actor(strict=strict)
        for input_ in inputs:
            step(actor, input_, NOW)
            while advance(actor, NOW) is not None:
                pass

    return _timed(work, messages)


def _floor(messages: int) -> float:
    bodies = [input_.body for input_ in _inputs("add", SIGNAL, messages)]
    pack = msgpack.Packer(autoreset=True).pack
    add = Cart.add.function

    def work() -> None:
        cart = Cart()
        for seq, body in enumerate(bodies):
            add(cart, *msgpack.unpackb(body))
            pack((seq, NOW, SIGNAL, "add", body))

    return _timed(work, messages)


def _paid(messages: int) -> float:
    inputs = _inputs("pay", UPDATE, messages)
    answer = SPEC.codec.pack("receipt")

    def work() -> None:
        actor = _actor()
        for input_ in inputs:
            turn = step(actor, input_, NOW)
            step(actor, Input(RESOLVE, OK, answer, ref=(turn.seq, 0)), NOW)
            while advance(actor, NOW) is not None:
                pass

    return _timed(work, messages)


def _journal(messages: int) -> tuple[list[bytes], bytes, bytes]:
    """Records, a snapshot at their end, and a hash of both, to see that speed changed nothing."""
    actor = _actor()
    records: list[bytes] = []
    numbers = count()
    for input_ in _inputs("add_and_arm", SIGNAL, messages):
        turns = step(actor, input_, NOW + next(numbers)), advance(actor, NOW)
        records.extend(turn.record for turn in turns if turn is not None and turn.record is not None)
    taken = snapshot(actor)
    return records, taken, blake2b(b"".join(records) + taken, digest_size=8).digest()


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=["small", "full"], default="full")
    messages = 20_000 if parser.parse_args(argv).size == "full" else 200
    floor = _floor(messages)
    plain = _stepped("add", SIGNAL, messages)
    print(f"{'µs a message':<58}{'':>8}{'over a plain signal':>22}")

    def row(what: str, took: float, *, beside: float = plain) -> None:
        print(f"{what:<58}{took:>8.2f}{took - beside:>+22.2f}")

    row("the floor: unpack, call, pack", floor)
    row("a signal: step, undo readiness, record", plain)
    with _patched(snapshots, "BASE_BYTES_MIN", 1 << 60):
        row("  without a new base now and then: what undo readiness costs", _stepped("add", SIGNAL, messages))
    row("  and it arms a timer", _stepped("add_and_arm", SIGNAL, messages))
    row("  and it has a once-id", _stepped("add", SIGNAL, messages, ids=True))
    row("an update with its answer", _stepped("add_and_tell", UPDATE, messages))
    row("an update with one activity: two turns, a coroutine", _paid(messages))
    few = messages // 20
    row("strict mode: digest, faithful look at the state", _stepped("add", SIGNAL, few, strict=True))
    row("an update that is refused: undone by a rebuild", _stepped("refuse", UPDATE, few))

    records, taken, result = _journal(messages)
    replayed = _timed(lambda: replay(_actor(), records), len(records))
    row("replay of a signal with a timer, effects compared", replayed)
    with _patched(replays, "_compare", lambda *_: None):
        row("  without comparing", _timed(lambda: replay(_actor(), records), len(records)))
    row(
        "a snapshot of a cart with ten items, written",
        _timed(lambda: _many(lambda: snapshot(_actor_of(taken)), few), few),
    )
    row("  and read", _timed(lambda: _many(lambda: restore(_actor(), taken), few), few))
    each = sum(map(len, records)) / len(records)
    print(f"result {result.hex()}, {len(records)} records, {each:.0f} bytes each")


@contextmanager
def _patched(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """Without one of the rules, to see what it costs."""
    was = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, was)


_READ: dict[bytes, Actor] = {}


def _actor_of(taken: bytes) -> Actor:
    actor = _READ.get(taken)
    if actor is None:
        actor = _READ[taken] = _actor()
        restore(actor, taken)
    return actor


def _many(work: Callable[[], object], times: int) -> None:
    for _ in range(times):
        work()


if __name__ == "__main__":
    main()
