"""What a schedule knows: its plan, what is due next, what runs, what waits, and what was missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import define, field
from cronsim import CronSim, CronSimError

from actorflow import (
    ActivityFailed,
    ActorCompleted,
    ActorflowError,
    ChildFailed,
    Refused,
    activity,
    actor,
    entity,
    info,
    main,
    now,
    query,
    race,
    signal,
    start_child,
    timer,
    update,
    wait_until,
)

__all__ = [
    "Gap",
    "Overlap",
    "Plan",
    "Report",
    "Run",
    "Runner",
    "Schedule",
    "Standing",
    "instants",
    "produce",
]

AHEAD: Final = 20
"""So many instants are asked for at a time."""
BACKLOG_MAX: Final = 1_000
RUNNING_MAX: Final = 100
SHOWN_MAX: Final = 50
LOOK_AGAIN: Final = timedelta(hours=1)
"""So often the next instant is chosen anew: governments change the rules of their time zones."""
CHECK: Final = timedelta(hours=1)
"""So often it is asked whether what runs is still there."""
PATIENCE: Final = timedelta(seconds=10)
SHORTEST: Final = timedelta(seconds=1)
MOMENT: Final = timedelta(microseconds=1)


class Overlap(Enum):
    """What becomes of an instant that comes while a run goes on."""

    SKIP = "skip"
    """Nothing."""
    BUFFER_ONE = "buffer one"
    """It is run afterwards; of several, the first."""
    CANCEL_OTHER = "cancel other"
    """What runs is cancelled, and it is run once that has ended; of several, the last."""
    ALLOW = "allow"
    """It is run all the same."""


@define
class Plan:
    """When to run: by a line of cron, or by an interval."""

    cron: str = ""
    """Five fields, as in a crontab; they are read in ``zone``."""
    every: timedelta | None = None
    """Instants so far apart, counted from ``origin``, whatever clocks on walls do."""
    zone: str = "UTC"
    origin: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    overlap: Overlap = Overlap.SKIP
    catch_up: timedelta = timedelta(days=1)
    """After downtime, instants that are no older than this are still run; older ones are missed."""


@define
class Run:
    """One run, and how it ended."""

    key: str
    """Of its ``Runner`` and of what that runs."""
    at: datetime
    """The instant it is for."""
    began: datetime
    ended: datetime | None = None
    problem: str = ""


@define
class Gap:
    """A time of which no instants were run; to be handed to ``backfill``, if you like."""

    since: datetime
    until: datetime


@define
class Standing:
    """How a schedule stands."""

    plan: Plan | None
    paused: bool
    note: str
    next: datetime | None
    running: list[Run]
    buffered: datetime | None
    backlog: int
    skipped: int
    missed: list[Gap]
    newest: list[Run]


# What is run is an entity with a course of its own, which ends.  Put yours here, and begin it in ``Runner``.


@activity
async def produce(at: datetime) -> str:
    """Write the report of this instant, once, however often it is asked for; gives its place."""
    return f"reports/{at:%Y-%m-%dT%H:%M}"


@entity
class Report:
    """One report."""

    at: datetime

    @main
    async def write(self) -> str:
        return await produce(self.at)


# Between the schedule and what it runs stands a runner, so that somebody waits for the end, and hears of a
# failure, while no handler of the schedule stays open: its history could not be closed for as long.


@entity
class Runner:
    """Sees one run to its end, and tells the schedule."""

    schedule: str
    number: int
    at: datetime
    unwanted: bool = False

    @main
    async def course(self) -> None:
        problem = "it was cancelled"
        try:
            child = start_child(Report(self.at), info().key)
            first = await race(child.result(), wait_until(lambda: self.unwanted))
            if first.index == 1:
                child.cancel()
                await child.result()
            problem = ""
        except ChildFailed as failed:
            problem = f"{failed.type}: {failed.message}"
        finally:
            actor(Schedule, self.schedule).signal(Schedule.ended, self.number, problem)

    @signal(interleave=True)
    def stop(self) -> None:
        """From the schedule: another one wants its place."""
        self.unwanted = True

    @update(interleave=True)
    def goes_on(self) -> bool:
        """From the schedule: is anybody there?"""
        return True


# The rules of time zones are others on another machine, and next year.  So they are asked in an activity,
# whose answer is recorded, and in no handler.  What it raises as Refused is not tried again.


@activity
def instants(plan: Plan, after: datetime, at_most: int, until: datetime | None = None) -> list[datetime]:
    """The first instants of a plan after a time, in UTC, and none after ``until``."""
    found: list[datetime] = []
    if plan.every is not None:
        at = after + plan.every - (after - plan.origin) % plan.every
        while len(found) < at_most and (until is None or at <= until):
            found.append(at)
            at += plan.every
        return found
    if len(plan.cron.split()) != 5:  # noqa: PLR2004 - minute, hour, day, month, weekday
        raise Refused(f"{plan.cron!r} does not have five fields; below a minute, use an interval")
    try:
        ticks = CronSim(plan.cron, after.astimezone(ZoneInfo(plan.zone)))
    except CronSimError as error:
        raise Refused(f"{plan.cron!r} is no line of cron: {error}") from None
    except (ZoneInfoNotFoundError, OSError):
        raise Refused(f"there is no time zone {plan.zone!r}") from None
    for tick in ticks:
        at = tick.astimezone(UTC)
        if len(found) == at_most or (until is not None and at > until):
            break
        # When clocks go back, the first tick may lie before where we asked from: it has been.
        if at > after:
            found.append(at)
    return found


@entity
class Schedule:
    """Runs something, time after time."""

    plan: Plan | None = None
    decided: datetime | None = None
    """What is to become of each instant until then is decided."""
    next: datetime | None = None
    paused: bool = False
    note: str = ""
    begun: int = 0
    running: dict[int, Run] = field(factory=dict[int, Run])
    buffered: datetime | None = None
    backlog: list[datetime] = field(factory=list[datetime])
    skipped: int = 0
    missed: list[Gap] = field(factory=list[Gap])
    newest: list[Run] = field(factory=list[Run])

    @update
    async def follow(self, plan: Plan) -> datetime | None:
        """From now on go by this plan; gives the next instant."""
        if bool(plan.cron) == (plan.every is not None):
            raise Refused("a plan has a line of cron or an interval")
        if plan.every is not None and plan.every < SHORTEST:
            raise Refused(f"{plan.every} is too short an interval")
        try:
            await instants(plan, now(), 1)
        except ActivityFailed as failed:
            raise Refused(failed.message) from None
        self.plan = plan
        self.decided = now()
        if not self.paused:
            await self._look()
        return self.next

    @update
    def pause(self, note: str) -> None:
        """Begin nothing more; what runs goes on.  The note is for whoever wonders why."""
        self.paused, self.note = True, note
        self.next = self.buffered = None
        self.look().cancel()

    @update
    async def resume(self, note: str) -> datetime | None:
        """Go on from now: what would have been run meanwhile is not made up for.  Gives the next instant."""
        if self.paused:
            self.paused, self.note = False, note
            self._go_on()
            if self.plan is not None:
                self.decided = now()
                await self._look()
        return self.next

    @update
    def trigger(self) -> None:
        """Run once, now, as if an instant had come; also while paused."""
        self._take(now())

    @update
    async def backfill(self, since: datetime, until: datetime) -> int:
        """Run what a past time would have had, one after another; gives how many that are."""
        if self.plan is None:
            raise Refused("there is no plan yet")
        if not since <= until <= now():
            raise Refused(f"from {since} until {until} is no time that has been")
        found = await instants(self.plan, since - MOMENT, BACKLOG_MAX + 1, until)
        if len(self.backlog) + len(found) > BACKLOG_MAX:
            raise Refused(f"more than {BACKLOG_MAX} would wait; ask for a shorter time")
        self.backlog += found
        self._go_on()
        return len(found)

    @query
    def standing(self) -> Standing:
        return Standing(
            self.plan,
            self.paused,
            self.note,
            self.next,
            list(self.running.values()),
            self.buffered,
            len(self.backlog),
            self.skipped,
            self.missed,
            self.newest,
        )

    @timer
    async def look(self) -> None:
        """The next instant has come, or it is time to choose it anew."""
        await self._look()

    async def _look(self) -> None:
        """Decide about every instant that has come, and choose the next."""
        self.look().arm(after=LOOK_AGAIN)  # first, so that it is looked at again whatever fails below
        assert self.plan is not None, "without a plan nobody looks"
        assert self.decided is not None, "it came with the plan"
        while True:
            found = await instants(self.plan, self.decided, AHEAD)
            self.next = None
            for at in found:
                if at > now():
                    self.next = at
                    self.look().arm(at=min(at, now() + LOOK_AGAIN))
                    return
                oldest = now() - self.plan.catch_up
                if at < oldest:
                    self.missed = [*self.missed, Gap(at, oldest - MOMENT)][-SHOWN_MAX:]
                    self.decided = oldest - MOMENT
                    break
                self.decided = at
                self._take(at)
            else:
                if len(found) < AHEAD:
                    return  # not once in the next fifty years

    def _take(self, at: datetime) -> None:
        overlap = Overlap.SKIP if self.plan is None else self.plan.overlap
        if not self.running or (overlap is Overlap.ALLOW and len(self.running) < RUNNING_MAX):
            self._begin(at)
        elif overlap is Overlap.BUFFER_ONE and self.buffered is None:
            self.buffered = at
        elif overlap is Overlap.CANCEL_OTHER:
            self.skipped += self.buffered is not None
            self.buffered = at
            for run in self.running.values():
                actor(Runner, run.key).signal(Runner.stop)
        else:
            self.skipped += 1

    def _begin(self, at: datetime) -> None:
        self.begun += 1
        key = f"{info().key}-{info().life}-{self.begun}"
        start_child(Runner(info().key, self.begun, at), key)
        self.running[self.begun] = Run(key, at, now())
        if self.check().due is None:
            self.check().arm(after=CHECK)

    @signal
    def ended(self, number: int, problem: str) -> None:
        """From a runner."""
        run = self.running.pop(number, None)
        if run is not None:
            run.ended, run.problem = now(), problem
            self.newest = [*self.newest, run][-SHOWN_MAX:]
            self._go_on()

    @timer(interleave=True)
    async def check(self) -> None:
        """Ask runners that have run for long: one that was ended by force could not tell."""
        self.check().arm(after=CHECK)  # first, as with look
        for number, run in list(self.running.items()):
            if run.began + CHECK <= now():
                try:
                    await actor(Runner, run.key).within(PATIENCE).update(Runner.goes_on)
                except ActorCompleted:
                    self.ended(number, "it was ended by force")
                except (ActorflowError, TimeoutError):
                    pass  # in trouble, which is not the end
        if not self.running:
            self.check().cancel()

    def _go_on(self) -> None:
        """Begin what has waited, if nothing runs."""
        if self.running or self.paused:
            return
        if self.buffered is not None:
            at, self.buffered = self.buffered, None
            self._begin(at)
        elif self.backlog:
            self._begin(self.backlog.pop(0))
