"""Which actor is running in this thread, for the functions that authors call.  Knows nothing of actors.

A coroutine that is dropped while suspended (passivation, undo, garbage collection, at any moment and in any
thread) still runs its ``finally`` blocks.  While it does, ``dying`` is above zero in that thread, and
every author's function raises ``GeneratorExit`` again instead of reaching whichever actor happens to be
running: what was dropped can do nothing any more.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from actorflow.errors import NotInHandler

if TYPE_CHECKING:
    from .actor import Actor

__all__ = ["ambient", "current", "writing"]


class _Ambient(threading.local):
    actor: Actor | None = None
    dying: int = 0


ambient = _Ambient()


def current(name: str) -> Actor:
    """The actor whose handler, query, validator or predicate calls ``name``."""
    if ambient.dying:
        raise GeneratorExit
    actor = ambient.actor
    if actor is None:
        raise NotInHandler(name)
    return actor


def writing(name: str) -> Actor:
    """The same, for what a query, a validator or a predicate may not do."""
    actor = current(name)
    if actor.reading:
        raise NotInHandler(name, f"a {actor.reading} only reads")
    return actor
