"""Log files on failing disks, and under a process that is killed: what was acknowledged is there."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from persistence import Damaged, LmdbJournal, Stopped
from tests.faults.counting import tried
from tests.journal.kit import TABLES, append, child, crashed, held, lmdb_quick, logs

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None,
    reason="STRACE IS NOT INSTALLED: failing disks are not tried here; on Debian: apt install strace",
)


# ---- disks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("errno_", [errno.EIO, errno.ENOSPC])
def test_a_file_that_cannot_be_made_sends_frames_to_lmdb(
    path: Path, monkeypatch: pytest.MonkeyPatch, errno_: int
) -> None:
    """Whichever call fails while one is made: nothing is lost, nothing stops, and no half file stays."""
    for call in ("open", "write", "fsync"):
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
    """Where frames cannot be moved or files not be removed, nothing is lost, and it is no error."""
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
    """Killed at any call of a life that moves what a crash left, writes, and moves its own in the end."""
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
