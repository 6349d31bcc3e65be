"""The log files of a journal that is open, and what is found in them by others.

Knows which of them is written, which are full, and which hold nothing any more and are written anew.  What
a crash leaves is LMDB's once the journal was opened again, and a journal that was closed has none.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from persistence._data_file import CHUNK_BYTES, CHUNK_FRAMES
from persistence._directory import LOG_FILE
from persistence._log_file import START_BYTES, LogFile, frames_of, record_bytes, records

__all__ = ["LogFiles", "bytes_on_disk", "found", "remove"]

BYTES_LEAST: Final = 64 << 10
BYTES_MOST: Final = 1 << 20
"""The first file is small, each further one twice as large.  Making one is writing it full of zeros, and the
commit waits for that: 0.3 to 1.7 ms."""
BRIEF_BYTES_MOST: Final = 256 << 10
"""What is longer takes its time."""
SPARE_BYTES: Final = 1 << 10
"""For what is around a frame."""
FILES_MOST: Final = 64
"""Each takes a descriptor.  Where so many hold what was not forgotten, LMDB takes what follows."""
RECORD_BYTES_MOST: Final = BYTES_MOST - START_BYTES
"""What is longer waits for its bytes and not for a sync; it goes to LMDB."""


class LogFiles:
    """Those that are written since the journal was opened."""

    def __init__(self, directory: Path, *, sync: bool) -> None:
        self._directory = directory
        self._sync = sync
        self._held: tuple[LogFile, ...] = ()
        """With frames that may be asked for, in order; the last one is being written."""
        self._spare: list[LogFile] = []
        self.first = 1
        """What is before this was forgotten."""
        self._made = 0
        self._keepers: set[object] = set()
        """Copies that are being made: nothing may be written over meanwhile."""

    @property
    def last(self) -> int:
        """The last position held, or 0."""
        # Not the last file's: one that was just made has none yet.
        return max([file.last for file in self._held], default=0)

    @property
    def bytes_held(self) -> int:
        """What the frames held come to, as the pages that they take once they are moved."""
        # By their own bytes a journal near its quota would be over it when it is opened again.
        return sum([file.page_bytes for file in self._held])

    def has_place(self, size: int) -> bool:
        """Whether a frame of so many bytes fits into the file that is being written."""
        held = self._held
        return size <= BRIEF_BYTES_MOST and bool(held) and held[-1].size - held[-1].end >= size + SPARE_BYTES

    def append(self, position: int, frames: Sequence[bytes]) -> int:
        """Write these frames, durably; gives by how much more is held.

        That is 0 where they belong into LMDB, and nothing was written.
        """
        needed = record_bytes(frames)
        if needed > RECORD_BYTES_MOST:
            return 0
        file = self._held[-1] if self._held else None
        if file is None or file.size - file.end < needed:
            try:
                file = self._next(needed)
            except OSError:  # a full disk, mostly: LMDB may still have room within its file
                return 0
            if file is None:
                return 0
            self._held = (*self._held, file)
        before = file.page_bytes
        file.append(position, frames)
        return file.page_bytes - before

    def _next(self, needed: int) -> LogFile | None:
        if self._spare and not self._keepers:
            file = max(self._spare, key=lambda one: one.size)
            if file.size >= needed + START_BYTES:
                self._spare.remove(file)
                return file.anew()
        if len(self._held) + len(self._spare) >= FILES_MOST:
            return None
        size = min(BYTES_LEAST << self._made, BYTES_MOST)
        while size < needed + START_BYTES:
            size *= 2
        file = LogFile.made(self._directory / f"{LOG_FILE}{self._made}", size, sync=self._sync)
        self._made += 1
        return file

    def forget(self, first: int) -> None:
        """What is before this position is not asked for again."""
        self.first = first
        held = self._held
        if held and held[0].last < first:
            # In this order: whoever copies finds each in one of the two.
            self._spare += [file for file in held if file.last < first]
            self._held = tuple(file for file in held if file.last >= first)

    def count(self, first: int, last: int) -> int:
        """How many of these positions are held."""
        return sum([file.count(first, last) for file in self._held])

    def positions(self, first: int, last: int) -> set[int]:
        """Which of these positions are held."""
        return {position for file in self._held for position in file.positions(first, last)}

    def between(self, after: int, last: int, at_most: int, bytes_most: int) -> list[tuple[int, bytes]]:
        """Some of the frames, in order: those next behind a position."""
        after = max(after, self.first - 1)
        found: list[tuple[int, bytes]] = []
        for file in self._held:
            if file.last > after and len(found) < at_most and bytes_most > 0:
                more = file.between(after, last, at_most - len(found), bytes_most)
                bytes_most -= sum([len(frame) for _, frame in more])
                found += more
        return found

    def walk(self, last: int) -> Iterator[tuple[int, bytes]]:
        """All frames up to a position that were not forgotten, read as they are asked for."""
        return _walk(self, last)

    def all(self) -> Iterator[tuple[int, bytes]]:
        """All frames in all files, also those that were forgotten; while they are kept."""
        for file in (*self._held, *self._spare):
            yield from _walk(file, file.last)

    @property
    def bytes_filed(self) -> int:
        """What all records come to, also of what was forgotten."""
        return sum([file.end for file in (*self._held, *self._spare)])

    @contextmanager
    def kept(self) -> Generator[None]:
        """Write over nothing meanwhile."""
        keeper = object()
        self._keepers.add(keeper)
        try:
            yield
        finally:
            self._keepers.discard(keeper)

    def close(self) -> None:
        """Let go of the files."""
        held, self._held = self._held, ()
        for file in (*held, *self._spare):
            file.close()
        self._spare = []


def _walk(held: LogFile | LogFiles, last: int) -> Iterator[tuple[int, bytes]]:
    after = 0
    while some := held.between(after, last, CHUNK_FRAMES, CHUNK_BYTES):
        yield from some
        after = some[-1][0]


# ---- by whoever did not write them -------------------------------------------------------------------


def _paths(directory: Path) -> list[Path]:
    named = re.compile(rf"{re.escape(LOG_FILE)}\d+")
    return [path for path in directory.iterdir() if named.fullmatch(path.name)]


def found(directory: Path, first: int) -> Iterator[tuple[int, bytes]]:
    """The frames in all log files of a directory, from a position on; raises where one is damaged."""
    read: list[tuple[Path, bytes]] = []
    for path in _paths(directory):  # at once, and looked at afterwards: a writer may be writing over them
        with suppress(FileNotFoundError):  # its writer has just removed it
            read.append((path, path.read_bytes()))
    for path, data in read:
        for record in records(data, first, path):
            if record.last >= first:
                yield from (one for one in frames_of(data, record) if one[0] >= first)


def bytes_on_disk(directory: Path) -> int:
    """What the file system gives up for them."""
    held = 0
    for path in _paths(directory):
        with suppress(FileNotFoundError):
            held += path.stat().st_blocks * 512
    return held


def remove(directory: Path) -> None:
    """Remove the log files of a directory; what they held is somewhere else, or nowhere any more."""
    for path in _paths(directory):
        path.unlink(missing_ok=True)
