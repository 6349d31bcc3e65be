"""One turn of an actor, live or in replay: start a handler or deliver a resolution, and run what that frees.

Leaves the actor changed and the effects collected; whether they stand is for ``step`` and ``replay`` to say.
A failure before the first suspension is raised, and the actor is then to be rebuilt.  THE hot path.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from actorflow.errors import (
    Cancelled,
    DecodeError,
    Refused,
    UnknownHandler,
    WrongArgument,
)

from . import facts, phases
from .actor import Actor, Parked
from .ambient import ambient
from .birth import bear
from .course import PERFORM, unpark, wind_up
from .debts import owe
from .facts import DONE, ENDED, FIRE, MAIN, OK, OPEN, STALE, UPDATE, Ended, Input, Instant
from .pending import Open
from .settle import settle
from .spec import Handler
from .tasks import Scope, spawn

__all__ = [
    "holds_mailbox",
    "how_failed",
    "perform",
    "read_arguments",
    "set_aside",
    "stable",
    "start",
    "take",
]


def perform(actor: Actor, input_: Input, now: Instant, seq: int) -> int:
    """Run the turn of an input that is not a message for a handler; gives the outcome."""
    actor.begin(seq)
    actor.now = now
    return _enter(actor, PERFORM[input_.kind], input_)


def start(actor: Actor, seq: int, input_: Input, handler: Handler, now: Instant) -> int:
    """Run the turn in which a handler starts; raises what it raises before it first suspends."""
    actor.begin(seq)
    actor.now = now
    actor.starting = handler
    leave = None if actor.guard is None else actor.guard(handler.where)
    ambient.actor = actor
    try:
        return _start(actor, seq, input_, handler)
    finally:
        ambient.actor = None
        if leave is not None:
            leave()


def _enter(actor: Actor, work: Callable[[Actor, Input], int], input_: Input) -> int:
    """Be the actor that runs in this thread, watched in strict mode."""
    leave = None if actor.guard is None else actor.guard(str(actor))
    ambient.actor = actor
    try:
        return work(actor, input_)
    finally:
        ambient.actor = None
        if leave is not None:
            leave()


def _start(actor: Actor, seq: int, input_: Input, handler: Handler) -> int:
    if actor.state is None:
        bear(actor, None, None)
    arguments = read_arguments(handler, input_.body)
    if handler.suspends:
        outcome = _open(actor, seq, input_, handler, arguments)
    else:
        answer = handler.function(actor.state, *arguments)
        if actor.unawaited:
            forgotten = actor.forgotten(None)
            assert forgotten is not None, "outside a task only this handler has made calls"
            raise forgotten
        if handler.kind == UPDATE:
            body = handler.answer(answer)
            actor.fits(body, handler.where)
            actor.effects.append(Ended(ENDED, seq, OK, body, input_.sender))
            if input_.id is not None:
                actor.touched = True
                actor.answers.append((input_.id, seq, OK, body))
        elif answer is not None:
            handler.answer(answer)  # says what is wrong with it
        outcome = DONE
    if actor.watches or actor.ready:
        settle(actor)
    if actor.ending is not None:
        wind_up(actor)
    return outcome


def _open(actor: Actor, seq: int, input_: Input, handler: Handler, arguments: tuple[Any, ...]) -> int:
    """Start a handler that may suspend."""
    open_ = Open(seq, input_, handler, Scope(actor.scope), actor.now)
    open_.old = actor.recorded is not None and actor.code != actor.spec.fingerprint
    actor.open[seq] = open_
    if handler.kind == MAIN:
        actor.main = open_
    elif _excludes(handler):
        actor.holder = open_
    spawn(actor, open_, open_.scope, handler.function(actor.state, *arguments), partial(_ended, actor, open_))
    settle(actor)
    open_.fresh = False
    return OPEN if seq in actor.open else DONE


def _ended(actor: Actor, open_: Open, value: Any, error: BaseException | None) -> None:
    """A handler that may suspend has come to its end."""
    handler = open_.handler
    body = b""
    if error is None:
        try:
            body = handler.answer(value)
            actor.fits(body, handler.where)
        except Exception as wrong:  # noqa: BLE001 - an answer that does not fit its type is the handler's failure
            error = wrong
    if error is not None and open_.fresh:
        actor.failure = error
        return
    del actor.open[open_.seq]
    if actor.holder is open_:
        # Of two that began side by side, and exclude each other under the code of today, the other goes on.
        actor.holder = next((one for one in actor.open.values() if _excludes(one.handler)), None)
    for pending in list(open_.pending.values()):
        # No effect outlives the handler that asked for it.
        actor.withdraw(pending)
        actor.forget(pending)
    how = OK
    if error is not None:
        how = how_failed(error)
        body = actor.spec.codec.pack_failure(error)
        if how != facts.CANCELLED:
            actor.last_failure = open_.seq, handler.name, body
        owe(actor, open_, error)
    if actor.main is open_:
        actor.main = None
        if actor.ending is None:
            actor.ending = STATUS_OF[how], body
    if handler.kind == UPDATE:
        if open_.input.id is not None:
            actor.touched = True
            actor.answers.append((open_.input.id, open_.seq, how, body))
    elif open_.fresh:
        return
    actor.effects.append(Ended(ENDED, open_.seq, how, body, open_.input.sender))


def _excludes(handler: Handler) -> bool:
    """Whether a handler that is suspended holds the mailbox."""
    return not handler.interleave and handler.kind != MAIN


REFUSED_BY_HANDLER = "refused"
STATUS_OF = {
    OK: phases.COMPLETED,
    facts.FAILED: phases.FAILED,
    REFUSED_BY_HANDLER: phases.FAILED,
    facts.CANCELLED: phases.CANCELLED,
}


def how_failed(error: BaseException) -> str:
    """The word for how a handler ended that raised."""
    if isinstance(error, Refused):
        return REFUSED_BY_HANDLER
    return facts.CANCELLED if isinstance(error, Cancelled) else facts.FAILED


# ---- messages that wait, and those that are set aside ------------------------------------------------


def take(actor: Actor, seq: int, input_: Input, now: Instant) -> int:
    """Run the turn of a message for a handler: a signal, an update, a timer's fire, a retry, or main."""
    kind = input_.kind
    if kind == FIRE:
        if input_.name in facts.COURSE:
            return perform(actor, input_, now, seq)
        input_ = stable(actor, input_)
        arming = actor.timers.get((input_.name, input_.body))
        if arming is None or arming.ref != input_.ref:
            return STALE
        handler = _handler(actor, input_)
        del actor.timers[input_.name, input_.body]
        return start(actor, seq, input_, handler, now)
    if kind == facts.RETRY:
        assert input_.ref is not None, "a retry names what is parked"
        parked = actor.parked.get(input_.ref[0])
        if parked is None:
            return STALE
        handler = _handler(actor, parked.input)
        unpark(actor, input_.ref[0])
        return start(actor, seq, parked.input._replace(id=None), handler, now)
    if kind == MAIN:
        assert actor.spec.main is not None, "admission has seen it"
        actor.main_due = False
        return start(actor, seq, input_, actor.spec.main, now)
    return start(actor, seq, input_, _handler(actor, input_), now)


def read_arguments(handler: Handler, body: bytes) -> tuple[Any, ...]:
    """The arguments of a message; where they do not fit, that is its trouble, no fault of the actor."""
    try:
        return handler.decode(body)
    except DecodeError as error:
        raise WrongArgument(error.where, error.what, error.hint) from error


def stable(actor: Actor, input_: Input) -> Input:
    """The input with the present name of its handler, if that had another when it was sent."""
    handler = actor.spec.handlers.get(input_.name)
    return input_ if handler is None or handler.name == input_.name else input_._replace(name=handler.name)


def _handler(actor: Actor, input_: Input) -> Handler:
    handler = actor.spec.handlers.get(input_.name)
    if handler is None or handler.kind != input_.kind:
        raise UnknownHandler(actor.spec.name, input_.name, actor.spec.handler_names(input_.kind))
    return handler


def set_aside(
    actor: Actor, seq: int, input_: Input, outcome: int, failure: bytes, now: Instant, *, stops: bool = False
) -> None:
    """Make a turn of a message that left no trace: stale, refused, or parked, which may hold the mailbox."""
    actor.begin(seq)
    actor.now = now
    if outcome == STALE:
        return
    if input_.kind == MAIN:
        actor.ending = phases.FAILED, failure
        actor.last_failure = seq, input_.name, failure
        _enter(actor, _end_life, input_)
        return
    if outcome == facts.REFUSED:
        how: str = actor.spec.codec.unpack(failure)[0]
        actor.effects.append(Ended(ENDED, seq, how, failure, input_.sender))
        return
    first = seq
    if input_.kind == FIRE:
        input_ = stable(actor, input_)
        actor.timers.pop((input_.name, input_.body), None)
    elif input_.kind == facts.RETRY:
        assert input_.ref is not None, "a retry names what is parked"
        again = unpark(actor, input_.ref[0])
        input_, first = again.input, again.first
    actor.parked[seq] = Parked(input_, failure, now, first)
    actor.last_failure = seq, input_.name, failure
    if stops:
        actor.stopped = seq


def holds_mailbox(actor: Actor, input_: Input) -> bool:
    """Whether the failure of this message is to hold the mailbox until an operator has dealt with it."""
    if input_.kind == facts.RETRY:
        assert input_.ref is not None, "a retry names what is parked"
        input_ = actor.parked[input_.ref[0]].input
    handler = actor.spec.handlers.get(input_.name)
    return (handler is not None and handler.stops) or len(actor.parked) >= actor.spec.limits.parked_messages


def _end_life(actor: Actor, input_: Input) -> int:  # noqa: ARG001 - all turns take their input
    wind_up(actor)
    return DONE
