"""What somebody should hear of before it is too late: mailboxes that never move, runs that cannot close.

Said in the log, once for each handler that is the reason; ``describe()`` says it whenever it is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from actorflow._core.outstanding import crowded, stuck
from actorflow.errors import FaultError

from .wakes import FOR_EVER

if TYPE_CHECKING:
    from actorflow._core.facts import Address, Instant

    from .resident import Resident

__all__ = ["Troubles"]

_log = logging.getLogger("actorflow.runtime")

PATIENCE_US: Final = 1_000_000
"""So long a mailbox may stand still before it is looked at."""
REMEMBERED_MAX: Final = 10_000


class Troubles:
    """Who is looked at, and when; and what was said already."""

    def __init__(self) -> None:
        self._waiting: dict[Address, tuple[Instant, Resident]] = {}
        """By when to look, the earliest first: those where a message waits behind a handler."""
        self._said: dict[tuple[Address, str, int], None] = {}

    def waits(self, resident: Resident, now: Instant) -> None:
        """An actor has had a turn, and messages wait: whether they ever move is looked at in a moment."""
        if resident.address not in self._waiting:
            self._waiting[resident.address] = now + PATIENCE_US, resident

    def set_back(self, by: Instant) -> None:
        """The clock was set back by so much; how long a mailbox stands still is a duration."""
        self._waiting = {who: (at - by, resident) for who, (at, resident) in self._waiting.items()}

    @property
    def first(self) -> Instant:
        """When somebody is to be looked at next."""
        return next(iter(self._waiting.values()))[0] if self._waiting else FOR_EVER

    def look(self, now: Instant) -> Iterator[tuple[Resident, FaultError]]:
        """Look at whose mailbox has stood still for long; gives those that never will move, once each."""
        while self.first <= now:
            address, (_, resident) = next(iter(self._waiting.items()))
            del self._waiting[address]
            actor = resident.actor
            if actor.holder is None or not actor.mailbox:
                continue
            report = stuck(actor)
            if report is not None and self._is_new(resident, "stuck", actor.holder.seq):
                _log.error("%s", report)
                yield resident, report

    def see_run(self, resident: Resident) -> None:
        """Warn of a run that is on its way to take no more messages."""
        warning = crowded(resident.actor)
        if warning is not None and self._is_new(resident, warning.limit, next(iter(resident.actor.open))):
            _log.warning("half way to its bound: %s", warning)

    def _is_new(self, resident: Resident, what: str, seq: int) -> bool:
        said = resident.address, what, seq
        if said in self._said:
            return False
        self._said[said] = None
        if len(self._said) > REMEMBERED_MAX:
            del self._said[next(iter(self._said))]
        return True
