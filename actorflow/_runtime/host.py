"""The host of production: opens a journal, lets actors live, and tells callers what is durable.  trio inside.

One task commits: it cuts the frame that has gathered, hands it to the writer's thread, and when that says it
is durable wakes everybody who waited for it.  One task minds the clock.  Actors are no tasks.
"""

# Long because it is the one place where callers, the writer and the clock meet.

from __future__ import annotations

import inspect
import logging
import math
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio
from trio.lowlevel import current_task, wait_task_rescheduled

from actorflow._authoring.callbacks import once_of, read_token, see_opens
from actorflow._authoring.entity import specs_of
from actorflow._authoring.waiting import LONGEST
from actorflow._core import facts, phases
from actorflow._core import step as core
from actorflow._core.facts import Address, Ended, Input, Instant
from actorflow._core.pending import Promise
from actorflow._core.spec import Spec
from actorflow.errors import LimitExceeded, NotAccepted, Unknown, UnknownEntity, UsageError
from actorflow.limits import Limits

from . import forks, interpreter
from .attempts import Attempts
from .checkpoint import QUIET_US
from .errand import Ending, ending_of
from .frame import Frame
from .population import Population
from .resident import Resident
from .stand_ins import Replacing, stand_ins
from .turns import InTurn, at_once
from .wakes import NEAR_US
from .waking import GO_ON, Waiter
from .watchdog import Watchdog
from .writer import Writer, Written

if TYPE_CHECKING:
    from actorflow._codec import Schema
    from persistence import Journal

__all__ = ["Answer", "Cells", "Early", "Host", "undone"]

T = TypeVar("T")

_log = logging.getLogger("actorflow.runtime")

GLANCE_S: Final = 5.0
"""The wall clock may jump, so it is looked at this often, whatever is due."""
WAKES_AT_ONCE: Final = 50
CLOSE_S: Final = 60.0

Answer = tuple[str, bytes]
"""How something ended, and with what."""
Cells = list[Any]
Cell = list[Any]
"""Who waits: a trio task, or nothing before that and once it has given up; then what it gets."""
WAITING: Final = object()
NO_CELL: Final[Cell] = []


class Early(Exception):
    """What may be raised only once a frame is durable, for it tells what that frame made of an actor."""

    def __init__(self, frame: Frame, error: Exception) -> None:
        super().__init__(error)
        self.frame = frame
        self.error = error


def _uninterrupted(cls: type[T]) -> type[T]:
    """Have Ctrl-C wait for the next await of the main task.

    It is raised wherever Python happens to be, and a turn, or a batch, that ends in its middle is worse than
    one that ends a little later.  What is marked is code; it costs nothing when it runs.
    """
    for member in vars(cls).values():
        if inspect.isfunction(member):
            trio.lowlevel.enable_ki_protection(member)
    return cls


@_uninterrupted
class Host:
    """Actors that live in this process, and in one journal."""

    def __init__(
        self,
        journal: Journal,
        entities: Sequence[type[Any]],
        limits: Limits | None,
        *,
        strict: bool,
        clock: Callable[[], Instant],
        activities: Replacing | None = None,
        clock_jumps: bool = True,
        entropy: Callable[[int], bytes] = os.urandom,
        in_turn: InTurn = at_once,
        watched: bool = True,
    ) -> None:
        self.limits = Limits() if limits is None else limits
        self.specs = {spec.name: spec for spec in specs_of(entities, limits)}
        self.journal = journal
        self._wall = clock
        self._seen: Instant = 0
        """What the clock showed when it was looked at last."""
        near, quiet = (NEAR_US, QUIET_US) if clock_jumps else (LONGEST, 0)
        self.population = Population(
            journal, self.specs, self.limits, entropy, strict=strict, near_us=near, quiet_us=quiet
        )
        self.stand_ins = stand_ins(activities or {})
        self.in_turn = in_turn
        self._glance_s = GLANCE_S if clock_jumps else math.inf
        self._exit = AsyncExitStack()
        self._writer: Writer | None = None
        self._attempts: Attempts | None = None
        self._watched = watched
        self._watchdog: Watchdog | None = None
        self._replies: dict[tuple[Address, int], Cells] = {}
        self._results: dict[Address, Cells] = {}
        self._crowd: Cells = []
        """Callers who wait because enough is waiting for the next commit."""
        self._shut = "it is not open"
        """Why nothing is accepted."""
        self._failure: BaseException | None = None
        self._parked: trio.lowlevel.Task | None = None
        """The task that commits, while it has nothing to do."""
        self._ending = False
        self._is_fork = False
        self._stirred = trio.Event()
        self._glance: Instant = 0
        """When the clock is looked at next, by its own reckoning."""
        self._in_flight: Frame | None = None
        self.messages = 0
        self.commits = 0

    # -- opening and closing -------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the journal: service begins at once, whatever the log left behind is taken up meanwhile."""
        if self._shut != "it is not open":
            raise UsageError(
                "a runtime is opened once\n  hint: make another Runtime, with another journal object"
            )
        await trio.to_thread.run_sync(self.population.open)
        self.population.reading.lost = self._lost
        self.population.residency.crowds = self._look_around
        token = trio.lowlevel.current_trio_token()

        def tell(written: Written) -> None:
            token.run_sync_soon(self._written, written)

        try:
            self._writer = Writer(self.journal, tell, self.limits.loop_wait.total_seconds())
        except BaseException:  # there may be no thread for it; and the journal would stay locked
            self.journal.close()
            raise
        forks.remember(self)
        interpreter.suit()
        nursery = await self._exit.enter_async_context(trio.open_nursery())
        self._nursery = nursery
        self._shut = ""
        try:
            await nursery.start(self._commit_frames)
        except BaseException:  # the caller was cancelled: nobody else will close it
            await self.close()
            raise
        self._attempts = Attempts(self, nursery, self.limits.activity_threads)
        if self._watched:
            self._watchdog = Watchdog()
        nursery.start_soon(self._mind_clock)
        nursery.start_soon(self._hear)

    async def close(self) -> None:
        """Take nothing more, make durable what was taken, and let go of the journal."""
        if self._is_fork:
            self._nursery.cancel_scope.cancel()
            await self._exit.aclose()
            return  # the writer, the lock and all else are the parent's
        self._shut = "the runtime is closed"
        assert self._writer is not None, "it was opened"
        # A program that is cancelled takes along its attempts, and the task that commits: nothing would end,
        # and nothing would become durable, however long it is waited for.
        cancelled = trio.current_effective_deadline() == -math.inf
        try:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + CLOSE_S):
                self.population.errands.stopping = True
                if self._attempts is not None:
                    grace = 0.0 if self._failure or cancelled else self.limits.close_grace.total_seconds()
                    await self._attempts.finish(grace)
                await self._finish()
        finally:
            self._nursery.cancel_scope.cancel()
            try:
                await self._exit.aclose()
            finally:
                self._release_all(Unknown("what was awaited", "the runtime was closed before it came"))
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(self._stop_threads)
                    await trio.to_thread.run_sync(self.journal.close)
                interpreter.leave()

    async def abandon(self, failure: BaseException) -> None:
        """Let go as a process does that is killed: nothing more is written, and nothing is brought to an end.

        What the writer has in its hands may become durable, or may not.
        """
        self._failure = failure
        self._shut = f"the runtime has stopped: {failure}"
        self._strand(failure, self._in_flight)
        if self._attempts is not None:
            self._attempts.drop()
        self._nursery.cancel_scope.cancel()
        try:
            await self._exit.aclose()
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._stop_threads)
                await trio.to_thread.run_sync(self.journal.close)
            interpreter.leave()

    def _stop_threads(self) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()
        assert self._writer is not None, "it was opened"
        self._writer.stop()

    def forked(self) -> None:
        """Know that it is in a child of the process that opened it."""
        self._is_fork = True
        self._shut = "this is a fork of the process that opened the journal; only that one may use it"
        self._failure = NotAccepted("this", self._shut)

    def _lost(self, error: BaseException) -> None:
        """The journal cannot be read, so nothing can be relied upon any more."""
        if self._failure is None:
            self._fail_stop(error, None)

    async def _finish(self) -> None:
        """Have everything written, tables included."""
        self._ending = True
        self.population.begin_closing()
        while self._failure is None and not (self.population.complete and self._in_flight is None):
            if self._to_write():  # the task that commits may be gone, if it was the loop that fell apart
                self._commit()
            await trio.lowlevel.checkpoint()
            if self._in_flight is not None:
                self._in_flight.waiting.append(Waiter(current_task()))
                await wait_task_rescheduled(_never)

    # -- what handles ask of it ----------------------------------------------------------------------------

    def spec(self, name: str) -> Spec:
        """The entity of this name, or ``UnknownEntity``."""
        spec = self.specs.get(name)
        if spec is None:
            raise UnknownEntity(name, "", tuple(self.specs))
        return spec

    @property
    def failure(self) -> BaseException | None:
        """Why the runtime has stopped, if it has."""
        return self._failure

    @property
    def shut(self) -> str:
        """Why nothing is accepted; nothing if it is open."""
        return self._shut

    @property
    def hanging(self) -> tuple[str, ...]:
        """Threads whose function still runs although it was given up."""
        return () if self._attempts is None else tuple(self._attempts.hanging)

    @property
    def slow_turns(self) -> dict[str, float]:
        """By handler, the longest that one of its turns was seen to take, where that was too long."""
        return {} if self._watchdog is None else self._watchdog.longest

    @property
    def writing(self) -> bool:
        """Whether a commit is under way."""
        return self._in_flight is not None

    @property
    def gathered(self) -> bool:
        """Whether there is something to write, and the task that would has not noticed."""
        return self._parked is not None and self._to_write()

    @property
    def in_threads(self) -> dict[str, int | None]:
        """Activities that run in threads, each with its thread once that has begun."""
        return {} if self._attempts is None else {str(run): run.thread for run in self._attempts.in_threads}

    @property
    def ends_awaited(self) -> tuple[Address, ...]:
        """Actors for the end of whose life somebody waits."""
        return tuple(self._results)

    def see_open(self, what: str) -> None:
        """Raise if nothing is accepted."""
        if self._shut:
            raise NotAccepted(what, self._shut)

    def resident(self, address: Address) -> Resident:
        """The actor in memory, to look at."""
        self.see_open(f"looking at {address[0]} {address[1]!r}")
        return self.population.resident(address, self.clock())

    async def call(self, work: Callable[[Host], Awaitable[T]], where: str = "") -> T:  # noqa: ARG002 - a door's
        """Do something in this loop, where the caller is already."""
        return await work(self)

    async def send(self, address: Address, input_: Input, where: str) -> Answer:
        """Deliver an input; returns how it was answered, once that is durable.  THE hot path."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            while isinstance(taken := self.take(address, input_, where), list):
                await self.wait_in(taken)
        except Early as early:
            await self.durable(early.frame, where)
            raise early.error from None
        frame, answer, cell = taken
        if answer is None:
            return await self.wait(cell)  # type: ignore[no-any-return]  # what _release puts there
        if frame.ended:
            await self.durable(frame, where)
            return answer
        # What durable() does, without a coroutine of its own.
        if self._parked is not None:
            self.stir()
        waiter = Waiter(current_task())
        frame.waiting.append(waiter)
        await wait_task_rescheduled(waiter)
        if frame.failure is not None:
            raise undone(frame.failure, where)
        return answer

    def take(self, address: Address, input_: Input, where: str) -> tuple[Frame, Answer | None, Cell] | Cells:
        """Deliver an input, if there is room for it; where there is none, gives the line to wait in for it.

        The answer may be told once the frame is durable; where there is none yet, it comes into the cell.
        """
        if self._shut:
            raise NotAccepted(where, self._shut)
        population = self.population
        if population.frame.size > self.limits.frame_bytes:
            return self._crowd
        now = self.clock()
        resident = population.resident(address, now)
        try:
            turn = population.deliver(resident, input_, now)
        except LimitExceeded as error:
            if error.limit != "mailbox_messages":
                raise _held_back(resident.frame, error) from None
            return resident.line()
        except Exception as error:  # noqa: BLE001 - whatever it is, it may tell what is not durable
            raise _held_back(resident.frame, error) from None
        fate = turn.fate
        if fate == core.ACKNOWLEDGE:
            self.messages += 1
            if input_.kind != facts.UPDATE:
                return resident.frame, OK, NO_CELL
            for effect in turn.effects:
                if isinstance(effect, Ended) and effect.seq == turn.seq:
                    return resident.frame, (effect.outcome, effect.body), NO_CELL
        frame = resident.frame
        if fate not in (core.ACKNOWLEDGE, core.JOIN) and (frame.ended or input_.id is None):
            return frame, (turn.how, turn.body), NO_CELL
        if self._parked is not None:
            self.stir()
        # With the frame that admits it: what repeats an earlier message may be durable though that is not.
        cell: Cell = [None, WAITING, frame if fate == core.ACKNOWLEDGE else None, where]
        if fate in (core.ACKNOWLEDGE, core.JOIN):
            self._replies.setdefault((address, turn.seq), []).append(cell)
        else:
            frame.repeated.append((cell, (turn.how, turn.body)))
        return frame, None, cell

    async def ask(self, address: Address, name: str, body: bytes) -> bytes:
        """Answer a query, once what it tells is durable."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            frame, data = self.look(address, name, body)
        except Early as early:
            await self.durable(early.frame, name)
            raise early.error from None
        await self.durable(frame, name)
        return data

    def look(self, address: Address, name: str, body: bytes) -> tuple[Frame, bytes]:
        """Ask a query; what is given may be told once the frame is durable."""
        self.see_open("this")
        now = self.clock()
        resident = self.population.resident(address, now)
        try:
            return resident.frame, self.population.ask(resident, name, body, now)
        except Exception as error:  # noqa: BLE001 - whatever it is, it may tell what is not durable
            raise _held_back(resident.frame, error) from None

    async def result(self, address: Address) -> tuple[str, bytes]:
        """Wait until the life ends; gives how it ended, and with what."""
        self.see_open("this")
        resident = self.population.resident(address, self.clock())
        actor = resident.actor
        if actor.phase == phases.CLOSED:
            found = actor.status, actor.result
            await self.durable(resident.frame, "result()")
            return found
        waiting = self._results.setdefault(address, [])
        try:
            return await self.wait_in(waiting)  # type: ignore[no-any-return]  # what _release puts there
        except trio.Cancelled:
            # A life may last for years, and be asked after every minute.
            waiting[:] = [cell for cell in waiting if cell[0] is not None or cell[1] is not WAITING]
            if not waiting:
                self._results.pop(address, None)
            raise

    async def nothing_pending(self, what: str) -> None:
        """Wait until everything that has happened so far is durable."""
        gathering = self.population.frame
        newest = gathering if gathering.parts or gathering.rows else self._in_flight
        if newest is not None:
            await self.durable(newest, what)

    async def settled(self, address: Address, what: str) -> Resident:
        """The actor at a moment at which the tables say of it what its head says."""
        self.see_open(what)
        while True:
            resident = self.population.resident(address, self.clock())
            if resident.tabled.done:
                return resident
            await self.durable(resident.tabled, what)

    async def readmit(self, address: Address) -> None:
        """Try again with an actor that was set aside."""
        self.see_open("this")
        while (frame := self.population.residency.unsettled(address)) is not None:
            await self.durable(frame, "readmit()")
        resident = self.population.residency.readmit(address, self.clock())
        self.stir()
        await self.durable(resident.frame, "readmit()")

    async def send_all(self, messages: Sequence[tuple[Address, Input]]) -> None:
        """Deliver signals, all of them or none; returns when they are durable."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self.see_open("this")
        population, now = self.population, self.clock()
        pairs = [(population.resident(address, now), input_) for address, input_ in messages]
        try:
            population.deliver_all(pairs, now)
        except Exception:
            await self._all_durable(pairs, "the batch")  # the refusal tells what these have come to
            raise
        self.messages += len(pairs)
        await self._all_durable(pairs, "the batch")

    async def _all_durable(self, pairs: Iterable[tuple[Resident, Input]], what: str) -> None:
        frames = {id(resident.frame): resident.frame for resident, _ in pairs}
        for frame in frames.values():
            await self.durable(frame, what)

    async def call_back(self, token: str, value: object, error: BaseException | None = None) -> None:
        """Resolve a callback by its token, or end an attempt that was left to somebody outside."""
        self.see_open("this")
        read = read_token(token)
        address, now = (read.entity, read.key), self.clock()
        resident = self.population.resident(address, now)
        actor, errands = resident.actor, self.population.errands
        try:
            see_opens(token, read, actor.nonce)
            id_ = once_of(read, value, error)
            pending = actor.pending.get(read.ref)
            if pending is None or isinstance(pending, Promise):
                form = pending.form if isinstance(pending, Promise) else None
                ending = self._answer_of(resident, form, value, error)
                input_ = Input(facts.RESOLVE, ending.how, ending.body, id_, read.ref)
                await self.send(address, input_, "resolve()")
                return
            ending = self._answer_of(resident, pending.asked.arguments.answer, value, error)
            errands.answered((address, read.ref), read.attempt, ending, id_, now)
        except UsageError:
            await self.durable(resident.frame, "resolve()")  # the refusal tells what has become of it
            raise
        # The errand may have nothing but a row in this frame.
        await self.nothing_pending("resolve()")

    def _answer_of(
        self, resident: Resident, form: Schema[Any] | None, value: object, error: BaseException | None
    ) -> Ending:
        """What somebody outside says; empty where nobody waits for it, and it is only looked up."""
        if error is not None:
            ending = ending_of(error)
        else:
            ending = Ending(facts.OK, b"" if form is None else form.encode(value))
        resident.actor.fits(ending.body, "resolve()")
        return ending

    # -- waiting -------------------------------------------------------------------------------------------

    async def durable(self, frame: Frame, what: str) -> None:
        """Wait until a frame is durable."""
        if not frame.ended:
            if self._parked is not None:
                self.stir()
            waiter = Waiter(current_task())
            frame.waiting.append(waiter)
            await wait_task_rescheduled(waiter)
        else:
            await trio.lowlevel.checkpoint()
        if frame.failure is not None:
            raise undone(frame.failure, what)

    async def wait_in(self, waiting: Cells) -> Any:
        """Wait in a list of cells, and give what is put into the cell."""
        cell: Cell = [None, WAITING]
        waiting.append(cell)
        return await self.wait(cell)

    async def wait(self, cell: Cell) -> Any:
        """Wait until something is put into a cell, and give it."""

        def give_up(_: object) -> trio.lowlevel.Abort:
            cell[0] = None
            return trio.lowlevel.Abort.SUCCEEDED

        if cell[1] is WAITING:
            cell[0] = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(give_up)
        if isinstance(cell[1], BaseException):
            raise cell[1]
        return cell[1]

    # -- committing ----------------------------------------------------------------------------------------

    def stir(self) -> None:
        """Have somebody look whether there is something to write."""
        if self._parked is not None and self._in_flight is None:
            committer, self._parked = self._parked, None
            trio.lowlevel.reschedule(committer, GO_ON)

    async def _commit_frames(self, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        while self._failure is None:
            if self._to_write():
                # One pass of the loop for whoever has just been woken to send its next message: committing
                # at once doubles the commits, and costs a quarter of the throughput.
                await trio.lowlevel.checkpoint()
                if self._to_write():
                    self._commit()
            else:
                self._parked = current_task()
                await wait_task_rescheduled(self._leave)

    def _to_write(self) -> bool:
        """Whether the writer is idle, and should not be."""
        if self._in_flight is not None or self._failure is not None:
            return False
        return self.population.busy(self.clock()) or (self._ending and not self.population.complete)

    def _commit(self) -> None:
        """Hand the gathered frame to the writer."""
        assert self._writer is not None, "it was opened"
        population = self.population
        gathered = population.frame
        try:
            frame = self._in_flight = population.cut(self.clock(), final=self._ending)
        except Exception as failure:  # noqa: BLE001 - whatever it is, nobody may be left waiting for ever
            self._fail_stop(failure, None, gathered)
            return
        written = self._writer.put(frame)
        if written is not None:
            self._written(written)
        self._see_clock()

    def _leave(self, _: object) -> trio.lowlevel.Abort:
        self._parked = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _written(self, written: Written) -> None:
        """The writer is done with a frame."""
        frame = written.frame
        self._in_flight = None
        if written.failure is not None:
            self._fail_stop(written.failure, frame)
        else:
            self.commits += 1
            self._release(frame)
            try:
                self.population.committed(frame, written.forgotten, written.room)
            except Exception as failure:  # noqa: BLE001 - an exception here would end the loop itself
                self._fail_stop(failure, None)
        self.stir()

    def _release(self, frame: Frame) -> None:
        """Tell everybody who waited for this frame."""
        frame.done = True
        self._let_go(frame)
        assert self._attempts is not None, "it was opened"
        if frame.stopped:
            self._attempts.stop(frame.stopped)
        if frame.begun:
            self._attempts.begin(frame.begun)
        if self._replies:
            for address, seq, how, body in frame.answered:
                _wake(self._replies.pop((address, seq), ()), (how, body))
        for cell, answer in frame.repeated:
            _wake((cell,), answer)
        for address, status, body in frame.closed:
            _wake(self._results.pop(address, ()), (status, body))
        if self._crowd:
            _wake(self._crowd, None)
        roomy = self.population.roomy
        while roomy:
            _wake(roomy.pop().room, None)

    def _fail_stop(self, failure: BaseException, in_doubt: Frame | None, *lost: Frame) -> None:
        """Take nothing more: what was being written is in doubt, what was gathered was not accepted."""
        self._failure = failure
        why = str(failure) or type(failure).__name__
        self._shut = f"the runtime has stopped: {why}"
        _log.error("%s", self._shut, exc_info=failure)
        self._strand(failure, in_doubt, *lost)

    def _strand(self, failure: BaseException, in_doubt: Frame | None, *lost: Frame) -> None:
        """Tell everybody who waits what became of that."""
        why = str(failure) or type(failure).__name__
        if in_doubt is not None:
            in_doubt.failure = failure
            self._let_go(in_doubt)
        for frame in (*lost, self.population.frame):
            frame.failure = NotAccepted("this", self._shut)
            self._let_go(frame)
        for frame in (*([] if in_doubt is None else [in_doubt]), *lost, self.population.frame):
            for cell, _ in frame.repeated:
                _wake((cell,), Unknown(cell[3], why))
        for cells in self._replies.values():
            for cell in cells:
                admitted = cell[2]
                if admitted is not None and isinstance(admitted.failure, NotAccepted):
                    _wake((cell,), NotAccepted(cell[3], self._shut))
                else:
                    _wake((cell,), Unknown(cell[3], why))
        self._replies = {}
        self._release_all(Unknown("what was awaited", why))

    def _let_go(self, frame: Frame) -> None:
        frame.ended = True
        reschedule = trio.lowlevel.reschedule
        for waiter in frame.waiting:
            if waiter.task is not None:
                reschedule(waiter.task, GO_ON)
        frame.waiting.clear()

    def _release_all(self, error: BaseException) -> None:
        waiting = [*self._replies.values(), *self._results.values()]
        self._replies, self._results = {}, {}
        for cells in waiting:
            _wake(cells, error)
        # Of those who wait for room nothing was taken: they try again, and are told so.
        _wake(self._crowd, None)
        for resident in self.population.residents.values():
            _wake(resident.room, None)

    # -- the clock, and what the log left behind -----------------------------------------------------------

    def clock(self) -> Instant:
        """What time it is; before anybody counts by it, that it was set back is made known."""
        now = self._wall()
        if now < self._seen:
            _log.warning("the clock was set back by %.3f s", (self._seen - now) / 1e6)
            self.population.set_back(self._seen - now)
        self._seen = now
        return now

    def _see_clock(self) -> None:
        """Have the clock minded earlier, where something has turned up that falls due before."""
        if self.population.first_due < self._glance:
            self._stirred.set()

    def _look_around(self) -> None:
        """Have the clock minded at once, and with it whatever else there is to do."""
        self._stirred.set()

    async def _mind_clock(self) -> None:
        population = self.population
        # What falls due while it closes waits for another opening.
        while self._failure is None and not self._shut:
            now = self.clock()
            # One at a time, as when opening: what is due after a long absence may be everybody.
            all_done = population.wake(now, 1)
            if population.busy(now):
                self.stir()
            if not all_done:
                if population.frame.size > self.limits.frame_bytes:
                    await self.wait_in(self._crowd)
                else:
                    await trio.lowlevel.checkpoint()
                continue
            self._stirred = trio.Event()
            self._glance = population.next_due(now)
            seconds = max(0.0, min((self._glance - now) / 1e6, self._glance_s))
            with trio.move_on_after(seconds):
                await self._stirred.wait()

    async def _hear(self) -> None:
        """Take up what actors were about when the journal was left, service going on meanwhile."""
        while self._failure is None and not self._shut:
            # One at a time: each may have a long tail to replay, and callers wait behind it.
            all_done = self.population.hear(self.clock(), 1)
            # Of whom the tables do not know yet that he sleeps, it is known now.
            self._see_clock()
            self.stir()
            if all_done:
                return
            await trio.lowlevel.checkpoint()


OK: Final = (facts.OK, b"")


def _held_back(frame: Frame, error: Exception) -> Exception:
    """What to raise for what an actor was refused with."""
    return error if frame.done else Early(frame, error)


def undone(failure: BaseException, what: str) -> Exception:
    """What somebody is told whose frame is not durable for this reason."""
    if isinstance(failure, NotAccepted):
        return NotAccepted(what, failure.why)
    unknown = Unknown(what, str(failure) or type(failure).__name__)
    unknown.__cause__ = failure
    return unknown


def _wake(cells: Any, value: object) -> None:
    for cell in cells:
        cell[1] = value
        if cell[0] is not None:
            trio.lowlevel.reschedule(cell[0])
    if isinstance(cells, list):
        cells.clear()


def _never(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED
