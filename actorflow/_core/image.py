"""All that can be observed of an actor, as plain values: what two actors are compared by.

For tests and proofs: live against replayed, snapshot and tail against the whole.  Nothing runs on it.
"""

from __future__ import annotations

from typing import Any

from .actor import Actor

__all__ = ["differences", "image"]


def image(actor: Actor) -> dict[str, Any]:
    """Everything observable; equal for actors that will behave alike."""
    return {
        "phase": actor.phase,
        "status": actor.status,
        "result": actor.result,
        "life": actor.life,
        "nonce": actor.nonce,
        "run": actor.run,
        "seq": actor.seq,
        "now": actor.now,
        "born": actor.born,
        "parent": actor.parent,
        "state": None if actor.state is None else actor.spec.dump(actor.state),
        "mailbox": list(actor.mailbox),
        "timers": {key: (one.ref, one.due, one.fired) for key, one in actor.timers.items()},
        "children": {key: (one.ref, one.policy, one.told) for key, one in actor.children.items()},
        "parked": {seq: (one.input, one.error, one.now, one.first) for seq, one in actor.parked.items()},
        "debts": dict(actor.debts),
        "stopped": actor.stopped,
        "last_failure": actor.last_failure,
        "course": (actor.main_due, actor.continue_wanted, actor.close_due, actor.harsh, actor.alarm),
        "code": actor.code,
        "run_began": actor.new_run,
        "run_size": (actor.run_records, actor.run_bytes),
        "open": [
            (one.seq, one.handler.name, sorted(one.pending), dict(one.patches), one.old)
            for one in actor.open.values()
        ],
        "holder": None if actor.holder is None else actor.holder.seq,
        "main": None if actor.main is None else actor.main.seq,
        "pending": [(ref, one.effect, one.withdrawn, one.done) for ref, one in actor.pending.items()],
        "tasks": [
            (one.open.seq, type(one.waiting).__name__, one.scope.cancelled, one.scope.shield)
            for one in actor.tasks
        ],
        "watches": len(actor.watches),
        "held": len(actor.held),
        "ids": {
            id_: (one.seq, one.name, one.digest, one.how, one.body, one.at)
            for id_, one in actor.ids.entries().items()
            if actor.ids.find(id_, actor.now) is not None  # beyond its window, nobody can tell
        },
    }


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What differs, a line each."""
    return [f"{name}: {one[name]!r} and {other[name]!r}" for name in one if one[name] != other[name]]
