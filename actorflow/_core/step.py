"""The step: an actor, an input and a time give a turn.  The one place where it is decided what happens.

``step`` takes what comes from outside; ``advance`` takes what the actor has to do of itself, and is called
until it gives nothing.  Both change the actor in memory and return what is to be journaled; nothing of the
turn may be shown to anybody before its record is durable.  A usage error is raised and leaves no trace.
"""

# Long because an input goes from the top to the bottom of this file, and every way it can end is here.

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

from actorflow.errors import (
    ActorCompleted,
    ActorflowError,
    AlreadyStarted,
    FaultError,
    HistoryFull,
    IdReused,
    LimitExceeded,
    NotStarted,
    Refused,
    TokenSpent,
    UnknownHandler,
    Unstorable,
    UsageError,
    WriteInReading,
)

from . import facts, phases
from .actor import Actor
from .ambient import ambient
from .facts import (
    ADMITTED,
    CODE,
    CONTINUE,
    DEBTS,
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
    STOPPED,
    UPDATE,
    Effect,
    Input,
    Instant,
    Terms,
)
from .faithful import see_faithful
from .outstanding import wakes_at
from .phases import ADMISSION, ADMIT, BEGIN, IGNORE
from .quiet import due_to_continue
from .replay import admit, awaited, digest_of, digested, rebuild, take_answers
from .snapshot import keep, refresh_base
from .spec import Handler
from .turn import holds_mailbox, how_failed, perform, read_arguments, set_aside, stable, start, take

__all__ = [
    "ACKNOWLEDGE",
    "ANSWER",
    "IGNORED",
    "JOIN",
    "Turn",
    "accept",
    "advance",
    "ask",
    "examine",
    "step",
]

ACKNOWLEDGE: Final = "acknowledge"
"""Tell the sender when the record is durable; an update's answer is an ``Ended`` effect, now or later."""
ANSWER: Final = "answer"
"""Answer at once with ``how`` and ``body``, once the actor's newest record is durable."""
JOIN: Final = "join"
"""Answer as the earlier message ``seq`` is answered."""
IGNORED: Final = "ignore"
"""It came too late or twice."""


UNDO_RECORDS: Final = 16
"""A failure that had to replay more than this takes a new base."""


class Turn(NamedTuple):
    """What a step decided; not true for anybody else before the record is durable."""

    seq: int
    record: bytes | None
    effects: list[Effect]
    fate: str = ACKNOWLEDGE
    outcome: int = DONE
    how: str = OK
    body: bytes = b""


_new: Final = cast("Callable[[type[Turn], tuple[Any, ...]], Turn]", tuple.__new__)  # pyright: ignore[reportUnknownMemberType]
NOTHING: Final = Turn(0, None, [], IGNORED)


def step(actor: Actor, input_: Input, now: Instant) -> Turn:
    """Decide about something that has come from outside."""
    if now < actor.now:  # noqa: PLR1730 - max() takes three times as long
        now = actor.now
    kind = input_.kind
    verdict = ADMISSION[actor.phase][kind]
    if kind <= UPDATE:
        if kind == SIGNAL and input_.sender is not None:
            return _sent(actor, input_, now, verdict)
        return _message(actor, input_, now, verdict)
    if verdict is IGNORE:
        return NOTHING if input_.id is None else _answered(actor, input_.id, now)
    _is_whole(actor)
    if kind == START:
        return _begin(actor, input_, now, verdict)
    if verdict is not ADMIT and verdict is not BEGIN:
        raise (
            ActorCompleted(str(actor), actor.status)
            if actor.life
            else NotStarted(str(actor), "nothing to end")
        )
    if kind == RESOLVE:
        return _resolved(actor, input_, now)
    if kind == FIRE:
        return _fired(actor, input_, now)
    if kind in (RETRY, facts.DROP):
        return _parked(actor, input_, now)
    if kind == facts.DISCHARGE and (input_.ref is None or input_.ref[0] not in actor.debts):
        owed = ", ".join(map(str, actor.debts)) or "none"
        raise UsageError(f"{actor} owes nothing under that number: {owed}")
    return _plain(actor, input_, now)


def advance(actor: Actor, now: Instant) -> Turn | None:
    """Take the next turn that the actor has of itself, if it has one; call again until it has none."""
    if now < actor.now:  # noqa: PLR1730 - as above
        now = actor.now
    if actor.phase == phases.CLOSING and actor.close_due:
        return _plain(actor, Input(facts.CLOSE), now)
    if actor.phase != phases.RUNNING and actor.phase != phases.VACANT:  # noqa: PLR1714 - twice as fast as in
        return None
    if due_to_continue(actor):
        turn = _plain(actor, Input(CONTINUE), now)
        refresh_base(actor)
        return turn
    if actor.holder is not None:
        return None
    if actor.main_due and not (actor.open and actor.exhausted):
        main = actor.spec.main
        assert main is not None, "whoever set main_due has seen it"
        return _handled(actor, actor.seq + 1, Input(MAIN, main.name, main.encode((), {})), now, waited=False)
    if not actor.mailbox:
        return None
    seq, input_ = actor.mailbox[0]
    if actor.stopped is not None and not (input_.kind == RETRY and input_.ref == (actor.stopped, 0)):
        return None
    if _lacks_room(actor, input_):
        return None
    actor.mailbox.popleft()
    return _handled(actor, seq, input_, now, waited=True)


def _lacks_room(actor: Actor, input_: Input) -> bool:
    """Whether a handler would fail where it first awaits; when what is open has ended there is room again."""
    if not (actor.open and actor.exhausted):
        return False
    if input_.kind == RETRY and input_.ref is not None and input_.ref[0] in actor.parked:
        input_ = actor.parked[input_.ref[0]].input
    handler = actor.spec.handlers.get(input_.name)
    return handler is not None and handler.suspends


# ---- messages ----------------------------------------------------------------------------------------


def _message(actor: Actor, input_: Input, now: Instant, verdict: str) -> Turn:
    """A signal or an update.  THE hot path: what is asked here is asked of every message."""
    spec = actor.spec
    handler = spec.handlers.get(input_.name)
    if handler is None or handler.kind != input_.kind:
        raise UnknownHandler(spec.name, input_.name, spec.handler_names(input_.kind))
    if input_.name != handler.name:
        input_ = input_._replace(name=handler.name)
    if verdict is not ADMIT:
        _is_whole(actor)
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
    if actor.open or actor.unstorable is not None:
        if input_.sender is None:
            _has_room(actor)
        elif input_.kind == SIGNAL and _lacks_room(actor, input_):
            return _wait(actor, input_, now)
    if not handler.interleave and (actor.holder is not None or actor.mailbox or actor.stopped is not None):
        return _wait(actor, input_, now)
    seq = actor.seq + 1
    try:
        outcome = start(actor, seq, input_, handler, now)
        record = _record(actor, seq, input_, outcome, None)
    except BaseException as error:  # noqa: BLE001 - every way to fail is decided in one place
        return _failed(actor, seq, input_, now, error, waited=False)
    return _stands(actor, seq, input_, outcome, record, waited=False)


def examine(actor: Actor, input_: Input, now: Instant) -> None:
    """Raise what a signal would be refused with; for several that go together or not at all."""
    spec = actor.spec
    handler = spec.handlers.get(input_.name)
    if handler is None or handler.kind != input_.kind:
        raise UnknownHandler(spec.name, input_.name, spec.handler_names(input_.kind))
    verdict = ADMISSION[actor.phase][input_.kind]
    _is_whole(actor)
    if input_.id is not None:
        named = input_._replace(name=handler.name)  # ids are remembered under the stable name
        if _known(actor, named, max(now, actor.now)) is not None:
            return
    if verdict is BEGIN:
        _may_begin(actor)
    elif verdict is not ADMIT:
        raise ActorCompleted(str(actor), actor.status)
    if actor.open or actor.unstorable is not None:
        _has_room(actor)
    if not handler.interleave:
        _has_place(actor)


def accept(actor: Actor, input_: Input, now: Instant) -> Turn:
    """Take a signal that was examined: what has changed since is no reason to refuse it, so it is parked."""
    return _sent(actor, input_, max(now, actor.now), ADMISSION[actor.phase][input_.kind])


def _sent(actor: Actor, input_: Input, now: Instant, verdict: str) -> Turn:
    """A signal from another actor: its sender is past, so what cannot be taken is parked, never refused."""
    _is_whole(actor)
    try:
        return _message(actor, input_, now, verdict)
    except UsageError as error:
        failure = actor.spec.codec.pack_failure(error)
        return _set_aside(actor, actor.seq + 1, input_._replace(id=None), PARKED, failure, now, waited=False)


def _is_whole(actor: Actor) -> None:
    if actor.phase == phases.BROKEN:
        assert actor.broken is not None, "a broken actor says why"
        raise actor.broken.with_traceback(None)  # or it would grow with everybody who is told


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
            raise LimitExceeded(
                str(actor), "no room for another once-id within the window", "id_bytes", limit
            )
        return None
    first = actor.spec.handlers.get(known.name)
    name = known.name if first is None else first.name
    if name != input_.name or known.digest != digest_of(actor, input_):
        named, another = name or "a start", input_.name or "a start"
        other = another if name != input_.name else f"other arguments for {named}"
        raise IdReused(str(actor), input_.id, named, other)
    if known.how is None:
        return Turn(known.seq, None, [], JOIN)
    return Turn(known.seq, None, [], ANSWER, DONE, known.how, known.body)


def _validate(actor: Actor, input_: Input, handler: Handler, now: Instant) -> Turn | None:
    """Ask the validator, which only reads; a refusal leaves no trace at all."""
    assert handler.validator is not None, "the caller has looked"
    try:
        _read(actor, "validator", handler, handler.validator, input_.body, now)
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
    _is_whole(actor)
    if actor.state is None:
        raise NotStarted(str(actor), "there is no state to read")
    answer = handler.answer(_read(actor, "query", handler, handler.function, body, max(now, actor.now)))
    actor.fits(answer, handler.where)
    return answer


def _read(actor: Actor, what: str, handler: Handler, function: Any, body: bytes, now: Instant) -> Any:
    """Run code that may look and not touch; in strict mode, see that it did not."""
    arguments = read_arguments(handler, body)
    strict = actor.strict and actor.state is not None
    before = actor.spec.dump(actor.state) if strict else b""
    was, actor.now = actor.now, now
    actor.reading = what
    ambient.actor = actor
    leave = None if actor.guard is None else actor.guard(handler.where)
    try:
        state = actor.state
        if state is None:
            assert actor.spec.new is not None, "_may_begin has seen it"
            state = actor.spec.new()
        return function(state, *arguments)
    finally:
        ambient.actor = None
        actor.reading = ""
        actor.now = was
        if leave is not None:
            leave()
        if strict and actor.spec.dump(actor.state) != before:
            rebuild(actor)
            raise WriteInReading(handler.where, what)


def _has_room(actor: Actor) -> None:
    """A run that open handlers, or a state that cannot be stored, keep from closing may not grow for ever."""
    limits = actor.spec.limits
    if actor.run_records >= limits.run_records:
        limit, allowed = "run_records", limits.run_records
    elif actor.run_bytes >= limits.run_bytes:
        limit, allowed = "run_bytes", limits.run_bytes
    else:
        return
    if actor.unstorable is not None:
        raise actor.unstorable.with_traceback(None)
    what = "its run is too long to take another message"
    raise HistoryFull(str(actor), what, limit, allowed, actor.holders)


def _has_place(actor: Actor) -> None:
    limit = actor.spec.limits.mailbox_messages
    if len(actor.mailbox) >= limit:
        raise LimitExceeded(str(actor), "its mailbox is full", "mailbox_messages", limit)


def _wait(actor: Actor, input_: Input, now: Instant) -> Turn:
    """Admit a message that cannot start yet."""
    if input_.kind <= UPDATE and input_.sender is None:
        _has_place(actor)
    seq = actor.seq + 1
    admit(actor, seq, input_, now)
    record = actor.spec.codec.pack_record((seq, now, ADMITTED, input_, [], None))
    keep(actor, seq, input_, record)
    return Turn(seq, record, [], ACKNOWLEDGE, ADMITTED)


# ---- other inputs ------------------------------------------------------------------------------------


def _begin(actor: Actor, input_: Input, now: Instant, verdict: str) -> Turn:
    """A start with its policies for an actor that is running and for one that has ended."""
    terms = Terms(*cast("Any", input_.options or ()))
    if input_.id is not None:
        known = _known(actor, input_, now)
        if known is not None:
            return known
    if verdict is not BEGIN:
        if actor.phase == phases.RUNNING and terms.if_running == "use":
            return Turn(actor.seq, None, [], ANSWER)
        raise AlreadyStarted(str(actor), actor.status or phases.PHASES[actor.phase])
    if actor.phase == phases.CLOSED and terms.if_completed != "new":
        raise AlreadyStarted(str(actor), actor.status)
    return _plain(actor, input_, now)


def _resolved(actor: Actor, input_: Input, now: Instant) -> Turn:
    if input_.name not in facts.RESOLUTIONS:
        raise UsageError(f"{input_.name!r} is not a way in which an effect ends")
    if not awaited(actor, input_):
        return NOTHING if input_.id is None else _answered(actor, input_.id, now)
    if wakes_at(actor, input_.ref) > now:
        return NOTHING  # never early
    if input_.id is not None and actor.ids.full(now):
        input_ = input_._replace(id=None)  # it is taken all the same; only, that it comes again is not known
    return _plain(actor, input_, now)


def _answered(actor: Actor, id_: str, now: Instant) -> Turn:
    """Say that an answer was given before; raises if it was another, or none."""
    if actor.ids.find(id_, now) is None:
        raise TokenSpent(str(actor), "there was another answer, or it was given up")
    return Turn(actor.seq, None, [], ANSWER)


def _fired(actor: Actor, input_: Input, now: Instant) -> Turn:
    input_ = stable(actor, input_)
    arming = actor.timers.get((input_.name, input_.body))
    if arming is None or arming.ref != input_.ref or arming.fired or arming.due > now:
        return NOTHING
    if input_.name in facts.COURSE:
        return _plain(actor, input_, now)
    handler = actor.spec.handlers.get(input_.name)
    interleave = handler is not None and handler.interleave
    if not interleave and (actor.holder is not None or actor.mailbox or actor.stopped is not None):
        return _wait(actor, input_, now)
    if _lacks_room(actor, input_):
        return _wait(actor, input_, now)  # as in advance: nobody would retry a timer that had failed
    return _handled(actor, actor.seq + 1, input_, now, waited=False)


def _parked(actor: Actor, input_: Input, now: Instant) -> Turn:
    if input_.ref is None or input_.ref[0] not in actor.parked:
        raise UsageError(
            f"{actor} has nothing parked under that number: {', '.join(map(str, actor.parked)) or 'none'}"
        )
    if input_.kind == facts.DROP:
        return _plain(actor, input_, now)
    if not actor.life:
        _may_begin(actor)
    overtakes = input_.ref[0] == actor.stopped
    if actor.holder is not None or (not overtakes and (actor.mailbox or actor.stopped is not None)):
        return _wait(actor, input_, now)
    if _lacks_room(actor, input_):
        return _wait(actor, input_, now)
    return _handled(actor, actor.seq + 1, input_, now, waited=False)


def _plain(actor: Actor, input_: Input, now: Instant) -> Turn:
    """A turn that starts no handler; what it raises is not the input's fault."""
    seq = actor.seq + 1
    try:
        outcome = perform(actor, input_, now, seq)
        record = _record(actor, seq, input_, outcome, None)
    except BaseException:
        rebuild(actor)
        raise
    return _stands(actor, seq, input_, outcome, record, waited=False)


def _handled(actor: Actor, seq: int, input_: Input, now: Instant, *, waited: bool) -> Turn:
    """The turn of a message that waited, a fire, a retry, or main."""
    try:
        outcome = take(actor, seq, input_, now)
        if outcome == STALE:
            set_aside(actor, seq, input_, STALE, b"", now)
        record = _record(actor, seq, None if waited else input_, outcome, None)
    except BaseException as error:  # noqa: BLE001 - every way to fail is decided in one place
        return _failed(actor, seq, input_, now, error, waited=waited)
    return _stands(actor, seq, input_, outcome, record, waited=waited)


# ---- how turns end -----------------------------------------------------------------------------------


def _record(
    actor: Actor, seq: int, journaled: Input | None, outcome: int, extra: dict[str, Any] | None
) -> bytes:
    """Write down a turn; changes nothing that undoing would not take back."""
    spec = actor.spec
    if actor.new_run or actor.code != spec.fingerprint:
        extra = {**(extra or {}), CODE: spec.fingerprint, ENGINE: ENGINE_VERSION}
        actor.code = spec.fingerprint
    if actor.newborn:
        extra = {**(extra or {}), NONCE: actor.nonce}
    if actor.owed:
        extra = {**(extra or {}), DEBTS: {seq: actor.debts[seq][:2] for seq in actor.owed}}
    if actor.marks:
        extra = {**(extra or {}), MARKS: actor.marks}
    if (actor.strict or actor.undigested > actor.digest_at) and actor.state is not None:
        extra = {**(extra or {}), **_digest(actor)}
    return spec.codec.pack_record((seq, actor.now, outcome, journaled, actor.effects, extra))


def _digest(actor: Actor) -> dict[str, bytes]:
    """A digest of the state, and in strict mode a look at whether it is stored as what it is."""
    spec = actor.spec
    try:
        dumped = spec.dump(actor.state)
    except ActorflowError as error:
        if actor.strict:
            raise Unstorable(str(actor), error.fact(), error.remedy()) from error
        actor.unstorable = error
        return {}
    if actor.strict:
        see_faithful(actor.state, spec.load(dumped), spec.cls.__name__)
    digested(actor, dumped)
    return {DIGEST: spec.codec.digest(dumped)}


def _stands(actor: Actor, seq: int, input_: Input, outcome: int, record: bytes, *, waited: bool) -> Turn:
    """The turn stands: count its record, and let once-ids have their answers."""
    effects = actor.effects
    if actor.answers or input_.id is not None:
        take_answers(actor, seq, input_, outcome, actor.now, fresh=not waited)
    keep(actor, seq, None if waited else input_, record)
    # As its class would make it, in half the time: there is one for every message.
    return _new(Turn, (seq, record, effects, ACKNOWLEDGE, outcome, OK, b""))


def _failed(
    actor: Actor, seq: int, input_: Input, now: Instant, error: BaseException, *, waited: bool
) -> Turn:
    """The turn fell before its handler first suspended: nothing of it happened."""
    rebuild(actor)
    if not actor.open and len(actor.tail) > UNDO_RECORDS:
        refresh_base(actor)  # failures come in flocks: the next should not replay the same tail again
    if isinstance(error, (FaultError, KeyboardInterrupt)):
        raise error
    if input_.kind == UPDATE and not waited:
        return _answer_failure(actor, error)
    outcome = REFUSED if input_.kind in (UPDATE, MAIN) else PARKED
    return _set_aside(actor, seq, input_, outcome, actor.spec.codec.pack_failure(error), now, waited=waited)


def _set_aside(
    actor: Actor, seq: int, input_: Input, outcome: int, failure: bytes, now: Instant, *, waited: bool
) -> Turn:
    """Record that a message left no other trace than this."""
    # Where the life is over there is no mailbox to hold, and the next life has not seen what failed.
    stops = outcome == PARKED and actor.phase != phases.CLOSED and holds_mailbox(actor, input_)
    extra: dict[str, Any] = {ERROR: failure, STOPPED: True} if stops else {ERROR: failure}
    try:
        if waited:
            head, _ = actor.mailbox.popleft()
            assert head == seq, "undoing puts a message back where it was"
        set_aside(actor, seq, input_, outcome, failure, now, stops=stops)
        record = _record(actor, seq, None if waited else input_, outcome, extra)
    except BaseException:
        rebuild(actor)
        raise
    return _stands(actor, seq, input_, outcome, record, waited=waited)


def _answer_failure(actor: Actor, error: BaseException) -> Turn:
    how = how_failed(error) if isinstance(error, Refused) else facts.FAILED
    return Turn(actor.seq, None, [], ANSWER, REFUSED, how, actor.spec.codec.pack_failure(error))
