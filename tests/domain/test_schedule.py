"""The story of a schedule: its instants, also when clocks change; overlaps, pauses, gaps, and making up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from actorflow import ActorCompleted, Limits, Refused, Runtime, activity
from actorflow._core.facts import Schedule as Schedule_
from actorflow.testing import Scenario, Waiting
from entities.schedule import (
    AHEAD,
    BACKLOG_MAX,
    Gap,
    Overlap,
    Plan,
    Report,
    Runner,
    Schedule,
    Standing,
    instants,
    produce,
)
from persistence import MemoryJournal
from tests.domain.props import Clock, cut_off, until

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A time in UTC."""
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


BEGINNING = utc(2026, 1, 1)
EVERYBODY = [Schedule, Runner, Report]


# ---- which instants ----------------------------------------------------------------------------------


def on_walls(cron: str, zone: str, since: datetime, count: int) -> list[str]:
    """The next ticks of a line of cron, as a clock on a wall there shows them, with what it is off."""
    found = instants.function(Plan(cron, zone=zone), since, count)
    assert found == sorted(set(found)), "in order, and none twice"
    return [f"{at.astimezone(ZoneInfo(zone)):%d %H:%M %z}" for at in found]


@pytest.mark.parametrize(
    ("zone", "since", "due"),
    [
        (BERLIN, utc(2026, 3, 28, 12), ["29 03:00 +0200", "30 02:30 +0200"]),
        (NEW_YORK, utc(2026, 3, 7, 12), ["08 03:00 -0400", "09 02:30 -0400"]),
        ("America/St_Johns", utc(2026, 3, 7, 12), ["08 03:00 -0230", "09 02:30 -0230"]),
    ],
)
def test_an_hour_that_is_left_out_is_made_up_for(zone: str, since: datetime, due: list[str]) -> None:
    """What is to run daily at half past two runs also on the day that has no half past two."""
    assert on_walls("30 2 * * *", zone, since, 2) == due


@pytest.mark.parametrize(
    ("zone", "cron", "since", "due"),
    [
        (BERLIN, "30 2 * * *", utc(2026, 10, 24, 12), ["25 02:30 +0200", "26 02:30 +0100"]),
        (NEW_YORK, "30 1 * * *", utc(2026, 10, 31, 12), ["01 01:30 -0400", "02 01:30 -0500"]),
        ("Antarctica/Troll", "30 1 * * *", utc(2026, 10, 24, 12), ["25 01:30 +0200", "26 01:30 +0000"]),
    ],
)
def test_an_hour_that_comes_twice_counts_once(zone: str, cron: str, since: datetime, due: list[str]) -> None:
    """What is to run daily does not run twice on the day that has half past two twice."""
    assert on_walls(cron, zone, since, 2) == due


@pytest.mark.parametrize(
    ("zone", "first"), [(BERLIN, utc(2026, 10, 25, 0, 30)), (NEW_YORK, utc(2026, 11, 1, 5, 30))]
)
def test_asking_again_within_the_hour_that_comes_twice(zone: str, first: datetime) -> None:
    """Whoever looks between the two half past ones, or twos, is not given the one that has been."""
    cron = f"30 {first.astimezone(ZoneInfo(zone)).hour} * * *"
    for minutes in (0, 15, 45, 59, 60, 75):
        (at,) = instants.function(Plan(cron, zone=zone), first + minutes * MINUTE, 1)
        assert at == first + DAY + HOUR


@pytest.mark.parametrize(
    ("zone", "since", "hours"),
    [
        (BERLIN, utc(2026, 3, 28, 23), 23),
        (BERLIN, utc(2026, 10, 24, 22), 25),
        (NEW_YORK, utc(2026, 3, 8, 5), 23),
        (NEW_YORK, utc(2026, 11, 1, 4), 25),
    ],
)
def test_what_runs_by_the_quarter_goes_on_evenly(zone: str, since: datetime, hours: int) -> None:
    """Every fifteen minutes is that, on the days with 23 hours and with 25."""
    found = instants.function(Plan("*/15 * * * *", zone=zone), since, 1_000, since + hours * HOUR)
    assert found == [since + number * 15 * MINUTE for number in range(1, 4 * hours + 1)]
    midnights = [at for at in found if at.astimezone(ZoneInfo(zone)).time() == datetime.min.time()]
    assert midnights == [since + hours * HOUR]


@pytest.mark.parametrize(
    "zone",
    [
        *(
            "UTC",
            BERLIN,
            NEW_YORK,
            "America/St_Johns",
            "Africa/Cairo",
            "Africa/Casablanca",
            "Antarctica/Troll",
        ),
        *("Asia/Beirut", "Asia/Gaza", "Atlantic/Azores", "Australia/Lord_Howe", "Pacific/Chatham"),
    ],
)
def test_daily_is_once_a_day_everywhere(zone: str) -> None:
    """Where clocks change at one, at two or at midnight, by more or by less than an hour: once a day."""
    there = ZoneInfo(zone)
    for cron in ("0 0 * * *", "30 0 * * *", "30 1 * * *", "30 2 * * *"):
        found = instants.function(Plan(cron, zone=zone), utc(2026, 1, 1, 12), 735)
        days = [at.astimezone(there).date() for at in found]
        assert {later - earlier for earlier, later in pairwise(days)} == {DAY}, cron


def test_years_end_and_leap_days_come() -> None:
    """The last day of a month is the 28th to the 31st; a leap day comes every four years, or after eight."""
    assert on_walls("59 23 31 12 *", "Pacific/Auckland", utc(2026, 12, 31, 12), 1) == ["31 23:59 +1300"]
    at_midnight = Plan("0 0 1 1 *", zone=NEW_YORK)
    assert instants.function(at_midnight, utc(2026, 12, 31, 23), 1) == [utc(2027, 1, 1, 5)]
    last = instants.function(Plan("0 12 L 2 *"), utc(2026, 1, 1), 3)
    assert last == [utc(2026, 2, 28, 12), utc(2027, 2, 28, 12), utc(2028, 2, 29, 12)]
    leap = instants.function(Plan("0 0 29 2 *"), utc(2026, 1, 1), 2)
    assert leap == [utc(2028, 2, 29), utc(2032, 2, 29)]
    over_a_century = instants.function(Plan("0 0 29 2 *"), utc(2096, 3, 1), 1)
    assert over_a_century == [utc(2104, 2, 29)]  # 2100 is no leap year


def test_an_interval_cares_for_no_clock_on_a_wall() -> None:
    """Every ninety minutes is counted from an origin, and is none of the zones' affair."""
    plan = Plan(every=90 * MINUTE, zone=BERLIN, origin=utc(2026, 1, 1, 0, 10))
    assert instants.function(plan, utc(2026, 1, 1, 0, 10), 2) == [
        utc(2026, 1, 1, 1, 40),
        utc(2026, 1, 1, 3, 10),
    ]
    found = instants.function(plan, utc(2026, 3, 28, 20), 10)
    assert {later - earlier for earlier, later in pairwise(found)} == {90 * MINUTE}
    assert instants.function(plan, utc(2025, 12, 31, 23, 50), 1) == [utc(2026, 1, 1, 0, 10)]


# ---- one schedule, the test being its world ----------------------------------------------------------


def as_typed(schedule: Scenario[Schedule], asked: Waiting) -> Any:
    """The arguments of a call of ``instants``, as the function gets them."""
    pending = schedule._actor.pending[asked.ref]
    assert isinstance(pending.effect, Schedule_)
    return instants.arguments.decode(pending.effect.body)


def settle(schedule: Scenario[Schedule]) -> None:
    """Answer everybody who asks for instants, or whether a runner is there."""
    while asked := [one for one in schedule.waiting if one.kind in {"activity", "update"}]:
        if asked[0].name == instants.name:
            schedule.answer(asked[0], instants.function(*as_typed(schedule, asked[0])))
        else:
            schedule.answer(asked[0], value=True)


def begun(plan: Plan, at: datetime = BEGINNING) -> Scenario[Schedule]:
    """A schedule that follows this plan."""
    schedule = Scenario(Schedule, "nightly", at=at)
    following = schedule.update(Schedule.follow, plan)
    settle(schedule)
    assert following.value is not None
    return schedule


def pass_time(schedule: Scenario[Schedule], duration: timedelta) -> None:
    """Let time pass, its questions being answered at once."""
    end = schedule.now + duration
    while schedule.now < end:
        schedule.advance(min(10 * MINUTE, end - schedule.now))
        settle(schedule)


def going(schedule: Scenario[Schedule]) -> list[str]:
    """The runs that go on, by their keys."""
    return [run.key for run in standing(schedule).running]


def ends(schedule: Scenario[Schedule], key: str, problem: str = "") -> None:
    """A runner says that it has ended, and ends."""
    schedule.signal(Schedule.ended, int(key.rpartition("-")[2]), problem)
    schedule.answer(key)


def standing(schedule: Scenario[Schedule]) -> Standing:
    """How it stands."""
    return schedule.query(Schedule.standing)


def test_a_run_begins_at_its_instant_and_not_before() -> None:
    """A plan says when, a child does it, and the schedule knows how it ended; across restarts."""
    schedule = begun(Plan("0 3 * * *", zone=BERLIN))
    assert standing(schedule).next == utc(2026, 1, 1, 2)
    pass_time(schedule, 2 * HOUR - MINUTE)
    assert going(schedule) == []
    schedule.restart()
    pass_time(schedule, MINUTE)
    assert going(schedule) == ["nightly-1-1"]
    schedule.restart()
    ends(schedule, "nightly-1-1")
    (run,) = standing(schedule).newest
    assert (run.at, run.began, run.problem) == (utc(2026, 1, 1, 2), utc(2026, 1, 1, 2), "")
    assert standing(schedule).next == utc(2026, 1, 2, 2)


def test_a_failure_is_told_and_is_no_reason_to_stop() -> None:
    """A run that fails is in the list of the newest, with its reason; the next comes all the same."""
    schedule = begun(Plan(every=HOUR))
    pass_time(schedule, HOUR)
    ends(schedule, "nightly-1-1", "RuntimeError: no paper")
    assert [run.problem for run in standing(schedule).newest] == ["RuntimeError: no paper"]
    pass_time(schedule, HOUR)
    assert going(schedule) == ["nightly-1-2"]


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (Plan("0 25 * * *"), "Bad hour"),
        (Plan("0 0 30 2 *"), "Bad day-of-month"),
        (Plan("0 * * * * *"), "five fields"),
        (Plan("0 3 * * *", zone="Europe/Atlantis"), "no time zone"),
        (Plan(), "a line of cron or an interval"),
        (Plan("0 3 * * *", every=HOUR), "a line of cron or an interval"),
        (Plan(every=timedelta(0)), "too short"),
    ],
)
def test_a_plan_that_means_nothing_is_refused(plan: Plan, why: str) -> None:
    """Whoever sets a plan hears at once what is wrong with it, and the one before holds."""
    schedule = begun(Plan("0 3 * * *"))
    following = schedule.update(Schedule.follow, plan)
    for asked in [one for one in schedule.waiting if one.name == instants.name]:
        with pytest.raises(Refused) as refused:
            instants.function(*as_typed(schedule, asked))
        schedule.fail(asked, refused.value)
    with pytest.raises(Refused, match=why):
        _ = following.value
    assert standing(schedule).plan == Plan("0 3 * * *")
    assert standing(schedule).next == utc(2026, 1, 1, 3)


# ---- overlaps ----------------------------------------------------------------------------------------


def test_skip() -> None:
    """While a run goes on, what comes is not run, and counted."""
    schedule = begun(Plan(every=HOUR, overlap=Overlap.SKIP))
    pass_time(schedule, 3 * HOUR)
    assert (going(schedule), standing(schedule).skipped) == (["nightly-1-1"], 2)
    ends(schedule, "nightly-1-1")
    assert going(schedule) == []
    pass_time(schedule, HOUR)
    assert going(schedule) == ["nightly-1-2"]


def test_buffer_one() -> None:
    """While a run goes on, the first that comes waits, and begins as soon as it can."""
    schedule = begun(Plan(every=HOUR, overlap=Overlap.BUFFER_ONE))
    pass_time(schedule, 3 * HOUR)
    assert (standing(schedule).buffered, standing(schedule).skipped) == (utc(2026, 1, 1, 2), 1)
    ends(schedule, "nightly-1-1")
    assert going(schedule) == ["nightly-1-2"]
    (run,) = standing(schedule).running
    assert (run.at, run.began) == (utc(2026, 1, 1, 2), utc(2026, 1, 1, 3))


def test_cancel_other() -> None:
    """What comes wants the place of what runs: that is told to end, and then the last one begins."""
    schedule = begun(Plan(every=HOUR, overlap=Overlap.CANCEL_OTHER))
    pass_time(schedule, 2 * HOUR - MINUTE)
    schedule.advance(MINUTE)
    (asked,) = [one for one in schedule.waiting if one.name == instants.name]
    schedule.answer(asked, instants.function(*as_typed(schedule, asked)))
    assert [(sent.key, sent.handler) for sent in schedule.sent] == [("nightly-1-1", "stop")]
    pass_time(schedule, HOUR)
    assert going(schedule) == ["nightly-1-1"]  # it takes its time
    schedule.restart()
    ends(schedule, "nightly-1-1", "Cancelled: it was cancelled")
    assert going(schedule) == ["nightly-1-2"]
    assert [run.problem for run in standing(schedule).newest] == ["Cancelled: it was cancelled"]
    assert (standing(schedule).running[0].at, standing(schedule).skipped) == (utc(2026, 1, 1, 3), 1)


def test_allow() -> None:
    """Many may run at a time, up to a bound."""
    schedule = begun(Plan(every=MINUTE, overlap=Overlap.ALLOW))
    pass_time(schedule, 3 * MINUTE)
    assert going(schedule) == ["nightly-1-1", "nightly-1-2", "nightly-1-3"]
    ends(schedule, "nightly-1-2")
    assert going(schedule) == ["nightly-1-1", "nightly-1-3"]


def test_what_may_run_at_a_time_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that lets everything run, and never ends anything, runs into a bound."""
    monkeypatch.setattr("entities.schedule.RUNNING_MAX", 10)
    schedule = begun(Plan(every=timedelta(seconds=1), overlap=Overlap.ALLOW))
    schedule.advance(timedelta(seconds=15))
    settle(schedule)
    assert len(going(schedule)) == 10
    assert standing(schedule).skipped == 5


# ---- who sees a run to its end -----------------------------------------------------------------------


@pytest.fixture
def runner() -> Scenario[Runner]:
    """The runner of the third run, which has begun."""
    begun_ = Scenario(Runner, "nightly-1-3")
    begun_.start(Runner("nightly", 3, BEGINNING))
    return begun_


def told(runner: Scenario[Runner]) -> list[tuple[str, tuple[Any, ...]]]:
    """What it tells the schedule."""
    return [(sent.key, sent.arguments) for sent in runner.sent if sent.handler == "ended"]


def test_a_runner_tells_of_the_end(runner: Scenario[Runner]) -> None:
    """What it runs has ended, and the schedule hears of it in the turn in which the runner ends."""
    runner.restart()
    runner.answer("nightly-1-3", "reports/1")
    assert told(runner) == [("nightly", (3, ""))]
    assert runner.status == "completed"


def test_a_runner_tells_of_a_failure(runner: Scenario[Runner]) -> None:
    """A report that fails is no failure of the runner: it tells why."""
    runner.fail("nightly-1-3", RuntimeError("no paper"))
    assert told(runner) == [("nightly", (3, "RuntimeError: no paper"))]
    assert runner.status == "completed"


def test_a_runner_that_is_told_to_stop_cancels(runner: Scenario[Runner]) -> None:
    """It asks the report to end, and waits until that has cleaned up."""
    runner.signal(Runner.stop)
    assert told(runner) == []
    runner.restart()
    runner.confirm_cancelled("nightly-1-3")
    assert told(runner) == [("nightly", (3, "Cancelled: it was cancelled"))]


def test_a_runner_that_is_cancelled_tells_that(runner: Scenario[Runner]) -> None:
    """An operator who cancels the runner itself leaves no run that seems to go on."""
    runner.cancel()
    assert told(runner) == [("nightly", (3, "it was cancelled"))]


def test_who_was_ended_by_force_is_missed() -> None:
    """A runner that could not tell any more is found out by asking; one that only takes long goes on."""
    schedule = begun(Plan(every=HOUR, overlap=Overlap.ALLOW))
    pass_time(schedule, 2 * HOUR - MINUTE)
    schedule.advance(MINUTE)
    (asked,) = [one for one in schedule.waiting if one.kind == "update"]
    assert asked.name == "Runner 'nightly-1-1'.goes_on"
    schedule.fail(asked, ActorCompleted("Runner 'nightly-1-1'", "terminated"))
    settle(schedule)
    assert going(schedule) == ["nightly-1-2"]
    assert [run.problem for run in standing(schedule).newest] == ["it was ended by force"]
    pass_time(schedule, HOUR)  # this one is there
    assert going(schedule) == ["nightly-1-2", "nightly-1-3"]


# ---- pauses, gaps, and what is made up for -----------------------------------------------------------


def test_a_pause_has_a_note_and_an_end() -> None:
    """While it is paused nothing begins; then it goes on from there, and makes up for nothing."""
    schedule = begun(Plan(every=HOUR))
    schedule.update(Schedule.pause, "the printer is being mended")
    pass_time(schedule, 5 * HOUR)
    now = standing(schedule)
    assert (now.paused, now.note, now.next, going(schedule)) == (
        True,
        "the printer is being mended",
        None,
        [],
    )
    resuming = schedule.update(Schedule.resume, "it prints")
    settle(schedule)
    assert resuming.value == utc(2026, 1, 1, 6)
    now = standing(schedule)
    assert (now.paused, now.note, now.skipped, now.missed) == (False, "it prints", 0, [])


def test_a_pause_meets_an_instant() -> None:
    """Who pauses while the schedule looks is waited for by nobody: what has not begun does not begin."""
    schedule = begun(Plan(every=HOUR, overlap=Overlap.BUFFER_ONE))
    pass_time(schedule, 2 * HOUR)
    assert standing(schedule).buffered == utc(2026, 1, 1, 2)
    schedule.advance(HOUR)
    schedule.update(Schedule.pause, "enough")
    settle(schedule)
    ends(schedule, "nightly-1-1")
    pass_time(schedule, HOUR)
    assert (going(schedule), standing(schedule).buffered, standing(schedule).next) == ([], None, None)


def test_what_is_wanted_now_is_run_now() -> None:
    """An operator need not wait for an instant, not even for the end of a pause."""
    schedule = begun(Plan("0 3 * * *"))
    schedule.update(Schedule.pause, "no hurry")
    schedule.update(Schedule.trigger)
    assert going(schedule) == ["nightly-1-1"]


def test_downtime_within_the_window_is_made_up_for() -> None:
    """What came due while nobody was there is run late, by the policy, if it is not too late."""
    schedule = begun(Plan(every=HOUR, overlap=Overlap.ALLOW, catch_up=3 * HOUR))
    schedule.advance(2 * HOUR + MINUTE)
    settle(schedule)
    assert [run.at for run in standing(schedule).running] == [utc(2026, 1, 1, 1), utc(2026, 1, 1, 2)]
    assert standing(schedule).missed == []


def test_downtime_beyond_the_window_is_a_gap() -> None:
    """What is too late is not run; from when until when is said, and can be handed to a backfill."""
    schedule = begun(Plan(every=HOUR, overlap=Overlap.ALLOW, catch_up=90 * MINUTE))
    schedule.advance(10 * HOUR)
    settle(schedule)
    assert [run.at for run in standing(schedule).running] == [utc(2026, 1, 1, 9), utc(2026, 1, 1, 10)]
    (gap,) = standing(schedule).missed
    assert gap == Gap(utc(2026, 1, 1, 1), utc(2026, 1, 1, 8, 30) - timedelta(microseconds=1))
    for key in going(schedule):
        ends(schedule, key)
    filling = schedule.update(Schedule.backfill, gap.since, gap.until)
    settle(schedule)
    assert filling.value == 8
    for _ in range(8):
        (key,) = going(schedule)  # one after another
        ends(schedule, key)
    assert [run.at.hour for run in standing(schedule).newest] == [9, 10, 1, 2, 3, 4, 5, 6, 7, 8]
    assert going(schedule) == []


def test_a_long_absence_is_one_step() -> None:
    """A year away from a plan of every minute asks for no more than what is still to be run."""
    schedule = begun(Plan(every=MINUTE, catch_up=10 * MINUTE))
    schedule.advance(365 * DAY)
    before = len(schedule.history)
    settle(schedule)
    assert len(schedule.history) - before < 2 * AHEAD
    assert standing(schedule).missed[0].since == utc(2026, 1, 1, 0, 1)
    assert standing(schedule).next == utc(2027, 1, 1, 0, 1)


def test_a_rare_plan_has_no_gap() -> None:
    """Where no instant fell into the downtime, nothing was missed."""
    schedule = begun(Plan("0 0 1 1 *", catch_up=MINUTE), utc(2026, 2, 1))
    schedule.advance(100 * DAY)
    settle(schedule)
    assert (standing(schedule).missed, standing(schedule).next) == ([], utc(2027, 1, 1))


def test_a_backfill_is_of_the_past_and_bounded() -> None:
    """Nobody fills what has not been, nor more than can wait."""
    schedule = begun(Plan(every=MINUTE))
    with pytest.raises(Refused, match="no time that has been"):
        _ = schedule.update(Schedule.backfill, utc(2026, 1, 1), utc(2026, 1, 2)).value
    filling = schedule.update(Schedule.backfill, utc(2025, 1, 1), utc(2025, 1, 2))
    settle(schedule)
    with pytest.raises(Refused, match=f"more than {BACKLOG_MAX}"):
        _ = filling.value
    assert standing(schedule).backlog == 0


def test_new_rules_of_a_zone_are_heeded_within_the_hour() -> None:
    """A government that moves its clocks at short notice moves what was chosen; replay moves nothing."""
    schedule = begun(Plan("0 3 * * *", zone=BERLIN))
    assert standing(schedule).next == utc(2026, 1, 1, 2)
    schedule.advance(HOUR)
    schedule.answer(instants, [utc(2026, 1, 1, 3)])  # as the new rules say
    assert standing(schedule).next == utc(2026, 1, 1, 3)
    schedule.restart()
    schedule.advance(HOUR)
    schedule.answer(instants, [utc(2026, 1, 1, 3)])
    assert going(schedule) == []


def test_whatever_fails_it_looks_again() -> None:
    """Where the instants cannot be had the schedule asks again in an hour, and catches up."""
    schedule = begun(Plan("30 0 * * *"))
    schedule.advance(30 * MINUTE)
    schedule.fail(instants, RuntimeError("no time zone data on this machine"))
    assert going(schedule) == []
    schedule.advance(HOUR)
    settle(schedule)
    assert [run.at for run in standing(schedule).running] == [utc(2026, 1, 1, 0, 30)]


# ---- with its children, in a runtime -----------------------------------------------------------------


async def test_nights_come_and_go() -> None:
    """Over a daylight-saving change, each night in another process: one report each, at three."""
    journal, clock = MemoryJournal(), Clock(utc(2026, 3, 27, 12))
    for night in range(4):
        async with Runtime(journal, entities=EVERYBODY, strict=True, clock=clock) as runtime:
            nightly = runtime.actor(Schedule, "nightly")
            if night == 0:
                await nightly.update(Schedule.follow, Plan("0 3 * * *", zone=BERLIN))
            now = await until(
                lambda: nightly.query(Schedule.standing),  # noqa: B023 - asked within this round
                lambda now: len(now.newest) == night and not now.running,  # noqa: B023 - the same
            )
            assert (
                [run.at for run in now.newest]
                == [
                    utc(2026, 3, 28, 2),
                    utc(2026, 3, 29, 1),  # which is three o'clock in summer
                    utc(2026, 3, 30, 1),
                ][:night]
            )
            assert [run.problem for run in now.newest] == [""] * night
        clock.at += DAY


async def test_a_backfill_goes_on_after_a_restart() -> None:
    """What was to be made up for when the process ended is made up for by the next one, each instant once."""
    journal, clock = MemoryJournal(), Clock(utc(2026, 1, 10))
    async with Runtime(journal, entities=EVERYBODY, strict=True, clock=clock) as runtime:
        nightly = runtime.actor(Schedule, "nightly")
        await nightly.update(Schedule.follow, Plan("0 3 * * *"))
        filling = nightly.once("fill-january")
        assert await filling.update(Schedule.backfill, utc(2026, 1, 1), utc(2026, 1, 10)) == 9
    async with Runtime(journal, entities=EVERYBODY, strict=True, clock=clock) as runtime:
        nightly = runtime.actor(Schedule, "nightly")
        filling = nightly.once("fill-january")
        assert await filling.update(Schedule.backfill, utc(2026, 1, 1), utc(2026, 1, 10)) == 9
        now = await until(lambda: nightly.query(Schedule.standing), lambda now: len(now.newest) == 9)
        assert [run.at for run in now.newest] == [utc(2026, 1, day, 3) for day in range(1, 10)]
        assert await runtime.actor(Report, "nightly-1-1").result(str) == await produce(utc(2026, 1, 1, 3))
        assert len(await runtime.list(Report)) == 9


async def test_each_instant_is_run_once_wherever_the_process_dies() -> None:
    """From each frame of the journal on, what was to be made up for is made up for, in order, once."""
    journal, clock = MemoryJournal(), Clock(utc(2026, 1, 10))
    since, until_ = utc(2026, 1, 6), utc(2026, 1, 10)
    async with Runtime(journal, entities=EVERYBODY, strict=True, clock=clock) as runtime:
        nightly = runtime.actor(Schedule, "nightly")
        await nightly.update(Schedule.follow, Plan("0 3 * * *"))
        begun = len(list(journal.frames()))
        await nightly.once("fill").update(Schedule.backfill, since, until_)
        await until(lambda: nightly.query(Schedule.standing), lambda now: len(now.newest) == 4)
        frames = [frame for _, frame in journal.frames()]
    for length in range(begun, len(frames) + 1):
        at = f"after frame {length} of {len(frames)}"
        cut = cut_off(frames[:length])
        async with Runtime(cut, entities=EVERYBODY, strict=True, clock=clock) as runtime:
            nightly = runtime.actor(Schedule, "nightly")
            assert await nightly.once("fill").update(Schedule.backfill, since, until_) == 4, at
            now = await until(lambda: nightly.query(Schedule.standing), lambda now: len(now.newest) >= 4)  # noqa: B023 - asked at once
            assert [run.at.day for run in now.newest] == [6, 7, 8, 9], at
            assert [run.problem for run in now.newest] == [""] * 4, at
            assert len(await runtime.list(Report)) == 4, at


@activity(name="produce")
async def hang(at: datetime) -> str:
    """Never ends by itself, in the first hour."""
    if at <= BEGINNING + HOUR:
        activity.current().complete_later()
    return str(at)


async def test_a_run_that_hangs_does_not_stop_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a run goes on, the schedule's history is closed now and then, and it goes on looking."""
    monkeypatch.setattr("entities.schedule.produce", hang)
    journal, clock = MemoryJournal(), Clock(BEGINNING)
    limits, second = Limits(run_records=40, continue_records=10), timedelta(seconds=1)
    for number in range(50):
        async with Runtime(journal, entities=EVERYBODY, strict=True, clock=clock, limits=limits) as runtime:
            nightly = runtime.actor(Schedule, "nightly")
            if number == 0:
                await nightly.update(Schedule.follow, Plan(every=second))
            due = clock.at + second
            now = await until(partial(nightly.query, Schedule.standing), lambda now: now.next == due)  # noqa: B023 - at once
            assert (len(now.running), now.skipped) == (min(number, 1), max(number - 1, 0))
        clock.at += second


async def test_the_next_run_takes_the_place_of_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """With runners and reports: what hangs is cancelled, and what came begins, in another process."""
    monkeypatch.setattr("entities.schedule.produce", hang)
    journal, clock = MemoryJournal(), Clock(BEGINNING)
    async with Runtime(journal, entities=EVERYBODY, strict=True, clock=clock) as runtime:
        plan = Plan(every=HOUR, overlap=Overlap.CANCEL_OTHER)
        await runtime.actor(Schedule, "nightly").update(Schedule.follow, plan)
    clock.at += HOUR
    async with Runtime(journal, entities=EVERYBODY, strict=True, clock=clock) as runtime:
        nightly = runtime.actor(Schedule, "nightly")
        await until(lambda: nightly.query(Schedule.standing), lambda now: len(now.running) == 1)
        await nightly.update(Schedule.trigger)
        now = await until(lambda: nightly.query(Schedule.standing), lambda now: len(now.newest) == 1)
        assert now.newest[0].problem == "Cancelled: it was cancelled"
    clock.at += HOUR
    async with Runtime(journal, entities=EVERYBODY, strict=True, clock=clock) as runtime:
        nightly = runtime.actor(Schedule, "nightly")
        now = await until(lambda: nightly.query(Schedule.standing), lambda now: len(now.newest) == 3)
        assert now.newest[-1].problem == ""


async def test_a_runner_that_was_terminated_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator ends one by force; an hour later the schedule knows, and goes on."""
    monkeypatch.setattr("entities.schedule.produce", hang)
    journal, clock = MemoryJournal(), Clock(BEGINNING)
    async with Runtime(journal, entities=EVERYBODY, strict=True, clock=clock) as runtime:
        nightly = runtime.actor(Schedule, "nightly")
        await nightly.update(Schedule.follow, Plan("0 3 * * *"))
        await nightly.update(Schedule.trigger)
        await until(runtime.actor(Runner, "nightly-1-1").describe, lambda now: now.status == "running")
        await runtime.actor(Runner, "nightly-1-1").terminate()
        assert len((await nightly.query(Schedule.standing)).running) == 1
    clock.at += HOUR
    async with Runtime(journal, entities=EVERYBODY, strict=True, clock=clock) as runtime:
        nightly = runtime.actor(Schedule, "nightly")
        now = await until(lambda: nightly.query(Schedule.standing), lambda now: not now.running)
        assert [run.problem for run in now.newest] == ["it was ended by force"]
