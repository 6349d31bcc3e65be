"""What an open handler waits for: effects that an input resolves, promises, and conditions on the state.

One mechanism for everything that resolves later.  How a resolution is read is handed in by whoever asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actorflow.errors import Cancelled, DecodeError, WrongAnswer

from .facts import CANCELLED, EFFECTS, Ask, Await, Input, Instant, Ref, Schedule, Sleep, StartChild
from .tasks import Future, Scope

if TYPE_CHECKING:
    from .actor import Actor
    from .spec import Handler

__all__ = [
    "Open",
    "Pending",
    "Promise",
    "Reading",
    "Subscription",
    "Unresolved",
    "Watch",
    "read_safely",
    "woken",
]

Unresolved = Schedule | Sleep | Await | Ask | StartChild
"""Effects that resolve later."""
Reading = Callable[[str, bytes], tuple[Any, BaseException | None]]
"""Turns how an effect ended into what its waiter gets: a value or an error."""


class Open:
    """A handler that has started and not ended."""

    __slots__ = ("fresh", "handler", "input", "old", "owed", "patches", "pending", "scope", "seq", "since")

    def __init__(self, seq: int, input_: Input, handler: Handler, scope: Scope, since: Instant) -> None:
        self.seq = seq
        self.input = input_
        self.handler = handler
        self.scope = scope
        self.since = since
        self.old = False
        """Began, in replay, under other code than that of today."""
        self.fresh = True
        """Started in the turn under way: a failure now leaves no trace."""
        self.pending: dict[Ref, Pending] = {}
        self.patches: dict[str, bool] = {}
        self.owed: list[BaseException] = []
        """What it could not undo so far."""


class Pending(Future):
    """An effect that will be resolved by an input."""

    __slots__ = ("asked", "at", "effect", "open", "patient", "read", "ref", "shares", "withdrawn")

    def __init__(
        self,
        open_: Open,
        ref: Ref,
        effect: Unresolved,
        read: Reading,
        *,
        at: Instant = 0,
        patient: bool = False,
        asked: Any = None,
    ) -> None:
        super().__init__()
        self.open = open_
        self.ref = ref
        self.effect = effect
        self.read = read
        self.at = at
        """When it was asked for."""
        self.asked = asked
        """Of whom, where only whoever asks can tell: the activity, as the code of today has it."""
        self.patient = patient
        """When cancelled, wait for the end all the same: a running activity is not left behind."""
        self.withdrawn = False
        self.shares: Watch | None = None
        """The condition whose time-out this is."""

    def resolve(self, actor: Actor, how: str, body: bytes) -> None:
        """The world has answered."""
        actor.forget(self)
        value: Any = None
        error: BaseException | None = None
        if how == CANCELLED and self.withdrawn:
            error = Cancelled()
        else:
            value, error = read_safely(self.read, how, body, EFFECTS[self.effect.kind].__name__)
        if self.shares is not None:
            self.shares.time_out(actor)
        self.settle(actor, value, error)

    def abandon(self, actor: Actor) -> None:
        actor.withdraw(self)
        if not self.patient:
            actor.forget(self)
            super().abandon(actor)

    def interrupt(self, actor: Actor, error: BaseException) -> None:
        actor.withdraw(self)
        actor.forget(self)
        super().interrupt(actor, error)


class Promise(Pending):
    """An effect whose end is kept, for whoever awaits it, now or later: a callback, a child."""

    __slots__ = ("body", "form", "how", "waits")

    def __init__(self, open_: Open, ref: Ref, effect: Unresolved, form: Any) -> None:
        super().__init__(open_, ref, effect, woken)
        self.form = form
        """The schema of what is expected, where it is known."""
        self.how = ""
        self.body = b""
        self.waits: list[Subscription] = []

    def resolve(self, actor: Actor, how: str, body: bytes) -> None:
        actor.forget(self)
        self.done, self.how, self.body = True, how, body
        for wait in self.waits:
            wait.settle(actor, None, None)
        self.waits.clear()

    def subscribe(self) -> Subscription:
        """Wait for the end; giving up this wait gives up nothing else."""
        wait = Subscription(self)
        if self.done:
            wait.done = True
        else:
            self.waits.append(wait)
        return wait


class Subscription(Future):
    """One task's wait for a promise."""

    __slots__ = ("promise",)

    def __init__(self, promise: Promise) -> None:
        super().__init__()
        self.promise = promise

    def settle(self, actor: Actor, value: Any, error: BaseException | None) -> None:
        if error is not None and self in self.promise.waits:
            self.promise.waits.remove(self)
        super().settle(actor, value, error)


def read_safely(read: Reading, how: str, body: bytes, what: str) -> tuple[Any, BaseException | None]:
    """Read an answer; one that does not fit its type is its waiter's trouble, no fault of the house."""
    try:
        return read(how, body)
    except DecodeError as error:
        return None, WrongAnswer(what, error.fact())


class Watch(Future):
    """A condition on the state that a task waits for."""

    __slots__ = ("alarm", "predicate")

    def __init__(self, predicate: Callable[[], bool]) -> None:
        super().__init__()
        self.predicate = predicate
        self.alarm: Pending | None = None

    def settle(self, actor: Actor, value: Any, error: BaseException | None) -> None:
        del actor.watches[self]
        alarm, self.alarm = self.alarm, None
        if alarm is not None:
            actor.withdraw(alarm)
            actor.forget(alarm)
        super().settle(actor, value, error)

    def time_out(self, actor: Actor) -> None:
        self.alarm = None
        self.settle(actor, None, TimeoutError("the condition did not come true in time"))


def woken(how: str, body: bytes) -> tuple[None, None]:  # noqa: ARG001 - however it ended, it is over
    """Read the end of a sleep."""
    return None, None
