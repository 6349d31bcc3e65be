"""The story of a topic: who publishes knows nobody, who has subscribed hears everything once and in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trio

from actorflow import ActorCompleted, Refused, Runtime
from actorflow.testing import Scenario
from entities.topic import (
    SUBSCRIBERS_MAX,
    SWEEP,
    Kind,
    Notice,
    Points,
    Short,
    Sold,
    Stockroom,
    Subscriber,
    Till,
    Topic,
)
from persistence import MemoryJournal
from tests.domain.props import Clock, cut_off, until

CARD7 = Subscriber(Kind.POINTS, "card7")
NORTH = Subscriber(Kind.STOCKROOM, "north")
APPLE = Sold("apple", "card7", 250)
EVERYBODY = [Topic, Stockroom, Points, Till]


@pytest.fixture
def topic() -> Scenario[Topic]:
    """A topic of which a customer and a stockroom want to hear."""
    opened = Scenario(Topic, "sales")
    assert opened.update(Topic.subscribe, CARD7).value == 0
    assert opened.update(Topic.subscribe, NORTH).value == 0
    return opened


# ---- the topic alone ---------------------------------------------------------------------------------


def test_everybody_is_told_in_one_turn(topic: Scenario[Topic]) -> None:
    """What is published is sent to all with the turn that counts it: no crash comes between."""
    topic.signal(Topic.publish, "till-1", APPLE)
    assert [(sent.key, sent.handler) for sent in topic.sent] == [("card7", "hear"), ("north", "hear")]
    topic.restart()
    topic.signal(Topic.publish, "till-2", APPLE)
    assert topic.state.published == 2


def test_subscribing_again_changes_nothing(topic: Scenario[Topic]) -> None:
    """Nobody hears anything twice for having asked twice."""
    topic.update(Topic.subscribe, CARD7)
    topic.signal(Topic.publish, "till-1", APPLE)
    assert [sent.key for sent in topic.sent] == ["card7", "north"]
    topic.signal(Topic.unsubscribe, CARD7)
    topic.signal(Topic.unsubscribe, CARD7)
    topic.signal(Topic.publish, "till-1", APPLE)
    assert [sent.key for sent in topic.sent] == ["north"]


def test_subscribers_are_bounded() -> None:
    """One more than a topic can tell in a turn is refused, and hears that."""
    topic = Scenario(Topic, "sales")
    full = [Subscriber(Kind.POINTS, f"customer-{number}") for number in range(SUBSCRIBERS_MAX)]
    topic.start(Topic(subscribers=full))
    with pytest.raises(Refused, match=str(SUBSCRIBERS_MAX)):
        _ = topic.update(Topic.subscribe, CARD7).value
    topic.signal(Topic.publish, "till-1", APPLE)
    assert len(topic.sent) == SUBSCRIBERS_MAX


def test_who_has_gone_is_found_out(topic: Scenario[Topic]) -> None:
    """Once a day all are asked; who has ended, or begun anew, is dropped; who only takes long stays."""
    topic.update(Topic.subscribe, Subscriber(Kind.POINTS, "card8"))
    topic.advance(SWEEP)
    asked = [one for one in topic.waiting if one.kind == "update"]
    assert [one.name for one in asked] == [
        "Points 'card7'.listens",
        "Stockroom 'north'.listens",
        "Points 'card8'.listens",
    ]
    topic.fail(asked[0], ActorCompleted("Points 'card7'", "completed"))
    topic.signal(Topic.publish, "till-1", APPLE)  # goes on meanwhile
    assert [sent.key for sent in topic.sent] == ["card7", "north", "card8"]
    topic.restart()
    topic.answer(asked[1], value=False)
    topic.time_out(asked[2])
    assert topic.query(Topic.heard_by) == [Subscriber(Kind.POINTS, "card8")]
    assert topic.state.dropped == 2
    topic.signal(Topic.unsubscribe, Subscriber(Kind.POINTS, "card8"))
    topic.advance(3 * SWEEP)
    assert topic.waiting == []


def test_much_news_is_a_reason_to_ask(topic: Scenario[Topic], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where much is published all are asked sooner, so that who has ended is not sent things for a day."""
    monkeypatch.setattr("entities.topic.SWEEP_AFTER", 3)
    for _ in range(3):
        assert [one for one in topic.waiting if one.kind == "update"] == []
        topic.signal(Topic.publish, "till-1", APPLE)
        topic.advance(timedelta(0))
    for one in [one for one in topic.waiting if one.kind == "update"]:
        topic.fail(one, ActorCompleted("one of them", "completed"))
    assert topic.query(Topic.heard_by) == []


# ---- those who hear ----------------------------------------------------------------------------------


def test_a_shelf_that_runs_low_is_published() -> None:
    """Who hears may publish in turn, once for each time that it becomes so."""
    room = Scenario(Stockroom, "north")
    room.signal(Stockroom.stock, "apple", 4)
    sent = []
    for number in range(3):
        room.signal(Stockroom.hear, Notice("sales", number, "till-1", APPLE))
        sent += room.sent
    assert [(one.key, one.arguments[0]) for one in sent] == [("sales", "north")]
    assert room.query(Stockroom.shelf) == {"apple": 1}


def test_who_ends_says_so() -> None:
    """A customer who leaves unsubscribes in the turn in which it ends."""
    card7 = Scenario(Points, "card7")
    following = card7.update(Points.follow, "sales")
    card7.answer(Topic.subscribe, 7)
    assert following.value is None
    card7.signal(Points.hear, Notice("sales", 8, "till-1", APPLE))
    assert card7.update(Points.close).value == 2
    assert [(sent.key, sent.handler) for sent in card7.sent] == [("sales", "unsubscribe")]
    assert card7.status == "completed"


# ---- all of them, in a runtime -----------------------------------------------------------------------


async def test_a_sale_has_consequences(seed: int) -> None:
    """A till knows neither customers nor shelves; each hears every sale once, restarts or not."""
    journal = MemoryJournal()
    async with Runtime(journal, entities=EVERYBODY, strict=True) as runtime:
        north = runtime.actor(Stockroom, "north")
        await north.signal(Stockroom.stock, "apple", 30)
        await north.update(Stockroom.follow, "sales")
        for customer in ("card7", "card8"):
            await runtime.actor(Points, customer).update(Points.follow, "sales")
    for round_ in range(3):
        async with (
            Runtime(journal, entities=EVERYBODY, strict=True) as runtime,
            trio.open_nursery() as nursery,
        ):
            for till in range(3):
                nursery.start_soon(sells, runtime, f"till-{till}", round_)
    async with Runtime(journal, entities=EVERYBODY, strict=True) as runtime:
        north, card7 = runtime.actor(Stockroom, "north"), runtime.actor(Points, "card7")
        shelf = await until(lambda: north.query(Stockroom.shelf), lambda shelf: shelf["apple"] <= 3)
        assert shelf == {"apple": 30 - 27}
        assert await until(lambda: card7.query(Points.total), lambda points: points >= 54) == 27 * 2
        assert await runtime.actor(Points, "card8").query(Points.total) == 0
        await runtime.actor(Till, "till-0").update(Till.sell, "apple", "card8", 100)
        await until(lambda: north.query(Stockroom.shelf), lambda shelf: shelf["apple"] == 2)
        topic = runtime.actor(Topic, "sales")
        assert await until(lambda: topic.query(Topic.count), lambda count: count >= 29) == 29
        news = await until(lambda: card7.query(Points.news), lambda news: len(news) >= 29)
        assert (news[-1].publisher, news[-1].what) == ("north", Short("apple", 2))


async def sells(runtime: Runtime, till: str, round_: int) -> None:
    """Sell three apples to Ann, asking for each sale twice."""
    for number in range(3):
        for _ in range(2):
            await (
                runtime.actor(Till, till)
                .once(f"{round_}-{number}")
                .update(Till.sell, "apple", "card7", 250 + number)
            )


async def test_all_hear_the_same_in_the_same_order() -> None:
    """From each publisher in its order; over all of them in one order, which is the same for everybody."""
    journal = MemoryJournal()
    customers = [f"customer-{number}" for number in range(5)]
    async with Runtime(journal, entities=EVERYBODY, strict=True) as runtime:
        for customer in customers:
            await runtime.actor(Points, customer).update(Points.follow, "sales")
        async with trio.open_nursery() as nursery:
            for till in range(4):
                nursery.start_soon(sells, runtime, f"till-{till}", 0)
        heard = [await hears(runtime, customer, 12) for customer in customers]
    assert [notice.number for notice in heard[0]] == list(range(1, 13))
    assert heard == heard[:1] * len(customers)
    for number in range(4):
        cents = [
            one.what.cents
            for one in heard[0]
            if one.publisher == f"till-{number}"
            if isinstance(one.what, Sold)
        ]
        assert cents == [250, 251, 252]


async def hears(runtime: Runtime, customer: str, count: int) -> list[Notice]:
    """What a customer hears, once that is so many notices."""
    points = runtime.actor(Points, customer)
    return await until(lambda: points.query(Points.news), lambda news: len(news) >= count)


async def test_who_is_ended_by_force_is_dropped() -> None:
    """An operator terminates a customer: what is published is parked there, until the sweep drops it."""
    journal, clock = MemoryJournal(), Clock(datetime(2026, 1, 1, tzinfo=UTC))
    async with Runtime(journal, entities=EVERYBODY, strict=True, clock=clock) as runtime:
        card7 = runtime.actor(Points, "card7")
        await card7.update(Points.follow, "sales")
        await runtime.actor(Points, "card8").update(Points.follow, "sales")
        await card7.terminate()
        await runtime.actor(Till, "till-0").update(Till.sell, "apple", "card7", 250)
        parked = await until(card7.parked, bool)
        assert [one.handler for one in parked] == ["hear"]
    clock.at += SWEEP
    async with Runtime(journal, entities=EVERYBODY, strict=True, clock=clock) as runtime:
        topic = runtime.actor(Topic, "sales")
        left = await until(lambda: topic.query(Topic.heard_by), lambda who: len(who) == 1)
        assert left == [Subscriber(Kind.POINTS, "card8")]
        assert await runtime.actor(Points, "card8").update(Points.close) == 0
        assert await until(lambda: topic.query(Topic.heard_by), lambda who: not who) == []


async def test_no_crash_loses_or_doubles_a_notice() -> None:
    """Wherever the log ends, once it is opened again everybody comes to hear what was published, once."""
    journal = MemoryJournal()
    async with Runtime(journal, entities=EVERYBODY, strict=True) as runtime:
        await runtime.actor(Points, "card7").update(Points.follow, "sales")
        begun = len(list(journal.frames()))
        async with trio.open_nursery() as nursery:
            for till in range(3):
                nursery.start_soon(sells, runtime, f"till-{till}", 0)
        frames = [frame for _, frame in journal.frames()]
    assert len(frames) > begun
    for length in range(begun, len(frames) + 1):
        async with Runtime(cut_off(frames[:length]), entities=EVERYBODY, strict=True) as runtime:
            sales = 0
            for one in await runtime.list(Till):
                sales += await runtime.actor(Till, one.key).query(Till.sold)
            news = await hears(runtime, "card7", sales)
            assert [notice.number for notice in news] == list(range(1, sales + 1)), f"after frame {length}"
            assert await runtime.actor(Points, "card7").query(Points.total) == 2 * sales
            assert await runtime.actor(Topic, "sales").query(Topic.count) == sales
