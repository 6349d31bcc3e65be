"""How a life ends once no handler is open: the mailbox is emptied, children are closed, in bounded slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorflow.errors import ActorCompleted

from .actor import Parked
from .facts import (
    CLOSE_CHILD,
    CLOSED,
    ENDED,
    SIGNAL,
    SLEEP,
    UPDATE,
    WITHDRAW,
    CloseChild,
    Closed,
    Ended,
    Sleep,
    Withdraw,
)
from .phases import CLOSED as PHASE_CLOSED
from .phases import TERMINATED

if TYPE_CHECKING:
    from .actor import Actor
    from .facts import Address

__all__ = ["ABANDON", "POLICIES", "close_slice"]

CANCEL_CHILD = "cancel"
TERMINATE_CHILD = "terminate"
ABANDON = "abandon"
POLICIES = frozenset({CANCEL_CHILD, TERMINATE_CHILD, ABANDON})

SLICE = 500
"""Messages and children seen to in one turn.  No setting: it shapes what a turn asks for, for ever."""
NOT_RUN = "not run"
"""How an update ended that still waited when the life was over."""


def close_slice(actor: Actor) -> None:
    """Do a bounded part of closing; ``close_due`` says whether more can be done at once."""
    assert not actor.open, "handlers end before the life does"
    budget = SLICE
    budget -= _empty_mailbox(actor, budget)
    budget -= _tell_children(actor, budget)
    actor.close_due = budget == 0
    if actor.close_due:
        return
    if not actor.children:
        _close(actor)
    elif actor.alarm is None and not actor.harsh:
        due = actor.now + round(actor.spec.limits.close_timeout.total_seconds() * 1_000_000)
        actor.effects.append(Sleep(SLEEP, due))
        actor.alarm, actor.alarm_due = (actor.turn, len(actor.effects) - 1), due


def _empty_mailbox(actor: Actor, budget: int) -> int:
    done = 0
    pack_failure = actor.spec.codec.pack_failure
    while actor.mailbox and done < budget:
        seq, input_ = actor.mailbox.popleft()
        failure = pack_failure(ActorCompleted(str(actor), actor.status))
        if input_.kind == UPDATE:
            actor.effects.append(Ended(ENDED, seq, NOT_RUN, failure, input_.sender))
            if input_.id is not None:
                actor.touched = True
                actor.answers.append((input_.id, seq, NOT_RUN, failure))
        elif input_.kind == SIGNAL:
            actor.parked[seq] = Parked(input_, failure, actor.now, seq)
        # A fire goes with its timer; what a retry meant is still parked.
        done += 1
    return done


def _tell_children(actor: Actor, budget: int) -> int:
    done = 0
    for address, how in _untold(actor):
        if done == budget:
            break
        done += 1
        child = actor.children[address]
        if how == ABANDON:
            del actor.children[address], actor.child_refs[child.ref]
        else:
            child.told = how
            actor.effects.append(CloseChild(CLOSE_CHILD, *address, how))
    return done


def _untold(actor: Actor) -> list[tuple[Address, str]]:
    untold: list[tuple[Address, str]] = []
    for address, child in actor.children.items():
        how = child.policy
        if how != ABANDON and (actor.harsh or actor.status == TERMINATED):
            how = TERMINATE_CHILD
        if child.told not in (how, TERMINATE_CHILD):
            untold.append((address, how))
    return untold


def _close(actor: Actor) -> None:
    if actor.alarm is not None:
        actor.effects.append(Withdraw(WITHDRAW, *actor.alarm))
        actor.alarm = None
    actor.phase = PHASE_CLOSED
    actor.timers.clear()
    actor.stopped = None
    actor.main_due = actor.continue_wanted = actor.harsh = False
    actor.effects.append(Closed(CLOSED, actor.status, actor.result, actor.parent))
