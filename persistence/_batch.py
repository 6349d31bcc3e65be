"""A batch while it is collected: what it appends, puts, deletes and forgets, and at which positions.

Nothing is written before the block is left.  So an exception inside it has nothing to undo, a batch that
met a full map is simply written again, and a key that is put twice is written once.  Knows no disk: each
journal says in ``_commit`` what writing is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

from persistence._bounds import checked_key, table_error
from persistence.journal import JournalError

__all__ = ["Collected", "Standing"]


class Standing:
    """What a batch must know of its journal: how far the log goes, which tables there are."""

    __slots__ = ("span", "tables", "writing")

    def __init__(self) -> None:
        self.span: tuple[int, int] = (1, 0)
        """The oldest position held and the last one given; one tuple, so that readers see a pair that was."""
        self.tables: Collection[str] = ()
        self.writing = False
        """Whether a batch is between its beginning and its end; there is one at a time."""


class Collected:
    """A batch, and the ``with`` block around it.

    A class with slots and no generator behind it: ``contextlib`` would cost 0.7 µs more for each commit.
    """

    __slots__ = ("_commit", "_inside", "_standing", "after", "first", "forgot", "frames", "last", "rows")

    def __init__(self, standing: Standing, commit: Callable[[Collected], None]) -> None:
        self._standing = standing
        self._commit = commit
        self._inside = False
        self.after = self.last = 0
        """The last position before this batch, and with it."""
        self.first = 1
        """The oldest position that is still held once this batch is written."""
        self.forgot = False
        self.frames: list[bytes] = []
        self.rows: dict[str, dict[bytes, bytes | None]] = {}
        """For each table what becomes of its keys; None deletes."""

    def __enter__(self) -> Self:
        standing = self._standing
        if standing.writing or self._inside or self.after:
            raise JournalError(
                "a batch is being written already, or this one has been\n"
                "hint: leave the block first, and call write() for each batch"
            )
        standing.writing = self._inside = True
        self.first, self.after = standing.span
        self.last = self.after
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inside = False
        try:
            if kind is None and (self.frames or self.rows or self.forgot):
                self._commit(self)
        finally:
            self._standing.writing = False

    def append(self, frame: bytes, /) -> int:
        """Put a frame at the end of the log; gives its position."""
        if type(frame) is not bytes or not self._inside:
            raise self._misuse(frame)
        self.frames.append(frame)
        self.last = position = self.last + 1
        return position

    def put(self, table: str, key: bytes, value: bytes, /) -> None:
        """Set a row."""
        if type(value) is not bytes or not self._inside:
            raise self._misuse(value)
        self._rows_of(table)[checked_key(key)] = value

    def delete(self, table: str, key: bytes, /) -> None:
        """Remove a row, if it is there."""
        if not self._inside:
            raise self._misuse(b"")
        self._rows_of(table)[checked_key(key)] = None

    def forget(self, position: int, at_most: int, /) -> int:
        """Drop the oldest frames, up to this position and no more than so many."""
        if not self._inside:
            raise self._misuse(b"")
        dropped = min(min(position, self.last) - self.first + 1, at_most)
        if dropped <= 0:
            return 0
        self.first += dropped
        self.forgot = True
        return dropped

    def only_removes(self) -> bool:
        """Whether it makes room and takes none."""
        return not self.frames and all(
            value is None for rows in self.rows.values() for value in rows.values()
        )

    def bytes_added(self) -> int:
        """What its frames and rows come to."""
        held = sum(
            [len(key) + len(value or b"") for rows in self.rows.values() for key, value in rows.items()]
        )
        return held + sum(map(len, self.frames))

    def _rows_of(self, table: str) -> dict[bytes, bytes | None]:
        rows = self.rows.get(table)
        if rows is None:
            if table not in self._standing.tables:
                raise table_error(table, self._standing.tables)
            rows = self.rows[table] = {}
        return rows

    def _misuse(self, value: object) -> Exception:
        if self._inside:
            return TypeError(f"a journal takes bytes, not {type(value).__name__}\nhint: bytes(...) copies")
        return JournalError("the batch is used outside its block\nhint: with journal.write() as batch: ...")
