"""An entity that does a little of everything, made to be difficult, and the world around it."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from attrs import field

from actorflow import (
    ActorflowError,
    RetryPolicy,
    TokenSpent,
    activity,
    actor,
    callback,
    entity,
    query,
    signal,
    sleep,
    timer,
    update,
)
from actorflow.testing import Caller, Faults, World

__all__ = ["Doer", "doers", "fetch", "gather_up"]

SECOND = timedelta(seconds=1)


@activity(
    retry=RetryPolicy(maximum_attempts=4, initial_interval=SECOND), start_to_close=5 * SECOND, concurrency=2
)
async def fetch(what: str) -> str:
    """Is never run as it stands."""
    raise AssertionError(what)


@activity.batched(at_most=3, within=SECOND, retry=RetryPolicy(maximum_attempts=4))
async def gather_up(items: list[str]) -> list[int]:
    """Is never run as it stands."""
    raise AssertionError(items)


@entity
class Doer:
    got: list[str] = field(factory=list[str])
    seen: list[str] = field(factory=list[str])
    fired: int = 0

    @update(interleave=True)
    async def do(self, what: str) -> str:
        got = await fetch(what)
        self.got.append(got)
        return got

    @update(interleave=True)
    async def do_many(self, what: str) -> int:
        return await gather_up(what)

    @signal
    def note(self, what: str, to: str) -> None:
        """Two signals to another, of which the first has to come first."""
        self.seen.append(what)
        self.late().arm(after=10 * SECOND)
        actor(Doer, to).signal(Doer.hear, f"{what}, one")
        actor(Doer, to).signal(Doer.hear, f"{what}, two")

    @signal
    def hear(self, what: str) -> None:
        self.seen.append(what)

    @update
    async def ask(self, what: str, to: str) -> int:
        """Wait for another's answer, under an id, holding the mailbox."""
        try:
            return await actor(Doer, to).within(3600 * SECOND).once(what).update(Doer.nap, 2)
        except ActorflowError:
            return 0

    @update
    async def nap(self, seconds: int) -> int:
        await sleep(seconds * SECOND)
        return seconds

    @update(interleave=True)
    async def expect(self) -> str:
        """Wait for somebody who has the token."""
        answer = callback(str, timeout=3600 * SECOND)
        self.seen.append(answer.token)
        return await answer

    @timer
    def late(self) -> None:
        self.fired += 1

    @query
    def count(self) -> int:
        return len(self.seen)

    @query
    def last(self) -> str:
        return self.seen[-1] if self.seen else ""


def doers(seed: int, faults: Faults | None = None) -> World:
    """A world of them; everything that can be drawn is drawn."""
    world = World(seed, entities=[Doer], faults=faults)

    async def doer(me: Caller) -> None:
        one = me.actor(Doer, me.chance.choice("ab")).once(me.id())
        if me.chance.hits(0.2):
            await me.insist(lambda: one.update(Doer.do_many, me.name))
        else:
            await me.insist(lambda: one.update(Doer.do, me.name))

    async def noter(me: Caller) -> None:
        one = me.actor(Doer, me.chance.choice("ab"))
        async with me.batch() as batch:
            batch.signal(one, Doer.note, f"{me.name}, first", "c")
            batch.signal(one, Doer.note, f"{me.name}, second", "c")
        await one.query(Doer.count)
        await one.signal(Doer.note, f"{me.name}, third", "b")

    async def asker(me: Caller) -> None:
        what, to = me.id(), me.chance.choice("cd")
        await me.actor(Doer, me.chance.choice("abc")).update(Doer.ask, what, to)

    async def answerer(me: Caller) -> None:
        one = me.actor(Doer, "e")
        token = await one.query(Doer.last)
        if token:
            with suppress(TokenSpent):
                await me.resolve(token, me.name)

    async def expecter(me: Caller) -> None:
        await me.actor(Doer, "e").update(Doer.expect)

    world.caller(doer, count=3)
    world.caller(noter, count=2)
    for one in (asker, answerer, expecter):
        world.caller(one)
    return world
