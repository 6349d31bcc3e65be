"""An open data file and the log files beside it: writes batches, lets readers in, grows the map under both.

A batch that is frames and nothing else goes into a log file, by one write; any other is a transaction of
LMDB.  Each is durable before the next begins: whatever is found in one, all before it is there in both.

Knows the trapdoors of LMDB's calls.  Knows nothing of the directory, of owners, or of what a failed commit
means to those who wait for it: that is ``lmdb_journal``'s.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lmdb

from persistence import _data_file as data_file
from persistence import _log_files as log_files
from persistence._batch import Collected, Standing
from persistence._bounds import full_error, reserve_bytes, table_error
from persistence._gate import Gate
from persistence._log_files import LogFiles
from persistence.journal import Damaged, JournalError, NotOpen

__all__ = ["Store"]

_key_of = data_file.key_of
_pages_of = data_file.pages_of


class Store:
    """A data file, mapped, with all of its tables opened."""

    def __init__(self, file: Path, quota_bytes: int, map_bytes: int, *, sync: bool) -> None:
        self._file = file
        self._quota_bytes = quota_bytes
        self._reserve_bytes = reserve_bytes(quota_bytes)
        self._file_bytes = file.stat().st_size
        self._limit_bytes = data_file.grains(max(quota_bytes + self._reserve_bytes, self._file_bytes))
        self._sync = sync
        self._gate = Gate()
        map_bytes = data_file.grains(map_bytes)
        while map_bytes < self._file_bytes:
            map_bytes *= 2
        # At least a grain to spare, for the commit with which opening ends.
        left = log_files.bytes_on_disk(file.parent)  # by a process that died
        least = data_file.grains(self._file_bytes + data_file.GRAIN_BYTES + data_file.PAGES_PER_FILED * left)
        map_bytes = max(min(map_bytes, self._limit_bytes), least)
        self._env: lmdb.Environment | None = data_file.use(file, map_bytes, sync=sync)
        self._files = LogFiles(file.parent, sync=sync)
        self._databases: dict[str, Any] = {}
        self._log: Any = None
        self._meta: Any = None
        self._pages: dict[str, int] = {}
        self._page_bytes = 0
        self.bytes_used = 0
        """What the pages of all tables come to; kept by the writer, for whoever asks."""

    @property
    def env(self) -> lmdb.Environment:
        """LMDB's own, while it is open."""
        env = self._env
        if env is None:
            raise NotOpen(f"{self._file.parent} was closed, or its map could not grow\nhint: open it again")
        return env

    def open_tables(self, tables: Sequence[str], standing: Standing) -> None:
        """Open these tables and those that are there, and find out where the log stands."""
        env = self.env
        data_file.check_format(env, self._file.parent)
        names = list(dict.fromkeys([*tables, *data_file.table_names(env)]))
        if len(names) > data_file.TABLES_MAX:
            raise JournalError(
                f"{self._file.parent}: {len(names)} tables, where {data_file.TABLES_MAX} are allowed\n"
                "hint: put what belongs together into one table, under keys that begin differently"
            )
        if self._sync:
            env.sync(True)  # noqa: FBT003 - it takes no name
        # Every table is opened here, in one transaction: opening one later waits for the writer while it
        # holds the interpreter's lock, which the writer needs, and neither ever goes on.
        with env.begin(write=True) as txn:
            self._log = log = env.open_db(data_file.LOG, txn=txn)
            self._meta = meta = env.open_db(data_file.META, txn=txn)
            databases = {name: env.open_db(data_file.table_key(name), txn=txn) for name in names}
            # A commit whose last write was cut off, or failed, may be seen here and not be on the disk.
            # This one writes the other meta page on top of what was seen, and so whoever reads it now reads
            # it for good.
            opened = int(txn.get(b"opened", b"0", meta)) + 1
            txn.put(b"opened", str(opened).encode(), db=meta)
            data_file.bring_up(txn, log, meta)
            left = log_files.found(self._file.parent, data_file.first_of(txn, meta))
            data_file.add_frames(txn, log, left, self._file.parent)
            standing.span = data_file.span_of(txn, log, meta, self._file.parent)
            self._page_bytes = env.stat()["psize"]
            self._pages = {name: _pages_of(txn, database) for name, database in databases.items()}
            self._pages[""] = _pages_of(txn, log)
        log_files.remove(self._file.parent)
        self.bytes_used = sum(self._pages.values()) * self._page_bytes
        standing.tables = frozenset(tables)
        standing.writing = False
        self._databases = {name: databases[name] for name in tables}

    def close(self) -> None:
        """Wait for readers, and let go of the map."""
        with self._gate.shut():
            env, self._env = self._env, None
            if env is not None:
                env.close()
            self._files.close()

    def settle(self, standing: Standing) -> None:
        """Move what the log files hold into LMDB, and remove them; where that fails, they stay."""
        first, last = standing.span
        with contextlib.suppress(lmdb.Error, OSError):  # nothing is lost: whoever opens it next tries again
            if self._files.last >= first:
                with self.env.begin(write=True) as txn:
                    data_file.add_frames(txn, self._log, self._files.walk(last), self._file.parent)
            log_files.remove(self._file.parent)

    # ---- write ---------------------------------------------------------------------------------------

    def write(self, batch: Collected, standing: Standing) -> None:
        """Write a batch, all of it, as often as the map has to grow for it."""
        if not batch.rows and not batch.forgot and self._filed(batch):
            standing.span = (batch.first, batch.last)
            return
        if self._files.bytes_held and not self._fits(batch) and not batch.only_removes():
            # The map would have room: it does not count what lies beside it.
            raise full_error(self._file.parent, self.bytes_used, self._quota_bytes)
        while not self._written(batch, standing):
            self._grow(batch)

    def has_place(self, size: int) -> bool:
        """Whether a frame of so many bytes is one write into a log file that is there."""
        return self._files.has_place(size) and self.bytes_used + size <= self._quota_bytes

    def _filed(self, batch: Collected) -> bool:
        """Write it into a log file; False where it does not belong there, and nothing was written."""
        added = self._files.append(batch.after + 1, batch.frames) if self._fits(batch) else 0
        self.bytes_used += added
        return added > 0

    def _fits(self, batch: Collected) -> bool:
        return self.bytes_used + batch.bytes_added() <= self._quota_bytes + self._reserve_bytes

    def _written(self, batch: Collected, standing: Standing) -> bool:
        """Write it all and commit; False where the map is full, and nothing was written."""
        env = self.env
        first, position = standing.span
        log = self._log
        txn = env.begin(None, None, True)  # noqa: FBT003 - by position, which is quicker: begin(write=True)
        try:
            if batch.frames:
                put = txn.put
                for frame in batch.frames:
                    position += 1
                    if position >= batch.first and not put(_key_of(position), frame, append=True, db=log):
                        raise self._not_as_known(f"a frame at {position} or behind it")  # noqa: TRY301
            pages = self._write_rows(txn, batch) if batch.rows else {}
            if batch.forgot:
                self._forget(txn, first, batch)
            elif not batch.frames and self._files.last == position:
                txn.put(data_file.LAST, _key_of(position), db=self._meta)
            pages[""] = _pages_of(txn, log)
            txn.commit()
        except BaseException as error:
            with contextlib.suppress(lmdb.Error):  # it is over already where the commit itself failed
                txn.abort()
            if isinstance(error, lmdb.MapFullError):
                return False
            raise
        standing.span = (batch.first, position)
        self._files.forget(batch.first)
        self._pages.update(pages)
        self.bytes_used = sum(self._pages.values()) * self._page_bytes + self._files.bytes_held
        if batch.rows or batch.forgot:
            self._keep_length(env)
        return True

    def _write_rows(self, txn: lmdb.Transaction[bytes], batch: Collected) -> dict[str, int]:
        """Gives the pages that each table then has."""
        pages: dict[str, int] = {}
        for table, rows in batch.rows.items():
            database = self._databases[table]
            put: list[tuple[bytes, bytes]] = []
            for key, value in rows.items():
                if value is None:
                    txn.delete(key, db=database)
                else:
                    put.append((key, value))
            if put:
                # In one call: each of them lets go of the interpreter, and a loop that is busy keeps it.
                with txn.cursor(database) as cursor:
                    cursor.putmulti(put)
            pages[table] = _pages_of(txn, database)
        return pages

    def _forget(self, txn: lmdb.Transaction[bytes], first: int, batch: Collected) -> None:
        last = min(batch.first - 1, batch.after)
        filed = self._files.positions(first, last)
        for position in range(first, last + 1):
            if position not in filed and not txn.delete(_key_of(position), db=self._log):
                raise self._not_as_known(f"no frame at {position}")
        txn.put(data_file.FIRST, _key_of(batch.first), db=self._meta)
        # Or positions would start again, once no frame is left to tell the last one.
        txn.put(data_file.LAST, _key_of(batch.last), db=self._meta)

    def _not_as_known(self, found: str) -> Damaged:
        return Damaged(
            f"{self._file.parent} holds {found}: what is on the disk is not what was written\n"
            "hint: did another program write into it? close it, and check() tells more"
        )

    def _grow(self, batch: Collected) -> None:
        """Double the map, up to quota and reserve; what only removes may take the reserve once more."""
        env = self.env
        if env.reader_check():
            return  # somebody was killed while it read, and all pages that were freed since were kept for it
        limit = self._limit_bytes
        if batch.only_removes():
            limit += data_file.grains(self._reserve_bytes)
        now = env.info()["map_size"]
        if now >= limit:
            raise full_error(self._file.parent, self.bytes_used, self._quota_bytes)
        with self._gate.shut():
            try:
                env.set_mapsize(min(now * 2, limit))
            except BaseException:
                # The old map is gone, and the next reader would fall through the floor.
                self._env = None
                env.close()
                raise

    def _keep_length(self, env: lmdb.Environment) -> None:
        """Make the file as long as it says, so that opening tells a loss from a page never written."""
        said = (env.info()["last_pgno"] + 1) * self._page_bytes
        if said <= self._file_bytes:
            return
        with contextlib.suppress(OSError):  # a full disk; then opening takes longer, and that is all
            self._file_bytes = self._file.stat().st_size
            if self._file_bytes < said:
                os.truncate(self._file, said)
                self._file_bytes = said

    # ---- read ----------------------------------------------------------------------------------------

    def last(self) -> int:
        """The position of the newest frame held, or 0."""
        with self._gate, self.env.begin(self._log) as txn, txn.cursor() as cursor:
            held = int.from_bytes(cursor.key(), "big") if cursor.last() else 0
            return max(held, self._files.last)

    def frames(self, after: int, last: int) -> list[tuple[int, bytes]]:
        """Some of the frames behind a position, and none behind another."""
        while True:
            with self._gate, self.env.begin() as txn, txn.cursor(self._log) as cursor:
                held = data_file.frames_between(cursor, after, last)
                first = data_file.first_of(txn, self._meta)
                # What lies between these is in the log files, or was forgotten.
                end = held[-1][0] if held else last
                filed = self._files.between(after, end, data_file.CHUNK_FRAMES, data_file.CHUNK_BYTES)
                if filed and self._files.count(filed[-1][0] + 1, end):
                    held = [one for one in held if one[0] < filed[-1][0]]
                first = max(first, self._files.first)
            found = sorted(held + filed) if filed else held
            if not found or found[0][0] >= first:
                return found
            # Some were forgotten while they were read, in one place sooner than in the other.
            if kept := [one for one in found if one[0] >= first]:
                return kept
            after = found[-1][0]

    def read(self, table: str, key: bytes) -> bytes | None:
        """A row's value."""
        database = self._database(table)
        with self._gate, self.env.begin(database) as txn:
            return txn.get(key)

    def scan(
        self, table: str, start: bytes, stop: bytes | None, at_most: int, *, reverse: bool
    ) -> list[tuple[bytes, bytes]]:
        """Rows in order."""
        database = self._database(table)
        if at_most <= 0 or (stop is not None and stop <= start):
            return []
        walk = data_file.backward if reverse else data_file.forward
        with self._gate, self.env.begin(database) as txn, txn.cursor() as cursor:
            return walk(cursor, start, stop, at_most)

    def _database(self, table: str) -> Any:
        database = self._databases.get(table)
        if database is None:
            raise table_error(table, self._databases)
        return database

    def copy(self, to: Path) -> None:
        """Write a compact copy, of what is committed now."""
        with self._gate, self._files.kept():
            last = self._files.last  # as before the copy: what comes later may lie behind rows that it lacks
            self.env.copy(str(to), compact=True)
            data_file.complete(to, self._files.all(), self._files.bytes_filed, last)
