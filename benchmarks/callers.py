"""What does it cost to call from asyncio, or from threads, beside calling from trio's own loop?

Signals to actors of their own, one after the other from each of so many callers, to a journal on disk that
syncs every commit.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import trio
from attrs import field

from actorflow import ActorHandle, AsyncioRuntime, BlockingRuntime, Runtime, entity, query, signal
from persistence import LmdbJournal

from ._case import Case, Found, Size

# callers, messages
SHAPES: dict[Size, list[tuple[int, int]]] = {
    "tiny": [(1, 5), (16, 32)],
    "small": [(1, 500), (16, 8_000), (256, 20_000)],
    "full": [(1, 1_000), (16, 16_000), (64, 32_000), (256, 50_000), (1_024, 100_000)],
}
THREADS_MAX = 64
"""More threads than that measure the threads."""

Calling = Callable[[Path, int, int], tuple[float, int]]


@entity
class Cart:
    """What is in it."""

    items: dict[str, int] = field(factory=dict[str, int])

    @signal
    def add(self, sku: str, quantity: int) -> None:
        self.items[sku] = self.items.get(sku, 0) + quantity

    @query
    def count(self) -> int:
        return sum(self.items.values())


def _keys(callers: int) -> list[str]:
    return [f"cart-{number}" for number in range(callers)]


async def _fill(cart: ActorHandle[Cart], each: int) -> None:
    for _ in range(each):
        await cart.signal(Cart.add, "apple", 1)


def in_trio(path: Path, callers: int, each: int) -> tuple[float, int]:
    """Seconds, and messages counted, of callers in the runtime's own loop."""

    async def main() -> tuple[float, int]:
        async with Runtime(LmdbJournal(path / "journal"), entities=[Cart]) as runtime:
            began = time.perf_counter()
            async with trio.open_nursery() as nursery:
                for key in _keys(callers):
                    nursery.start_soon(_fill, runtime.actor(Cart, key), each)
            took = time.perf_counter() - began
            return took, sum([await runtime.actor(Cart, key).query(Cart.count) for key in _keys(callers)])

    return trio.run(main)


def in_asyncio(path: Path, callers: int, each: int) -> tuple[float, int]:
    """Seconds, and messages counted, of callers in a loop of asyncio."""

    async def main() -> tuple[float, int]:
        async with AsyncioRuntime(LmdbJournal(path / "journal"), entities=[Cart]) as runtime:
            began = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for key in _keys(callers):
                    group.create_task(_fill(runtime.actor(Cart, key), each))
            took = time.perf_counter() - began
            return took, sum([await runtime.actor(Cart, key).query(Cart.count) for key in _keys(callers)])

    return asyncio.run(main())


def in_threads(path: Path, callers: int, each: int) -> tuple[float, int]:
    """Seconds, and messages counted, of callers in threads."""
    with BlockingRuntime(LmdbJournal(path / "journal"), entities=[Cart]) as runtime:

        def call(key: str) -> None:
            cart = runtime.actor(Cart, key)
            for _ in range(each):
                cart.signal(Cart.add, "apple", 1)

        threads = [threading.Thread(target=call, args=(key,)) for key in _keys(callers)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - began
        return took, sum(runtime.actor(Cart, key).query(Cart.count) for key in _keys(callers))


def called(path: Path, world: Calling, callers: int, each: int) -> Found:
    """Messages a second."""
    took, counted = world(path, callers, each)
    assert counted == callers * each
    return Found(callers * each / took, counted)


def cases(size: Size) -> Iterator[Case]:
    """Callers, and where they live."""
    for callers, messages in SHAPES[size]:
        each = messages // callers
        for where, world in (("asyncio", in_asyncio), ("threads", in_threads)):
            if world is in_threads and callers > THREADS_MAX:
                continue
            yield Case(
                where={"callers": callers, "in": f"in {where}"},
                unit="/s",
                ours=partial(called, world=world, callers=callers, each=each),
                light=partial(called, world=in_trio, callers=callers, each=each),
                against="in trio",
            )
