"""The world outside: what activities do there, how long they take, and how they fail.

An attempt begins when its frame is durable.  It does its work at one moment and answers at a later one; in
between the process may die, so its work may be done and never told, or be done by an attempt of before.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from actorflow._authoring.attempt import RUNNING, Attempt, one_of
from actorflow._authoring.identity import moment
from actorflow._codec import pack
from actorflow._codec.hints import hints_of
from actorflow._core.facts import CANCELLED, MICROSECOND, OK, TIMED_OUT
from actorflow._runtime.errand import RUNS, Ending, Errand, ending_of
from actorflow.errors import UsageError

from . import drawn
from .agenda import HOUR_US, MILLISECOND_US, SECOND_US, Agenda
from .faults import Dice
from .oracle import see
from .trace import Trace

if TYPE_CHECKING:
    from actorflow._authoring.activities import Activity

    from .host import SimulatedHost
    from .run import Simulation

__all__ = ["Done", "Outside", "SimulatedAttempts"]

USUALLY_US: Final = 2 * SECOND_US
"""Most attempts take no longer than this."""


@frozen
class Done:
    """What an attempt of an activity has done outside, whether or not anybody heard of it."""

    activity: str
    key: str
    """By which the other side knows it again: the same for all attempts."""
    attempt: int
    arguments: tuple[Any, ...]
    answer: Any
    at: datetime


class Outside:
    """What stands in for the functions of activities, and all they have done."""

    def __init__(
        self, fakes: Mapping[Activity[..., Any], Callable[..., Any]], dice: Dice, agenda: Agenda, trace: Trace
    ) -> None:
        self._fakes: dict[str, Callable[..., Any]] = {}
        for activity, fake in fakes.items():
            if inspect.iscoroutinefunction(fake):
                raise UsageError(
                    f"what stands in for {activity.name} is an async def\n  hint: write a plain def; "
                    "the world decides how long it takes"
                )
            self._fakes[activity.name] = fake
        self._dice = dice
        self._agenda = agenda
        self._trace = trace
        self.done: list[Done] = []

    def act(self, activity: Activity[..., Any], bodies: Sequence[bytes], attempt: Attempt) -> list[Any]:
        """Do the work of an attempt; gives an answer for each call, or the error that stands in its place."""
        calls = [activity.arguments.decode(body) for body in bodies]
        token = RUNNING.set(attempt)
        answers: list[Any]
        try:
            answers = self._answers(activity, calls)
        except AssertionError:
            raise  # of whoever wrote what stands in, about the world
        except Exception as error:  # noqa: BLE001 - it is how the attempt ends
            answers = [error] * len(calls)
        finally:
            RUNNING.reset(token)
        at = moment(self._agenda.wall())
        for key, arguments, answer in zip(attempt.keys, calls, answers, strict=True):
            self._trace.note("works", activity.name, key, attempt.number, repr(arguments), repr(answer))
            if not isinstance(answer, Exception):
                self.done.append(Done(activity.name, key, attempt.number, arguments, answer, at))
        return answers

    def _answers(self, activity: Activity[..., Any], calls: list[tuple[Any, ...]]) -> list[Any]:
        fake = self._fakes.get(activity.name)
        if activity.batching is None:
            return [self._drawn(activity) if fake is None else fake(*call) for call in calls]
        if fake is None:
            return [answer for _ in calls for answer in [self._drawn(activity)]]
        given = fake([item for (item,) in calls])
        found: list[Any] = []
        for place in range(len(calls)):
            try:
                found.append(one_of(given, place, len(calls)))
            except Exception as error:  # noqa: BLE001 - one of many has failed
                found.append(error)
        return found

    def _drawn(self, activity: Activity[..., Any]) -> Any:
        hint = hints_of(activity.function, activity.name)["return"]
        return drawn.draw(hint if activity.batching is None else hint.__args__[0], self._dice)


class SimulatedRun:
    """One run of an activity's function, for one errand or for a batch."""

    __slots__ = ("dead", "details", "endings", "outside", "over", "parts", "stopped")

    def __init__(self, errands: Sequence[Errand]) -> None:
        self.parts = [(errand, errand.attempt) for errand in errands]
        for errand in errands:
            errand.run = self
        self.endings: list[Ending] | None = None
        self.over = False
        self.stopped = False
        self.dead = False
        """With the process that ran it."""
        self.outside = False
        self.details = errands[0].details

    @property
    def wanted(self) -> bool:
        return any(errand.wants(number) for errand, number in self.parts)


class SimulatedAttempts:
    """Runs what errands let begin, in simulated time."""

    def __init__(self, host: SimulatedHost, outside: Outside, dice: Dice) -> None:
        self._host = host
        self._sim: Simulation = host.sim
        self._outside = outside
        self._dice = dice
        self._running: dict[SimulatedRun, None] = {}
        self._gathered: dict[str, list[Errand]] = {}
        self.hanging: dict[str, None] = {}
        self.over = False

    @property
    def busy(self) -> bool:
        """Whether any runs."""
        return bool(self._running or self._gathered)

    def begin(self, errands: Iterable[Errand]) -> None:
        """Let attempts begin: the frame is durable that says so."""
        for errand in errands:
            self._sim.truth.begins(errand.address, errand.ref, errand.key)
            batching = errand.activity.batching
            if batching is None:
                self._begin([errand])
                continue
            name = errand.activity.name
            gathered = self._gathered.get(name)
            if gathered is None:
                gathered = self._gathered[name] = []
                within = batching.within // MICROSECOND
                self._sim.agenda.after(within, partial(self._full, name, gathered))
            gathered.append(errand)
            if len(gathered) >= batching.at_most:
                self._full(name, gathered)

    def _full(self, name: str, gathered: list[Errand]) -> None:
        if self._gathered.get(name) is gathered:
            del self._gathered[name]
            self._begin(gathered)

    def _begin(self, errands: Sequence[Errand]) -> None:
        if self.over:
            return
        sim, dice, faults = self._sim, self._dice, self._sim.faults
        run = SimulatedRun(errands)
        self._running[run] = None
        errand = errands[0]
        self._see_bound(errand)
        sim.trace.note("attempt", errand.activity.name, *errand.address, errand.ref, errand.attempt)
        error, hangs, twice = dice.hits(faults.error), dice.hits(faults.hang), dice.hits(faults.twice)
        for kind, hit in (("error", error), ("hang", hangs), ("twice", twice)):
            if hit:
                sim.trace.note(kind, errand.activity.name)
        works, detached = not error or dice.hits(0.5), dice.hits(0.3)
        limit = errand.options.start_to_close // MICROSECOND
        if errand.options.heartbeat is not None:
            limit = min(limit, errand.options.heartbeat // MICROSECOND)
        wall = sim.agenda.wall()
        close = min([limit, *(one.close_by - wall for one in errands if one.close_by is not None)])
        close = max(close, 1)
        took = min(dice.between(MILLISECOND_US, USUALLY_US), limit * 9 // 10)
        if hangs:
            took = close + dice.between(MILLISECOND_US, HOUR_US // 6)
        after = sim.agenda.after
        if works:
            after(round(dice.random() * took), lambda: self._work(run, detached=detached))
        failing = ConnectionError(f"attempt {errand.attempt} of {errand.activity.name} got no answer")
        after(took, lambda: self._end(run, failing if error else None))
        after(close, lambda: self._give_up(run))
        if twice:
            again = took + dice.between(1, HOUR_US // 60)
            after(again, lambda: self._end(run, None))

    def _see_bound(self, errand: Errand) -> None:
        counts = [
            len(one.parts) for one in self._running if one.parts[0][0].activity.name == errand.activity.name
        ]
        batching, bound = errand.activity.batching, errand.options.concurrency
        if bound is not None:
            most = bound * (1 if batching is None else batching.at_most)
            see(sum(counts) <= most, f"{sum(counts)} attempts of {errand.activity.name} run, {most} may")
        most = self._host.limits.running_activities
        total = sum(len(one.parts) for one in self._running)
        see(total <= most, f"{total} attempts of activities run, {most} may")

    # -- what becomes of an attempt ------------------------------------------------------------------------

    def _work(self, run: SimulatedRun, *, detached: bool) -> None:
        """Do what it does outside; what was asked of the other side is done also where the asker is gone."""
        if run.stopped or (run.dead and not detached):
            return
        errand = run.parts[0][0]

        def beat(details: bytes) -> bool:
            run.details = details
            now = self._sim.agenda.wall()
            for one, number in run.parts:
                if (
                    one.wants(number)
                    and not run.dead
                    and self._host.population.errands.beat(one, details, now)
                ):
                    self._host.stir()
            return run.wanted

        def leave() -> str:
            run.outside = True
            self._sim.truth.left_outside.add((errand.address, errand.ref))
            return errand.token(run.parts[0][1])

        keys = tuple(one.key for one, _ in run.parts)
        number = max(number for _, number in run.parts)
        attempt = Attempt(number, lambda: keys, errand.details, beat, leave)
        answers = self._outside.act(errand.activity, [one.body for one, _ in run.parts], attempt)
        run.endings = [_ending(one, answer) for (one, _), answer in zip(run.parts, answers, strict=True)]

    def _end(self, run: SimulatedRun, failing: Exception | None) -> None:
        """Hear how it ended; or hear it again, or too late."""
        if run.dead or (run.over and run.outside):
            return
        endings = run.endings
        if failing is not None or endings is None:
            endings = [ending_of(failing or ConnectionError("no answer"))] * len(run.parts)
        if run.over:
            self._late(run, endings)
            return
        self._let_go(run)
        now = self._sim.agenda.wall()
        errands, truth = self._host.population.errands, self._sim.truth
        for (errand, number), ending in zip(run.parts, endings, strict=True):
            if run.outside and ending.how == OK:
                due = now + errand.options.start_to_close // MICROSECOND
                errands.left_outside(errand, number, due, now)
                continue
            if (errand.attempt, errand.phase) == (number, RUNS) and ending.how == OK:
                truth.answers[errand.address, errand.ref].append(ending.body)
            self._ended(errand, number, ending)
        self._host.stir()

    def _ended(self, errand: Errand, number: int, ending: Ending) -> None:
        self._sim.trace.note("answers", errand.activity.name, *errand.address, number, ending.how)
        self._host.population.errands.ended(errand, number, ending, self._sim.agenda.wall())

    def _late(self, run: SimulatedRun, endings: list[Ending]) -> None:
        frame = self._host.population.frame
        for (errand, number), ending in zip(run.parts, endings, strict=True):
            before = len(frame.parts), len(frame.rows), errand.attempt, errand.phase
            self._ended(errand, number, ending)
            after = len(frame.parts), len(frame.rows), errand.attempt, errand.phase
            see(before == after, f"attempt {number} of {errand} was over, and its answer changed something")

    def _give_up(self, run: SimulatedRun) -> None:
        if run.over or run.dead:
            return
        wanted = run.wanted
        self._let_go(run)
        for errand, number in run.parts:
            late = Ending(TIMED_OUT, pack(f"it took longer than {errand.options.start_to_close}"))
            self._ended(errand, number, late if wanted else Ending(CANCELLED))
        self._host.stir()

    def stop(self, errands: Iterable[Errand]) -> None:
        """Nobody wants these any more: those that can be stopped end soon, the others when they end."""
        for errand in errands:
            run: SimulatedRun | None = errand.run
            soon = self._dice.between(1, SECOND_US)
            if run is not None and not run.wanted and not run.over and errand.activity.waits:
                self._sim.agenda.after(soon, partial(self._stopped, run))

    def _stopped(self, run: SimulatedRun) -> None:
        if run.over or run.dead:
            return
        run.stopped = True
        self._let_go(run)
        for errand, number in run.parts:
            self._ended(errand, number, Ending(CANCELLED))
        self._host.stir()

    def _let_go(self, run: SimulatedRun) -> None:
        run.over = True
        self._running.pop(run, None)

    def lost(self) -> None:
        """The process is gone, and nobody hears of those that ran."""
        self.over = True
        for run in self._running:
            run.dead = True
        self._running.clear()
        self._gathered.clear()


def _ending(errand: Errand, answer: Any) -> Ending:
    if isinstance(answer, Exception):
        return ending_of(answer)
    try:
        return Ending(OK, errand.activity.arguments.answer.encode(answer))
    except Exception as error:  # noqa: BLE001 - it has done its work, and would do it again in vain
        return ending_of(error)._replace(final=True)
