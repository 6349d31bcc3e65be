"""Do a million sleeping actors cost anything?

A store is made in which so many carts sleep, each with an item and a timer of thirty days.  A new process
opens it and asks one of them: seconds to the first answer, and the memory that the process has then, all
of it, mapped pages of the file included; what is the process's alone stands beside.  Both once with the
file in the system's cache, and once without.  The store is made once for all cases, without syncs; how
long that took stands beside, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from weakref import finalize

import trio
from attrs import field, frozen

from actorflow import Runtime
from entities.cart import Cart
from persistence import LmdbJournal

from ._case import Case, Found, Size, at_most
from ._process import measurable, uncached, weight

ASKED_S = 0.5
ASKED_MB = 200 * (1 << 20) / 1e6
AT_ONCE = 1_000
ASKED = 20
"""So many others are asked after the first."""

SHAPES: dict[Size, int] = {"tiny": 500, "small": 100_000, "full": 1_000_000}


@frozen
class Store:
    """A store in a folder that is there as long as somebody may open it."""

    actors: int
    folder: Path = field(init=False, factory=lambda: Path(mkdtemp(prefix="bench-asleep-")))

    def __attrs_post_init__(self) -> None:
        finalize(self, rmtree, self.folder, ignore_errors=True)

    @property
    def journal(self) -> Path:
        """Where it is."""
        return self.folder / "journal"

    def made(self) -> tuple[float, float]:
        """Make it, unless it is there; gives the seconds that took, and the bytes that the maker weighed."""
        told = self.folder / "made"
        if not told.exists():
            # In a process of its own: what making it takes is not what opening it takes.
            with ProcessPoolExecutor(1, mp_context=get_context("fork")) as process:
                made = process.submit(make, self.journal, self.actors).result()
            told.write_text(" ".join(map(str, made)), "utf-8")
        took, weighed = map(float, told.read_text("utf-8").split())
        return took, weighed


def make(path: Path, actors: int) -> tuple[float, int]:
    """Make such a store; gives the seconds that took, and what this process weighs then."""
    began = time.perf_counter()
    trio.run(fill, path, actors)
    return time.perf_counter() - began, weight().own


async def fill(path: Path, actors: int) -> None:
    """Let so many live, and fall asleep."""
    async with Runtime(LmdbJournal(path, durability="process"), entities=[Cart]) as runtime:
        for first in range(0, actors, AT_ONCE):
            async with runtime.batch() as batch:
                for number in range(first, min(first + AT_ONCE, actors)):
                    cart = runtime.actor(Cart, f"cart-{number:07}")
                    batch.signal(cart, Cart.add_item, "sku-1", 1, cents=number)


async def opened(store: Store, cached: bool) -> tuple[float, dict[str, float], int]:  # noqa: FBT001 - one of two
    """Seconds to the first answer, what else there is to say, and what all answers came to."""
    if not cached:
        uncached(store.journal)
    before = weight()
    began = time.perf_counter()
    async with Runtime(LmdbJournal(store.journal), entities=[Cart]) as runtime:
        ready = time.perf_counter()
        number = store.actors // 2
        assert await runtime.actor(Cart, f"cart-{number:07}").query(Cart.total) == number
        answered = time.perf_counter()
        weighs = weight()
        total = 0
        for number in range(0, store.actors, store.actors // ASKED):
            total += await runtime.actor(Cart, f"cart-{number:07}").query(Cart.total)
        each = (time.perf_counter() - answered) / ASKED
        disk = runtime.statistics().bytes_on_disk
        also = {
            "open ms": (ready - began) * 1e3,
            "answer ms": (answered - ready) * 1e3,
            "others ms": each * 1e3,
            "RSS MB": weighs.resident / 1e6,
            "own MB": weighs.own / 1e6,
            "own MB more": (weighs.own - before.own) / 1e6,
            "disk B each": disk / store.actors,
        }
    return answered - began, also, total


def ask(path: Path, store: Store, cached: bool) -> Found:  # noqa: ARG001, FBT001 - the store has a folder
    """Seconds."""
    took, weighed = store.made()
    seconds, also, total = trio.run(opened, store, cached)
    return Found(seconds, total, also | {"made in s": took, "maker MB": weighed / 1e6})


def cases(size: Size) -> Iterator[Case]:
    """With the file in the system's cache, and without."""
    if not measurable():
        return
    store = Store(SHAPES[size])
    for cached in (True, False):
        yield Case(
            where={"asleep": store.actors, "": "file in the cache" if cached else "file not in the cache"},
            unit="s",
            ours=partial(ask, store=store, cached=cached),
            asked=at_most(ASKED_S, of="figure"),
            also_asked={"RSS MB": at_most(ASKED_MB, of="figure")},
            seconds_max=3_600,
        )
