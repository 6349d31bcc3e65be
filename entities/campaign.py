"""What a campaign knows: its segments, how far each of them is, and who was not reached."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from datetime import timedelta
from typing import Final, Literal

from attrs import define, field

from actorflow import (
    ActivityFailed,
    Breaker,
    Cancelled,
    ChildFailed,
    Refused,
    RetryPolicy,
    activity,
    actor,
    entity,
    gather,
    info,
    main,
    query,
    shielded,
    signal,
    start_child,
    update,
    wait_until,
)

__all__ = [
    "AT_A_TIME",
    "RECIPIENTS_MAX",
    "SEGMENTS_AT_A_TIME",
    "SEGMENTS_MAX",
    "SHOWN_MAX",
    "Campaign",
    "Failure",
    "Progress",
    "Segment",
    "Tally",
    "divide",
    "read",
    "send",
]

SEGMENTS_MAX: Final = 1_000
RECIPIENTS_MAX: Final = 1_000
"""Of one segment: as many as a run can hear of, with room to spare."""
SEGMENTS_AT_A_TIME: Final = 20
AT_A_TIME: Final = 50
"""Of one segment."""
REPORTS: Final = 4
"""So often a segment tells how far it is, its end included."""
SHOWN_MAX: Final = 100
"""So many failures a campaign shows; the others are with their segments."""
TOLD_MAX: Final = 10
"""So many of them a segment tells its campaign."""
WHY_MAX: Final = 200
"""Characters of a reason."""


@define
class Failure:
    """Somebody, or a whole segment, that was not reached."""

    who: str
    why: str


@define
class Tally:
    """How many have been reached, and how many never will be."""

    sent: int = 0
    failed: int = 0
    first: list[Failure] = field(factory=list[Failure])
    """The first of those that failed."""


@define
class Progress:
    """How far a campaign is; once it has ended, how it went."""

    stage: str
    segments: int
    ended: int
    sent: int
    failed: int
    lost: list[Failure]
    """Segments that did not come to their end."""
    first: list[Failure]
    """The first recipients that were not reached."""


# Your list of recipients, and your mail or whatever carries it.  Recipients go by names, a segment at a time:
# a journal is no place for letters, nor for a million addresses in one piece.


@activity(start_to_close=timedelta(minutes=5))
async def divide(audience: str) -> list[str]:
    """Name the segments of an audience, none of them with more than a thousand recipients."""
    return [audience]


@activity(start_to_close=timedelta(minutes=5))
async def read(segment: str) -> list[str]:
    """Name the recipients in a segment."""
    return segment.split(",")


@activity(
    retry=RetryPolicy(maximum_attempts=8),
    schedule_to_close=timedelta(days=1),
    concurrency=200,
    breaker=Breaker(failures=20),
)
async def send(text: str, recipient: str) -> None:
    """Send it to one of them; hand ``activity.current().key`` on, by which the other side knows it again.

    ``Refused`` is for an address that there is not, ``Unavailable`` for a server that is down.
    """


@entity
class Campaign:
    """One thing that is sent to many; it ends with its ``Progress``."""

    audience: str
    text: str
    stage: Literal["dividing", "sending", "ended", "cancelled"] = "dividing"
    paused: bool = False
    segments: int = 0
    running: dict[str, Tally] = field(factory=dict[str, Tally])
    """By the segment's key, as far as we have been told."""
    ended: int = 0
    sent: int = 0
    failed: int = 0
    lost: list[Failure] = field(factory=list[Failure])
    first: list[Failure] = field(factory=list[Failure])

    @main
    async def course(self) -> Progress:
        """Divide, and let the segments run, a few at a time; one that fails keeps no other from it."""
        names = list(dict.fromkeys(await divide(self.audience)))
        if len(names) > SEGMENTS_MAX:
            raise Refused(f"{len(names)} segments; {SEGMENTS_MAX} can be run")
        self.stage, self.segments = "sending", len(names)
        try:
            await gather(*(self._segment(name) for name in names), at_most=SEGMENTS_AT_A_TIME)
        except Cancelled:
            self.stage = "cancelled"
            raise
        self.stage = "ended"
        return self.progress()

    async def _segment(self, name: str) -> None:
        """Let one run to its end, and add up what it did."""
        await wait_until(lambda: not self.paused)
        # Nobody else's key, not even of the same campaign begun anew.
        key = f"{info().key}-{info().life}/{name}"
        self.running[key] = Tally()
        child = start_child(Segment(info().key, self.text, name), key)
        try:
            await self._end(name, key, child.result(Tally))
        except Cancelled:
            child.cancel()
            async with shielded():  # until it has ended, and told what it has done
                await self._end(name, key, child.result(Tally))
            raise

    async def _end(self, name: str, key: str, result: Awaitable[Tally]) -> None:
        """Add up what a segment did; what it has told before it failed counts."""
        try:
            tally = await result
        except ChildFailed as failed:
            tally = self.running[key]
            self.lost.append(Failure(name, str(failed)[:WHY_MAX]))
        del self.running[key]
        self.ended += 1
        self.sent += tally.sent
        self.failed += tally.failed
        self.first = [*self.first, *tally.first][:SHOWN_MAX]

    @signal
    def hear(self, segment: str, tally: Tally) -> None:
        """From a segment: how far it is."""
        if segment in self.running:  # and has not ended meanwhile
            self.running[segment] = tally

    @query
    def progress(self) -> Progress:
        under_way = self.running.values()
        return Progress(
            "paused" if self.paused and self.stage == "sending" else self.stage,
            self.segments,
            self.ended,
            self.sent + sum(tally.sent for tally in under_way),
            self.failed + sum(tally.failed for tally in under_way),
            list(self.lost),
            list(self.first),
        )

    @update
    def pause(self) -> None:
        """Begin with nobody new until ``resume``; what is being sent is sent."""
        self._set(paused=True)

    @update
    def resume(self) -> None:
        self._set(paused=False)

    def _set(self, *, paused: bool) -> None:
        if self.paused != paused:
            self.paused = paused
            for key in self.running:
                actor(Segment, key).signal(Segment.set_paused, paused)


@entity
class Segment:
    """A part of a campaign that one actor can see to; it ends with its ``Tally``."""

    campaign: str
    text: str
    name: str
    paused: bool = False
    recipients: int = 0
    sent: int = 0
    failures: list[Failure] = field(factory=list[Failure])
    """All of them, each cut short: there are no more than recipients."""

    @main
    async def course(self) -> Tally:
        """Send it to each, so many at a time; who cannot be reached keeps it from nobody else."""
        recipients = list(dict.fromkeys(await read(self.name)))
        if len(recipients) > RECIPIENTS_MAX:
            raise Refused(f"{len(recipients)} recipients in a segment; {RECIPIENTS_MAX} can be")
        self.recipients = len(recipients)
        # Cancelled or not, it ends with what it did: a campaign that is ending hears of nothing but results.
        with suppress(Cancelled):
            await gather(*(self._send(one) for one in recipients), at_most=AT_A_TIME)
        return self.tally()

    async def _send(self, recipient: str) -> None:
        await wait_until(lambda: not self.paused)
        try:
            await send(self.text, recipient)
        except ActivityFailed as failed:
            self.failures.append(Failure(recipient, failed.message[:WHY_MAX]))
        else:
            self.sent += 1
        done = self.sent + len(self.failures)
        if done < self.recipients and done % max(1, self.recipients // REPORTS) == 0:
            self._report()

    @signal
    def set_paused(self, paused: bool) -> None:  # noqa: FBT001 - a message has no keywords of its own
        """From the campaign."""
        self.paused = paused

    @query
    def tally(self) -> Tally:
        return Tally(self.sent, len(self.failures), self.failures[:TOLD_MAX])

    @query
    def not_reached(self) -> list[Failure]:
        """Everybody who was not; also after the end."""
        return self.failures

    def _report(self) -> None:
        actor(Campaign, self.campaign).signal(Campaign.hear, info().key, self.tally())
