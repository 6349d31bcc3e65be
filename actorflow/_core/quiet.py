"""When an actor is quiet, and how it lets go of what is suspended.  Snapshots are of quiet actors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorflow.errors import ActorflowError

from .facts import SLEEP
from .tasks import Future, drop

if TYPE_CHECKING:
    from .actor import Actor

__all__ = ["Resting", "can_continue", "due_to_continue", "quiet", "reload_state", "silence"]


class Resting(Future):
    """What a main awaits that has said ``continue_as_new``: it is not to go on from there."""

    __slots__ = ()


def quiet(actor: Actor) -> bool:
    """Whether nothing is under way: no open handler, and so no pending effect."""
    return not actor.open


def can_continue(actor: Actor) -> bool:
    """Whether the run may close: quiet, but for a main that says so or may start again from the top."""
    if not actor.open:
        return True
    main = actor.main
    if main is None or len(actor.open) > 1:
        return False
    if any(isinstance(task.waiting, Resting) for task in actor.tasks):
        return not main.pending
    # A restartable main that waits for time or for a condition loses nothing; one that waits for an
    # activity would ask for it twice.
    return main.handler.restartable and all(p.effect.kind == SLEEP for p in main.pending.values())


def due_to_continue(actor: Actor) -> bool:
    """Whether the run should close now: somebody said so or it is long, and there is something in it."""
    if actor.new_run or not (
        actor.continue_wanted or actor.run_records >= actor.spec.limits.continue_records
    ):
        return False
    return can_continue(actor) and actor.unstorable is None


def silence(actor: Actor) -> None:
    """Drop whatever is suspended; it can do nothing any more."""
    tasks = list(actor.tasks)
    actor.calm()
    for task in tasks:
        drop(task)


def reload_state(actor: Actor) -> None:
    """Drop what is suspended and read the state as replay would: dropped code may still hold the old one."""
    dumped = _dumped(actor)
    effects, turn, answers = actor.effects, actor.turn, actor.answers
    silence(actor)
    actor.turn, actor.effects = turn, effects
    if answers:
        actor.touched = True
        actor.answers = answers
    if dumped is not None:
        actor.state = actor.spec.load(dumped)


def _dumped(actor: Actor) -> bytes | None:
    try:
        return actor.spec.dump(actor.state)
    except ActorflowError as error:
        actor.unstorable = error  # the life can be ended all the same
        return None
