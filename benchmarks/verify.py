"""How many actors and messages a second does ``actorflow verify`` replay?

Carts with a tail of some messages each, as a backup of a running process has them; and the same after it was
closed, where there is a snapshot to read and nothing to replay.  Once in this process, as a test would do it,
and by the command with one process and with two, their start included.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from attrs import field

from actorflow import Runtime, entity, signal, timer
from actorflow._cli.main import main as command
from actorflow.testing import verify
from persistence import LmdbJournal

# carts, messages of each
SHAPES = {"full": [(20_000, 10), (100_000, 2)], "small": [(40, 3)]}
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


def here(store: Path) -> tuple[float, int]:
    """The same in this process."""
    began = time.perf_counter()
    report = verify(LmdbJournal(store, read_only=True), entities=[Cart])
    assert report.ok, report
    return time.perf_counter() - began, report.messages


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="verify")
    parser.add_argument("--size", choices=["small", "full"], default="full")
    size: str = parser.parse_args(argv).size
    print(f"{'journal':>8}{'carts':>9}{'messages':>10}{'how':>14}{'s':>7}{'carts/s':>9}{'messages/s':>12}")
    for carts, each in SHAPES[size]:
        with TemporaryDirectory() as directory:
            folder = Path(directory)
            trio.run(fill, folder, carts, each)
            for store in ("backup", "closed"):
                ways = {"here": here(folder / store)}
                ways |= {f"{jobs} processes": by_command(folder / store, jobs) for jobs in (1, 2)}
                for way, (took, messages) in ways.items():
                    rates = f"{carts / took:>9,.0f}{messages / took:>12,.0f}"
                    print(f"{store:>8}{carts:>9,}{messages:>10,}{way:>14}{took:>7.2f}{rates}", flush=True)
    return 0
