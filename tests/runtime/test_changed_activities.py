"""Code that changes under activities: those under way go on, or wait and are to be seen; none fails."""

from __future__ import annotations

from typing import Any, cast

import pytest
from attrs import field

from actorflow import (
    ActivityFailed,
    Divergence,
    Limits,
    activity,
    actor,
    entity,
    gather,
    patched,
    signal,
    update,
)
from actorflow._authoring.entity import spec_of
from actorflow._runtime.errand import OUTSIDE, PAUSES, RUNS, WAITS
from actorflow._runtime.views import describe
from actorflow.errors import DecodeError, UnknownEntity
from actorflow.testing import Scenario

from .works import HUNG, SECOND, Yard, leave, outcomes, phase, policy, see_counted, see_rest, traces

STATES = [PAUSES, WAITS, RUNS, OUTSIDE]
A = ("Works", "a")


def works(
    name: str = "job",
    aliases: tuple[str, ...] = (),
    *,
    handler: str = "ask",
    handlers: tuple[str, ...] = (),
    module: str = __name__,
    takes: str = "what",
    **options: Any,
) -> type[Any]:
    """The code at some time: what the activity and the handler that asks for it are called, and so on."""
    given: dict[str, Any] = {"concurrency": 1, "retry": policy(4)} | options

    async def job(what: str) -> str:
        return what

    async def job_with_default(what: str, urgent: bool = False) -> str:
        return f"{what} {urgent}"

    async def job_without_default(what: str, urgent: bool) -> str:
        return f"{what} {urgent}"

    functions: dict[str, Any] = {
        "what": job,
        "what, urgent=False": job_with_default,
        "what, urgent": job_without_default,
    }
    function = functions[takes]
    function.__module__ = module
    work: Any = activity(name=name, aliases=aliases, **given)(function)
    more = (True,) if takes == "what, urgent" else ()

    @entity(name="Works")
    class Works:
        told: list[str] = field(factory=list[str])

        @update(name=handler, aliases=handlers, interleave=True)
        async def ask(self, what: str) -> None:
            self.told.append(f"{what}: {await _outcome(work, what, *more)}")

        @update(interleave=True)
        async def both(self, whats: list[str]) -> None:
            found = await gather(*[_outcome(work, what, *more) for what in whats], at_most=1)
            self.told += [f"{what}: {one}" for what, one in zip(whats, found, strict=True)]

        @update
        def note(self, what: str) -> None:
            self.told.append(what)

    return Works


async def _outcome(work: Any, *given: Any) -> str:
    try:
        return f"ok {await work(*given)}"
    except ActivityFailed as error:
        return f"{error.type} {error.message}"


@activity(name="steady")
async def steady(what: str) -> str:
    """Work that nobody changes."""
    return what


@entity(name="Steady")
class Steady:
    """Somebody whose code stays as it is."""

    told: list[str] = field(factory=list[str])

    @update
    async def ask(self, what: str) -> None:
        self.told.append(await steady(what))


def begun(state: str, **options: Any) -> Yard:
    """A journal in which a job is under way in this state, one attempt of it at least behind it but one."""
    drive = Yard(entities=(works(**options), Steady))
    drive.send(drive.works, "quiet", drive.works.note, "here")
    drive.send(Steady, "s", Steady.ask, "steady")
    if state == WAITS:
        drive.want("zero", "z")
        drive.want("one")
    else:
        drive.want("one")
        drive.end("one", ValueError("no"))
        if state != PAUSES:
            drive.later(2)
            drive.settle()
        if state == OUTSIDE:
            leave(drive, "one")
    assert phase(drive, "one") == state
    return drive


def with_code(drive: Yard, *entities: Any, closed: bool) -> Yard:
    """The process is left, or dies, and another begins with this code."""
    go = drive.reopen if closed else drive.crash
    after = go(entities=entities or drive.entities)
    after.settle()
    after.later(0)
    after.settle()
    return after


def see_goes_on(drive: Yard, before: list[int]) -> None:
    """The job comes to its one outcome, with attempts that are counted on."""
    if phase(drive, "one") == OUTSIDE:
        drive.later(2_000)
    drive.rest()
    see_counted(drive)
    assert drive.numbers("one")[: len(before)] == before
    assert len(drive.numbers("one")) > len(before)
    assert len({one.key for one in drive.begun_ever if one.what == "one"}) == 1
    assert drive.told() == ["one: ok one"]
    assert set(outcomes(drive).values()) == {1}
    see_rest(drive)


def see_waits(drive: Yard, before: list[int], rows: int) -> BaseException:
    """The actor is set aside with a report; its job neither runs nor fails, and everybody else goes on."""
    report = drive.population.residency.broken[A]
    drive.rest()
    drive.later(100_000)
    drive.rest()
    assert drive.numbers("one") == before
    assert drive.state(Steady, "s").told == ["steady"]
    assert {how for (key, _), how in outcomes(drive).items() if key == "a"} == {0}
    assert traces(drive) == rows
    return report


def rows_of_a(drive: Yard) -> int:
    """How many rows the journal has of the errands of the actor that is watched."""
    return len(drive.journal.scan("errands", b"Works\0a\0", b"Works\0a\1", at_most=9))


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "code",
    [
        {"name": "labour", "aliases": ("job",)},
        {"module": "another.place"},
        {"handler": "request", "handlers": ("ask",)},
        {"name": "labour", "aliases": ("job",), "handler": "request", "handlers": ("ask",)},
    ],
    ids=["renamed", "moved", "its handler renamed", "both"],
)
def test_what_is_renamed_with_an_alias_or_moved_goes_on(
    code: dict[str, Any], state: str, *, closed: bool
) -> None:
    """Whatever it was doing: its attempts are counted on, and all have the same key."""
    drive = begun(state)
    after = with_code(drive, works(**code), Steady, closed=closed)
    assert after.population.residency.broken == {}
    see_goes_on(after, drive.numbers("one"))


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("state", STATES)
def test_a_name_that_nobody_knows_waits_until_it_is_back(state: str, *, closed: bool) -> None:
    """Its actor is set aside, over as many openings as it takes; the report has the old name and the new."""
    drive = begun(state)
    numbers, rows = drive.numbers("one"), rows_of_a(drive)
    original = drive.entities
    after = drive
    for _ in range(2):
        after = with_code(after, works("labour"), Steady, closed=closed)
        report = see_waits(after, numbers, rows)
        assert isinstance(report, Divergence)
        assert "name='job'" in str(report.recorded)
        assert "name='labour'" in str(report.produced)
        assert "aliases=['job']" in str(report)
        assert after.told("quiet") == ["here"]
    after = with_code(after, *original, closed=closed)
    assert after.population.residency.broken == {}
    see_goes_on(after, numbers)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("state", STATES)
def test_a_handler_that_is_gone_keeps_its_activity_waiting(state: str, *, closed: bool) -> None:
    """The turn that asked for it cannot be run again; once the handler is back, it goes on."""
    drive = begun(state)
    numbers, rows, original = drive.numbers("one"), rows_of_a(drive), drive.entities
    after = with_code(drive, works(handler="request"), Steady, closed=closed)
    report = see_waits(after, numbers, rows)
    assert isinstance(report, Divergence)
    assert "aliases=['ask']" in str(report)
    see_goes_on(with_code(after, *original, closed=closed), numbers)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("state", STATES)
def test_an_entity_that_is_gone_keeps_its_activities_waiting(state: str, *, closed: bool) -> None:
    """Nobody has registered it, and that is to be seen; once somebody has, it goes on."""
    drive = begun(state)
    numbers, rows, original = drive.numbers("one"), rows_of_a(drive), drive.entities
    after = with_code(drive, Steady, closed=closed)
    assert isinstance(see_waits(after, numbers, rows), UnknownEntity)
    see_goes_on(with_code(after, *original, closed=closed), numbers)


def test_nobody_who_never_was_is_set_aside() -> None:
    """What is sent to an entity that is not there is kept; those it is for are not, for nobody knows them."""
    drive = Yard(entities=(works(), Steady))
    with pytest.raises(UnknownEntity):
        drive.population.resident(("Nobody", "x"), drive.now)
    assert drive.population.residency.broken == {}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("takes", ["what, urgent=False", "what, urgent"])
def test_a_new_parameter_needs_a_default(takes: str, state: str) -> None:
    """With one, what was asked for before has it; without one it waits, and the report names it."""
    drive = begun(state)
    numbers, rows, original = drive.numbers("one"), rows_of_a(drive), drive.entities
    after = with_code(drive, works(takes=takes), Steady, closed=False)
    if takes == "what, urgent":
        report = see_waits(after, numbers, rows)
        assert isinstance(report, DecodeError)
        assert "urgent" in str(report)
        after = with_code(after, *original, closed=True)
    else:
        errand = after.errands.under_way[next(one for one in after.errands.under_way if one[0] == A)]
        assert errand.activity.arguments.decode(errand.body) == ("one", False)
    see_goes_on(after, numbers)


def test_a_new_parameter_is_no_divergence_in_the_turns_behind() -> None:
    """Calls that have had their answer are replayed, too, and were recorded without it."""
    drive = Yard(entities=(works(concurrency=None),))
    drive.want(["one", "two"], name="both")
    drive.end("one")
    after = with_code(drive, works(takes="what, urgent=False", concurrency=None), closed=False)
    assert after.population.residency.broken == {}
    after.rest()
    assert after.told() == ["one: ok one", "two: ok two"]
    see_rest(after)


def asking(*, name: str = "job", default: int = 0, seconds: int = 1, does: int = 0) -> bytes:
    """The fingerprint of an entity whose one handler, ever the same, asks for this and sends that."""

    @activity(name=name)
    async def job(what: int = default) -> int:
        return what + does

    slow = job.options(start_to_close=seconds * SECOND)

    @entity
    class Other:
        @signal(name=name)
        def note(self, what: int = default) -> None: ...

    note: Any = Other.note

    @entity
    class Asker:
        @update
        async def ask(self) -> None:
            actor(Other, "x").signal(note)
            await gather(job(), slow())

    return spec_of(Asker).fingerprint


@pytest.mark.parametrize("other", [{"name": "labour"}, {"default": 1}, {"seconds": 2}])
def test_whoever_asks_is_other_code_where_a_call_is_recorded_otherwise(other: dict[str, Any]) -> None:
    """Or replay would take what was renamed under an alias, or has a new default, for a divergence."""
    assert asking() == asking()
    assert asking() != asking(**other)
    assert asking() == asking(does=1), "what an activity does is not replayed"


@pytest.mark.parametrize("over", [False, True])
def test_an_answer_that_cannot_be_read_any_more_sets_its_actor_aside(*, over: bool) -> None:
    """Whether the handler that was given it is over or not: to run it again would come to something else."""

    def scales(answer: type[Any]) -> type[Any]:
        async def weigh() -> Any: ...

        weigh.__annotations__["return"] = answer
        weighing: Any = activity(name="weigh")(weigh)

        @entity(name="Scales")
        class Scales:
            told: list[str] = field(factory=list[str])

            @update
            async def ask(self) -> None:
                for _ in range(2):
                    self.told.append(await _outcome(weighing))

        return Scales

    scenario: Scenario[Any] = Scenario(scales(int))
    scenario.update(scenario.entity.ask)
    for one in range(1 + over):
        scenario.answer("weigh", one)
    with pytest.raises(Divergence, match=r"WrongAnswer|failed"):
        scenario.restart(scales(str))


# ---- other options -----------------------------------------------------------------------------------


def test_more_attempts_are_given_to_what_is_under_way() -> None:
    """What was on its last attempt has others."""
    drive = begun(PAUSES, retry=policy(2))
    after = with_code(drive, works(retry=policy(4)), Steady, closed=False)
    after.later(2)
    after.settle()
    after.end("one", ValueError("again"))
    assert phase(after, "one") == PAUSES
    see_goes_on(after, [1, 2])


@pytest.mark.parametrize("closed", [False, True])
def test_fewer_attempts_are_given_to_what_is_under_way(*, closed: bool) -> None:
    """Who has had as many as there are now has no other, and its failure is its last one."""
    drive = begun(PAUSES)
    after = with_code(drive, works(retry=policy(1)), Steady, closed=closed)
    after.rest()
    assert after.numbers("one") == [1]
    assert after.told() == ["one: ValueError no"]
    see_rest(after)


def test_the_last_failure_of_too_many_attempts_may_be_a_time_out() -> None:
    """It is told as what it was, while there is another attempt and when there is none."""
    drive = Yard(entities=(works(),))
    drive.want("one")
    drive.end("one", HUNG)
    (shown,) = describe(drive.resident(drive.works, "a"), drive.errands.of(A)).waiting
    assert (shown.phase, shown.failure) == (PAUSES, "TimeoutError: too long")
    after = with_code(drive, works(retry=policy(1)), closed=False)
    assert after.told() == ["one: TimeoutError too long"]
    see_rest(after)


def test_who_waits_for_a_second_attempt_has_none_if_there_is_one_only() -> None:
    """The same where it is the turn that it waits for."""
    drive = begun(PAUSES)
    drive.want("zero", "z")
    drive.later(2)
    drive.settle()
    assert (phase(drive, "one"), phase(drive, "zero")) == (WAITS, RUNS)
    after = with_code(drive, works(retry=policy(1)), Steady, closed=False)
    after.rest()
    assert after.numbers("one") == [1]
    assert after.told() == ["one: ValueError no"]
    assert after.told("z")[0].startswith("zero: Interrupted")


def test_another_bound_on_how_many_run_counts_at_once() -> None:
    """Those that waited begin."""
    drive = begun(WAITS)
    after = with_code(drive, works(concurrency=2), Steady, closed=True)
    after.later(5)
    after.settle()
    assert sorted(after.running) == ["one", "steady", "zero"]
    after.rest()
    see_rest(after)


def test_another_time_for_all_attempts_counts_from_the_call() -> None:
    """Also where it is over by now: that is said, and no attempt is begun."""
    drive = begun(PAUSES)
    drive = drive.crash(now=drive.now + 60_000_000, entities=(works(schedule_to_close=30 * SECOND), Steady))
    drive.rest()
    assert drive.numbers("one") == [1]
    assert drive.told() == ["one: TimeoutError all attempts together have taken too long"]
    see_rest(drive)


# ---- something else is asked for -----------------------------------------------------------------------


def repairs(*, new: bool) -> type[Any]:
    """A handler that asks for something else from now on."""

    @activity(name="job")
    async def job(what: str) -> str:
        return what

    @activity(name="repair")
    async def repair(what: str) -> str:
        return what

    if new:

        @entity(name="Works")
        class Works:  # pyright: ignore[reportRedeclaration]  # after and before
            told: list[str] = field(factory=list[str])

            @update(interleave=True)
            async def ask(self, what: str) -> None:
                if patched("repair"):
                    self.told.append(f"repaired {await repair(what)}")
                else:
                    self.told.append(await job(what))

    else:

        @entity(name="Works")
        class Works:  # type: ignore[no-redef]  # before
            told: list[str] = field(factory=list[str])

            @update(interleave=True)
            async def ask(self, what: str) -> None:
                self.told.append(await job(what))

    return cast("type[Any]", Works)


def test_behind_a_patch_the_old_one_is_gone_on_with() -> None:
    """An attempt of it follows, while the next handler asks for the new one."""
    drive = Yard(entities=(repairs(new=False),))
    drive.want("one")
    after = with_code(drive, repairs(new=True), closed=False)
    after.want("two")
    after.rest()
    assert [one.number for one in after.begun_ever if one.what == "one"] == [1, 2]
    assert sorted(after.told()) == ["one", "repaired two"]
    see_rest(after)


@pytest.mark.parametrize("limit", [1, 1 << 20])
def test_a_checkpoint_of_those_set_aside_loses_nothing(limit: int) -> None:
    """However often the tables are written meanwhile, the name that comes back finds its activity."""
    drive = begun(PAUSES)
    numbers, original = drive.numbers("one"), drive.entities
    limits = Limits(log_bytes=limit, resident_actors=1)
    after = drive.crash(entities=(works("labour"), Steady), limits=limits)
    for n in range(5):
        after.send(after.works, f"{n}", after.works.note, "meanwhile")
        after.later(20)
        after.settle()
    see_goes_on(with_code(after, *original, closed=False), numbers)
