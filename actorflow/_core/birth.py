"""How a life begins, and each run of it: the nonce, the first state, the counters that start again."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from . import phases
from .actor import Actor
from .facts import Sender
from .tasks import Scope

__all__ = ["bear", "begin_run"]

NONCE_BYTES = 16


def bear(actor: Actor, state: Any, parent: Sender | None) -> None:
    """Begin a life."""
    spec = actor.spec
    actor.life += 1
    actor.touched = actor.newborn = True
    # The nonce of a later life follows from the last one's: as hard to guess, and nothing to hand in.
    actor.nonce = (
        actor.seed
        if actor.life == 1
        else blake2b(actor.nonce, digest_size=NONCE_BYTES, salt=actor.life.to_bytes(8, "big")).digest()
    )
    if state is None:
        assert spec.new is not None, "admission has refused it"
        state = spec.new()  # a default may ask for the time, or for chance
    actor.run = 1
    begin_run(actor)
    actor.born = actor.now
    actor.parent = parent
    actor.phase = phases.RUNNING
    actor.status = ""
    actor.result = b""
    actor.state = state
    actor.scope = Scope(None)
    actor.main_due = spec.main is not None


def begin_run(actor: Actor) -> None:
    """Count from nothing again."""
    actor.run_records = actor.run_bytes = 0
    actor.continue_wanted = False
    actor.new_run = True
