"""One log file: how records lie in it, how they are written, and which of what is found in it counts.

A record is a batch that is frames and nothing else.  It becomes durable by one write into a place that the
file system has given already; a commit of LMDB is two syncs one after the other, and some pages more.

A file begins with its signs, 16 bytes: that it is one, a mark, a seed, and a checksum of these.  Mark and
seed are random, so that nobody can send a frame with something in it that passes for a record.

    mark, 4 bytes                    by which a record is found where the one before it is not sound
    checksum, 4                      from the seed, of all that follows
    number of frames, 4
    position of the first, 8
    bytes behind this head, 8
    length of each frame, 4 each; then the frames

A file whose frames are all forgotten is written anew from its start, so older records may lie behind the
newest: they end the file, as zeros do.  A record is written when those before it are durable.  So the last
one may be torn, which nobody was told of; but where a sound one follows that was not forgotten, the file is
damaged.
"""

from __future__ import annotations

import os
import secrets
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from persistence._bounds import page_bytes
from persistence._directory import sync_directory
from persistence.journal import Damaged

__all__ = ["START_BYTES", "LogFile", "Record", "frames_of", "record_bytes", "records"]

_KIND = b"\xf1log"
_SIGNS = struct.Struct(">4s4sII")
START_BYTES = _SIGNS.size
_HEAD = struct.Struct(">4sIIQQ")
_CHECKED = struct.Struct(">IQQ")
"""The part of the head that the checksum is of."""
_CHECKED_AT = _HEAD.size - _CHECKED.size
_LENGTH_BYTES = 4
PIECE_BYTES = 4 << 10
"""A page of the system's cache."""


class Signs(NamedTuple):
    """How the records of one file are told from whatever else lies in it."""

    mark: bytes
    seed: int

    @classmethod
    def new(cls) -> Signs:
        """Some that nobody can guess."""
        return cls(bytes([secrets.randbelow(255) + 1, *secrets.token_bytes(3)]), secrets.randbits(32))

    def packed(self) -> bytes:
        """What a file begins with."""
        checked = _KIND + self.mark + self.seed.to_bytes(4, "big")
        return checked + crc32(checked).to_bytes(4, "big")

    @classmethod
    def of(cls, data: bytes, name: object) -> Signs | None:
        """Those of this file; None where it was cut off while it was made, and nothing was written."""
        if len(data) < START_BYTES or not data.strip(b"\0"):
            return None
        kind, mark, seed, checksum = _SIGNS.unpack_from(data)
        if kind != _KIND or crc32(data[: START_BYTES - 4]) != checksum:
            raise _damaged(name, 0)
        return cls(mark, seed)


def _damaged(name: object, at: int) -> Damaged:
    return Damaged(
        f"{name} is damaged at byte {at}: what lies there is not sound, and more follows\n"
        "hint: bring the journal back from a backup; it was not opened, and nothing in it was touched"
    )


class Record(NamedTuple):
    """A record as it was found."""

    position: int
    """Of its first frame."""
    at: int
    """Where its first frame begins."""
    lengths: tuple[int, ...]

    @property
    def last(self) -> int:
        """The position of its last frame."""
        return self.position + len(self.lengths) - 1

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.at + sum(self.lengths)


def record_bytes(frames: Sequence[bytes]) -> int:
    """How long a record of these frames is."""
    return _HEAD.size + sum(map(len, frames)) + _LENGTH_BYTES * len(frames)


def _packed(signs: Signs, position: int, frames: Sequence[bytes]) -> bytes:
    lengths = struct.pack(f">{len(frames)}I", *map(len, frames))
    checked = _CHECKED.pack(len(frames), position, record_bytes(frames) - _HEAD.size)
    rest = b"".join([checked, lengths, *frames])
    return b"".join([signs.mark, crc32(rest, signs.seed).to_bytes(4, "big"), rest])


def _record_at(data: bytes, at: int, signs: Signs) -> Record | None:
    """The record that begins here, if there is one and it is sound."""
    if not data.startswith(signs.mark, at) or at + _HEAD.size > len(data):
        return None
    _, checksum, count, position, body_bytes = _HEAD.unpack_from(data, at)
    frames_at = at + _HEAD.size + _LENGTH_BYTES * count
    end = at + _HEAD.size + body_bytes
    if not count or not frames_at <= end <= len(data):
        return None
    if crc32(memoryview(data)[at + _CHECKED_AT : end], signs.seed) != checksum:
        return None
    return Record(position, frames_at, struct.unpack_from(f">{count}I", data, at + _HEAD.size))


def records(data: bytes, first: int, name: object) -> Iterator[Record]:
    """What a log file holds, in order; raises where one from this position on follows what is not sound."""
    signs = Signs.of(data, name)
    if signs is None:
        return
    at, after = START_BYTES, 0
    while (found := _record_at(data, at, signs)) is not None and found.position > after:
        yield found
        after, at = found.last, found.end
    behind = data.find(signs.mark, at + 1)
    while behind >= 0:
        found = _record_at(data, behind, signs)
        if found is not None and found.last >= max(first, after + 1):
            raise _damaged(name, at)
        behind = data.find(signs.mark, behind + 1)


def frames_of(data: bytes, record: Record) -> Iterator[tuple[int, bytes]]:
    """The frames of a record, each with its position."""
    at = record.at
    for position, length in enumerate(record.lengths, record.position):
        yield position, data[at : at + length]
        at += length


class LogFile:
    """A log file that is being written; one that is begun anew from its start is another object."""

    def __init__(self, path: Path, number: int, size: int, signs: Signs) -> None:
        self.path = path
        self._number = number
        self.size = size
        self._signs = signs
        self.end = START_BYTES
        """Where the next record goes."""
        self.over = False
        """It is written over: what was read meanwhile does not count."""
        self._positions = array("Q")
        self._places = array("Q")
        self._lengths = array("Q")
        self.page_bytes = 0
        """What its frames take once they are moved into LMDB."""

    @classmethod
    def made(cls, path: Path, size: int, *, sync: bool) -> LogFile:
        """Make one of so many bytes, all of them given by the file system."""
        signs = Signs.new()
        try:
            _fill(path, signs.packed().ljust(size, b"\0"), sync=sync)
            number = os.open(path, os.O_RDWR | (os.O_DSYNC if sync else 0))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return cls(path, number, size, signs)

    def anew(self) -> LogFile:
        """The same file, to be written from its start; of this object nothing counts any more."""
        self.over = True
        return LogFile(self.path, self._number, self.size, self._signs)

    @property
    def last(self) -> int:
        """The last position in it, or 0."""
        return self._positions[-1] if self._positions else 0

    def append(self, position: int, frames: Sequence[bytes]) -> None:
        """Write a record; durable when this returns."""
        data = _packed(self._signs, position, frames)
        _put(self._number, data, self.end)
        at = self.end + len(data) - sum(map(len, frames))
        self.end += len(data)
        for number, frame in enumerate(frames, position):
            self._places.append(at)
            self._lengths.append(len(frame))
            self._positions.append(number)  # the last of the three: readers go by it
            at += len(frame)
            self.page_bytes += page_bytes(len(frame))

    def count(self, first: int, last: int) -> int:
        """How many of these positions it holds."""
        return bisect_right(self._positions, last) - bisect_left(self._positions, first)

    def positions(self, first: int, last: int) -> array[int]:
        """Which of these positions it holds."""
        return self._positions[bisect_left(self._positions, first) : bisect_right(self._positions, last)]

    def between(self, after: int, last: int, at_most: int, bytes_most: int) -> list[tuple[int, bytes]]:
        """Some of its frames, in order: those next behind a position."""
        found: list[tuple[int, bytes]] = []
        held = 0
        for place in range(bisect_right(self._positions, after), len(self._positions)):
            position = self._positions[place]
            if position > last or len(found) >= at_most or held >= bytes_most:
                break
            frame = os.pread(self._number, self._lengths[place], self._places[place])
            if self.over:
                return []  # they were forgotten before they were reached
            found.append((position, frame))
            held += len(frame)
        return found

    def close(self) -> None:
        """Let go of it."""
        os.close(self._number)


def _fill(path: Path, data: bytes, *, sync: bool) -> None:
    """Make a file of these bytes, durably."""
    # Written, and not only reserved: the first write into a reserved place is a change of metadata, for which
    # a sync waits as well.  In pieces: what came as one is kept as one, and counts as written anew with every
    # record.
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        done = 0
        while done < len(data):
            done += os.write(number, data[done : done + PIECE_BYTES])
        if sync:
            os.fsync(number)
            sync_directory(path.parent)
    finally:
        os.close(number)


def _put(number: int, data: bytes, at: int) -> None:
    """Write all of it, or raise."""
    written = os.pwrite(number, data, at)
    while written < len(data):  # as at a limit, or where a signal came
        written += os.pwrite(number, data[written:], at + written)
