"""What can reach an actor, what it decided, and what the journal keeps of both.  Plain data, no behaviour.

Inputs, effects and records are named tuples: they are compared, packed and unpacked by the hundred thousand
a second, and a named tuple is packed by msgpack as it is, without a copy.  The leading ``kind`` of each
says which it is, also in the journal, so the numbers below are for ever.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias

Instant: TypeAlias = int
"""Microseconds since 1970 in UTC."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
Ref: TypeAlias = tuple[int, int]
"""An effect's identity: the seq of the turn that asked for it, and its position in that turn."""
Address: TypeAlias = tuple[str, str]
"""An actor's identity in a store: the entity's name and a key."""
Sender: TypeAlias = tuple[str, str, int, int]
"""Who waits inside the store for an answer: an address and a ref."""

# ---- inputs ------------------------------------------------------------------------------------------

SIGNAL: Final = 1
UPDATE: Final = 2
FIRE: Final = 3
START: Final = 4
CANCEL: Final = 5
TERMINATE: Final = 6
RESOLVE: Final = 7
RETRY: Final = 8
DROP: Final = 9
MAIN: Final = 10
CONTINUE: Final = 11
CLOSE: Final = 12
DISCHARGE: Final = 13

KINDS: Final = {
    SIGNAL: "signal",
    UPDATE: "update",
    FIRE: "timer",
    START: "start",
    CANCEL: "cancel",
    TERMINATE: "terminate",
    RESOLVE: "resolution",
    RETRY: "retry",
    DROP: "drop",
    MAIN: "main",
    CONTINUE: "continuation",
    CLOSE: "close",
    DISCHARGE: "discharge",
}


class Input(NamedTuple):
    """Something that reaches an actor: a message, a resolution, or a step of its own course."""

    kind: int
    name: str = ""
    """The handler; of a resolution, how it ended (one of the words below)."""
    body: bytes = b""
    id: str | None = None
    """The once-id."""
    ref: Ref | None = None
    """The effect resolved, the arming that fires, or (with 0) the parked message or the debt meant."""
    sender: Sender | None = None
    options: tuple[str | int | None, ...] | None = None
    """Of a start: the fields of ``Terms``, as many of them as are said."""


class Terms(NamedTuple):
    """On which terms a life begins."""

    if_running: str = "fail"
    if_completed: str = "fail"
    delay: Instant | None = None
    """After so long main begins."""
    timeout: Instant | None = None
    """So long the life may last."""


CHILD_TERMS: Final = Terms(if_completed="new")
"""On which a child begins of which nothing is said."""

BEGIN_MAIN: Final = "(begin)"
TIME_OUT: Final = "(time-out)"
COURSE: Final = frozenset({BEGIN_MAIN, TIME_OUT})
"""Timers of the life itself; no handler's name begins with a parenthesis."""

OK: Final = "ok"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
TIMED_OUT: Final = "timed out"
RESOLUTIONS: Final = frozenset({OK, FAILED, CANCELLED, TIMED_OUT})

# ---- outcomes of a turn ------------------------------------------------------------------------------

ADMITTED: Final = 0
"""No turn yet: the message waits, durable."""
DONE: Final = 1
"""The handler ended, or the resolution was delivered."""
OPEN: Final = 2
"""The handler is suspended."""
PARKED: Final = 3
"""The handler failed before it first suspended; undone, and set aside for an operator."""
REFUSED: Final = 4
"""An update that had waited failed before it first suspended; undone, its caller was told."""
STALE: Final = 5
"""A timer's fire that was overtaken by a later arming or a cancel, or a retry of what is parked no more."""

OUTCOMES: Final = {
    ADMITTED: "admitted",
    DONE: "done",
    OPEN: "open",
    PARKED: "parked",
    REFUSED: "refused",
    STALE: "stale",
}

# ---- effects -----------------------------------------------------------------------------------------


class Schedule(NamedTuple):
    """Run an activity."""

    kind: int
    name: str
    body: bytes
    options: tuple[Any, ...] | None


class Sleep(NamedTuple):
    """Wake a handler at a time."""

    kind: int
    due: Instant


class Await(NamedTuple):
    """Somebody outside will answer (a callback)."""

    kind: int
    due: Instant | None
    type: str


class Ask(NamedTuple):
    """Send an update to another actor and wait for its answer."""

    kind: int
    entity: str
    key: str
    name: str
    body: bytes
    id: str | None
    due: Instant


class Send(NamedTuple):
    """Send a signal to another actor."""

    kind: int
    entity: str
    key: str
    name: str
    body: bytes
    id: str | None


class StartChild(NamedTuple):
    """Begin the life of a child."""

    kind: int
    entity: str
    key: str
    body: bytes
    policy: str
    terms: tuple[str | int | None, ...] | None = None
    """The fields of ``Terms``; none for those of a child of which nothing is said."""


class Arm(NamedTuple):
    """Arm a named timer; replaces an arming of the same handler and arguments."""

    kind: int
    name: str
    body: bytes
    due: Instant


class Disarm(NamedTuple):
    """Cancel a named timer."""

    kind: int
    name: str
    body: bytes


class Withdraw(NamedTuple):
    """Nobody wants this effect any more: cancel it; its resolution, if any, is still recorded once."""

    kind: int
    seq: int
    position: int


class CloseChild(NamedTuple):
    """Tell a child to end, with one of ``cancel`` and ``terminate``."""

    kind: int
    entity: str
    key: str
    how: str


class Ended(NamedTuple):
    """A handler ended that owes an answer or had suspended; the body is its answer or its failure."""

    kind: int
    seq: int
    outcome: str
    body: bytes
    sender: Sender | None


class Closed(NamedTuple):
    """The life is over; its timers with it."""

    kind: int
    status: str
    body: bytes
    parent: Sender | None


Effect: TypeAlias = (
    Schedule | Sleep | Await | Ask | Send | StartChild | Arm | Disarm | Withdraw | CloseChild | Ended | Closed
)

SCHEDULE: Final = 1
SLEEP: Final = 2
AWAIT: Final = 3
ASK: Final = 4
SEND: Final = 5
START_CHILD: Final = 6
ARM: Final = 7
DISARM: Final = 8
WITHDRAW: Final = 9
CLOSE_CHILD: Final = 10
ENDED: Final = 11
CLOSED: Final = 12

EFFECTS: Final[dict[int, type[Any]]] = {
    SCHEDULE: Schedule,
    SLEEP: Sleep,
    AWAIT: Await,
    ASK: Ask,
    SEND: Send,
    START_CHILD: StartChild,
    ARM: Arm,
    DISARM: Disarm,
    WITHDRAW: Withdraw,
    CLOSE_CHILD: CloseChild,
    ENDED: Ended,
    CLOSED: Closed,
}

# ---- records -----------------------------------------------------------------------------------------


class Record(NamedTuple):
    """What the journal says happened: an admission, a turn, or both at once.

    With an input it admits; with an outcome other than ``ADMITTED`` it is a turn, of that input or of the
    one admitted earlier under the same seq.
    """

    seq: int
    now: Instant
    outcome: int
    input: Input | None
    effects: list[Effect]
    extra: dict[str, Any] | None
    """What most turns do not have, under the names below."""


MARKS: Final = "marks"
"""The ids that ``patched`` answered with yes."""
DIGEST: Final = "digest"
"""A digest of the state after the turn."""
CODE: Final = "code"
"""The fingerprint of the code that ran this turn and those after it; where it changed."""
ENGINE: Final = "engine"
"""The version of this core that opened the run."""
NONCE: Final = "nonce"
"""The random bytes that a life is born with."""
STOPPED: Final = "stopped"
"""The parked message holds the mailbox."""
ERROR: Final = "error"
"""Why a message was parked or refused."""
DEBTS: Final = "debts"
"""What handlers that ended in this turn could not undo: by their seq, handler and failure."""

ENGINE_VERSION: Final = 1
"""Raised when the core would run an old journal differently; see ``docs/explanation/core.md``."""
