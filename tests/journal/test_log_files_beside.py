"""Log files while others look at them or copy them: threads, forks, other processes."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from persistence import LmdbJournal
from persistence import _data_file as data_file
from persistence import _log_files as log_files
from persistence._directory import DATA
from persistence._log_file import LogFile
from persistence._store import Store
from tests.faults.counting import tried
from tests.journal.busy import see_a_moment, state, write
from tests.journal.kit import TABLES, append, at_work, child, crashed, lmdb_quick, logs, told
from tests.tidy.house import ROOT

# ---- copies ------------------------------------------------------------------------------------------


def test_a_copy_of_a_busy_journal_is_a_moment(path: Path, tmp_path: Path, seed: int, effort: int) -> None:
    """Copied while a thread writes both ways, and writes files anew: all commits until then, no other."""
    journal = LmdbJournal(path, map_bytes=1 << 20, durability="process")
    journal.open(TABLES)
    over, acknowledged = threading.Event(), [0]
    chance = random.Random(seed)
    writer = threading.Thread(target=write, args=(journal, chance, over.is_set, acknowledged.append))
    writer.start()
    try:
        for number in range(25 * effort):
            least = acknowledged[-1]
            copy = lmdb_quick(tmp_path / f"copy {number}")
            journal.backup(copy.path)
            assert [entry.name for entry in copy.path.iterdir()] == [DATA]
            assert copy.check() == []
            copy.open(TABLES)
            assert see_a_moment(copy) >= least
            copy.close()
            shutil.rmtree(copy.path)
            tried()
    finally:
        over.set()
        writer.join()
    assert journal._opened()._files._made > 1
    journal.close()
    assert journal.check() == []


def test_a_copy_that_is_no_moment_is_noticed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a copy that takes from log files what came after LMDB was copied is behind its rows."""
    journal = lmdb_quick(path)
    journal.open(TABLES)
    append(journal, b"1 0 ")

    def copy(store: Store, to: Path) -> None:
        store.env.copy(str(to), compact=True)
        with journal.write() as batch:
            batch.put("rows", b"state", b"1 1 1")
        append(journal, b"2 1 ")
        data_file.complete(to, store._files.all(), store._files.bytes_filed, store._files.last)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "copy", copy)
        journal.backup(tmp_path / "copy")
    other = lmdb_quick(tmp_path / "copy")
    other.open(TABLES)
    with pytest.raises(AssertionError, match="a frame is there that came after a row that is not"):
        see_a_moment(other)
    other.close()
    journal.close()


# ---- another process looks ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["closes", "dies"])
def test_looking_beside_a_busy_writer(path: Path, tmp_path: Path, seed: int, effort: int, how: str) -> None:
    """Read and copied by another process: everything acknowledged, no hole, until it closes or dies."""
    new = lmdb_quick(path)
    new.open(TABLES)
    new.close()
    looks = 0
    for more in range(2 * effort):
        commits = 20_000 if how == "closes" else 1 << 30
        command = [sys.executable, "-m", "tests.journal.busy", str(path), str(seed + more), str(commits)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            acknowledged = [int(writer.stdout.readline())]
            listener = threading.Thread(
                target=lambda out, into: into.extend(map(int, out)), args=(writer.stdout, acknowledged)
            )
            listener.start()
            looking = LmdbJournal(path, read_only=True)
            looking.open(TABLES)
            before = looks
            while writer.poll() is None:
                least = acknowledged[-1]
                positions = [(at, int(frame.split()[0])) for at, frame in looking.frames()]
                assert all(at == said for at, said in positions)
                last = positions[-1][0] if positions else 0
                # What it had not reached may have been forgotten meanwhile.
                assert last >= least or state(looking)[2] > least
                looks += 1
                if looks % 5 == 0:
                    looking.backup(tmp_path / f"copy {looks}")
                    copy = lmdb_quick(tmp_path / f"copy {looks}")
                    assert copy.check() == []
                    copy.open(TABLES)
                    assert see_a_moment(copy) >= least
                    copy.close()
                    shutil.rmtree(copy.path)
                if how == "dies" and looks > before + 25:
                    writer.kill()
                    writer.wait()
            listener.join()
            assert bool(logs(path)) == (how == "dies")
            whole, image = list(looking.frames()), logs(path)
            see_a_moment(looking)
            assert logs(path) == image, "looking changes nothing"
            looking.close()
        journal = lmdb_quick(path)
        assert journal.check() == []
        journal.open(TABLES)
        assert list(journal.frames()) == whole
        assert see_a_moment(journal) >= acknowledged[-1]
        journal.close()
    tried(looks)
    assert looks > 5


def test_looking_while_the_frames_are_moved(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between asking LMDB and reading the files, a writer that closes takes nothing out of sight."""
    _crashed_with_frames(path, tmp_path)
    looking = LmdbJournal(tmp_path / "crashed", read_only=True)
    looking.open(TABLES)
    found = log_files.found
    moved: list[int] = []

    def meanwhile(directory: Path, first: int) -> object:
        if not moved:
            moved.append(1)
            told(child(OPEN_AND_CLOSE, directory))
        return found(directory, first)

    monkeypatch.setattr(log_files, "found", meanwhile)
    assert [frame for _, frame in looking.frames()] == [b"1", b"2", b"3"]
    assert moved
    assert logs(tmp_path / "crashed") == {}
    looking.close()


FORGETS = """
import sys
from persistence import LmdbJournal
journal = LmdbJournal(sys.argv[1], durability="process")
journal.open(["rows", "others"])
for number in range(1, 11):
    with journal.write() as batch:
        batch.append(b"%d" % number)
        if number % 2:
            batch.put("rows", b"last", b"%d" % number)
print("written", flush=True)
for line in sys.stdin:
    with journal.write() as batch:
        batch.forget(int(line), 100)
    print("forgotten", flush=True)
"""


def test_what_is_forgotten_while_it_is_read_leaves_no_hole(path: Path) -> None:
    """It is left out in both places alike, whoever reads: what remains has no hole in it."""
    with at_work(FORGETS, path) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        looking = LmdbJournal(path, read_only=True)
        looking.open(TABLES)
        for forgotten in (0, 4, 7):
            frames = looking.frames()
            writer.stdin.write(f"{forgotten}\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == "forgotten\n"
            assert [position for position, _ in frames] == list(range(forgotten + 1, 11))
        looking.close()
        writer.stdin.close()


def test_what_is_forgotten_between_both_places_leaves_no_hole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same in the process that writes, where it is forgotten after LMDB was read and before the files."""
    journal = lmdb_quick(path)
    journal.open(TABLES)
    for number in range(1, 601):
        with journal.write() as batch:
            batch.append(b"%d" % number)
            if number % 2:
                batch.put("rows", b"last", b"%d" % number)
    files = journal._opened()._files
    between = files.between
    for forgotten in (5, 590):  # within what was read of LMDB, and behind it
        done: list[int] = []

        def meanwhile(
            *asked: int, forgotten: int = forgotten, done: list[int] = done
        ) -> list[tuple[int, bytes]]:
            if not done:
                done.append(1)
                with journal.write() as batch:
                    batch.forget(forgotten, 1_000)
            return between(*asked)

        with monkeypatch.context() as patch:
            patch.setattr(files, "between", meanwhile)
            assert [position for position, _ in journal.frames()] == list(range(forgotten + 1, 601))
    journal.close()


OPEN_AND_CLOSE = """
import sys
from persistence import LmdbJournal
journal = LmdbJournal(sys.argv[1])
journal.open(["rows", "others"])
journal.close()
"""


def _crashed_with_frames(path: Path, tmp_path: Path) -> LmdbJournal:
    journal = lmdb_quick(path)
    journal.open(TABLES)
    for frame in (b"1", b"2", b"3"):
        append(journal, frame)
    again = crashed(path, tmp_path / "crashed")
    journal.close()
    told(child(LEAVE_READERS, again.path))
    return again


LEAVE_READERS = """
import sys, lmdb
lmdb.open(sys.argv[1] + "/journal.mdb", subdir=False, lib_version=0, max_dbs=9).close()
"""


def test_a_crashed_journal_is_looked_at_and_not_changed(path: Path, tmp_path: Path) -> None:
    """Nobody has to open it to see what is there: files and data file are as they were."""
    again = _crashed_with_frames(path, tmp_path)
    before = {DATA: (again.path / DATA).read_bytes(), **logs(again.path)}
    looking = LmdbJournal(again.path, read_only=True)
    looking.open(TABLES)
    assert [frame for _, frame in looking.frames()] == [b"1", b"2", b"3"]
    assert [frame for _, frame in looking.frames(1)] == [b"2", b"3"]
    assert looking.statistics().frames == 3
    looking.backup(tmp_path / "copy")
    looking.close()
    assert {DATA: (again.path / DATA).read_bytes(), **logs(again.path)} == before
    copy = lmdb_quick(tmp_path / "copy")
    copy.open(TABLES)
    assert [frame for _, frame in copy.frames()] == [b"1", b"2", b"3"]
    copy.close()


# ---- threads and forks -------------------------------------------------------------------------------


def test_threads_read_while_it_is_written(path: Path, seed: int) -> None:
    """What a thread reads is right and reaches as far as was acknowledged, while files are written anew."""
    journal = LmdbJournal(path, map_bytes=1 << 20, durability="process")
    journal.open(TABLES)
    over, acknowledged = threading.Event(), [0]
    wrong: list[object] = []

    def read() -> None:
        try:
            while not over.is_set():
                least = acknowledged[-1]
                after = last = 0
                for at, frame in journal.frames(after):
                    if int(frame.split()[0]) != at or at <= last:
                        wrong.append((at, frame[:20]))
                    last = at
                # What it had not reached may have been forgotten meanwhile.
                if last < least and state(journal)[2] <= least:
                    wrong.append((last, least))
        except BaseException as error:  # noqa: BLE001 - a thread has nobody to tell
            wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    left = iter(range(3_000))
    write(journal, random.Random(seed), lambda: next(left, None) is None, acknowledged.append)
    over.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert journal._opened()._files._made > 1
    tried()
    journal.close()


FORK = """
import os, sys
from persistence import LmdbJournal, NotOpen
journal = LmdbJournal(sys.argv[1])
journal.open(["rows"])
for frame in (b"a", b"b"):
    with journal.write() as batch:
        batch.append(frame)
reading = journal.frames()
next(reading)
child = os.fork()
if child == 0:
    refused = 0
    copy = lambda: journal.backup(sys.argv[1] + ".copy")
    for use in (journal.write, journal.frames, journal.statistics, copy):
        try:
            use()
        except NotOpen:
            refused += 1
    journal.close()
    sys.exit(refused)
_, status = os.waitpid(child, 0)
with journal.write() as batch:
    batch.append(b"c")
files = [name for name in os.listdir(sys.argv[1]) if name.startswith("log-")]
print(os.waitstatus_to_exitcode(status), len(files))
journal.close()
journal.open(["rows"])
print([frame for _, frame in journal.frames()])
journal.close()
"""


def test_a_forked_child_leaves_log_files_alone(path: Path) -> None:
    """It can do nothing with them, closing in it moves and removes nothing, and the parent goes on."""
    assert told(child(FORK, path)).split("\n") == ["4 1", "[b'a', b'b', b'c']"]


def test_a_file_that_was_just_made_hides_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the making of a file and its first record a reader sees all that was acknowledged."""
    journal = lmdb_quick(path)
    journal.open(TABLES)
    count = 70
    seen: list[int] = []
    write_record = LogFile.append

    def look(file: LogFile, position: int, frames: list[bytes]) -> None:
        seen.append(sum(1 for _ in journal.frames()))
        write_record(file, position, frames)

    monkeypatch.setattr(LogFile, "append", look)
    for _ in range(count):
        append(journal, b"x" * 1_000)
    assert seen == list(range(count))
    assert len(logs(path)) == 2
    journal.close()
