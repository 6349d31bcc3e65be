"""A journal in one directory, kept by LMDB: durable when the block is left, and readable while it is written.

Knows who may use it, and when it takes nothing more.  What lies in the directory is ``_directory``'s, what
LMDB is asked is ``_store``'s.  ``docs/explanation/journal.md`` lists the traps, each with its test.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import lmdb

from persistence import _data_file as data_file
from persistence import _directory as directory
from persistence import _log_files as log_files
from persistence._batch import Collected, Standing
from persistence._bounds import checked_key
from persistence._onlooker import Onlooker
from persistence._store import Store
from persistence._upkeep import copied, findings
from persistence.journal import (
    Damaged,
    Full,
    JournalError,
    JournalStatistics,
    Locked,
    NotOpen,
    ReadOnly,
    Stopped,
)

__all__ = ["LmdbJournal"]


class LmdbJournal:
    """A journal in the directory ``path``, which is made if it is not there; its parent has to be.

    ``quota_bytes`` is what ``room`` counts down from; an eighth more is kept as a reserve.  ``map_bytes`` is
    address space, and grows by itself.  ``durability="process"`` leaves out every sync: many times quicker,
    survives ``kill -9``, and may lose or damage everything when the power fails.

    ``read_only=True`` looks at a journal that is there, also while another process has it open.  It holds
    nobody up, and changes nothing but LMDB's table of readers, where there is one.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        quota_bytes: int = 64 << 30,
        map_bytes: int = 1 << 30,
        durability: Literal["power", "process"] = "power",
        read_only: bool = False,
    ) -> None:
        if durability not in {"power", "process"}:
            raise ValueError(f"durability={durability!r}, where 'power' and 'process' are allowed")
        if quota_bytes < 1 or map_bytes < 1:
            raise ValueError(f"quota_bytes={quota_bytes}, map_bytes={map_bytes}, where 1 is the least")
        self.path = Path(path)
        self._quota_bytes = quota_bytes
        self._map_bytes = map_bytes
        self._durability = durability
        self._read_only = read_only
        self._standing = Standing()
        self._store: Store | None = None
        self._note: directory.Note | None = None
        self._lock = -1
        self._commits = 0
        self._stopped: BaseException | None = None
        self._why_closed = "it was not opened\nhint: open([...]) first"
        self._parents: object = None

    def __repr__(self) -> str:
        state = "closed" if self._store is None else "stopped" if self._stopped else "open"
        if self._read_only:
            return f"<LmdbJournal {str(self.path)!r}: {state}, to be read only>"
        survives = "loss of power" if self._durability == "power" else "the death of the process only"
        return f"<LmdbJournal {str(self.path)!r}: {state}, survives {survives}>"

    # ---- open and close ------------------------------------------------------------------------------

    def open(self, tables: Sequence[str], /) -> None:
        """Make ready to read and write these tables, creating what is not there."""
        if self._store is not None:
            raise Locked(f"{self.path} is open already, by this journal\nhint: close it first")
        try:
            if self._read_only:
                self._look_at(tables)
            else:
                self._take(tables)
        except BaseException as error:
            self._let_go()
            # An error without a number is no system's: it was raised here, and has its hint.
            if isinstance(error, lmdb.Error) or (isinstance(error, OSError) and error.errno):
                raise data_file.opening_failed(self.path, error) from error
            raise
        self._commits = 0
        _watch_forks(self)

    def _take(self, tables: Sequence[str]) -> None:
        directory.look(self.path)
        if not self.path.exists():
            self.path.mkdir(mode=0o700, exist_ok=True)
            directory.sync_directory(self.path.parent)
        self._lock = directory.take_lock(self.path)
        if not directory.look(self.path):
            data_file.create(self.path)
        (self.path / directory.NEW).unlink(missing_ok=True)
        file = self.path / directory.DATA
        directory.check_data_file(file)
        power = self._durability == "power"
        self._store = Store(file, self._quota_bytes, self._map_bytes, sync=power)
        self._store.open_tables(tables, self._standing)
        self._note = directory.Note(self.path)

    def _look_at(self, tables: Sequence[str]) -> None:
        if not self.path.exists() or not directory.look(self.path):
            raise FileNotFoundError(f"{self.path}: there is no journal to be read\nhint: is the path right?")
        self._store = Onlooker(self.path / directory.DATA)
        self._store.open_tables(tables, self._standing)

    def close(self) -> None:
        """Let go of everything; closing twice is no mistake."""
        store = self._store
        if store is None:
            return
        try:
            if self._stopped is None and not self._read_only:
                store.settle(self._standing)
            if self._durability == "process" and self._stopped is None and not self._read_only:
                store.env.sync(True)  # noqa: FBT003 - it takes no name
        except lmdb.Error as error:
            raise JournalError(
                f"{self.path} was closed, and may not survive a loss of power: {_said(error)}\n"
                "hint: see to the disk; open the journal again, and see what is there"
            ) from error
        finally:
            self._let_go()
            self._stopped = None
            self._why_closed = "it was closed\nhint: open([...]) opens it again"

    def _let_go(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()
        self._let_go_of_files()

    def _let_go_of_files(self) -> None:
        note, self._note = self._note, None
        if note is not None:
            note.close()
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def orphan(self) -> None:
        """In a forked child: what is open belongs to the parent."""
        # LMDB would let the child write, under locks that it does not hold.  Its map is neither used nor
        # closed here; and the child's share of the lock is given up, or the parent's death would not free
        # it.
        if self._store is None:
            return
        self._parents, self._store = self._store, None
        self._standing.writing = False
        self._let_go_of_files()
        self._why_closed = (
            "this process is a fork of the one that opened it\n"
            "hint: fork first and open after, or start processes with multiprocessing's 'spawn'"
        )

    def _opened(self) -> Store:
        store = self._store
        if store is None:
            raise NotOpen(f"{self.path}: {self._why_closed}")
        return store

    # ---- write ---------------------------------------------------------------------------------------

    def write(self) -> Collected:
        """Write a batch: leaving the block commits it."""
        self._opened()
        self._see_writable()
        if self._stopped is not None:
            raise Stopped(
                f"{self.path} takes nothing more: an earlier commit failed ({_said(self._stopped)})\n"
                "hint: close it and open it again; then it tells what is there"
            ) from self._stopped
        return Collected(self._standing, self._commit)

    def _see_writable(self) -> None:
        if self._read_only:
            raise ReadOnly(
                f"{self.path} was opened to be read only\n"
                "hint: whoever writes opens it without read_only=True, in one process at a time"
            )

    def _commit(self, batch: Collected, /) -> None:
        store = self._opened()
        try:
            store.write(batch, self._standing)
        except Full:
            raise
        except BaseException as error:
            # Also where LMDB would go on, as it does after a sync that failed: what is on the disk is in
            # doubt.
            self._stopped = error
            if not isinstance(error, lmdb.Error | OSError | MemoryError):
                raise
            raise Stopped(
                f"{self.path}: a commit failed, and whether it is on the disk is not known: {_said(error)}\n"
                "hint: see to the disk if it is that; close the journal, open it again, and see what is there"
            ) from error
        self._commits += 1

    # ---- read ----------------------------------------------------------------------------------------

    def frames(self, after: int = 0, /) -> Iterator[tuple[int, bytes]]:
        """Read the log from behind a position, in order: each frame with its position."""
        try:
            # Asked of LMDB, and not of the writer: between its commit and its next line a thread could read
            # a row that tells of a frame, and then not find the frame.
            last = self._opened().last()
        except lmdb.Error as error:
            raise self._reading_failed(error) from error
        return self._walk(max(after, 0), last)

    def _walk(self, after: int, last: int) -> Iterator[tuple[int, bytes]]:
        while after < last:
            try:
                chunk = self._opened().frames(after, last)
            except lmdb.Error as error:
                raise self._reading_failed(error) from error
            if not chunk:
                return
            yield from chunk
            after = chunk[-1][0]

    def read(self, table: str, key: bytes, /) -> bytes | None:
        """Read a row."""
        try:
            return self._opened().read(table, checked_key(key))
        except lmdb.Error as error:
            raise self._reading_failed(error) from error

    def scan(
        self, table: str, start: bytes, stop: bytes | None, /, *, at_most: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Read rows with ``start <= key < stop`` in order of their keys; no ``stop`` is the table's end."""
        try:
            return self._opened().scan(table, start, stop, at_most, reverse=reverse)
        except lmdb.Error as error:
            raise self._reading_failed(error) from error

    def _reading_failed(self, error: lmdb.Error) -> JournalError:
        # LMDB panics when a commit fails in its last write, and a reader may meet that before the writer
        # has said so.
        if self._stopped is not None or isinstance(error, lmdb.PanicError):
            return Stopped(
                f"{self.path} cannot be read since a commit failed: {_said(self._stopped or error)}\n"
                "hint: close it and open it again"
            )
        return Damaged(f"{self.path} cannot be read: {_said(error)}\nhint: close it, and check() tells more")

    # ---- look after ----------------------------------------------------------------------------------

    def note(self, text: bytes, /) -> None:
        """Keep up to 4,000 bytes, cheaply, in the place of the last ones."""
        self._see_writable()
        self._noting().write(text)

    def noted(self) -> bytes:
        """Read the last note; empty if there is none."""
        if self._read_only:
            self._opened()
            return directory.noted(self.path)
        return self._noting().text

    def _noting(self) -> directory.Note:
        self._opened()
        assert self._note is not None
        return self._note

    def brief(self, size: int, /) -> bool:
        """Whether frames of so many bytes have a place in a log file that is there."""
        store = self._store
        return store is not None and store.has_place(size)

    def room(self) -> int:
        """How many bytes may still be written before the quota; what is deleted makes room again."""
        return max(0, self._quota_bytes - self._opened().bytes_used)

    def statistics(self) -> JournalStatistics:
        """Count what is held."""
        used = self._opened().bytes_used
        first, last = self._standing.span
        on_disk = (self.path / directory.DATA).stat().st_blocks * 512 + log_files.bytes_on_disk(self.path)
        return JournalStatistics(
            last - first + 1, used, self._quota_bytes, on_disk, self._commits, self._durability
        )

    def check(self) -> list[str]:
        """Walk a closed journal, page by page and frame by frame; gives what is wrong with it.

        Reads 130 MB a second, and changes nothing.
        """
        if self._store is not None:
            raise Locked(f"{self.path} is open\nhint: close it to check it, or check a backup of it")
        try:
            return findings(self.path)
        except OSError as error:
            raise data_file.opening_failed(self.path, error) from error

    def backup(self, to: str | os.PathLike[str], /) -> None:
        """Make a journal in the directory ``to``, of what is committed now; it may be written meanwhile.

        It is compact, and durable when this returns.  The note is not part of it.  Where the map would have
        to grow meanwhile, the writer waits for the copy: a ``map_bytes`` as large as the quota never does.
        """
        copied(self._opened(), Path(to))


def _said(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}"


# ---- forks -----------------------------------------------------------------------------------------------

_OPENED: weakref.WeakSet[LmdbJournal] = weakref.WeakSet()
_watch_forks = _OPENED.add


def _forked() -> None:
    for journal in list(_OPENED):
        journal.orphan()


os.register_at_fork(after_in_child=_forked)
