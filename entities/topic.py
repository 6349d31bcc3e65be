"""What a topic knows: who has subscribed, and how much was published.  What comes of that is up to others."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import Final, assert_never

from attrs import field, frozen

from actorflow import (
    ActorCompleted,
    ActorflowError,
    Refused,
    actor,
    complete,
    entity,
    gather,
    info,
    query,
    signal,
    timer,
    update,
)

__all__ = ["Kind", "Notice", "Points", "Short", "Sold", "Stockroom", "Subscriber", "Till", "Topic"]

SUBSCRIBERS_MAX: Final = 1_000
SWEEP: Final = timedelta(days=1)
SWEEP_AFTER: Final = 500
"""After so many notices all are asked at once: what is sent to one that has ended is kept there, parked."""
NOW: Final = timedelta(0)
PATIENCE: Final = timedelta(seconds=10)
ASKED_AT_A_TIME: Final = 20
LOW: Final = 2
SHOWN_MAX: Final = 50


# ---- what can be heard, and by whom: put your own here -----------------------------------------------


@frozen
class Sold:
    """Somebody has bought one of a thing."""

    sku: str
    customer: str
    cents: int


@frozen
class Short:
    """There is little left of a thing."""

    sku: str
    left: int


@frozen
class Notice:
    """Something that has happened, as a subscriber hears of it."""

    topic: str
    number: int
    """Counts over the topic: a subscriber hears them in this order, and leaves none out."""
    publisher: str
    what: Sold | Short


class Kind(Enum):
    """Who can subscribe."""

    STOCKROOM = "stockroom"
    POINTS = "points"


@frozen
class Subscriber:
    """One that wants to hear."""

    kind: Kind
    key: str


def tell(who: Subscriber, notice: Notice) -> None:
    """Send a notice; never waits, and arrives exactly once."""
    match who.kind:
        case Kind.STOCKROOM:
            actor(Stockroom, who.key).signal(Stockroom.hear, notice)
        case Kind.POINTS:
            actor(Points, who.key).signal(Points.hear, notice)
        case _:
            assert_never(who.kind)


async def listens(who: Subscriber, topic: str) -> bool:
    """Ask whether it still wants to hear."""
    match who.kind:
        case Kind.STOCKROOM:
            return await actor(Stockroom, who.key).within(PATIENCE).update(Stockroom.listens, topic)
        case Kind.POINTS:
            return await actor(Points, who.key).within(PATIENCE).update(Points.listens, topic)
        case _:
            assert_never(who.kind)


# ---- the topic ---------------------------------------------------------------------------------------


@entity
class Topic:
    """Passes on what is published to everybody who has subscribed."""

    subscribers: list[Subscriber] = field(factory=list[Subscriber])
    published: int = 0
    dropped: int = 0

    @update
    def subscribe(self, who: Subscriber) -> int:
        """Hear what is published from now on; gives the number of the notice before the first."""
        if who not in self.subscribers:
            if len(self.subscribers) >= SUBSCRIBERS_MAX:
                raise Refused(f"{SUBSCRIBERS_MAX} have subscribed")
            self.subscribers.append(who)
            if self.sweep().due is None:
                self.sweep().arm(after=SWEEP)
        return self.published

    @signal
    def unsubscribe(self, who: Subscriber) -> None:
        """Hear no more."""
        if who in self.subscribers:
            self.subscribers.remove(who)

    @signal
    def publish(self, publisher: str, what: Sold | Short) -> None:
        """Tell everybody.  One that fails to take it has it parked, and keeps nobody else from it."""
        self.published += 1
        notice = Notice(info().key, self.published, publisher, what)
        for who in self.subscribers:
            tell(who, notice)
        if self.published % SWEEP_AFTER == 0:
            self.sweep().arm(after=NOW)

    @query
    def heard_by(self) -> list[Subscriber]:
        return self.subscribers

    @query
    def count(self) -> int:
        """How much was published."""
        return self.published

    # Who ends says so, in the turn in which it ends.  One that was ended by force, or forgot, is found here.

    @timer(interleave=True)
    async def sweep(self) -> None:
        """Ask all whether they still listen, while publishing goes on."""
        self.sweep().arm(after=SWEEP)  # first, whatever becomes of this
        asked = list(self.subscribers)
        answers = await gather(*(self._asks(who) for who in asked), at_most=ASKED_AT_A_TIME)
        for who, there in zip(asked, answers, strict=True):
            if not there and who in self.subscribers:
                self.subscribers.remove(who)
                self.dropped += 1
        if not self.subscribers:
            self.sweep().cancel()

    async def _asks(self, who: Subscriber) -> bool:
        try:
            return await listens(who, info().key)
        except ActorCompleted:
            return False
        except (ActorflowError, TimeoutError):
            return True  # it is busy, or in trouble; nobody is forgotten for that


# ---- two that hear, and one that publishes -----------------------------------------------------------


@entity
class Stockroom:
    """Things on shelves."""

    left: dict[str, int] = field(factory=dict[str, int])
    topics: list[str] = field(factory=list[str])

    @update
    async def follow(self, topic: str) -> None:
        """Hear of sales."""
        self.topics.append(topic)  # first: the topic may ask about it before it answers
        await actor(Topic, topic).update(Topic.subscribe, Subscriber(Kind.STOCKROOM, info().key))

    @signal
    def stock(self, sku: str, quantity: int) -> None:
        self.left[sku] = self.left.get(sku, 0) + quantity

    @signal
    def hear(self, notice: Notice) -> None:
        """From a topic."""
        match notice.what:
            case Sold(sku=sku):
                left = self.left[sku] = self.left.get(sku, 0) - 1
                if left == LOW:
                    actor(Topic, notice.topic).signal(Topic.publish, info().key, Short(sku, left))
            case Short():
                pass  # its own

    @update(interleave=True)
    def listens(self, topic: str) -> bool:
        """From a topic: still?"""
        return topic in self.topics

    @query
    def shelf(self) -> dict[str, int]:
        return self.left


@entity
class Points:
    """What a customer has collected: one for each euro."""

    points: int = 0
    topics: list[str] = field(factory=list[str])
    newest: list[Notice] = field(factory=list[Notice])

    @update
    async def follow(self, topic: str) -> None:
        """Hear of sales."""
        self.topics.append(topic)
        await actor(Topic, topic).update(Topic.subscribe, Subscriber(Kind.POINTS, info().key))

    @signal
    def hear(self, notice: Notice) -> None:
        """From a topic."""
        self.newest = [*self.newest, notice][-SHOWN_MAX:]
        match notice.what:
            case Sold(customer=customer, cents=cents) if customer == info().key:
                self.points += cents // 100
            case _:
                pass

    @update(interleave=True)
    def listens(self, topic: str) -> bool:
        """From a topic: still?"""
        return topic in self.topics

    @update
    def close(self) -> int:
        """Collect no more; gives what there is."""
        for topic in self.topics:
            actor(Topic, topic).signal(Topic.unsubscribe, Subscriber(Kind.POINTS, info().key))
        complete(self.points)  # in the same turn: either both or none
        return self.points

    @query
    def total(self) -> int:
        return self.points

    @query
    def news(self) -> list[Notice]:
        """The newest that was heard."""
        return self.newest


@entity
class Till:
    """Where things are sold."""

    sales: int = 0

    @update
    def sell(self, sku: str, customer: str, cents: int) -> int:
        """Sell one of a thing; gives the number of the sale.  Who is to know of it is none of its affair."""
        self.sales += 1
        actor(Topic, "sales").signal(Topic.publish, info().key, Sold(sku, customer, cents))
        return self.sales

    @query
    def sold(self) -> int:
        """How many sales there were."""
        return self.sales
