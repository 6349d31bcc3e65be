"""Makes frames durable in order, and says so: mostly in a thread of its own.  Knows no actors.

Handing a frame to a thread, and hearing of it, takes 60 µs: two threads have to wake.  Where the limits allow
it, a disk that is about as quick is waited for where the frame was cut.  One that was not is left to the
thread for a while.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple

from .checkpoint import FORGET_FRAMES
from .frame import Frame
from .rows import pack_frame

if TYPE_CHECKING:
    from persistence import Journal

__all__ = ["Writer", "Written"]

SPELL_S: Final = 10.0
"""After a commit that took too long, the thread has them for so long."""


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

    def __init__(self, journal: Journal, tell: Callable[[Written], None], patience_s: float) -> None:
        self._journal = journal
        self._tell = tell
        self._patience_s = patience_s
        self._not_before = 0.0 if patience_s else math.inf
        """Until then every frame is the thread's."""
        self._frames: SimpleQueue[Frame | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="actorflow writer", daemon=True)
        self._thread.start()

    def put(self, frame: Frame) -> Written | None:
        """Have a frame written, after those before it; gives what became of it if that is known."""
        if self._is_brief(frame):
            return self._write_here(frame)
        self._frames.put(frame)
        return None

    def _is_brief(self, frame: Frame) -> bool:
        """Whether waiting for it takes no longer than handing it over."""
        if time.monotonic() < self._not_before:
            return False
        # Rows are a transaction of LMDB, whose pages may lie anywhere.
        return not frame.rows and not frame.forget and self._journal.brief(frame.size)

    def _write_here(self, frame: Frame) -> Written:
        began = time.monotonic()
        written = self._tried(frame)
        now = time.monotonic()
        if now - began > self._patience_s:
            self._not_before = now + SPELL_S
        return written

    def _tried(self, frame: Frame) -> Written:
        """Write a frame; whatever comes of it, those who wait have to be told."""
        try:
            return write(self._journal, frame)
        except BaseException as failure:  # noqa: BLE001 - see above
            return Written(frame, failure)

    def stop(self) -> None:
        """Write what was put, and end; returns when the thread is gone."""
        self._frames.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (frame := self._frames.get()) is not None:
            written = self._tried(frame)
            self._tell(written)
            if written.failure is not None:
                return


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
