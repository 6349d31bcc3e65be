"""What stories in a real runtime need: a clock that is told the time, patience, and a journal cut short."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import trio

from persistence import MemoryJournal

__all__ = ["Clock", "cut_off", "until"]

T = TypeVar("T")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """Time that passes when it is told to; a runtime that is opened anew sees what has fallen due."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> int:
        return (self.at - EPOCH) // timedelta(microseconds=1)


async def until(ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> T:
    """Ask until it is so; gives the answer."""
    with trio.fail_after(20):
        while not holds(answer := await ask()):
            await trio.lowlevel.checkpoint()
        return answer


def cut_off(frames: list[bytes]) -> MemoryJournal:
    """A journal that holds these frames and nothing else: the disk of a process that died after the last."""
    journal = MemoryJournal()
    journal.open([])
    with journal.write() as batch:
        for frame in frames:
            batch.append(frame)
    journal.close()
    return journal
