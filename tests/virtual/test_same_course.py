"""Does the same test take the same course, every time it is run?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
import trio
import trio.testing
from attrs import field

from actorflow import RetryPolicy, activity, actor, entity, gather, query, race, signal, sleep, timer
from actorflow._runtime.turns import Place
from actorflow.testing import virtual_runtime
from actorflow.testing.pace import Pace

WORKERS = 6
touched: list[str] = []


@activity(retry=RetryPolicy(initial_interval=timedelta(minutes=1), maximum_attempts=3))
async def fetch(number: int) -> int:
    """All of a moment take the same time."""
    touched.append(f"begins {number}")
    await trio.sleep(60)
    if activity.current().number < 1 + number % 3:
        raise ConnectionError
    return number


@activity
def compute(number: int) -> int:
    """In a thread, of which several could run at a time; some are quicker than others."""
    touched.append(f"computes {number}")
    return sum(range(1_000 * (WORKERS - number)), number) % 1 + number


@activity
async def nap(seconds: int) -> int:
    """Take so long."""
    await trio.sleep(seconds)
    return seconds


@entity
class Hub:
    """Hears of everything, in some order."""

    log: list[str] = field(factory=list[str])

    @signal
    def tell(self, what: str) -> None:
        self.log.append(what)

    @query
    def all(self) -> list[str]:
        return self.log


@entity
class Worker:
    """Does many things at once."""

    number: int = -1
    ticks: int = 0

    @signal
    async def begin(self, number: int) -> None:
        self.number = number
        hub = actor(Hub, "hub")
        self.tick().arm(after=timedelta(seconds=60))
        for _ in range(3):
            found = await gather(fetch(number), compute(number))
            hub.signal(Hub.tell, f"{number} found {list(found)}")
            winner, _ = await race(nap(60), nap(60), nap(60))
            hub.signal(Hub.tell, f"{number} won {winner}")
            await sleep(timedelta(seconds=60))

    @timer
    def tick(self) -> None:
        self.ticks += 1
        actor(Hub, "hub").signal(Hub.tell, f"{self.number} ticks")
        if self.ticks < 5:
            self.tick().arm(after=timedelta(seconds=60))


def _course() -> list[str]:
    """All that happens of some workers who work side by side, in the order in which it happens."""
    touched.clear()
    with virtual_runtime(entities=[Hub, Worker]) as runtime:
        workers = [runtime.actor(Worker, f"worker-{number}") for number in range(WORKERS)]
        for number, worker in enumerate(workers):
            worker.signal(Worker.begin, number)
        runtime.sleep(timedelta(hours=1))
        hub = runtime.actor(Hub, "hub")
        told = [str(entry) for worker in workers for entry in worker.history()]
        return [*told, *map(str, hub.history()), *touched, *hub.query(Hub.all)]


ROUNDS = 8


def test_the_same_test_takes_the_same_course() -> None:
    """Activities that begin, and end, at the same moment do so in one order, on trio and in threads."""
    first = _course()
    assert len(first) > 20 * WORKERS
    for _ in range(ROUNDS - 1):
        assert _course() == first


def test_without_turns_courses_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where everything happens as trio and threads have it, runs of one test differ."""

    def in_turn(_: Pace, place: Place, work: Callable[[], object]) -> None:
        work()

    monkeypatch.setattr(Pace, "in_turn", in_turn)
    assert len({tuple(_course()) for _ in range(ROUNDS)}) > 1


def test_callers_are_answered_one_after_the_other() -> None:
    """Tasks that were answered at the same moment call again in the order in which they called before."""

    async def main() -> list[str]:
        async with virtual_runtime(entities=[Hub]) as runtime:
            hub = runtime.actor(Hub, "hub")

            async def call(number: int, *, task_status: trio.TaskStatus[None]) -> None:
                task_status.started()
                for step in range(4):
                    await runtime.sleep(timedelta(days=1))
                    await hub.signal(Hub.tell, f"{number}.{step}")

            async with trio.open_nursery() as nursery:
                with runtime.hold():
                    for number in range(8):
                        await nursery.start(partial(call, number))
                        await trio.testing.wait_all_tasks_blocked()
            return await hub.query(Hub.all)

    for _ in range(ROUNDS):
        assert trio.run(main) == [f"{number}.{step}" for step in range(4) for number in range(8)]
