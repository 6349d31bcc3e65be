"""Carts under load: callers that each send their next message when the last is acknowledged."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from actorflow import ActorHandle, Runtime
from entities.cart import Cart
from persistence import LmdbJournal

from ._light import whom

__all__ = ["CENTS", "Send", "add_one", "alike", "begin", "cents", "expected", "opened", "sent"]

AT_ONCE = 1_000
SAMPLE = 100
CENTS = 150
"""What a thing costs."""

Send = Callable[[ActorHandle[Cart], int, int], Awaitable[None]]
"""To this cart, by this caller, its message of this number."""


def alike(callers: int, actors: int, messages: int) -> dict[str, Any]:
    """What a round is told, so that every caller sends as many."""
    return {"callers": callers, "actors": actors, "messages": messages - messages % callers}


@asynccontextmanager
async def opened(
    path: Path, actors: int, *, begun: bool = True
) -> AsyncIterator[tuple[Runtime, list[ActorHandle[Cart]]]]:
    """A runtime on a disk, and its carts: in the bare loop they are there when the clock starts."""
    async with Runtime(LmdbJournal(path / "journal"), entities=[Cart]) as runtime:
        carts = [runtime.actor(Cart, f"cart-{number}") for number in range(actors)]
        if begun:
            await begin(runtime, carts)
        yield runtime, carts


async def begin(runtime: Runtime, carts: Sequence[ActorHandle[Cart]]) -> None:
    """Put one thing into each."""
    for start in range(0, len(carts), AT_ONCE):
        async with runtime.batch() as batch:
            for cart in carts[start : start + AT_ONCE]:
                batch.signal(cart, Cart.add_item, "sku-0", 1, cents=CENTS)


async def add_one(cart: ActorHandle[Cart], caller: int, number: int) -> None:  # noqa: ARG001 - as others send
    """Put one more thing into it."""
    await cart.signal(Cart.add_item, f"sku-{number % 10}", 1, cents=CENTS)


async def sent(
    carts: Sequence[ActorHandle[Cart]], callers: int, messages: int, send: Send = add_one
) -> float:
    """Seconds until all of them are acknowledged."""

    async def call(caller: int) -> None:
        for number in range(messages // callers):
            await send(carts[whom(caller, number, len(carts))], caller, number)

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for caller in range(callers):
            nursery.start_soon(call, caller)
    return time.perf_counter() - began


def expected(actors: int, callers: int, messages: int, *, begun: int = 1) -> int:
    """What some of the carts come to, if each message has arrived once."""
    added = Counter(
        whom(caller, number, actors) for caller in range(callers) for number in range(messages // callers)
    )
    return sum((begun + added[actor]) * CENTS for actor in _sample(actors))


async def cents(carts: Sequence[ActorHandle[Cart]]) -> int:
    """What they do come to."""
    return sum([await carts[actor].query(Cart.total) for actor in _sample(len(carts))])


def _sample(actors: int) -> range:
    """Of a hundred thousand, some: those that have left memory would all have to come back."""
    return range(0, actors, max(1, actors // SAMPLE))
