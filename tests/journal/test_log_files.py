"""Frames alone go into log files: are they read in order, moved, written over, and counted as others are?"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistence import Damaged, Full, LmdbJournal, MemoryJournal
from persistence import _log_files as log_files
from persistence._data_file import CHUNK_BYTES, CHUNK_FRAMES
from persistence._directory import DATA
from persistence._log_file import START_BYTES, LogFile
from persistence._log_files import BYTES_LEAST, FILES_MOST, RECORD_BYTES_MOST
from tests.faults.counting import tried
from tests.journal.kit import TABLES, append, child, crashed, held, lmdb_quick, logs, told


def _opened(path: Path) -> LmdbJournal:
    journal = lmdb_quick(path)
    journal.open(TABLES)
    return journal


def _with_a_row(journal: LmdbJournal, *frames: bytes) -> None:
    with journal.write() as batch:
        for frame in frames:
            batch.append(frame)
        batch.put("rows", b"row", frames[-1][:10])


def _forget(journal: LmdbJournal, position: int) -> None:
    with journal.write() as batch:
        batch.forget(position, 1 << 30)


# ---- which goes where, and in which order it is read -------------------------------------------------


def test_frames_alone_do_not_touch_the_data_file(path: Path) -> None:
    """Frames and nothing else are written beside LMDB; with a row, forgetting, or much at once, it is LMDB."""
    journal = _opened(path)
    for _ in range(3):
        data, beside = (path / DATA).read_bytes(), logs(path)
        append(journal, b"frame", b"another")
        assert (path / DATA).read_bytes() == data
        assert logs(path) != beside
    for write in (
        lambda: _with_a_row(journal, b"with a row"),
        lambda: _forget(journal, 1),
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
        journal, reference = _opened(path), MemoryJournal()
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


def lmdb_positions(journal: LmdbJournal) -> set[int]:
    """Of the frames that are in LMDB."""
    store = journal._opened()
    with store.env.begin(store._log) as txn, txn.cursor() as cursor:
        return {int.from_bytes(key, "big") for key in cursor.iternext(values=False)}


def test_reading_one_place_only_is_noticed(path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where the log files are not read, or past a border of chunks, the comparison fails."""
    journal, reference = _opened(path), MemoryJournal()
    reference.open(TABLES)
    _mixed(journal, reference, random.Random(seed), 600)
    files = journal._opened()._files
    for wrong in (
        lambda *_: [],
        lambda after, last, *_: files.walk(after, last) and list(files.walk(after, last))[:100],
    ):
        with monkeypatch.context() as patch:
            patch.setattr(files, "between", wrong)
            with pytest.raises((AssertionError, RecursionError)):
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
    """Batches of any size in any order, forgotten and crashed between: the log is what the reference holds."""
    path = tmp_path_factory.mktemp("course") / "shop.journal"
    journal, reference = _opened(path), MemoryJournal()
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
    journal = _opened(path)
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
    journal = _opened(path)
    sizes: list[int] = []
    for cycle in range(60):
        for number in range(100):
            append(journal, b"%d %d " % (cycle, number) + b"x" * 1_000)
        _forget(journal, 100 * cycle + 90)
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
    journal = _opened(path)
    for number in range(1, 301):
        append(journal, b"%d " % number + b"x" * 1_000)
    readers = [journal.frames(after) for after in range(0, 300, 7)]
    begun = [next(reader) for reader in readers]
    assert [int(frame.split()[0]) for _, frame in begun] == [position for position, _ in begun]
    for cycle in range(1, 8):
        _forget(journal, 300 * cycle - 5)
        for number in range(1, 301):
            append(journal, b"%d " % (300 * cycle + number) + b"x" * 1_000)
    for reader in readers:
        for position, frame in reader:
            assert position == int(frame.split()[0])
            assert position <= 300
    journal.close()


def test_no_more_files_than_descriptors_allow(path: Path) -> None:
    """What is not forgotten takes so many files and no more; LMDB takes the rest, and it stays readable."""
    journal = _opened(path)
    number = 0
    while not lmdb_positions(journal):
        number += 1
        append(journal, b"%d " % number + b"x" * 500_000)
    assert len(logs(path)) == FILES_MOST
    for number in range(number + 1, number + 11):
        append(journal, b"%d " % number + b"x" * 500_000)
    assert [int(frame.split()[0]) for _, frame in journal.frames()] == list(range(1, number + 1))
    _forget(journal, number - 1)
    append(journal, b"again beside")
    assert number + 1 not in lmdb_positions(journal)
    journal.close()


# ---- a crash -----------------------------------------------------------------------------------------


def _some(path: Path) -> LmdbJournal:
    journal = _opened(path)
    append(journal, b"1", b"2")
    _with_a_row(journal, b"3")
    append(journal, b"4")
    append(journal, b"5" * 100, b"6")
    return journal


def test_what_a_crash_left_is_moved_into_lmdb(path: Path, tmp_path: Path) -> None:
    """Opened again everything is there, the files are gone, and LMDB holds it all; also by a clean close."""
    journal = _some(path)
    whole = held(journal)
    again = crashed(path, tmp_path / "crashed")
    assert again.check() == []
    again.open(TABLES)
    assert held(again) == whole
    assert logs(again.path) == {}
    assert lmdb_positions(again) == {1, 2, 3, 4, 5, 6}
    assert append(again, b"7") == 7
    again.close()
    assert again.check() == []
    journal.close()
    assert logs(path) == {}
    journal.open(TABLES)
    assert lmdb_positions(journal) == {1, 2, 3, 4, 5, 6}
    journal.close()


def test_files_that_came_back_are_no_matter(path: Path) -> None:
    """Where their removal was lost, their frames are there twice: the same, or forgotten since."""
    journal = _some(path)
    left = logs(path)
    journal.close()
    gone = 0
    for forgotten in (0, 2, 4, 6, 6):
        for name, data in left.items():
            (path / name).write_bytes(data)
        assert journal.check() == []
        journal.open(TABLES)
        assert [position for position, _ in journal.frames()] == list(range(gone + 1, 7))
        assert logs(path) == {}
        _forget(journal, gone := forgotten)
        journal.close()


def test_two_frames_at_one_position_are_damage(path: Path, tmp_path: Path) -> None:
    """A log file of another journal is noticed by opening and by check(), and nothing is touched."""
    journal = _some(path)
    journal.close()
    other = _opened(tmp_path / "other")
    append(other, b"1", b"something else")
    for name, data in logs(other.path).items():
        (path / name).write_bytes(data)
    other.close()
    before = {DATA: (path / DATA).read_bytes(), **logs(path)}
    assert journal.check() == ["there are two frames at position 2, and they differ"]
    with pytest.raises(Damaged, match=r"holds two frames at position 2, and they differ\nhint:"):
        journal.open(TABLES)
    assert {DATA: (path / DATA).read_bytes(), **logs(path)} == before


@pytest.mark.parametrize("which", ["first", "middle", "last"])
def test_a_file_that_is_missing_is_damage(path: Path, tmp_path: Path, which: str) -> None:
    """Where frames behind those of a lost file are there, or LMDB knows of them, it is missed."""
    journal = _opened(path)
    for number in range(300):
        append(journal, b"%d " % number + b"x" * 1_000)
    if which == "last":
        with journal.write() as batch:
            batch.put("rows", b"last", b"300")
    names = sorted(logs(path))
    assert len(names) == 3
    again = crashed(path, tmp_path / "crashed")
    journal.close()
    (again.path / names[["first", "middle", "last"].index(which)]).unlink()
    assert "are missing" in again.check()[0]
    with pytest.raises(Damaged, match="frames are missing"):
        again.open(TABLES)
    looking = LmdbJournal(again.path, read_only=True)
    with pytest.raises(Damaged, match="is missing"):
        looking.open(TABLES)


def test_all_files_missing_after_forgetting_is_damage(path: Path, tmp_path: Path) -> None:
    """LMDB knows how far the log went when frames were forgotten: an empty one is not taken for it."""
    journal = _opened(path)
    append(journal, *[b"frame"] * 20)
    _forget(journal, 10)
    again = crashed(path, tmp_path / "crashed")
    journal.close()
    for name in logs(again.path):
        (again.path / name).unlink()
    assert again.check() == ["frames 11 to 20 are missing at the end"]
    with pytest.raises(Damaged, match="holds 0 of those from 11 to 20"):
        again.open(TABLES)


def test_a_torn_last_record_is_no_record(path: Path, tmp_path: Path) -> None:
    """Cut off after any byte, or with any byte of it flipped, the last record is none; all before are there."""
    journal = _opened(path)
    append(journal, b"first")
    append(journal, b"second", b"third")
    whole = held(journal)
    before = logs(path)["log-0"]
    append(journal, b"the last", b"of all")
    after = logs(path)["log-0"]
    again = crashed(path, tmp_path / "crashed")
    journal.close()
    begin, end = len(before.rstrip(b"\0")), len(after.rstrip(b"\0"))
    assert end - begin > 40
    data = (again.path / DATA).read_bytes()
    images = [after[:cut] for cut in range(begin, end)]
    images += [after[:cut].ljust(len(after), b"\0") for cut in range(begin, end)]
    images += [
        after[:at] + bytes([after[at] ^ flip]) + after[at + 1 :]
        for at in range(begin, end)
        for flip in (1, 255)
    ]
    for image in images:
        (again.path / DATA).write_bytes(data)
        (again.path / "log-0").write_bytes(image)
        assert again.check() == []
        again.open(TABLES)
        assert held(again) == whole
        assert append(again, b"another") == 4
        again.close()
        tried()


def test_a_flipped_byte_before_the_last_record_is_damage(path: Path, tmp_path: Path) -> None:
    """Each byte of the first record, of one in the middle, and of the signs before them: nobody takes it."""
    journal = _opened(path)
    append(journal, b"first")
    append(journal, b"second", b"third")
    end = len(logs(path)["log-0"].rstrip(b"\0"))
    append(journal, b"the last")
    again = crashed(path, tmp_path / "crashed")
    journal.close()
    after = logs(again.path)["log-0"]
    for at in range(end):
        image = after[:at] + bytes([after[at] ^ 0x10]) + after[at + 1 :]
        (again.path / "log-0").write_bytes(image)
        assert "log-0 is damaged at byte" in again.check()[0]
        with pytest.raises(Damaged, match="log-0 is damaged at byte"):
            again.open(TABLES)
        assert logs(again.path) == {"log-0": image}
        tried()
    with pytest.raises(Damaged, match="log-0 is damaged at byte"):
        LmdbJournal(again.path, read_only=True).open(TABLES)
    (again.path / "log-0").write_bytes(after)
    again.open(TABLES)
    assert again.statistics().frames == 4
    again.close()


def test_the_last_record_is_missed_where_rows_came_after_it(path: Path, tmp_path: Path) -> None:
    """A commit with rows and no frames says how far the log goes: what they tell of cannot be gone silently."""
    journal = _opened(path)
    append(journal, b"first")
    append(journal, b"second")
    with journal.write() as batch:
        batch.put("rows", b"last", b"second")
    again = crashed(path, tmp_path / "crashed")
    journal.close()
    image = logs(again.path)["log-0"]
    end = len(image.rstrip(b"\0"))
    (again.path / "log-0").write_bytes(image[: end - 1].ljust(len(image), b"\0"))
    assert again.check() == ["frames 2 to 2 are missing at the end"]
    with pytest.raises(Damaged, match="holds 1 of those from 1 to 2"):
        again.open(TABLES)


def test_what_half_of_was_forgotten_is_missed(path: Path, tmp_path: Path) -> None:
    """A record of which some frames are forgotten still counts behind one that is not sound."""
    journal = _opened(path)
    append(journal, b"first")
    begin = len(logs(path)["log-0"].rstrip(b"\0"))
    append(journal, b"second", b"third")
    _forget(journal, 2)
    again = crashed(path, tmp_path / "crashed")
    journal.close()
    image = bytearray(logs(again.path)["log-0"])
    image[begin - 1] ^= 1
    (again.path / "log-0").write_bytes(image)
    with pytest.raises(Damaged, match="damaged at byte"):
        again.open(TABLES)


def test_old_records_are_not_taken_for_new(path: Path, tmp_path: Path, seed: int, effort: int) -> None:
    """Written anew with records of any size, and cut off at any moment, a file gives what was not forgotten."""
    chance = random.Random(seed)
    for _ in range(4 * effort):
        shutil.rmtree(path, ignore_errors=True)
        journal = _opened(path)
        last = 0
        for number in range(600):
            size = chance.choice([0, 1, 30, 300, 5_000])
            last = append(journal, *[b"%d " % number + b"x" * size] * chance.choice([1, 1, 2, 9]))
            if chance.random() < 0.03:
                _forget(journal, last - chance.choice([0, 0, 1, 3, 20]))
            if chance.random() < 0.03:
                again = crashed(path, tmp_path / "crashed")
                assert again.check() == []
                again.open(TABLES)
                assert held(again) == held(journal)
                assert append(again, b"goes on") == last + 1
                again.close()
                tried()
        files = journal._opened()._files
        assert files._made < 8
        journal.close()


def test_old_records_that_are_taken_for_new_are_noticed(
    path: Path, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: where files are written anew before anything tells that they were forgotten."""
    monkeypatch.setattr("persistence._data_file.first_of", lambda *_: 1)
    with pytest.raises((AssertionError, Damaged)):
        test_old_records_are_not_taken_for_new(path, tmp_path, seed, 1)


def test_a_frame_does_not_pass_for_a_record(path: Path, tmp_path: Path) -> None:
    """Whatever bytes a frame has, of log files, too, they are only a frame: after a crash, and written over."""
    other = _opened(tmp_path / "other")
    append(other, *[b"sent"] * 50)
    append(other, b"more")
    sent = logs(other.path)["log-0"].rstrip(b"\0")
    other.close()
    assert len(sent) > START_BYTES
    journal = _opened(path)
    append(journal, sent)
    append(journal, b"a", sent, b"b")
    _forget(journal, 4)
    for number in range(70):
        append(journal, b"x" * 1_000)
        if number == 64:
            _forget(journal, 60)
    whole = held(journal)
    again = crashed(path, tmp_path / "crashed")
    journal.close()
    again.open(TABLES)
    assert held(again) == whole
    again.close()
    # The control: known signs are all that it would take.
    for known in (False, True):
        shutil.rmtree(path)
        journal = _opened(path)
        file = _being_written(journal, b"first")
        record = LogFile(
            tmp_path / "made", os.open(tmp_path / "made", os.O_RDWR | os.O_CREAT), 1 << 16, file._signs
        )
        record.append(1 << 40, [b"sent"])
        record.close()
        sent = (tmp_path / "made").read_bytes()[START_BYTES:]
        append(journal, sent if known else b"x" * len(sent))
        again = crashed(path, tmp_path / "crashed")
        journal.close()
        image = logs(again.path)["log-0"]
        (again.path / "log-0").write_bytes(
            image[: file.end - len(sent) - 1] + b"\0" + image[file.end - len(sent) :]
        )
        assert bool(again.check()) == known


def _being_written(journal: LmdbJournal, frame: bytes) -> LogFile:
    append(journal, frame)
    return journal._opened()._files._held[-1]


@pytest.mark.parametrize("size", [0, 1, 2_000, 2_031, 4_090])
def test_whatever_lies_in_files_finds_room_in_the_data_file(path: Path, tmp_path: Path, size: int) -> None:
    """After a crash it is all moved, also many empty frames, and such as just take a page of their own."""
    journal = LmdbJournal(path, map_bytes=1, durability="process")
    journal.open(TABLES)
    at_once = min(200_000, 1_000_000 // (size + 4))
    for _ in range(4):
        append(journal, *[b"x" * size] * at_once)
    again = crashed(path, tmp_path / "crashed")
    journal.backup(tmp_path / "copy")
    journal.close()
    for path_ in (again.path, tmp_path / "copy", path):
        journal = LmdbJournal(path_, map_bytes=1, durability="process")
        journal.open(TABLES)
        assert journal.statistics().frames == 4 * at_once
        assert logs(path_) == {}
        journal.close()


# ---- positions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [True, False])
def test_positions_are_never_given_again(path: Path, tmp_path: Path, row: bool) -> None:
    """With everything forgotten, closed and opened or crashed, the next frame has the next position."""
    journal = _opened(path)
    position = append(journal, b"a", b"b")
    for number in range(6):
        if row:
            _with_a_row(journal, b"c")
            position += 1
        _forget(journal, position)
        assert list(journal.frames()) == []
        if number % 2:
            journal.close()
        else:
            again = crashed(path, tmp_path / f"crashed {number}")
            journal.close()
            path, journal = again.path, again
        assert journal.check() == []
        journal.open(TABLES)
        assert journal.statistics().frames == 0
        assert append(journal, b"d") == position + 1
        position = append(journal, b"e")
    journal.close()


# ---- an earlier format -------------------------------------------------------------------------------


def _of_format_1(path: Path, frames: int, forgotten: int) -> LmdbJournal:
    journal = _opened(path)
    for number in range(1, frames + 1):
        _with_a_row(journal, b"%d" % number)
    _forget(journal, forgotten)
    journal.close()
    with (
        lmdb.open(str(path / DATA), subdir=False, lib_version=0, lock=False, max_dbs=9) as env,
        env.begin(write=True, db=env.open_db(b"meta")) as txn,
    ):
        txn.put(b"format", b"1")
        assert txn.delete(b"first") == (forgotten > 0)
    return journal


@pytest.mark.parametrize("forgotten", [0, 4, 9])
def test_an_earlier_format_is_read_and_goes_on(path: Path, tmp_path: Path, forgotten: int) -> None:
    """A journal of format 1 keeps what it has, its positions and its forgetting, and becomes one of format 2."""
    journal = _of_format_1(path, 9, forgotten)
    kept = [(position, b"%d" % position) for position in range(forgotten + 1, 10)]
    before = (path / DATA).read_bytes()
    assert journal.check() == []
    looking = LmdbJournal(path, read_only=True)
    looking.open(TABLES)
    assert list(looking.frames()) == kept
    looking.backup(tmp_path / "copy")
    looking.close()
    assert (path / DATA).read_bytes() == before
    for each in (journal, lmdb_quick(tmp_path / "copy")):
        assert each.check() == []
        each.open(TABLES)
        assert list(each.frames()) == kept
        assert append(each, b"10") == 10
        again = crashed(each.path, tmp_path / "crashed")
        again.open(TABLES)
        assert list(again.frames()) == [*kept, (10, b"10")]
        again.close()
        _forget(each, 10)
        each.close()
        each.open(TABLES)
        assert append(each, b"11") == 11
        each.close()
        assert each.check() == []


# ---- room --------------------------------------------------------------------------------------------


def test_what_is_beside_lmdb_counts(path: Path) -> None:
    """Frames in log files take room, and give it back once a file of them is forgotten."""
    journal = LmdbJournal(path, quota_bytes=4 << 20, durability="process")
    journal.open(TABLES)
    whole = journal.room()
    for _ in range(100):
        append(journal, b"x" * 10_000)
    assert 1_000_000 < whole - journal.room() < 1_100_000
    assert journal.statistics().bytes_used == (4 << 20) - journal.room()
    _forget(journal, 100)
    assert whole - journal.room() < 20_000
    journal.close()


@pytest.mark.parametrize("rows", ["no rows", "rows", "some rows"])
def test_both_places_together_are_full(path: Path, rows: str) -> None:
    """Quota and reserve are for both together; forgotten, there is as much room again."""
    journal = LmdbJournal(path, quota_bytes=4 << 20, durability="process")
    journal.open(TABLES)
    last, taken = 0, 0
    for _ in range(2):
        begun = last
        with pytest.raises(Full, match="hint: forget frames"):
            while True:
                with journal.write() as batch:
                    position = batch.append(b"x" * 50_000)
                    if rows == "rows" or (rows == "some rows" and position % 2):
                        batch.put("rows", b"last", b"%d" % position)
                last = position
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
    journal = _opened(path)
    assert [frame for _, frame in journal.frames()] == [b"1", b"2", b"3", b"4", b"5"]
    journal.close()
