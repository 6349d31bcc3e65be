"""Drives authors' coroutines: futures with one waiter, tasks, scopes, first in first out.  No event loop.

A handler is a task; ``gather`` and ``race`` open more of them under it.  A task waits for exactly one future.
Cancellation is a state of a scope: every await under a cancelled scope raises until the scope ends.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from actorflow.errors import Cancelled, FaultError, ForeignAwait, Runaway

from .ambient import ambient, current

if TYPE_CHECKING:
    from .actor import Actor
    from .pending import Open

__all__ = ["Future", "Scope", "Task", "cancel_scope", "checkpoint", "drop", "resume", "running", "spawn"]

AWAITS_MAX = 100_000
"""How often handlers may await in one turn before it is taken for a loop that never waits."""


class Scope:
    """A region of awaits that is cancelled as one."""

    __slots__ = ("called", "parent", "shield")

    def __init__(self, parent: Scope | None, *, shield: bool = False) -> None:
        self.parent = parent
        self.shield = shield
        self.called = False

    @property
    def cancelled(self) -> bool:
        """Whether this scope or one around it is cancelled, up to the nearest shield."""
        scope: Scope | None = self
        while scope is not None:
            if scope.called:
                return True
            if scope.shield:
                return False
            scope = scope.parent
        return False


class Future:
    """Something that one task waits for."""

    __slots__ = ("done", "error", "task", "value")

    def __init__(self) -> None:
        self.task: Task | None = None
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None

    def __await__(self) -> Generator[Any, None, Any]:
        task = running()  # whatever authors await has seen before this that nothing is dying
        yield from checkpoint(task)
        if not self.done:
            self.task = task
            task.waiting = self
            try:
                yield self
            except GeneratorExit:
                # The innermost frame of every suspended handler is this one, so it hears first that the
                # coroutine is being dropped, before any of the author's ``finally`` blocks runs.
                task.die()
                raise
        if self.error is not None:
            raise self.error
        return self.value

    def settle(self, actor: Actor, value: Any, error: BaseException | None) -> None:
        """Give the future its end, once, and put its task in the queue."""
        # Whoever settles finds it where it is kept until it is settled: in the table of what is pending,
        # among the conditions, as what its task waits for.
        assert not self.done, "a future ends once"
        self.done = True
        self.value = value
        self.error = error
        if self.task is not None:
            self.task.waiting = None
            actor.line_up(self.task)

    def abandon(self, actor: Actor) -> None:
        """The scope of the waiting task was cancelled."""
        self.settle(actor, None, Cancelled())

    def interrupt(self, actor: Actor, error: BaseException) -> None:
        """The waiting task has made a mistake that shows only now."""
        self.settle(actor, None, error)


class Task:
    """One coroutine under way in a handler."""

    __slots__ = ("body", "dying", "ended", "open", "scope", "waiting", "work")

    def __init__(self, open_: Open, scope: Scope, ended: Callable[[Any, BaseException | None], None]) -> None:
        self.open = open_
        self.scope = scope
        self.ended = ended
        self.waiting: Future | None = None
        self.dying = False
        self.body: Generator[Any, None, Any]
        self.work: Awaitable[Any] | None = None

    def die(self) -> None:
        """From here on the author's frames of this task are only being unwound."""
        if not self.dying:
            self.dying = True
            ambient.dying += 1

    def buried(self) -> None:
        """The last frame of the task is gone."""
        if self.dying:
            self.dying = False
            ambient.dying -= 1
            if not ambient.dying:
                ambient.breaths = 0


def running() -> Task:
    """The task that calls."""
    task = current("await").task
    assert task is not None, "only a task awaits: queries and predicates are plain functions"
    return task


def checkpoint(task: Task) -> Generator[Future, None, None]:
    """What every await begins with: raise in a cancelled scope, and stop what never waits.

    A loop that catches ``Cancelled``, or that awaits what is there already, would hold the whole host.  It is
    made to wait for ever, and the fault is raised from outside, where it cannot catch that, too.
    """
    actor = current("await")
    actor.awaits += 1
    actor.touched = True
    if actor.awaits > AWAITS_MAX:
        actor.fault = Runaway(str(actor), task.open.handler.where, AWAITS_MAX)
        task.waiting = Future()
        try:
            yield task.waiting
        except GeneratorExit:
            task.die()
            raise
    if task.scope.cancelled:
        raise Cancelled


@types.coroutine
def _embody(task: Task, work: Awaitable[Any]) -> Generator[Any, None, Any]:
    """The outermost frame of a task: the last one to go when it is dropped."""
    try:
        if isinstance(work, types.CoroutineType):
            return (yield from work)  # type: ignore[misc]  # what types.coroutine is for
        return (yield from work.__await__())
    finally:
        task.buried()


def spawn(
    actor: Actor,
    open_: Open,
    scope: Scope,
    work: Awaitable[Any] | Coroutine[Any, Any, Any],
    ended: Callable[[Any, BaseException | None], None],
) -> Task:
    """Make a task and put it at the end of the queue."""
    task = Task(open_, scope, ended)
    task.work = work
    task.body = _embody(task, work)  # pyright: ignore[reportAttributeAccessIssue]  # it is a generator
    actor.tasks[task] = None
    actor.line_up(task)
    return task


def resume(actor: Actor, task: Task) -> None:
    """Run one task until it waits or ends."""
    actor.task = task
    value, failure = None, None
    try:
        awaited = task.body.send(None)
    except StopIteration as stop:
        value = stop.value
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - Cancelled is a BaseException, and every end is recorded
        failure = error
        if isinstance(error, FaultError):
            actor.fault = error
    else:
        if task.waiting is None or awaited is not task.waiting:
            _refuse(actor, task, awaited)
        return
    finally:
        actor.task = None
    del actor.tasks[task]
    if failure is None and actor.unawaited:
        failure = actor.forgotten(task)
    task.ended(value, failure)


def _refuse(actor: Actor, task: Task, awaited: object) -> None:
    """A trio or asyncio awaitable came up: let its context managers unwind, then report the actor."""
    what = "something" if awaited is None else f"{type(awaited).__module__}.{type(awaited).__qualname__}"
    actor.fault = ForeignAwait(task.open.handler.where, what)
    task.die()
    with suppress(BaseException):  # whatever it does now, the fault is what is reported
        task.body.throw(actor.fault)
    drop(task)


def cancel_scope(actor: Actor, scope: Scope) -> None:
    """Cancel a scope: every task that waits under it hears of it, the oldest first."""
    scope.called = True
    for task in list(actor.tasks):
        if task.waiting is not None and task.scope.cancelled:
            task.waiting.abandon(actor)


def drop(task: Task) -> None:
    """End a suspended coroutine for good; its ``finally`` blocks can do nothing any more."""
    task.die()
    with suppress(BaseException):  # it swallowed GeneratorExit, or its finally failed: nobody cares
        task.body.close()
    # A loop that swallows everything has only yielded.  The last reference goes while all is dying, and
    # Python gives it up for good, with a word on stderr; the collector would wake it in anybody's turn.
    task.die()
    task.work = None
    task.buried()
