"""How long does a commit take, and what does the journal add to bare LMDB?

Commits are of one frame, as the runtime writes them: so many records of 80 bytes, packed.  Each figure is the
median of several rounds.  Below the commits with a sync stand the same without: what the journal adds is few
microseconds, and drowns in those of the disk.
"""

from __future__ import annotations

import argparse
import random
import statistics
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lmdb

from persistence import Journal, LmdbJournal, MemoryJournal

ROUNDS = 5
MESSAGES = (1, 16, 128, 1_024)
MESSAGE_BYTES = 80
TABLES = ("rows", "others")


def _median(work: Callable[[], object], times: int) -> float:
    """Microseconds each, the median of the rounds."""
    return statistics.median(_once(work, times) for _ in range(ROUNDS))


@contextmanager
def _bare(folder: Path, frame: bytes, *, sync: bool) -> Iterator[Callable[[], object]]:
    """begin, put, commit, and nothing else."""
    key = struct.Struct(">Q").pack
    path = str(folder / f"bare {len(frame)} {sync}")
    with lmdb.open(path, lib_version=0, map_size=1 << 30, max_dbs=4, sync=sync, metasync=sync) as env:
        log = env.open_db(b"log")
        position = 0

        def commit() -> None:
            nonlocal position
            position += 1
            txn = env.begin(write=True)
            txn.put(key(position), frame, append=True, db=log)
            txn.commit()

        yield commit


@contextmanager
def _opened(journal: Journal) -> Iterator[Journal]:
    journal.open(TABLES)
    yield journal
    journal.close()


def _appending(journal: Journal, frame: bytes) -> Callable[[], object]:
    def commit() -> None:
        with journal.write() as batch:
            batch.append(frame)

    return commit


def _commits(folder: Path, scale: int) -> None:
    """Commits of one frame, beside bare LMDB."""
    print(f"{'µs a commit of one frame':<38}{'bare LMDB':>12}{'journal':>12}{'more':>10}{'µs a message':>16}")
    for sync in (True, False):
        for messages in MESSAGES:
            frame = random.Random(messages).randbytes(MESSAGE_BYTES * messages)
            times = max(1, (4 if sync else 150) * scale // (1 + messages // 16))
            path = folder / f"journal {messages} {sync}"
            journal = LmdbJournal(path, durability="power" if sync else "process")
            with _bare(folder, frame, sync=sync) as bare, _opened(journal):
                least, took = _beside(bare, _appending(journal, frame), times)
            what = f"{messages:>5} messages, {'synced' if sync else 'not synced'}"
            print(f"{what:<38}{least:>12.1f}{took:>12.1f}{took - least:>+10.1f}{took / messages:>16.2f}")
    with _opened(MemoryJournal()) as memory:
        took = _median(_appending(memory, bytes(MESSAGE_BYTES)), 100 * scale)
        print(f"{'    1 message, in memory':<38}{'':>12}{took:>12.1f}")


def _beside(one: Callable[[], object], other: Callable[[], object], times: int) -> tuple[float, float]:
    """Both in turn, round by round: what the disk is doing meanwhile meets both alike."""
    pairs = [(_once(one, times), _once(other, times)) for _ in range(ROUNDS)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def _once(work: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times * 1e6


def _rows_and_reads(folder: Path, scale: int) -> None:
    """What a checkpoint writes, and what is read."""
    rows = 20 * scale
    journal = LmdbJournal(folder / "rows", durability="process")
    value = bytes(200)
    keys = [b"actor-%012d" % number for number in range(rows)]
    shuffled = random.Random(1).sample(keys, rows)

    def write(ordered: Sequence[bytes]) -> None:
        with journal.write() as batch:
            for key in ordered:
                batch.put("rows", key, value)

    def row(what: str, took: float) -> None:
        print(f"{what:<50}{took:>12.2f}")

    print(f"\n{'µs':<50}")
    with _opened(journal):
        row("a row of 200 bytes, in order, one commit for all", _median(lambda: write(keys), 1) / rows)
        row("  in random order", _median(lambda: write(shuffled), 1) / rows)
        some = iter(shuffled * ROUNDS)
        row("a row, read", _median(lambda: journal.read("rows", next(some)), rows))
        row(
            "a row, of a scan of 100",
            _median(lambda: journal.scan("rows", b"", None, at_most=100), scale) / 100,
        )
        for _ in range(scale):
            with journal.write() as batch:
                batch.append(bytes(MESSAGE_BYTES * 128))
        frames = scale
        row("a frame of 128 messages, of the whole log", _median(lambda: _drain(journal), 1) / frames)
        row("a note", _median(lambda: journal.note(value), scale))
        row("room", _median(journal.room, scale))
        row("statistics", _median(journal.statistics, scale))


def _drain(journal: Journal) -> None:
    for _ in journal.frames():
        pass


def _openings(folder: Path, scale: int) -> None:
    """How long until a journal is ready."""
    print(f"\n{'ms':<50}")
    numbers = iter(range(1_000_000))

    def create() -> None:
        with _opened(LmdbJournal(folder / f"new {next(numbers)}")):
            pass

    print(f"{'open one that is not there yet':<50}{_median(create, 3) / 1_000:>12.2f}")
    for frames in (0, 10 * scale):
        journal = LmdbJournal(folder / f"there {frames}")
        with _opened(journal):
            for _ in range(0, frames, 100):
                with journal.write() as batch:
                    for _ in range(100):
                        batch.append(bytes(10_000))

        def reopen(journal: Journal = journal) -> None:
            with _opened(journal):
                pass

        size = f"{sum(entry.stat().st_size for entry in journal.path.iterdir()) >> 20} MB"
        print(f"{f'open and close one of {size}':<50}{_median(reopen, 3) / 1_000:>12.2f}")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=["small", "full"], default="full")
    parser.add_argument("--folder", default=None, help="where to write: the disk that is asked")
    told = parser.parse_args(argv)
    scale = 100 if told.size == "full" else 1
    with tempfile.TemporaryDirectory(dir=told.folder) as folder:
        _commits(Path(folder), scale)
        _rows_and_reads(Path(folder), scale * 10)
        _openings(Path(folder), scale)


if __name__ == "__main__":
    main()
