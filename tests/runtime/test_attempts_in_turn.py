"""Attempts that share a task: does anything of one show in the next, and does any wait for another?"""

from __future__ import annotations

from contextvars import ContextVar

import pytest
import trio

from actorflow import Runtime, activity, entity, gather, update
from actorflow._runtime import attempts
from persistence import MemoryJournal

SEVERAL = 30
CUSTOMER: ContextVar[str] = ContextVar("customer", default="nobody")


class Barrier:
    """Lets nobody go on before all are there."""

    def __init__(self) -> None:
        self.there = 0
        self.all_there = trio.Event()

    async def come(self) -> None:
        """Wait for the others."""
        self.there += 1
        if self.there == SEVERAL:
            self.all_there.set()
        await self.all_there.wait()


@activity
async def serve(number: int) -> str:
    """Say who was served before, and leave behind who is now."""
    before = CUSTOMER.get()
    CUSTOMER.set(f"customer {number}")
    return before


@activity
async def meet(number: int) -> int:
    """Replaced by a test."""
    return number


@activity
async def count(number: int) -> tuple[int, str]:
    """Do nothing at all, and say in which task."""
    return number, str(id(trio.lowlevel.current_task()))


@entity
class Shop:
    """Has many things done at the same time."""

    @update
    async def open(self) -> list[str]:
        return list(await gather(*(serve(number) for number in range(SEVERAL))))

    @update
    async def gather(self) -> list[int]:
        return list(await gather(*(meet(number) for number in range(SEVERAL))))

    @update
    async def counted(self) -> list[tuple[int, str]]:
        return list(await gather(*(count(number) for number in range(SEVERAL))))


async def test_what_one_leaves_in_its_context_no_other_sees() -> None:
    """A variable of the context that an activity sets and leaves is as it was for all others."""
    async with Runtime(MemoryJournal(), entities=[Shop]) as runtime:
        assert await runtime.actor(Shop, "a").update(Shop.open) == ["nobody"] * SEVERAL


async def test_that_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with one task for all of them, and nobody looking, each sees the one before."""
    monkeypatch.setattr(attempts, "copy_context", int)
    async with Runtime(MemoryJournal(), entities=[Shop]) as runtime:
        assert "customer 0" in await runtime.actor(Shop, "a").update(Shop.open)


async def test_none_waits_for_another_that_waits() -> None:
    """All of them are there at the same time, though each waits for all others."""
    barrier = Barrier()

    async def come(number: int) -> int:
        await barrier.come()
        return number

    with trio.fail_after(10):
        async with Runtime(MemoryJournal(), entities=[Shop], activities={meet: come}) as runtime:
            assert await runtime.actor(Shop, "a").update(Shop.gather) == list(range(SEVERAL))


async def test_those_that_never_wait_share_a_task() -> None:
    """A task for each costs a fifth of what they do; that they need few is what makes a fan-out quick."""
    async with Runtime(MemoryJournal(), entities=[Shop]) as runtime:
        told = await runtime.actor(Shop, "a").update(Shop.counted)
    assert [number for number, _ in told] == list(range(SEVERAL))
    assert len({task for _, task in told}) < SEVERAL / 2
