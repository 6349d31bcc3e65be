"""An actor as bytes and back: all that is known of it at a quiet moment, but for its once-ids.

A snapshot is a function of the journal and changes nothing: where and how often one is taken does not matter.
It cannot be taken while a handler is open, for a suspended coroutine cannot be written down.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from actorflow.errors import DecodeError

from . import phases
from .actor import Actor, Arming, Child, Parked
from .facts import ENGINE_VERSION, Input
from .quiet import quiet

__all__ = ["BASE_BYTES_MIN", "keep", "refresh_base", "restore", "snapshot"]

FORMAT = 1
BASE_BYTES_MIN = 4096
"""The tail may grow to this before a new base is worth a dump, however small the state is."""


def snapshot(actor: Actor) -> bytes:
    """Write down a quiet actor."""
    assert quiet(actor), "a snapshot is of a quiet actor"
    spec = actor.spec
    return spec.codec.pack(
        (
            FORMAT,
            ENGINE_VERSION,
            spec.fingerprint,
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
            None if actor.state is None else spec.dump(actor.state),
            list(actor.mailbox),
            [(*key, *arming.ref, arming.due, arming.fired) for key, arming in actor.timers.items()],
            [(*address, *child.ref, child.policy, child.told) for address, child in actor.children.items()],
            [(seq, p.input, p.error, p.now, p.first) for seq, p in actor.parked.items()],
            actor.stopped,
            actor.last_failure,
            (actor.main_due, actor.continue_wanted, actor.close_due, actor.harsh),
            actor.alarm,
            actor.alarm_due,
            actor.run_records,
            actor.run_bytes,
        )
    )


def restore(actor: Actor, data: bytes) -> None:
    """Make the actor what the snapshot says; empty bytes say that it is vacant."""
    actor.vacate()
    if not data:
        return
    try:
        _restore(actor, actor.spec.codec.unpack(data))
    except DecodeError:
        raise
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise DecodeError(f"snapshot of {actor}", f"it does not have the expected form: {error}") from error


def _restore(actor: Actor, plain: Any) -> None:
    spec = actor.spec
    version, engine, _code, *rest = plain
    if version != FORMAT or engine > ENGINE_VERSION:
        raise DecodeError(
            f"snapshot of {actor}",
            f"it has format {version} and engine {engine}; this release reads {FORMAT} and up to {ENGINE_VERSION}",
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
        mailbox,
        timers,
        children,
        parked,
        actor.stopped,
        failure,
        (actor.main_due, actor.continue_wanted, actor.close_due, actor.harsh),
        alarm,
        actor.alarm_due,
        actor.run_records,
        actor.run_bytes,
    ) = rest
    if actor.phase not in phases.PHASES:
        raise ValueError(f"there is no phase {actor.phase}")
    actor.parent = None if parent is None else tuple(parent)
    actor.state = None if state is None else spec.load(state)
    actor.mailbox = deque((seq, _input(input_)) for seq, input_ in mailbox)
    for name, body, seq, position, due, fired in timers:
        actor.timers[name, body] = Arming((seq, position), due, fired=fired)
    for entity, key, seq, position, policy, told in children:
        actor.children[entity, key] = Child((seq, position), policy, told)
        actor.child_refs[seq, position] = entity, key
    for seq, input_, error, now, first in parked:
        actor.parked[seq] = Parked(_input(input_), error, now, first)
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
    actor.tail_bytes += size
    actor.run_bytes += size
    actor.run_records += 1
    # Measured: a dump costs about as much per byte as packing records does, so one whenever the tail has
    # grown to the size of the base adds a few percent, and bounds an undo by reading the base twice.
    if actor.tail_bytes > BASE_BYTES_MIN and actor.tail_bytes > len(actor.base) and quiet(actor):
        refresh_base(actor)


def refresh_base(actor: Actor) -> None:
    """Let undo begin from here."""
    actor.base = snapshot(actor)
    actor.tail.clear()
    actor.tail_bytes = 0
