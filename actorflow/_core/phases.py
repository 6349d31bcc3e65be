"""The phases of an actor, and what may reach it in each: one table, which the docs and the tests read too."""

from __future__ import annotations

from typing import Final

from .facts import CANCEL, DISCHARGE, DROP, FIRE, RESOLVE, RETRY, SIGNAL, START, TERMINATE, UPDATE

VACANT: Final = 0
"""No life yet."""
RUNNING: Final = 1
CLOSING: Final = 2
"""The life is ending: open handlers finish, children are being closed; nothing new is admitted."""
CLOSED: Final = 3
BROKEN: Final = 4
"""It could not be made whole from its own records: set aside with a report, for somebody to look at."""

PHASES: Final = {VACANT: "vacant", RUNNING: "running", CLOSING: "closing", CLOSED: "closed", BROKEN: "broken"}

ADMIT: Final = "admit"
BEGIN: Final = "begin"
"""The message begins a life, then is admitted to it."""
REFUSE: Final = "refuse"
"""A usage error at the sender's line; no trace."""
IGNORE: Final = "ignore"
"""It came too late or twice; no trace, no error."""

ADMISSION: Final[dict[int, dict[int, str]]] = {
    VACANT: {
        SIGNAL: BEGIN,
        UPDATE: BEGIN,
        START: BEGIN,
        FIRE: IGNORE,
        RESOLVE: IGNORE,
        CANCEL: REFUSE,
        TERMINATE: REFUSE,
        RETRY: BEGIN,
        DROP: ADMIT,
        DISCHARGE: ADMIT,
    },
    RUNNING: {
        SIGNAL: ADMIT,
        UPDATE: ADMIT,
        START: REFUSE,
        FIRE: ADMIT,
        RESOLVE: ADMIT,
        CANCEL: ADMIT,
        TERMINATE: ADMIT,
        RETRY: ADMIT,
        DROP: ADMIT,
        DISCHARGE: ADMIT,
    },
    CLOSING: {
        SIGNAL: REFUSE,
        UPDATE: REFUSE,
        START: REFUSE,
        FIRE: IGNORE,
        RESOLVE: ADMIT,
        CANCEL: IGNORE,
        TERMINATE: ADMIT,
        RETRY: REFUSE,
        DROP: ADMIT,
        DISCHARGE: ADMIT,
    },
    CLOSED: {
        SIGNAL: REFUSE,
        UPDATE: REFUSE,
        START: BEGIN,
        FIRE: IGNORE,
        RESOLVE: IGNORE,
        CANCEL: IGNORE,
        TERMINATE: IGNORE,
        RETRY: REFUSE,
        DROP: ADMIT,
        DISCHARGE: ADMIT,
    },
    BROKEN: dict.fromkeys(
        (SIGNAL, UPDATE, START, FIRE, RESOLVE, CANCEL, TERMINATE, RETRY, DROP, DISCHARGE), REFUSE
    ),
}

COMPLETED: Final = "completed"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
TERMINATED: Final = "terminated"
TIMED_OUT: Final = "timed out"
STATUSES: Final = frozenset({COMPLETED, FAILED, CANCELLED, TERMINATED, TIMED_OUT})
FROM_OUTSIDE: Final = frozenset({CANCELLED, TIMED_OUT})
"""A life that was told to end so, and then comes to an end of its own, has that end."""
