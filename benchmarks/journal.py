"""How long does a commit take, and what does the journal add to a bare write, or to bare LMDB?

Commits are of one frame, as the runtime writes them: so many records of 80 bytes, packed.  Alone it goes
into a log file, and with a row into LMDB.  Below the commits with a sync stand the same without: what the
journal adds is few microseconds, and drowns in those of the disk.  Then rows, reads and openings.
``TMPDIR`` says which disk is asked.
"""

from __future__ import annotations

import os
import random
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import lmdb

from persistence import Journal, LmdbJournal, MemoryJournal

from ._case import SYNCED, Case, Found, Size

SCALE: dict[Size, int] = {"tiny": 1, "small": 25, "full": 150}
MESSAGES = (1, 16, 128, 1_024)
MESSAGE_BYTES = 80
ROW = bytes(200)
TABLES = ("rows", "others")
UNSYNCED = "handed to the system, not synced"
NOWHERE = "in memory"


def _frame(messages: int) -> bytes:
    return random.Random(messages).randbytes(MESSAGE_BYTES * messages)


def _timed(work: Callable[[], object], times: int) -> float:
    """Microseconds each, the median."""
    took: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return median(took) * 1e6


@contextmanager
def _opened(journal: Journal) -> Iterator[Journal]:
    journal.open(TABLES)
    yield journal
    journal.close()


# -- commits ---------------------------------------------------------------------------------------------


def committed(path: Path, messages: int, times: int, *, sync: bool, row: bytes = b"") -> Found:
    """Commits of one frame, alone or with a row."""
    frame = _frame(messages)
    with _opened(LmdbJournal(path / "journal", durability="power" if sync else "process")) as journal:
        return _committed(journal, frame, messages, times, row)


def remembered(_: Path, times: int) -> Found:
    """The same in memory."""
    with _opened(MemoryJournal()) as journal:
        return _committed(journal, _frame(1), 1, times)


def _committed(journal: Journal, frame: bytes, messages: int, times: int, row: bytes = b"") -> Found:
    def commit() -> None:
        with journal.write() as batch:
            batch.append(frame)
            if row:
                batch.put("rows", b"row", row)

    took = _timed(commit, times)
    assert [kept for _, kept in journal.frames()] == [frame] * times
    return Found(took, times, {"µs a message": took / messages})


def written(path: Path, messages: int, times: int, *, sync: bool) -> Found:
    """A write into a place that the file has already, and nothing else."""
    frame = _frame(messages)
    number = os.open(path / "bare", os.O_RDWR | os.O_CREAT | (os.O_DSYNC if sync else 0), 0o600)
    try:
        os.pwrite(number, bytes(len(frame) * times), 0)
        places = count(0, len(frame))
        return Found(_timed(lambda: os.pwrite(number, frame, next(places)), times))
    finally:
        os.close(number)


def bare(path: Path, messages: int, times: int, *, sync: bool, row: bytes = ROW) -> Found:
    """begin, two puts, commit, and nothing else."""
    key, numbers, frame = struct.Struct(">Q").pack, count(1), _frame(messages)
    with lmdb.open(
        str(path / "bare"), lib_version=0, map_size=1 << 30, max_dbs=4, sync=sync, metasync=sync
    ) as env:
        log, rows = env.open_db(b"log"), env.open_db(b"rows")

        def commit() -> None:
            txn = env.begin(write=True)
            txn.put(key(next(numbers)), frame, append=True, db=log)
            txn.put(b"row", row, db=rows)
            txn.commit()

        return Found(_timed(commit, times))


# -- rows and reads --------------------------------------------------------------------------------------


@contextmanager
def _rows(path: Path, rows: int) -> Iterator[tuple[Journal, list[bytes], Callable[[Sequence[bytes]], None]]]:
    """A journal for rows, their keys, and what writes them in one commit."""
    with _opened(LmdbJournal(path / "journal", durability="process")) as journal:

        def write(keys: Sequence[bytes]) -> None:
            with journal.write() as batch:
                for key in keys:
                    batch.put("rows", key, ROW)

        yield journal, [b"actor-%012d" % number for number in range(rows)], write


def rows_written(path: Path, rows: int, *, shuffled: bool) -> Found:
    """What a checkpoint writes."""
    with _rows(path, rows) as (journal, keys, write):
        ordered = random.Random(1).sample(keys, rows) if shuffled else keys
        took = _timed(lambda: write(ordered), 3) / rows
        assert journal.read("rows", keys[-1]) == ROW
    return Found(took, rows)


def rows_read(path: Path, rows: int) -> Found:
    """In random order."""
    with _rows(path, rows) as (journal, keys, write):
        write(keys)
        some = iter(random.Random(1).sample(keys, rows))
        return Found(_timed(lambda: journal.read("rows", next(some)), rows), rows)


def rows_scanned(path: Path, rows: int) -> Found:
    """A hundred at a time."""
    with _rows(path, rows) as (journal, keys, write):
        write(keys)
        few = len(journal.scan("rows", b"", None, at_most=100))
        return Found(_timed(lambda: journal.scan("rows", b"", None, at_most=100), 20) / few, few)


def frames_read(path: Path, frames: int) -> Found:
    """The whole log."""
    with _opened(LmdbJournal(path / "journal", durability="process")) as journal:
        for _ in range(frames):
            with journal.write() as batch:
                batch.append(bytes(MESSAGE_BYTES * 128))
        return Found(_timed(lambda: sum(1 for _ in journal.frames()), 5) / frames, frames)


def asked(path: Path, what: str, times: int) -> Found:
    """What a runtime asks of it now and then."""
    with _opened(LmdbJournal(path / "journal", durability="process")) as journal:
        works: dict[str, Callable[[], object]] = {
            "a note": lambda: journal.note(ROW),
            "room": journal.room,
            "statistics": journal.statistics,
        }
        return Found(_timed(works[what], times))


# -- openings --------------------------------------------------------------------------------------------


def opened(path: Path, times: int, frames: int | None) -> Found:
    """Milliseconds until one is ready, and closed again: new each time, or with so many frames of 10 KB."""
    numbers = count()
    if frames:
        with _opened(LmdbJournal(path / "journal")) as journal:
            for _ in range(0, frames, 100):
                with journal.write() as batch:
                    for _ in range(min(frames, 100)):
                        batch.append(bytes(10_000))

    def reopen() -> None:
        with _opened(LmdbJournal(path / ("journal" if frames is not None else f"new {next(numbers)}"))):
            pass

    took = _timed(reopen, times) / 1e3
    size = sum(file.stat().st_size for file in (path / "journal").glob("*"))
    return Found(took, frames, {"MB": size / 1e6} if frames else {})


def cases(size: Size) -> Iterator[Case]:
    """Commits, rows, reads, openings."""
    scale = SCALE[size]
    for sync in (True, False):
        for messages in MESSAGES:
            times = max(2 * scale, (4 if sync else 150) * scale // (1 + messages // 16))
            shape: dict[str, Any] = {"messages": messages, "times": times, "sync": sync}
            yield Case(
                where={"what": "a commit" if sync else "a commit, not synced", "messages": messages},
                unit="µs",
                ours=partial(committed, **shape),
                light=partial(written, **shape),
                against="a bare write",
                durability=SYNCED if sync else UNSYNCED,
            )
        for messages in MESSAGES:
            times = max(2 * scale, (4 if sync else 150) * scale // (1 + messages // 16))
            shape = {"messages": messages, "times": times, "sync": sync, "row": ROW}
            what = "a commit with a row"
            yield Case(
                where={"what": what if sync else f"{what}, not synced", "messages": messages},
                unit="µs",
                ours=partial(committed, **shape),
                light=partial(bare, **shape),
                against="bare LMDB",
                durability=SYNCED if sync else UNSYNCED,
            )
    yield _row("a commit, in memory", partial(remembered, times=100 * scale), durability=NOWHERE)
    rows = 100 * scale
    yield _row(
        "a row of 200 bytes, in order, one commit for all", partial(rows_written, rows=rows, shuffled=False)
    )
    yield _row("  in random order", partial(rows_written, rows=rows, shuffled=True))
    yield _row("a row, read", partial(rows_read, rows=rows))
    yield _row("a row, of a scan of 100", partial(rows_scanned, rows=rows))
    yield _row("a frame of 128 messages, of the whole log", partial(frames_read, frames=10 * scale))
    for what in ("a note", "room", "statistics"):
        yield _row(what, partial(asked, what=what, times=10 * scale))
    for what, frames in (
        ("open one that is not there yet", None),
        ("open and close an empty one", 0),
        ("open and close a larger one", 100 * scale),
    ):
        ours = partial(opened, times=3 if size == "tiny" else 10, frames=frames)
        yield _row(what, ours, unit="ms", durability=SYNCED)


def _row(what: str, ours: Callable[[Path], Found], *, unit: str = "µs", durability: str = UNSYNCED) -> Case:
    return Case(where={"what": what}, unit=unit, ours=ours, durability=durability)
