"""An awaitable that asks the world for something once it is awaited, and not before.

Calls are lazy, or else ``gather(at_most=)`` could bound nothing; but their arguments are bytes from the
moment of the call, so what is changed afterwards changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from actorflow._core.ambient import ambient, last_breath, writing
from actorflow._core.tasks import Future, checkpoint, running
from actorflow.errors import UsageError

if TYPE_CHECKING:
    from actorflow._core.actor import Actor
    from actorflow._core.tasks import Task

__all__ = ["Call", "claim", "inert"]

T = TypeVar("T")


class Call(Generic[T]):
    """Something asked for in a handler, to be awaited once: directly, or by ``gather`` or ``race``."""

    __slots__ = ("_actor", "_begin", "_label", "_read", "task")

    def __init__(
        self,
        label: str,
        begin: Callable[[Actor], Future],
        read: Callable[[], T] | None = None,
        *,
        tracked: bool = True,
    ) -> None:
        self._actor: Actor | None = None if ambient.dying else writing(label)
        self._label = label
        self._begin = begin
        self._read = read
        """What gives the answer, where the future that was waited for does not."""
        self.task: Task | None = None if self._actor is None else self._actor.task
        """Who made the call, and is told if nobody awaits it."""
        if tracked and self._actor is not None:
            self._actor.unawaited[self] = None
            self._actor.touched = True

    def __str__(self) -> str:
        return self._label

    def __await__(self) -> Generator[Any, None, T]:
        if ambient.dying:
            yield from last_breath()
        actor = writing(self._label)
        if self._actor is not actor:
            why = "was awaited twice" if self._actor is None else "was made in another actor"
            raise UsageError(f"{self._label} {why}\n  hint: keep the answer, and call again for another")
        self._actor = None
        actor.unawaited.pop(self, None)
        yield from checkpoint(running())
        value: T = yield from self._begin(actor).__await__()
        return value if self._read is None else self._read()


def inert() -> Call[Any]:
    """What a handler that is being dropped is given to await: it asks for nothing, and ends the handler.

    Raising in its stead would not: a loop that swallows everything would never reach an await.
    """
    return Call("", lambda _: Future())


def claim(actor: Actor, work: object) -> None:
    """Somebody has taken over the awaiting of a call."""
    actor.unawaited.pop(work, None)
