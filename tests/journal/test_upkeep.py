"""Can a journal be looked over, and copied while it is in use?"""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest

from persistence import LmdbJournal, Locked, NotOpen
from persistence._directory import DATA, NOTE
from tests.faults.counting import tried
from tests.journal.kit import TABLES, append, child, held, lmdb_quick


def _with_something(path: Path) -> LmdbJournal:
    journal = lmdb_quick(path)
    journal.open(TABLES)
    append(journal, *[b"%d" % number + b"x" * 3_000 for number in range(100)])
    with journal.write() as batch:
        for number in range(300):
            batch.put("rows", b"%d" % number, b"y" * 100)
        batch.forget(50, 50)
    return journal


# ---- check -------------------------------------------------------------------------------------------


def test_a_sound_journal_has_no_findings(path: Path) -> None:
    """A check of a journal that is well finds nothing, and changes nothing."""
    journal = _with_something(path)
    with pytest.raises(Locked, match="hint: close it to check it, or check a backup of it"):
        journal.check()
    journal.close()
    before = (path / DATA).read_bytes()
    assert journal.check() == []
    assert (path / DATA).read_bytes() == before
    journal.open(TABLES)
    journal.close()


def test_a_journal_that_is_not_there_is_a_finding(path: Path) -> None:
    """Checking a directory without a journal says so, and makes none."""
    assert LmdbJournal(path).check() == [f"{path}: there is no journal"]
    assert not path.exists()


CHECK = """
import sys
from persistence import LmdbJournal
print(len(LmdbJournal(sys.argv[1]).check()))
"""


def test_a_check_survives_what_it_finds(path: Path, seed: int, effort: int) -> None:
    """Pages overwritten, zeroed and swapped are found without a signal, where LMDB might die of them."""
    _with_something(path).close()
    whole = (path / DATA).read_bytes()
    chance = random.Random(seed)
    pages = len(whole) // 4096
    found = 0
    for _ in range(300 * effort):
        image = bytearray(whole)
        at, other = (4096 * chance.randrange(2, pages) for _ in range(2))
        kind = chance.randrange(3)
        if kind == 0:
            image[at : at + 4096] = bytes(4096)
        elif kind == 1:
            image[at : at + 16] = chance.randbytes(16)
        else:
            image[at : at + 4096], image[other : other + 4096] = (
                whole[other : other + 4096],
                whole[at : at + 4096],
            )
        (path / DATA).write_bytes(image)
        found += bool(lmdb_quick(path).check())
        tried()
    assert found > 100 * effort
    done = child(CHECK, path)
    assert done.returncode == 0, done.stderr


# ---- backup ------------------------------------------------------------------------------------------


def test_a_backup_is_a_journal(path: Path, tmp_path: Path) -> None:
    """A copy of an open journal opens beside it, sound and compact, and goes on counting where it stood."""
    journal = _with_something(path)
    journal.note(b"not copied")
    with journal.write() as batch:
        batch.forget(100, 100)
    before = held(journal)
    journal.backup(tmp_path / "copy")
    assert append(journal, b"after") == 101
    assert [entry.name for entry in (tmp_path / "copy").iterdir()] == [DATA]
    assert (tmp_path / "copy" / DATA).stat().st_size < (path / DATA).stat().st_size
    copy = LmdbJournal(tmp_path / "copy")
    assert copy.check() == []
    copy.open(TABLES)
    assert held(copy) == before
    assert copy.noted() == b""
    assert append(copy, b"elsewhere") == 101
    copy.close()
    journal.close()
    with pytest.raises(NotOpen):
        journal.backup(tmp_path / "other")


def test_a_backup_under_load_is_a_moment(path: Path, tmp_path: Path) -> None:
    """A copy made while another thread commits is of one moment: all commits until then, and no other."""
    journal = lmdb_quick(path, map_bytes=1 << 20)
    journal.open(TABLES)
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            with journal.write() as batch:
                position = batch.append(b"x" * 500)
                batch.put("rows", b"last", b"%d" % position)

    writer = threading.Thread(target=write)
    writer.start()
    copies: list[int] = []
    for number in range(11):
        least = journal.statistics().frames
        journal.backup(tmp_path / f"copy {number}")
        tried()
        copy = lmdb_quick(tmp_path / f"copy {number}")
        assert copy.check() == []
        copy.open(TABLES)
        frames = copy.statistics().frames
        assert frames >= least
        assert copy.read("rows", b"last") in {b"%d" % frames, None}
        copies.append(frames)
        copy.close()
    over.set()
    writer.join()
    assert copies == sorted(copies)
    journal.close()
    assert journal.check() == []


def test_a_backup_overwrites_nothing(path: Path, tmp_path: Path) -> None:
    """A directory that is there is left alone; what a backup left that was cut off is in nobody's way."""
    journal = _with_something(path)
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError, match="hint: a backup makes its own directory"):
        journal.backup(tmp_path / "there")
    with pytest.raises(FileExistsError):
        journal.backup(path)
    (tmp_path / "copy.new").mkdir()
    (tmp_path / "copy.new" / DATA).write_bytes(b"half")
    journal.backup(tmp_path / "copy")
    assert not (tmp_path / "copy.new").exists()
    with pytest.raises(OSError, match="nowhere"):
        journal.backup(tmp_path / "nowhere" / "copy")
    journal.close()
    assert LmdbJournal(tmp_path / "copy").check() == []


# ---- the note ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["cut", "torn", "longer", "empty", "junk"])
def test_a_damaged_note_is_no_note(path: Path, damage: str) -> None:
    """A note that was cut off, torn or mixed with another is empty, never wrong, and can be written again."""
    journal = lmdb_quick(path)
    journal.open(TABLES)
    journal.note(b"first note, a long one " * 100)
    journal.note(b"second note " * 50)
    journal.close()
    whole = (path / NOTE).read_bytes()
    images = {
        "cut": whole[:300],
        "torn": whole[:300] + bytes(300) + whole[600:],
        "longer": b"\xff\xff\xff\xff" + whole[4:],
        "empty": b"",
        "junk": os.urandom(5_000),
    }
    (path / NOTE).write_bytes(images[damage])
    journal.open(TABLES)
    assert journal.noted() == b""
    journal.note(b"third")
    journal.close()
    journal.open(TABLES)
    assert journal.noted() == b"third"
    journal.close()
