"""Who, when and by what chance: what a handler may know besides its state and its arguments."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from uuid import UUID

from attrs import frozen

from actorflow._core.ambient import ambient, current, writing
from actorflow._core.chance import Chance

from .keys import check_name

if TYPE_CHECKING:
    from actorflow._core.actor import Actor

__all__ = ["Info", "info", "instant", "logger", "moment", "now", "patched", "random", "uuid4"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def moment(instant_: int) -> datetime:
    """An instant as authors see it."""
    return EPOCH + timedelta(microseconds=instant_)


def instant(moment_: datetime) -> int:
    """An aware datetime as the core sees it."""
    return (moment_ - EPOCH) // MICROSECOND


def now() -> datetime:
    """The time of this turn, in UTC: the same on every replay, and never earlier than the turn before."""
    return moment(current("now()").now)


def _seed(actor: Actor, length: int) -> bytes:
    actor.chances += 1
    place = actor.turn.to_bytes(8, "big") + actor.chances.to_bytes(8, "big")
    return blake2b(place, key=actor.nonce, digest_size=length).digest()


def random() -> Chance:
    """A generator of random values that draws the same on every replay."""
    return Chance(_seed(writing("random()"), 32))


def uuid4() -> UUID:
    """A random UUID, the same on every replay, another in every life."""
    return UUID(bytes=_seed(writing("uuid4()"), 16), version=4)


@frozen
class Info:
    """Which actor this is, and where in its history it stands."""

    entity: str
    key: str
    life: int
    """How many times an actor has begun under this key."""
    run: int
    """The segment of this life, counted from 1."""
    seq: int
    """The message that this turn is about, counted over all lives."""
    born: datetime


def info() -> Info:
    """Which actor this is."""
    actor = current("info()")
    entity, key = actor.address
    return Info(entity, key, actor.life, actor.run, actor.turn, moment(actor.born))


def patched(id_: str) -> bool:
    """Whether this invocation of the handler runs with a change to the code, or began before it.

    Decided once for each invocation, and recorded: an invocation that began with the old code keeps to the
    old branch to its end.
    """
    actor = writing("patched()")
    opener = actor.opener
    patches = actor.patches if opener is None else opener.patches
    if id_ not in patches:
        if actor.recorded is not None:
            patches[id_] = id_ in actor.recorded
        else:
            # An invocation that other code began stays with the old branch, also where it first asks later.
            patches[check_name(id_, "patched()")] = opener is None or not opener.old
        actor.touched = True
    if patches[id_] and id_ not in actor.marks:
        actor.marks.append(id_)
    return patches[id_]


class _Logger(logging.LoggerAdapter[logging.Logger]):
    """Says which actor speaks, and says nothing twice: silent in replay and while code is being dropped."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name that logging calls
        actor = ambient.actor
        if ambient.dying or (actor is not None and actor.replaying):
            return False
        return super().isEnabledFor(level)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        actor = ambient.actor
        if actor is None:
            return msg, kwargs
        extra: Mapping[str, Any] = kwargs.get("extra") or {}
        known = {"entity": actor.address[0], "key": actor.address[1], "seq": actor.turn}
        return f"{actor}: {msg}", {**kwargs, "extra": {**known, **extra}}


logger = _Logger(logging.getLogger("actorflow.handlers"), {})
"""A logger for handlers: names the actor, and is silent during replay."""
