"""However much comes, and for however long: what the tables do not have is bounded, and so is memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from actorflow import Limits, Runtime
from persistence import Batch, MemoryJournal

from .conftest import Knobs
from .drive import Drive
from .town import Echo

LOG_BYTES = 64 << 10
BOUNDED = Limits(log_bytes=LOG_BYTES, resident_actors=1 << 20)
FRAMES = 50
TEXT = "x" * 50


def flooded(messages: int, payload: int, actors: int, limits: Limits) -> tuple[list[int], Drive]:
    """What the log held before each frame of a flood, with so many messages in each."""
    drive = Drive(limits=limits, every=messages)
    text = "x" * payload
    held: list[int] = []
    for number in range(messages * FRAMES):
        drive.send(Echo, f"e-{number % actors}", Echo.hear, text)
        if number % messages == 0:
            held.append(sum(len(frame) for _, frame in drive.journal.frames()))
    return held, drive


FLOODS = pytest.mark.parametrize(
    ("messages", "payload", "actors"),
    [(200, 20, 1 << 20), (100, 5_000, 1_000)],
    ids=["births", "many bytes"],
)


@FLOODS
def test_a_checkpoint_keeps_up_with_what_comes(messages: int, payload: int, actors: int) -> None:
    """The log, and with it the records in memory, does not grow for as long as the load lasts."""
    held, drive = flooded(messages, payload, actors, BOUNDED)
    half = len(held) // 2
    assert max(held[half:]) <= 1.25 * max(held[:half])
    assert drive.population.checkpoint.count >= 3
    drive.close()


@FLOODS
def test_a_checkpoint_in_slices_of_one_size_does_not(
    knobs: Knobs, messages: int, payload: int, actors: int
) -> None:
    """The control: the same load outgrows a checkpoint that takes as much along whatever comes."""
    knobs.hurry(0)
    held, _ = flooded(messages, payload, actors, BOUNDED)
    half = len(held) // 2
    assert max(held[half:]) > 1.25 * max(held[:half])


@pytest.mark.parametrize("times", [0, None], ids=["control", "kept up with"])
@pytest.mark.parametrize("log_bytes", [LOG_BYTES, 1 << 30], ids=["little log", "much log"])
def test_memory_keeps_up_with_births(knobs: Knobs, times: int | None, log_bytes: int) -> None:
    """However many actors begin with each frame, those that are idle leave as fast."""
    knobs.queue(200)
    if times is not None:
        knobs.hurry(times)
    limits = Limits(log_bytes=log_bytes, resident_actors=200)
    _, drive = flooded(200, 20, 1 << 20, limits)
    assert (len(drive.population.residents) <= 200 + 15 * 200) == (times is None)


def in_a_checkpoint(log_bytes: int) -> Drive:
    """Four hundred actors, of whom a checkpoint has just begun to see to some."""
    drive = Drive(limits=Limits(log_bytes=log_bytes), every=0)
    while not drive.population.checkpoint.count:
        for number in range(400):
            drive.send(Echo, f"e-{number}", Echo.hear, TEXT)
        drive.commit()
    return drive


def beside_a_checkpoint(knobs: Knobs, within: float | None = None) -> tuple[int, int]:
    """Messages that somebody waits for while one is under way, and how many wait for rows as well."""
    drive = in_a_checkpoint(16 * LOG_BYTES)
    if within is not None:
        knobs.within(within)
    drive.every = 1
    began = len(drive.journal.history)
    for number in range(10_000):
        drive.send(Echo, f"e-{number % 400}", Echo.hear, TEXT)
        if not drive.population.checkpoint.under_way:
            break
    frames = drive.journal.history[began:]
    return len(frames), sum(bool(frame.rows) for frame in frames)


def test_few_callers_wait_for_few_slices(knobs: Knobs) -> None:
    """A checkpoint takes as long as half the log takes to fill again: most messages meet nothing of it."""
    frames, slices = beside_a_checkpoint(knobs)
    assert frames > 1_000
    assert slices < frames / 50


def test_a_checkpoint_in_a_hurry_has_everybody_wait(knobs: Knobs) -> None:
    """The control: one that is late takes something along with every message."""
    frames, slices = beside_a_checkpoint(knobs, within=1e-9)
    assert slices > frames / 2


def left_alone(seconds: float) -> tuple[Drive, bool]:
    """A checkpoint in the midst of which nobody sends any more, and whether it goes on after that time."""
    drive = in_a_checkpoint(LOG_BYTES)
    assert drive.population.checkpoint.under_way
    assert not drive.population.busy(drive.now), "it leaves the disk to whoever sends next"
    assert drive.population.next_due(drive.now) <= drive.now + 5_000
    drive.later(seconds)
    return drive, drive.population.busy(drive.now)


def test_a_checkpoint_goes_on_by_itself_when_nobody_sends() -> None:
    """Not at once, for somebody may be about to send; and then to its end."""
    assert not left_alone(0.001)[1]
    drive, goes_on = left_alone(0.006)
    assert goes_on
    drive.settle()
    assert not drive.population.checkpoint.under_way
    assert not drive.population.checkpoint.tails


@pytest.mark.parametrize("lag", [None, 1 << 60], ids=["kept up with", "control"])
def test_a_checkpoint_is_done_in_time_though_somebody_always_sends(knobs: Knobs, lag: int | None) -> None:
    """Little comes, and never so seldom that nobody waits: timers of thirty days lie in the tables only."""
    drive = Drive(limits=Limits(log_bytes=1 << 30), every=0)
    for number in range(400):
        drive.send(Echo, f"e-{number}", Echo.hear, "x")
    drive.commit()
    drive.now += 11_000_000
    drive.send(Echo, "e-0", Echo.hear, "x")
    drive.commit()
    assert drive.population.checkpoint.under_way
    if lag is not None:
        knobs.lag(lag)
    done = False
    for number in range(3_000):
        drive.now += 4_000
        drive.population.wake(drive.now, 50)
        drive.send(Echo, f"e-{number % 10}", Echo.hear, "x")
        drive.commit()
        done = done or not drive.population.checkpoint.under_way
    assert done == (lag is None)


@pytest.mark.parametrize("behind", [50, 1 << 30], ids=["kept up with", "control"])
@pytest.mark.parametrize("every", [1, 7, 0], ids=["frame by frame", "some at a time", "all at once"])
def test_an_actor_that_was_spoken_to_for_long_is_soon_made_again(
    knobs: Knobs, behind: int, every: int
) -> None:
    """Whoever makes it again after a crash has no more to replay than one run, checkpoint or not."""
    knobs.behind(behind)
    drive = Drive(limits=Limits(continue_records=100), every=every)
    for number in range(1_000):
        drive.send(Echo, "e", Echo.hear, str(number))
    drive.commit()
    assert not drive.population.checkpoint.count
    after = drive.crash()
    assert after.state(Echo, "e").heard == [str(number) for number in range(1_000)]
    tail = after.resident(Echo, "e").tail
    replayed = 0 if tail is None else len(tail.records)
    assert (replayed <= 110) == (behind == 50)


@pytest.mark.parametrize("crowd", [20, 1 << 30], ids=["kept up with", "control"])
async def test_actors_that_are_only_asked_leave_as_well(knobs: Knobs, crowd: int) -> None:
    """Who asks all of a large store one after the other does not have it in memory in the end."""
    knobs.crowd(crowd)
    journal = MemoryJournal()
    async with Runtime(journal, entities=[Echo]) as runtime, runtime.batch() as batch:
        for number in range(1_000):
            batch.signal(runtime.actor(Echo, f"e-{number}"), Echo.hear, "a")
    async with Runtime(journal, entities=[Echo], limits=Limits(resident_actors=100)) as runtime:
        for number in range(1_000):
            assert await runtime.actor(Echo, f"e-{number}").query(Echo.counted) == 1
        with trio.move_on_after(10 if crowd == 20 else 0.1):
            while runtime.statistics().residents >= 400:  # the thread that writes may be behind
                await trio.lowlevel.checkpoint()
        assert (runtime.statistics().residents < 400) == (crowd == 20)


class Slow:
    """A journal whose commits wait at a gate."""

    def __init__(self) -> None:
        self._journal = MemoryJournal()
        self.gate = threading.Event()
        self.gate.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    @contextmanager
    def write(self) -> Iterator[Batch]:
        with self._journal.write() as batch:
            yield batch
            assert self.gate.wait(20)


async def test_a_crowd_that_came_during_one_commit_leaves_behind_it(knobs: Knobs) -> None:
    """The hand spares whoever was asked since it last came by: so it has to come by again."""
    knobs.crowd(20)
    journal: Any = Slow()
    async with Runtime(journal, entities=[Echo]) as runtime, runtime.batch() as batch:
        for number in range(300):
            batch.signal(runtime.actor(Echo, f"e-{number}"), Echo.hear, "a")
    journal.gate.clear()
    async with Runtime(journal, entities=[Echo], limits=Limits(resident_actors=100)) as runtime:
        for number in range(300):
            assert await runtime.actor(Echo, f"e-{number}").query(Echo.counted) == 1
        assert runtime.statistics().residents == 300
        journal.gate.set()
        with trio.fail_after(20):
            while runtime.statistics().residents > 100:
                await trio.lowlevel.checkpoint()
        assert runtime.statistics().commits <= 5
