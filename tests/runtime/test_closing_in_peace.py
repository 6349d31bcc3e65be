"""A runtime that is being closed waits for what still runs: does it do so without being busy?"""

from __future__ import annotations

from datetime import timedelta

import pytest
import trio

from actorflow import Limits, Runtime, activity, entity, signal, timer
from actorflow._runtime.host import Host
from actorflow._runtime.population import Population
from persistence import MemoryJournal

from .drive import SECOND_US
from .held import Clock

GRACE = timedelta(seconds=0.3)
FEW = 50
begun = trio.Event()


@activity
async def hang() -> None:
    """Never done."""
    begun.set()
    await trio.sleep_forever()


@entity
class Sleeper:
    """It asks for what never ends, and has a timer."""

    @signal
    async def work(self) -> None:
        await hang()

    @signal
    def set_alarm(self) -> None:
        self.ring().arm(after=timedelta(seconds=0.02))

    @timer
    def ring(self) -> None:
        pass


class Looks:
    """Counts how often somebody asks what is due next."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = Population.next_due

        def counted(population: Population, now: int) -> int:
            self.count += 1
            return real(population, now)

        monkeypatch.setattr(Population, "next_due", counted)


async def _see_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close while an activity hangs and a timer is overdue; nobody looks at the clock meanwhile."""
    clock = Clock()
    async with Runtime(
        MemoryJournal(), entities=[Sleeper], limits=Limits(close_grace=GRACE), clock=clock
    ) as runtime:
        await runtime.actor(Sleeper, "a").signal(Sleeper.work)
        await runtime.actor(Sleeper, "b").signal(Sleeper.set_alarm)
        with trio.fail_after(20):
            await begun.wait()
        looks = Looks(monkeypatch)
        clock.now += 60 * SECOND_US
    assert looks.count < FEW, f"it has looked {looks.count} times"


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.runtime.test_closing_in_peace.begun", trio.Event())


async def test_with_a_timer_overdue_it_waits_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer waits for another opening, and nobody asks for it again and again."""
    await _see_peace(monkeypatch)


async def test_who_does_not_rest_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a clock that is minded while closing is looked at thousands of times."""

    async def mind(host: Host) -> None:
        while True:
            host.population.next_due(host.clock())
            await trio.lowlevel.checkpoint()

    monkeypatch.setattr(Host, "_mind_clock", mind)
    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True, allow_unwrapped=True):
        await _see_peace(monkeypatch)
