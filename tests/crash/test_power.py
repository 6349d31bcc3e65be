"""What does the runtime find when the power has failed?  Every moment of a commit is cut, and judged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import pytest
import trio

from actorflow import Runtime
from persistence import LmdbJournal
from persistence._batch import Collected
from persistence._directory import DATA, NOTE
from tests.faults.counting import tried
from tests.journal.kit import PAGE, torn

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

    before: bytes
    after: bytes
    lines: int
    note: bytes


class WatchedJournal(LmdbJournal):
    """Keeps what is on the disk whenever something was committed."""

    def __init__(self, path: Path, voice: Voice) -> None:
        super().__init__(path)
        self._voice = voice
        self._disk = (path / DATA).read_bytes() if path.exists() else b""
        self.cuts: list[Cut] = []

    def open(self, tables: Sequence[str], /) -> None:
        super().open(tables)
        self._keep()

    def _commit(self, batch: Collected, /) -> None:
        super()._commit(batch)
        self._keep()

    def _keep(self) -> None:
        # Nobody has been told of this commit yet: so what was said until here hangs on those before it.
        before, self._disk = self._disk, (self.path / DATA).read_bytes()
        self.cuts.append(Cut(before, self._disk, self._voice.lines, (self.path / NOTE).read_bytes()))


class Course:
    """Two processes, one after the other, and all their commits."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.log = folder / "said"
        self.cuts: list[Cut] = []
        self.chance = Random(seed)
        lines = 0
        for _ in range(2):
            voice = Voice(self.log)
            voice.lines = lines
            journal = WatchedJournal(folder / "village.journal", voice)
            trio.run(_work, journal, Said.read(self.log), voice, seed)
            voice.close()
            lines = voice.lines
            self.cuts += journal.cuts
        del self.cuts[0]  # while it is made: tests/journal asks what is left of that

    def judged(self, image: bytes, note: bytes, lines: int) -> list[str]:
        """What is wrong with what the power has left."""
        left = self.folder / "left"
        left.mkdir(exist_ok=True)
        (left / DATA).write_bytes(image)
        (left / NOTE).write_bytes(note)
        return verdict(left, Said.read(self.log, lines), self.folder, LIMITS["small"])


async def _work(journal: LmdbJournal, said: Said, voice: Voice, seed: int) -> None:
    voice.say(("mark", "opening"))
    async with Runtime(journal, entities=VILLAGE, limits=LIMITS["small"]) as runtime:
        await open_accounts(runtime, said, voice)
        async with trio.open_nursery() as nursery:
            for n in range(CALLERS):
                caller = Caller(f"c{n}", Random(f"{seed} {len(said.sent)} {n}"), said, voice)
                nursery.start_soon(caller.work, runtime, MESSAGES)


def _moments(cut: Cut, chance: Random) -> dict[str, bytes]:
    """What may be on the disk when the power fails in a commit: the old meta page, or all of the new."""
    return {
        "before its pages": torn(cut.before, cut.after, chance, 0.0),
        "within its pages": torn(cut.before, cut.after, chance, chance.random()),
        "behind its pages": torn(cut.before, cut.after, chance, 1.0),
        "behind its meta page": cut.after,
    }


@pytest.mark.parametrize("part", range(2))
def test_wherever_the_power_fails_nothing_is_lost(tmp_path: Path, seed: int, effort: int, part: int) -> None:
    """At each boundary of a commit and within: what was acknowledged is there, what is there is whole."""
    for course_seed in range(seed + part, seed + part + 2 * min(effort, 10), 2):
        folder = tmp_path / str(course_seed)
        folder.mkdir()
        course = Course(folder, course_seed)
        chance = course.chance
        assert len(course.cuts) > 20
        for cut in course.cuts if effort > 1 else chance.sample(course.cuts, CUTS):
            for moment, image in _moments(cut, chance).items():
                # Notes are not synced: an earlier one may be there, or none.
                note = chance.choice([b"", cut.note, chance.choice(course.cuts).note])
                wrong = course.judged(image, note, cut.lines)
                tried()
                assert not wrong, f"seed {course_seed}, {course.cuts.index(cut)}, {moment}: {wrong}"


def test_syncs_that_were_left_out_are_noticed(tmp_path: Path, seed: int) -> None:
    """The control: where the disk has less than was acknowledged, the same oracle sees it."""
    course = Course(tmp_path, seed)
    places = [n for n in range(len(course.cuts) - 6) if _more(course, n) > 10][::7][:3]
    assert places
    for place in places:
        late, lost = course.cuts[place + 5], course.cuts[place]
        wrong = course.judged(lost.before, b"", late.lines)
        assert wrong, f"the commits {place} to {place + 4} are gone, and nobody noticed"


def _more(course: Course, place: int) -> int:
    """How many lines were said during the five commits from this one on."""
    return course.cuts[place + 5].lines - course.cuts[place].lines


def test_a_meta_page_before_its_pages_is_noticed(tmp_path: Path, seed: int) -> None:
    """The control: a disk that writes in another order than it was told leaves ruins, and they are found."""
    course = Course(tmp_path, seed)
    chance = course.chance
    noticed = tried = 0
    for cut in chance.sample(course.cuts, 6):
        image = bytearray(torn(cut.before, cut.after, chance, 0.2).ljust(len(cut.after), b"\0"))
        image[: 2 * PAGE] = cut.after[: 2 * PAGE]
        if bytes(image) != cut.after:
            tried += 1
            noticed += bool(course.judged(bytes(image), b"", cut.lines))
    assert noticed >= tried // 2 > 0
