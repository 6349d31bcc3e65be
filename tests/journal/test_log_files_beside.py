"""Log files while others look at them, copy them, kill their writer, or while their disk fails."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from persistence import Damaged, LmdbJournal, Stopped
from persistence import _log_files as log_files
from persistence._directory import DATA
from persistence._store import Store
from tests.faults.counting import tried
from tests.journal.kit import TABLES, append, child, crashed, held, lmdb_quick, logs, told
from tests.tidy.house import ROOT

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None,
    reason="STRACE IS NOT INSTALLED: failing disks are not tried here; on Debian: apt install strace",
)

# Each frame says its position and how many commits with a row came before it; the row says the same.
WRITER = """
import random, sys
from persistence import LmdbJournal

def write(journal, chance, over, told=lambda position: None):
    position, rows, first = journal.statistics().frames, 0, 1
    row = journal.read("rows", b"last")
    if row:
        position, rows, first = map(int, row.split())
    for last, frame in journal.frames():
        position, rows = map(int, frame.split()[:2])
    while not over():
        kind = chance.random()
        with journal.write() as batch:
            if kind < 0.9:
                for _ in range(chance.choice([1, 1, 3])):
                    position = batch.append(b"%d %d " % (position + 1, rows) + b"x" * chance.choice([10, 900, 3_000]))
            elif kind < 0.95:
                rows += 1
                if kind < 0.92:
                    position = batch.append(b"%d %d " % (position + 1, rows))
                batch.put("rows", b"last", b"%d %d %d" % (position, rows, first))
            else:
                first += batch.forget(position - chance.choice([0, 5, 40]), 1 << 30)
                rows += 1
                batch.put("rows", b"last", b"%d %d %d" % (position, rows, first))
        told(position)
"""
exec(WRITER.replace("random, sys", "random"), SCOPE := dict[str, object]())  # noqa: S102 - one text for threads and for processes
WRITE: Final = SCOPE["write"]

AT_WORK = (
    WRITER
    + """
journal = LmdbJournal(sys.argv[1], map_bytes=1 << 20, durability="process")
journal.open(["rows", "others"])
def told(position):
    print(position, flush=True)
left = int(sys.argv[3])
def over():
    global left
    left -= 1
    return left < 0
write(journal, random.Random(int(sys.argv[2])), over, told)
journal.close()
"""
)


def _see_a_moment(journal: LmdbJournal) -> int:
    """A prefix of the commits: no hole, no row without its frames, and no frame without the rows before it."""
    frames = list(journal.frames())
    position, rows, first = map(int, (journal.read("rows", b"last") or b"0 0 1").split())
    for at, frame in frames:
        assert int(frame.split()[0]) == at
    positions = [at for at, _ in frames]
    last = positions[-1] if positions else position
    assert positions == list(range(first, last + 1))
    assert last >= position, "a row tells of a frame that is not there"
    said = [int(frame.split()[1]) for _, frame in frames]
    assert max(said, default=0) <= rows, "a frame is there that came after a row that is not"
    return last


# ---- copies ------------------------------------------------------------------------------------------


def test_a_copy_of_a_busy_journal_is_a_moment(path: Path, tmp_path: Path, seed: int, effort: int) -> None:
    """Copied while a thread writes both ways, forgets and writes files anew: all commits until then, no other."""
    journal = LmdbJournal(path, map_bytes=1 << 20, durability="process")
    journal.open(TABLES)
    over, acknowledged = threading.Event(), [0]
    chance = random.Random(seed)
    writer = threading.Thread(
        target=WRITE, args=(journal, chance, over.is_set, lambda position: acknowledged.append(position))
    )
    writer.start()
    try:
        for number in range(25 * effort):
            least = acknowledged[-1]
            copy = lmdb_quick(tmp_path / f"copy {number}")
            journal.backup(copy.path)
            assert [entry.name for entry in copy.path.iterdir()] == [DATA]
            assert copy.check() == []
            copy.open(TABLES)
            assert _see_a_moment(copy) >= least
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
            batch.put("rows", b"last", b"1 1 1")
        append(journal, b"2 1 ")
        from persistence import _data_file as data_file

        data_file.complete(to, store._files.all(), store._files.bytes_filed, store._files.last)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "copy", copy)
        journal.backup(tmp_path / "copy")
    other = lmdb_quick(tmp_path / "copy")
    other.open(TABLES)
    with pytest.raises(AssertionError, match="a frame is there that came after a row that is not"):
        _see_a_moment(other)
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
        commits = 1_500 if how == "closes" else 1 << 30
        command = [sys.executable, "-c", AT_WORK, str(path), str(seed + more), str(commits)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            acknowledged = [int(writer.stdout.readline())]
            listener = threading.Thread(
                target=lambda out: [acknowledged.append(int(line)) for line in out], args=(writer.stdout,)
            )
            listener.start()
            looking = LmdbJournal(path, read_only=True)
            looking.open(TABLES)
            before = looks
            while writer.poll() is None:
                least = acknowledged[-1]
                positions = [(at, int(frame.split()[0])) for at, frame in looking.frames()]
                assert all(at == said for at, said in positions)
                if positions:
                    assert positions[-1][0] >= least
                looks += 1
                if looks % 5 == 0:
                    looking.backup(tmp_path / f"copy {looks}")
                    copy = lmdb_quick(tmp_path / f"copy {looks}")
                    assert copy.check() == []
                    copy.open(TABLES)
                    assert _see_a_moment(copy) >= least
                    copy.close()
                    shutil.rmtree(copy.path)
                if how == "dies" and looks > before + 25:
                    writer.kill()
                    writer.wait()
            listener.join()
            assert bool(logs(path)) == (how == "dies")
            whole, image = list(looking.frames()), logs(path)
            _see_a_moment(looking)
            assert logs(path) == image, "looking changes nothing"
            looking.close()
        journal = lmdb_quick(path)
        assert journal.check() == []
        journal.open(TABLES)
        assert list(journal.frames()) == whole
        assert _see_a_moment(journal) >= acknowledged[-1]
        journal.close()
    tried(looks)
    assert looks > 20


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
                if last < least and int((journal.read("rows", b"last") or b"0 0 1").split()[2]) <= least:
                    wrong.append((last, least))
        except BaseException as error:  # noqa: BLE001 - a thread has nobody to tell
            wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    left = iter(range(3_000))
    WRITE(journal, random.Random(seed), lambda: next(left, None) is None, acknowledged.append)
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
    for use in (journal.write, journal.frames, journal.statistics, lambda: journal.backup(sys.argv[1] + ".copy")):
        try:
            use()
        except NotOpen:
            refused += 1
    journal.close()
    sys.exit(refused)
_, status = os.waitpid(child, 0)
with journal.write() as batch:
    batch.append(b"c")
print(os.waitstatus_to_exitcode(status), len([name for name in os.listdir(sys.argv[1]) if name.startswith("log-")]))
journal.close()
journal.open(["rows"])
print([frame for _, frame in journal.frames()])
journal.close()
"""


def test_a_forked_child_leaves_log_files_alone(path: Path) -> None:
    """It can do nothing with them, closing in it moves and removes nothing, and the parent goes on."""
    assert told(child(FORK, path)).split("\n") == ["4 1", "[b'a', b'b', b'c']"]


# ---- disks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("errno_", [errno.EIO, errno.ENOSPC])
def test_a_file_that_cannot_be_made_sends_frames_to_lmdb(
    path: Path, monkeypatch: pytest.MonkeyPatch, errno_: int
) -> None:
    """Whichever call fails while one is made: nothing is lost, nothing stops, and no half file stays."""
    for call in ("open", "pwrite", "fsync"):
        journal = LmdbJournal(path)
        journal.open(TABLES)
        with monkeypatch.context() as patch:
            patch.setattr(os, call, _failing(errno_))
            position = append(journal, call.encode())
        assert logs(path) == {}
        assert append(journal, b"again") == position + 1
        assert len(logs(path)) == 1
        assert [frame for _, frame in journal.frames()][-2:] == [call.encode(), b"again"]
        journal.close()
    assert journal.check() == []


def _failing(number: int) -> Callable[..., int]:
    def fail(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("written", ["nothing", "half", "all"])
def test_a_write_that_fails_stops_the_journal(
    path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """What is on the disk is in doubt; opened again it has all that was acknowledged, and that one or not."""
    journal = LmdbJournal(path)
    journal.open(TABLES)
    append(journal, b"first")
    pwrite = os.pwrite

    def fail(number: int, data: bytes, at: int) -> int:
        length = {"nothing": 0, "half": len(data) // 2, "all": len(data)}[written]
        pwrite(number, data[:length], at)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        with pytest.raises(Stopped, match=r"whether it is on the disk is not known.*Input/output error"):
            append(journal, b"in doubt")
    with pytest.raises(Stopped):
        journal.write()
    assert [frame for _, frame in journal.frames()] == [b"first"]
    journal.close()
    assert len(logs(path)) == 1, "what is in doubt is looked at by whoever opens it"
    journal.open(TABLES)
    frames = [frame for _, frame in journal.frames()]
    assert frames == ([b"first", b"in doubt"] if written == "all" else [b"first"])
    assert append(journal, b"goes on") == len(frames) + 1
    journal.close()
    assert journal.check() == []


def test_a_short_write_is_completed(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write of which the system takes a part at a time is all there when the block is left."""
    pwrite = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda number, data, at: pwrite(number, data[: 1 + len(data) // 3], at))
        journal = lmdb_quick(path)
        journal.open(TABLES)
        for number in range(30):
            append(journal, b"%d" % number * 1_000)
        whole = held(journal)
        again = crashed(path, tmp_path / "crashed")
    again.open(TABLES)
    assert held(again) == whole
    assert len(whole.frames) == 30
    again.close()
    journal.close()


def test_a_write_that_is_not_completed_is_noticed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: where the rest of a short write is left out, frames are gone or it is damaged."""
    monkeypatch.setattr(
        "persistence._log_file._put", lambda number, data, at: os.pwrite(number, data[: len(data) - 1], at)
    )
    with pytest.raises((AssertionError, Damaged)):
        test_a_short_write_is_completed(path, tmp_path, monkeypatch)


@pytest.mark.parametrize("call", ["unlink", "transaction"])
def test_a_closing_that_fails_leaves_the_files(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Where frames cannot be moved, or the files not be removed, nothing is lost and no error is made of it."""
    journal = lmdb_quick(path)
    journal.open(TABLES)
    append(journal, b"a", b"b")
    with monkeypatch.context() as patch:
        if call == "unlink":
            patch.setattr(Path, "unlink", _failing(errno.EIO))
        else:
            patch.setattr("persistence._data_file.add_frames", _failing(errno.EIO))
        journal.close()
    assert len(logs(path)) == 1
    assert journal.check() == []
    journal.open(TABLES)
    assert [frame for _, frame in journal.frames()] == [b"a", b"b"]
    assert logs(path) == {}
    journal.close()


# ---- killed ------------------------------------------------------------------------------------------

LIFE = """
import sys
from persistence import LmdbJournal
journal = LmdbJournal(sys.argv[1], map_bytes=1 << 20)
journal.open(["rows", "others"])
number = journal.statistics().frames
for number in range(number + 1, number + 1 + int(sys.argv[2])):
    with journal.write() as batch:
        batch.append(b"%d " % number + b"x" * 30_000)
        if number % 4 == 0:
            batch.put("rows", b"last", b"%d" % number)
    print(number, flush=True)
journal.close()
print("closed", flush=True)
"""
KILLED = -9


@needs_strace
@pytest.mark.parametrize(
    "calls", ["pwrite64", "fdatasync,fsync", "unlink,unlinkat", "writev", "ftruncate,truncate"]
)
def test_killed_at_a_call_it_loses_nothing_beside(
    path: Path, tmp_path: Path, effort: int, calls: str
) -> None:
    """Killed at any call of a life that begins with moving what a crash left, and ends with moving its own."""
    journal = LmdbJournal(path, map_bytes=1 << 20)
    journal.open(TABLES)
    for number in range(1, 7):
        append(journal, b"%d " % number + b"x" * 30_000)
    left = crashed(path, tmp_path / "left").path
    journal.close()
    killed = 0
    for number in range(1, 100):
        shutil.rmtree(path)
        shutil.copytree(left, path)
        before = ("strace", "-f", "-o", os.devnull, "-e", f"inject={calls}:signal=KILL:when={number}")
        done = child(LIFE, path, 7, before=before)
        said = done.stdout.split()
        acknowledged = max([6, *map(int, said[:7])])
        _see_all(path, acknowledged)
        if done.returncode != KILLED:
            assert said[-1:] == ["closed"], done
            assert logs(path) == {}
            break
        killed += 1
        tried()
    assert killed > {"unlink,unlinkat": 2, "ftruncate,truncate": 0, "writev": 0}.get(calls, 4)


def _see_all(path: Path, acknowledged: int) -> None:
    journal = LmdbJournal(path)
    assert journal.check() == []
    journal.open(TABLES)
    frames = [int(frame.split()[0]) for _, frame in journal.frames()]
    assert frames == list(range(1, len(frames) + 1))
    assert acknowledged <= len(frames) <= min(acknowledged + 1, 13)
    assert logs(path) == {}
    assert append(journal, b"goes on") == len(frames) + 1
    journal.close()
    assert journal.check() == []


def test_a_frame_that_is_lost_is_noticed(path: Path) -> None:
    """The control: an acknowledged frame that is not there fails the check above."""
    journal = lmdb_quick(path)
    journal.open(TABLES)
    append(journal, b"1 ")
    journal.close()
    with pytest.raises(AssertionError):
        _see_all(path, 2)


@needs_strace
@pytest.mark.parametrize("fault", ["error=EIO", "error=ENOSPC"])
def test_a_disk_that_fails_at_a_call_loses_nothing_beside(path: Path, tmp_path: Path, fault: str) -> None:
    """Whichever write fails, of a file that is made or of a record: what was acknowledged is there."""
    failed = 0
    for number in range(1, 20):
        shutil.rmtree(path, ignore_errors=True)
        before = ("strace", "-f", "-o", os.devnull, "-e", f"inject=pwrite64:{fault}:when={number}")
        done = child(LIFE, path, 7, before=before)
        said = [word for word in done.stdout.split() if word.isdigit()]
        if said:
            _see_all(path, max(map(int, said)))
        failed += done.returncode != 0
        tried()
    assert failed > 5
