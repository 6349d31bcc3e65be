"""The runtime: opens a journal, lets actors live, and tells callers what is durable.  trio, and nothing decided.

One task commits: it cuts the frame that has gathered, hands it to the writer's thread, and when that says it is
durable wakes everybody who waited for it.  One task minds the clock.  Actors are no tasks.
"""

# Long because it is the one place where callers, the writer and the clock meet.

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, TypeVar

import attrs
import trio

from actorflow._authoring.callbacks import opens, read_token
from actorflow._authoring.entity import spec_of
from actorflow._authoring.handlers import Query, Signal
from actorflow._authoring.keys import check_key
from actorflow._codec.failures import pack_failure
from actorflow._core import facts, phases
from actorflow._core import step as core
from actorflow._core.facts import Address, Ended, Input, Instant
from actorflow._core.pending import Promise
from actorflow._core.spec import Spec
from actorflow.errors import LimitExceeded, NotAccepted, Unknown, UnknownEntity, UsageError
from actorflow.limits import Limits

from .clock import wall
from .frame import Frame
from .handle import ActorHandle, message
from .past import Past, past
from .population import Population
from .resident import Resident
from .rows import unpack_head
from .tables import HEADS, STATUSES, behind, path_of, status_key
from .views import Description, Entry, Parked, Summary, describe, entry, parked, summary, summary_of
from .writer import Writer, Written

if TYPE_CHECKING:
    from persistence import Journal

__all__ = ["Batch", "Runtime", "Statistics"]

E = TypeVar("E")
P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger("actorflow.runtime")

GLANCE_S: Final = 5.0
"""The wall clock may jump, so it is looked at this often, whatever is due."""
WAKES_AT_ONCE: Final = 50
CLOSE_S: Final = 60.0

# ``Runtime.list`` hides the type of that name from the annotations in its class.
Summaries = list[Summary]
Entries = list[Entry]
Parkeds = list[Parked]
Paths = list[bytes]
Cells = list[Any]
Cell = list[Any]
"""Who waits: a trio task, or nothing once it has given up; then what it gets."""


@attrs.frozen
class Statistics:
    """What a runtime has done since it was opened, and what it holds."""

    messages: int
    commits: int
    residents: int
    activations: int
    passivations: int
    checkpoints: int
    actors_behind: int
    """How many actors have records that are in the log and not in the tables."""
    frames: int
    bytes_used: int
    bytes_quota: int
    bytes_on_disk: int
    set_aside: tuple[str, ...]
    """Actors that could not be brought into memory, with the reason."""


class Runtime:
    """Actors that live in this process, and in one journal."""

    def __init__(
        self,
        journal: Journal,
        *,
        entities: Sequence[type[Any]],
        limits: Limits | None = None,
        strict: bool = False,
        clock: Callable[[], Instant] = wall,
    ) -> None:
        self._limits = Limits() if limits is None else limits
        self._specs = {spec.name: spec for spec in _specs(entities, limits)}
        self._journal = journal
        self._clock = clock
        self._population = Population(journal, self._specs, self._limits, os.urandom, strict=strict)
        self._exit = AsyncExitStack()
        self._writer: Writer | None = None
        self._replies: dict[tuple[Address, int], Cells] = {}
        self._results: dict[Address, Cells] = {}
        self._crowd: Cells = []
        """Callers who wait because enough is waiting for the next commit."""
        self._shut = "it is not open"
        """Why nothing is accepted."""
        self._failure: BaseException | None = None
        self._committer: trio.lowlevel.Task | None = None
        self._committing = False
        self._ending = False
        self._stirred = trio.Event()
        self._glance: Instant = 0
        """When the clock is looked at next, by its own reckoning."""
        self._in_flight: Frame | None = None
        self._messages = 0
        self._commits = 0

    # -- opening and closing -------------------------------------------------------------------------------

    async def __aenter__(self) -> Runtime:
        """Open the journal: service begins at once, whatever the log left behind is taken up meanwhile."""
        if self._shut != "it is not open":
            raise UsageError(
                "a runtime is opened once\n  hint: make another Runtime, with another journal object"
            )
        await trio.to_thread.run_sync(self._population.open, self._clock())
        token = trio.lowlevel.current_trio_token()

        def tell(written: Written) -> None:
            token.run_sync_soon(self._written, written)

        self._writer = Writer(self._journal, tell)
        nursery = await self._exit.enter_async_context(trio.open_nursery())
        self._nursery = nursery
        self._shut = ""
        await nursery.start(self._commit_frames)
        nursery.start_soon(self._mind_clock)
        nursery.start_soon(self._hear)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take nothing more, make durable what was taken, and let go of the journal."""
        self._shut = "the runtime is closed"
        with trio.CancelScope(shield=True, deadline=trio.current_time() + CLOSE_S):
            await self._finish()
        self._nursery.cancel_scope.cancel()
        try:
            await self._exit.__aexit__(None, None, None)
        finally:
            assert self._writer is not None, "it was opened"
            self._release_all(Unknown("what was awaited", "the runtime was closed before it was answered"))
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._writer.stop)
                await trio.to_thread.run_sync(self._journal.close)
        if self._failure is not None and error is None:
            raise self._failure

    async def _finish(self) -> None:
        """Have everything written, tables included."""
        self._ending = True
        while self._failure is None and not (self._population.tabled and self._in_flight is None):
            self._stir()
            await trio.sleep(0)
            if self._in_flight is not None:
                cell: Cell = [trio.lowlevel.current_task()]
                self._in_flight.waiting.append(cell)
                await trio.lowlevel.wait_task_rescheduled(_never)

    # -- actors --------------------------------------------------------------------------------------------

    def actor(self, entity: type[E], key: str) -> ActorHandle[E]:
        """An actor; it begins to exist with its first signal or update."""
        self._spec(spec_of(entity).name)
        return ActorHandle(self, entity, check_key(key))

    async def start(
        self,
        initial: E,
        key: str,
        *,
        if_running: Literal["fail", "use"] = "fail",
        if_completed: Literal["new", "fail"] = "fail",
    ) -> ActorHandle[E]:
        """Begin a life with this state; returns when that is durable."""
        entity = type(initial)
        handle = self.actor(entity, key)
        body = self._spec(spec_of(entity).name).dump(initial)
        options = (if_running, if_completed)
        await self._send(handle._address, Input(facts.START, "", body, options=options), "start()")
        return handle

    async def list(
        self,
        entity: type[Any],
        *,
        status: str | None = None,
        where: Callable[[Summary], bool] | None = None,
        after: str = "",
        at_most: int = 1_000,
    ) -> Summaries:
        """Actors of an entity in the order of their keys, those that have just changed included."""
        self._open()
        name = spec_of(entity).name
        self._spec(name)
        found = self._listed(name, status, where, after, at_most)
        gathering = self._population.frame
        newest = gathering if gathering.parts else self._in_flight
        if newest is not None:
            await self._durable(newest, "list()")
        return found

    def batch(self) -> Batch:
        """Several signals to several actors: one wait, one frame, all or nothing."""
        return Batch(self)

    async def resolve(self, token: str, value: object) -> None:
        """Answer a callback by its token; answering again changes nothing."""
        await self._call_back(token, lambda promise: (facts.OK, promise.form.encode(value)))

    async def fail(self, token: str, error: BaseException) -> None:
        """Let a callback fail by its token."""
        await self._call_back(token, lambda _: (facts.FAILED, pack_failure(error)))

    def statistics(self) -> Statistics:
        """What it has done, and what it holds."""
        self._open()
        population = self._population
        held = self._journal.statistics()
        return Statistics(
            self._messages,
            self._commits,
            len(population.residents),
            population.activations,
            population.passivations,
            population.checkpoints,
            len(population.tails),
            held.frames,
            held.bytes_used,
            held.bytes_quota,
            held.bytes_on_disk,
            tuple(f"{entity} {key!r}: {error}" for (entity, key), error in population.broken.items()),
        )

    # -- what handles ask of it ----------------------------------------------------------------------------

    def _spec(self, name: str) -> Spec:
        spec = self._specs.get(name)
        if spec is None:
            raise UnknownEntity(name, "", tuple(self._specs))
        return spec

    def _open(self) -> None:
        if self._shut:
            raise NotAccepted("this", self._shut)

    async def _send(self, address: Address, input_: Input, where: str) -> tuple[str, bytes]:
        """Deliver an input and wait until what it came to is durable.  THE hot path."""
        await trio.lowlevel.checkpoint_if_cancelled()
        population = self._population
        while True:
            if self._shut:
                raise NotAccepted(where, self._shut)
            if population.frame.size > self._limits.frame_bytes:
                await self._wait_in(self._crowd)
                continue
            resident = population.resident(address, self._clock())
            try:
                turn = population.deliver(resident, input_, self._clock())
            except LimitExceeded as error:
                if error.limit != "mailbox_messages":
                    raise
                await self._wait_in(resident.room)
                continue
            break
        fate = turn.fate
        if fate == core.ACKNOWLEDGE:
            self._messages += 1
            frame = resident.frame
            if input_.kind != facts.UPDATE:
                await self._durable(frame, where)
                return OK
            for effect in turn.effects:
                if isinstance(effect, Ended) and effect.seq == turn.seq:
                    await self._durable(frame, where)
                    return effect.outcome, effect.body
            return await self._reply(address, turn.seq, where)
        if fate == core.JOIN:
            return await self._reply(address, turn.seq, where)
        await self._durable(resident.frame, where)
        return turn.how, turn.body

    async def _ask(self, address: Address, handler: Query[Any, Any, Any], body: bytes) -> bytes:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._open()
        now = self._clock()
        resident = self._population.resident(address, now)
        data = self._population.ask(resident, handler.name, body, now)
        await self._durable(resident.frame, handler.where)
        return data

    async def _result(self, address: Address) -> tuple[str, bytes]:
        self._open()
        resident = self._population.resident(address, self._clock())
        actor = resident.actor
        if actor.phase == phases.CLOSED:
            found = actor.status, actor.result
            await self._durable(resident.frame, "result()")
            return found
        waiting = self._results.setdefault(address, [])
        return await self._wait_in(waiting)  # type: ignore[no-any-return]  # what _release puts there

    async def _describe(self, address: Address) -> Description:
        self._open()
        resident = self._population.resident(address, self._clock())
        found = describe(resident)
        await self._durable(resident.frame, "describe()")
        return found

    async def _parked(self, address: Address) -> Parkeds:
        self._open()
        resident = self._population.resident(address, self._clock())
        found = parked(resident.actor)
        await self._durable(resident.frame, "parked()")
        return found

    async def _history(self, address: Address, at_most: int) -> Entries:
        resident = await self._settled(address, "history()")
        shelf, path = self._population.shelf, resident.path
        records = shelf.records(path, shelf.kept_from(path, resident.head))
        if resident.tail is not None:
            records += resident.tail.records
        unpack = resident.actor.spec.codec.unpack_record
        found = [entry(resident.actor, unpack(record)) for record in records[-at_most:]]
        await self._durable(resident.frame, "history()")
        return found

    async def _past(self, entity: type[E], address: Address, seq: int) -> Past[E]:
        resident = await self._settled(address, "at()")
        found: Past[E] = past(self._population.shelf, self._spec(address[0]), address, resident.tail, seq)
        await self._durable(resident.frame, "at()")
        return found

    async def _settled(self, address: Address, what: str) -> Resident:
        """The actor at a moment at which the tables say of it what its head says."""
        self._open()
        while True:
            resident = self._population.resident(address, self._clock())
            if resident.tabled.done:
                return resident
            await self._durable(resident.tabled, what)

    async def _readmit(self, address: Address) -> None:
        self._open()
        resident = self._population.readmit(address, self._clock())
        self._stir()
        await self._durable(resident.frame, "readmit()")

    async def _send_all(self, messages: Sequence[tuple[Address, Input]]) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._open()
        population, now = self._population, self._clock()
        pairs = [(population.resident(address, now), input_) for address, input_ in messages]
        population.deliver_all(pairs, now)
        self._messages += len(pairs)
        frames = {id(resident.frame): resident.frame for resident, _ in pairs}
        for frame in frames.values():
            await self._durable(frame, "the batch")

    async def _call_back(self, token: str, answer: Callable[[Promise], tuple[str, bytes]]) -> None:
        self._open()
        read = read_token(token)
        address = (read.entity, read.key)
        resident = self._population.resident(address, self._clock())
        if not opens(read, resident.actor.nonce):
            raise UsageError("the token was not handed out by this life of the actor")
        pending = resident.actor.pending.get(read.ref)
        if pending is None:
            await self._durable(resident.frame, "resolve()")
            return
        assert isinstance(pending, Promise), "a token is of a callback"
        how, body = answer(pending)
        await self._send(address, Input(facts.RESOLVE, how, body, ref=read.ref), "resolve()")

    def _listed(
        self,
        name: str,
        status: str | None,
        where: Callable[[Summary], bool] | None,
        after: str,
        at_most: int,
    ) -> Summaries:
        """Rows of the tables, with what is only in the log put over them."""
        population = self._population
        now = self._clock()
        while not population.hear(now, WAKES_AT_ONCE):
            pass
        prefix = f"{name}\0".encode()
        changed: dict[bytes, Summary] = {}
        for path in [*population.tails, *population.tabling]:
            if path.startswith(prefix):
                resident = population.found(path, now)
                if resident is not None and resident.actor.seq:
                    changed[path] = summary_of(resident)
        kept = {path: self._kept(path) for path in self._paths(name, status, after, at_most + len(changed))}
        merged = {**{path: one for path, one in kept.items() if one is not None}, **changed}
        found: Summaries = []
        for path in sorted(merged):
            one = merged[path]
            if one.key > after and status in (None, one.status) and (where is None or where(one)):
                found.append(one)
        return found[:at_most]

    def _paths(self, name: str, status: str | None, after: str, at_most: int) -> Paths:
        prefix = f"{name}\0".encode()
        if status is None:
            start = path_of((name, after)) if after else prefix
            return [key for key, _ in self._journal.scan(HEADS, start, behind(prefix), at_most=at_most)]
        front = f"{name}\0{status}\0".encode()
        rows = self._journal.scan(
            STATUSES, status_key(status, path_of((name, after))), behind(front), at_most=at_most
        )
        return [prefix + key[len(front) :] + b"\0" for key, _ in rows]

    def _kept(self, path: bytes) -> Summary | None:
        data = self._journal.read(HEADS, path)
        return None if data is None else summary(path, unpack_head(data, f"head of {path!r}"))

    # -- waiting -------------------------------------------------------------------------------------------

    async def _durable(self, frame: Frame, what: str) -> None:
        """Wait until a frame is durable."""
        if not frame.ended:
            if not self._committing:
                self._stir()
            cell: Cell = [trio.lowlevel.current_task()]
            frame.waiting.append(cell)

            def give_up(_: object) -> trio.lowlevel.Abort:
                cell[0] = None
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(give_up)
        else:
            await trio.lowlevel.checkpoint()
        if frame.failure is not None:
            if isinstance(frame.failure, NotAccepted):
                raise NotAccepted(what, frame.failure.why)
            raise Unknown(what, str(frame.failure) or type(frame.failure).__name__) from frame.failure

    async def _reply(self, address: Address, seq: int, what: str) -> tuple[str, bytes]:
        if not self._committing:
            self._stir()
        waiting = self._replies.setdefault((address, seq), [])
        return await self._wait_in(waiting)  # type: ignore[no-any-return]  # what _release puts there

    async def _wait_in(self, waiting: Cells) -> Any:
        """Wait in a list of cells, and give what is put into the cell."""
        cell: Cell = [trio.lowlevel.current_task(), None]
        waiting.append(cell)

        def give_up(_: object) -> trio.lowlevel.Abort:
            cell[0] = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(give_up)
        if isinstance(cell[1], BaseException):
            raise cell[1]
        return cell[1]

    # -- committing ----------------------------------------------------------------------------------------

    def _stir(self) -> None:
        """Have somebody look whether there is something to write."""
        if not self._committing and self._committer is not None:
            self._committing = True
            trio.lowlevel.reschedule(self._committer)

    async def _commit_frames(self, task_status: trio.TaskStatus[None]) -> None:
        population = self._population
        assert self._writer is not None, "it was opened"
        self._committer = trio.lowlevel.current_task()
        self._committing = True
        task_status.started()
        while self._failure is None:
            now = self._clock()
            if not population.busy(now) and (not self._ending or population.tabled):
                self._committing = False
                await trio.lowlevel.wait_task_rescheduled(self._leave)
                self._committing = True
                continue
            # One pass of the loop for whoever has just been woken to send its next message: committing at once
            # doubles the commits, and costs a quarter of the throughput.
            await trio.lowlevel.checkpoint()
            frame = self._in_flight = population.cut(self._clock(), final=self._ending)
            self._writer.put(frame)
            first = population.wakes.first
            if first is not None and first < self._glance:
                self._stirred.set()
            while self._in_flight is not None:
                await trio.lowlevel.wait_task_rescheduled(_never)

    def _leave(self, _: object) -> trio.lowlevel.Abort:
        self._committing = False
        self._committer = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _written(self, written: Written) -> None:
        """The writer is done with a frame."""
        frame = written.frame
        self._in_flight = None
        if written.failure is not None:
            self._fail_stop(frame, written.failure)
        else:
            self._commits += 1
            self._population.committed(frame, written.forgotten)
            self._population.room(written.room)
            self._release(frame)
        if self._committer is not None:
            trio.lowlevel.reschedule(self._committer)

    def _release(self, frame: Frame) -> None:
        """Tell everybody who waited for this frame."""
        reschedule = trio.lowlevel.reschedule
        for cell in frame.waiting:
            if cell[0] is not None:
                reschedule(cell[0])
        frame.waiting.clear()
        if self._replies:
            for address, seq, how, body in frame.answered:
                _wake(self._replies.pop((address, seq), ()), (how, body))
        for address, status, body in frame.closed:
            _wake(self._results.pop(address, ()), (status, body))
        if self._crowd:
            _wake(self._crowd, None)
        roomy = self._population.roomy
        while roomy:
            _wake(roomy.pop().room, None)

    def _fail_stop(self, frame: Frame, failure: BaseException) -> None:
        """The journal failed: what was being written is unknown, what was gathered was not accepted."""
        self._failure = failure
        self._shut = f"the runtime has stopped, its journal failed: {str(failure) or type(failure).__name__}"
        _log.error("%s", self._shut)
        frame.failure = failure
        gathered = self._population.frame
        gathered.failure = NotAccepted("this", self._shut)
        for one in (frame, gathered):
            one.ended = True
            for cell in one.waiting:
                if cell[0] is not None:
                    trio.lowlevel.reschedule(cell[0])
            one.waiting.clear()
        self._release_all(Unknown("what was awaited", str(failure)))

    def _release_all(self, error: BaseException) -> None:
        waiting = [*self._replies.values(), *self._results.values(), self._crowd]
        self._replies, self._results = {}, {}
        for cells in waiting:
            _wake(cells, error)

    # -- the clock, and what the log left behind -----------------------------------------------------------

    async def _mind_clock(self) -> None:
        population = self._population
        while self._failure is None:
            now = self._clock()
            all_done = population.wake(now, WAKES_AT_ONCE) if not self._shut else True
            if population.busy(now):
                self._stir()
            if not all_done:
                await trio.lowlevel.checkpoint()
                continue
            self._stirred = trio.Event()
            self._glance = population.next_due(now)
            seconds = max(0.0, min((self._glance - now) / 1e6, GLANCE_S))
            with trio.move_on_after(seconds):
                await self._stirred.wait()

    async def _hear(self) -> None:
        """Take up what actors were about when the journal was left, service going on meanwhile."""
        while self._failure is None and not self._shut:
            if self._population.hear(self._clock(), WAKES_AT_ONCE):
                return
            self._stir()
            await trio.lowlevel.checkpoint()


class Batch:
    """Signals that are sent together when the block is left, all of them or none."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._messages: list[tuple[Address, Input]] = []

    async def __aenter__(self) -> Batch:
        """Begin to collect."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Send, unless the block has failed."""
        if error is None and self._messages:
            await self._runtime._send_all(self._messages)

    def signal(
        self, actor: ActorHandle[E], handler: Signal[E, P], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Add a signal."""
        address = actor._address
        self._messages.append((address, message(address[0], handler, args, kwargs, actor._id)))


OK: Final = (facts.OK, b"")


def _specs(entities: Iterable[type[Any]], limits: Limits | None) -> Iterable[Spec]:
    for entity in entities:
        spec = spec_of(entity)
        if limits is not None and not spec.limited:
            spec = attrs.evolve(spec, limits=limits)
        yield spec


def _wake(cells: Any, value: object) -> None:
    for cell in cells:
        if cell[0] is not None:
            cell[1] = value
            trio.lowlevel.reschedule(cell[0])
    if isinstance(cells, list):
        cells.clear()


def _never(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED
