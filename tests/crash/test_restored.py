"""Is a backup that was made under load a moment of everything, and can it be gone on with?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import attrs
import pytest
import trio
from trio.lowlevel import checkpoint

from actorflow import Runtime
from persistence import LmdbJournal
from persistence._log_file import LogFile
from tests.faults.counting import tried

from .callers import Caller
from .oracle import verdict
from .said import Said, Voice
from .village import VILLAGE
from .workload import LIMITS, open_accounts

CALLERS = 8
BACKUPS = 8


class Course:
    """A runtime under load, and copies that were made of its journal meanwhile."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.log = folder / "said"
        self.chance = Random(seed)
        self.copies: list[tuple[Path, int, int]] = []
        """With the lines that callers had said before it was begun, and when it was done."""

    async def run(self) -> None:
        said, voice = Said(), Voice(self.log)
        journal = LmdbJournal(self.folder / "journal", durability="process")
        async with Runtime(journal, entities=VILLAGE, limits=LIMITS["small"]) as runtime:
            await open_accounts(runtime, said, voice)
            async with trio.open_nursery() as nursery:
                for n in range(CALLERS):
                    caller = Caller(f"c{n}", Random(self.chance.random()), said, voice)
                    nursery.start_soon(caller.work, runtime, 1_000_000)
                for n in range(BACKUPS):
                    for _ in range(self.chance.randrange(300)):
                        await checkpoint()
                    copy, before = self.folder / f"copy {n}", voice.lines
                    await trio.to_thread.run_sync(journal.backup, copy)
                    self.copies.append((copy, before, voice.lines))
                nursery.cancel_scope.cancel()
        voice.close()

    def wrong(self, copy: Path, before: int, after: int) -> list[str]:
        """What was acknowledged before has to be there, and nothing that was not sent by the end of it."""
        known, sent = Said.read(self.log, before), Said.read(self.log, after)
        return verdict(copy, attrs.evolve(known, sent=sent.sent), self.folder, LIMITS["small"])


def test_a_backup_under_load_is_a_moment_of_everything(tmp_path: Path, seed: int, effort: int) -> None:
    """Opened by a runtime of its own, each copy has all that was acknowledged before it; and goes on."""
    for number in range(min(effort, 10)):
        folder = tmp_path / str(number)
        folder.mkdir()
        course = Course(folder, seed + number)
        trio.run(course.run)
        for copy, before, after in course.copies:
            wrong = course.wrong(copy, before, after)
            assert not wrong, f"seed {seed + number}, {copy.name}: {wrong[:5]}"
            tried()


def test_a_backup_while_a_log_file_is_begun_has_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first record of a log file takes its time; what is read or copied meanwhile has all before it."""
    journal = LmdbJournal(tmp_path / "journal")
    append = LogFile.append
    told: list[tuple[int, int]] = []
    """How many frames had been acknowledged, and how many were found."""

    def slow(file: LogFile, position: int, frames: Sequence[bytes]) -> None:
        if not file.last:
            copy = LmdbJournal(tmp_path / f"copy {position}")
            journal.backup(copy.path)
            copy.open([])
            told.append((position - 1, len(list(copy.frames()))))
            told.append((position - 1, len(list(journal.frames()))))
            copy.close()
        append(file, position, frames)

    monkeypatch.setattr(LogFile, "append", slow)
    journal.open([])
    for _ in range(6):
        with journal.write() as batch:
            batch.append(bytes(40_000))
    journal.close()
    assert len(told) > 4
    assert all(acknowledged == found for acknowledged, found in told), told


def test_a_backup_that_lacks_something_is_noticed(tmp_path: Path, seed: int) -> None:
    """The control: a copy that was made earlier than it is said to have been."""
    course = Course(tmp_path, seed)
    trio.run(course.run)
    (first, _, _), (_, before, after) = course.copies[0], course.copies[-1]
    assert course.wrong(first, before, after)  # where a start is lost, the oracle stumbles over that first
