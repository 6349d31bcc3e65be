"""How many signals a second, beside the least that a durable message can cost on this machine?

Carts take ``add_item`` from so many callers, each waiting for its acknowledgement, every commit synced; after
each round the bare loop of ``_light`` does the same in the same minute.  What counts is the share of it that
is left: the medians of the rounds, for machines are noisy.  Then: from opening a journal in which many actors
sleep to the first answer.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import trio

from actorflow import ActorHandle, Runtime
from benchmarks._light import light
from entities.cart import Cart
from persistence import LmdbJournal

# callers, actors, messages, and how many of the actors begin with them
SHAPES = {
    "full": [
        (1, 100, 3_000, 0),
        (64, 1, 40_000, 0),
        (64, 100, 40_000, 0),
        (64, 10_000, 40_000, 0),
        (64, 10_000, 40_000, 10_000),
        (1_024, 100, 100_000, 0),
        (1_024, 10_000, 100_000, 0),
        (1_024, 10_000, 100_000, 10_000),
    ],
    "small": [(1, 5, 20, 0), (16, 10, 320, 0)],
}
AT_ONCE = 1_000
ROUNDS = {"full": 3, "small": 1}
ASLEEP = {"full": 100_000, "small": 200}


async def signals(path: Path, callers: int, actors: int, messages: int, new: int) -> tuple[float, int]:
    """Messages a second, and how many commits they took; so many of the actors begin with them."""
    async with Runtime(LmdbJournal(path), entities=[Cart]) as runtime:
        carts = [runtime.actor(Cart, f"cart-{number}") for number in range(actors)]
        await _live(runtime, carts[new:])

        async def call(first: int) -> None:
            for number in range(messages // callers):
                cart = carts[(first * 7919 + number * 31) % actors]
                await cart.signal(Cart.add_item, f"sku-{number % 10}", 1, cents=150)

        before = runtime.statistics().commits
        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for first in range(callers):
                nursery.start_soon(call, first)
        took = time.perf_counter() - began
        return messages / took, runtime.statistics().commits - before


async def _live(runtime: Runtime, carts: Sequence[ActorHandle[Cart]]) -> None:
    """Have the carts begun, as the bare loop's are when its clock starts."""
    for start in range(0, len(carts), AT_ONCE):
        async with runtime.batch() as batch:
            for cart in carts[start : start + AT_ONCE]:
                batch.signal(cart, Cart.add_item, "sku-0", 1, cents=150)


async def asleep(path: Path, actors: int) -> float:
    """Seconds from opening a journal of so many sleeping actors to the first answer of one."""
    async with Runtime(LmdbJournal(path), entities=[Cart]) as runtime:
        await _live(runtime, [runtime.actor(Cart, f"cart-{number}") for number in range(actors)])
    began = time.perf_counter()
    async with Runtime(LmdbJournal(path), entities=[Cart]) as runtime:
        assert await runtime.actor(Cart, "cart-7").query(Cart.total) == 150
        return time.perf_counter() - began


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="signals")
    parser.add_argument("--size", choices=["small", "full"], default="full")
    size: str = parser.parse_args(argv).size
    print(f"{'callers':>8}{'actors':>8}{'new':>8}{'signals/s':>12}{'light/s':>12}{'share':>7}{'commit':>8}")
    for callers, actors, messages, new in SHAPES[size]:
        messages -= messages % callers  # noqa: PLW2901 - what is left over nobody would send
        ours: list[tuple[float, int]] = []
        bare: list[float] = []
        for _ in range(ROUNDS[size]):
            with TemporaryDirectory() as directory:
                ours.append(trio.run(signals, Path(directory) / "ours", callers, actors, messages, new))
                (Path(directory) / "light").mkdir()
                bare.append(trio.run(light, Path(directory) / "light", callers, actors, messages))
        share = median(own / least for (own, _), least in zip(ours, bare, strict=True))
        rate, commits = median(rate for rate, _ in ours), median(commits for _, commits in ours)
        least = median(bare)
        per_commit = messages / commits
        print(
            f"{callers:>8}{actors:>8}{new:>8}{rate:>12,.0f}{least:>12,.0f}{share:>7.2f}{per_commit:>8.0f}",
            flush=True,
        )
    with TemporaryDirectory() as directory:
        seconds = median(
            trio.run(asleep, Path(directory) / str(round_), ASLEEP[size]) for round_ in range(ROUNDS[size])
        )
    print(
        f"\nfrom opening a journal of {ASLEEP[size]:,} sleeping actors to the first answer: {seconds:.3f} s"
    )
    return 0
