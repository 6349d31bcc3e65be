"""The step: an actor, an input and a time give a turn.  The one place where it is decided what happens.

``step`` takes what comes from outside; ``advance`` takes what the actor has to do of itself, and is called
until it gives nothing.  Both change the actor in memory and return what is to be journaled; nothing of the
turn may be shown to anybody before its record is durable.  A usage error is raised and leaves no trace.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from actorflow.errors import (
    ActorCompleted,
    AlreadyStarted,
    FaultError,
    HistoryFull,
    IdReused,
    LimitExceeded,
    NotStarted,
    Refused,
    UnknownHandler,
    UsageError,
)

from . import facts, phases
from .actor import Actor
from .ambient import ambient
from .facts import (
    ADMITTED,
    CODE,
    CONTINUE,
    DIGEST,
    DONE,
    ENGINE,
    ENGINE_VERSION,
    ERROR,
    FIRE,
    MAIN,
    MARKS,
    NONCE,
    OK,
    PARKED,
    REFUSED,
    RESOLVE,
    RETRY,
    SIGNAL,
    STALE,
    START,
    UPDATE,
    Effect,
    Input,
    Instant,
)
from .phases import ADMISSION, ADMIT, BEGIN, IGNORE
from .quiet import can_continue, quiet
from .outstanding import wakes_at
from .replay import admit, awaited, rebuild, remember_id, take_answers
from .snapshot import keep, refresh_base
from .spec import Handler
from .turn import how_failed, perform, set_aside, start, take

__all__ = ["ACKNOWLEDGE", "ANSWER", "IGNORED", "JOIN", "Turn", "advance", "ask", "step"]

ACKNOWLEDGE: Final = "acknowledge"
"""Tell the sender when the record is durable; an update's answer is an ``Ended`` effect, now or later."""
ANSWER: Final = "answer"
"""Answer at once with ``how`` and ``body``, once the actor's newest record is durable."""
JOIN: Final = "join"
"""Answer as the earlier message ``seq`` is answered."""
IGNORED: Final = "ignore"
"""It came too late or twice."""


class Turn(NamedTuple):
    """What a step decided; not true for anybody else before the record is durable."""

    seq: int
    record: bytes | None
    effects: list[Effect]
    fate: str = ACKNOWLEDGE
    outcome: int = DONE
    how: str = OK
    body: bytes = b""


NOTHING: Final = Turn(0, None, [], IGNORED)


def step(actor: Actor, input_: Input, now: Instant) -> Turn:
    """Decide about something that has come from outside."""
    now = max(now, actor.now)
    kind = input_.kind
    verdict = ADMISSION[actor.phase][kind]
    if kind <= UPDATE:
        return _message(actor, input_, now, verdict)
    if verdict is IGNORE:
        return NOTHING
    if kind == START:
        return _begin(actor, input_, now, verdict)
    if verdict is not ADMIT and verdict is not BEGIN:
        raise ActorCompleted(str(actor), actor.status) if actor.life else NotStarted(str(actor), "nothing to end")
    if kind == RESOLVE:
        return _resolved(actor, input_, now)
    if kind == FIRE:
        return _fired(actor, input_, now)
    if kind in (RETRY, facts.DROP):
        return _parked(actor, input_, now)
    return _plain(actor, input_, now)


def advance(actor: Actor, now: Instant) -> Turn | None:
    """Take the next turn that the actor has of itself, if it has one; call again until it has none."""
    now = max(now, actor.now)
    if actor.phase == phases.CLOSING and actor.close_due:
        return _plain(actor, Input(facts.CLOSE), now)
    if actor.phase != phases.RUNNING:
        return None
    wanted = actor.continue_wanted or actor.run_records >= actor.spec.limits.continue_records
    if wanted and can_continue(actor):
        turn = _plain(actor, Input(CONTINUE), now)
        refresh_base(actor)
        return turn
    if actor.holder is not None:
        return None
    if actor.main_due:
        return _handled(actor, actor.seq + 1, Input(MAIN, "main"), now, waited=False)
    if not actor.mailbox:
        return None
    seq, input_ = actor.mailbox[0]
    if actor.stopped is not None and not (input_.kind == RETRY and input_.ref == (actor.stopped, 0)):
        return None
    actor.mailbox.popleft()
    return _handled(actor, seq, input_, now, waited=True)


# ---- messages ----------------------------------------------------------------------------------------


def _message(actor: Actor, input_: Input, now: Instant, verdict: str) -> Turn:
    """A signal or an update.  THE hot path: what is asked here is asked of every message."""
    spec = actor.spec
    handler = spec.handlers.get(input_.name)
    if handler is None or handler.kind != input_.kind:
        raise UnknownHandler(spec.name, input_.name, spec.handler_names(input_.kind))
    if input_.name != handler.name:
        input_ = input_._replace(name=handler.name)
    if input_.id is not None:
        known = _known(actor, input_, now)
        if known is not None:
            return known
    if verdict is not ADMIT:
        if verdict is not BEGIN:
            raise ActorCompleted(str(actor), actor.status)
        _may_begin(actor)
    if handler.validator is not None:
        refusal = _validate(actor, input_, handler, now)
        if refusal is not None:
            return refusal
    if actor.open:
        _has_room(actor)
    if not handler.interleave and (actor.holder is not None or actor.mailbox or actor.stopped is not None):
        return _wait(actor, input_, now)
    seq = actor.seq + 1
    try:
        outcome = start(actor, seq, input_, handler, now)
    except BaseException as error:  # noqa: BLE001 - every way to fail is decided in one place
        return _failed(actor, seq, input_, now, error, waited=False)
    return _stands(actor, seq, input_, now, outcome, waited=False)


def _may_begin(actor: Actor) -> None:
    if actor.spec.new is None:
        fields = ", ".join(actor.spec.required)
        raise NotStarted(str(actor), f"it needs a value for {fields}, so no message can begin it")


def _known(actor: Actor, input_: Input, now: Instant) -> Turn | None:
    """Answer a repeated id; none if the id is free."""
    assert input_.id is not None, "the caller has looked"
    known = actor.ids.find(input_.id, now)
    if known is None:
        if actor.ids.full(now):
            limit = actor.spec.limits.id_bytes
            raise LimitExceeded(str(actor), "no room for another once-id within the window", "id_bytes", limit)
        return None
    first = actor.spec.handlers.get(known.name)
    name = known.name if first is None else first.name
    if name != input_.name or known.digest != actor.spec.codec.digest(input_.body):
        other = input_.name if name != input_.name else f"other arguments for {name}"
        raise IdReused(str(actor), input_.id, name, other)
    if known.how is None:
        return Turn(known.seq, None, [], JOIN)
    return Turn(known.seq, None, [], ANSWER, DONE, known.how, known.body)


def _validate(actor: Actor, input_: Input, handler: Handler, now: Instant) -> Turn | None:
    """Ask the validator, which only reads; a refusal leaves no trace at all."""
    assert handler.validator is not None, "the caller has looked"
    state = actor.state
    if state is None:
        assert actor.spec.new is not None, "_may_begin has seen it"
        state = actor.spec.new()
    try:
        _read(actor, state, "validator", handler, handler.validator, handler.decode(input_.body), now)
    except FaultError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it raises is the refusal
        return _answer_failure(actor, error)
    return None


def ask(actor: Actor, name: str, body: bytes, now: Instant) -> bytes:
    """Answer a query; raises what the handler raises."""
    handler = actor.spec.handlers.get(name)
    if handler is None or handler.kind != 0:
        raise UnknownHandler(actor.spec.name, name, actor.spec.handler_names(0))
    state = actor.state
    if state is None:
        raise NotStarted(str(actor), "there is no state to read")
    answer = _read(actor, state, "query", handler, handler.function, handler.decode(body), max(now, actor.now))
    return handler.answer(answer)


def _read(
    actor: Actor, state: Any, what: str, handler: Handler, function: Any, arguments: tuple[Any, ...], now: Instant
) -> Any:
    """Run code that may look and not touch; in strict mode, see that it did not."""
    before = actor.spec.dump(state) if actor.strict else b""
    was, actor.now = actor.now, now
    actor.reading = what
    ambient.actor = actor
    try:
        return function(state, *arguments)
    finally:
        ambient.actor = None
        actor.reading = ""
        actor.now = was
        if actor.strict and actor.spec.dump(state) != before:
            rebuild(actor)
            raise UsageError(f"{handler.where}: a {what} only reads, and this one changed the state")


def _has_room(actor: Actor) -> None:
    """Open handlers keep the run from closing: it may not grow for ever."""
    limits = actor.spec.limits
    if actor.run_records >= limits.run_records:
        limit, allowed = "run_records", limits.run_records
    elif actor.run_bytes >= limits.run_bytes:
        limit, allowed = "run_bytes", limits.run_bytes
    else:
        return
    holders = tuple(open_.handler.where for open_ in actor.open.values())
    raise HistoryFull(str(actor), "its run is too long to take another message", limit, allowed, holders)


def _wait(actor: Actor, input_: Input, now: Instant) -> Turn:
    """Admit a message that cannot start yet."""
    limit = actor.spec.limits.mailbox_messages
    if len(actor.mailbox) >= limit and input_.kind <= UPDATE:
        raise LimitExceeded(str(actor), "its mailbox is full", "mailbox_messages", limit)
    seq = actor.seq + 1
    actor.begin(seq)
    admit(actor, seq, input_, now)
    record = actor.spec.codec.pack_record((seq, now, ADMITTED, input_, [], None))
    keep(actor, seq, input_, record)
    return Turn(seq, record, [], ACKNOWLEDGE, ADMITTED)


# ---- other inputs ------------------------------------------------------------------------------------


def _begin(actor: Actor, input_: Input, now: Instant, verdict: str) -> Turn:
    """A start with its policies for an actor that is running and for one that has ended."""
    if_running, if_completed = input_.options or ("fail", "fail")
    if input_.id is not None:
        known = _known(actor, input_, now)
        if known is not None:
            return known
    if verdict is not BEGIN:
        if actor.phase == phases.RUNNING and if_running == "use":
            return Turn(actor.seq, None, [], ANSWER)
        raise AlreadyStarted(str(actor), actor.status or phases.PHASES[actor.phase])
    if actor.phase == phases.CLOSED and if_completed != "new":
        raise AlreadyStarted(str(actor), actor.status)
    return _plain(actor, input_, now)


def _resolved(actor: Actor, input_: Input, now: Instant) -> Turn:
    if input_.name not in facts.RESOLUTIONS:
        raise UsageError(f"{input_.name!r} is not a way in which an effect ends")
    if not awaited(actor, input_):
        return NOTHING
    if wakes_at(actor, input_.ref) > now:
        return NOTHING  # never early
    return _plain(actor, input_, now)


def _fired(actor: Actor, input_: Input, now: Instant) -> Turn:
    arming = actor.timers.get((input_.name, input_.body))
    if arming is None or arming.ref != input_.ref or arming.fired or arming.due > now:
        return NOTHING
    handler = actor.spec.handlers.get(input_.name)
    interleave = handler is not None and handler.interleave
    if not interleave and (actor.holder is not None or actor.mailbox or actor.stopped is not None):
        return _wait(actor, input_, now)
    return _handled(actor, actor.seq + 1, input_, now, waited=False)


def _parked(actor: Actor, input_: Input, now: Instant) -> Turn:
    if input_.ref is None or input_.ref[0] not in actor.parked:
        raise UsageError(f"{actor} has nothing parked under that number: {', '.join(map(str, actor.parked)) or 'none'}")
    if input_.kind == facts.DROP:
        return _plain(actor, input_, now)
    if not actor.life:
        _may_begin(actor)
    overtakes = input_.ref[0] == actor.stopped
    if actor.holder is not None or (not overtakes and (actor.mailbox or actor.stopped is not None)):
        return _wait(actor, input_, now)
    return _handled(actor, actor.seq + 1, input_, now, waited=False)


def _plain(actor: Actor, input_: Input, now: Instant) -> Turn:
    """A turn that starts no handler; what it raises is not the input's fault."""
    seq = actor.seq + 1
    try:
        outcome = perform(actor, input_, now, seq)
    except BaseException:
        rebuild(actor)
        raise
    return _stands(actor, seq, input_, now, outcome, waited=False)


def _handled(actor: Actor, seq: int, input_: Input, now: Instant, *, waited: bool) -> Turn:
    """The turn of a message that waited, a fire, a retry, or main."""
    try:
        outcome = take(actor, seq, input_, now)
    except BaseException as error:  # noqa: BLE001 - every way to fail is decided in one place
        return _failed(actor, seq, input_, now, error, waited=waited)
    if outcome == STALE:
        set_aside(actor, seq, input_, STALE, b"", now)
    return _stands(actor, seq, input_, now, outcome, waited=waited)


# ---- how turns end -----------------------------------------------------------------------------------


def _stands(
    actor: Actor,
    seq: int,
    input_: Input,
    now: Instant,
    outcome: int,
    *,
    waited: bool,
    extra: dict[str, Any] | None = None,
) -> Turn:
    """The turn stands: make its record."""
    spec = actor.spec
    if actor.code != spec.fingerprint:
        extra = {**(extra or {}), CODE: spec.fingerprint, ENGINE: ENGINE_VERSION}
        actor.code = spec.fingerprint
    if actor.newborn:
        extra = {**(extra or {}), NONCE: actor.nonce}
    if actor.marks:
        extra = {**(extra or {}), MARKS: actor.marks}
    if actor.strict and actor.state is not None:
        extra = {**(extra or {}), DIGEST: spec.codec.digest(spec.dump(actor.state))}
    effects = actor.effects
    journaled = None if waited else input_
    record = spec.codec.pack_record((seq, now, outcome, journaled, effects, extra))
    if actor.answers or input_.id is not None:
        take_answers(actor, seq, input_, outcome, now, fresh=not waited)
    keep(actor, seq, journaled, record)
    return Turn(seq, record, effects, ACKNOWLEDGE, outcome)


def _failed(actor: Actor, seq: int, input_: Input, now: Instant, error: BaseException, *, waited: bool) -> Turn:
    """The turn fell before its handler first suspended: nothing of it happened."""
    rebuild(actor)
    if quiet(actor):
        # The next failure should not replay the same tail again.
        refresh_base(actor)
    if isinstance(error, (FaultError, KeyboardInterrupt, SystemExit, GeneratorExit)):
        raise error
    if input_.kind == UPDATE and not waited:
        return _answer_failure(actor, error)
    failure = actor.spec.codec.pack_failure(error)
    if waited:
        head, _ = actor.mailbox.popleft()
        assert head == seq, "undoing puts a message back where it was"
    outcome = REFUSED if input_.kind in (UPDATE, MAIN) else PARKED
    set_aside(actor, seq, input_, outcome, failure, now)
    return _stands(actor, seq, input_, now, outcome, waited=waited, extra={ERROR: failure})


def _answer_failure(actor: Actor, error: BaseException) -> Turn:
    how = how_failed(error) if isinstance(error, Refused) else facts.FAILED
    return Turn(actor.seq, None, [], ANSWER, REFUSED, how, actor.spec.codec.pack_failure(error))
