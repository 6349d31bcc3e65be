"""What does the runtime find when the power has failed?  Every moment of a commit is cut, and judged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import pytest
import trio

from actorflow import Runtime
from persistence import LmdbJournal, _log_file
from persistence._batch import Collected
from persistence._directory import DATA, NOTE
from tests.faults.counting import tried
from tests.journal.kit import PAGE, SECTOR, torn

from . import on_disk
from .callers import Caller
from .oracle import verdict
from .said import Said, Voice
from .village import VILLAGE
from .workload import LIMITS, open_accounts

CALLERS: Final = 8
MESSAGES: Final = 6
CUTS: Final = 10
"""So many of each course are judged; all of them in a long proof."""


class Cut(NamedTuple):
    """A commit: what the disk held before and after, and what callers had said when it was over."""

    before: on_disk.Files
    after: on_disk.Files
    lines: int

    @property
    def note(self) -> bytes:
        """The note as it lay there."""
        return self.after[NOTE]

    def begins(self, name: str) -> int:
        """Where in a log file the first sector begins that has changed."""
        old, new = self.before.get(name, b""), self.after[name]
        changed = (at for at in range(0, len(new), SECTOR) if new[at : at + SECTOR] != old[at : at + SECTOR])
        return next(changed)

    @property
    def filed(self) -> bool:
        """Whether it went into a log file."""
        return bool(on_disk.filed(self.before, self.after))


class WatchedJournal(LmdbJournal):
    """Keeps what is on the disk whenever something was committed."""

    def __init__(self, path: Path, voice: Voice) -> None:
        super().__init__(path)
        self._voice = voice
        self._disk = on_disk.read(path)
        self.cuts: list[Cut] = []

    def open(self, tables: Sequence[str], /) -> None:
        super().open(tables)
        self._keep()

    def _commit(self, batch: Collected, /) -> None:
        super()._commit(batch)
        self._keep()

    def close(self) -> None:
        super().close()
        self._keep()

    def _keep(self) -> None:
        # Nobody has been told of this commit yet: so what was said until here hangs on those before it.
        before, self._disk = self._disk, on_disk.read(self.path, self._disk)
        self.cuts.append(Cut(before, self._disk, self._voice.lines))


class Course:
    """Two processes, one after the other, and all their commits; the second finds what a death has left."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.log = folder / "said"
        self.cuts: list[Cut] = []
        self.chance = Random(seed)
        lines = 0
        path = folder / "village.journal"
        for _ in range(2):
            if self.cuts:
                # As if the first had died when its callers had left: what it wrote behind that is not there.
                on_disk.lies(next(cut.after for cut in self.cuts if cut.lines == lines), path)
            voice = Voice(self.log)
            voice.lines = lines
            journal = WatchedJournal(path, voice)
            trio.run(_work, journal, Said.read(self.log), voice, seed)
            voice.close()
            lines = voice.lines
            self.cuts += journal.cuts
        del self.cuts[0]  # while it is made: tests/journal asks what is left of that

    def answers(self, cut: Cut) -> int:
        """How many messages had been acknowledged when a commit was over."""
        return len(Said.read(self.log, cut.lines).done)

    def judged(self, left: on_disk.Files, note: bytes, lines: int) -> list[str]:
        """What is wrong with what the power has left."""
        path = self.folder / "left"
        on_disk.lies({**left, NOTE: note}, path)
        return verdict(path, Said.read(self.log, lines), self.folder, LIMITS["small"])


async def _work(journal: LmdbJournal, said: Said, voice: Voice, seed: int) -> None:
    voice.say(("mark", "opening"))
    async with Runtime(journal, entities=VILLAGE, limits=LIMITS["small"]) as runtime:
        await open_accounts(runtime, said, voice)
        async with trio.open_nursery() as nursery:
            for n in range(CALLERS):
                caller = Caller(f"c{n}", Random(f"{seed} {len(said.sent)} {n}"), said, voice)
                nursery.start_soon(caller.work, runtime, MESSAGES)


def _log_files(files: on_disk.Files) -> on_disk.Files:
    return {name: data for name, data in files.items() if on_disk.is_log_file(name)}


def _sampled(course: Course, number: int) -> list[Cut]:
    """Some commits of either kind, and those with which a journal was opened."""
    chance = course.chance
    filed = [cut for cut in course.cuts if cut.filed]
    others = [cut for cut in course.cuts if not cut.filed]
    opened = [cut for cut in others if _log_files(cut.before) and not _log_files(cut.after)]
    return [*chance.sample(filed, number // 2), *chance.sample(others, number - number // 2), *opened]


@pytest.mark.parametrize("part", range(2))
def test_wherever_the_power_fails_nothing_is_lost(tmp_path: Path, seed: int, effort: int, part: int) -> None:
    """At each boundary of a commit and within: what was acknowledged is there, what is there is whole."""
    for course_seed in range(seed + part, seed + part + 2 * min(effort, 10), 2):
        folder = tmp_path / str(course_seed)
        folder.mkdir()
        course = Course(folder, course_seed)
        chance = course.chance
        assert len(course.cuts) > 20
        for cut in course.cuts if effort > 1 else _sampled(course, CUTS):
            for moment, left in on_disk.left_of(cut.before, cut.after, chance).items():
                # Notes are not synced: an earlier one may be there, or none.
                note = chance.choice([b"", cut.note, chance.choice(course.cuts).note])
                wrong = course.judged(left, note, cut.lines)
                tried()
                assert not wrong, f"seed {course_seed}, {course.cuts.index(cut)}, {moment}: {wrong}"


def test_syncs_that_were_left_out_are_noticed(tmp_path: Path, seed: int) -> None:
    """The control: where the disk has less than was acknowledged, the same oracle sees it."""
    course = Course(tmp_path, seed)
    cuts = course.cuts
    told = [course.answers(cut) for cut in cuts]
    places = [n for n in range(len(cuts) - 5) if told[n + 5] - told[n] > 3]
    assert places
    for place in places[::7][:3]:
        late, lost = cuts[place + 5], cuts[place]
        wrong = course.judged(lost.before, b"", late.lines)
        assert wrong, f"the commits {place} to {place + 4} are gone, and nobody noticed"


def test_writes_into_log_files_that_were_not_durable_are_noticed(tmp_path: Path, seed: int) -> None:
    """The control: the same where all that LMDB was given is there, and a log file is as it was before."""
    course = Course(tmp_path, seed)
    cuts = course.cuts
    told = [course.answers(cut) for cut in cuts]
    filed = [n for n in range(len(cuts) - 3) if all(cut.filed for cut in cuts[n : n + 3])]
    places = [n for n in filed if told[n + 3] - told[n] > 3]
    assert places
    noticed: list[bool] = []
    for place in places[::2][:6]:  # of some all that is gone was repeated since, or is by the oracle
        late, lost = cuts[place + 3], cuts[place]
        wrong = course.judged({**late.before, **_log_files(lost.before)}, b"", late.lines)
        noticed.append(bool(wrong))
    assert sum(noticed) >= len(noticed) // 2 > 0 or noticed == [True], noticed


def test_a_checksum_that_is_not_asked_is_noticed(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: where a torn record counts as a whole one, what it holds is no frame; that is found."""
    monkeypatch.setattr(_log_file, "crc32", lambda *_: 0)
    course = Course(tmp_path, seed)
    noticed: list[bool] = []
    for cut in course.cuts:
        for _ in range(3 if (name := on_disk.filed(cut.before, cut.after)) else 0):
            left = on_disk.left_of(cut.before, cut.after, course.chance)["but for a sector"]
            head = slice(0, cut.begins(name) + SECTOR)
            if left[name][head] == cut.after[name][head] and len(noticed) < 15:
                noticed.append(bool(course.judged(left, b"", cut.lines)))
    assert sum(noticed) >= len(noticed) // 3 > 0


def test_a_meta_page_before_its_pages_is_noticed(tmp_path: Path, seed: int) -> None:
    """The control: a disk that writes in another order than it was told leaves ruins, and they are found."""
    course = Course(tmp_path, seed)
    chance = course.chance
    noticed = asked = 0
    for cut in chance.sample([cut for cut in course.cuts if cut.before[DATA] != cut.after[DATA]], 6):
        before, after = cut.before[DATA], cut.after[DATA]
        image = bytearray(torn(before, after, chance, 0.2).ljust(len(after), b"\0"))
        image[: 2 * PAGE] = after[: 2 * PAGE]
        if bytes(image) != after:
            asked += 1
            noticed += bool(course.judged({**cut.before, DATA: bytes(image)}, b"", cut.lines))
    assert noticed >= asked // 2 > 0
