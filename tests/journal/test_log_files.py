"""Frames alone go into log files: are they read in order, moved, written over, and counted as others are?"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistence import Full, LmdbJournal, MemoryJournal
from persistence import _log_files as log_files
from persistence._data_file import CHUNK_FRAMES
from persistence._directory import DATA
from persistence._log_files import BYTES_LEAST, FILES_MOST, RECORD_BYTES_MOST
from tests.faults.counting import tried
from tests.journal.kit import (
    TABLES,
    append,
    child,
    crashed,
    forget,
    held,
    lmdb_positions,
    logs,
    opened,
    told,
    with_a_row,
)

# ---- which goes where, and in which order it is read -------------------------------------------------


def test_frames_alone_do_not_touch_the_data_file(path: Path) -> None:
    """Frames and nothing else are written beside LMDB; with a row, forgetting, or much at once, in it."""
    journal = opened(path)
    for _ in range(3):
        data, beside = (path / DATA).read_bytes(), logs(path)
        append(journal, b"frame", b"another")
        assert (path / DATA).read_bytes() == data
        assert logs(path) != beside
    for write in (
        lambda: with_a_row(journal, b"with a row"),
        lambda: forget(journal, 1),
        lambda: append(journal, b"x" * RECORD_BYTES_MOST),
    ):
        data, beside = (path / DATA).read_bytes(), logs(path)
        write()
        assert (path / DATA).read_bytes() != data
        assert logs(path) == beside
    assert [position for position, _ in journal.frames()] == list(range(2, 9))
    journal.close()


def _mixed(journal: LmdbJournal, reference: MemoryJournal, chance: random.Random, commits: int) -> None:
    """Runs of both kinds, of a length that chunks end within and between them."""
    row = False
    for number in range(commits):
        row = row if chance.random() < 0.98 else not row
        frames = [
            b"%d " % number + b"x" * chance.choice([0, 5, 300, 9_000])
            for _ in range(chance.choice([1, 1, 4]))
        ]
        for each in (journal, reference):
            with each.write() as batch:
                for frame in frames:
                    batch.append(frame)
                if row or number % 97 == 0:
                    batch.put("rows", b"last", b"%d" % number)


def _see_same_from_anywhere(journal: LmdbJournal, reference: MemoryJournal, chance: random.Random) -> None:
    whole = list(reference.frames())
    first, last = whole[0][0], whole[-1][0]
    starts = {0, first - 1, first, last - 1, last, last + 9, *chance.sample(range(first, last), 20)}
    for after in starts:
        assert list(journal.frames(after)) == [one for one in whole if one[0] > after]


def test_both_places_are_read_in_order_from_any_position(path: Path, seed: int, effort: int) -> None:
    """Whatever lies in which, frames come in order and once, across all borders of chunks and files."""
    chance = random.Random(seed)
    for _ in range(3 * effort):
        journal, reference = opened(path), MemoryJournal()
        reference.open(TABLES)
        _mixed(journal, reference, chance, 1_500)
        in_lmdb = lmdb_positions(journal)
        beside = {position for position, _ in reference.frames()} - in_lmdb
        assert min(len(in_lmdb), len(beside)) > CHUNK_FRAMES, "each place has several chunks"
        assert len(logs(path)) > 2
        _see_same_from_anywhere(journal, reference, chance)
        for each in (journal, reference):
            with each.write() as batch:
                batch.forget(700, 700)
        _see_same_from_anywhere(journal, reference, chance)
        journal.close()
        journal.open(TABLES)
        _see_same_from_anywhere(journal, reference, chance)
        journal.close()
        assert journal.check() == []
        shutil.rmtree(path)
        tried()


def test_reading_one_place_only_is_noticed(path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where the log files are not read, or past a border of chunks, the comparison fails."""
    journal, reference = opened(path), MemoryJournal()
    reference.open(TABLES)
    for number in range(1_000):
        for each in (journal, reference):
            with each.write() as batch:
                batch.append(b"%d" % number)
                if number % 3 == 0:
                    batch.put("rows", b"last", b"%d" % number)
    files = journal._opened()._files
    for name, wrong in (("between", []), ("count", 0)):
        with monkeypatch.context() as patch:
            patch.setattr(files, name, lambda *_, wrong=wrong: wrong)
            with pytest.raises(AssertionError):
                _see_same_from_anywhere(journal, reference, random.Random(seed))
    journal.close()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("frames"), st.sampled_from([0, 10, 30_000, 400_000]), st.integers(1, 300)),
        st.tuples(st.just("row"), st.sampled_from([0, 10, 30_000, 400_000]), st.integers(1, 300)),
        st.tuples(st.just("forget"), st.integers(0, 900), st.integers(0, 900)),
        st.tuples(st.sampled_from(["close", "crash"]), st.just(0), st.just(0)),
    ),
    min_size=3,
    max_size=25,
)
BYTES_AT_ONCE = 1_500_000


@given(steps=STEPS)
def test_any_course_is_as_in_memory(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    """Batches of any size in any order, forgotten and crashed between: the log is as the reference has it."""
    path = tmp_path_factory.mktemp("course") / "shop.journal"
    journal, reference = opened(path), MemoryJournal()
    reference.open(TABLES)
    for number, (what, size, count) in enumerate(steps):
        for each in (journal, reference):
            with each.write() as batch:
                if what in {"frames", "row"}:
                    for _ in range(max(1, min(count, BYTES_AT_ONCE // (size + 1)))):
                        batch.append(b"%d" % number + b"x" * size)
                    if what == "row":
                        batch.put("rows", b"last", b"%d" % number)
                elif what == "forget":
                    batch.forget(size, count)
        if what == "close":
            journal.close()
            journal.open(TABLES)
        elif what == "crash":
            again = crashed(path, path.with_name(f"{number}"))
            journal.close()
            path, journal = again.path, again
            journal.open(TABLES)
        assert held(journal) == held(reference)
    journal.close()
    assert journal.check() == []
    shutil.rmtree(path.parent)


# ---- files -------------------------------------------------------------------------------------------


def test_a_full_file_is_followed_by_a_larger_one(path: Path) -> None:
    """Each is twice as large as the one before, up to a megabyte; all of it is given when it is made."""
    journal = opened(path)
    for number in range(4_000):
        append(journal, b"%d" % number + b"x" * 1_000)
    sizes = [len(data) for _, data in sorted(logs(path).items())]
    assert sizes[:5] == [BYTES_LEAST << number for number in range(5)]
    assert set(sizes[5:]) == {1 << 20}
    assert journal.statistics().bytes_on_disk >= sum(sizes)
    journal.close()
    assert logs(path) == {}


def test_forgotten_files_are_written_anew(path: Path) -> None:
    """Under steady writing and forgetting the directory stays as large as it became; nothing is mixed up."""
    journal = opened(path)
    sizes: list[int] = []
    for cycle in range(60):
        for number in range(100):
            append(journal, b"%d %d " % (cycle, number) + b"x" * 1_000)
        forget(journal, 100 * cycle + 90)
        assert [frame.split()[1] for _, frame in journal.frames()] == [b"%d" % n for n in range(90, 100)]
        sizes.append(sum(map(len, logs(path).values())))
    assert sizes[-1] == sizes[30]
    assert sizes[-1] < 1 << 20
    journal.close()
    assert journal.check() == []


def test_files_that_are_never_written_anew_are_noticed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without it the directory grows."""
    monkeypatch.setattr(log_files.LogFiles, "forget", lambda *_: None)
    with pytest.raises(AssertionError):
        test_forgotten_files_are_written_anew(path)


def test_an_old_reader_is_left_out_and_never_wrong(path: Path) -> None:
    """What an iterator has not reached when it is forgotten is left out, also where others lie there now."""
    journal = opened(path)
    for number in range(1, 301):
        append(journal, b"%d " % number + b"x" * 1_000)
    readers = [journal.frames(after) for after in range(0, 300, 7)]
    begun = [next(reader) for reader in readers]
    assert [int(frame.split()[0]) for _, frame in begun] == [position for position, _ in begun]
    for cycle in range(1, 8):
        forget(journal, 300 * cycle - 5)
        for number in range(1, 301):
            append(journal, b"%d " % (300 * cycle + number) + b"x" * 1_000)
    for reader in readers:
        for position, frame in reader:
            assert position == int(frame.split()[0])
            assert position <= 300
    journal.close()


def test_no_more_files_than_descriptors_allow(path: Path) -> None:
    """What is not forgotten takes so many files and no more; LMDB takes the rest, and it stays readable."""
    journal = opened(path)
    number = 0
    while not lmdb_positions(journal):
        number += 1
        append(journal, b"%d " % number + b"x" * 500_000)
    assert len(logs(path)) == FILES_MOST
    for _ in range(10):
        number += 1
        append(journal, b"%d " % number + b"x" * 500_000)
    assert [int(frame.split()[0]) for _, frame in journal.frames()] == list(range(1, number + 1))
    forget(journal, number - 1)
    append(journal, b"again beside")
    assert number + 1 not in lmdb_positions(journal)
    journal.close()


# ---- room --------------------------------------------------------------------------------------------


def test_what_is_beside_lmdb_counts(path: Path) -> None:
    """Frames in log files take room, and give it back once a file of them is forgotten."""
    journal = LmdbJournal(path, quota_bytes=4 << 20, durability="process")
    journal.open(TABLES)
    whole = journal.room()
    for _ in range(100):
        append(journal, b"x" * 10_000)
    assert 1_000_000 < whole - journal.room() < 1_300_000
    assert journal.statistics().bytes_used == (4 << 20) - journal.room()
    forget(journal, 100)
    assert whole - journal.room() < 20_000
    journal.close()


def _fill(journal: LmdbJournal, rows: str, last: int) -> int:
    """Write until it is full; gives the last position."""
    for position in range(last + 1, last + 1_000):
        try:
            with journal.write() as batch:
                batch.append(b"x" * 50_000)
                if rows == "rows" or (rows == "some rows" and position % 2):
                    batch.put("rows", b"last", b"%d" % position)
        except Full:
            return position - 1
    pytest.fail("it is never full")


@pytest.mark.parametrize("rows", ["no rows", "rows", "some rows"])
def test_both_places_together_are_full(path: Path, rows: str) -> None:
    """Quota and reserve are for both together; forgotten, there is as much room again."""
    journal = LmdbJournal(path, quota_bytes=4 << 20, durability="process")
    journal.open(TABLES)
    last, taken = 0, 0
    for _ in range(2):
        begun = last
        last = _fill(journal, rows, last)
        assert journal.room() == 0
        assert 50_000 * (last - begun) < 13 << 20
        assert last - begun > taken // 2
        taken = last - begun
        assert journal.statistics().frames == taken
        while journal.statistics().frames:
            with journal.write() as batch:
                batch.forget(last, 20)
        with journal.write() as batch:
            batch.put("rows", b"between", b"")
    journal.close()
    assert journal.check() == []


# ---- what fails --------------------------------------------------------------------------------------

NO_FILE = """
import resource, sys
from persistence import LmdbJournal
journal = LmdbJournal(sys.argv[1], durability="process")
journal.open(["rows", "others"])
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
for number in range(1, 6):
    with journal.write() as batch:
        batch.append(b"%d" % number)
import os
print(sorted(name for name in os.listdir(sys.argv[1]) if name.startswith("log-")))
os._exit(0)
"""


def test_a_file_that_cannot_be_made_is_not_needed(path: Path) -> None:
    """Where the disk gives no file, LMDB takes the frames, and half a file does not stay."""
    assert told(child(NO_FILE, path)) == "[]"
    journal = opened(path)
    assert [frame for _, frame in journal.frames()] == [b"1", b"2", b"3", b"4", b"5"]
    journal.close()
