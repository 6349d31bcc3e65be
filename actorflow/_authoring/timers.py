"""Named durable timers, as a handler arms them: identity is the handler and its arguments."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from actorflow._core.ambient import current, writing
from actorflow.errors import UsageError

from .identity import instant, moment
from .waiting import microseconds

if TYPE_CHECKING:
    from actorflow._core.spec import Handler

__all__ = ["TimerRef"]


class TimerRef:
    """One timer of this actor; ``self.expire(reservation)`` gives it."""

    __slots__ = ("_body", "_handler")

    def __init__(self, handler: Handler, body: bytes) -> None:
        self._handler = handler
        self._body = body

    def arm(self, *, after: timedelta | None = None, at: datetime | None = None) -> None:
        """Let it fire after a time or at a time, once; arming again replaces."""
        actor = writing("arm()")
        if after is not None and at is None:
            due = actor.now + microseconds(after, "arm(after=)")
        elif at is not None and after is None:
            if at.tzinfo is None:
                raise UsageError(
                    f"arm(at={at}) has no time zone\n  hint: now() + ..., or a datetime with tzinfo"
                )
            due = instant(at)
        else:
            raise UsageError("arm() takes one of after= and at=")
        actor.arm(self._handler.name, self._body, due)

    def cancel(self) -> None:
        """Do not fire; nothing if it is not armed."""
        writing("cancel()").disarm(self._handler.name, self._body)

    @property
    def due(self) -> datetime | None:
        """When it fires, or none if it is not armed."""
        arming = current("due").timers.get((self._handler.name, self._body))
        return None if arming is None else moment(arming.due)
