"""What can never end is reported, not left to be found; and a run is warned of before it takes no more."""

from __future__ import annotations

import logging

import pytest
import trio

from actorflow import Limits, Runtime, activity, entity, signal, update, wait_until
from actorflow._core.outstanding import stuck
from actorflow._runtime.errand import Ending
from persistence import MemoryJournal

from .drive import Drive
from .held import Clock


@activity
async def work() -> None:
    """Never done here."""


@entity(limits=Limits(run_records=10, continue_records=10))
class Queue:
    """Its handlers wait for one another."""

    ready: bool = False
    seen: int = 0

    @update
    async def wait(self) -> int:
        await wait_until(lambda: self.ready)
        return self.seen

    @update
    async def work_first(self) -> None:
        await work()
        await wait_until(lambda: self.ready)

    @signal
    def let_go(self) -> None:
        self.ready = True


@entity(limits=Limits(run_records=10, continue_records=10))
class Talk:
    """A handler that stays open while others come between."""

    words: int = 0

    @update
    async def listen(self) -> None:
        await wait_until(lambda: self.words > 99)

    @signal(interleave=True)
    def say(self) -> None:
        self.words += 1


@pytest.fixture(autouse=True)
def _loud_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "actorflow.runtime")


def drive_of(entity_: type, **more: object) -> Drive:
    """A drive over one entity."""
    return Drive(entities=[entity_], **more)  # type: ignore[arg-type]


def said(caplog: pytest.LogCaptureFixture, words: str) -> int:
    """How often the log says something."""
    return sum(words in record.getMessage() for record in caplog.records)


def test_a_mailbox_that_can_never_move_is_reported_after_a_second(caplog: pytest.LogCaptureFixture) -> None:
    """Once, with who waits and what to write instead; also by whoever is asked."""
    drive = drive_of(Queue)
    drive.send(Queue, "q", Queue.wait)
    drive.send(Queue, "q", Queue.let_go)
    assert drive.population.next_due(drive.now) <= drive.now + 1_000_000
    drive.later(0.9)
    assert said(caplog, "can never move") == 0
    drive.later(0.2)
    assert said(caplog, "Queue 'q' can never move: Queue.wait waits for a condition") == 1
    drive.send(Queue, "q", Queue.let_go)
    drive.later(60)
    drive.later(60)
    assert said(caplog, "can never move") == 1


def test_one_that_may_still_move_is_looked_at_again(caplog: pytest.LogCaptureFixture) -> None:
    """While it waits for an activity nothing is wrong; when it has come to wait for the others, it is."""
    drive = drive_of(Queue)
    drive.send(Queue, "q", Queue.work_first)
    drive.send(Queue, "q", Queue.let_go)
    drive.later(5)
    assert said(caplog, "can never move") == 0
    (begun,) = drive.begun
    drive.population.errands.ended(begun, 1, Ending("ok", b"\xc0"), drive.now)
    drive.settle()
    assert stuck(drive.actor(Queue, "q")) is not None
    drive.later(1.1)
    assert said(caplog, "can never move") == 1


def test_after_an_opening_it_is_reported_again(caplog: pytest.LogCaptureFixture) -> None:
    """The next process says so as well, though nobody sends anything."""
    drive = drive_of(Queue)
    drive.send(Queue, "q", Queue.wait)
    drive.send(Queue, "q", Queue.let_go)
    drive = drive.crash(entities=[Queue])
    drive.hear()
    drive.later(2)
    assert said(caplog, "can never move") == 1


def test_in_strict_mode_it_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """The actor does not go on of itself, and says why."""
    drive = drive_of(Queue, strict=True)
    drive.send(Queue, "q", Queue.wait)
    drive.send(Queue, "q", Queue.let_go)
    drive.later(2)
    fault = drive.resident(Queue, "q").fault
    assert fault is not None
    assert "can never move" in str(fault)


def test_one_behind_which_nobody_waits_is_nobodys_trouble(caplog: pytest.LogCaptureFixture) -> None:
    """A handler may wait for a message that has not been sent yet, for years."""
    drive = drive_of(Queue)
    drive.send(Queue, "q", Queue.wait)
    drive.later(100)
    assert caplog.records == []


def test_a_run_that_cannot_close_is_warned_of_at_half(caplog: pytest.LogCaptureFixture) -> None:
    """In the log when a checkpoint comes by, once; and by describe(), which names the handler."""
    drive = drive_of(Talk)
    drive.send(Talk, "t", Talk.listen)
    for _ in range(3):
        drive.send(Talk, "t", Talk.say)
    drive.later(60)
    drive.settle()
    assert said(caplog, "half way") == 0
    for _ in range(2):
        drive.send(Talk, "t", Talk.say)
    for _ in range(3):
        drive.later(60)
        drive.settle()
    assert said(caplog, "half way to its bound: Talk 't': its run has 6 records") == 1
    assert said(caplog, "held open by Talk.listen") == 1


async def test_describe_names_who_keeps_a_run_open() -> None:
    """Before it is too late."""
    async with Runtime(MemoryJournal(), entities=[Talk], clock=Clock()) as runtime:
        talk = runtime.actor(Talk, "t")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk.update, Talk.listen)
            while not (await talk.describe()).open:
                pass
            for _ in range(5):
                await talk.signal(Talk.say)
            told = await talk.describe()
            assert "held open by Talk.listen" in told.crowded
            assert f"crowded   {told.crowded}" in str(told)
            nursery.cancel_scope.cancel()
