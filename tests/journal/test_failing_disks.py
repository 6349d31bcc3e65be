"""Does an acknowledged frame outlive failing disks, full disks and killed processes?"""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from persistence import JournalError, LmdbJournal
from tests.faults.counting import tried
from tests.journal.kit import TABLES, append, child, told, with_a_row
from tests.tidy.house import ROOT

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None,
    reason="STRACE IS NOT INSTALLED: failing disks are not tried here; on Debian: apt install strace",
)

WRITE = """
import sys
from persistence import LmdbJournal, JournalError
journal = LmdbJournal(sys.argv[1], map_bytes=1 << 20)
acknowledged, after = 0, []
try:
    journal.open(["rows", "others"])
    for number in range(1, 7):
        with journal.write() as batch:
            batch.append(b"%d " % number + b"x" * 3_000)
            batch.put("rows", b"last", b"%d" % number)
        acknowledged = number
except JournalError as error:
    after.append(type(error).__name__)
    assert "hint:" in str(error), error
    assert sys.argv[1] in str(error), error
    try:
        journal.write()
    except JournalError as error:
        after.append(type(error).__name__)
print(acknowledged, *after)
"""


def _acknowledged_are_there(path: Path, acknowledged: int, begun: int) -> None:
    """What was acknowledged is there whole and in order, with at most the one commit that was under way."""
    journal = LmdbJournal(path)
    journal.open(TABLES)
    frames = [frame.split()[0] for _, frame in journal.frames()]
    assert frames == [b"%d" % number for number in range(1, len(frames) + 1)]
    assert acknowledged <= len(frames) <= begun
    assert journal.read("rows", b"last") == (frames[-1] if frames else None)
    assert append(journal, b"goes on") == len(frames) + 1
    journal.close()
    assert journal.check() == []


def _inject(path: Path, log: Path, fault: str) -> tuple[int, list[str]]:
    done = child(WRITE, path, before=("strace", "-f", "-o", str(log), "-e", f"inject={fault}"))
    acknowledged, *after = told(done).split()
    return int(acknowledged), after


# Of a whole run: 11 syncs of data and 7 of pages written through, each of which fails once.
@needs_strace
@pytest.mark.parametrize(
    "fault",
    [
        *(f"fdatasync:error=EIO:when={call}" for call in (1, 3, 5, 7, 9)),
        "fdatasync:error=EIO:when=6+",
        *(f"pwrite64,pwritev,writev:error=EIO:when={call}" for call in range(1, 19)),
        *(f"pwrite64,pwritev,writev:error=ENOSPC:when={call}+" for call in (8, 12)),
        *(
            f"pwrite64,pwritev,writev:retval={length}:when={call}"
            for length in (0, 100)
            for call in (8, 9, 12, 13, 14)
        ),
    ],
)
def test_a_failing_disk_stops_the_journal(path: Path, tmp_path: Path, fault: str) -> None:
    """An error from the disk at any call stops the journal; opened again, it has every acknowledged frame.

    It may have one more: the commit that failed, whose outcome was called unknown.
    """
    acknowledged, after = _inject(path, tmp_path / "calls", fault)
    if acknowledged == 6:
        assert after == []
    elif path.exists() and acknowledged:
        assert after == ["Stopped", "Stopped"]
    _acknowledged_are_there(path, acknowledged, acknowledged + bool(after))


@needs_strace
def test_disks_do_fail_in_these_tests(path: Path, tmp_path: Path) -> None:
    """The control: without a fault all six commits are acknowledged, and a fault stops some of them."""
    assert _inject(path, tmp_path / "calls", "fdatasync:error=EIO:when=1000") == (6, [])
    shutil.rmtree(path)
    acknowledged, after = _inject(path, tmp_path / "calls", "fdatasync:error=EIO:when=6+")
    assert 0 < acknowledged < 6
    assert after == ["Stopped", "Stopped"]


def _broken(*_: object) -> NoReturn:
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("call", ["open", "pread", "pwrite", "ftruncate", "fsync", "mkdir"])
@pytest.mark.parametrize("there", [True, False])
def test_a_disk_that_fails_while_it_is_opened_is_named(
    path: Path, call: str, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever call fails, the error says which journal and what to do, and holds nothing."""
    journal = LmdbJournal(path)
    if there:
        journal.open(TABLES)
        journal.close()
    with monkeypatch.context() as patch:
        patch.setattr(os, call, _broken)
        try:
            journal.open(TABLES)
        except JournalError as error:
            told = str(error)
        else:
            assert (there, call) in {(True, "fsync"), (True, "mkdir")}, "it was not called"
            return
        finally:
            journal.close()
    assert told.startswith(f"{path} could not be opened: ")
    assert "Input/output error" in told
    assert "\nhint: is the disk full, or failing?" in told
    _acknowledged_are_there(path, 0, 0)


def test_a_disk_that_takes_no_note_stops_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Notes are a help: the log tells once that they fail, commits go on, and the next opening notices."""
    journal = LmdbJournal(path)
    journal.open(TABLES)
    journal.note(b"before")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", _broken)
        for _ in range(3):
            journal.note(b"lost")
        with_a_row(journal, b"frame")  # by LMDB, which this does not break
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        journal.close()
        with pytest.raises(JournalError, match="could not be opened"):
            journal.open(TABLES)
    journal.open(TABLES)
    assert journal.noted() == b"before"
    journal.note(b"after")
    journal.close()
    assert len(caplog.records) == 1


FULL_DISK = """
import resource, sys
from persistence import LmdbJournal, Stopped
journal = LmdbJournal(sys.argv[1], durability="process")
journal.open(["rows", "others"])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
acknowledged = 0
try:
    for number in range(1, 1_000):
        with journal.write() as batch:
            batch.append(b"%d " % number + b"x" * 3_000)
            batch.put("rows", b"last", b"%d" % number)
        acknowledged = number
except Stopped as error:
    after = str(error)
if len(sys.argv) > 3:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.close()
    journal.open(["rows", "others"])
    after = str(journal.statistics().frames - acknowledged)
print(acknowledged, after)
"""


SPACES = [200_000, 300_000, 301_000, 1_000_000]


@pytest.mark.parametrize("space", SPACES)
def test_a_full_disk_stops_the_journal(path: Path, space: int) -> None:
    """Where a file may not grow any more a commit is Stopped, and nothing acknowledged is lost."""
    acknowledged, _, after = told(child(FULL_DISK, path, space)).partition(" ")
    assert int(acknowledged) > 20
    assert "whether it is on the disk is not known" in after
    _acknowledged_are_there(path, int(acknowledged), int(acknowledged) + 1)


@pytest.mark.parametrize("space", SPACES)
def test_space_mends_a_full_disk_without_a_restart(path: Path, space: int) -> None:
    """In the same process, closing and opening again goes on once there is space."""
    acknowledged, after = told(child(FULL_DISK, path, space, "again")).split()
    assert int(acknowledged) > 20
    assert after in {"0", "1"}


FOR_EVER = """
import sys
from persistence import LmdbJournal
journal = LmdbJournal(sys.argv[1], durability=sys.argv[2], map_bytes=1 << 20)
journal.open(["rows", "others"])
number = journal.statistics().frames
while True:
    number += 1
    with journal.write() as batch:
        batch.append(b"%d " % number + b"x" * (number * 997 % 5_000))
        batch.put("rows", b"last", b"%d" % number)
    print(number, flush=True)
    journal.note(b"%d" % number)
"""


@pytest.mark.parametrize("durability", ["power", "process"])
def test_what_was_acknowledged_survives_kill_9(path: Path, seed: int, effort: int, durability: str) -> None:
    """Killed again and again at any moment, a writer leaves every acknowledged frame, and whole batches."""
    chance = random.Random(seed)
    begun = 0
    for _ in range(10 * effort):
        command = [sys.executable, "-c", FOR_EVER, str(path), durability]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            acknowledged = 0
            for _ in range(chance.randrange(1, 60)):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
            rest = writer.stdout.read().rpartition("\n")[0].split()
            acknowledged = int(rest[-1]) if rest else acknowledged
        assert acknowledged > begun
        # Killed behind its first frame it has noted nothing, and the one before may have died there, too.
        first = acknowledged == begun + 1
        journal = LmdbJournal(path)
        journal.open(TABLES)
        begun = journal.statistics().frames
        assert acknowledged <= begun <= acknowledged + 1
        assert [frame.split()[0] for _, frame in journal.frames()] == [b"%d" % n for n in range(1, begun + 1)]
        assert journal.read("rows", b"last") == b"%d" % begun
        assert first or acknowledged - 1 <= int(journal.noted()) <= acknowledged
        tried()
        journal.close()
        assert journal.check() == []


LIFE = """
import sys
from persistence import LmdbJournal
journal = LmdbJournal(sys.argv[1], map_bytes=1 << 20)
journal.open(["rows", "others"])
for number in range(1, int(sys.argv[2]) + 1):
    with journal.write() as batch:
        batch.append(b"%d " % number + b"x" * int(sys.argv[3]))
        batch.put("rows", b"last", b"%d" % number)
    print(number, flush=True)
"""
KILLED = -9


def _deadly(call: str, number: int) -> tuple[str, ...]:
    """What comes before a command, to have it killed as it is about to make this call."""
    return ("strace", "-f", "-o", os.devnull, "-e", f"inject={call}:signal=KILL:when={number}")


@needs_strace
@pytest.mark.parametrize("call", ["pwrite64", "writev", "fdatasync"])
@pytest.mark.parametrize(("commits", "size", "most"), [(6, 3_000, 40), (20, 1, 70), (4, 90_000, 60)])
def test_killed_at_a_call_it_has_what_was_acknowledged(
    path: Path, effort: int, call: str, commits: int, size: int, most: int
) -> None:
    """Killed by the kernel as it is about to write or to sync, it leaves what was acknowledged, and whole."""
    for more in range(min(effort, 10)):
        killed = 0
        for number in range(1, most):
            shutil.rmtree(path, ignore_errors=True)
            done = child(LIFE, path, commits, size + 997 * more, before=_deadly(call, number))
            acknowledged = len(done.stdout.split())
            if done.returncode != KILLED:
                assert acknowledged == commits, done
                break  # it has made all its calls
            _acknowledged_are_there(path, acknowledged, min(acknowledged + 1, commits))
            killed += 1
            tried()
        assert commits < killed < most - 1, "it was to be killed at every call of its life"


# ---- backups -----------------------------------------------------------------------------------------

BACKUP = """
import sys
from persistence import JournalError, LmdbJournal
journal = LmdbJournal(sys.argv[1], map_bytes=1 << 20)
journal.open(["rows", "others"])
try:
    journal.backup(sys.argv[2])
    print("done")
except (JournalError, OSError) as error:
    print(type(error).__name__, str(error).replace("\\n", " "))
journal.close()
"""
OF_A_BACKUP = {
    "writes": "write,pwrite64,pwritev,writev",
    "syncs": "fsync,fdatasync",
    "names": "mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat",
    "openings": "openat",
}


def _to_copy(path: Path) -> None:
    journal = LmdbJournal(path, map_bytes=1 << 20, durability="process")
    journal.open(TABLES)
    for number in range(1, 31):
        with journal.write() as batch:
            batch.append(b"%d " % number + b"x" * 20_000)
            batch.put("rows", b"last", b"%d" % number)
    journal.close()


def _see_old_or_whole(path: Path, copy: Path, *, done: bool) -> None:
    """The journal is as it was; there is no copy, or a whole one; and another can be made at once."""
    assert LmdbJournal(path).check() == []
    if done or copy.exists():
        assert LmdbJournal(copy).check() == [], "half a copy has its name"
    else:
        journal = LmdbJournal(path)
        journal.open(TABLES)
        journal.backup(copy)
        journal.close()
    _acknowledged_are_there(copy, 30, 30)
    shutil.rmtree(copy)


@needs_strace
@pytest.mark.parametrize("calls", OF_A_BACKUP)
def test_a_backup_that_is_killed_at_a_call_is_whole_or_not_there(
    path: Path, tmp_path: Path, effort: int, calls: str
) -> None:
    """Killed as it writes, syncs, opens or renames: the journal is unharmed, and no half has its name."""
    _to_copy(path)
    killed = 0
    first = 1 if calls != "openings" else 150  # before these, Python itself is what is opened
    for number in range(first, first + 400, 3 if calls == "writes" and effort == 1 else 1):
        done = child(BACKUP, path, tmp_path / "copy", before=_deadly(OF_A_BACKUP[calls], number))
        if done.returncode != KILLED:
            assert done.stdout == "done\n", done
            _see_old_or_whole(path, tmp_path / "copy", done=True)
            break
        _see_old_or_whole(path, tmp_path / "copy", done=False)
        killed += 1
        tried()
    assert killed > 0


@needs_strace
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("calls", ["writes", "syncs"])
def test_a_backup_on_a_failing_disk_is_an_error_and_not_there(
    path: Path, tmp_path: Path, calls: str, error: str
) -> None:
    """Whichever of its calls fails, it says so or is whole, and the journal goes on."""
    _to_copy(path)
    failed = 0
    most = 60 if calls == "writes" else 8
    for number in range(1, most, 6 if calls == "writes" else 1):
        fault = f"inject={OF_A_BACKUP[calls]}:error={error}:when={number}"
        done = child(BACKUP, path, tmp_path / "copy", before=("strace", "-f", "-o", os.devnull, "-e", fault))
        if "Error" in done.stdout:
            assert done.stdout.startswith("JournalError "), done
            assert "hint:" in done.stdout, done
            assert (tmp_path / "copy").exists() == ("is there and whole" in done.stdout)
            failed += 1
            tried()
        _see_old_or_whole(path, tmp_path / "copy", done=done.stdout == "done\n")
    assert failed > 0


def test_half_a_backup_is_noticed(path: Path, tmp_path: Path) -> None:
    """The control: what was cut off and has the copy's name is no backup."""
    _to_copy(path)
    _see_old_or_whole(path, tmp_path / "copy", done=False)
    journal = LmdbJournal(path)
    journal.open(TABLES)
    journal.backup(tmp_path / "copy")
    journal.close()
    os.truncate(tmp_path / "copy" / "journal.mdb", 200_000)
    with pytest.raises(AssertionError, match="half a copy has its name"):
        _see_old_or_whole(path, tmp_path / "copy", done=False)
