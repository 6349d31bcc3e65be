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
from tests.journal.kit import TABLES, append, child, told
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
        *(f"pwrite64,pwritev,writev:error=EIO:when={call}" for call in (1, 6, *range(8, 17))),
        "pwrite64,pwritev,writev:error=ENOSPC:when=12+",
        "pwrite64,pwritev,writev:retval=100:when=13",
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
        append(journal, b"frame")
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
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
acknowledged = 0
try:
    for number in range(1, 1_000):
        with journal.write() as batch:
            batch.append(b"%d " % number + b"x" * 3_000)
            batch.put("rows", b"last", b"%d" % number)
        acknowledged = number
except Stopped as error:
    after = str(error)
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.close()
    journal.open(["rows", "others"])
    after = str(journal.statistics().frames - acknowledged)
print(acknowledged, after)
"""


def test_a_full_disk_stops_the_journal(path: Path) -> None:
    """Where a file may not grow any more a commit is Stopped, and nothing acknowledged is lost."""
    acknowledged, _, after = told(child(FULL_DISK, path)).partition(" ")
    assert int(acknowledged) > 20
    assert "whether it is on the disk is not known" in after
    _acknowledged_are_there(path, int(acknowledged), int(acknowledged) + 1)


def test_space_mends_a_full_disk_without_a_restart(path: Path) -> None:
    """In the same process, closing and opening again goes on once there is space."""
    acknowledged, after = told(child(FULL_DISK, path, "again")).split()
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


SIX = """
import sys
from persistence import LmdbJournal
journal = LmdbJournal(sys.argv[1], map_bytes=1 << 20)
journal.open(["rows", "others"])
for number in range(1, 7):
    with journal.write() as batch:
        batch.append(b"%d " % number + b"x" * 3_000)
        batch.put("rows", b"last", b"%d" % number)
    print(number, flush=True)
"""
DEADLY = [("fdatasync", number) for number in range(1, 12)]
DEADLY += [("pwrite64,pwritev,writev", number) for number in range(1, 22)]
KILLED = -9


@needs_strace
def test_killed_at_a_call_it_has_what_was_acknowledged(path: Path) -> None:
    """Killed by the kernel as it is about to write or to sync, it leaves what was acknowledged, and whole."""
    killed = 0
    for call, number in DEADLY:
        shutil.rmtree(path, ignore_errors=True)
        before = ("strace", "-f", "-o", os.devnull, "-e", f"inject={call}:signal=KILL:when={number}")
        done = child(SIX, path, before=before)
        acknowledged = len(done.stdout.split())
        assert (done.returncode == KILLED) == (acknowledged < 6), done
        _acknowledged_are_there(path, acknowledged, min(acknowledged + 1, 6))
        killed += done.returncode == KILLED
    tried(killed)
    assert killed > 20
