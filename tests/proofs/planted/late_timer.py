"""A timer that believes that it fires at its time; after downtime it is late."""

from __future__ import annotations

from datetime import datetime, timedelta

from actorflow import entity, invariant, now, signal, timer

SAYS = "closed_in_time does not hold"
HOUR = timedelta(hours=1)


@entity
class Planted:
    opened: datetime | None = None
    closed: datetime | None = None

    @signal
    def open(self) -> None:
        if self.opened is None:
            self.opened = now()
            self.close().arm(after=HOUR)

    @timer
    def close(self) -> None:
        self.closed = now()

    @invariant
    def closed_in_time(self) -> bool:
        return self.opened is None or self.closed is None or self.closed <= self.opened + HOUR


@entity
class Mended:
    opened: datetime | None = None
    closed: datetime | None = None

    @signal
    def open(self) -> None:
        if self.opened is None:
            self.opened = now()
            self.close().arm(after=HOUR)

    @timer
    def close(self) -> None:
        if self.opened is not None:
            self.closed = min(now(), self.opened + HOUR)

    @invariant
    def closed_in_time(self) -> bool:
        return self.opened is None or self.closed is None or self.closed <= self.opened + HOUR
