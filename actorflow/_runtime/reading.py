"""A journal as it is read: the one place where its failures are told from an actor's.  Knows bytes only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from actorflow.errors import DecodeError, NotAccepted

if TYPE_CHECKING:
    from persistence import Journal

__all__ = ["Reading"]


class Reading:
    """Rows of a journal.

    What is damaged is a ``DecodeError``, and harms the actor it belongs to.  Anything else that reading
    raises is no actor's fault: whoever asked is told that nothing was taken, and the host that it must stop.
    """

    __slots__ = ("_journal", "lost")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.lost: Callable[[BaseException], None] = lambda _: None
        """Told that the journal cannot be read."""

    def read(self, table: str, key: bytes) -> bytes | None:
        """A row."""
        try:
            return self._journal.read(table, key)
        except Exception as error:  # noqa: BLE001 - a journal that was handed in may raise anything
            self._tell(table, error)

    def scan(
        self, table: str, start: bytes, stop: bytes | None, *, at_most: int
    ) -> list[tuple[bytes, bytes]]:
        """Rows, in order."""
        try:
            return self._journal.scan(table, start, stop, at_most=at_most)
        except Exception as error:  # noqa: BLE001 - as above
            self._tell(table, error)

    def _tell(self, table: str, error: Exception) -> NoReturn:
        if getattr(error, "contained", False):
            raise DecodeError(f"table {table}", str(error)) from error
        self.lost(error)
        raise NotAccepted("this", f"the journal cannot be read: {error}") from error
