"""What is there after the power failed?  Every image that a commit can leave behind is built, and opened.

LMDB writes new pages into free places, syncs, and then writes one of two meta pages, within a sector.  So the
disk may hold any part of the new pages under the old meta; or all of them under the new one.

A commit of frames alone is a record in a log file.  The disk may hold any of its sectors, or all of them.
"""

from __future__ import annotations

import random
import re
import shutil
from itertools import pairwise, zip_longest
from pathlib import Path
from random import Random

import pytest

from persistence import Damaged, LmdbJournal
from persistence._directory import DATA, LOG_FILE
from persistence._log_file import START_BYTES
from tests.faults.counting import tried
from tests.journal.kit import (
    PAGE,
    SECTOR,
    TABLES,
    Held,
    append,
    child,
    held,
    lmdb_quick,
    told,
    torn,
    torn_sectors,
)

ROUNDS = 45
"""So many images of each of eleven commits; the first holds none of its pages, the second all of them."""


def _write_something(journal: LmdbJournal, chance: random.Random, *, alone: bool) -> None:
    """A batch such as hosts write: frames, rows of every size, and sometimes a checkpoint that forgets."""
    with journal.write() as batch:
        position = 0
        for _ in range(chance.choice([1, 1, 3])):
            position = batch.append(chance.randbytes(chance.choice([0, 80, 3_000, 20_000])))
        if alone:
            return
        for _ in range(chance.choice([0, 0, 1, 30])):
            key = b"%02d" % chance.randrange(40)
            if chance.random() < 0.3:
                batch.delete("rows", key)
            else:
                batch.put("rows", key, chance.randbytes(chance.choice([0, 100, 1_500, 9_000])))
        if chance.random() < 0.4:
            batch.forget(position, chance.randrange(8))
            batch.put("others", b"position", b"%d" % position)


Image = dict[str, bytes]
"""The data file of a journal and its log files, by their names."""


def _image(path: Path) -> Image:
    return {
        entry.name: entry.read_bytes()
        for entry in path.iterdir()
        if entry.name == DATA or entry.name.startswith(LOG_FILE)
    }


def _torn(before: Image, after: Image, chance: Random, share: float) -> Image:
    """The old image with a part of what the commit wrote, and without what makes the commit whole."""
    if before[DATA] != after[DATA]:
        return {**before, DATA: torn(before[DATA], after[DATA], chance, share)}
    image = dict(after)
    for name, data in after.items():
        made = data[:START_BYTES].ljust(len(data), b"\0")
        if name in before or chance.random() < 0.5:
            image[name] = torn_sectors(before.get(name, made), data, chance, share)
        else:  # cut off while the file was made, which is durable before anything is written into it
            image[name] = torn_sectors(b"", made, chance, share)[: SECTOR * chance.randrange(9)]
    return image


def _record_alone(before: Image, after: Image) -> bool:
    """Whether the commit went into a log file."""
    return before[DATA] == after[DATA]


class Course:
    """A journal's files and what it held, before and after each of its commits."""

    def __init__(self, path: Path, seed: int, commits: int) -> None:
        chance = random.Random(seed)
        journal = LmdbJournal(path)
        self.commits: list[tuple[Image, Image]] = []
        self.states: list[tuple[Held, Held]] = []
        journal.open(TABLES)
        for number in range(commits):
            if number == commits // 2:
                journal.close()
                journal.open(TABLES)
            before, old = _image(path), held(journal)
            _write_something(journal, chance, alone=number % 3 == 1)
            self.commits.append((before, _image(path)))
            self.states.append((old, held(journal)))
        journal.close()
        self.closed = _image(path)
        shutil.rmtree(path)


def _lay(path: Path, image: Image) -> LmdbJournal:
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(mode=0o700)
    for name, data in image.items():
        (path / name).write_bytes(data)
    return lmdb_quick(path)


def _found(path: Path, image: Image) -> Held | list[str]:
    """What is there after a restart: everything held, or what is wrong."""
    journal = _lay(path, image)
    wrong = journal.check()
    if wrong:
        return wrong
    journal.open(TABLES)
    state = held(journal)
    with journal.write() as batch:
        batch.append(b"goes on")
    journal.close()
    return journal.check() or state


@pytest.mark.parametrize("part", range(4))
def test_a_commit_is_there_or_it_is_not(path: Path, seed: int, effort: int, part: int) -> None:
    """Cut off anywhere, a commit leaves the state before it; once its meta page is written, the one after."""
    course = Course(path, seed + part, 11)
    chance = random.Random(seed)
    states = 0
    for (before, after), (old, new) in zip(course.commits, course.states, strict=True):
        assert _found(path, after) == new
        for round_ in range(ROUNDS * effort):
            share = (0.0, 1.0)[round_] if round_ < 2 else chance.random()
            image = _torn(before, after, chance, share)
            # Every sector of a record is the whole record: nothing else has to be written.
            whole = _record_alone(before, after) and _records(image) == _records(after)
            assert _found(path, image) == (new if whole else old), f"round {round_}"
            states += 1
    tried(states)
    assert states == 11 * ROUNDS * effort
    alone = sum(_record_alone(before, after) for before, after in course.commits)
    assert 3 < alone < 11, "some commits are to be records, and some LMDB's"


@pytest.mark.parametrize("how", ["closed", "opened"])
def test_moving_into_lmdb_is_there_or_it_is_not(path: Path, seed: int, effort: int, how: str) -> None:
    """Cut off anywhere, closing or opening leaves the same frames: in log files, in LMDB, or in both."""
    states = 0
    for more in range(4 * effort):
        course = Course(path, seed + more, 8)
        before, whole = course.commits[-1][1], course.states[-1][1]
        after = course.closed
        if how == "opened":
            journal = _lay(path, before)
            journal.open(TABLES)
            after = _image(path)
            journal.close()
        assert not _records(after), "the files are gone, and so this is about the move"
        chance = random.Random(seed)
        for _ in range(20):
            image = {**before, DATA: torn(before[DATA], after[DATA], chance, chance.random())}
            assert _found(path, image) == whole
            left = {name: data for name, data in before.items() if chance.random() < 0.5}
            assert _found(path, {**left, DATA: after[DATA]}) == whole
            states += 2
    tried(states)


def test_frames_that_were_removed_before_they_were_moved_are_noticed(path: Path, seed: int) -> None:
    """The control: without its log files, and with LMDB as it was before, a journal has lost frames."""
    course = Course(path, seed, 8)
    assert _records(course.commits[-1][1])
    assert _found(path, {DATA: course.commits[-1][1][DATA]}) != course.states[-1][1]


def _records(image: Image) -> Image:
    """What is in its log files; the zeros behind that are no matter."""
    return {name: data.rstrip(b"\0") for name, data in image.items() if name != DATA and any(data)}


def test_a_commit_without_its_pages_is_noticed(path: Path, seed: int) -> None:
    """The control: where disks lie or syncs are left out, images do lose, and the oracle above sees it."""
    course = Course(path, seed, 30)
    chance = random.Random(seed)
    noticed = tried = 0
    for (before, after), (_, new) in zip(course.commits, course.states, strict=True):
        whole = after[DATA]
        data = bytearray(torn(before[DATA], whole, chance, 0.5).ljust(len(whole), b"\0"))
        data[: 2 * PAGE] = whole[: 2 * PAGE]
        if bytes(data) != whole:
            tried += 1
            noticed += _found(path, {**after, DATA: bytes(data)}) != new
    assert tried >= 3
    assert noticed >= tried // 2


def test_a_record_that_is_not_whole_is_noticed_once_more_was_written(path: Path, seed: int) -> None:
    """The control for records: sectors that are missing of one before a later commit are damage, no end."""
    chance = random.Random(seed)
    noticed = 0
    for later in ("record", "row"):
        journal = LmdbJournal(path)
        journal.open(TABLES)
        images = [_image(path)]
        for number in range(12):
            append(journal, b"%d" % number + chance.randbytes(chance.choice([0, 80, 3_000, 20_000])))
            images.append(_image(path))
        if later == "row":
            with journal.write() as batch:
                batch.put("rows", b"last", b"12")
        last = _image(path)
        journal.close()
        for before, after in list(pairwise(images))[: 12 if later == "row" else 11]:
            image = dict(last)
            for name in _records(after):
                old = before.get(name, after[name][:START_BYTES]).ljust(len(after[name]), b"\0")
                kept = torn_sectors(old, after[name], chance, 0.5)
                data = bytearray(last[name])
                for at in _written(old, after[name]):
                    data[at] = kept[at]
                image[name] = bytes(data)
            if image != last:
                wrong = LmdbJournal(path)
                _lay(path, image)
                assert wrong.check() != []
                with pytest.raises(Damaged):
                    wrong.open(TABLES)
                assert _image(path) == image, "nothing in it was touched"
                noticed += 1
        shutil.rmtree(path)
    assert noticed >= 10


def _written(before: bytes, after: bytes) -> list[int]:
    """Where a commit changed a file."""
    return [at for at, (old, new) in enumerate(zip_longest(before, after, fillvalue=0)) if old != new]


def test_opening_makes_sure_of_what_it_found(path: Path) -> None:
    """Opening ends with a commit of its own, on the other meta page: what was read is then on the disk.

    A commit that was cut off, or whose last write failed, may be seen by the next process and not be on the
    disk.  Whoever answered from it would take that back when the power fails.
    """
    journal = LmdbJournal(path)
    journal.open(TABLES)
    journal.close()
    for _ in range(3):
        before = (path / DATA).read_bytes()
        journal.open(TABLES)
        after = (path / DATA).read_bytes()
        journal.close()
        assert sum(after[at:][:PAGE] != before[at:][:PAGE] for at in (0, PAGE)) == 1
        image = torn(before, after, random.Random(0), 0.5)
        assert _found(path.with_name("image"), {DATA: image}) == Held([], {"rows": [], "others": []})


# ---- whether LMDB does write in that order -----------------------------------------------------------

COMMITS = """
import os, sys
from persistence import LmdbJournal
journal = LmdbJournal(sys.argv[1], durability=sys.argv[2])
journal.open(["rows"])
for number in range(4):
    os.access("commit-begins", 0)
    with journal.write() as batch:
        batch.append(b"x" * 3_000)
        if sys.argv[3] == "row":
            batch.put("rows", b"k", b"x" * 9_000)
os.access("commit-begins", 0)
os._exit(0)
"""

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None,
    reason="STRACE IS NOT INSTALLED: the order of writes and failing disks are not tried here",
)


def _calls(path: Path, log: Path, durability: str, what: str) -> list[list[str]]:
    """The system calls that write, of each of four commits."""
    watched = "trace=pwrite64,pwritev,writev,write,fdatasync,fsync,msync,openat,access,faccessat,faccessat2"
    before = ("strace", "-f", "-o", str(log), "-e", watched)
    told(child(COMMITS, path, durability, what, before=before))
    text = log.read_text("utf-8")
    opened = rf"openat\(.*(?:journal\.mdb|{LOG_FILE}\d)\".*O_DSYNC.*= (\d+)"
    synced = {match[1] for match in re.finditer(opened, text)}
    parts: list[list[str]] = []
    for line in text.splitlines():
        if "commit-begins" in line:
            parts.append([])
        elif parts and (match := re.search(r"(p?writev?2?(?:64)?|f(?:data)?sync)\((\d+)", line)):
            name = "sync" if match[1].endswith("sync") else "write"
            name = "sync of names" if match[1] == "fsync" else name
            parts[-1].append("write through" if match[2] in synced and name == "write" else name)
    return parts[:4]


@needs_strace
def test_pages_are_synced_before_the_meta_page(path: Path, tmp_path: Path) -> None:
    """What the images assume is so: pages, then a sync, then one write that waits for the disk itself."""
    for calls in _calls(path, tmp_path / "calls", "power", "row"):
        assert calls[-1] == "write through", calls
        assert calls[-2] == "sync", calls
        assert set(calls[:-2]) == {"write"}, calls


@needs_strace
def test_frames_alone_are_one_write_that_waits_for_the_disk(path: Path, tmp_path: Path) -> None:
    """One call; before the first, the file is made and the directory synced, or its name could be lost."""
    first, *others = _calls(path, tmp_path / "calls", "power", "no row")
    assert first[-3:] == ["sync of names", "sync of names", "write through"], "the file's own, its name's"
    assert not any("sync" in call for call in first[:-3])
    assert others == [["write through"]] * 3


@needs_strace
def test_frames_alone_are_one_write_in_the_weaker_mode(path: Path, tmp_path: Path) -> None:
    """The same, and nothing waits for the disk."""
    first, *others = _calls(path, tmp_path / "calls", "process", "no row")
    assert set(first) == {"write"}
    assert others == [["write"]] * 3


@needs_strace
def test_the_weaker_mode_does_not_sync(path: Path, tmp_path: Path) -> None:
    """With durability="process" a commit waits for no disk, and statistics and repr say so."""
    for calls in _calls(path, tmp_path / "calls", "process", "row"):
        assert set(calls) == {"write"}, calls
    journal = lmdb_quick(path)
    assert "survives the death of the process only" in repr(journal)
    journal.open(TABLES)
    assert journal.statistics().durability == "process"
    journal.close()
    assert "survives loss of power" in repr(LmdbJournal(path))
    with pytest.raises(ValueError, match="durability='none', where 'power' and 'process' are allowed"):
        LmdbJournal(path, durability="none")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
