"""What was about to happen, does it happen in time when the next process has opened the journal?"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import trio
import trio.testing

from actorflow import Runtime, entity, main, sleep
from actorflow._runtime.host import GLANCE_S
from persistence import LmdbJournal


@entity
class Nap:
    """Sleeps for a while, of itself."""

    milliseconds: int = 0

    @main
    async def rest(self) -> int:
        await sleep(timedelta(milliseconds=self.milliseconds))
        return self.milliseconds


@pytest.mark.parametrize("round_", range(4))
async def test_who_slept_when_it_was_killed_wakes_in_time(tmp_path: Path, round_: int) -> None:
    """Of a sleep that only the log knows of, the clock is minded at once, not when it is looked at anyway."""
    async with Runtime(LmdbJournal(tmp_path / "one"), entities=[Nap]) as runtime:
        await runtime.start(Nap(300), "a")
        await runtime.actor(Nap, "a").describe()  # it has begun, and that is durable
        shutil.copytree(tmp_path / "one", tmp_path / "left", ignore=shutil.ignore_patterns("LOCK", "*-lock"))
    async with Runtime(LmdbJournal(tmp_path / "left"), entities=[Nap]) as runtime:
        await trio.testing.wait_all_tasks_blocked()  # nobody asks for it until it has settled down
        with trio.fail_after(GLANCE_S / 2):
            assert await runtime.actor(Nap, "a").result(int) == 300
