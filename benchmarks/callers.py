"""What does it cost to call from asyncio, or from threads, beside calling from trio's own loop?

Signals to actors of their own, one after the other from each of so many callers, to a journal on disk that
syncs every commit: messages a second, the best of some rounds, and the share of what callers in trio reach.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from attrs import field

from actorflow import ActorHandle, AsyncioRuntime, BlockingRuntime, Runtime, entity, signal
from persistence import LmdbJournal

Timed = Callable[[Path, int, int], float]


@entity
class Cart:
    """What is in it."""

    items: dict[str, int] = field(factory=dict)

    @signal
    def add(self, sku: str, quantity: int) -> None:
        self.items[sku] = self.items.get(sku, 0) + quantity


def _keys(callers: int) -> list[str]:
    return [f"cart-{number}" for number in range(callers)]


async def _fill(cart: ActorHandle[Cart], each: int) -> None:
    for _ in range(each):
        await cart.signal(Cart.add, "apple", 1)


def in_trio(path: Path, callers: int, each: int) -> float:
    """Seconds that callers in the runtime's own loop take."""

    async def main() -> float:
        async with Runtime(LmdbJournal(path), entities=[Cart]) as runtime:
            began = time.perf_counter()
            async with trio.open_nursery() as nursery:
                for key in _keys(callers):
                    nursery.start_soon(_fill, runtime.actor(Cart, key), each)
            return time.perf_counter() - began

    return trio.run(main)


def in_asyncio(path: Path, callers: int, each: int) -> float:
    """Seconds that callers in a loop of asyncio take."""

    async def main() -> float:
        async with AsyncioRuntime(LmdbJournal(path), entities=[Cart]) as runtime:
            began = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for key in _keys(callers):
                    group.create_task(_fill(runtime.actor(Cart, key), each))
            return time.perf_counter() - began

    return asyncio.run(main())


def in_threads(path: Path, callers: int, each: int) -> float:
    """Seconds that callers in threads take."""
    with BlockingRuntime(LmdbJournal(path), entities=[Cart]) as runtime:

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
        return time.perf_counter() - began


def _rates(worlds: Sequence[Timed], callers: int, each: int, rounds: int) -> list[float]:
    """Messages a second in each of these worlds, which take turns."""
    best = [0.0] * len(worlds)
    for _ in range(rounds):
        for at, timed in enumerate(worlds):
            gc.collect()
            with TemporaryDirectory() as folder:
                best[at] = max(best[at], callers * each / timed(Path(folder, "journal"), callers, each))
    return best


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=["small", "full"], default="full")
    full = parser.parse_args(argv).size == "full"
    rounds = 5 if full else 1
    print(f"{'callers':>8}{'in trio':>12}{'in asyncio':>14}{'':>8}{'in threads':>14}")
    for callers, messages in ((1, 1_000), (16, 16_000), (256, 50_000), (1_024, 100_000)):
        with_threads = callers <= 16
        worlds: list[Timed] = [in_trio, in_asyncio, *([in_threads] if with_threads else [])]
        each = max(2, messages // callers) if full else 2
        native, *others = _rates(worlds, callers, each, rounds)
        shares = "".join(f"{rate:>14,.0f}{rate / native:>7.0%} " for rate in others)
        print(f"{callers:>8,}{native:>12,.0f}{shares}")


if __name__ == "__main__":
    main()
