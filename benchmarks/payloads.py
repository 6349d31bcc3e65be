"""What do larger payloads cost, beside the bare loop with the same bytes?

Parcels take a text of so many characters with each message, and keep the newest.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trio

from actorflow import Runtime, entity, query, signal
from persistence import LmdbJournal

from ._case import Case, Found, Size
from ._light import light, whom

ACTORS = 100
CALLERS = 64

# bytes, messages
SHAPES: dict[Size, list[tuple[int, int]]] = {
    "tiny": [(100, 128), (10_000, 128)],
    "small": [(100, 20_000), (1_000, 15_000), (10_000, 6_000)],
    "full": [(100, 50_000), (1_000, 50_000), (10_000, 30_000), (100_000, 4_000)],
}


@entity
class Parcel:
    """Holds the newest text it was sent, and how many there were."""

    text: str = ""
    count: int = 0

    @signal
    def put(self, sku: str, quantity: int, text: str) -> None:  # noqa: ARG002 - the same arguments as the light's
        self.text = text
        self.count += quantity

    @query
    def counted(self) -> tuple[int, int]:
        return self.count, len(self.text)


def _text(size: int) -> str:
    return ("0123456789" * (size // 10 + 1))[:size]


async def parcels(path: Path, messages: int, size: int) -> Found:
    """Messages a second."""
    text = _text(size)
    async with Runtime(LmdbJournal(path / "journal"), entities=[Parcel]) as runtime:
        actors = [runtime.actor(Parcel, f"parcel-{number}") for number in range(ACTORS)]
        async with runtime.batch() as batch:
            for actor in actors:
                batch.signal(actor, Parcel.put, "sku-0", 1, text)

        async def call(caller: int) -> None:
            for number in range(messages // CALLERS):
                await actors[whom(caller, number, ACTORS)].signal(Parcel.put, f"sku-{number % 10}", 1, text)

        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for caller in range(CALLERS):
                nursery.start_soon(call, caller)
        took = time.perf_counter() - began
        counted = [await actor.query(Parcel.counted) for actor in actors]
    assert sum(count for count, _ in counted) == messages + ACTORS
    assert {length for _, length in counted} == {size}
    return Found(messages / took, counted, {"MB/s": messages * size / took / 1e6})


def cases(size: Size) -> Iterator[Case]:
    """Bytes a message."""
    for bytes_, messages in SHAPES[size]:
        sent = messages - messages % CALLERS
        yield Case(
            where={"callers": CALLERS, "bytes": bytes_},
            unit="/s",
            ours=partial(parcels, messages=sent, size=bytes_),
            light=partial(light, callers=CALLERS, actors=ACTORS, messages=sent, payload=_text(bytes_)),
        )
