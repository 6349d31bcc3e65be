"""The data file of a journal, by LMDB: how it is made, opened, and read within one transaction.

Knows which calls of LMDB are trusted, and with which settings.  Knows neither batches nor threads.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lmdb

from persistence import _directory as directory
from persistence.journal import FORMAT, Damaged, JournalError, Locked, WrongFormat

__all__ = [
    "CHUNK_BYTES",
    "CHUNK_FRAMES",
    "FIRST",
    "GRAIN_BYTES",
    "KEY_BYTES",
    "LAST",
    "LOG",
    "META",
    "PAGES_PER_FILED",
    "TABLES_MAX",
    "add_frames",
    "backward",
    "bring_up",
    "check_format",
    "complete",
    "create",
    "end_of",
    "expected",
    "first_of",
    "forward",
    "frames_between",
    "grains",
    "key_of",
    "last_of",
    "missing",
    "opening_failed",
    "pages_of",
    "positions_of",
    "span_of",
    "table_key",
    "table_names",
    "use",
]

LOG, META, _TABLE = b"log", b"meta", b"table "
FIRST, LAST = b"first", b"last"
"""Of the log when frames were last forgotten; the last one also when a commit had rows and no frames.

So each state of LMDB tells how far the log went then, and what is gone from a log file since is missed.
"""
TABLES_MAX = 30
GRAIN_BYTES = 1 << 20
"""Maps are a multiple of this, which every page size divides."""
PAGES_PER_FILED = 8
"""How many bytes of pages a byte of a log file may come to; a batch of empty frames needs five."""
CHUNK_FRAMES, CHUNK_BYTES = 256, 1 << 20
"""How much of the log is read in one transaction: each that stays open pins all pages freed meanwhile."""

KEY_BYTES = 8
key_of = struct.Struct(">Q").pack
"""The key of a position; keys sort as positions do."""


def table_key(name: str) -> bytes:
    """The name under which LMDB keeps a table; ``log`` and ``meta`` are the journal's own."""
    return _TABLE + name.encode()


def table_names(env: lmdb.Environment) -> list[str]:
    """The tables that are there."""
    return [key.removeprefix(_TABLE).decode() for key in _names(env) if key.startswith(_TABLE)]


def _names(env: lmdb.Environment) -> list[bytes]:
    # Not env.dbs(): that keeps its transaction, whatever max_spare_txns says.  A forked child that ends
    # normally would give it up in the memory that both share, and the parent's next read would fail:
    # MDB_BAD_RSLOT.
    with env.begin() as txn, txn.cursor() as cursor:
        return list(cursor.iternext(values=False))


def grains(size: int) -> int:
    """So many bytes, rounded up."""
    return -(-size // GRAIN_BYTES) * GRAIN_BYTES


# ---- made and opened ---------------------------------------------------------------------------------


def create(path: Path) -> None:
    """Make an empty journal in this directory; it appears whole, or not at all."""
    # LMDB makes a file by writing two pages without a sync.  Cut off anywhere in there, it never opens again.
    new = path / directory.NEW
    new.unlink(missing_ok=True)
    env = lmdb.open(
        str(new), subdir=False, lib_version=0, map_size=GRAIN_BYTES, max_dbs=2, lock=False, mode=0o700
    )
    try:
        with env.begin(write=True) as txn:
            env.open_db(LOG, txn=txn)
            txn.put(b"format", str(FORMAT).encode(), db=env.open_db(META, txn=txn))
        env.sync(True)  # noqa: FBT003 - it takes no name
    finally:
        env.close()
    new.rename(path / directory.DATA)
    directory.sync_directory(path)


def complete(file: Path, frames: Iterable[tuple[int, bytes]], bytes_held: int, last: int) -> None:
    """Put into a copy what is in log files: as far as it tells, and at least up to this position."""
    size = grains(file.stat().st_size + PAGES_PER_FILED * bytes_held + GRAIN_BYTES)
    env = lmdb.open(str(file), subdir=False, lib_version=0, map_size=size, max_dbs=TABLES_MAX + 2, lock=False)
    try:
        log, meta = env.open_db(LOG, create=False), env.open_db(META, create=False)
        with env.begin(write=True) as txn:
            first, known = expected(txn, log, meta)
            # None behind these: a commit may lie between that LMDB took after the copy.
            last = max(last, known)
            add_frames(txn, log, (one for one in frames if first <= one[0] <= last), file.parent)
            span_of(txn, log, meta, file.parent)
    finally:
        env.close()


def use(file: Path, map_bytes: int, *, sync: bool) -> lmdb.Environment:
    """Map a file that ``_directory`` found sound."""
    return lmdb.open(
        str(file),
        subdir=False,
        create=False,
        lib_version=0,  # a variable of the environment may change what is chosen by itself
        map_size=map_bytes,
        max_dbs=TABLES_MAX + 2,
        max_spare_txns=0,  # one kept by a forked child is a reader that never leaves
        sync=sync,
        metasync=sync,
        writemap=False,  # a full disk would kill the process
        meminit=True,  # or bytes of the heap reach the disk
        mode=0o700,  # of the file: 0o600
    )


def check_format(env: lmdb.Environment, path: Path) -> None:
    """Raise unless it is a journal that this release reads; nothing is written."""
    names = _names(env)
    found = b""
    if LOG in names and META in names:
        meta = env.open_db(META, create=False)
        with env.begin(meta) as txn:
            found = txn.get(b"format") or b""
    if not found.isdigit():
        raise WrongFormat(
            f"{path} holds a file of LMDB that is no journal; nothing in it was touched\n"
            "hint: give the journal a directory of its own"
        )
    if int(found) > FORMAT:
        raise WrongFormat(
            f"{path} has format {int(found)}, and this release reads up to {FORMAT}; nothing was touched\n"
            "hint: run the release that wrote it, or a later one"
        )


def opening_failed(path: Path, error: lmdb.Error | OSError) -> JournalError:
    """What to say where LMDB or the system would not open it."""
    said = f"{type(error).__name__}: {error}"
    if "already open in this process" in said:
        return Locked(
            f"{path} is open in this process already\n"
            "hint: use the journal that is open; to look at it from another, open it read_only there"
        )
    if isinstance(error, lmdb.InvalidError | lmdb.CorruptedError | lmdb.PageNotFoundError):
        return Damaged(f"{path}: {said}\nhint: bring it back from a backup; check() tells more")
    return JournalError(
        f"{path} could not be opened: {said}\n"
        "hint: is the disk full, or failing? may this user write there? is memory limited?"
    )


# ---- read within a transaction -----------------------------------------------------------------------


def pages_of(txn: lmdb.Transaction[bytes], database: Any) -> int:
    """How many pages a table takes, this transaction's changes counted."""
    stat = txn.stat(database)
    return stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]


def span_of(txn: lmdb.Transaction[bytes], log: Any, meta: Any, name: object) -> tuple[int, int]:
    """The first position held and the last one given, where all frames are in LMDB."""
    first, last = expected(txn, log, meta)
    held = txn.stat(log)["entries"]
    with txn.cursor(log) as cursor:
        found = int.from_bytes(cursor.key(), "big") if cursor.first() else last + 1
    if first != found or held != last - first + 1:
        raise Damaged(
            f"{name}: frames are missing: the log holds {held} of those from {first} to {last}\n"
            "hint: bring it back from a backup; check() tells which are missing"
        )
    return first, last


def first_of(txn: lmdb.Transaction[bytes], meta: Any) -> int:
    """The first position that was not forgotten."""
    return int.from_bytes(txn.get(FIRST, b"\1", meta), "big")


def last_of(txn: lmdb.Transaction[bytes], log: Any, meta: Any) -> int:
    """The last position that LMDB knows of; there may be others behind it, in log files."""
    with txn.cursor(log) as cursor:
        held = int.from_bytes(cursor.key(), "big") if cursor.last() else 0
    return max(held, int.from_bytes(txn.get(LAST, b"", meta), "big"))


def bring_up(txn: lmdb.Transaction[bytes], log: Any, meta: Any) -> None:
    """Make a journal of an earlier format one of this: that has not told which frame is the first."""
    if int(txn.get(b"format", b"0", meta)) < FORMAT:
        txn.put(FIRST, key_of(_first_held(txn, log, meta)), db=meta)
    txn.put(b"format", str(FORMAT).encode(), db=meta)


def _first_held(txn: lmdb.Transaction[bytes], log: Any, meta: Any) -> int:
    with txn.cursor(log) as cursor:
        if cursor.first():
            return int.from_bytes(cursor.key(), "big")
    return last_of(txn, log, meta) + 1


def expected(txn: lmdb.Transaction[bytes], log: Any, meta: Any) -> tuple[int, int]:
    """The first position that is held, and the last one that LMDB knows of; in journals of any format."""
    earlier = int(txn.get(b"format", b"0", meta)) < FORMAT
    first = _first_held(txn, log, meta) if earlier else first_of(txn, meta)
    return first, last_of(txn, log, meta)


def end_of(positions: Iterable[int], first: int) -> int:
    """How far positions go on from the first one without a hole."""
    end = first - 1
    for position in sorted(positions):
        if position > end + 1:
            break
        end = max(end, position)
    return end


def missing(position: int, last: int, name: object) -> Damaged:
    """What to say of a hole in the log."""
    return Damaged(
        f"{name}: frame {position} is missing, and the log goes on to {last}\n"
        "hint: bring it back from a backup; check() tells which others are"
    )


def add_frames(
    txn: lmdb.Transaction[bytes], log: Any, frames: Iterable[tuple[int, bytes]], name: object
) -> None:
    """Put frames where they belong among those that are there; what is there already has to be the same."""
    for position, frame in frames:
        key = key_of(position)
        if not txn.put(key, frame, db=log, overwrite=False) and txn.get(key, db=log) != frame:
            raise Damaged(
                f"{name} holds two frames at position {position}, and they differ\n"
                "hint: bring it back from a backup; it was not opened, and nothing in it was touched"
            )


def positions_of(cursor: lmdb.Cursor[bytes]) -> list[int]:
    """The positions in the log, in order."""
    return [int.from_bytes(key, "big") for key in cursor.iternext(values=False)]


def frames_between(cursor: lmdb.Cursor[bytes], after: int, last: int) -> list[tuple[int, bytes]]:
    """Some frames of the log, in order: the next ones behind a position, and none behind another."""
    chunk: list[tuple[int, bytes]] = []
    held = 0
    more = cursor.set_range(key_of(after + 1))
    while more and held < CHUNK_BYTES and len(chunk) < CHUNK_FRAMES:
        key, frame = cursor.item()
        position = int.from_bytes(key, "big")
        if position > last:
            break
        chunk.append((position, frame))
        held += len(frame)
        more = cursor.next()
    return chunk


def forward(
    cursor: lmdb.Cursor[bytes], start: bytes, stop: bytes | None, at_most: int
) -> list[tuple[bytes, bytes]]:
    """Rows with ``start <= key < stop``, from the first."""
    rows: list[tuple[bytes, bytes]] = []
    more = cursor.set_range(start[:511]) if start else cursor.first()
    while more and len(rows) < at_most:
        key, value = cursor.item()
        if stop is not None and key >= stop:
            break
        if key >= start:
            rows.append((key, value))
        more = cursor.next()
    return rows


def backward(
    cursor: lmdb.Cursor[bytes], start: bytes, stop: bytes | None, at_most: int
) -> list[tuple[bytes, bytes]]:
    """Rows with ``start <= key < stop``, from the last."""
    rows: list[tuple[bytes, bytes]] = []
    more = cursor.last()
    if stop is not None and cursor.set_range(stop[:511]):
        # A bound longer than any key lies behind the key that it begins with.
        more = cursor.key() < stop or cursor.prev()
    elif stop is not None:
        more = cursor.last()
    while more and len(rows) < at_most:
        key, value = cursor.item()
        if key < start:
            break
        rows.append((key, value))
        more = cursor.prev()
    return rows
