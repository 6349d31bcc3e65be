"""Runs tasks, first in first out, and wakes conditions that came true, until nothing of an actor moves.

Knows tasks and conditions; why they move, and what becomes of a handler that ends, is in ``turn``.
"""

from __future__ import annotations

from .actor import Actor
from .tasks import resume

__all__ = ["settle"]


def settle(actor: Actor) -> None:
    """Run tasks, first in first out, and wake conditions that came true, until nothing moves."""
    while True:
        if actor.fault is not None:
            raise actor.fault
        if actor.failure is not None:
            raise actor.failure
        if actor.ready:
            task = actor.ready.popleft()
            if task.open is actor.main and actor.holder is not None:
                actor.held.append(task)  # main goes on between handlers only
            else:
                resume(actor, task)
        elif actor.held and actor.holder is None:
            actor.ready.extend(actor.held)
            actor.held.clear()
        elif not (actor.watches and _came_true(actor)) and not (actor.unawaited and _complain(actor)):
            return


def _came_true(actor: Actor) -> bool:
    """Wake the first task whose condition holds, in the order in which they began to wait."""
    for watch in list(actor.watches):
        assert watch.task is not None, "a condition is awaited where it is made"
        if watch.task.open is actor.main and actor.holder is not None:
            continue
        actor.reading = "condition"
        try:
            true = watch.predicate()
        except Exception as error:  # noqa: BLE001 - it belongs to the handler that wrote the condition
            watch.settle(actor, None, error)
            return True
        finally:
            actor.reading = ""
        if true:
            watch.settle(actor, None, None)
            return True
    return False


def _complain(actor: Actor) -> bool:
    """A task waits although it has called something that it never awaited: tell it."""
    task = next(iter(actor.unawaited)).task
    error = actor.forgotten(task)
    assert task is not None, "a handler that is no task was asked when it ended"
    if task.open.fresh:
        actor.failure = error
    elif error is not None and task.waiting is not None:
        task.waiting.interrupt(actor, error)
    return True
