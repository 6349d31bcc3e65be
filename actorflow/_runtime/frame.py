"""What becomes durable together: records of many actors, rows for the tables, and whoever waits for it."""

from __future__ import annotations

from typing import Any, NamedTuple

from actorflow._core.facts import Address

__all__ = ["Answered", "Ended", "Frame", "Row"]


class Row(NamedTuple):
    """A row to be set, or with no value removed."""

    table: str
    key: bytes
    value: bytes | None


class Answered(NamedTuple):
    """An update has its answer."""

    address: Address
    seq: int
    how: str
    body: bytes


class Ended(NamedTuple):
    """A life is over."""

    address: Address
    status: str
    body: bytes


class Frame:
    """What is gathered, handed to the writer, and released, as one."""

    __slots__ = (
        "answered",
        "begun",
        "closed",
        "done",
        "ended",
        "failure",
        "forget",
        "messages",
        "parts",
        "position",
        "repeated",
        "rows",
        "size",
        "stopped",
        "waiting",
    )

    def __init__(self, position: int) -> None:
        self.position = position
        """Its place in the log."""
        self.parts: list[bytes] = []
        """Paths and records, in turns."""
        self.size = 0
        self.messages = 0
        self.rows: list[Row] = []
        self.forget = 0
        """The position up to which the log may be cut off."""
        self.done = False
        """It is durable."""
        self.ended = False
        """It is durable, or never will be."""
        self.failure: BaseException | None = None
        self.waiting: list[Any] = []
        """Who waits for it; what these are, only the host knows."""
        self.repeated: list[tuple[Any, tuple[str, bytes]]] = []
        """Who repeated a message that was answered before, and that answer."""
        self.answered: list[Answered] = []
        self.closed: list[Ended] = []
        self.begun: list[Any] = []
        """Errands of which an attempt begins once this is durable."""
        self.stopped: list[Any] = []
        """Errands whose attempt nobody wants any more."""

    def empty(self) -> None:
        """Let go of what it held: it is durable, and actors remember it for years by that alone."""
        for held in (
            self.parts,
            self.rows,
            self.repeated,
            self.answered,
            self.closed,
            self.begun,
            self.stopped,
        ):
            held.clear()
