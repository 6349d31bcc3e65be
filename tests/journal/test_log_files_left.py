"""Is what a crash leaves in log files all there, torn or lost or written over, and in an earlier format?"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import lmdb
import pytest

from persistence import Damaged, LmdbJournal
from persistence._directory import DATA
from persistence._log_file import START_BYTES, LogFile
from tests.faults.counting import tried
from tests.journal.kit import (
    TABLES,
    append,
    crashed,
    forget,
    held,
    lmdb_positions,
    lmdb_quick,
    logs,
    opened,
    with_a_row,
)

# ---- a crash -----------------------------------------------------------------------------------------


def _some(path: Path) -> LmdbJournal:
    journal = opened(path)
    append(journal, b"1", b"2")
    with_a_row(journal, b"3")
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
        forget(journal, gone := forgotten)
        journal.close()


def test_two_frames_at_one_position_are_damage(path: Path, tmp_path: Path) -> None:
    """A log file of another journal is noticed by opening and by check(), and nothing is touched."""
    journal = _some(path)
    journal.close()
    other = opened(tmp_path / "other")
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
    journal = opened(path)
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
    journal = opened(path)
    append(journal, *[b"frame"] * 20)
    forget(journal, 10)
    again = crashed(path, tmp_path / "crashed")
    journal.close()
    for name in logs(again.path):
        (again.path / name).unlink()
    assert again.check() == ["frames 11 to 20 are missing at the end"]
    with pytest.raises(Damaged, match="holds 0 of those from 11 to 20"):
        again.open(TABLES)


def test_a_torn_last_record_is_no_record(path: Path, tmp_path: Path) -> None:
    """Cut off after any byte, or with any byte flipped, the last record is none; all before are there."""
    journal = opened(path)
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
    journal = opened(path)
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
    """A commit of rows alone says how far the log goes: what they tell of cannot be gone silently."""
    journal = opened(path)
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
    journal = opened(path)
    append(journal, b"first")
    begin = len(logs(path)["log-0"].rstrip(b"\0"))
    append(journal, b"second", b"third")
    forget(journal, 2)
    again = crashed(path, tmp_path / "crashed")
    journal.close()
    image = bytearray(logs(again.path)["log-0"])
    image[begin - 1] ^= 1
    (again.path / "log-0").write_bytes(image)
    with pytest.raises(Damaged, match="damaged at byte"):
        again.open(TABLES)


def test_old_records_are_not_taken_for_new(path: Path, tmp_path: Path, seed: int, effort: int) -> None:
    """Written anew with records of any size, cut off at any moment, a file gives what was not forgotten."""
    chance = random.Random(seed)
    for _ in range(4 * effort):
        shutil.rmtree(path, ignore_errors=True)
        journal = opened(path)
        last = 0
        for number in range(600):
            size = chance.choice([0, 1, 30, 300, 5_000])
            last = append(journal, *[b"%d " % number + b"x" * size] * chance.choice([1, 1, 2, 9]))
            if chance.random() < 0.03:
                forget(journal, last - chance.choice([0, 0, 1, 3, 20]))
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
    """Whatever bytes a frame has, also of log files, it is only a frame: after a crash, and written over."""
    other = opened(tmp_path / "other")
    append(other, *[b"sent"] * 50)
    append(other, b"more")
    sent = logs(other.path)["log-0"].rstrip(b"\0")
    other.close()
    assert len(sent) > START_BYTES
    journal = opened(path)
    append(journal, sent)
    append(journal, b"a", sent, b"b")
    forget(journal, 4)
    for number in range(70):
        append(journal, b"x" * 1_000)
        if number == 64:
            forget(journal, 60)
    whole = held(journal)
    again = crashed(path, tmp_path / "crashed")
    journal.close()
    again.open(TABLES)
    assert held(again) == whole
    again.close()
    # The control: known signs are all that it would take.
    for known in (False, True):
        shutil.rmtree(path)
        journal = opened(path)
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
    journal = opened(path)
    position = append(journal, b"a", b"b")
    for number in range(6):
        if row:
            with_a_row(journal, b"c")
            position += 1
        forget(journal, position)
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
    journal = opened(path)
    for number in range(1, frames + 1):
        with_a_row(journal, b"%d" % number)
    forget(journal, forgotten)
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
    """A journal of format 1 keeps what it has, its positions and its forgetting, and becomes format 2."""
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
        forget(each, 10)
        each.close()
        each.open(TABLES)
        assert append(each, b"11") == 11
        each.close()
        assert each.check() == []
