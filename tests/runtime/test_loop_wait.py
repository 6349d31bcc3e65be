"""A loop that waits for the disk itself: only where it is allowed to, and only while the disk is quick."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
import trio

from actorflow import Limits, Runtime, Unknown
from actorflow._runtime import writer
from entities.cart import Cart
from persistence import LmdbJournal
from persistence._batch import Collected

ALLOWED = Limits(loop_wait=timedelta(seconds=5))
QUICK = Limits(loop_wait=timedelta(milliseconds=50))
SLOW_S = 0.06
SOME = 10


class Watched(LmdbJournal):
    """Says which thread commits, and is as slow as it is told to be."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, durability="process")
        self.threads: list[str] = []
        self.slow_s = 0.0
        self.fails = False

    def _commit(self, batch: Collected, /) -> None:
        self.threads.append(threading.current_thread().name)
        began = time.perf_counter()
        while time.perf_counter() - began < self.slow_s:  # as a disk would, which holds nobody else up
            pass
        if self.fails:
            raise OSError(5, "the disk has failed")
        super()._commit(batch)

    def in_loop(self) -> int:
        """How many of its commits the loop's own thread has made."""
        return self.threads.count(threading.current_thread().name)


async def _send(runtime: Runtime, times: int = SOME) -> None:
    for number in range(times):
        await runtime.actor(Cart, "a").signal(Cart.add_item, f"sku-{number}", 1, cents=100)


async def test_unless_it_is_allowed_the_loop_waits_for_no_disk(tmp_path: Path) -> None:
    """Every commit is the writer's thread's, as long as nobody says otherwise."""
    journal = Watched(tmp_path / "shop")
    async with Runtime(journal, entities=[Cart]) as runtime:
        await _send(runtime)
        assert journal.in_loop() == 0


async def test_where_it_is_allowed_it_waits_itself(tmp_path: Path) -> None:
    """Once a log file is there, what one caller sends is committed where it was cut; and it is all there."""
    journal = Watched(tmp_path / "shop")
    async with Runtime(journal, entities=[Cart], limits=ALLOWED) as runtime:
        await _send(runtime)
        assert journal.in_loop() >= SOME - 2
        assert await runtime.actor(Cart, "a").query(Cart.total) == 100 * SOME
    async with Runtime(LmdbJournal(tmp_path / "shop"), entities=[Cart]) as runtime:
        assert await runtime.actor(Cart, "a").query(Cart.total) == 100 * SOME


async def test_a_disk_that_was_slow_is_left_to_the_thread(tmp_path: Path) -> None:
    """One commit that takes too long is the last for which the loop stands still, for a while."""
    journal = Watched(tmp_path / "shop")
    async with Runtime(journal, entities=[Cart], limits=QUICK) as runtime:
        await _send(runtime)
        journal.slow_s = SLOW_S
        before = journal.in_loop()
        await _send(runtime, 4)
        assert journal.in_loop() - before <= 1
        journal.slow_s = 0.0
        await _send(runtime)
        assert journal.in_loop() - before <= 1, "the while is not over"


async def test_after_a_while_it_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The while has an end; here it has none to begin with, and the loop waits for every slow commit."""
    monkeypatch.setattr(writer, "SPELL_S", 0.0)
    journal = Watched(tmp_path / "shop")
    async with Runtime(journal, entities=[Cart], limits=QUICK) as runtime:
        await _send(runtime)
        journal.slow_s = SLOW_S
        before = journal.in_loop()
        await _send(runtime, 4)
        assert journal.in_loop() - before == 4


async def test_a_disk_that_fails_there_stops_the_runtime_as_it_does_elsewhere(tmp_path: Path) -> None:
    """Who waits is told that the outcome is not known, and nothing more is taken."""
    journal = Watched(tmp_path / "shop")
    with pytest.RaisesGroup(OSError, allow_unwrapped=True, flatten_subgroups=True):
        async with Runtime(journal, entities=[Cart], limits=ALLOWED) as runtime:
            await _send(runtime)
            journal.fails = True
            with trio.fail_after(10), pytest.raises(Unknown):
                await _send(runtime, 1)
            assert journal.threads[-1] == threading.current_thread().name
