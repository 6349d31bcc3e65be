"""Callers that nobody has written: they send whatever the type hints of handlers allow, to anybody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from actorflow._authoring.entity import spec_of
from actorflow._authoring.handlers import Message, Query, Signal, Update
from actorflow._runtime.handle import ActorHandle
from actorflow.errors import UsageError

from . import drawn
from .callers import Caller

__all__ = ["strangers"]

KEYS: Final = ("a", "b", "c")


def strangers(entities: Sequence[type[Any]]) -> Callable[[Caller], Awaitable[None]]:
    """A caller for these entities."""
    handlers = {entity: _handlers(entity) for entity in entities}

    async def stranger(me: Caller) -> None:
        chance = me.chance
        entity = chance.choice(entities)
        actor = me.actor(entity, chance.choice(KEYS))
        if chance.hits(0.1):
            await _operate(me, actor)
        elif handlers[entity]:
            await _send(me, actor, chance.choice(handlers[entity]))
        if chance.hits(0.1) or not spec_of(entity).new:
            await actor.start(drawn.draw(entity, chance), if_running="use", if_completed="new")

    return stranger


def _handlers(entity: type[Any]) -> list[Message]:
    found = [getattr(entity, name, None) for name in sorted(dir(entity))]
    return [one for one in found if isinstance(one, Signal | Update | Query)]


async def _send(me: Caller, actor: ActorHandle[Any], handler: Message) -> None:
    given, named = drawn.arguments(handler.function, me.chance)
    once = me.chance.hits(0.5)
    to: Any = actor.once(me.id()) if once else actor
    send: Callable[..., Awaitable[Any]] = getattr(to, handler.word)
    if once:
        await me.insist(lambda: send(handler, *given, **named))
    else:
        await send(handler, *given, **named)


async def _operate(me: Caller, actor: ActorHandle[Any]) -> None:
    """Do what an operator may do."""
    what = me.chance.choice(("retry", "drop", "cancel", "terminate"))
    try:
        if what == "cancel":
            await actor.cancel()
        elif what == "terminate":
            await actor.terminate()
        elif parked := await actor.parked():
            seq = me.chance.choice(parked).seq
            await (actor.retry(seq) if what == "retry" else actor.drop(seq))
    except UsageError:
        pass  # it has ended meanwhile, or somebody else was quicker
