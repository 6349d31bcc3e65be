"""Mistakes that no test notices, and why that may be: each was looked at by somebody."""

from __future__ import annotations

from typing import Final

__all__ = ["JUDGED"]

ALIKE: Final = "both values are the same there"
TRUTH: Final = "whoever asks wants to know whether it is true, and both are not"
SPEED: Final = "costs time or memory, and nothing else"
PLACE: Final = "moves by one a bound that is a matter of cost, and whose very place is not promised"

JUDGED: Final[dict[str, str]] = {
    "actorflow._core.step.step: now < actor.now -> now <= actor.now": ALIKE,
    "actorflow._core.step.advance: now < actor.now -> now <= actor.now": ALIKE,
    "actorflow._core.step.advance: refresh_base(actor) -> pass": f"{SPEED}: undoing begins from an older base",
    "actorflow._core.step._lacks_room: return False -> return None": TRUTH,
    "actorflow._core.step._record: actor.undigested > actor.digest_at -> actor.undigested >= actor.digest_at": (
        PLACE
    ),
    "actorflow._core.step._failed: len(actor.tail) > UNDO_RECORDS -> len(actor.tail) >= UNDO_RECORDS": PLACE,
    "actorflow._core.step._set_aside: True -> False": "replay asks whether the key is there, not for its value",
    "actorflow._core.step._digest: actor.unstorable = error -> pass": (
        "it is found out again where the run is to close, and before a message is refused for it"
    ),
    "actorflow._core.replay._rebuild: 0 -> 1": PLACE,
    "actorflow._core.replay._replay: 0 -> 1": "a record that names no engine is of the first, or of the same code",
}
