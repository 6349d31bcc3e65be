"""Works that ask for activities, and a host without a loop under which attempts end as they are told to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple, Self

from attrs import field

from actorflow import (
    ActivityFailed,
    Limits,
    RetryPolicy,
    activity,
    complete,
    entity,
    gather,
    race,
    shielded,
    signal,
    sleep,
    update,
)
from actorflow._codec.records import RecordCodec
from actorflow._core import facts
from actorflow._core.facts import TIMED_OUT, Input
from actorflow._runtime.errand import Ending, Errand, ending_of
from actorflow._runtime.errands import Errands
from actorflow._runtime.frame import Frame
from persistence import Journal

from .drive import SECOND_US, Drive, Ticket
from .oracle import histories

__all__ = [
    "HUNG",
    "SECOND",
    "Begun",
    "Yard",
    "asked",
    "leave",
    "outcomes",
    "phase",
    "policy",
    "see_counted",
    "see_rest",
    "traces",
    "works",
    "yard",
]

SECOND = timedelta(seconds=1)
_codec = RecordCodec()


def works(**options: Any) -> type[Any]:
    """An entity whose handlers ask for a job, run with these options, and for another run without any."""

    @activity(name="job", **options)
    async def job(what: str) -> str:
        return what

    @activity(name="other")
    async def other(what: str) -> str:
        return what

    @activity(name="slow", on_cancel="abandon", **options)
    async def slow(what: str) -> str:
        return what

    @entity(name="Works")
    class Works:
        told: list[str] = field(factory=list[str])

        @update(interleave=True)
        async def ask(self, what: str) -> str:
            """Have a job done."""
            return self._tell(what, await _outcome(job, what))

        @update(interleave=True)
        async def ask_other(self, what: str) -> str:
            return self._tell(what, await _outcome(other, what))

        @update(interleave=True)
        async def hurry(self, what: str, seconds: int) -> str:
            """Have a job done, but not wait longer than this, except for the attempt that runs."""
            await race(_outcome(job, what), sleep(seconds * SECOND))
            return self._tell(what, "over")

        @update(interleave=True)
        async def leave(self, what: str, seconds: int) -> str:
            """The same, and leave the attempt behind."""
            await race(_outcome(slow, what), sleep(seconds * SECOND))
            return self._tell(what, "over")

        @update(interleave=True)
        async def many(self, whats: list[str], at_most: int) -> list[str]:
            return list(await gather(*[_outcome(job, what) for what in whats], at_most=at_most))

        @update(interleave=True)
        async def undo(self, what: str) -> str:
            async with shielded():
                return self._tell(what, await _outcome(job, what))

        @signal
        def finish(self) -> None:
            complete(len(self.told))

        def _tell(self, what: str, outcome: str) -> str:
            self.told.append(f"{what}: {outcome}")
            return outcome

    async def _outcome(work: Any, what: str) -> str:
        try:
            return f"ok {await work(what)}"
        except ActivityFailed as error:
            return f"{error.type} {error.message}"

    return Works


class Begun(NamedTuple):
    """An attempt that has begun, in this process or in one before."""

    what: str
    number: int
    key: str
    at: int
    commits: int
    """How many there were then."""


class Yard(Drive):
    """A drive whose attempts run until they are told how they end."""

    def __init__(
        self,
        journal: Journal | None = None,
        *,
        entities: Any = (),
        chance: Callable[[], float] = lambda: 0.5,
        **more: Any,
    ) -> None:
        self.entities = entities or (works(),)
        self.chance = chance
        super().__init__(journal, entities=self.entities, **more)
        self.errands._chance = chance
        self.running: dict[str, tuple[Errand, int]] = {}
        """Attempts that run, by what they were asked for."""
        self.begun_ever: list[Begun] = []
        self.stopped: list[str] = []
        """Those that were told that nobody wants them any more."""
        self.excused: list[str] = []
        """Attempts that ended so that they are not counted."""

    @property
    def works(self) -> Any:
        return self.entities[0]

    @property
    def errands(self) -> Errands:
        return self.population.errands

    # -- what callers do -----------------------------------------------------------------------------------

    def want(self, what: Any, key: str = "a", name: str = "ask", *more: Any) -> Ticket:
        """Have a job asked for by an actor."""
        return self.send(self.works, key, getattr(self.works, name), what, *more)

    def cancel(self, key: str = "a") -> None:
        self.deliver(("Works", key), Input(facts.CANCEL))
        self.settle()

    def terminate(self, key: str = "a") -> None:
        self.deliver(("Works", key), Input(facts.TERMINATE))
        self.settle()

    # -- what attempts do ----------------------------------------------------------------------------------

    def write(self, frame: Frame) -> None:
        """Make a frame durable, and let begin and stop what it says."""
        begun, stopped = list(frame.begun), list(frame.stopped)
        super().write(frame)
        for errand in stopped:
            if errand.run is not None:
                self.stopped.append(asked(errand))
        for errand in begun:
            what = asked(errand)
            errand.run = what
            self.begin(errand)

    def begin(self, errand: Errand) -> None:
        """Let an attempt begin."""
        what = asked(errand)
        self.running[what] = errand, errand.attempt
        self.begun_ever.append(Begun(what, errand.attempt, errand.key, self.now, len(self.journal.history)))

    def end(self, what: str, how: Ending | BaseException | None = None, *, commit: bool = True) -> None:
        """Let the attempt that runs end: well, or with an error, or otherwise."""
        self.end_late(*self.running.pop(what), how, commit=commit)

    def end_late(
        self, errand: Errand, number: int, how: Ending | BaseException | None = None, *, commit: bool = True
    ) -> None:
        """Let an attempt end that may be given up."""
        if how is None:
            how = Ending(facts.OK, errand.activity.arguments.answer.encode(asked(errand)))
        elif isinstance(how, BaseException):
            how = ending_of(how)
        if how.excused:
            self.excused.append(asked(errand))
        self.errands.ended(errand, number, how, self.now)
        if commit:
            self.settle()

    def numbers(self, what: str) -> list[int]:
        """Which attempts of a job have begun."""
        return [one.number for one in self.begun_ever if one.what == what]

    def told(self, key: str = "a") -> list[str]:
        """What an actor says that became of its jobs."""
        found: list[str] = self.state(self.works, key).told
        return found

    def rest(self, *, seconds: float = 200.0, at_most: int = 500) -> None:
        """Let everything that runs end well, and time pass, until nothing is under way."""
        self.settle()
        self.later(0)  # whoever the tables say has something under way comes into memory
        for _ in range(at_most):
            self.settle()
            if self.running:
                self.end(next(iter(self.running)))
            elif not self.errands.under_way:
                return
            else:
                self.later(seconds)
        raise AssertionError(f"it does not come to rest: {[str(one) for one in self.errands.under_way]}")

    def reopen(self, **more: Any) -> Self:
        after = super().reopen(**more)
        assert isinstance(after, type(self)), "reopening changes nothing of that"
        return after

    def crash(self, commits: int | None = None, **more: Any) -> Self:
        after = super().crash(commits, **({"entities": self.entities, "chance": self.chance} | more))
        assert isinstance(after, type(self)), "a crash changes nothing of that"
        known = len(after.journal.history)
        after.begun_ever = [one for one in self.begun_ever if one.commits <= known]
        after.excused = self.excused
        return after


def asked(errand: Errand) -> str:
    """What an errand was asked for."""
    what: str = errand.activity.arguments.decode(errand.body)[0]
    return what


def traces(yard: Yard) -> int:
    """How many rows the journal has of errands."""
    return len(yard.journal.scan("errands", b"\0", None, at_most=1 << 20))


def outcomes(yard: Yard) -> dict[tuple[str, Any], int]:
    """How often the outcome of each activity was recorded, by actor and ref."""
    found: dict[tuple[str, Any], int] = {}
    for (_, key), records in histories(yard.journal.history).items():
        asked: set[Any] = set()
        for data in records:
            record = _codec.unpack_record(data)
            for position, effect in enumerate(record.effects):
                if isinstance(effect, facts.Schedule):
                    asked.add((record.seq, position))
                    found[key, (record.seq, position)] = 0
            input_ = record.input
            if input_ is not None and input_.kind == facts.RESOLVE and input_.ref in asked:
                found[key, input_.ref] += 1
    return found


HUNG = Ending(TIMED_OUT, b"\xa8too long")


def yard(*, limits: Limits | None = None, every: int = 1, **options: Any) -> Yard:
    """A yard in which a job is run with these options."""
    return Yard(entities=(works(**options),), limits=limits, every=every)


def policy(attempts: int = 10, seconds: float = 1, longest: float = 100, *never: str) -> RetryPolicy:
    """A policy of so many attempts, with pauses from so many seconds to so many."""
    return RetryPolicy(
        initial_interval=seconds * SECOND,
        maximum_interval=longest * SECOND,
        maximum_attempts=attempts,
        non_retryable=never,
    )


def phase(drive: Yard, what: str) -> str:
    """What a job is doing."""
    found = {asked(one): one.phase for one in drive.errands.under_way.values()}
    assert what in found, f"{what} is over"
    return found[what]


def see_rest(drive: Yard) -> None:
    """Nothing is under way, nothing is counted as running, and no row is left of what was."""
    found = drive.errands
    assert found.under_way == {}
    assert found.running == sum(line.running for line in found.lines.values()) == 0
    assert traces(drive) == 0


def leave(drive: Yard, what: str, seconds: float = 1_000) -> tuple[Errand, int]:
    """Let an attempt leave its end to somebody outside."""
    errand, number = drive.running.pop(what)
    due = drive.now + round(seconds * SECOND_US)
    drive.errands.left_outside(errand, number, due, drive.now)
    drive.settle()
    return errand, number


def see_counted(drive: Yard, attempts: int = 4) -> None:
    """Each number was used once, in order, without a gap, and not more are counted than are allowed."""
    for what in {one.what for one in drive.begun_ever}:
        numbers = drive.numbers(what)
        assert numbers == list(range(1, len(numbers) + 1)), (what, numbers)
        assert len(numbers) <= attempts + drive.excused.count(what)
