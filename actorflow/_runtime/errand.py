"""One errand: an activity that was asked for, and what it has come to.  Decides nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from actorflow._authoring.callbacks import key_of, token_of
from actorflow._authoring.waiting import LONGEST
from actorflow._codec import unpack
from actorflow._codec.failures import pack_failure
from actorflow._core.facts import FAILED, MICROSECOND, TIMED_OUT, Address, Instant, Ref, Schedule
from actorflow._core.pending import Pending
from actorflow.errors import Refused, TryLater, Unavailable

from .tables import name_of, numbered

if TYPE_CHECKING:
    from actorflow._authoring.activities import Activity

    from .resident import Resident

__all__ = [
    "DONE",
    "OUTSIDE",
    "PAUSES",
    "RUNS",
    "WAITS",
    "Ending",
    "Errand",
    "alone",
    "ending_of",
    "how_of",
]

WAITS: Final = "waits"
"""For a place among those that run."""
RUNS: Final = "runs"
PAUSES: Final = "pauses"
"""After a failed attempt, before the next."""
OUTSIDE: Final = "outside"
"""The attempt has left its end to somebody outside, who has a token."""
DONE: Final = "done"


class Ending(NamedTuple):
    """How an attempt ended."""

    how: str
    body: bytes = b""
    types: tuple[str, ...] = ()
    """Of the error: its type and those it is derived from, by name; of a time-out none."""
    final: bool = False
    """No other attempt would mend it."""
    after: Instant | None = None
    """The pause that the error asks for."""
    down: bool = False
    """What the activity depends on is down."""
    excused: bool = False
    """It says nothing against the next attempt, so it is not counted against the policy."""


def ending_of(error: BaseException) -> Ending:
    """What an attempt comes to that raised."""
    error = alone(error)
    types = tuple(one.__name__ for one in type(error).__mro__ if one not in (object, BaseException))
    after: Any = error.after if isinstance(error, TryLater) else None
    if after is not None:  # it is an author's, and may be anything
        after = min(after // MICROSECOND, LONGEST) if isinstance(after, timedelta) else None
    down = isinstance(error, Unavailable)
    excused = down or (after is not None and after > 0)  # without any pause, there would be no end to it
    return Ending(FAILED, pack_failure(error), types, isinstance(error, Refused), after, down, excused)


def how_of(failure: bytes) -> str:
    """How an attempt ended of which this is kept: of an error its parts, of a time-out the text alone."""
    return TIMED_OUT if isinstance(unpack(failure), str) else FAILED


def alone(error: BaseException) -> BaseException:
    """The one error of a group of one: raised through a nursery, it is judged as what it is."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    within = cast("BaseExceptionGroup[BaseException]", error).exceptions
    return alone(within[0]) if len(within) == 1 else cast("BaseException", error)


class Errand:
    """One activity that was asked for."""

    __slots__ = (
        "_nonce",
        "activity",
        "address",
        "attempt",
        "beaten",
        "body",
        "close_by",
        "details",
        "due",
        "excused",
        "failure",
        "noted",
        "options",
        "path",
        "phase",
        "ref",
        "run",
        "since",
        "start_by",
        "withdrawn",
    )

    def __init__(self, resident: Resident, ref: Ref, pending: Pending, now: Instant) -> None:
        activity: Activity[Any, Any] = pending.asked
        assert isinstance(pending.effect, Schedule), "activities are asked for by schedules"
        self.address: Address = resident.address
        self.path = resident.path
        self.ref = ref
        self.activity = activity
        self.options = activity.effective
        self.body = pending.effect.body
        self._nonce = resident.actor.nonce
        self.attempt = 0
        """The number of the attempt that runs, or of the last one."""
        self.excused = 0
        """How many of them are not counted against the policy."""
        self.phase = WAITS
        # The actor's own time may be ahead, where the clock was set back.
        self.since: Instant = min(pending.at, now)
        limit = self.options.schedule_to_close
        self.close_by: Instant | None = None if limit is None else self.since + limit // MICROSECOND
        self.start_by: Instant | None = None
        """When it has waited too long for its turn."""
        self.due: Instant = 0
        """The end of a pause; or, outside, of patience."""
        self.failure = b""
        """Of the last attempt."""
        self.details = b""
        """What the last heartbeat told."""
        self.beaten: Instant = 0
        """When that was written down."""
        self.noted = False
        """There is a row."""
        self.withdrawn = False
        self.run: Any = None
        """Whatever the shell has that can be stopped."""

    def __str__(self) -> str:
        return f"activity {self.activity.name} of {name_of(self.path)}"

    @property
    def key(self) -> str:
        """By which the other side knows it again, in every attempt."""
        return key_of(self._nonce, self.ref)

    def set_back(self, by: Instant) -> None:
        """The clock was set back by so much: what is a duration takes no longer for that."""
        self.since -= by
        self.due -= by
        self.beaten -= by
        if self.close_by is not None:
            self.close_by -= by
        if self.start_by is not None:
            self.start_by -= by

    def wants(self, attempt: int) -> bool:
        """Whether anybody waits for what this attempt comes to."""
        return self.attempt == attempt and self.phase == RUNS and not self.withdrawn

    @property
    def counted(self) -> int:
        """How many attempts are counted against the policy."""
        return self.attempt - self.excused

    def token(self, attempt: int) -> str:
        """By which somebody outside may end an attempt."""
        return token_of(*self.address, self._nonce, self.ref, attempt)

    @property
    def row(self) -> bytes:
        """The key of its row."""
        return numbered(self.path, *self.ref)
