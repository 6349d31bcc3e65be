"""What a world does for those who write one: it finds their mistakes, and says how to see them again."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Literal, NamedTuple, NewType
from uuid import UUID

import pytest
from attrs import define, field

from actorflow import (
    Refused,
    TokenSpent,
    UsageError,
    activity,
    callback,
    entity,
    query,
    signal,
    sleep,
    update,
)
from actorflow.testing import Caller, Faults, Town, World, WorldFailed, explore
from actorflow.testing.simulation import drawn
from actorflow.testing.simulation.faults import Dice

SECOND = timedelta(seconds=1)


@activity
async def measure(what: str) -> int:
    """Is never run as it stands."""
    raise AssertionError(what)


@entity
class Counter:
    count: int = 0
    tokens: list[str] = field(factory=list[str])

    @update
    def add(self, by: int) -> int:
        if by < 0:
            raise Refused("less than nothing")
        self.count += by
        return self.count

    @update
    async def measured(self) -> int:
        self.count = await measure("it")
        return self.count

    @update(interleave=True)
    async def expect(self) -> str:
        answer = callback(str, timeout=None)
        self.tokens.append(answer.token)
        return await answer

    @signal
    async def nap(self, days: int) -> None:
        await sleep(timedelta(days=days))

    @query
    def token(self) -> str:
        return self.tokens[-1] if self.tokens else ""


def counters(seed: int = 0, **given: object) -> World:
    """A world of nothing but counters."""
    return World(seed, entities=[Counter], **given)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def careless(seed: int) -> World:
    """Callers who send again without an id."""
    world = counters(seed)
    told = [0]

    async def adder(me: Caller) -> None:
        await me.insist(lambda: me.actor(Counter, "a").update(Counter.add, 1))
        told[0] += 1

    world.caller(adder, count=2)

    @world.at_last
    def each_counts_once(town: Town) -> None:
        count = sum(one.count for one in town.states(Counter).values())
        assert town.statuses(Counter) == dict.fromkeys(town.states(Counter), "running")
        assert count <= told[0], f"{count} of {told[0]}"

    return world


def test_a_failure_says_what_when_and_how_to_see_it_again() -> None:
    """Seed, step, what broke, what happened last, and the line that repeats it."""
    with pytest.raises(WorldFailed) as found:
        explore(careless, seeds=range(20), steps=300)
    with pytest.raises(WorldFailed) as failed:
        careless(found.value.seed).run(300)
    error = failed.value
    text = str(error)
    assert f"seed {error.seed}, step {error.step}: " in text
    assert "Counter 'a': add(1), acknowledge" in text
    assert f"hint: see it again with World({error.seed}, ...).run(300)" in text
    with pytest.raises(WorldFailed) as again:
        careless(error.seed).run(300)
    assert str(again.value) == text


def test_a_failure_is_made_small() -> None:
    """Kinds of faults that it does not need are left out, and so are steps; what is left fails still."""
    with pytest.raises(WorldFailed) as failed:
        explore(careless, seeds=range(20), steps=400)
    repeat = failed.value.repeat
    assert repeat.startswith("careless(")
    assert "'clock'" in repeat
    with pytest.raises(WorldFailed) as again:
        eval(repeat)  # noqa: S307 - it is what somebody would type
    assert again.value.what == failed.value.what


def test_many_worlds_are_counted() -> None:
    """How many, what has happened in them, and how long it took."""
    explored = explore(counters, seeds=range(3), steps=100)
    assert (explored.worlds, explored.name) == (3, "counters")
    assert explored.steps >= 300
    assert str(explored).startswith("counters: 3 worlds, ")


def test_what_must_always_hold_is_seen_at_every_commit() -> None:
    """A check fails the world at the commit after which it does not hold."""
    world = counters()

    @world.caller
    async def adder(me: Caller) -> None:
        await me.actor(Counter, "a").update(Counter.add, 5)

    @world.always
    def small(town: Town) -> None:
        assert all(one.count < 20 for one in town.states(Counter).values()), "too much"

    with pytest.raises(WorldFailed, match="too much") as failed:
        world.run(5_000)
    assert failed.value.trace[-1].split()[2] == "commits"
    assert failed.value.step < 5_000


@pytest.mark.parametrize("error", [AssertionError("not what I was promised"), KeyError("a mistake")])
def test_what_a_caller_did_not_expect_fails_the_world(error: Exception) -> None:
    """An assertion of a caller, and his own mistakes; not a refusal."""
    world = counters()

    @world.caller
    async def adder(me: Caller) -> None:
        if me.chance.hits(0.5):
            await me.actor(Counter, "a").update(Counter.add, -1)
        await me.actor(Counter, "a").update(Counter.add, 1)
        raise error

    with pytest.raises(WorldFailed, match=error.args[0]):
        world.run(500)


def test_who_never_has_an_answer_is_named() -> None:
    """Once faults have stopped, everything has to come to rest."""
    world = counters(faults=Faults.none())

    @world.caller
    async def waiter(me: Caller) -> None:
        await me.actor(Counter, "a").update(Counter.add, 1)
        await me.actor(Counter, "a").result()

    with pytest.raises(WorldFailed, match="does not come to rest: waiter-1 waits for"):
        world.run(50)


def test_time_passes_until_all_is_at_rest() -> None:
    """Days of waiting are steps, no time."""
    world = counters(faults=Faults.none())

    @world.caller
    async def sleeper(me: Caller) -> None:
        await me.actor(Counter, "a").signal(Counter.nap, 30)
        before = me.now
        await me.actor(Counter, "a").update(Counter.add, 1)
        assert me.now - before >= timedelta(days=29)
        await me.sleep(SECOND)

    assert world.run(50).counts["told"] >= 2


def test_without_faults_nothing_goes_wrong() -> None:
    """And each can be left out by its name."""
    kinds = set(Faults.kinds())
    assert not kinds & set(counters(faults=Faults.none()).run(500).counts)
    for seed in range(10):
        report = counters(seed).run(500, without=kinds - {"crash"})
        assert kinds & set(report.counts) <= {"crash"}
    with pytest.raises(UsageError, match="there is no fault 'flood'; there are crash, "):
        counters().run(without=["flood"])


def test_a_world_runs_once() -> None:
    """What callers and checks remember is of one run."""
    world = counters()
    world.run(10)
    with pytest.raises(UsageError, match="a world is run once"):
        world.run(10)


def test_what_stands_in_for_an_activity_is_a_plain_function() -> None:
    """It knows its attempt and its key, and is asked again after a failure; an async def is refused."""
    seen: dict[str, list[int]] = {}

    def measured(what: str) -> int:
        assert what == "it"
        attempt = activity.current()
        seen.setdefault(attempt.key, []).append(attempt.number)
        return len(seen)

    world = counters(3, activities={measure: measured}, faults=Faults(error=0.3))

    @world.caller
    async def measurer(me: Caller) -> None:
        one = me.actor(Counter, me.name).once("it")
        assert await me.insist(lambda: one.update(Counter.measured)) >= 1

    @world.at_last
    def all_is_in_the_ledger(town: Town) -> None:
        done = town.done(measure)
        assert [(one.key, one.attempt) for one in done if one.attempt > 1]
        assert sorted(one.attempt for one in done) == sorted(n for ones in seen.values() for n in ones)

    world.run(3_000)

    async def slowly(what: str) -> int:
        return len(what)

    with pytest.raises(UsageError, match="stands in for measure is an async def"):
        counters(activities={measure: slowly}).run(1)


def test_an_attempt_may_leave_its_end_to_a_caller() -> None:
    """A stand-in hands out its token, and whoever has it answers."""
    tokens: list[str] = []

    def measured(what: str) -> int:
        tokens.append(activity.current().complete_later())
        return 0

    for seed in range(20):
        world = counters(seed, activities={measure: measured})

        @world.caller
        async def measurer(me: Caller) -> None:
            await me.insist(lambda: me.actor(Counter, "a").once("it").update(Counter.measured))
            await me.sleep(timedelta(days=1))

        @world.caller
        async def gauge(me: Caller) -> None:
            for token in tokens[-3:]:
                with suppress(TokenSpent):  # of an attempt that is over
                    await me.resolve(token, 42)

        tokens.clear()
        world.run(300)


def test_a_callback_is_answered_by_a_caller() -> None:
    """As in production: by its token, once."""
    world = counters(1)

    async def expecter(me: Caller) -> None:
        assert await me.actor(Counter, "a").update(Counter.expect) == "here"

    async def answerer(me: Caller) -> None:
        token = await me.actor(Counter, "a").query(Counter.token)
        if token:
            await me.insist(lambda: me.resolve(token, "here"))

    world.caller(expecter)
    world.caller(answerer, count=2)
    world.run(200)


def test_who_goes_away_is_let_go() -> None:
    """A caller that gives up is closed where it waits, and what it does at its end is done."""
    left: list[str] = []
    world = counters(2, faults=Faults(cancel=1.0))

    @world.caller
    async def impatient(me: Caller) -> None:
        try:
            await me.actor(Counter, "a").update(Counter.expect)
        finally:
            left.append(me.name)

    report = world.run(2_000)
    assert report.counts["cancel"] > 0
    assert len(left) >= report.counts["cancel"]


def test_a_handler_that_draws_its_own_luck_is_found() -> None:
    """What its records say is not what the actor is."""

    @entity(name="Gambler")
    class Gambler:
        purse: float = 0.0

        @signal
        def play(self) -> None:
            self.purse += LUCK["random"]()

    with pytest.raises(WorldFailed, match="Gambler"):
        World(0, entities=[Gambler]).run(200)


LUCK = {"random": random.SystemRandom().random}

# ---- strangers ---------------------------------------------------------------------------------------

Cents = NewType("Cents", int)


class Colour(Enum):
    RED = 1
    BLUE = 2


class Pair(NamedTuple):
    left: int
    right: str | None


@define
class Tree:
    name: str
    colour: Colour
    below: list[Tree]
    best: Tree | None = None


@entity
class Museum:
    seen: int = 0

    @signal
    def show(
        self,
        number: float,
        flag: bool,
        data: bytes,
        when: datetime,
        long: timedelta,
        id_: UUID,
        price: Decimal,
        cents: Cents,
    ) -> None:
        self.seen += 1

    @update
    def nest(
        self,
        tree: Tree,
        words: dict[str, list[int]],
        some: set[Colour],
        pair: tuple[int, str],
        many: tuple[int, ...],
        *,
        how: Literal["a", "b"],
    ) -> Tree:
        self.seen += 1
        return tree

    @query
    def count(self) -> int:
        return self.seen


def test_strangers_send_whatever_type_hints_allow() -> None:
    """Of every type that can be declared."""
    report = World(0, entities=[Museum]).run(3_000)
    assert min(report.counts[kind] for kind in ("sent", "told", "asked")) > 100


def test_what_is_drawn_has_its_type() -> None:
    """Again and again the same from the same dice, and nested only so deep."""
    for number in range(200):
        tree = drawn.draw(Tree, Dice(number, "trees"))
        assert tree == drawn.draw(Tree, Dice(number, "trees"))
        assert isinstance(tree, Tree)
    assert drawn.draw(datetime, Dice(0, "times")).tzinfo is UTC
    assert isinstance(drawn.draw(Pair, Dice(0, "pairs")), Pair)
    with pytest.raises(UsageError, match="nothing can be drawn of the type"):
        drawn.draw(Callable[[], int], Dice(0, "functions"))
