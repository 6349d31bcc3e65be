"""A disk that stalls for as long as it likes: who waits for it, what grows meanwhile, and what is told?"""

from __future__ import annotations

import pytest
import trio

from actorflow import Runtime, Unknown
from actorflow._runtime.host import Host

from .held import Caller, HeldJournal, calm, running
from .town import Account, Echo

MOST = 4_000
CALLERS = 60


async def _crowd(runtime: Runtime, nursery: trio.Nursery, journal: HeldJournal) -> list[Caller]:
    """Many who send while the disk stands still; by then all who can be taken are."""
    await runtime.actor(Account, "rich").update(Account.deposit, "before", 7)
    journal.hold()
    found = [Caller(nursery, lambda: runtime.actor(Echo, "e0").signal(Echo.hear, "in flight"))]
    await calm()
    found += [
        Caller(nursery, lambda n=n: runtime.actor(Echo, f"e{n % 9}").signal(Echo.hear, f"{n}" + "x" * 200))  # type: ignore[misc]
        for n in range(1, CALLERS)
    ]
    await calm()
    return found


def _see_bounded(runtime: Runtime, most: int) -> None:
    host: Host = runtime._host
    waiting = host.population.frame.size
    assert waiting < most + 1_000, f"{waiting} bytes wait for the next commit"


@pytest.mark.parametrize("most", [1, 1_000, MOST])
@pytest.mark.parametrize("kept", [True, False, None])
async def test_a_disk_that_stalls_holds_up_answers_and_nothing_else(most: int, kept: bool | None) -> None:
    """The loop goes on, what is durable can be read, what waits is bounded; then all is told, or it fails."""
    journal = HeldJournal()
    told: list[Caller] = []
    try:
        async with running(journal, frame_bytes=most) as (runtime, nursery):
            told = await _crowd(runtime, nursery, journal)
            assert not any(one.done for one in told)
            _see_bounded(runtime, most)
            with trio.fail_after(5):
                assert await runtime.actor(Account, "rich").query(Account.balance) == 7
            if kept is not None:
                journal.fail_at(len(journal.history) + 1, kept=kept)
            journal.let_go()
            for one in told:
                await one.ended()
            assert kept is None
            assert [one.error for one in told] == [None] * CALLERS
            heard = [await runtime.actor(Echo, f"e{n}").query(Echo.counted) for n in range(9)]
            assert sum(heard) == CALLERS
    except* Exception:
        if kept is None:
            raise
        assert all(one.error is not None for one in told)
        assert any(isinstance(one.error, Unknown) for one in told)


async def test_who_does_not_wait_any_longer_may_ask_again() -> None:
    """Given up while the disk stands still, a message with an id is there once when it is sent again."""
    journal = HeldJournal()
    async with running(journal) as (runtime, nursery):
        account = runtime.actor(Account, "a").once("one")
        journal.hold()
        first = Caller(nursery, lambda: account.update(Account.deposit, "t", 5))
        await calm()
        first.scope.cancel()
        await first.ended()
        again = Caller(nursery, lambda: account.update(Account.deposit, "t", 5))
        await calm()
        assert not again.done, "it is not durable yet"
        journal.let_go()
        assert (await again.ended()).value == 5


async def test_without_its_bound_what_waits_would_grow() -> None:
    """The control: with ``frame_bytes`` out of the way, more waits for the commit than is allowed above."""
    journal = HeldJournal()
    async with running(journal) as (runtime, nursery):
        told = await _crowd(runtime, nursery, journal)
        with pytest.raises(AssertionError, match="wait for the next commit"):
            _see_bounded(runtime, MOST)
        journal.let_go()
        for one in told:
            await one.ended()
