"""The ids an actor has seen, and how each was answered: the memory behind ``once(id)``.

It belongs to the actor's key, not to a life or a run: an answer outlives the completion that it announced.
Knows time only as a number.  A host that keeps old ids on disk subclasses nothing: it fills in what it
finds with ``remember`` before it steps.
"""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, cast

from attrs import define

from .facts import MICROSECOND, Input, Instant

__all__ = ["NONE_YET", "Ids", "Known"]

NONE_YET: Final[dict[str, Any]] = cast("dict[str, Any]", MappingProxyType({}))
"""In place of a table that nobody has put anything into: most actors are sent nothing by ``once``."""
_OVERHEAD_BYTES = 96
"""What an entry costs besides its strings; measured on the packed form and rounded up."""


@define
class Known:
    """What is known of an id."""

    seq: int
    name: str
    digest: bytes
    how: str | None = None
    """How it was answered; none while the answer is outstanding."""
    body: bytes = b""
    at: Instant = 0
    """When it was answered: the window begins here."""


@define(weakref_slot=False)
class Ids:
    """Ids with their answers, the oldest answer first."""

    window: int
    """Microseconds for which an answer is kept at least."""
    bytes_max: int
    bytes_held: int = 0
    _known: dict[str, Known] = NONE_YET

    @classmethod
    def within(cls, window: timedelta, bytes_max: int) -> Ids:
        return cls(window // MICROSECOND, bytes_max)

    def __len__(self) -> int:
        return len(self._known)

    def find(self, id_: str, now: Instant) -> Known | None:
        """What is known of an id, within the window."""
        known = self._known.get(id_)
        if known is None or (known.how is not None and known.at + self.window <= now):
            return None
        return known

    def full(self, now: Instant) -> bool:
        """Whether a new id would be one too many, after those beyond the window are let go."""
        if self.bytes_held < self.bytes_max:
            return False
        over: list[str] = []
        for id_, known in self._known.items():
            # In the order of their answers, but one still outstanding holds its old place.
            if known.how is None:
                continue
            if known.at + self.window > now:
                break
            over.append(id_)
        for id_ in over:
            self.release(id_)
        return self.bytes_held >= self.bytes_max

    def admit(self, id_: str, seq: int, input_: Input, digest: bytes) -> None:
        """An id has begun to be used."""
        self.remember(id_, Known(seq, input_.name, digest))

    def answer(self, id_: str, seq: int, how: str, body: bytes, now: Instant) -> None:
        """The message of an id has its answer; nothing if another message has the id by now."""
        known = self._known.get(id_)
        if known is not None and known.seq == seq:
            self.remember(id_, Known(seq, known.name, known.digest, how, body, now))

    def release(self, id_: str, seq: int | None = None) -> None:
        """The id is free again."""
        known = self._known.get(id_)
        if known is not None and seq in (None, known.seq):
            del self._known[id_]
            self.bytes_held -= _cost(id_, known)

    def remember(self, id_: str, known: Known) -> None:
        """Put an entry at the young end."""
        self.release(id_)
        if self._known is NONE_YET:
            self._known = {}
        self._known[id_] = known
        self.bytes_held += _cost(id_, known)

    def entries(self) -> dict[str, Known]:
        """All of them, the oldest answer first; for a host's tables and for comparing."""
        return dict(self._known)


def _cost(id_: str, known: Known) -> int:
    return _OVERHEAD_BYTES + len(id_) + len(known.name) + len(known.body)
