"""Do the file, the memory and the free list level off while messages come without end?

Carts take ``add_item`` in batches, every commit synced, with continuation, checkpoint and retention at
work: an actor's run closes every hundred records, and of its past so many messages are kept.  What the
journal and the process weigh is sampled on the way; the figure is by how many per cent the greatest sample
of the last quarter is above that of the quarter before, of the file, of its pages in use or of the memory,
whichever grew most. Ten million messages take about ten minutes.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

import trio

from actorflow import Limits, Runtime
from entities.cart import Cart
from persistence import LmdbJournal

from ._case import Case, Found, Size, at_most
from ._process import measurable, weight

AT_ONCE = 500
"""Messages of a batch."""
SENDERS = 8
SAMPLES = 80
GROWTH_PERCENT = 5.0
MB = 1e6

# messages, actors, of whose past so many messages are kept, log_bytes
SHAPES: dict[Size, tuple[int, int, int, int]] = {
    "tiny": (24_000, 30, 20, 16 << 10),
    "small": (200_000, 200, 100, 256 << 10),
    "full": (10_000_000, 10_000, 200, 32 << 20),
}


class Sample(NamedTuple):
    """What everything weighed, after so many messages."""

    messages: int
    file: int
    used: int
    own: int
    resident: int
    frames: int

    @property
    def free(self) -> int:
        """What is in the file and in no table: the free list, and the pages that it names."""
        return self.file - self.used


async def run(path: Path, messages: int, actors: int, kept: int, log_bytes: int) -> Found:
    """Send them all, and look on the way."""
    limits = Limits(
        history_messages=kept,
        continue_records=100,
        log_bytes=log_bytes,
        resident_actors=max(actors, 1_000),
    )
    samples: list[Sample] = []
    journal = LmdbJournal(path / "journal")
    async with Runtime(journal, entities=[Cart], limits=limits) as runtime:
        carts = [runtime.actor(Cart, f"cart-{number}") for number in range(actors)]
        began = time.perf_counter()
        sent = looked = 0
        chance = Random(1)

        async def send() -> None:
            nonlocal sent, looked
            while sent < messages:
                first, sent = sent, sent + AT_ONCE
                async with runtime.batch() as batch:
                    for number in range(first, first + AT_ONCE):
                        # By chance, or all of them would continue, and let history go, at the same time.
                        cart = carts[chance.randrange(actors)]
                        batch.signal(cart, Cart.add_item, f"sku-{number % 10}", 1, cents=150)
                if sent * SAMPLES // messages > looked:
                    looked = sent * SAMPLES // messages
                    samples.append(look(runtime, sent))
                    tell(samples[-1], messages, time.perf_counter() - began)

        async with trio.open_nursery() as nursery:
            for _ in range(SENDERS):
                nursery.start_soon(send)
        took = time.perf_counter() - began
        total = 0
        for cart in carts:
            total += await cart.query(Cart.total)
        assert total == sent * 150, f"{sent} were sent, {total // 150} are there"
        oldest = (await carts[0].history(at_most=messages))[0].seq
        assert oldest > 1, "retention was not at work"
        assert (await carts[0].describe()).run > 1, "continuation was not at work"
        done = runtime.statistics()
    grown = {name: growth([getattr(one, name) for one in samples]) for name in ("file", "used", "own")}
    last = samples[-1]
    return Found(
        max(grown.values()),
        (sent, total),
        {f"{name} %": value for name, value in grown.items()}
        | {
            "file MB": last.file / MB,
            "used MB": last.used / MB,
            "free MB": last.free / MB,
            "own MB": last.own / MB,
            "RSS MB": last.resident / MB,
            "messages/s": sent / took,
            "checkpoints": done.checkpoints,
            "took s": took,
        },
        curve=[(float(one.messages), one.file / MB) for one in samples],
    )


def look(runtime: Runtime, messages: int) -> Sample:
    """Weigh everything."""
    gc.collect()
    held, weighs = runtime.statistics(), weight()
    return Sample(messages, held.bytes_on_disk, held.bytes_used, weighs.own, weighs.resident, held.frames)


def tell(sample: Sample, messages: int, seconds: float) -> None:
    """Say how far it is."""
    if messages < 1_000_000:
        return
    print(
        f"{sample.messages:>12,} of {messages:,} in {seconds:6.0f} s: file {sample.file / MB:8.1f} MB, "
        f"used {sample.used / MB:8.1f}, free {sample.free / MB:8.1f}, memory {sample.own / MB:7.1f}, "
        f"RSS {sample.resident / MB:7.1f}, frames {sample.frames:,}",
        file=sys.stderr,
        flush=True,
    )


def growth(course: Sequence[int]) -> float:
    """By how many per cent the last quarter is above the one before, by their greatest."""
    quarter = len(course) // 4
    before, last = max(course[-2 * quarter : -quarter]), max(course[-quarter:])
    return 100 * (last / before - 1)


def cases(size: Size) -> Iterator[Case]:
    """One run."""
    if not measurable():
        return
    messages, actors, kept, log_bytes = SHAPES[size]
    yield Case(
        where={"messages": messages, "actors": actors, "kept of each": kept},
        unit="%",
        ours=partial(run, messages=messages, actors=actors, kept=kept, log_bytes=log_bytes),
        asked=None if size == "tiny" else at_most(GROWTH_PERCENT, of="figure"),
        rounds=1,
        seconds_max=7_200,
    )
