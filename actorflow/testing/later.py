"""What the code of today would do with what waits for an actor: messages, timers, letters, and its bounds.

Looks at an actor that was made again, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from actorflow._core import facts
from actorflow._core.actor import Actor
from actorflow._core.facts import FIRE, RETRY, Input
from actorflow._core.turn import read_arguments
from actorflow.errors import ActorflowError, LimitExceeded, UnknownHandler

from .report import LIMIT, PARKED, SET_ASIDE, Finding

__all__ = ["over", "untaken"]

TAKEN: Final = frozenset({facts.SIGNAL, facts.UPDATE, FIRE})


def untaken(actor: Actor, letters: Iterable[Input]) -> Iterator[Finding]:
    """Messages, timers and letters that the code of today cannot take."""
    address = actor.address
    if actor.main_due and actor.spec.main is None:
        gone = UnknownHandler(address[0], "main")
        yield Finding.of(address, SET_ASIDE, gone, handler="main")
    inputs = [(seq, input_) for seq, input_ in actor.mailbox if input_.kind != FIRE]
    inputs += [
        (arming.ref[0], Input(FIRE, name, body, ref=arming.ref))
        for (name, body), arming in actor.timers.items()
    ]
    for seq, input_ in [*inputs, *((None, letter) for letter in letters)]:
        error = _why_not(actor, input_)
        if error is not None:
            yield Finding.of(address, PARKED, error, seq=seq, handler=input_.name)


def _why_not(actor: Actor, input_: Input) -> ActorflowError | None:
    if input_.kind == RETRY and input_.ref is not None and input_.ref[0] in actor.parked:
        input_ = actor.parked[input_.ref[0]].input
    if input_.kind not in TAKEN:
        return None
    spec = actor.spec
    handler = spec.handlers.get(input_.name)
    if handler is None or handler.kind != input_.kind:
        return UnknownHandler(spec.name, input_.name, spec.handler_names(input_.kind))
    try:
        read_arguments(handler, input_.body)
    except ActorflowError as error:
        return error
    return None


def over(actor: Actor) -> Iterator[Finding]:
    """Bounds that are smaller now than what is there.

    Under the code, and so the limits, of the last record nobody has made any bound smaller.
    """
    spec, limits = actor.spec, actor.spec.limits
    if actor.code == spec.fingerprint:
        return
    held = [
        ("mailbox_messages", "messages wait", len(actor.mailbox)),
        ("parked_messages", "messages are parked", len(actor.parked)),
        ("pending_effects", "effects are pending", len(actor.pending)),
        ("timers", "timers are armed", len(actor.timers)),
        ("children", "children are alive", len(actor.children)),
        ("id_bytes", "bytes of once-ids are kept", actor.ids.bytes_held),
    ]
    if actor.open:  # one that is quiet closes its run
        held += [
            ("run_records", "records are in its run", actor.run_records),
            ("run_bytes", "bytes are in its run", actor.run_bytes),
        ]
    with suppress(ActorflowError):
        if actor.state is not None:
            held.append(("state_bytes", "bytes are in its state", len(spec.dump(actor.state))))
    for name, what, there in held:
        allowed: int = getattr(limits, name)
        if there > allowed:
            yield Finding.of(
                actor.address, LIMIT, LimitExceeded(str(actor), f"{there} {what}", name, allowed)
            )
