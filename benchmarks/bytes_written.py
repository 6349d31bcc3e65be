"""How many bytes reach the disk for one message?

Callers send carts signals, each waiting for its acknowledgement, every commit synced.  The figure is what
the system says it wrote for the process (``write_bytes``), of each message; beside it what is of the
frames, by how much the files have grown, log files among them, and how often more is written than the
arguments have bytes.  First without a checkpoint, the clock standing still, then with checkpoints of
everything running all the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trio

from actorflow import Limits, Runtime, entity, query, signal
from persistence import LmdbJournal

from ._case import Case, Found, Size
from ._process import measurable, written

ACTORS = 100
NEVER = 1 << 40
OFTEN = 1 << 18

# callers, bytes of a payload, messages, with checkpoints running
SHAPES: dict[Size, list[tuple[int, int, int, bool]]] = {
    "tiny": [(16, 20, 320, False), (16, 1_000, 3_200, True)],
    "small": [
        (1, 20, 100, False),
        (64, 20, 6_400, False),
        (1_024, 20, 40_960, False),
        (64, 1_000, 3_200, False),
        (64, 10_000, 3_200, False),
        (64, 20, 20_480, True),
        (1_024, 20, 40_960, True),
        (64, 1_000, 6_400, True),
        (64, 10_000, 3_200, True),
    ],
    "full": [
        (callers, payload, messages, checkpoints)
        for checkpoints in (False, True)
        for callers, payload, messages in (
            (1, 20, 2_000),
            (64, 20, 100_000),
            (1_024, 20, 300_000),
            (64, 1_000, 50_000),
            (1_024, 1_000, 100_000),
            (64, 10_000, 20_000),
            (1_024, 10_000, 40_000),
        )
    ],
}


@entity
class Note:
    """Keeps what it was told last."""

    text: str = ""
    times: int = 0

    @signal
    def put(self, text: str) -> None:
        self.text = text
        self.times += 1

    @query
    def told(self) -> int:
        return self.times


async def write(path: Path, callers: int, payload: int, messages: int, checkpoints: bool) -> Found:  # noqa: FBT001 - one of two
    """Bytes of a message."""
    # Far over what one checkpoint takes along, or as small as the load allows.
    limits = Limits(log_bytes=OFTEN if checkpoints else NEVER)
    journal = LmdbJournal(path / "journal")
    text = "x" * payload
    async with Runtime(
        journal, entities=[Note], limits=limits, clock=lambda: 1_700_000_000_000_000
    ) as runtime:
        notes = [runtime.actor(Note, f"note-{number}") for number in range(ACTORS)]
        async with runtime.batch() as batch:
            for note in notes:
                batch.signal(note, Note.put, "")
        before = runtime.statistics()
        began = sum(len(frame) for _, frame in journal.frames())
        wrote = written()
        sent = 0

        async def call() -> None:
            nonlocal sent
            while sent < messages:
                sent += 1
                await notes[sent * 31 % ACTORS].signal(Note.put, text)

        async with trio.open_nursery() as nursery:
            for _ in range(callers):
                nursery.start_soon(call)
        wrote = written() - wrote
        after = runtime.statistics()
        also = {
            "times the payload": wrote / messages / payload,
            "files B": (after.bytes_on_disk - before.bytes_on_disk) / messages,
            "messages a commit": messages / (after.commits - before.commits),
        }
        if checkpoints:
            also["checkpoints"] = after.checkpoints
            assert after.checkpoints, "there were to be some"
        else:
            assert not after.checkpoints, "the clock stands still"
            frames = sum(len(frame) for _, frame in journal.frames())
            also["frame B"] = (frames - began) / messages
        times = 0
        for note in notes:
            times += await note.query(Note.told)
        assert times == messages + ACTORS, f"{messages} were sent, {times - ACTORS} are there"
        return Found(wrote / messages, times, also)


def cases(size: Size) -> Iterator[Case]:
    """By callers, payload, and whether checkpoints run."""
    if not measurable():
        return
    for callers, payload, messages, checkpoints in SHAPES[size]:
        yield Case(
            where={"callers": callers, "B": payload}
            | ({"": "checkpoints running"} if checkpoints else {"": "no checkpoint"}),
            unit="B",
            ours=partial(write, callers=callers, payload=payload, messages=messages, checkpoints=checkpoints),
            rounds=1 if size == "small" else 3,
        )
