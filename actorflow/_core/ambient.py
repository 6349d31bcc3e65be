"""Which actor is running in this thread, for the functions that authors call.  Knows nothing of actors.

A coroutine that is dropped while suspended (passivation, undo, garbage collection, at any moment and in any
thread) still runs its ``finally`` blocks.  While it does, ``dying`` is above zero in that thread, and
every author's function raises ``GeneratorExit`` again instead of reaching whichever actor happens to be
running: what was dropped can do nothing any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING

from actorflow.errors import NotInHandler

if TYPE_CHECKING:
    from .actor import Actor

__all__ = ["ambient", "current", "last_breath", "look_here", "writing"]

BREATHS_MAX = 1_000


class _Ambient(threading.local):
    actor: Actor | None = None
    dying: int = 0
    breaths: int = 0
    """How often what is dying has awaited."""


ambient = _Ambient()


def current(name: str) -> Actor:
    """The actor whose handler, query, validator or predicate calls ``name``."""
    if ambient.dying:
        raise GeneratorExit
    actor = ambient.actor
    if actor is None:
        raise NotInHandler(name)
    return actor


def look_here() -> Callable[[], Actor | None]:
    """What tells any thread, for ever after, which actor is running in this one."""
    ambient.actor = ambient.actor  # or there is nothing of this thread's yet
    return partial(ambient.__dict__.get, "actor")


def last_breath() -> Generator[None, None, None]:
    """What an await does in code that is being dropped: end it, if need be the hard way.

    A loop that catches everything would await for ever; one that yields while it is being closed is given up
    by Python itself.
    """
    ambient.breaths += 1
    if ambient.breaths > BREATHS_MAX:
        yield
    raise GeneratorExit


def writing(name: str) -> Actor:
    """The same, for what a query, a validator or a predicate may not do."""
    actor = ambient.actor
    if actor is None or ambient.dying or actor.reading:
        actor = current(name)
        raise NotInHandler(name, f"a {actor.reading} only reads")
    return actor
