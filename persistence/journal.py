"""What a journal is: the contract between the runtime and whatever remembers.  Bytes only, no implementation.

A journal is an append-only **log of frames** and a few **sorted tables**.  What is written in one batch
becomes durable together or not at all.

Threads.  One thread writes at a time.  Any thread reads, also while that one writes, and sees what was
committed before its read began.  ``open`` and ``close`` have the journal to themselves.

Durability.  When a ``write`` block has been left without an exception, its batch survives the death of the
process, and, unless the journal was opened with a weaker mode that says so, the loss of power.

Failure.  An exception raised *inside* the block means that nothing of the batch was written.  When
*leaving* it raises ``Full``, nothing was written either, and the journal goes on.  When leaving it raises
anything else, which is ``Stopped`` or worse, the outcome is unknown and the journal takes nothing more:
close it, open it again, and read what is there.  What can be read before that is good for looking, not for
answering.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

__all__ = [
    "Batch",
    "Damaged",
    "Full",
    "Journal",
    "JournalError",
    "JournalStatistics",
    "Locked",
    "NotOpen",
    "ReadOnly",
    "Stopped",
    "WrongFormat",
]

FORMAT = 2
"""The layout of a journal on disk; a release reads its own and earlier ones."""


class JournalError(Exception):
    """The root of what a journal raises of its own."""


class Locked(JournalError):
    """Another process, or another journal in this one, has the directory open."""


class WrongFormat(JournalError):
    """The directory holds no journal, or one of a later release; nothing in it was touched."""


class Damaged(JournalError):
    """The bytes on disk are not what was written."""

    contained: ClassVar[bool] = True
    """It is a matter of what was asked for; the rest can be read."""


class NotOpen(JournalError):
    """It was not opened, it was closed, or this process is a fork of the one that opened it."""


class ReadOnly(JournalError):
    """It was opened to be looked at, and takes nothing."""


class Full(JournalError):
    """Quota and reserve are used up: nothing of the batch was written; what only removes still can be."""


class Stopped(JournalError):
    """A commit failed with an unknown outcome: nothing more is taken until the journal is opened again."""


class JournalStatistics(NamedTuple):
    """What a journal holds and what it has done since it was opened."""

    frames: int
    """Frames in the log now."""
    bytes_used: int
    """Bytes of what is held, with the structure around it."""
    bytes_quota: int
    """How many it may come to before ``room`` is zero."""
    bytes_on_disk: int
    """What the file system gives up for it; freed space is kept for later use."""
    commits: int
    """Batches committed since it was opened; one that held nothing does not count."""
    durability: str = "power"
    """What a commit survives: loss of "power", the death of the "process", or "nothing"."""


class Batch(Protocol):
    """What is being written; good inside its ``write`` block only."""

    def append(self, frame: bytes, /) -> int:
        """Put a frame at the end of the log; gives its position: 1 for the first ever, then one more each."""
        ...

    def put(self, table: str, key: bytes, value: bytes, /) -> None:
        """Set a row; keys have 1 to 511 bytes, values any number."""
        ...

    def delete(self, table: str, key: bytes, /) -> None:
        """Remove a row, if it is there."""
        ...

    def forget(self, position: int, at_most: int, /) -> int:
        """Drop the oldest frames, up to this position and no more than so many; gives how many.

        Positions are never given again, also when no frame is left.
        """
        ...


@runtime_checkable
class Journal(Protocol):
    """An append-only log of frames and a few sorted tables."""

    def open(self, tables: Sequence[str], /) -> None:
        """Make ready to read and write these tables, creating what is not there; others are kept."""
        ...

    def write(self) -> AbstractContextManager[Batch]:
        """Write a batch: leaving the block commits it."""
        ...

    def frames(self, after: int = 0, /) -> Iterator[tuple[int, bytes]]:
        """Read the log from behind a position, in order: each frame with its position.

        Frames that are appended after this call are not among them.  Those that are forgotten before they
        were reached are left out, and the positions show it: reading holds nothing back.
        """
        ...

    def read(self, table: str, key: bytes, /) -> bytes | None:
        """Read a row."""
        ...

    def scan(
        self, table: str, start: bytes, stop: bytes | None, /, *, at_most: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Read rows with ``start <= key < stop`` in order of their keys; no ``stop`` is the table's end."""
        ...

    def note(self, text: bytes, /) -> None:
        """Keep up to 4,000 bytes, cheaply, in the place of the last ones; any thread.

        They survive the death of the process.  After a loss of power, or where the disk does not take it,
        the last note may be an earlier one, or none.
        """
        ...

    def noted(self) -> bytes:
        """Read the last note; empty if there is none."""
        ...

    def brief(self, size: int, /) -> bool:
        """Whether a batch that appends so many bytes and nothing else is durable after one short write.

        Where it is, a thread to wait for it costs more than waiting.
        """
        ...

    def room(self) -> int:
        """How many bytes may still be written before the quota, never below zero; what is deleted makes room.

        At zero whoever writes should admit nothing new.  A reserve behind it lets what already runs be ended.
        """
        ...

    def statistics(self) -> JournalStatistics:
        """Count what is held."""
        ...

    def close(self) -> None:
        """Let go of everything; closing twice is no mistake."""
        ...
