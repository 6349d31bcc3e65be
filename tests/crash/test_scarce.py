"""What if there are no descriptors, or no threads, when a runtime needs them?"""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
import trio

from actorflow import RetryPolicy, Runtime, activity, entity, update
from persistence import LmdbJournal, MemoryJournal
from tests.faults.counting import tried
from tests.tidy.house import ROOT

from .process import PATIENCE_S
from .village import VILLAGE, Box

COMMON = """
import os, resource, sys, trio
from actorflow import Runtime
from persistence import JournalError, LmdbJournal
from tests.crash.village import VILLAGE, Box

def allow(more):
    soft = hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if more is not None:
        soft = max(map(int, os.listdir("/proc/self/fd"))) + more  # the listing itself had the highest
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

async def put(number):
    async with Runtime(LmdbJournal(sys.argv[1]), entities=VILLAGE) as runtime:
        await runtime.actor(Box, "a").signal(Box.put, "c", number)
"""
OPENS = """
async def main():
    await trio.to_thread.run_sync(int)  # a thread of trio's is there, and what it needs
    await put(1)
    used = len(os.listdir("/proc/self/fd"))
    failed = 0
    for more in range(12):
        allow(more)
        try:
            await put(2 + more - failed)
        except JournalError as error:
            failed += 1
            said = str(error)
            assert "hint:" in said and sys.argv[1] in said, said
        finally:
            allow(None)
        assert len(os.listdir("/proc/self/fd")) == used, "descriptors are left open"
    await put(14 - failed)
    print(failed)

trio.run(main)
"""
WORKS = """
async def main():
    async with Runtime(LmdbJournal(sys.argv[1]), entities=VILLAGE) as runtime:
        await runtime.actor(Box, "a").signal(Box.put, "c", 1)
        allow(0)
        try:
            os.dup(0)
        except OSError:
            print("none left")
        for number in range(2, 60):
            await runtime.actor(Box, "a").signal(Box.put, "c", number)
        try:
            await trio.to_thread.run_sync(runtime._host.journal.backup, sys.argv[1] + ".copy")
        except JournalError as error:
            assert "hint:" in str(error)
            print(type(error).__name__)
        await runtime.actor(Box, "a").signal(Box.put, "c", 60)

trio.run(main)
"""


def _child(code: str, path: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", COMMON + code, str(path)],
        cwd=ROOT,
        timeout=PATIENCE_S,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert LmdbJournal(path).check() == []
    return done.stdout.split()


async def _last(path: Path) -> int:
    async with Runtime(LmdbJournal(path), entities=VILLAGE) as runtime:
        found: int = await runtime.actor(Box, "a").query(Box.last, "c")
        return found


def test_without_descriptors_it_is_not_opened_and_says_so(tmp_path: Path) -> None:
    """However many are missing: a typed error with a hint, nothing stays open, and with enough it goes on."""
    (failed,) = _child(OPENS, tmp_path / "journal")
    assert 2 <= int(failed) < 12, "some were to be too few, and some enough"
    assert trio.run(_last, tmp_path / "journal") == 14 - int(failed)
    tried(12)


def test_who_is_open_needs_no_more_descriptors(tmp_path: Path) -> None:
    """With not one left a runtime works on, and closes in order; what needs one, as a backup, says so."""
    assert _child(WORKS, tmp_path / "journal")[-1] == "JournalError"
    assert trio.run(_last, tmp_path / "journal") == 60


def test_descriptors_do_run_out(tmp_path: Path) -> None:
    """The control: in the test above there was none left."""
    assert _child(WORKS, tmp_path / "journal")[:2] == ["none", "left"]


# ---- threads -----------------------------------------------------------------------------------------


class Starts:
    """Lets so many threads start, and no other until it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
        self.left = most
        start = threading.Thread.start

        def limited(thread: threading.Thread) -> None:
            if self.left <= 0:
                raise RuntimeError("can't start new thread")
            self.left -= 1
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", limited)


def test_without_threads_it_is_not_opened_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever thread cannot be started: an error, and the journal can be opened by the next."""
    path = tmp_path / "journal"
    failed = 0

    async def put(number: int) -> None:
        async with Runtime(LmdbJournal(path), entities=VILLAGE) as runtime:
            await runtime.actor(Box, "a").signal(Box.put, "c", number)

    for most in range(3):
        # trio keeps idle threads for ten seconds: they are as good as started.
        with monkeypatch.context() as patch:
            Starts(patch, most)
            try:
                trio.run(put, 1 + most - failed)
            except* RuntimeError as group:
                failed += "can't start new thread" in repr(group.exceptions)
        tried()
    assert failed > 0
    trio.run(put, 4 - failed)
    assert trio.run(_last, path) == 4 - failed


@activity(retry=RetryPolicy(initial_interval=timedelta(milliseconds=1)))
def work(number: int) -> int:
    """Something that a thread does."""
    return number


@entity
class Worker:
    @update
    async def do(self, number: int) -> int:
        return await work(number)


async def test_an_activity_that_gets_no_thread_has_failed_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That attempt has failed; the runtime goes on, and the next attempt may have one."""

    async def done(runtime: Runtime, number: int) -> None:
        assert await runtime.actor(Worker, f"w{number}").update(Worker.do, number) == number

    async with Runtime(MemoryJournal(), entities=[Worker]) as runtime:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                starts = Starts(monkeypatch, 0)
                for number in range(8):
                    nursery.start_soon(done, runtime, number)
                for _ in range(50):
                    await trio.lowlevel.checkpoint()
                starts.left = 100
    tried(8)
