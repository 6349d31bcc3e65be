"""What is used for long: does anything grow that should not?  Memory, descriptors, threads, files."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
import trio

from actorflow import Runtime
from persistence import LmdbJournal
from tests.faults.counting import tried

from . import on_disk
from .callers import Caller
from .said import Said, Voice
from .village import VILLAGE
from .workload import LIMITS, open_accounts

WINDOWS = 6
WINDOW_S = 0.8
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Used(NamedTuple):
    """What a process holds at a moment."""

    memory: int
    descriptors: int
    threads: int
    file: int
    frames: int


BOUNDS = Used(memory=24 << 20, descriptors=0, threads=1, file=8 << 20, frames=2_000)
"""By so much the second half of the windows may exceed the first: what is kept by retention levels off."""


def used(journal: LmdbJournal) -> Used:
    """By what the system says."""
    resident = int(Path("/proc/self/statm").read_text("ascii").split()[1]) * PAGE_BYTES
    return Used(
        resident,
        len(list(Path("/proc/self/fd").iterdir())),
        threading.active_count(),
        on_disk.bytes_long(journal.path),
        journal.statistics().frames,
    )


def grown(windows: list[Used]) -> list[str]:
    """What has grown from the first half to the second by more than its bound."""
    half = len(windows) // 2
    return [
        f"{name}: {max(first)} and then {max(second)}"
        for name, bound, first, second in zip(
            Used._fields,
            BOUNDS,
            zip(*windows[:half], strict=True),
            zip(*windows[half:], strict=True),
            strict=True,
        )
        if max(second) - max(first) > bound
    ]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="what a process uses is read from /proc")
def test_what_is_used_for_long_does_not_grow(tmp_path: Path, seed: int, effort: int) -> None:
    """Under a mixed load, opened and closed again and again, a process comes to a level and stays there."""
    windows: list[Used] = []
    said, voice = Said(), Voice(tmp_path / "said")

    async def window(number: int) -> None:
        journal = LmdbJournal(tmp_path / "journal", durability="process")
        async with Runtime(journal, entities=VILLAGE, limits=LIMITS["small"]) as runtime:
            await open_accounts(runtime, said, voice)
            with trio.move_on_after(WINDOW_S * min(effort, 20)):
                async with trio.open_nursery() as nursery:
                    for n in range(8):
                        # Another caller in each window: what it remembers of itself is not asked here.
                        caller = Caller(f"w{number}c{n}", Random(f"{seed} {number} {n}"), Said(), voice)
                        nursery.start_soon(caller.work, runtime, 1_000_000)
            windows.append(used(journal))

    for number in range(WINDOWS * (1 if effort == 1 else 4)):
        trio.run(window, number)
        tried()
    voice.close()
    assert grown(windows) == [], windows


def test_what_leaks_is_noticed(tmp_path: Path) -> None:
    """The control: descriptors that stay open, and threads that do not end, grow from half to half."""
    journal = LmdbJournal(tmp_path / "journal")
    journal.open([])
    windows: list[Used] = []
    held: list[int] = []
    over = threading.Event()
    threads: list[threading.Thread] = []
    began = time.monotonic()
    for _ in range(4):
        windows.append(used(journal))
        for _ in range(3):
            held.append(os.dup(0))
            threads.append(threading.Thread(target=over.wait, args=(20,)))
            threads[-1].start()
    over.set()
    for thread in threads:
        thread.join()
    for one in held:
        os.close(one)
    journal.close()
    assert {one.partition(":")[0] for one in grown(windows)} == {"descriptors", "threads"}, windows
    assert time.monotonic() - began < 20
