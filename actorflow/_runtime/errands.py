"""All errands, from the record that asks for an activity to the resolution that tells its outcome.

Synchronous, and knows no loop and no thread: it says which attempts begin with which frame, and is told how
each ended.  An attempt counts as begun once the frame is durable that lets it begin; of the first that is
the frame that asks for it.  What does not follow from the actor's records (a later attempt, a pause, waiting
for a turn) is a row beside them, written in the same frame.  So whoever opens the journal after a crash knows
how many attempts each errand has had.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final

from actorflow._authoring.waiting import LONGEST
from actorflow._codec import pack
from actorflow._core import facts
from actorflow._core.facts import CANCELLED, OK, TIMED_OUT, Address, Input, Instant, Ref, Schedule
from actorflow.errors import DecodeError, Interrupted, TokenSpent

from .errand import DONE, OUTSIDE, PAUSES, RUNS, WAITS, Ending, Errand, ending_of, how_of
from .frame import Row
from .line import Line, is_final
from .rows import LaterRow, Trace, pack_trace, unpack_trace
from .tables import ERRANDS, NUMBER_BYTES, behind, name_of
from .wakes import FOR_EVER

if TYPE_CHECKING:
    from .population import Population
    from .resident import Resident

__all__ = ["Errands", "chance"]

_log = logging.getLogger("actorflow.activity")

BEAT_US: Final = 1_000_000
"""What a heartbeat tells is written down at most this often."""
STALE_MAX: Final = 1_000
"""So many times to look at what has ended since may lie about, and a few for each errand."""


class Errands:
    """All errands of a population."""

    def __init__(self, population: Population, at_most: int, chance: Callable[[], float]) -> None:
        self._population = population
        self._at_most = at_most
        self._chance = chance
        self.under_way: dict[tuple[Address, Ref], Errand] = {}
        self.lines: dict[str, Line] = {}
        self.running = 0
        self.stopping = False
        """Nothing more begins."""
        self._crowded: dict[str, Line] = {}
        """Lines that wait for others to end."""
        self._due: list[tuple[Instant, int, Errand | Line]] = []
        self._number = count()

    # -- what actors ask for -------------------------------------------------------------------------------

    def take(self, resident: Resident, ref: Ref, now: Instant) -> None:
        """Take an activity that a turn asks for."""
        pending = resident.actor.pending.get(ref)
        if pending is not None:  # or it was withdrawn in the same turn
            errand = self.under_way[resident.address, ref] = Errand(resident, ref, pending, now)
            self._join(errand, now)

    def recover(self, resident: Resident, now: Instant) -> None:
        """Take up what an actor had asked for when the journal was left."""
        address, has_answer = resident.address, self._population.post.has_answer
        lost = [
            (ref, pending)
            for ref, pending in resident.actor.pending.items()
            if isinstance(pending.effect, Schedule) and (address, ref) not in self.under_way
            if not has_answer(resident.path, ref)
        ]
        if not lost:
            return
        traces = self._traces(resident.path)
        for ref, pending in lost:
            errand = self.under_way[address, ref] = Errand(resident, ref, pending, now)
            trace = traces.get(ref)
            if trace is None:
                errand.attempt, errand.phase = 1, RUNS
            else:
                errand.noted = True
                errand.attempt, errand.excused, errand.phase, errand.due = trace[:4]
                errand.failure, errand.details = trace[4:]
            if pending.withdrawn:
                self._finish(errand, CANCELLED)
            elif errand.phase == RUNS:
                self._failed(errand, ending_of(Interrupted(str(errand)))._replace(after=0), now)
            elif errand.phase != OUTSIDE and errand.counted >= errand.options.retry.maximum_attempts:
                self._finish(errand, how_of(errand.failure), errand.failure)  # the code allows fewer by now
            elif errand.phase == WAITS:
                self._join(errand, now, since=errand.due)
            else:
                self._watch(errand)

    def withdraw(self, address: Address, ref: Ref) -> None:
        """Nobody wants its outcome any more."""
        errand = self.under_way.get((address, ref))
        if errand is None:
            return
        errand.withdrawn = True
        if errand.phase != RUNS:
            self._finish(errand, CANCELLED)
            return
        self._population.frame.stopped.append(errand)
        if ref not in self._population.residents[address].actor.pending:
            self._unnote(errand)  # it is not waited for, so no other process would find it, or its row

    def of(self, address: Address) -> dict[Ref, Errand]:
        """Those of an actor that is in memory."""
        resident = self._population.residents[address]
        found = ((ref, self.under_way.get((address, ref))) for ref in resident.actor.pending)
        return {ref: errand for ref, errand in found if errand is not None}

    # -- turns ---------------------------------------------------------------------------------------------

    def _line(self, errand: Errand) -> Line:
        name = errand.activity.name
        line = self.lines.get(name)
        if line is None:
            line = self.lines[name] = Line(name)
        return line

    def _join(self, errand: Errand, now: Instant, since: Instant | None = None) -> None:
        """Let an attempt begin with this frame, or wait for its turn, maybe as it has since long ago."""
        line = self._line(errand)
        errand.phase = WAITS
        errand.since = errand.due = now if since is None else since
        limit = errand.options.schedule_to_start
        if limit is not None:
            errand.start_by = errand.since + limit // facts.MICROSECOND
        if self._too_late(errand, now):
            return
        if not line.waiting and self._may_begin(line, errand, now):
            self._begin(line, errand, now)
            return
        self._watch(errand)
        line.waiting.append(errand)
        self._note(errand)
        self._expect_turn(line, now)

    def _may_begin(self, line: Line, errand: Errand, now: Instant) -> bool:
        return self.running < self._at_most and not self.stopping and line.may_begin(errand, now)

    def _begin(self, line: Line, errand: Errand, now: Instant) -> None:
        errand.attempt += 1
        errand.phase = RUNS
        errand.since = now
        errand.start_by = None
        line.begins(errand.options, now)
        self.running += 1
        if errand.attempt > 1:
            self._note(errand)
        else:
            self._unnote(errand)  # without a row it has had one attempt, as whoever finds none will take it
        self._population.frame.begun.append(errand)

    def _fill(self, line: Line, now: Instant) -> None:
        """Let begin who waits, as many as may."""
        waiting = line.waiting
        while waiting:
            errand = waiting[0]
            self._keep_actor(errand, now)
            if errand.phase == WAITS and not self._too_late(errand, now):
                if not self._may_begin(line, errand, now):
                    self._expect_turn(line, now)
                    return
                self._begin(line, errand, now)
            waiting.popleft()

    def _expect_turn(self, line: Line, now: Instant) -> None:
        """See that the line is looked at again when its first may begin."""
        if self.running >= self._at_most:
            self._crowded[line.activity] = line
        at = line.opens_at
        if at > now and at != line.expected:
            line.expected = at
            heappush(self._due, (at, next(self._number), line))

    # -- how attempts end ----------------------------------------------------------------------------------

    def answered(
        self, which: tuple[Address, Ref], attempt: int, ending: Ending, id_: str, now: Instant
    ) -> None:
        """Somebody outside says how an attempt has ended; raises if its end is known, and another."""
        errand = self.under_way.get(which)
        if errand is not None and errand.attempt == attempt and errand.phase in (RUNS, OUTSIDE):
            if errand.phase == RUNS and ending.how != OK:
                self._population.frame.stopped.append(errand)  # or the next would run beside it
            self.ended(errand, attempt, ending, now, id_)
            return
        if errand is None or errand.failure != ending.body or errand.attempt - attempt > 1:
            (entity, key), _ = which
            raise TokenSpent(f"{entity} {key!r}", f"attempt {attempt} is over")

    def ended(
        self, errand: Errand, attempt: int, ending: Ending, now: Instant, id_: str | None = None
    ) -> None:
        """An attempt has ended; nothing, if it was given up before.  The id is of an answer from outside."""
        if errand.attempt != attempt or errand.phase not in (RUNS, OUTSIDE):
            _log.info("attempt %d of %s ended too late: it was given up", attempt, errand)
            return
        self._keep_actor(errand, now)
        line = self._line(errand)
        self._leave(line, errand)
        if ending.how != CANCELLED:
            line.mind_circuit(errand.options, ending, now)
        if ending.how == OK:
            self._finish(errand, OK, ending.body, id_)
        elif errand.withdrawn or ending.how == CANCELLED:
            self._finish(errand, CANCELLED)
        else:
            self._failed(errand, ending, now, id_)
        self._let_others(line, now)
        self._population.post.carry(now)

    def _let_others(self, line: Line, now: Instant) -> None:
        """There is room among those that run: let begin who waits for it, each activity in its turn."""
        if line.waiting:
            self._crowded.pop(line.activity, None)
            self._crowded[line.activity] = line
        while self._crowded and self.running < self._at_most:
            self._fill(self._crowded.pop(next(iter(self._crowded))), now)

    def left_outside(self, errand: Errand, attempt: int, due: Instant, now: Instant) -> None:
        """An attempt has handed out its token: its end will come from outside, if it has not already."""
        if errand.attempt != attempt or errand.phase != RUNS:
            return
        self._keep_actor(errand, now)
        line = self._line(errand)
        self._leave(line, errand)
        if errand.withdrawn:
            self._finish(errand, CANCELLED)
        else:
            errand.phase, errand.due = OUTSIDE, min(due, now + LONGEST)
            self._note(errand)
            self._watch(errand)
        self._let_others(line, now)
        self._population.post.carry(now)

    def _leave(self, line: Line, errand: Errand) -> None:
        if errand.phase == RUNS:
            line.running -= 1
            self.running -= 1

    def _failed(self, errand: Errand, ending: Ending, now: Instant, id_: str | None = None) -> None:
        """An attempt has failed: pause, and try again, unless that would be in vain."""
        errand.failure = ending.body
        errand.excused += ending.excused
        retry = errand.options.retry
        if errand.counted < retry.maximum_attempts and not is_final(errand.options, ending):
            pause = self._pause(errand) if ending.after is None else ending.after
            if errand.close_by is None or now + pause < errand.close_by:
                if pause <= 0:
                    self._join(errand, now)
                    return
                errand.phase, errand.due, errand.since = PAUSES, now + pause, now
                self._note(errand)
                self._watch(errand)
                return
        self._finish(errand, ending.how, ending.body, id_)

    def _pause(self, errand: Errand) -> Instant:
        """Longer after each attempt, never above its bound, never the same for many that failed together."""
        retry = errand.options.retry
        longest = min(retry.maximum_interval / facts.MICROSECOND, LONGEST) / 1.2
        exponent = min(errand.attempt - 1, 1_000)
        try:
            pause = retry.initial_interval / facts.MICROSECOND * retry.backoff_coefficient**exponent
        except OverflowError:
            pause = longest
        return round(min(pause, longest) * (0.8 + 0.4 * self._chance()))

    def _keep_actor(self, errand: Errand, now: Instant) -> None:
        """Have its actor in memory while the errand is known: one that comes back later takes it for lost."""
        if errand.address not in self._population.residents:
            self._population.residency.found(errand.path, now)

    def _finish(self, errand: Errand, how: str, body: bytes = b"", id_: str | None = None) -> None:
        """It has its outcome: bring it to the actor."""
        errand.phase = DONE
        del self.under_way[errand.address, errand.ref]
        self._unnote(errand)
        self._population.post.bring(errand.address, Input(facts.RESOLVE, how, body, id_, errand.ref))

    # -- what happens of itself ----------------------------------------------------------------------------

    @property
    def first(self) -> Instant:
        """When something is to be looked at next."""
        return self._due[0][0] if self._due else FOR_EVER

    def wake(self, now: Instant, at_most: int) -> bool:
        """See to what is due; says whether that was all."""
        for _ in range(at_most):
            if not self._due or self._due[0][0] > now:
                return True
            what = heappop(self._due)[2]
            if isinstance(what, Line):
                what.expected = 0
                self._fill(what, now)
            elif what.phase not in (RUNS, DONE):  # of those that run, whoever runs them watches the time
                self._keep_actor(what, now)
                self._look(what, now)
            self._population.post.carry(now)
        return not self._due or self._due[0][0] > now

    def set_back(self, by: Instant) -> None:
        """The clock was set back by so much; pauses, bounds and rates are durations, and stay as long."""
        for errand in self.under_way.values():
            errand.set_back(by)
        for line in self.lines.values():
            line.set_back(by)
        self._due = [(at - by, number, what) for at, number, what in self._due]

    def _watch(self, errand: Errand) -> None:
        """See that an errand is looked at in time."""
        times = [time for time in (errand.close_by, errand.start_by) if time is not None]
        if errand.phase in (PAUSES, OUTSIDE):
            times.append(errand.due)
        if times:
            heappush(self._due, (min(times), next(self._number), errand))
        if len(self._due) > STALE_MAX + 4 * len(self.under_way):
            self._due = [one for one in self._due if isinstance(one[2], Line) or one[2].phase != DONE]
            heapify(self._due)

    def _look(self, errand: Errand, now: Instant) -> None:
        phase = errand.phase
        if phase in (RUNS, DONE) or self._too_late(errand, now) or phase == WAITS:
            return
        if errand.due > now:
            self._watch(errand)
        elif phase == PAUSES:
            self._join(errand, now)
        else:
            self._failed(errand, Ending(TIMED_OUT, pack("nobody has completed it from outside in time")), now)

    def _too_late(self, errand: Errand, now: Instant) -> bool:
        """End an errand that does not run and whose time is over; says whether it is."""
        if errand.close_by is not None and errand.close_by <= now:
            self._finish(errand, TIMED_OUT, pack("all attempts together have taken too long"))
        elif errand.phase == WAITS and errand.start_by is not None and errand.start_by <= now:
            self._finish(errand, TIMED_OUT, pack("it has waited too long for its turn"))
        return errand.phase == DONE

    # -- what is written down ------------------------------------------------------------------------------

    def beat(self, errand: Errand, details: bytes, now: Instant) -> bool:
        """An attempt is alive, and tells how far it has come; says whether there is something to write."""
        errand.details = details
        if now - errand.beaten < BEAT_US:
            return False
        errand.beaten = now
        self._note(errand)
        return True

    def _note(self, errand: Errand) -> None:
        errand.noted = True
        trace = Trace(
            errand.attempt, errand.excused, errand.phase, errand.due, errand.failure, errand.details
        )
        self._population.frame.rows.append(Row(ERRANDS, errand.row, pack_trace(trace)))

    def _unnote(self, errand: Errand) -> None:
        if errand.noted:
            errand.noted = False
            self._population.frame.rows.append(Row(ERRANDS, errand.row, None))

    def _traces(self, path: bytes) -> dict[Ref, Trace]:
        found: dict[Ref, Trace] = {}
        for key, data in self._population.reading.scan(ERRANDS, path, behind(path), at_most=1 << 20):
            place = key[len(path) :]
            ref = int.from_bytes(place[:NUMBER_BYTES], "big"), int.from_bytes(place[NUMBER_BYTES:], "big")
            try:
                found[ref] = unpack_trace(data, f"errand {ref[0]}.{ref[1]} of {name_of(path)}")
            except LaterRow:
                raise  # it is not lost, and whoever can read it is to go on with it
            except DecodeError as error:
                # It has had an attempt at least, whose end is unknown; how many more is lost.
                _log.error("%s: its attempts are counted from one again", error)
                found[ref] = Trace(1, 0, RUNS, 0, b"", b"")
        return found


def chance(entropy: Callable[[int], bytes]) -> float:
    """A number from 0 up to, but not including, 1."""
    return int.from_bytes(entropy(4), "big") / (1 << 32)
