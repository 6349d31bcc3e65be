"""An actor as bytes and back: all that is known of it at a quiet moment, but for its once-ids.

A snapshot is a function of the journal and changes nothing: where and how often one is taken does not matter.
It cannot be taken while a handler is open, for a suspended coroutine cannot be written down.
"""

from __future__ import annotations

from typing import Any

from actorflow.errors import DecodeError

from . import phases
from .actor import NOTHING, Actor, Arming, Child, Parked, timer_of
from .debts import Debt
from .facts import CONTINUE, ENGINE_VERSION, MAIN, Input
from .quiet import dump_or_none, quiet, storable

__all__ = ["BASE_BYTES_MIN", "go_back", "keep", "refresh_base", "rest", "restore", "snapshot"]

FORMAT = 1
BEGINNINGS = frozenset({CONTINUE, MAIN})
BASE_BYTES_MIN = 4096
"""The tail may grow to this before a new base is worth a dump, however small the state is."""
RESTING_BYTES = 512
"""While nobody speaks to an actor, more of a tail than this is worth a base, if that is not larger."""


def snapshot(actor: Actor) -> bytes:
    """Write down a quiet actor."""
    parked = [(seq, p.input, p.error, p.now, p.first) for seq, p in actor.parked.items()]
    state = None if actor.state is None else actor.spec.dump(actor.state)
    return actor.spec.codec.pack((_core_of(actor, state), list(actor.mailbox), parked))


def _core_of(actor: Actor, state: bytes | None) -> bytes:
    """All but the mailbox and what is parked."""
    assert quiet(actor), "a snapshot is of a quiet actor"
    return actor.spec.codec.pack(
        (
            FORMAT,
            ENGINE_VERSION,
            actor.code,
            actor.phase,
            actor.status,
            actor.result,
            actor.life,
            actor.nonce,
            actor.run,
            actor.seq,
            actor.now,
            actor.born,
            actor.parent,
            state,
            [(*key, *arming.ref, arming.due, arming.fired) for key, arming in actor.timers.items()],
            [(*address, *child.ref, child.policy, child.told) for address, child in actor.children.items()],
            actor.stopped,
            actor.last_failure,
            (actor.main_due, actor.continue_wanted, actor.close_due, actor.harsh, actor.new_run),
            actor.alarm,
            actor.alarm_due,
            actor.run_records,
            actor.run_bytes,
            (actor.undigested, actor.digest_at),
            [(seq, *debt) for seq, debt in actor.debts.items()],
        )
    )


def restore(actor: Actor, data: bytes) -> None:
    """Make the actor what the snapshot says; empty bytes say that it is vacant."""
    actor.vacate()
    actor.base = None
    actor.tail, actor.tail_bytes = [], 0
    if not data:
        return
    unpack = actor.spec.codec.unpack
    try:
        core, mailbox, parked = unpack(data)
        _restore(actor, unpack(core))
        for seq, input_ in mailbox:
            actor.await_turn(seq, _input(input_))
        for seq, input_, error, now, first in parked:
            actor.parked[seq] = Parked(_input(input_), error, now, first)
        _undo_from_here(actor, core)
    except DecodeError:
        raise
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise DecodeError(f"snapshot of {actor}", f"it does not have the expected form: {error}") from error


def go_back(actor: Actor) -> None:
    """Become what the base says."""
    actor.vacate()
    if actor.base is not None:
        _restore(actor, actor.spec.codec.unpack(actor.base))
        for seq, input_ in actor.base_mailbox:
            actor.await_turn(seq, input_)
        actor.parked.update(actor.base_parked)


def _restore(actor: Actor, plain: Any) -> None:
    spec = actor.spec
    version, engine, actor.code, *rest = plain
    if version != FORMAT or engine > ENGINE_VERSION:
        raise DecodeError(
            f"snapshot of {actor}",
            f"it has format {version} and engine {engine}; "
            f"this release reads {FORMAT} and up to {ENGINE_VERSION}",
            "open it with the release that wrote it, or a later one",
        )
    (
        actor.phase,
        actor.status,
        actor.result,
        actor.life,
        actor.nonce,
        actor.run,
        actor.seq,
        actor.now,
        actor.born,
        parent,
        state,
        timers,
        children,
        actor.stopped,
        failure,
        (actor.main_due, actor.continue_wanted, actor.close_due, actor.harsh, actor.new_run),
        alarm,
        actor.alarm_due,
        actor.run_records,
        actor.run_bytes,
        (actor.undigested, actor.digest_at),
        debts,
    ) = rest
    if actor.phase not in phases.PHASES:
        raise ValueError(f"there is no phase {actor.phase}")
    if actor.code == spec.fingerprint:
        actor.code = spec.fingerprint  # the same bytes once, not once for each actor
    actor.parent = None if parent is None else tuple(parent)
    actor.state = None if state is None else spec.load(state)
    for name, body, seq, position, due, fired in timers:
        handler = spec.handlers.get(name)
        stable = name if handler is None else handler.name
        actor.timers[timer_of(stable, body)] = Arming((seq, position), due, fired=fired)
    for entity, key, seq, position, policy, told in children:
        actor.children[entity, key] = Child((seq, position), policy, told)
        actor.child_refs[seq, position] = entity, key
    actor.debts = {seq: Debt(*debt) for seq, *debt in debts}
    actor.last_failure = None if failure is None else tuple(failure)
    actor.alarm = None if alarm is None else tuple(alarm)


def _input(plain: Any) -> Input:
    kind, name, body, id_, ref, sender, options = plain
    return Input(
        kind,
        name,
        body,
        id_,
        None if ref is None else tuple(ref),
        None if sender is None else tuple(sender),
        None if options is None else tuple(options),
    )


def keep(actor: Actor, seq: int, input_: Input | None, data: bytes) -> None:
    """A record is made or replayed: count it, and remember it for undoing what comes after."""
    if input_ is not None:
        actor.seq = seq
    actor.tail.append(data)
    size = len(data)
    actor.tail_bytes = tail_bytes = actor.tail_bytes + size
    actor.run_bytes += size
    actor.undigested += size
    actor.run_records += 1
    if actor.new_run and (input_ is None or input_.kind not in BEGINNINGS):
        actor.new_run = False
    # Measured: a dump costs about as much per byte as packing records does, so one whenever the tail has
    # grown to the size of the base adds a few percent, and bounds an undo by reading the base twice.
    if tail_bytes > BASE_BYTES_MIN and not actor.open and tail_bytes > _base_bytes(actor):
        refresh_base(actor)


def _undo_from_here(actor: Actor, core: bytes) -> None:
    actor.base = core
    actor.base_mailbox = tuple(actor.mailbox)
    actor.base_parked = dict(actor.parked) if actor.parked else NOTHING


def rest(actor: Actor) -> None:
    """Let a quiet actor take less memory until its next turn; nothing that can be observed changes."""
    if actor.tail_bytes > RESTING_BYTES and actor.tail_bytes > _base_bytes(actor):
        refresh_base(actor)
    actor.rest()


def _base_bytes(actor: Actor) -> int:
    return 0 if actor.base is None else len(actor.base)


def refresh_base(actor: Actor) -> None:
    """Let undo begin from here."""
    state = None
    if actor.state is not None:
        state = dump_or_none(actor)
        if not storable(actor, state) and state is None:
            # The records stand, and replay from the older base gives this state; nothing can write it down.
            return
    _undo_from_here(actor, _core_of(actor, state))
    actor.tail, actor.tail_bytes = [], 0
