"""A data file that is only looked at: beside the process that writes it, or while nobody does.

Knows how a reader stays out of a writer's way, and how it notices one that it did not expect.  Writes nothing
into the data file, and makes no file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import lmdb

from persistence import _data_file as data_file
from persistence import _directory as directory
from persistence import _log_files as log_files
from persistence._batch import Standing
from persistence._gate import Gate
from persistence._log_files import LogFiles
from persistence._store import Store
from persistence.journal import Damaged, Locked

__all__ = ["Onlooker"]

T = TypeVar("T")

LOOKS = 20
LOOK_S = 0.01
"""A file that is being written may be shorter than it says for the moment between two calls of the system."""


def _again(look: Callable[[], T]) -> T:
    """Look, and where that finds damage look again: a writer may have been in the middle of something."""
    for _ in range(LOOKS - 1):
        try:
            return look()
        except Damaged:
            time.sleep(LOOK_S)
    return look()


class Onlooker(Store):
    """A data file, mapped to be read.

    Where LMDB's table of readers is there, the reader enters itself: a writer, also one that comes later,
    leaves it the pages that it reads.  Where it is not, as in a backup, nobody has ever opened the file to
    write; making the table would change the directory, so the file is read without, and what was read counts
    only if the file is still the same.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._gate = Gate()
        self._databases = {}
        self._missing: frozenset[str] = frozenset()
        """Tables that this release has and the journal does not: they are empty."""
        self._files = LogFiles(file.parent, sync=False)
        """None of its own."""
        self._page_bytes = 0
        self.bytes_used = 0
        self._beside: dict[int, bytes] = {}
        """What was in the log files when somebody last asked how far the log goes."""
        _again(lambda: directory.check_data_file(file))
        readers = file.with_name(f"{file.name}-lock")
        self._entered = readers.exists() and os.access(readers, os.W_OK)
        self._env = lmdb.open(
            str(file),
            subdir=False,
            create=False,
            readonly=True,
            lock=self._entered,
            lib_version=0,
            map_size=data_file.grains(2 * file.stat().st_size),
            max_dbs=data_file.TABLES_MAX + 2,
            max_spare_txns=0,
        )
        self._as_of = self._env.info()["last_txnid"]

    def open_tables(self, tables: Sequence[str], standing: Standing) -> None:
        """Open those of these tables that are there, and find out where the log stands."""
        env = self.env
        if self._entered:
            env.reader_check()  # whoever was killed while it read holds pages that the writer could use
        data_file.check_format(env, self._file.parent)
        there = [name for name in data_file.table_names(env) if name in tables]
        self._log = log = env.open_db(data_file.LOG, create=False)
        self._meta = env.open_db(data_file.META, create=False)
        self._databases = {name: env.open_db(data_file.table_key(name), create=False) for name in there}
        self._missing = frozenset(tables) - frozenset(there)

        def stand() -> None:
            standing.span = _again(self._span)
            with self._gate, self.env.begin() as txn:
                pages = [data_file.pages_of(txn, each) for each in (log, *self._databases.values())]
                self.bytes_used = sum(pages) * self.env.stat()["psize"] + sum(map(len, self._beside.values()))

        self._steadily(stand)
        standing.tables = frozenset(tables)
        standing.writing = False

    def _steadily(self, look: Callable[[], T]) -> T:
        """Read, with the map as large as the file has become, and only what was there when it was opened."""
        while True:
            try:
                found = look()
            except lmdb.MapResizedError:
                with self._gate.shut():
                    self.env.set_mapsize(0)
                continue
            except lmdb.Error:
                self._see_unchanged()  # that would be the reason
                raise
            self._see_unchanged()
            return found

    def _see_unchanged(self) -> None:
        # A commit writes over no page of the state before it, whoever reads: what was read before the first
        # one is whole.
        if not self._entered and self.env.info()["last_txnid"] != self._as_of:
            raise Locked(
                f"{self._file.parent} has been written by another process since it was opened to be read\n"
                f"hint: open it again; a reader that may not write {directory.DATA}-lock needs a backup"
            )

    def _span(self, hole: int = 0) -> tuple[int, int]:
        """Where the log stands, in both places.

        LMDB is asked first: what came before that is in the log files by then.  And it is asked again: what
        is not in them any more has been moved into it, or was forgotten.  Behind a hole nothing counts: that
        frame was looked for too early, and whoever looks again finds it, or it is missing.
        """
        first, last, _ = self._held()
        filed = dict(log_files.found(self._file.parent, first))
        first, _, held = self._held()
        positions = {*held, *filed}
        end = data_file.end_of(positions, first)
        seen = max(last, *positions, 0)
        if end < last or (end < seen and hole == end + 1):
            raise data_file.missing(end + 1, seen, self._file.parent)
        if end < seen and not hole:
            return self._span(end + 1)
        self._beside = {at: frame for at, frame in filed.items() if first <= at <= end}
        return first, end

    def _held(self) -> tuple[int, int, list[int]]:
        """What LMDB has: the first position, the last one that it knows of, and those that it holds."""
        with self._gate, self.env.begin() as txn, txn.cursor(self._log) as cursor:
            first, last = data_file.expected(txn, self._log, self._meta)
            return first, last, data_file.positions_of(cursor)

    # ---- read ----------------------------------------------------------------------------------------

    def last(self) -> int:
        """The position of the newest frame held, or 0."""
        return self._steadily(lambda: _again(self._span))[1]

    def frames(self, after: int, last: int) -> list[tuple[int, bytes]]:
        """Some of the frames behind a position, and none behind another."""
        beside = self._beside

        def look() -> tuple[int, list[tuple[int, bytes]]]:
            with self._gate, self.env.begin() as txn, txn.cursor(self._log) as cursor:
                first, _ = data_file.expected(txn, self._log, self._meta)
                return first, data_file.frames_between(cursor, max(after, first - 1), last)

        first, held = self._steadily(look)
        last = held[-1][0] if held else last
        filed = [one for one in beside.items() if max(after + 1, first) <= one[0] <= last]
        return sorted({**dict(filed), **dict(held)}.items())

    def read(self, table: str, key: bytes) -> bytes | None:
        """A row's value."""
        if table in self._missing:
            return None
        look = super().read
        return self._steadily(lambda: look(table, key))

    def scan(
        self, table: str, start: bytes, stop: bytes | None, at_most: int, *, reverse: bool
    ) -> list[tuple[bytes, bytes]]:
        """Rows in order."""
        if table in self._missing:
            return []
        look = super().scan
        return self._steadily(lambda: look(table, start, stop, at_most, reverse=reverse))

    def copy(self, to: Path) -> None:
        """Write a compact copy, of what is committed now."""
        self._steadily(lambda: self._copy(to))

    def _copy(self, to: Path) -> None:
        _, last = _again(self._span)
        before = self._beside
        filed = before | _again(lambda: self._copied(to))
        data_file.complete(to, filed.items(), sum(map(len, filed.values())) + 100 * len(filed), last)

    def _copied(self, to: Path) -> dict[int, bytes]:
        """Copy what LMDB holds; gives what is in log files beside that."""
        with self._gate, self.env.begin() as txn, txn.cursor(self._log) as cursor:
            first, last = data_file.expected(txn, self._log, self._meta)
            # At once, before it is forgotten and written over: the copy may take long.
            filed = dict(log_files.found(self._file.parent, first))
            end = data_file.end_of({*data_file.positions_of(cursor), *filed}, first)
            if end < last:
                raise data_file.missing(end + 1, last, self._file.parent)
            self.env.copy(str(to), compact=True, txn=txn)
        return filed
