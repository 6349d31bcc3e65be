"""Makes an actor from what is recorded of it, through the same turns, and says where they differ.

Effects and outcomes are compared always; state digests and answers only where the code that recorded them is
the code that replays, so that mending a bug is not a divergence by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from actorflow.errors import DecodeError, Divergence, FaultError, UnknownHandler

from . import facts
from .actor import DIGEST_BYTES_MIN, Actor
from .closing import NOT_RUN
from .debts import Debt, enter
from .facts import (
    ADMITTED,
    ARM,
    ASK,
    CLOSE_CHILD,
    CLOSED,
    CODE,
    DEBTS,
    DIGEST,
    DISARM,
    EFFECTS,
    ENGINE,
    ENGINE_VERSION,
    EPOCH,
    ERROR,
    FAILED,
    MARKS,
    MICROSECOND,
    NONCE,
    OK,
    PARKED,
    REFUSED,
    SCHEDULE,
    SEND,
    STALE,
    START_CHILD,
    STOPPED,
    WITHDRAW,
    Arm,
    Closed,
    Effect,
    Ended,
    Input,
    Record,
    Sleep,
)
from .once import Ids
from .phases import BROKEN
from .quiet import can_continue, silence
from .snapshot import go_back, keep
from .turn import perform, set_aside, stable, take

if TYPE_CHECKING:
    from .pending import Unresolved

__all__ = ["rebuild", "replay"]

HANDLED = frozenset({facts.SIGNAL, facts.UPDATE, facts.FIRE, facts.RETRY, facts.MAIN})
NO_MARKS: frozenset[str] = frozenset()


def replay(actor: Actor, records: Iterable[bytes]) -> None:
    """Bring the actor forward by these records, which follow on what it is."""
    for data in records:
        _replay(actor, actor.spec.codec.unpack_record(data), data)


def rebuild(actor: Actor) -> None:
    """Undo: go back to the base and come forward by the tail, as if the turn under way had never been."""
    try:
        _rebuild(actor)
    except BaseException as error:
        actor.phase = BROKEN
        actor.broken = error
        raise


def _rebuild(actor: Actor) -> None:
    silence(actor)
    tail, ids = actor.tail, actor.ids
    actor.tail, actor.tail_bytes = [], 0
    # Ids take over only what stands, so they have nothing to undo; the replay talks to others.
    actor.ids = Ids(ids.window, ids.bytes_max)
    guard, actor.guard = actor.guard, None
    try:
        go_back(actor)
        replay(actor, tail)
    finally:
        actor.ids = ids
        actor.guard = guard


def _replay(actor: Actor, record: Record, data: bytes) -> None:
    seq, now, outcome, input_, _, extra = record
    extra = extra or {}
    if input_ is not None and seq != actor.seq + 1:
        raise DecodeError(
            f"journal of {actor}", f"message {seq} follows on {actor.seq}", "records are missing"
        )
    if outcome == ADMITTED:
        assert input_ is not None, "the codec has seen it"
        admit(actor, seq, input_, now)
        keep(actor, seq, input_, data)
        return
    actor.code = extra.get(CODE, actor.code)
    if extra.get(ENGINE, 0) > ENGINE_VERSION:
        raise DecodeError(
            f"journal of {actor}",
            f"message {seq} was run by engine {extra[ENGINE]}; this release has {ENGINE_VERSION}",
            "open it with the release that wrote it, or a later one",
        )
    if NONCE in extra and not actor.life:
        actor.seed = extra[NONCE]
    message = input_ if input_ is not None else _next(actor, seq)
    if input_ is not None and input_.kind == facts.CONTINUE and not can_continue(actor):
        raise Divergence(str(actor), seq, "-", "what is open", "nothing", ", ".join(actor.holders))
    if outcome in (PARKED, REFUSED, STALE):
        # Recorded as having left no trace: it is not run again, also when its bug is mended by now.
        set_aside(actor, seq, message, outcome, extra.get(ERROR, b""), now, stops=STOPPED in extra)
    else:
        _run(actor, seq, message, now, outcome, frozenset(extra.get(MARKS, ())))
        _adopt_debts(actor, extra.get(DEBTS, {}))
    _compare(actor, record, message, extra)
    take_answers(actor, seq, message, outcome, now, fresh=input_ is not None)
    keep(actor, seq, input_, data)


def _adopt_debts(actor: Actor, recorded: dict[int, tuple[str, bytes]]) -> None:
    """What is owed is what was recorded: money is, also where the code of today would say nothing of it."""
    for seq, debt in recorded.items():
        enter(actor, seq, Debt(*debt, actor.now))


def _next(actor: Actor, seq: int) -> Input:
    if not actor.mailbox or actor.mailbox[0][0] != seq:
        waits = actor.mailbox[0][0] if actor.mailbox else "nothing"
        raise Divergence(str(actor), seq, "-", "the message whose turn it is", seq, waits)
    return actor.mailbox.popleft()[1]


def _run(actor: Actor, seq: int, input_: Input, now: int, outcome: int, marks: frozenset[str]) -> None:
    if input_.kind == facts.RESOLVE and not awaited(actor, input_):
        what = f"effect {input_.ref}"
        raise Divergence(str(actor), seq, "-", "what is awaited", what, "nothing by that name")
    actor.recorded = marks
    try:
        if input_.kind in HANDLED:
            produced = take(actor, seq, input_, now)
        else:
            produced = perform(actor, input_, now, seq)
    except FaultError:
        raise
    except UnknownHandler as missing:
        raise Divergence(
            str(actor), seq, input_.name, "the handler", input_.name, "no such handler"
        ) from missing
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        what = f"it raised {type(error).__name__}: {error}"
        raise Divergence(
            str(actor), seq, _who(actor, input_), "the outcome", facts.OUTCOMES[outcome], what
        ) from error
    finally:
        actor.recorded = None
    if produced != outcome:
        raise Divergence(
            str(actor),
            seq,
            _who(actor, input_),
            "the outcome",
            facts.OUTCOMES[outcome],
            facts.OUTCOMES[produced],
        )


def _compare(actor: Actor, record: Record, input_: Input, extra: dict[str, Any]) -> None:
    same_code = actor.code == actor.spec.fingerprint
    produced, recorded = actor.effects, record.effects
    if produced != recorded:
        for position in range(max(len(produced), len(recorded))):
            was = recorded[position] if position < len(recorded) else None
            does = produced[position] if position < len(produced) else None
            if was == does:
                continue
            if was is None or does is None or not _alike(actor, was, does, same_code=same_code):
                what = f"effect {position}"
                raise Divergence(
                    str(actor), record.seq, _who(actor, input_), what, show(actor, was), show(actor, does)
                )
            _adopt(actor, record.seq, position, was)
    if DIGEST in extra:
        dumped = b"" if actor.state is None else actor.spec.dump(actor.state)
        digested(actor, dumped)
        digest = actor.spec.codec.digest(dumped)
        if same_code and digest != extra[DIGEST]:
            shown = actor.spec.codec.unpack(dumped) if dumped else None
            raise Divergence(
                str(actor),
                record.seq,
                _who(actor, input_),
                "the state",
                f"digest {extra[DIGEST].hex()}",
                f"digest {digest.hex()} of {shown}",
            )


def _alike(actor: Actor, was: Effect, does: Effect, *, same_code: bool) -> bool:
    """Whether two effects that differ are the same thing asked for, said by other code.

    Of a failure the text does not count, even under the same code: it may hold an address.
    """
    if was[0] != does[0]:
        return False
    if isinstance(was, Ended) and isinstance(does, Ended):
        answered = was.outcome == OK and same_code
        return was[:3] == does[:3] and was.sender == does.sender and not answered
    if isinstance(was, Closed) and isinstance(does, Closed) and was.status == FAILED:
        return (was.status, was.parent) == (does.status, does.parent)
    if same_code:
        return False
    names = IDENTITY.get(was[0], ())
    return all(
        _name(actor, was, name) == _name(actor, does, name)
        if name == "name"
        else getattr(was, name) == getattr(does, name)
        for name in names
    )


IDENTITY = {
    SCHEDULE: ("name",),
    ASK: ("entity", "key", "name", "id"),
    SEND: ("entity", "key", "name", "id"),
    START_CHILD: ("entity", "key", "policy"),
    ARM: ("name", "body"),
    DISARM: ("name", "body"),
    WITHDRAW: ("seq", "position"),
    CLOSE_CHILD: ("entity", "key", "how"),
    CLOSED: ("status", "parent"),
}
"""What makes an effect the same one under changed code; its arguments and times are what was recorded."""


def _name(actor: Actor, effect: Any, field: str) -> str:
    """The present name of what an effect is addressed to."""
    name: str = getattr(effect, field)
    if effect[0] in (ARM, DISARM):
        handler = actor.spec.handlers.get(name)
        return name if handler is None else handler.name
    return actor.aliases.get(name, name)


def _adopt(actor: Actor, seq: int, position: int, was: Effect) -> None:
    """What is in force is what was recorded: it is what the world was asked for."""
    ref = seq, position
    pending = actor.pending.get(ref)
    if pending is not None:
        pending.effect = cast("Unresolved", was)
    if isinstance(was, Arm):
        for arming in actor.timers.values():
            if arming.ref == ref:
                arming.due = was.due
    if isinstance(was, Ended):
        actor.answers = [
            (id_, first, how, was.body if first == was.seq else body)
            for id_, first, how, body in actor.answers
        ]
        if actor.last_failure is not None and actor.last_failure[0] == was.seq:
            actor.last_failure = (*actor.last_failure[:2], was.body)
    if isinstance(was, Closed):
        actor.result = was.body
    if isinstance(was, Sleep) and actor.alarm == ref:
        actor.alarm_due = was.due


def show(actor: Actor, effect: Any) -> str:
    """An effect for a person: its kind and fields, with bodies unpacked."""
    if effect is None:
        return "nothing"
    kind = EFFECTS[effect[0]]
    fields = zip(kind._fields[1:], effect[1:], strict=True)
    parts = [f"{name}={_shown(actor, name, value)}" for name, value in fields]
    return f"{kind.__name__}({', '.join(parts)})"


def _shown(actor: Actor, name: str, value: Any) -> str:
    if name == "body" and value:
        return repr(actor.spec.codec.unpack(value))
    if name == "due" and value:
        return f"{EPOCH + value * MICROSECOND:%Y-%m-%d %H:%M:%S}"
    return repr(value)


def _who(actor: Actor, input_: Input) -> str:
    if input_.kind != facts.RESOLVE:
        return input_.name or facts.KINDS[input_.kind]
    return ", ".join(actor.holders) or "a resolution"


def digested(actor: Actor, dumped: bytes) -> None:
    """A record has a digest: the next one is due when it has paid for itself.

    Measured: with the dump it costs 8 to 18 ns for a byte of state, a turn 40 ns for a byte of its record.
    So one for four times the state's bytes of records is a tenth of what the turns cost.
    """
    actor.undigested = 0
    actor.digest_at = max(DIGEST_BYTES_MIN, DIGEST_RATIO * len(dumped))


DIGEST_RATIO = 4

# ---- shared with the live step -----------------------------------------------------------------------


def awaited(actor: Actor, input_: Input) -> bool:
    """Whether a resolution has somebody or something waiting for it."""
    return input_.ref is not None and (
        input_.ref in actor.pending or input_.ref in actor.child_refs or input_.ref == actor.alarm
    )


def admit(actor: Actor, seq: int, input_: Input, now: int) -> None:
    """Let a message wait."""
    actor.now = now
    if input_.kind == facts.FIRE:
        input_ = stable(actor, input_)
        actor.timers[input_.name, input_.body].fired = True
    # What holds the mailbox does not wait behind it.
    ahead = input_.kind == facts.RETRY and input_.ref is not None and input_.ref[0] == actor.stopped
    actor.await_turn(seq, input_, ahead=ahead)
    if input_.id is not None:
        remember_id(actor, seq, input_, now)


def digest_of(actor: Actor, input_: Input) -> bytes:
    """What tells this message from another that comes with the same id.

    Of a start that is the state and how long what is to come takes, but not what is to be done about a life
    that there is already: this id says which life is meant.
    """
    codec = actor.spec.codec
    if input_.kind != facts.START or not input_.options:
        return codec.digest(input_.body)
    terms = facts.Terms(*cast("Any", input_.options))
    if terms.delay is None and terms.timeout is None:
        return codec.digest(input_.body)
    return codec.digest(input_.body + codec.pack((terms.delay, terms.timeout)))


def remember_id(actor: Actor, seq: int, input_: Input, now: int) -> None:
    """The id belongs to this message from here; a signal's is answered by being accepted."""
    assert input_.id is not None, "the caller has looked"
    actor.ids.admit(input_.id, seq, input_, digest_of(actor, input_))
    if input_.kind != facts.UPDATE:
        actor.ids.answer(input_.id, seq, facts.OK, b"", now)


def take_answers(actor: Actor, seq: int, input_: Input, outcome: int, now: int, *, fresh: bool) -> None:
    """What the turn means for once-ids, now that it stands."""
    if input_.id is not None:
        if outcome == REFUSED:
            actor.ids.release(input_.id, seq)
        elif fresh:
            remember_id(actor, seq, input_, now)
    for id_, first, how, body in actor.answers:
        if how == NOT_RUN:
            actor.ids.release(id_, first)
        else:
            actor.ids.answer(id_, first, how, body, now)
