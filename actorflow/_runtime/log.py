"""The log behind the tables, as it is found by whoever opens a journal: which records belong to whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from actorflow.errors import DecodeError

from .resident import Tail
from .rows import carried_from, unpack_frame

__all__ = ["Behind", "read_log"]


def read_log(frames: Iterable[tuple[int, bytes]], found: Callable[[bytes, int, bytes], object]) -> int:
    """Hand on path, position and record of all that is there; gives the last position, or 0."""
    position = 0
    for at, data in frames:
        if position and at != position + 1:
            raise DecodeError(f"frame {position + 1} of the log", "it is gone, and later ones are there")
        position = at
        for path, record in unpack_frame(data, f"frame {position} of the log"):
            found(path, position, record)
    return position


class Behind:
    """What the log has of each actor."""

    def __init__(self) -> None:
        self.tails: dict[bytes, Tail] = {}
        """By path; a record that is in the tables, too, is left out by its position."""
        self._carried: dict[bytes, int] = {}
        """The frame that has, once more, all that the log has of an actor."""

    def take(self, path: bytes, position: int, record: bytes) -> None:
        """A journal that is being opened has this."""
        tail = self.tails.get(path)
        if not path[0]:
            at = position
            position, path = carried_from(path)
            tail = self.tails.get(path)
            if self._carried.get(path) != at:
                self._carried[path] = at
                tail = None  # the frames where it was before may still be there, and this takes their place
        if tail is None:
            tail = self.tails[path] = Tail(path)
            tail.positions = []
        assert tail.positions is not None, "it was made above"
        tail.positions.append(position)
        tail.records.append(record)
