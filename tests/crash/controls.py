"""Promises, each broken on purpose: an oracle that does not notice is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from actorflow._core.facts import Instant
from actorflow._core.once import Ids, Known
from actorflow._runtime.frame import Frame
from actorflow._runtime.writer import Writer, Written, write

__all__ = ["CONTROLS"]


def acknowledge_early() -> None:
    """Tell callers that a frame is durable, and write it when there is another."""

    def run(self: Writer) -> None:
        before: Frame | None = None
        while (frame := self._frames.get()) is not None:
            self._tell(Written(frame, room=1 << 30))
            if before is not None:
                write(self._journal, before)
            before = frame
        if before is not None:
            write(self._journal, before)

    Writer._run = run  # type: ignore[method-assign]


def forget_ids() -> None:
    """Take every message for a new one, whatever its id."""

    def find(_self: Ids, id_: str, now: Instant) -> Known | None:
        return None

    Ids.find = find  # type: ignore[method-assign, assignment]


CONTROLS: Final[dict[str, Callable[[], None]]] = {"early": acknowledge_early, "ids": forget_ids}
"""By the name that the workload is given."""
