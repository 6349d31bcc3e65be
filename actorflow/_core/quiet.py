"""When an actor is quiet, and how it lets go of what is suspended.  Snapshots are of quiet actors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorflow.errors import ActorflowError, LimitExceeded

from .facts import SLEEP
from .tasks import Future, drop

if TYPE_CHECKING:
    from .actor import Actor

__all__ = [
    "Resting",
    "can_continue",
    "due_to_continue",
    "dump_or_none",
    "quiet",
    "reload_state",
    "silence",
    "storable",
]


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
    # activity would ask for it twice, and one whose children live would start them twice.
    return (
        main.handler.restartable
        and all(pending.effect.kind == SLEEP for pending in main.pending.values())
        and not any(child.pending and child.pending.open is main for child in actor.children.values())
    )


def due_to_continue(actor: Actor) -> bool:
    """Whether the run should close now: somebody said so or it is long, and there is something in it."""
    limits = actor.spec.limits
    if actor.new_run or not (
        actor.continue_wanted
        or actor.run_records >= limits.continue_records
        or actor.run_bytes >= limits.continue_bytes
    ):
        return False
    return can_continue(actor) and (actor.state is None or storable(actor, dump_or_none(actor)))


def silence(actor: Actor) -> None:
    """Drop whatever is suspended; it can do nothing any more."""
    tasks = list(actor.tasks)
    actor.calm()
    for task in tasks:
        drop(task)


def reload_state(actor: Actor) -> None:
    """Drop what is suspended and read the state as replay would: dropped code may still hold the old one."""
    dumped = dump_or_none(actor)
    effects, turn, answers = actor.effects, actor.turn, actor.answers
    silence(actor)
    actor.turn, actor.effects = turn, effects
    if answers:
        actor.touched = True
        actor.answers = answers
    if dumped is not None:
        actor.state = actor.spec.load(dumped)


def dump_or_none(actor: Actor) -> bytes | None:
    """The state as bytes; none, and ``unstorable`` says why, if it holds something that is no data."""
    try:
        return actor.spec.dump(actor.state)
    except ActorflowError as error:
        actor.unstorable = error  # the life can be ended all the same
        return None


def storable(actor: Actor, dumped: bytes | None) -> bool:
    """Whether a run may close on this state; ``unstorable`` says why not."""
    if dumped is None:
        return False
    limit = actor.spec.limits.state_bytes
    if len(dumped) > limit:
        actor.unstorable = LimitExceeded(
            str(actor), f"its state has {len(dumped)} bytes", "state_bytes", limit
        )
        return False
    actor.unstorable = None
    return True
