"""Is it the journal that has failed, or an actor?  Reads fail while somebody is brought into memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from actorflow import Limits, NotAccepted, Runtime, Unknown
from persistence import Stopped

from .held import Caller, Clock, HeldJournal, calm
from .town import TOWN, Account, Basket

CALLS: dict[str, Callable[[Runtime], Awaitable[Any]]] = {
    "update": lambda runtime: runtime.actor(Account, "b").update(Account.deposit, "t", 5),
    "query": lambda runtime: runtime.actor(Account, "b").query(Account.balance),
    "describe": lambda runtime: runtime.actor(Account, "b").describe(),
    "list": lambda runtime: runtime.list(Account),
}


class BlindJournal(HeldJournal):
    """Cannot be read any more, once it is told so, as LMDB after a commit that failed in its last write."""

    blind = False
    after = 0
    """So many reads still work."""

    def read(self, table: str, key: bytes, /) -> bytes | None:
        self._look()
        return super().read(table, key)

    def scan(
        self, table: str, start: bytes, stop: bytes | None, /, *, at_most: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        self._look()
        return super().scan(table, start, stop, at_most=at_most, reverse=reverse)

    def _look(self) -> None:
        if self.blind:
            self.after -= 1
            if self.after < 0:
                raise Stopped("it cannot be read since a commit failed\nhint: open it again")


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("what", CALLS)
async def test_a_journal_that_has_failed_is_no_actors_fault(what: str, after: int) -> None:
    """A commit has failed and the loop does not know yet: who asks for a sleeping actor meets that first.

    He is told that nothing was accepted or that nothing is known, and no actor is set aside for it.
    """
    journal = BlindJournal()
    async with Runtime(journal, entities=TOWN, limits=Limits(history_messages=5), clock=Clock()) as runtime:
        for n in range(20):
            await runtime.actor(Account, "b").update(Account.deposit, f"t{n}", 5)
        await runtime.actor(Basket, "x").signal(Basket.add, "t", "sku")
    asked: list[Caller] = []
    with pytest.raises(Stopped):  # noqa: PT012 - it is raised at the end of the block
        async with Runtime(journal, entities=TOWN, clock=Clock()) as runtime, trio.open_nursery() as nursery:
            await calm()
            journal.hold()
            first = Caller(nursery, lambda: runtime.actor(Account, "a").update(Account.deposit, "t", 5))
            await calm()
            assert journal.arrived.acquire(timeout=20)
            journal.after, journal.blind = after, True
            asked.append(Caller(nursery, lambda: CALLS[what](runtime)))
            await calm()
            journal.fail_at(len(journal.history) + 1, kept=False)
            journal.let_go()
            assert isinstance((await first.ended()).error, Unknown)
            await asked[0].ended()
            assert runtime._host.population.residency.broken == {}
    assert isinstance(asked[0].error, Unknown | NotAccepted), repr(asked[0].error)
