"""An actor as its callers see it: typed to the handler, and true only of what is durable."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, Unpack, overload

from actorflow._authoring.entity import spec_of
from actorflow._authoring.keys import check_key
from actorflow._authoring.terms import StartTerms, terms
from actorflow._codec import schema, unpack
from actorflow._codec.failures import error_of
from actorflow._core import facts
from actorflow._core.facts import Address, Input
from actorflow._core.phases import TIMED_OUT
from actorflow.errors import Cancelled, HandlerFailed, LimitExceeded, UsageError

from .looking import description, history, parked_messages, past_of

if TYPE_CHECKING:
    from actorflow._authoring.handlers import Message, Query, Signal, Update

    from .door import Door
    from .past import Past
    from .views import Description, Entry, Parked

__all__ = ["ActorHandle", "Batch"]

E = TypeVar("E")
P = ParamSpec("P")
R = TypeVar("R")


class ActorHandle(Generic[E]):
    """One actor; made by ``runtime.actor(Entity, key)``.  Making one asks nobody and starts nothing."""

    __slots__ = ("_address", "_door", "_id", "_payload_bytes", "entity", "key")

    def __init__(self, door: Door, entity: type[E], key: str, id_: str | None = None) -> None:
        self._door = door
        self.entity = entity
        self.key = key
        self._id = id_
        self._address: Address = (spec_of(entity).name, key)
        self._payload_bytes = door.spec(self._address[0]).limits.payload_bytes

    def __repr__(self) -> str:
        return f"<actor {self._address[0]} {self.key!r}>"

    def once(self, id_: str) -> ActorHandle[E]:
        """The same actor; what is sent through this happens once for this id."""
        return ActorHandle(self._door, self.entity, self.key, check_key(id_))

    # -- messages ------------------------------------------------------------------------------------------

    def message(
        self, handler: Message, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Address, Input]:
        """A call as an input; raises what is wrong with it, at the caller's line."""
        body = handler.arguments.encode(args, kwargs)
        if len(body) > self._payload_bytes:
            raise LimitExceeded(
                repr(self), f"{len(body)} bytes for {handler.where}", "payload_bytes", self._payload_bytes
            )
        return self._address, Input(handler.kind, handler.name, body, self._id)

    async def signal(self, handler: Signal[E, P], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send a signal; returns when it is durable."""
        address, input_ = self.message(handler, args, kwargs)
        how, body = await self._door.send(address, input_, handler.where)
        if how != facts.OK:
            raise error_of(body, handler.where)

    async def update(self, handler: Update[E, P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Send an update; returns its answer once that is durable, or raises what the handler raised."""
        address, input_ = self.message(handler, args, kwargs)
        how, body = await self._door.send(address, input_, handler.where)
        if how != facts.OK:
            raise error_of(body, handler.where)
        return handler.arguments.answer.decode(body)  # type: ignore[no-any-return]  # the schema of R

    async def query(self, handler: Query[E, P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask a query; what it tells is durable."""
        spec = self._door.spec(self._address[0])
        if spec.handlers.get(handler.name) is not handler.spec:
            raise UsageError(f"{handler.where} is not a handler of {spec.name}")
        body = handler.arguments.encode(args, kwargs)
        data = await self._door.ask(self._address, handler.name, body)
        return handler.arguments.answer.decode(data)  # type: ignore[no-any-return]  # the schema of R

    # -- the life ------------------------------------------------------------------------------------------

    async def start(
        self,
        initial: E,
        **said: Unpack[StartTerms],
    ) -> None:
        """Begin its life with this state; returns when that is durable."""
        spec = self._door.spec(self._address[0])
        if type(initial) is not self.entity:
            raise UsageError(f"{initial!r} is no {self.entity.__name__}")
        body = spec.dump(initial)
        input_ = Input(facts.START, "", body, self._id, options=tuple(terms("start()", spec, said)))
        await self._door.send(self._address, input_, "start()")

    @overload
    async def result(self, type_: type[R]) -> R: ...
    @overload
    async def result(self, type_: None = None) -> Any: ...
    async def result(self, type_: Any = None) -> Any:
        """Wait until the life ends; gives what it completed with, or raises how else it ended."""
        form = None if type_ is None else schema(type_, f"the result of {self._address[0]}")
        name = f"{self._address[0]} {self.key!r}"
        status, body = await self._door.call(lambda host: host.result(self._address), f"result() of {name}")
        if status == "completed":
            given = body or NOTHING
            return unpack(given) if form is None else form.decode(given)
        if status == "failed":
            raise error_of(body, name)
        if status == TIMED_OUT:
            why: BaseException = TimeoutError("its life has lasted as long as it may")
            raise HandlerFailed(name, "TimeoutError", str(why)) from why
        why = Cancelled(status)
        raise HandlerFailed(name, status.capitalize(), "its life was ended from outside") from why

    async def cancel(self) -> None:
        """Ask the actor to end; returns when that is durable, which may be long before it has ended."""
        await self._door.send(self._address, Input(facts.CANCEL), "cancel()")

    async def terminate(self) -> None:
        """End the actor at once: what is suspended is dropped, and compensates nothing."""
        await self._door.send(self._address, Input(facts.TERMINATE), "terminate()")

    # -- looking -------------------------------------------------------------------------------------------

    async def describe(self) -> Description:
        """What it is doing, and what it waits for."""
        return await self._door.call(lambda host: description(host, self._address))

    async def history(self, *, at_most: int = 1_000) -> list[Entry]:
        """What has happened, the newest entries that are kept, in order."""
        return await self._door.call(lambda host: history(host, self._address, at_most))

    async def at(self, seq: int) -> Past[E]:
        """The actor as it was after the turn of this message."""
        return await self._door.call(lambda host: past_of(host, self._address, seq))

    # -- for operators -------------------------------------------------------------------------------------

    async def parked(self) -> list[Parked]:
        """The messages that failed and were set aside."""
        return await self._door.call(lambda host: parked_messages(host, self._address))

    async def retry(self, seq: int) -> None:
        """Send a parked message again, as a new one that names it."""
        await self._door.send(self._address, Input(facts.RETRY, ref=(seq, 0)), "retry()")

    async def drop(self, seq: int) -> None:
        """Give up a parked message."""
        await self._door.send(self._address, Input(facts.DROP, ref=(seq, 0)), "drop()")

    async def discharge(self, seq: int) -> None:
        """Say that what a handler's sagas could not undo has been seen to."""
        await self._door.send(self._address, Input(facts.DISCHARGE, ref=(seq, 0)), "discharge()")

    async def readmit(self) -> None:
        """Try again to bring an actor into memory that was set aside with a report."""
        await self._door.call(lambda host: host.readmit(self._address))


class Batch:
    """Signals that are sent together when the block is left, all of them or none."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._messages: list[tuple[Address, Input]] = []

    async def __aenter__(self) -> Self:
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
            messages, self._messages = self._messages, []
            await self._door.send_all(messages)

    def signal(
        self, actor: ActorHandle[E], handler: Signal[E, P], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Add a signal."""
        self._messages.append(actor.message(handler, args, kwargs))


NOTHING = b"\xc0"
