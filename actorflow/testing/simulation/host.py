"""The runtime's own host without its loop, its threads and its clock: commits are moments of simulated time.

What callers are told, and when, is decided by the code of production.  Here are only the ways in which it
waits, the disk that it writes to, and that it can die.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from types import coroutine
from typing import TYPE_CHECKING, Any, Final, cast

from actorflow._core import step as core
from actorflow._core.facts import Address, Input, Instant
from actorflow._core.quiet import silence
from actorflow._runtime.frame import Frame
from actorflow._runtime.host import WAITING, Answer, Early, Host, undone
from actorflow._runtime.population import Population
from actorflow._runtime.resident import Resident
from actorflow._runtime.writer import Written, write
from actorflow.errors import NotAccepted, Unknown
from actorflow.limits import Limits
from persistence.journal import Full, Stopped

from .agenda import MILLISECOND_US, SECOND_US
from .oracle import Wrong, see
from .outside import SimulatedAttempts
from .truth import MESSAGES, Sent

if TYPE_CHECKING:
    from .run import Simulation

__all__ = ["SimulatedHost", "Waiting", "until"]

GLANCE_US: Final = 5 * SECOND_US
"""As often as the host of production looks at a clock that may have jumped."""


class Waiting:
    """What a coroutine waits for, and of whom."""

    __slots__ = ("host", "ready", "what")

    def __init__(self, ready: Callable[[], bool], what: str, host: SimulatedHost | None) -> None:
        self.ready = ready
        self.what = what
        self.host = host


@coroutine
def until(
    ready: Callable[[], bool], what: str, host: SimulatedHost | None = None
) -> Generator[Waiting, None, None]:
    """Wait until something is so; of a host that dies meanwhile, ``Unknown``."""
    if not ready():
        yield Waiting(ready, what, host)


class WatchedPopulation(Population):
    """Tells what it has taken."""

    def __init__(
        self, host: SimulatedHost, limits: Limits, entropy: Callable[[int], bytes], *, strict: bool
    ) -> None:
        super().__init__(host.journal, host.specs, limits, entropy, strict=strict)
        self._sim = host.sim
        self.stood: Counter[Address] = Counter()
        """How many records each actor has had since it was opened."""
        self.before: dict[Address, int] = {}
        """And how many before that."""
        self.last: tuple[Sent, bool] | None = None
        """What was taken last, and whether it is an earlier message once more."""

    def open(self) -> None:
        super().open()
        self._sim.truth.reopened(self.journal)
        self.before = {address: len(ones) for address, ones in self._sim.truth.records.items()}

    def records(self, address: Address) -> int:
        """How many an actor has had."""
        return self.before.get(address, 0) + self.stood[address]

    def deliver(self, resident: Resident, input_: Input, now: Instant) -> core.Turn:
        self.last = None
        turn = super().deliver(resident, input_, now)
        self.last = self._taken(resident.address, input_, turn)
        return turn

    def deliver_all(self, messages: Iterable[tuple[Resident, Input]], now: Instant) -> list[core.Turn]:
        messages = list(messages)
        turns = super().deliver_all(messages, now)
        last: dict[Address, int] = {}
        for (resident, input_), turn in zip(messages, turns, strict=True):
            self._taken(resident.address, input_, turn)
            if turn.record is not None:
                see(
                    turn.seq > last.get(resident.address, 0),
                    f"{resident.actor} has the signals of a batch in another order",
                )
                last[resident.address] = turn.seq
        return turns

    def _taken(self, address: Address, input_: Input, turn: core.Turn) -> tuple[Sent, bool] | None:
        self._sim.trace.note(
            "sent", *address, input_.kind, input_.name, input_.body, input_.id, turn.seq, turn.fate,
            read=self._sim.read_sent,
        )  # fmt: skip
        if input_.kind not in MESSAGES or turn.fate not in (core.ACKNOWLEDGE, core.JOIN):
            return None
        sent = Sent(address, input_, turn.seq)
        if turn.fate == core.ACKNOWLEDGE and turn.record is not None:
            self._sim.truth.took(sent)
        return sent, turn.fate == core.JOIN

    def _stand(self, resident: Resident, turn: core.Turn, now: Instant) -> None:
        self.stood[resident.address] += 1
        super()._stand(resident, turn, now)

    def fault(self, resident: Resident, error: Exception) -> None:
        super().fault(resident, error)
        self._sim.broke(f"{resident.actor} does not go on: {error}", error)


class SimulatedWriter:
    """Makes frames durable, one after the other, in simulated time."""

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host
        self._sim = host.sim
        self.unwritten: Frame | None = None
        """What has not reached the disk yet."""

    def put(self, frame: Frame) -> None:
        """Have a frame written."""
        sim, dice = self._sim, self._sim.disk_dice
        self.unwritten = frame
        slow, fail, full = (dice.hits(getattr(sim.faults, kind)) for kind in ("slow", "fail", "full"))
        delay = dice.between(MILLISECOND_US // 10, 5 * MILLISECOND_US)
        much = dice.between(SECOND_US, 60 * SECOND_US)
        reach = dice.random()
        if slow:
            sim.trace.note("slow", frame.position)
            delay = much
        written = round(delay * reach)
        sim.agenda.after(written, lambda: self._write(frame, delay - written, fail=fail, full=full))

    def _write(self, frame: Frame, rest: int, *, fail: bool, full: bool) -> None:
        if not self._host.alive:
            return
        journal: Any = self._host.journal
        if fail:
            self._sim.trace.note("fail", frame.position)
            journal.fail_at(len(journal.history) + 1)
        elif full:
            self._sim.trace.note("full", frame.position)
            journal.full_at(len(journal.history) + 1)
        try:
            done = write(journal, frame)
        except (Stopped, Full) as failure:
            done = Written(frame, failure)
        self.unwritten = None
        self._sim.agenda.after(rest, lambda: self._host.written(done))

    def stop(self) -> None:
        """There is no thread to end."""


class SimulatedHost(Host):
    """A host in a world."""

    def __init__(
        self, sim: Simulation, journal: Any, entities: Sequence[type[Any]], limits: Limits, *, strict: bool
    ) -> None:
        super().__init__(journal, entities, limits, strict=strict, clock=sim.agenda.wall)
        self.sim: Simulation = sim
        self.alive = False
        self.watched = WatchedPopulation(self, limits, sim.entropy, strict=strict)
        self.population = self.watched
        self._stirring = False
        self._heard = False
        """Whether all were looked at that the log spoke of."""
        self._look = 0
        """The number of the last look at the clock that was asked for."""
        self.ran = SimulatedAttempts(self, sim.outside, sim.activity_dice)
        self.writer = SimulatedWriter(self)

    # -- living and dying ----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Open the journal, and take up what was left."""
        self.population.open()
        self.population.reading.lost = self._lost
        self._writer = cast("Any", self.writer)
        self._attempts = cast("Any", self.ran)
        self._shut = ""
        self.alive = True
        self.sim.agenda.after(0, self._hear_one)
        self.minds(0)

    def die(self) -> None:
        """Be gone, with all that was in memory."""
        self.alive = False
        self._shut = "the process is gone"
        self.ran.lost()
        for resident in self.population.residents.values():
            silence(resident.actor)

    def leave(self, grace_us: int) -> None:
        """Take nothing more, and go in order."""
        self._shut = "the runtime is closed"
        self.population.errands.stopping = True
        self.sim.agenda.after(grace_us, self._leave_now)

    def _leave_now(self) -> None:
        if self.alive and self._failure is None:
            self.ran.lost()
            self._ending = True
            self.population.begin_closing()
            self._see_left()
            self.stir()

    def _see_left(self) -> None:
        if self._ending and self._failure is None and self.population.complete and self._in_flight is None:
            self._release_all(Unknown("what was awaited", "the runtime was closed before it came"))
            self.sim.left(self)

    @property
    def in_flight(self) -> Frame | None:
        """The frame that is being written."""
        return self._in_flight

    @property
    def at_rest(self) -> bool:
        """Whether it is open and has nothing to write, to begin or to take up."""
        population, now = self.population, self.clock()
        return (
            self.alive
            and not self._shut
            and self._in_flight is None
            and not self.ran.busy
            and not population.busy(now)
            and population.next_due(now) > now  # the table of who is due is read for that, if it was not
            and self._heard
        )

    # -- what callers are told -----------------------------------------------------------------------------

    async def send(self, address: Address, input_: Input, where: str) -> Answer:
        """Deliver an input; returns how it was answered, once that is durable."""
        try:
            while isinstance(taken := self.take(address, input_, where), list):
                await self.wait_in(taken)
        except Early as early:
            await self.durable(early.frame, where)
            raise early.error from None
        sent, joined = self.watched.last or (None, False)
        self.stir()
        frame, answer, cell = taken
        try:
            if answer is None:
                answer = cast("Answer", await self.wait(cell))
            else:
                await self.durable(frame, where)
        except NotAccepted:
            if sent is not None and not joined:
                self.sim.truth.not_accepted(sent)
            raise
        if sent is not None:
            self.sim.truth.told(sent, *answer, joined=joined)
        self.sim.trace.note("told", *address, where, *answer)
        return answer

    async def send_all(self, messages: Sequence[tuple[Address, Input]]) -> None:
        """Deliver signals, all of them or none; returns when they are durable."""
        self.see_open("this")
        population, now = self.population, self.clock()
        pairs = [(population.resident(address, now), input_) for address, input_ in messages]
        try:
            population.deliver_all(pairs, now)
        except Exception:
            await self._all_durable(pairs, "the batch")
            raise
        self.stir()
        self.messages += len(pairs)
        await self._all_durable(pairs, "the batch")

    async def ask(self, address: Address, name: str, body: bytes) -> bytes:
        """Answer a query, once what it tells is durable."""
        now = self.clock()
        try:
            frame, data = self.look(address, name, body)
        except Early as early:
            await self.durable(early.frame, name)
            raise early.error from None
        count = self.watched.records(address)
        await self.durable(frame, name)
        self.sim.truth.asked_query(address, count, name, body, now, data)
        self.sim.trace.note("asked", *address, name, data)
        return data

    async def durable(self, frame: Frame, what: str) -> None:
        """Wait until a frame is durable."""
        if not frame.ended:
            self.stir()
            await until(lambda: frame.ended, what, self)
        if frame.failure is not None:
            raise undone(frame.failure, what)

    async def wait(self, cell: list[Any]) -> Any:
        """Wait until something is put into a cell, and give it."""
        await until(lambda: cell[1] is not WAITING, cell[3] if len(cell) > 3 else "its turn", self)  # noqa: PLR2004
        if isinstance(cell[1], BaseException):
            raise cell[1]
        return cell[1]

    # -- committing ----------------------------------------------------------------------------------------

    def stir(self) -> None:
        """Have somebody look whether there is something to write."""
        if self.alive and not self._stirring and self._in_flight is None:
            self._stirring = True
            soon = self.sim.disk_dice.between(MILLISECOND_US // 20, 2 * MILLISECOND_US)
            self.sim.agenda.after(soon, self._commit_some)

    def _commit_some(self) -> None:
        self._stirring = False
        if self.alive and self._to_write():
            self._commit()
            if self._in_flight is not None:
                self.sim.trace.note("writes", self._in_flight.position, self._in_flight.messages)

    def written(self, written: Written) -> None:
        """The disk is done with a frame."""
        if not self.alive:
            return
        if written.failure is None:
            self.sim.durable(self)
        self._written(written)
        if self._failure is not None:
            self.sim.fell(self)
        else:
            self._see_left()

    def _fail_stop(self, failure: BaseException, in_doubt: Frame | None, *lost: Frame) -> None:
        super()._fail_stop(failure, in_doubt, *lost)
        if not isinstance(failure, Stopped | Full):
            raise Wrong(f"the runtime has stopped: {failure!r}") from failure

    # -- the clock, and what the log left behind -----------------------------------------------------------

    def _see_clock(self) -> None:
        if self.population.first_due < self._glance:
            self.minds(0)

    def minds(self, delay_us: int) -> None:
        """Look at the clock, so much later, and no earlier look counts."""
        self._look += 1
        number = self._look
        self.sim.agenda.after(delay_us, lambda: self._mind(number))

    def _mind(self, number: int) -> None:
        if not self.alive or self._failure is not None or self._shut or number != self._look:
            self.sim.idled()
            return
        population, now = self.population, self.clock()
        before = population.frame.messages
        all_done = population.wake(now, 1)
        if population.busy(now):
            self.stir()
        elif all_done and population.frame.messages == before:
            self.sim.idled()
        if not all_done:
            self.minds(MILLISECOND_US // 10)
            return
        self._glance = population.next_due(now)
        # With something in the log that the tables lack, it is looked at as often as in production.
        longest = GLANCE_US if population.checkpoint.tails else self._glance
        self.minds(max(1, min(self._glance - now, longest)))

    def _hear_one(self) -> None:
        if not self.alive or self._failure is not None or self._shut:
            return
        all_done = self.population.hear(self.clock(), 1)
        self._see_clock()
        self.stir()
        self._heard = all_done
        if not all_done:
            self.sim.agenda.after(MILLISECOND_US // 10, self._hear_one)
