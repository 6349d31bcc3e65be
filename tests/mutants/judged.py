"""Mistakes that no test notices, and why that may be: each was looked at by somebody."""

from __future__ import annotations

from typing import Final

__all__ = ["JUDGED"]

ALIKE: Final = "both values are the same there"
TRUTH: Final = "whoever asks wants to know whether it is true, and both are not"
SPEED: Final = "costs time or memory, and nothing else"
PLACE: Final = "moves by one a bound that is a matter of cost, and whose very place is not promised"
KIND: Final = "their numbers are the same by then, and so their types: the second is for the type checker"
AGAIN: Final = "the next turn lets go of the same id again, which by then is free or another message's"

JUDGED: Final[dict[str, str]] = {
    "actorflow._core.step.step: now < actor.now -> now <= actor.now": ALIKE,
    "actorflow._core.step.advance: now < actor.now -> now <= actor.now": ALIKE,
    "actorflow._core.step.advance: refresh_base(actor) -> pass": SPEED,
    "actorflow._core.step._lacks_room: return False -> return None": TRUTH,
    "actorflow._core.step._record: actor.undigested > actor.digest_at"
    " -> actor.undigested >= actor.digest_at": PLACE,
    "actorflow._core.step._failed: len(actor.tail) > UNDO_RECORDS -> len(actor.tail) >= UNDO_RECORDS": PLACE,
    "actorflow._core.step._set_aside: True -> False": "replay asks only whether the key is there",
    "actorflow._core.step._digest: actor.unstorable = error -> pass": (
        "it is found out again where the run is to close; while a handler is open, the other of two true "
        "reasons is told for the same refusal, as it is after a restart"
    ),
    "actorflow._core.replay._rebuild: 0 -> 1": PLACE,
    "actorflow._core.replay._replay: 0 -> 1": "who names no engine is of the first",
    "actorflow._core.replay._alike: return False -> return None": TRUTH,
    "actorflow._core.replay._alike: isinstance(was, Ended) and isinstance(does, Ended)"
    " -> isinstance(was, Ended) or isinstance(does, Ended)": KIND,
    "actorflow._core.replay._alike: return False -> return None (the 2.)": TRUTH,
    "actorflow._core.replay._adopt: isinstance(was, Sleep) and actor.alarm == ref"
    " -> isinstance(was, Sleep) or actor.alarm == ref": "of no alarm nobody asks when it is due",
    "actorflow._core.turn._end_life: return DONE -> return None": "nobody asks: the outcome is known by then",
    "actorflow._core.closing._empty_mailbox: actor.touched = True -> pass": AGAIN,
    "actorflow._core.closing._empty_mailbox: True -> False": AGAIN,
    "actorflow._core.once.Ids.full: return False -> return None": TRUTH,
    "actorflow._runtime.rows.unpack_frame: True -> False": "their number was seen to be even",
    "actorflow._core.replay.digested: 0 -> 1": PLACE,
    "actorflow._core.replay.show: True -> False": "an effect has as many fields as its kind",
}
