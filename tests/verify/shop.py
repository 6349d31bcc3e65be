"""An application in versions, as files that a store is made with and verified with, and the store itself.

Knows nothing of pytest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple

from tests.tidy.house import ROOT

PATIENCE = 60
"""Seconds after which a child is taken to hang."""

FIRST = """
from datetime import timedelta

import trio
from attrs import field

from actorflow import Limits, RetryPolicy, activity, entity, query, signal, sleep, timer, update


@activity
async def charge(order: str, cents: int) -> str:
    await trio.sleep_forever()
    return order


@entity
class Cart:
    items: dict[str, int] = field(factory=dict)
    looks: int = 0

    @signal
    def add(self, sku: str, count: int) -> None:
        self.items[sku] = self.items.get(sku, 0) + count
        self.give_up().arm(after=timedelta(days=30))

    @query
    def contents(self) -> dict[str, int]:
        return self.items

    @timer
    def give_up(self) -> None:
        self.items.clear()


@entity
class Order:
    cents: int = 0
    receipt: str = ""
    notes: list[str] = field(factory=list)

    @signal
    async def pay(self, cents: int) -> None:
        self.cents = cents
        await sleep(timedelta(microseconds=1))
        self.receipt = await charge("order", cents)

    @signal
    def note(self, text: str) -> None:
        self.notes.append(text)
"""
"""The version that stores are made with."""


ADD = "        self.give_up().arm(after=timedelta(days=30))\n"
PAYS = '        self.receipt = await charge("order", cents)\n'


def changed(*pairs: tuple[str, str], text: str = FIRST) -> str:
    """The application with something in it changed."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


MAKE = """
import sys
import trio
from actorflow import Limits, Runtime
from datetime import timedelta
from persistence import LmdbJournal
import shop

async def main(path, backup, carts, orders):
    journal = LmdbJournal(path, durability="process")
    limits = Limits(close_grace=timedelta(microseconds=1))
    async with Runtime(journal, entities=[shop.Cart, shop.Order], limits=limits) as runtime:
        for number in range(carts):
            cart = runtime.actor(shop.Cart, f"cart-{number:03}")
            for sku in ("apple", "pear", "plum"):
                await cart.signal(shop.Cart.add, sku, number)
        for number in range(orders):
            order = runtime.actor(shop.Order, f"order-{number:03}")
            await order.signal(shop.Order.pay, 100 + number)
            while not any(one.name == "charge" for one in (await order.describe()).waiting):
                await trio.sleep(0.001)
            await order.signal(shop.Order.note, "ring twice")
        await trio.to_thread.run_sync(journal.backup, backup)

trio.run(main, sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
"""


Under = Mapping[str, str]
"""Variables of the environment."""
NOTHING: Under = {}


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Shop:
    """A folder with the application, and journals of it."""

    def __init__(self, folder: Path, made: Path) -> None:
        self.folder = folder
        self._made = made
        """Where journals are kept that several tests begin with."""
        self.closed = folder / "closed.journal"
        """Left gracefully."""
        self.backup = folder / "backup.journal"
        """Of a moment when it was open: nothing is in the tables yet."""

    def write(self, text: str, name: str = "shop") -> None:
        """Deploy a version."""
        (self.folder / f"{name}.py").write_text(textwrap.dedent(text), "utf-8")

    def make(self, carts: int = 3, orders: int = 3, text: str = FIRST, under: Under = NOTHING) -> None:
        """Let actors live under a version."""
        self.write(text)
        kept = self._made / f"{carts}-{orders}"
        if (text, under) == (FIRST, NOTHING) and kept.exists():
            shutil.copytree(kept, self.folder, dirs_exist_ok=True)
            return
        self.run("-c", MAKE, str(self.closed), str(self.backup), str(carts), str(orders), under=under)
        if (text, under) == (FIRST, NOTHING):
            for journal in (self.closed, self.backup):
                shutil.copytree(journal, kept / journal.name)

    def load(self, text: str) -> Any:
        """A version as a module of this process; it stays known while the test runs, as hints need it."""
        self.write(text)
        spec = spec_from_file_location("shop", self.folder / "shop.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules["shop"] = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def environment(self, under: Under = NOTHING) -> dict[str, str]:
        """What a process in the folder is started with: it finds the house, and leaves nothing behind."""
        return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **under}

    def run(self, *argv: str, check: bool = True, under: Under = NOTHING) -> Done:
        """Run Python in the folder."""
        done = subprocess.run(
            [sys.executable, *argv],
            cwd=self.folder,
            env=self.environment(under),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def verify(self, *argv: str, entities: str = "shop", under: Under = NOTHING) -> Done:
        """Run the command."""
        argv = ("-m", "actorflow", "verify", *(argv or (str(self.backup),)), "--entities", entities)
        return self.run(*argv, check=False, under=under)
