"""The runtime for programs in plain threads: ``with BlockingRuntime(journal, entities=[...])``.

The same names as under trio; what is awaited there blocks here.  Any number of threads may call at once, and
what they send while one commit runs becomes durable with the next.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, Unpack, overload

from actorflow._authoring.terms import StartTerms
from actorflow._core.facts import Instant
from actorflow.errors import NotAccepted, UsageError
from actorflow.limits import Limits

from .bridge import OPENED_ONCE, Bridge, Crossing
from .clock import wall
from .crossings import CrossingDoor
from .handle import ActorHandle, Batch
from .host import Host
from .runtime import Actors, Statistics, statistics

if TYPE_CHECKING:
    from actorflow._authoring.handlers import Query, Signal, Update
    from persistence import Journal

    from .past import Past
    from .stand_ins import Replacing
    from .views import Description, Entry, Parked, Summary

__all__ = ["BlockingActors", "BlockingBatch", "BlockingDoor", "BlockingHandle", "BlockingRuntime", "blocked"]

E = TypeVar("E")
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

FOREVER = -1.0


class BlockingDoor(CrossingDoor):
    """The way in from any thread.  What it has to await, it blocks for: its coroutines never suspend."""

    def __init__(self, bridge: Bridge, seconds: float = FOREVER) -> None:
        self._bridge = bridge
        self._seconds = seconds

    @property
    def bridge(self) -> Bridge:
        """To the host."""
        return self._bridge

    def within(self, seconds: float) -> BlockingDoor:
        """The same door, at which nobody waits longer than this."""
        return BlockingDoor(self.bridge, min(seconds, threading.TIMEOUT_MAX))

    async def _cross(self, crossing: Crossing) -> Any:
        bridge = self.bridge
        if bridge.shut:
            raise NotAccepted(crossing.where, bridge.shut)
        if threading.get_ident() == bridge.thread.ident:
            raise UsageError(
                f"{crossing.where}: the runtime's own thread would wait for itself\n"
                "  hint: in a handler, actor(Entity, key) reaches other actors"
            )
        if not self._returned(crossing):
            raise TimeoutError(
                f"{crossing.where}: no answer within {self._seconds:g} s, and it may still happen\n"
                "  hint: repeat it with the same once(id): then it happens once"
            )
        if crossing.error is not None:
            raise crossing.error
        return crossing.value

    def _returned(self, crossing: Crossing) -> bool:
        """Send a crossing over; says whether it has come back in time."""
        bridge = self.bridge
        back = crossing.back = threading.Lock()
        back.acquire()
        # An interrupt may come between any two lines, and must leave nothing that others would trip over.
        try:
            bridge.send_over((crossing,))
            in_time = back.acquire(timeout=self._seconds)
        except BaseException:
            bridge.give_up(crossing)
            raise
        if not in_time:
            bridge.give_up(crossing)
        return in_time


def _wake(crossings: Sequence[Crossing]) -> None:
    for crossing in crossings:
        crossing.back.release()


def blocked(work: Awaitable[T]) -> T:
    """Run to its end what stands before a blocking door, and so never suspends."""
    try:
        next(work.__await__())
    except StopIteration as ended:
        found: T = ended.value
        return found
    raise AssertionError("a blocking door suspends nobody")


class BlockingHandle(Generic[E]):
    """One actor; made by ``runtime.actor(Entity, key)``.  Making one asks nobody and starts nothing."""

    __slots__ = ("_door", "_handle", "_id", "entity", "key")

    def __init__(self, door: BlockingDoor, entity: type[E], key: str, id_: str | None = None) -> None:
        self._door = door
        self._id = id_
        self._handle = ActorHandle(door, entity, key, id_)
        self.entity = entity
        self.key = key

    def __repr__(self) -> str:
        return repr(self._handle)

    def once(self, id_: str) -> BlockingHandle[E]:
        """The same actor; what is sent through this happens once for this id."""
        self._handle.once(id_)  # which checks it
        return BlockingHandle(self._door, self.entity, self.key, id_)

    def within(self, timeout: timedelta) -> BlockingHandle[E]:
        """The same actor; nothing is waited for longer than this, then it raises ``TimeoutError``.

        What was sent may still happen.  Sent again with the same ``once(id)``, it happens once.
        """
        seconds = timeout.total_seconds()
        if seconds <= 0:
            raise UsageError(f"within({timeout!r}): that is no time at all")
        return BlockingHandle(self._door.within(seconds), self.entity, self.key, self._id)

    @property
    def awaitable(self) -> ActorHandle[E]:
        """The handle behind this one, for a batch."""
        return self._handle

    # -- messages ------------------------------------------------------------------------------------------

    def signal(self, handler: Signal[E, P], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send a signal; returns when it is durable."""
        blocked(self._handle.signal(handler, *args, **kwargs))

    def update(self, handler: Update[E, P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Send an update; returns its answer once that is durable, or raises what the handler raised."""
        return blocked(self._handle.update(handler, *args, **kwargs))

    def query(self, handler: Query[E, P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask a query; what it tells is durable."""
        return blocked(self._handle.query(handler, *args, **kwargs))

    # -- the life ------------------------------------------------------------------------------------------

    def start(
        self,
        initial: E,
        **said: Unpack[StartTerms],
    ) -> None:
        """Begin its life with this state; returns when that is durable."""
        blocked(self._handle.start(initial, **said))

    @overload
    def result(self, type_: type[R]) -> R: ...
    @overload
    def result(self, type_: None = None) -> Any: ...
    def result(self, type_: Any = None) -> Any:
        """Wait until the life ends; gives what it completed with, or raises how else it ended."""
        return blocked(self._handle.result(type_))

    def cancel(self) -> None:
        """Ask the actor to end; returns when that is durable, which may be long before it has ended."""
        blocked(self._handle.cancel())

    def terminate(self) -> None:
        """End the actor at once: what is suspended is dropped, and compensates nothing."""
        blocked(self._handle.terminate())

    # -- looking -------------------------------------------------------------------------------------------

    def describe(self) -> Description:
        """What it is doing, and what it waits for."""
        return blocked(self._handle.describe())

    def history(self, *, at_most: int = 1_000) -> list[Entry]:
        """What has happened, the newest entries that are kept, in order."""
        return blocked(self._handle.history(at_most=at_most))

    def at(self, seq: int) -> Past[E]:
        """The actor as it was after the turn of this message."""
        return blocked(self._handle.at(seq))

    # -- for operators -------------------------------------------------------------------------------------

    def parked(self) -> list[Parked]:
        """The messages that failed and were set aside."""
        return blocked(self._handle.parked())

    def retry(self, seq: int) -> None:
        """Send a parked message again, as a new one that names it."""
        blocked(self._handle.retry(seq))

    def drop(self, seq: int) -> None:
        """Give up a parked message."""
        blocked(self._handle.drop(seq))

    def discharge(self, seq: int) -> None:
        """Say that what a handler's sagas could not undo has been seen to."""
        blocked(self._handle.discharge(seq))

    def readmit(self) -> None:
        """Try again to bring an actor into memory that was set aside with a report."""
        blocked(self._handle.readmit())


class BlockingBatch:
    """Signals that are sent together when the block is left, all of them or none."""

    def __init__(self, door: BlockingDoor) -> None:
        self._batch = Batch(door)

    def __enter__(self) -> Self:
        """Begin to collect."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Send, unless the block has failed."""
        blocked(self._batch.__aexit__(kind, error, traceback))

    def signal(
        self, actor: BlockingHandle[E], handler: Signal[E, P], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Add a signal."""
        self._batch.signal(actor.awaitable, handler, *args, **kwargs)


class _Behind(Actors):
    """What every runtime offers, behind a door that blocks."""

    def __init__(self, door: BlockingDoor) -> None:
        self._door = door


class BlockingActors:
    """What a runtime offers to callers in threads."""

    def __init__(self, door: BlockingDoor) -> None:
        self._door = door
        self._actors = _Behind(door)

    def actor(self, entity: type[E], key: str) -> BlockingHandle[E]:
        """An actor; it begins to exist with its first signal or update."""
        self._actors.actor(entity, key)  # which checks both
        return BlockingHandle(self._door, entity, key)

    def start(
        self,
        initial: E,
        key: str,
        **said: Unpack[StartTerms],
    ) -> BlockingHandle[E]:
        """Begin a life with this state; returns when that is durable."""
        handle = self.actor(type(initial), key)
        handle.start(initial, **said)
        return handle

    def list(
        self,
        entity: type[Any],
        *,
        status: str | None = None,
        where: Callable[[Summary], bool] | None = None,
        after: str = "",
        at_most: int = 1_000,
    ) -> list[Summary]:
        """Actors of an entity in the order of their keys, those that have just changed included."""
        return blocked(self._actors.list(entity, status=status, where=where, after=after, at_most=at_most))

    def batch(self) -> BlockingBatch:
        """Several signals to several actors: one wait, one frame, all or nothing."""
        return BlockingBatch(self._door)

    def resolve(self, token: str, value: object) -> None:
        """Answer a callback by its token; answering again changes nothing."""
        blocked(self._actors.resolve(token, value))

    def fail(self, token: str, error: BaseException) -> None:
        """Let a callback fail by its token."""
        blocked(self._actors.fail(token, error))

    def statistics(self) -> Statistics:
        """What it has done since it was opened, and what it holds."""
        bridge = self._door.bridge
        if bridge.shut:
            raise NotAccepted("statistics()", bridge.shut)
        return statistics(bridge.host)


class BlockingRuntime(BlockingActors):
    """Actors that live in this process, and in one journal, for callers in any number of threads."""

    def __init__(
        self,
        journal: Journal,
        *,
        entities: Sequence[type[Any]],
        limits: Limits | None = None,
        strict: bool = False,
        clock: Callable[[], Instant] = wall,
        activities: Replacing | None = None,
    ) -> None:
        host = Host(journal, entities, limits, strict=strict, clock=clock, activities=activities)
        self._bridge = Bridge(host, _wake)
        super().__init__(BlockingDoor(self._bridge))

    def __enter__(self) -> Self:
        """Start the host's thread and open the journal in it; raises what opening raises."""
        bridge = self._bridge
        if bridge.thread.ident is not None:
            raise UsageError(OPENED_ONCE)
        try:
            bridge.thread.start()
            bridge.opened.result()
        except BaseException:
            bridge.stop()
            if bridge.thread.ident is not None:
                bridge.ended.result()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take nothing more, make durable what was taken, and let go of the journal."""
        bridge = self._bridge
        bridge.stop()
        bridge.ended.result()
        if error is None and bridge.failure is not None:
            raise bridge.failure
