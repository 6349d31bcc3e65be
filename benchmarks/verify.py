"""How many actors and messages a second does ``actorflow verify`` replay?

Carts with a tail of some messages each, as a backup of a running process has them; and the same after it was
closed, where there is a snapshot to read and nothing to replay.  Once in this process, as a test would do it,
and by the command with one process and with two, their start included.
"""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import trio
from attrs import field

from actorflow import Runtime, entity, signal, timer
from actorflow._cli.main import main as command
from actorflow.testing import verify
from persistence import LmdbJournal

from ._case import Case, Found, Size

# carts, messages of each
SHAPES: dict[Size, list[tuple[int, int]]] = {
    "tiny": [(20, 3)],
    "small": [(2_000, 10)],
    "full": [(20_000, 10), (100_000, 2)],
}
AT_ONCE = 500


@entity
class Cart:
    """What is in it, until it is given up."""

    items: dict[str, int] = field(factory=dict)

    @signal
    def add(self, sku: str, count: int) -> None:
        self.items[sku] = self.items.get(sku, 0) + count
        self.give_up().arm(after=timedelta(days=30))

    @timer
    def give_up(self) -> None:
        self.items.clear()


async def fill(folder: Path, carts: int, each: int) -> None:
    """Leave ``closed``, and ``backup`` of a moment before."""
    journal = LmdbJournal(folder / "closed", durability="process")
    async with Runtime(journal, entities=[Cart]) as runtime:
        for first in range(0, carts, AT_ONCE):
            for number in range(each):
                async with runtime.batch() as batch:
                    for cart in range(first, min(first + AT_ONCE, carts)):
                        batch.signal(runtime.actor(Cart, f"cart-{cart}"), Cart.add, f"sku-{number}", 1)
        await trio.to_thread.run_sync(journal.backup, folder / "backup")


def by_command(store: Path, jobs: int) -> tuple[float, int]:
    """Seconds, and messages replayed."""
    printed = io.StringIO()
    argv = ["verify", str(store), "--entities", "benchmarks.verify:Cart", "--jobs", str(jobs), "--json"]
    began = time.perf_counter()
    with contextlib.redirect_stdout(printed):
        assert command(argv) == 0
    return time.perf_counter() - began, json.loads(printed.getvalue())["messages"]


def here(store: Path, jobs: int) -> tuple[float, int]:  # noqa: ARG001 - as by the command
    """The same in this process."""
    began = time.perf_counter()
    report = verify(LmdbJournal(store, read_only=True), entities=[Cart])
    assert report.ok, report
    return time.perf_counter() - began, report.messages


Way = Callable[[Path, int], tuple[float, int]]
WAYS: list[tuple[str, Way, int]] = [
    ("in this process", here, 1),
    ("by the command, 1 process", by_command, 1),
    ("by the command, 2 processes", by_command, 2),
]


def verified(path: Path, carts: int, each: int, store: str, way: Way, jobs: int) -> Found:
    """Carts a second."""
    trio.run(fill, path, carts, each)
    took, messages = way(path / store, jobs)
    assert messages == (carts * each if store == "backup" else 0), f"{messages:,} messages"
    return Found(carts / took, messages, {"messages/s": messages / took})


def cases(size: Size) -> Iterator[Case]:
    """Journals, and ways to verify them."""
    for carts, each in SHAPES[size]:
        for store in ("backup", "closed"):
            for what, way, jobs in WAYS[:2] if size == "tiny" else WAYS:
                yield Case(
                    where={"store": store, "carts": carts, "messages each": each, "how": what},
                    unit="/s",
                    ours=partial(verified, carts=carts, each=each, store=store, way=way, jobs=jobs),
                    durability="nothing is written",
                )
