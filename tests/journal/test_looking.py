"""What does looking at a journal leave behind, and does it stay out of the way of whoever writes?"""

from __future__ import annotations

import shutil
from pathlib import Path

import lmdb
import pytest

from persistence import JournalError, LmdbJournal, Locked, ReadOnly
from persistence._directory import DATA
from tests.journal.kit import TABLES, append, at_work, child, held, lmdb_quick, told

READERS = f"{DATA}-lock"

WRITE = """
import sys
from persistence import LmdbJournal
journal = LmdbJournal(sys.argv[1], map_bytes=1 << 20, durability="process")
journal.open(["rows", "others"])
for line in sys.stdin:
    for _ in range(int(line)):
        with journal.write() as batch:
            position = batch.append(b"x" * 100_000)
            batch.put("rows", b"last", b"%d" % position)
            batch.forget(position - 30, 10)
    print(position, journal._opened().env.info()["map_size"] >> 20, flush=True)
"""

READ = """
import os, signal, sys
import lmdb
env = lmdb.open(sys.argv[1], subdir=False, readonly=True, lib_version=0, max_dbs=9)
txn = env.begin()
os.kill(os.getpid(), signal.SIGKILL)
"""


def _image(path: Path) -> dict[str, tuple[bytes, int]]:
    return {entry.name: (entry.read_bytes(), entry.stat().st_mtime_ns) for entry in path.iterdir()}


def _filled(path: Path) -> LmdbJournal:
    journal = LmdbJournal(path)
    journal.open(TABLES)
    append(journal, b"a", b"b")
    with journal.write() as batch:
        batch.put("rows", b"key", b"value")
    journal.note(b"a note")
    return journal


def _looked(path: Path) -> LmdbJournal:
    journal = LmdbJournal(path, read_only=True)
    journal.open(TABLES)
    return journal


def test_looking_at_a_backup_changes_nothing(path: Path, tmp_path: Path) -> None:
    """A backup that was read has the same files, the same bytes and the same times as before."""
    journal = _filled(path)
    whole = held(journal)
    journal.backup(tmp_path / "copy")
    journal.close()
    before = _image(tmp_path / "copy")
    looking = _looked(tmp_path / "copy")
    assert held(looking) == whole
    assert looking.noted() == b""
    assert looking.statistics().frames == 2
    assert repr(looking).endswith("open, to be read only>")
    looking.close()
    assert _image(tmp_path / "copy") == before


def test_looking_at_a_closed_journal_changes_nothing_that_is_its_own(path: Path) -> None:
    """Of a journal that was in use only LMDB's table of readers is touched; who opens it makes that anew."""
    journal = _filled(path)
    whole = held(journal)
    journal.close()
    before = _image(path)
    looking = _looked(path)
    assert held(looking) == whole
    assert looking.noted() == b"a note"
    looking.close()
    after = _image(path)
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} <= {READERS}


def test_opening_to_write_is_noticed(path: Path) -> None:
    """The comparison above can fail: opening in the other way changes the data file."""
    _filled(path).close()
    before = _image(path)
    journal = LmdbJournal(path)
    journal.open(TABLES)
    journal.close()
    assert _image(path)[DATA] != before[DATA]


def test_looking_beside_a_writer(path: Path) -> None:
    """While another process writes, and its map grows, what is read is whole and new; the writer goes on."""
    with at_work(WRITE, path) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None

        def write(times: int) -> list[int]:
            assert writer.stdin is not None
            assert writer.stdout is not None
            writer.stdin.write(f"{times}\n")
            writer.stdin.flush()
            return [int(number) for number in writer.stdout.readline().split()]

        _, before = write(5)
        map_mb = 0
        looking = _looked(path)
        for _ in range(20):
            last, map_mb = write(20)
            frames = list(looking.frames())
            assert [position for position, _ in frames] == list(range(frames[0][0], last + 1))
            assert looking.read("rows", b"last") == b"%d" % last
        assert map_mb > before
        looking.close()
        writer.stdin.close()
    assert writer.returncode == 0
    assert LmdbJournal(path).check() == []


def test_looking_takes_nothing(path: Path) -> None:
    """What would write is refused, and nobody else is refused anything because of it."""
    _filled(path).close()
    looking = _looked(path)
    for write in (looking.write, lambda: looking.note(b"x")):
        with pytest.raises(ReadOnly, match="hint:"):
            write()
    assert told(child(WRITE.replace("sys.stdin", "['1']"), path)).startswith("3 ")
    assert looking.read("rows", b"last") == b"3"
    looking.close()


def test_a_writer_that_comes_meanwhile_is_noticed(path: Path, tmp_path: Path) -> None:
    """Where there is no table of readers nobody waits for a reader, so it must not believe what it reads."""
    journal = _filled(path)
    journal.backup(tmp_path / "copy")
    journal.close()
    looking = _looked(tmp_path / "copy")
    told(child(WRITE.replace("sys.stdin", "['1']"), tmp_path / "copy"))
    with pytest.raises(Locked, match="has been written by another process"):
        looking.read("rows", b"last")
    looking.close()


def test_looking_where_nothing_is(path: Path) -> None:
    """A path that was mistyped is an error, and no journal is made there."""
    with pytest.raises(FileNotFoundError, match="there is no journal"):
        _looked(path)
    assert not path.exists()
    path.mkdir()
    with pytest.raises(FileNotFoundError, match="there is no journal"):
        _looked(path)
    assert list(path.iterdir()) == []


def test_one_process_has_it_open_once(path: Path) -> None:
    """LMDB would break its locks if one process opened a file twice; the error says what to do instead."""
    journal = _filled(path)
    with pytest.raises(Locked, match="open in this process already"):
        _looked(path)
    assert journal.read("rows", b"key") == b"value"
    journal.close()


def test_a_table_that_is_not_there_yet_is_empty(path: Path) -> None:
    """A journal of an earlier release, without a table of this one, is read as it is."""
    _filled(path).close()
    looking = LmdbJournal(path, read_only=True)
    looking.open(["rows", "later"])
    assert looking.scan("later", b"", None, at_most=9) == []
    assert looking.read("later", b"x") is None
    with pytest.raises(JournalError):
        looking.read("others", b"x")
    looking.close()


def test_a_reader_that_was_killed_holds_nothing_back(path: Path) -> None:
    """Pages kept for a reader that died in the middle of reading are used again before the map grows."""
    journal = lmdb_quick(path, map_bytes=1 << 20)
    journal.open(TABLES)
    map_bytes = journal._opened().env.info()["map_size"]
    assert child(READ, path / DATA).returncode == -9
    for number in range(400):
        with journal.write() as batch:
            batch.put("rows", b"key", b"%d" % number * 10_000)
    assert journal._opened().env.info()["map_size"] == map_bytes
    journal.close()


def test_a_copy_made_by_hand_is_read(path: Path, tmp_path: Path) -> None:
    """A closed journal that was copied with its table of readers is read like any other."""
    _filled(path).close()
    shutil.copytree(path, tmp_path / "copy")
    looking = _looked(tmp_path / "copy")
    assert [frame for _, frame in looking.frames()] == [b"a", b"b"]
    assert isinstance(looking._opened().env, lmdb.Environment)
    looking.close()
