"""A journal in memory: the reference, which says in plain Python what every journal does.

Knows order and atomicity, and no disk: what it holds outlives ``close``, as a restart in a test needs it,
and dies with the process.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence

from persistence._batch import Collected, Standing
from persistence._bounds import checked_key, checked_note, full_error, reserve_bytes, table_error
from persistence.journal import JournalStatistics, Locked, NotOpen

__all__ = ["MemoryJournal", "Table"]


class Table:
    """Rows by key, and the keys in order: reads by halving."""

    __slots__ = ("_keys", "_rows", "bytes_held")

    def __init__(self) -> None:
        self._keys: list[bytes] = []
        self._rows: dict[bytes, bytes] = {}
        self.bytes_held = 0

    def put(self, key: bytes, value: bytes) -> None:
        """Set a row."""
        held = self._rows.get(key)
        if held is None:
            insort(self._keys, key)
            self.bytes_held += len(key)
        else:
            self.bytes_held -= len(held)
        self._rows[key] = value
        self.bytes_held += len(value)

    def delete(self, key: bytes) -> None:
        """Remove a row, if it is there."""
        held = self._rows.pop(key, None)
        if held is not None:
            del self._keys[bisect_left(self._keys, key)]
            self.bytes_held -= len(key) + len(held)

    def get(self, key: bytes) -> bytes | None:
        """The value of a row."""
        return self._rows.get(key)

    def between(
        self, start: bytes, stop: bytes | None, at_most: int, *, reverse: bool
    ) -> list[tuple[bytes, bytes]]:
        """The rows from one key to before another, in order."""
        low = bisect_left(self._keys, start)
        high = len(self._keys) if stop is None else max(low, bisect_left(self._keys, stop))
        count = max(0, min(at_most, high - low))
        keys = self._keys[high - count : high][::-1] if reverse else self._keys[low : low + count]
        return [(key, self._rows[key]) for key in keys]


class MemoryJournal:
    """A journal that is as quick as memory, and forgets everything with the process."""

    def __init__(self, *, quota_bytes: int = 64 << 30) -> None:
        self._standing = Standing()
        self._quota_bytes = quota_bytes
        self._lock = threading.Lock()
        self._is_open = False
        self._held: dict[int, bytes] = {}
        self._bytes_held = 0
        self._kept: dict[str, Table] = {}
        self._text = b""
        self._commits = 0

    @classmethod
    def holding(cls, batches: Iterable[Collected], *, quota_bytes: int = 64 << 30) -> MemoryJournal:
        """A journal, not opened yet, that holds what these batches wrote, one after the other."""
        journal = MemoryJournal(quota_bytes=quota_bytes)
        journal._hold(batches)
        return journal

    def _hold(self, batches: Iterable[Collected]) -> None:
        """Forget everything, and take these batches."""
        self._held, self._kept, self._bytes_held = {}, {}, 0
        self._standing.span = (1, 0)
        for batch in batches:
            self._apply(batch)

    def __repr__(self) -> str:
        return f"<MemoryJournal: {'open' if self._is_open else 'closed'}, survives nothing>"

    def open(self, tables: Sequence[str], /) -> None:
        """Make ready to read and write these tables, with what they held when it was closed."""
        if self._is_open:
            raise Locked("this journal is open already\nhint: close it first")
        for table in tables:
            self._kept.setdefault(table, Table())
        self._standing.tables = frozenset(tables)
        self._standing.writing = False
        self._commits = 0
        self._is_open = True

    def close(self) -> None:
        """Let nobody read or write until it is opened again."""
        self._is_open = False

    def _must_be_open(self) -> None:
        if not self._is_open:
            raise NotOpen("this journal was not opened, or was closed\nhint: open([...]) opens it")

    def write(self) -> Collected:
        """Write a batch: leaving the block applies it."""
        self._must_be_open()
        return Collected(self._standing, self._commit)

    def _commit(self, batch: Collected, /) -> None:
        self._must_be_open()
        used = self._bytes_used() + batch.bytes_added()
        if used > self._quota_bytes + reserve_bytes(self._quota_bytes) and not batch.only_removes():
            raise full_error("this journal", self._bytes_used(), self._quota_bytes)
        self._apply(batch)
        self._commits += 1

    def _apply(self, batch: Collected) -> None:
        with self._lock:
            self._take(batch)

    def _take(self, batch: Collected) -> None:
        first, last = self._standing.span
        for position, frame in enumerate(batch.frames, last + 1):
            self._held[position] = frame
            self._bytes_held += len(frame)
        for position in range(first, batch.first):
            self._bytes_held -= len(self._held.pop(position))
        for name, rows in batch.rows.items():
            table = self._kept.setdefault(name, Table())
            for key, value in rows.items():
                if value is None:
                    table.delete(key)
                else:
                    table.put(key, value)
        self._standing.span = (batch.first, last + len(batch.frames))

    def frames(self, after: int = 0, /) -> Iterator[tuple[int, bytes]]:
        """Read the log from behind a position, in order: each frame with its position."""
        self._must_be_open()
        return self._walk(max(after, 0), self._standing.span[1])

    def _walk(self, after: int, last: int) -> Iterator[tuple[int, bytes]]:
        while after < last:
            self._must_be_open()
            with self._lock:
                after = max(after + 1, self._standing.span[0])
                frame = self._held.get(after)
            if frame is None or after > last:
                return
            yield after, frame

    def read(self, table: str, key: bytes, /) -> bytes | None:
        """Read a row."""
        with self._lock:
            return self._table(table).get(checked_key(key))

    def scan(
        self, table: str, start: bytes, stop: bytes | None, /, *, at_most: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Read rows with ``start <= key < stop`` in order of their keys; no ``stop`` is the table's end."""
        with self._lock:
            return self._table(table).between(start, stop, at_most, reverse=reverse)

    def _table(self, table: str) -> Table:
        self._must_be_open()
        if table not in self._standing.tables:
            raise table_error(table, self._standing.tables)
        return self._kept[table]

    def note(self, text: bytes, /) -> None:
        """Keep up to 4,000 bytes in the place of the last ones."""
        self._must_be_open()
        self._text = checked_note(text)

    def noted(self) -> bytes:
        """Read the last note; empty if there is none."""
        self._must_be_open()
        return self._text

    def brief(self, size: int, /) -> bool:  # noqa: ARG002 - it says so of any
        """It stands for a disk in tests, and says of none of its commits that they are brief."""
        return False

    def room(self) -> int:
        """How many bytes may still be written before the quota; what is deleted makes room again."""
        self._must_be_open()
        with self._lock:
            return max(0, self._quota_bytes - self._bytes_used())

    def _bytes_used(self) -> int:
        return self._bytes_held + sum([table.bytes_held for table in self._kept.values()])

    def statistics(self) -> JournalStatistics:
        """Count what is held."""
        self._must_be_open()
        with self._lock:  # or it would count half of a batch that another thread commits
            first, last = self._standing.span
            used = self._bytes_used()
        return JournalStatistics(last - first + 1, used, self._quota_bytes, 0, self._commits, "nothing")
