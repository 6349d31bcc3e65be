"""Who, when and by what chance: what a handler may know besides its state and its arguments."""

from __future__ import annotations

import logging
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from uuid import UUID

from attrs import frozen

from actorflow._core.ambient import ambient, current, writing
from actorflow._core.chance import Chance
from actorflow._core.facts import EPOCH, MICROSECOND

from .keys import check_name

if TYPE_CHECKING:
    from actorflow._core.actor import Actor

__all__ = ["Info", "info", "instant", "logger", "moment", "now", "patched", "random", "uuid4"]


def moment(instant_: int) -> datetime:
    """An instant as authors see it."""
    return EPOCH + instant_ * MICROSECOND


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


class HandlerLogger:
    """Says which actor speaks, and says nothing twice: silent in replay and while code is being dropped.

    Not a ``LoggerAdapter``: a handler may call this one, and the lint knows that one as what it may not.
    """

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def log(self, level: int, message: str, *args: object, **options: Any) -> None:
        """Say something at a level."""
        self._say(level, message, args, options)

    def debug(self, message: str, *args: object, **options: Any) -> None:
        """Say what only a developer wants to know."""
        self._say(logging.DEBUG, message, args, options)

    def info(self, message: str, *args: object, **options: Any) -> None:
        """Say what happened."""
        self._say(logging.INFO, message, args, options)

    def warning(self, message: str, *args: object, **options: Any) -> None:
        """Say what somebody should look at."""
        self._say(logging.WARNING, message, args, options)

    def error(self, message: str, *args: object, **options: Any) -> None:
        """Say what went wrong."""
        self._say(logging.ERROR, message, args, options)

    def exception(self, message: str, *args: object, **options: Any) -> None:
        """Say what went wrong, with the error that is being handled."""
        self._say(logging.ERROR, message, args, {"exc_info": True, **options})

    def _say(self, level: int, message: str, args: tuple[object, ...], options: dict[str, Any]) -> None:
        actor = ambient.actor
        if ambient.dying or (actor is not None and actor.replaying):
            return
        options.setdefault("stacklevel", 3)
        if actor is not None:
            known = {"entity": actor.address[0], "key": actor.address[1], "seq": actor.turn}
            options["extra"] = {**known, **(options.get("extra") or {})}
            message = f"{str(actor).replace('%', '%%')}: {message}"
        self._logger.log(level, message, *args, **options)


logger = HandlerLogger("actorflow.handlers")
"""A logger for handlers: names the actor, and is silent during replay."""
