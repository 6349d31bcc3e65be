"""What a test sees of an actor: what it waits for, what it sent, what is parked, what has happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from attrs import frozen

from actorflow._authoring.identity import moment
from actorflow._codec import unpack
from actorflow._codec.failures import failure
from actorflow._core import facts
from actorflow._core.actor import Actor
from actorflow._core.facts import Ask, Await, Effect, Record, Ref, Schedule, Sleep, StartChild
from actorflow._core.outstanding import Armed, Waking, outstanding
from actorflow._core.replay import show

__all__ = ["Entry", "Parked", "Sent", "Waiting", "entry", "error_text", "parked", "sent", "waiting"]


@frozen
class Waiting:
    """Something that the actor waits for and that a test can answer."""

    ref: Ref
    kind: str
    """``activity``, ``sleep``, ``callback``, ``update``, ``child``, ``timer`` or ``alarm``."""
    name: str
    """The activity, the handler or the child's key."""
    arguments: tuple[Any, ...] = ()
    """As plain data."""
    due: datetime | None = None
    """When it ends by itself."""
    withdrawn: bool = False
    """It was cancelled, and its end is awaited."""


@frozen
class Sent:
    """A signal to another actor."""

    entity: str
    key: str
    handler: str
    arguments: tuple[Any, ...]
    id: str | None = None


@frozen
class Parked:
    """A message that failed and waits for an operator."""

    seq: int
    handler: str
    arguments: tuple[Any, ...]
    error: str
    first: int
    """The number under which it first came."""


@frozen
class Entry:
    """One line of history."""

    seq: int
    at: datetime
    what: str
    """The handler, or the kind of what happened."""
    outcome: str
    effects: tuple[str, ...]
    error: str = ""

    def __str__(self) -> str:
        parts = [f"{self.seq:>4} {self.at:%Y-%m-%d %H:%M:%S} {self.what} {self.outcome}"]
        parts += [f"       -> {effect}" for effect in self.effects]
        if self.error:
            parts.append(f"       !! {self.error}")
        return "\n".join(parts)


def _plain(body: bytes) -> tuple[Any, ...]:
    plain: object = unpack(body) if body else []
    return tuple(cast("list[object]", plain)) if isinstance(plain, list) else (plain,)


def waiting(actor: Actor) -> list[Waiting]:
    """Everything unresolved, the oldest first."""
    found: list[Waiting] = []
    for ref, what, withdrawn in outstanding(actor):
        match what:
            case Schedule(name=name, body=body):
                view = Waiting(ref, "activity", name, _plain(body), None, withdrawn)
            case Sleep(due=due):
                view = Waiting(ref, "sleep", "", (), moment(due), withdrawn)
            case Await(due=due, type=type_):
                view = Waiting(ref, "callback", type_, (), None if due is None else moment(due), withdrawn)
            case Ask(entity=entity, key=key, name=name, body=body, due=due):
                view = Waiting(
                    ref, "update", f"{entity} {key!r}.{name}", _plain(body), moment(due), withdrawn
                )
            case Armed(name=name, body=body, due=due):
                view = Waiting(ref, "timer", name, _plain(body), moment(due))
            case Waking(due=due):
                view = Waiting(ref, "alarm", "closing", (), moment(due))
            case StartChild(entity=entity, key=key):
                view = Waiting(ref, "child", f"{entity} {key!r}")
            case (entity, key):
                view = Waiting(ref, "child", f"{entity} {key!r}")
        found.append(view)
    return found


def sent(effects: list[Effect]) -> list[Sent]:
    """The signals among these effects."""
    return [
        Sent(effect.entity, effect.key, effect.name, _plain(effect.body), effect.id)
        for effect in effects
        if isinstance(effect, facts.Send)
    ]


def parked(actor: Actor) -> list[Parked]:
    """What an operator would see."""
    return [
        Parked(seq, one.input.name, _plain(one.input.body), error_text(one.error), one.first)
        for seq, one in actor.parked.items()
    ]


def entry(actor: Actor, record: Record) -> Entry:
    """One record as a line of history."""
    what = "turn" if record.input is None else facts.KINDS[record.input.kind]
    if record.input is not None and record.input.name:
        what = f"{what} {record.input.name}"
    error = (record.extra or {}).get(facts.ERROR, b"")
    return Entry(
        record.seq,
        moment(record.now),
        what,
        facts.OUTCOMES[record.outcome],
        tuple(show(actor, effect) for effect in record.effects),
        error_text(error) if error else "",
    )


def error_text(body: bytes) -> str:
    """An error as a line."""
    _, type_, message, _ = failure(body)
    return f"{type_}: {message}"
