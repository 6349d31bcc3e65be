"""The one thread that writes: takes frames in order, makes each durable, and says so.  Knows no actors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from .checkpoint import FORGET_FRAMES
from .frame import Frame
from .rows import pack_frame

if TYPE_CHECKING:
    from persistence import Journal

__all__ = ["Writer", "Written"]


class Written(NamedTuple):
    """What became of a frame."""

    frame: Frame
    failure: BaseException | None = None
    """Why it may not be durable; nothing is written any more."""
    forgotten: int = 0
    """How many frames of the log were cut off."""
    room: int = 0
    """Bytes that the journal may still take."""


class Writer:
    """Writes frames, one commit each."""

    def __init__(self, journal: Journal, tell: Callable[[Written], None]) -> None:
        self._journal = journal
        self._tell = tell
        self._frames: SimpleQueue[Frame | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="actorflow writer", daemon=True)
        self._thread.start()

    def put(self, frame: Frame) -> None:
        """Have a frame written, after those before it."""
        self._frames.put(frame)

    def stop(self) -> None:
        """Write what was put, and end; returns when the thread is gone."""
        self._frames.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (frame := self._frames.get()) is not None:
            try:
                written = write(self._journal, frame)
            except BaseException as failure:  # noqa: BLE001 - whatever ends this thread has to be told
                self._tell(Written(frame, failure))
                return
            self._tell(written)


def write(journal: Journal, frame: Frame) -> Written:
    """Make a frame durable."""
    data = pack_frame(frame.parts)
    forgotten = 0
    with journal.write() as batch:
        position = batch.append(data)
        if position != frame.position:
            raise RuntimeError(f"frame {frame.position} would be frame {position} of the log")
        if frame.rows:
            # The last word on a row counts; and sorted, neighbours share a page.
            last = {(row.table, row.key): row.value for row in frame.rows}
            for (table, key), value in sorted(last.items(), key=lambda item: item[0]):
                if value is None:
                    batch.delete(table, key)
                else:
                    batch.put(table, key, value)
        if frame.forget:
            forgotten = batch.forget(frame.forget, FORGET_FRAMES)
    return Written(frame, None, forgotten, journal.room())
