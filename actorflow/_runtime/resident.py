"""An actor in memory: the core's actor, and what of it the tables do not have yet."""

from __future__ import annotations

from typing import Final, cast

from actorflow._core.actor import Actor
from actorflow._core.facts import Address, Instant
from actorflow._core.once import NONE_YET, Ids, Known

from .frame import Frame
from .rows import Head

__all__ = ["VACANT_HEAD", "Resident", "StoredIds", "Tail"]

NOBODY: Final = cast("list[object]", ())
"""In place of a line in which nobody stands, as nearly all are."""
VACANT_HEAD = Head(
    0, 0, 0, "", 0, 0, 0, 0, None, awaits=False, ids=0, parked=0, debts=0, tail_bytes=0, snapshots=()
)
"""Of an actor that the tables do not know."""


class StoredIds(Ids):
    """Once-ids that remember which of them the tables do not have as they are."""

    __slots__ = ("touched",)

    def __init__(self, window: int, bytes_max: int) -> None:
        super().__init__(window, bytes_max)
        self.touched: dict[str, None] = NONE_YET

    def remember(self, id_: str, known: Known) -> None:
        super().remember(id_, known)
        self._touch(id_)

    def release(self, id_: str, seq: int | None = None) -> None:
        super().release(id_, seq)
        self._touch(id_)

    def _touch(self, id_: str) -> None:
        if self.touched is NONE_YET:
            self.touched = {}
        self.touched[id_] = None


class Tail:
    """The records of an actor that are in the log and not in the tables."""

    __slots__ = ("path", "positions", "records")

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.records: list[bytes] = []
        self.positions: list[int] | None = None
        """As found in the log when it was opened: the frame of each; none once it is known what is new."""


class Resident:
    """An actor in memory."""

    __slots__ = (
        "actor",
        "address",
        "alarm",
        "fault",
        "frame",
        "head",
        "path",
        "room",
        "tabled",
        "tail",
        "untaken",
        "used",
    )

    def __init__(self, address: Address, path: bytes, actor: Actor, head: Head, frame: Frame) -> None:
        self.address = address
        self.path = path
        self.actor = actor
        self.head = head
        """As the tables have it, or will have it once ``frame`` is durable."""
        self.frame = frame
        """The last frame with anything of this actor."""
        self.tail: Tail | None = None
        self.tabled = frame
        """The frame with which the tables come to ``head``."""
        self.alarm: Instant | None = None
        """When it is looked at next, as far as that is in memory."""
        self.untaken = -1
        """The seq at which no snapshot could be taken, although it was quiet: trying again is in vain."""
        self.used = True
        """Since the hand of the clock that looks for idle ones last came by."""
        self.fault: BaseException | None = None
        """Why it does not go on of itself, although it takes messages."""
        self.room = NOBODY
        """Who waits for room in its mailbox; what these are, only the shell knows."""
        actor.address = address  # the same, and not one more like it

    def line(self) -> list[object]:
        """Where to wait for room."""
        if self.room is NOBODY:
            self.room = []
        return self.room
