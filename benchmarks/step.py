"""How long does one message take in the core, and what does each of its rules add to that?

From the encoded message to the packed record, without a runtime, a disk or a caller: microseconds, the best
of several runs.  It is read against the same handler called with arguments that msgpack unpacked, and its
input packed again: what is above that is the price of order, undo, history and replay.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from hashlib import blake2b
from itertools import count
from pathlib import Path
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

from ._case import Case, Found, Size

MESSAGES: dict[Size, int] = {"tiny": 100, "small": 5_000, "full": 20_000}
RUNS = 5
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

    items: dict[str, Item] = field(factory=dict[str, Item])

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


def _timed(work: Callable[[], object], messages: int) -> float:
    """Microseconds a message, the best of the runs."""
    best = float("inf")
    for _ in range(RUNS):
        gc.collect()
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best / messages * 1e6


# -- a message, by what it asks for ----------------------------------------------------------------------


def stepped(
    _: Path,
    name: str,
    kind: int,
    messages: int,
    *,
    ids: bool = False,
    strict: bool = False,
    bases: bool = True,
) -> Found:
    """A message that is done in one turn."""
    inputs = _inputs(name, kind, messages, ids=ids)
    actor = _actor()

    def work() -> None:
        nonlocal actor
        actor = _actor(strict=strict)
        for input_ in inputs:
            step(actor, input_, NOW)
            while advance(actor, NOW) is not None:
                pass

    if bases:
        took = _timed(work, messages)
    else:
        with _patched(snapshots, "BASE_BYTES_MIN", 1 << 60):
            took = _timed(work, messages)
    return Found(took, _state(actor))


def paid(_: Path, messages: int) -> Found:
    """An update with an activity: two turns."""
    inputs = _inputs("pay", UPDATE, messages)
    answer = SPEC.codec.pack("receipt")
    actor = _actor()

    def work() -> None:
        nonlocal actor
        actor = _actor()
        for input_ in inputs:
            turn = step(actor, input_, NOW)
            step(actor, Input(RESOLVE, OK, answer, ref=(turn.seq, 0)), NOW)
            while advance(actor, NOW) is not None:
                pass

    took = _timed(work, messages)
    return Found(took, _state(actor))


def bare(_: Path, messages: int) -> Found:
    """The floor: unpack, call, pack."""
    bodies = [input_.body for input_ in _inputs("add", SIGNAL, messages)]
    pack = msgpack.Packer(autoreset=True).pack
    add = Cart.add.function

    def work() -> None:
        cart = Cart()
        for seq, body in enumerate(bodies):
            add(cart, *msgpack.unpackb(body))
            pack((seq, NOW, SIGNAL, "add", body))

    return Found(_timed(work, messages))


def _state(actor: Actor) -> bytes:
    return b"" if actor.state is None else SPEC.dump(actor.state)


# -- what is made again ----------------------------------------------------------------------------------


def replayed(_: Path, messages: int, *, compared: bool = True) -> Found:
    """A record, made again."""
    records, taken = _journal(messages)
    if compared:
        took = _timed(lambda: replay(_actor(), records), len(records))
    else:
        with _patched(replays, "_compare", lambda *_: None):
            took = _timed(lambda: replay(_actor(), records), len(records))
    again = _actor()
    replay(again, records)
    assert snapshot(again) == taken, "replay came to something else"
    whole = blake2b(b"".join(records) + taken, digest_size=8).hexdigest()
    return Found(took, whole, {"bytes a record": sum(map(len, records)) / len(records)})


def written(_: Path, messages: int) -> Found:
    """A snapshot of a cart with ten items, written."""
    taken = _journal(messages)[1]
    actor = _actor()
    restore(actor, taken)
    return Found(_timed(lambda: _many(lambda: snapshot(actor), messages), messages), taken)


def read(_: Path, messages: int) -> Found:
    """The same, read."""
    taken = _journal(messages)[1]
    return Found(_timed(lambda: _many(lambda: restore(_actor(), taken), messages), messages), taken)


def _journal(messages: int) -> tuple[list[bytes], bytes]:
    """Records, and a snapshot at their end."""
    actor = _actor()
    records: list[bytes] = []
    numbers = count()
    for input_ in _inputs("add_and_arm", SIGNAL, messages):
        turns = step(actor, input_, NOW + next(numbers)), advance(actor, NOW)
        records.extend(turn.record for turn in turns if turn is not None and turn.record is not None)
    return records, snapshot(actor)


def _many(work: Callable[[], object], times: int) -> None:
    for _ in range(times):
        work()


@contextmanager
def _patched(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """Without one of the rules, to see what it costs."""
    was = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, was)


def cases(size: Size) -> Iterator[Case]:
    """A message, by what it asks for; and what is made again."""
    messages = MESSAGES[size]
    few = messages // 20
    light = partial(bare, messages=messages)

    def row(what: str, ours: Callable[[Path], Found]) -> Case:
        return Case(
            where={"what": what},
            unit="µs",
            ours=ours,
            light=light,
            against="bare handler",
            durability="nothing is written",
        )

    signals = partial(stepped, name="add", kind=SIGNAL)
    yield row("a signal: step, undo readiness, record", partial(signals, messages=messages))
    yield row("  the same without undo readiness", partial(signals, messages=messages, bases=False))
    yield row("  and it arms a timer", partial(stepped, name="add_and_arm", kind=SIGNAL, messages=messages))
    yield row("  and it has a once-id", partial(signals, messages=messages, ids=True))
    yield row(
        "  in strict mode: digest, and a look at the state", partial(signals, messages=few, strict=True)
    )
    yield row(
        "an update with its answer", partial(stepped, name="add_and_tell", kind=UPDATE, messages=messages)
    )
    yield row(
        "  that is refused: undone by a rebuild", partial(stepped, name="refuse", kind=UPDATE, messages=few)
    )
    yield row("  with an activity: two turns, a coroutine", partial(paid, messages=messages))
    yield row("replay of a signal with a timer, compared", partial(replayed, messages=messages))
    yield row("  without comparing", partial(replayed, messages=messages, compared=False))
    yield row("a snapshot of a cart with ten items, written", partial(written, messages=few))
    yield row("  and read", partial(read, messages=few))
