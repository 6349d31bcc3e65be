"""Other actors, as a handler sees them: signals that need no waiting, updates that are awaited."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from attrs import evolve, frozen

from actorflow._codec.failures import error_of
from actorflow._core.ambient import ambient, writing
from actorflow._core.facts import ASK, OK, TIMED_OUT, Ask
from actorflow.errors import UsageError

from .calls import Call, inert
from .entity import spec_of
from .keys import check_key
from .waiting import microseconds

if TYPE_CHECKING:
    from actorflow._core.actor import Actor
    from actorflow._core.pending import Pending

    from .handlers import Message, Signal, Update

__all__ = ["ActorRef", "actor"]

E = TypeVar("E")
P = ParamSpec("P")
R = TypeVar("R")


@frozen
class ActorRef(Generic[E]):
    """Another actor; made by ``actor(Entity, key)``."""

    entity: type[E]
    key: str
    _id: str | None = None
    _timeout: timedelta | None = None

    def once(self, id_: str) -> ActorRef[E]:
        """The same actor; what is sent through this happens once for this id."""
        return evolve(self, id=check_key(id_))

    def within(self, timeout: timedelta) -> ActorRef[E]:
        """The same actor; an update sent through this is awaited for so long."""
        return evolve(self, timeout=timeout)

    def signal(self, handler: Signal[E, P], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send a signal, exactly once, when this turn is durable; never waits, never fails for fullness."""
        sender = writing("signal()")
        sender.send(
            self._name(handler), self.key, handler.name, _body(sender, handler, args, kwargs), self._id
        )

    def update(self, handler: Update[E, P, R], /, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """Send an update; awaiting it gives its answer, or raises as its caller would see it."""
        if ambient.dying:
            return inert()
        asker = writing("update()")
        entity = self._name(handler)
        body = _body(asker, handler, args, kwargs)
        timeout = asker.spec.limits.ask_timeout if self._timeout is None else self._timeout
        length = microseconds(timeout, "within()")
        where = f"{entity}.{handler.name}"
        answer = handler.arguments.answer

        def read(how: str, data: bytes) -> tuple[Any, BaseException | None]:
            if how == OK:
                return answer.decode(data), None
            if how == TIMED_OUT:
                return None, TimeoutError(f"{entity} {self.key!r} did not answer {handler.name} in time")
            return None, error_of(data, where)

        def begin(actor_: Actor) -> Pending:
            due = actor_.now + length
            return actor_.expect(Ask(ASK, entity, self.key, handler.name, body, self._id, due), read)

        return Call(f"{where}()", begin)

    def _name(self, handler: Message) -> str:
        spec = spec_of(self.entity)
        if spec.handlers.get(handler.name) is not handler.spec:
            raise UsageError(f"{handler.where} is not a handler of {spec.name}")
        return spec.name


def _body(sender: Actor, handler: Message, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    body = handler.arguments.encode(args, kwargs)
    sender.fits(body, handler.where)
    for alias in handler.aliases:
        sender.aliases[alias] = handler.name
    return body


def actor(entity: type[E], key: str) -> ActorRef[E]:
    """Another actor of the same store."""
    spec_of(entity)
    return ActorRef(entity, check_key(key))
