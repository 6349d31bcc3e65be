"""Is the garbage collector of the process left as it was found?"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import trio

from actorflow import Runtime, entity, signal
from persistence import MemoryJournal


@entity
class Cart:
    """Anything."""

    items: int = 0

    @signal
    def add(self) -> None:
        self.items += 1


@pytest.fixture(autouse=True)
def as_found() -> Iterator[None]:
    """Leave no thresholds behind."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def opened_twice() -> list[tuple[int, int, int]]:
    """The thresholds inside one runtime, inside another within it, after that one, and after both."""

    async def main() -> list[tuple[int, int, int]]:
        seen: list[tuple[int, int, int]] = []
        async with Runtime(MemoryJournal(), entities=[Cart]):
            seen.append(gc.get_threshold())
            async with Runtime(MemoryJournal(), entities=[Cart]):
                seen.append(gc.get_threshold())
            seen.append(gc.get_threshold())
        return [*seen, gc.get_threshold()]

    return trio.run(main)


def test_thresholds_return_with_the_last_runtime() -> None:
    """While any runtime is open the collector comes by less often; after the last one all is as it was."""
    gc.set_threshold(700, 10, 10)
    one, other, still, after = opened_twice()
    assert one == other == still
    assert one[0] > after[0]
    assert after == (700, 10, 10)


def test_thresholds_of_the_application_are_its_own() -> None:
    """A process that has set its own keeps them."""
    gc.set_threshold(1_234, 5, 6)
    assert set(opened_twice()) == {(1_234, 5, 6)}


def test_what_is_set_meanwhile_stays() -> None:
    """Thresholds that were set while a runtime was open are not undone."""

    async def main() -> None:
        gc.set_threshold(700, 10, 10)
        async with Runtime(MemoryJournal(), entities=[Cart]):
            gc.set_threshold(999, 9, 9)
        assert gc.get_threshold() == (999, 9, 9)

    trio.run(main)
