"""Brings the tables up to the log, a slice with each frame, and lets the log be cut off behind.

One slice holds some actors whole, so at every moment the tables say of each actor up to which frame they know
it.  What the log holds of it after that frame comes on top.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from actorflow._core.facts import Instant
from actorflow.errors import DecodeError

from .frame import Frame
from .log import Behind
from .residency import DURABLE
from .resident import Resident, Tail
from .rows import carried
from .wakes import FOR_EVER

if TYPE_CHECKING:
    from .population import Population

__all__ = ["FORGET_FRAMES", "QUIET_US", "Checkpoint"]

SLICE_ACTORS: Final = 8
SLICE_BYTES: Final = 256 << 10
"""How much of a checkpoint travels with one frame, if any does.

Each actor is some pages of LMDB, and everybody in the frame waits for them, where other frames are one write:
0.8 ms for eight, hardly less for four, and twice as long for sixteen (`benchmarks/latency.py`).
"""
LAST_ACTORS: Final = 250
"""The same while closing: nobody waits then for anything else."""
MOST_FOR_EACH: Final = 8
"""By how much more than came with a frame may go with it."""
QUEUE_ACTORS: Final = 1_000
"""For each so many that wait to leave, as many more go with a frame as came with it."""
WITHIN: Final = 0.5
"""A checkpoint is done when so much of the log has filled again, or after ``LAG_US``."""
FORGET_FRAMES: Final = 256
"""How much of the log is cut off with one frame."""
FORGET_EVERY: Final = 32
"""With which of the frames that somebody waits for: eight times as many go as come."""
QUIET_US: Final = 5_000
"""When nobody has sent anything for so long, a checkpoint goes on by itself."""
BEHIND_RECORDS: Final = 500
"""Whoever closes a run with so many records that no table has goes first: they are 5 ms of replay."""
LAG_US: Final = 10_000_000
"""So long the tables may lag behind a log that is not full."""


class Checkpoint:
    """What the tables do not have yet, and how it gets there."""

    def __init__(self, population: Population, log_bytes: int, quiet_us: int) -> None:
        self._population = population
        self._log_bytes = log_bytes
        self._quiet_us = quiet_us
        self._behind = Behind()
        self.tails = self._behind.tails
        """By path, what is in the log and not in the tables."""
        self.tabling: dict[bytes, Resident] = {}
        """Those whose rows travel with a frame that is not durable yet."""
        self.travelling: dict[bytes, Frame] = {}
        """The same for actors that are not in memory: the frame."""
        self._unreadable: dict[bytes, Tail] = {}
        """Records of actors of which the tables cannot even say how many there are."""
        self._leaving: dict[bytes, None] = {}
        """Idle actors that are to be put into the tables, so that they can leave memory."""
        self._soon: list[bytes] = []
        """Who is to be put there with the next frame, whatever else there is."""
        self._todo: deque[bytes] = deque()
        """Who is still to be seen to in the checkpoint under way."""
        self._of = 0
        """How many these were when it began."""
        self._position = 0
        """The frame up to which the log can be cut off when it is done; none is under way at 0."""
        self._forgetting = 0
        """The frame up to which the log is being cut off; 0 if it is not."""
        self._forget_next = 0
        """With which frame that goes on, if it is one that somebody waits for."""
        self._sent_at: Instant | None = None
        """When somebody has last sent anything; nothing if that was long ago."""
        self._began: Instant | None = None
        self._logged = 0
        """Bytes in the log since the last one began, its first frame included."""
        self.count = 0

    # -- reading the log -----------------------------------------------------------------------------------

    def found_in_log(self, path: bytes, position: int, record: bytes) -> None:
        """A journal that is being opened has this."""
        self._behind.take(path, position, record)
        self._logged += len(record)

    def readmit(self, path: bytes) -> None:
        """Somebody has mended what could not be read."""
        tail = self._unreadable.pop(path, None)
        if tail is not None:
            self.tails[path] = tail

    # -- when ----------------------------------------------------------------------------------------------

    def let_leave(self, path: bytes) -> None:
        """Put an idle actor into the tables, whole."""
        self._leaving[path] = None

    def continued(self, path: bytes) -> None:
        """An actor has closed a run: see that whoever makes it again has not all of that to replay."""
        tail = self.tails.get(path)
        if tail is not None and len(tail.records) >= BEHIND_RECORDS:
            self._soon.append(path)

    def due(self, now: Instant) -> bool:
        """Whether there is a reason for a frame that nobody waits for."""
        if self._soon or len(self._leaving) >= SLICE_ACTORS or self._to_begin(now):
            return True
        return self._is_left and (self._sent_at is None or self._population.full)

    @property
    def under_way(self) -> bool:
        """Whether there is something left of one that has begun."""
        return bool(self._todo or self._forgetting)

    @property
    def _is_left(self) -> bool:
        """Whether there is something to do that can wait."""
        return bool(self.under_way or self._leaving)

    @property
    def first(self) -> Instant:
        """When to call ``wake``."""
        return self._sent_at + self._quiet_us if self._sent_at is not None and self._is_left else FOR_EVER

    def wake(self, now: Instant) -> None:
        """Go on with what is under way, if nobody has sent anything for a while."""
        if self.first <= now:
            self._sent_at = None

    @property
    def complete(self) -> bool:
        """Whether the tables hold everything, or will when what was cut is durable."""
        # Whoever leaves takes the log along, also the frames of which the tables know everything.
        left = self._logged if self._population.closing else 0
        return not (self.tails or self._is_left or self._soon or left)

    def _to_begin(self, now: Instant) -> bool:
        if self._position or self._forgetting or not self.tails:
            return False
        if self._began is None:
            self._began = now  # the first is due when the runtime has lived a little
        # At the quota, what is cut off the log makes room.
        return self._population.full or self._logged >= self._log_bytes or now - self._began >= LAG_US

    def set_back(self, by: Instant) -> None:
        """The clock was set back by so much; how long the tables lag behind is a duration."""
        if self._began is not None:
            self._began -= by
        if self._sent_at is not None:
            self._sent_at -= by

    def _begin(self, frame: Frame, now: Instant) -> None:
        self._todo.extend(self.tails)
        self._of = len(self._todo)
        self._position = frame.position - 1
        self._began = now
        self._logged = frame.size  # it outlives this checkpoint, though the tables will know what is in it
        self.count += 1
        for path, tail in self._unreadable.items():
            self._carry(path, tail, frame)

    def _carry(self, path: bytes, tail: Tail, frame: Frame) -> None:
        """Put what only the log has of an actor into it again: it is cut off behind this checkpoint."""
        if tail.positions is None:
            tail.positions = [frame.position] * len(tail.records)
        for position, record in zip(tail.positions, tail.records, strict=True):
            frame.parts += (carried(path, position), record)

    # -- slices --------------------------------------------------------------------------------------------

    def slice(self, frame: Frame, now: Instant, *, final: bool) -> None:
        """Add to a frame, which is complete but for this, what it takes along for the tables.

        ``final`` means that everything is to be there soon, with a snapshot wherever one can be taken.
        """
        self._logged += frame.size
        self._sent_at = now if frame.messages and self._quiet_us else None
        if self._to_begin(now) or (final and not self.under_way and (self.tails or self._logged)):
            self._begin(frame, now)
        chosen = self._choose(frame, now, final=final)
        # All of them are brought into memory first: that may let turns run, also of one another, and what is
        # in this frame has to be in the rows that say that they hold this frame.
        found = {path: self._population.residency.found(path, now) for path in chosen}
        most_bytes = MOST_FOR_EACH * frame.size if self._filled() >= 1 else 0
        size = 0
        for path, put_back in chosen.items():
            if size > max(SLICE_BYTES, most_bytes):
                put_back(path)
            else:
                whole = final or put_back == self.let_leave
                size += self._table(path, found[path], frame, final=whole)
        if not self._todo and self._position:
            self._forgetting = self._forget_next = self._position
            self._position = 0
        free = final or frame.rows or not frame.messages or self._population.full
        if self._forgetting and (free or frame.position >= self._forget_next):
            frame.forget = self._forgetting
            self._forget_next = frame.position + FORGET_EVERY

    def _choose(self, frame: Frame, now: Instant, *, final: bool) -> dict[bytes, Callable[[bytes], object]]:
        """Whose rows travel with a frame, each with what to do where there is no room after all."""
        chosen: dict[bytes, Callable[[bytes], object]] = {}
        crowd = len(self._leaving) // QUEUE_ACTORS
        hurry = MOST_FOR_EACH if self._filled() >= 1 else min(MOST_FOR_EACH, crowd)
        most = max(LAST_ACTORS if final else SLICE_ACTORS, hurry * frame.messages)
        if frame.messages and len(self._leaving) < SLICE_ACTORS and not final:
            most = 0  # some at once: a transaction for each would be dear
        while self._leaving and len(chosen) < most:
            chosen[self._leaving.popitem()[0]] = self.let_leave
        while self._soon:
            chosen.setdefault(self._soon.pop(), self._soon.append)
        most = len(chosen) + self._owed(frame, now, final=final)
        while self._todo and len(chosen) < most:
            path = self._todo.popleft()
            if path in self.tails:
                chosen.setdefault(path, self._todo.appendleft)
        return chosen

    def _owed(self, frame: Frame, now: Instant, *, final: bool) -> int:
        """How many of the checkpoint's actors travel with a frame.

        One that goes as quickly as it can has few callers wait five times as long; one of a fixed pace would
        never be done where more comes with each frame, and the log, the records in memory, and those who wait
        to leave it, would grow for as long as the load lasts.
        """
        if self._began is None or not self._todo:
            return 0
        if final:
            return LAST_ACTORS
        if not frame.messages or self._population.full:
            return SLICE_ACTORS
        passed = max(self._filled(), (now - self._began) / LAG_US)
        owed = round(self._of * min(1.0, passed)) - (self._of - len(self._todo))
        if owed < SLICE_ACTORS and passed < 1:
            return 0  # some at once, here as well
        return min(owed, MOST_FOR_EACH * frame.messages)

    def _filled(self) -> float:
        """How much of the log that a checkpoint may take is filled: at 1 it should be done."""
        return self._logged / (self._log_bytes * WITHIN)

    def _table(self, path: bytes, resident: Resident | None, frame: Frame, *, final: bool) -> int:
        """Add the rows by which the tables know an actor up to this frame; gives their size."""
        shelf = self._population.shelf
        if resident is not None and resident.actor.broken is None:
            self._population.troubles.see_run(resident)
            rows = shelf.rows(resident, frame.position, final=final)
            resident.frame = resident.tabled = frame
            self.tabling[path] = resident
        elif path not in self.tails:
            return 0
        else:
            try:
                # What is in memory of a broken actor is not what its records say.
                head = shelf.head(path) if resident is None else resident.head
                rows, head = shelf.rows_unread(self.tails[path], head, frame.position)
            except DecodeError:
                # Nothing can be said of it, not even how much there is: its records stay in the log.
                tail = self._unreadable[path] = self.tails.pop(path)
                self._carry(path, tail, frame)
                return 0
            self.travelling[path] = frame
            if resident is not None:
                resident.head, resident.tail = head, None
                resident.frame = resident.tabled = frame
        self.tails.pop(path, None)
        frame.rows += rows
        return sum(len(row.value) for row in rows if row.value is not None)

    def committed(self, frame: Frame, forgotten: int) -> None:
        """A frame is durable, and so many frames are gone from the front of the log."""
        for path in [path for path, resident in self.tabling.items() if resident.tabled.done]:
            resident = self.tabling.pop(path)
            if resident.frame is resident.tabled:
                resident.frame = resident.tabled = DURABLE  # or each actor keeps a frame of its own for years
            if resident.head.due is not None:
                # The table may have been read beyond this row before the row was there.
                self._population.alarm(resident, resident.head.due)
        for path in [path for path, there in self.travelling.items() if there.done]:
            del self.travelling[path]
        if frame.forget and forgotten < FORGET_FRAMES and frame.forget == self._forgetting:
            self._forgetting = 0
