"""Very many at once, timers of a night or a burst of messages: all of them, in order, within bounds?"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import trio

from actorflow import Limits, Runtime
from actorflow._codec.records import RecordCodec, unseal
from actorflow._core import facts
from persistence import FaultyJournal, MemoryJournal

from .drive import SECOND_US, Drive
from .town import TOWN, Basket, Echo

TIMERS = 2_000
RESIDENTS = 100
SLICE = 50
CALLERS = 50
MESSAGES = 100
_codec = RecordCodec()


def _due(n: int, count: int) -> int:
    """After so many seconds the timer of this actor is due; neighbours are far apart."""
    return 10 + n * 7_919 % count


def _fired(journal: FaultyJournal, count: int) -> list[int]:
    """When each timer that fired was due, in the order in which the journal has them."""
    found: list[int] = []
    for batch in journal.history:
        for data in batch.frames:
            parts = _codec.unpack(unseal(data, "a frame"))
            for path, record in zip(parts[::2], parts[1::2], strict=True):
                if path[0]:
                    input_ = _codec.unpack_record(record).input
                    if input_ is not None and input_.kind == facts.FIRE:
                        found.append(_due(int(path.split(b"\0")[1][1:]), count))
    return found


def _see_order(dues: Iterable[int], count: int) -> None:
    dues = list(dues)
    assert len(dues) == count, f"{len(dues)} fired"
    assert dues == sorted(dues), "one that was due later fired before one that was due earlier"


def test_timers_of_a_night_fire_in_order_and_bounded_memory(effort: int) -> None:
    """What fell due while no process was there fires once, by due time, with few actors in memory."""
    count = TIMERS * effort
    drive = Drive(every=0, limits=Limits(log_bytes=1, resident_actors=RESIDENTS))
    for n in range(count):
        drive.send(Basket, f"k{n}", Basket.arm, "t", 1, _due(n, count))
        if n % 500 == 0:
            drive.settle()
    drive = drive.reopen(every=0)
    drive.now += (count + 3_600) * SECOND_US
    while not drive.population.wake(drive.now, SLICE):
        drive.commit()
        assert len(drive.population.residents) <= RESIDENTS + 2 * SLICE
    drive.settle()
    _see_order(_fired(drive.journal, count), count)


def test_an_order_that_is_wrong_is_noticed() -> None:
    """The control: one too few, and two that changed places."""
    _see_order([1, 2, 2, 3], 4)
    for dues in ([1, 2, 3], [1, 3, 2, 4]):
        with pytest.raises(AssertionError):
            _see_order(dues, 4)


async def _burst(effort: int, *, shuffled: bool = False) -> None:
    limits = Limits(mailbox_messages=20, frame_bytes=4_000)
    async with Runtime(MemoryJournal(), entities=TOWN, limits=limits) as runtime:
        echo = runtime.actor(Echo, "e")

        async def caller(name: str) -> None:
            for n in range(MESSAGES):
                number = MESSAGES - n if shuffled else n
                await echo.signal(Echo.hear, f"{name}.{number}")
                assert runtime._host.population.frame.size < 4_000 + 1_000 * CALLERS

        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: echo.update(Echo.slow, 0))
            for n in range(CALLERS * effort):
                nursery.start_soon(caller, f"{n}")
        heard = (await echo.at((await echo.describe()).seq)).state.heard
    assert len(heard) == CALLERS * effort * MESSAGES
    reached: dict[str, int] = {}
    for token in heard:
        name, _, number = token.partition(".")
        assert int(number) == reached.get(name, -1) + 1, f"{token} is out of order"
        reached[name] = int(number)


async def test_a_burst_is_taken_in_order_within_bounds(effort: int) -> None:
    """To one actor with a short mailbox and small frames: all, once, each caller's in order."""
    await _burst(min(effort, 20))


async def test_a_burst_out_of_order_is_noticed() -> None:
    """The control: callers who count backwards."""
    with pytest.raises(AssertionError, match="out of order"):
        await _burst(1, shuffled=True)
