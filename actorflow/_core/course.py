"""What befalls a life: turns that start no handler, from its beginning to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from actorflow.errors import Cancelled

from . import facts, phases
from .actor import Actor, Parked
from .birth import bear, begin_run
from .closing import close_slice
from .debts import crowding
from .facts import DONE, ENDED, UPDATE, Ended, Input, Terms
from .quiet import reload_state
from .settle import settle
from .tasks import cancel_scope

__all__ = ["PERFORM", "unpark", "wind_up"]


def _begin_life(actor: Actor, input_: Input) -> int:
    bear(actor, actor.spec.load(input_.body), input_.sender)
    terms = Terms(*cast("Any", input_.options or ()))
    if terms.timeout is not None:
        actor.arm(facts.TIME_OUT, b"", actor.now + terms.timeout)
    if terms.delay is not None:
        actor.main_due = False
        actor.arm(facts.BEGIN_MAIN, b"", actor.now + terms.delay)
    return DONE


def _go_its_course(actor: Actor, input_: Input) -> int:
    """A timer of the life itself has fired."""
    del actor.timers[input_.name, input_.body]
    if input_.name == facts.BEGIN_MAIN:
        actor.main_due = actor.spec.main is not None  # the code may have had one only when the life began
    else:
        actor.ending = phases.TIMED_OUT, b""
        wind_up(actor)
    return DONE


def _resolve(actor: Actor, input_: Input) -> int:
    assert input_.ref is not None, "a resolution names its effect"
    pending = actor.pending.get(input_.ref)
    if pending is not None:
        pending.resolve(actor, input_.name, input_.body)
    elif input_.ref == actor.alarm:
        actor.alarm = None
        actor.harsh = True
    else:
        child = actor.children.pop(actor.child_refs.pop(input_.ref))
        if child.pending is not None and child.pending.open.seq in actor.open:
            child.pending.resolve(actor, input_.name, input_.body)
    settle(actor)
    wind_up(actor)
    return DONE


def _cancel(actor: Actor, input_: Input) -> int:  # noqa: ARG001 - all turns take their input
    actor.ending = phases.CANCELLED, b""
    wind_up(actor)
    return DONE


def _terminate(actor: Actor, input_: Input) -> int:  # noqa: ARG001 - all turns take their input
    """End at once: what is suspended is dropped, not cancelled, and compensates nothing."""
    for open_ in actor.open.values():
        for pending in open_.pending.values():
            actor.withdraw(pending)
        failure = actor.spec.codec.pack_failure(Cancelled(f"{actor} was terminated"))
        actor.effects.append(Ended(ENDED, open_.seq, facts.CANCELLED, failure, open_.input.sender))
        if open_.input.id is not None and open_.handler.kind == UPDATE:
            actor.answers.append((open_.input.id, open_.seq, facts.CANCELLED, failure))
    reload_state(actor)
    actor.phase = phases.CLOSING
    actor.status, actor.result = phases.TERMINATED, b""
    close_slice(actor)
    return DONE


def wind_up(actor: Actor) -> None:
    """If the life is to end, tell open handlers, and when none is left, close; ``ending`` is empty then."""
    while actor.ending is not None:
        (status, result), actor.ending = actor.ending, None
        if actor.phase == phases.RUNNING:
            actor.phase = phases.CLOSING
            actor.status, actor.result = status, result
            cancel_scope(actor, actor.scope)
            settle(actor)
        elif (
            actor.phase == phases.CLOSING
            and actor.status in phases.FROM_OUTSIDE
            and status not in phases.FROM_OUTSIDE
        ):
            actor.status, actor.result = status, result  # it has cleaned up, and comes to an end of its own
    if actor.phase == phases.CLOSING and not actor.open:
        close_slice(actor)


def _drop(actor: Actor, input_: Input) -> int:
    assert input_.ref is not None, "a drop names what is parked"
    unpark(actor, input_.ref[0])
    return DONE


def _discharge(actor: Actor, input_: Input) -> int:
    assert input_.ref is not None, "a discharge names what is owed"
    seq = input_.ref[0]
    holds = actor.stopped in actor.debts
    del actor.debts[seq]
    if seq in actor.open:
        actor.open[seq].owed.clear()
    if holds:
        actor.stopped = crowding(actor)
    return DONE


def unpark(actor: Actor, seq: int) -> Parked:
    if actor.stopped == seq:
        actor.stopped = crowding(actor)
    return actor.parked.pop(seq)


def _continue(actor: Actor, input_: Input) -> int:  # noqa: ARG001 - all turns take their input
    """Close the run, open the next; a main that may be is started again, on the state as it will be read."""
    if actor.main is not None:
        for pending in actor.main.pending.values():
            actor.withdraw(pending)
        reload_state(actor)
        actor.main_due = True
    actor.run += 1
    begin_run(actor)
    return DONE


def _close_on(actor: Actor, input_: Input) -> int:  # noqa: ARG001 - all turns take their input
    close_slice(actor)
    return DONE


PERFORM: dict[int, Callable[[Actor, Input], int]] = {
    facts.START: _begin_life,
    facts.FIRE: _go_its_course,
    facts.RESOLVE: _resolve,
    facts.CANCEL: _cancel,
    facts.TERMINATE: _terminate,
    facts.DROP: _drop,
    facts.DISCHARGE: _discharge,
    facts.CONTINUE: _continue,
    facts.CLOSE: _close_on,
}
