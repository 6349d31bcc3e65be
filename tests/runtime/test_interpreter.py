"""Is what Python was told for a runtime taken back, and is what the process has said its own?"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import trio

from actorflow import Runtime, entity, signal
from persistence import MemoryJournal

PYTHONS_OWN = 0.005


class Told(NamedTuple):
    """What Python is told, of its collector and of how long a thread goes on."""

    thresholds: tuple[int, int, int]
    turn_us: int

    @classmethod
    def now(cls) -> Told:
        return cls(gc.get_threshold(), round(sys.getswitchinterval() * 1e6))


@entity
class Cart:
    """Anything."""

    items: int = 0

    @signal
    def add(self) -> None:
        self.items += 1


@pytest.fixture(autouse=True)
def as_found() -> Iterator[None]:
    """Leave nothing behind."""
    thresholds, interval = gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(interval)


def opened_twice() -> list[Told]:
    """What holds inside one runtime, inside another within it, after that one, and after both."""

    async def main() -> list[Told]:
        seen: list[Told] = []
        async with Runtime(MemoryJournal(), entities=[Cart]):
            seen.append(Told.now())
            async with Runtime(MemoryJournal(), entities=[Cart]):
                seen.append(Told.now())
            seen.append(Told.now())
        return [*seen, Told.now()]

    return trio.run(main)


def test_all_is_as_it_was_after_the_last_runtime() -> None:
    """While any is open the collector comes by less often and threads take turns sooner; then no more."""
    gc.set_threshold(700, 10, 10)
    sys.setswitchinterval(PYTHONS_OWN)
    one, other, still, after = opened_twice()
    assert one == other == still
    assert one.thresholds[0] > after.thresholds[0]
    assert one.turn_us < after.turn_us
    assert after == Told((700, 10, 10), 5_000)


def test_what_the_application_has_said_is_its_own() -> None:
    """A process that has set one of the two keeps that one, and only that."""
    gc.set_threshold(1_234, 5, 6)
    sys.setswitchinterval(PYTHONS_OWN)
    seen = opened_twice()
    assert {told.thresholds for told in seen} == {(1_234, 5, 6)}
    assert [told.turn_us == 5_000 for told in seen] == [False, False, False, True]
    gc.set_threshold(700, 10, 10)
    sys.setswitchinterval(0.002)
    seen = opened_twice()
    assert {told.turn_us for told in seen} == {2_000}
    assert [told.thresholds[0] == 700 for told in seen] == [False, False, False, True]


def test_what_is_said_meanwhile_stays() -> None:
    """What was set while a runtime was open is not undone."""

    async def main() -> None:
        gc.set_threshold(700, 10, 10)
        sys.setswitchinterval(PYTHONS_OWN)
        async with Runtime(MemoryJournal(), entities=[Cart]):
            gc.set_threshold(999, 9, 9)
            sys.setswitchinterval(0.003)
        assert Told.now() == Told((999, 9, 9), 3_000)

    trio.run(main)
