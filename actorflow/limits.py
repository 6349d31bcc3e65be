"""Limits: every bound of the house, with its unit in its name.  Knows nothing else.

Where Temporal has such a bound ours is at or below it, so that an entity that lives here could live there.
"""

from __future__ import annotations

from datetime import timedelta

from attrs import field, frozen
from attrs.validators import gt

__all__ = ["Limits"]


def _bound(default: int) -> int:
    bound: int = field(default=default, validator=gt(0))
    return bound


@frozen(kw_only=True)
class Limits:
    """What one actor may use.  Over a bound is a typed error, never a silent drop."""

    payload_bytes: int = _bound(1 << 20)
    """The arguments of one message, or one answer."""
    state_bytes: int = _bound(16 << 20)
    """The state on which a run may close; while it is larger, the run stays open."""
    mailbox_messages: int = _bound(10_000)
    """Messages admitted and waiting behind an open handler."""
    parked_messages: int = _bound(1_000)
    """Messages set aside; when they are this many, the next that fails stops the mailbox instead."""
    pending_effects: int = _bound(1_000)
    """Effects that wait to be resolved, over all open handlers."""
    turn_effects: int = _bound(2_000)
    """What one turn may ask for."""
    timers: int = _bound(1_000)
    """Named timers armed at a time."""
    children: int = _bound(1_000)
    """Children alive at a time."""
    run_records: int = _bound(10_000)
    """Records in one run while a handler is open: then messages are refused, at twice as many new effects."""
    run_bytes: int = _bound(10 << 20)
    """The same in bytes."""
    continue_records: int = _bound(1_000)
    """A quiet actor continues as new once its run has this many records; at most ``run_records``."""
    continue_bytes: int = _bound(4 << 20)
    """The same in bytes."""
    id_bytes: int = _bound(4 << 20)
    """Once-ids with their answers, within the window; over it new ids are refused."""
    id_window: timedelta = timedelta(hours=24)
    """How long the answer to an id is kept at least."""
    ask_timeout: timedelta = timedelta(minutes=5)
    """How long an update of another actor is awaited, unless the call says otherwise."""
    close_timeout: timedelta = timedelta(minutes=1)
    """How long children that were cancelled may take to end before they are terminated."""

    history_messages: int = _bound(10_000)
    """How many messages of an actor's past are kept; older ones go, a snapshot's worth at a time."""
    history_age: timedelta = timedelta(days=30)
    """How long they are kept."""

    # Of a runtime as a whole.
    resident_actors: int = _bound(10_000)
    """Actors in memory; of more, those that were idle longest leave it."""
    frame_bytes: int = _bound(1 << 20)
    """What may wait for the next commit, before callers are made to wait."""
    log_bytes: int = _bound(32 << 20)
    """How long the log may grow before the tables are brought up to it."""
    running_activities: int = _bound(1_000)
    """Attempts of activities that run at a time; more wait for their turn."""
    activity_threads: int = _bound(40)
    """Threads for activities that are a plain ``def``; for those that hang, up to as many again are lent."""
    loop_wait: timedelta = timedelta(0)
    """While commits are quicker than this, the loop itself waits for the disk, and not a thread."""
    close_grace: timedelta = timedelta(seconds=2)
    """How long attempts that run may go on when the runtime is closed."""

    def __attrs_post_init__(self) -> None:
        """Let what is quiet go on before it is refused, also where only the later bound was set."""
        object.__setattr__(self, "continue_records", min(self.continue_records, self.run_records))
        object.__setattr__(self, "continue_bytes", min(self.continue_bytes, self.run_bytes))

    def shaping(self) -> tuple[object, ...]:
        """Those that a turn can depend on; the others are the runtime's."""
        return tuple(getattr(self, name) for name in SHAPING)


SHAPING = (
    "payload_bytes",
    "state_bytes",
    "mailbox_messages",
    "parked_messages",
    "pending_effects",
    "turn_effects",
    "timers",
    "children",
    "run_records",
    "run_bytes",
    "continue_records",
    "continue_bytes",
    "id_bytes",
    "id_window",
    "ask_timeout",
    "close_timeout",
)
