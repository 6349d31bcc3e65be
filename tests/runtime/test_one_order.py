"""Many callers at once, and a disk that fails between: is what each was told possible in one order?

Every append has a token of its own and is answered with its place; every question tells how many there are,
and the last of them.  So the order is known for each actor, and whoever was told something knows its place in
it.  What was told before another call began comes before it; that is all that linearizable means here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import pytest
import trio
from attrs import field

from actorflow import ActorflowError, NotAccepted, NotStarted, Runtime, Unknown, entity, query, signal, update
from actorflow._runtime.writer import Writer, Written, write
from persistence import FaultyJournal, Stopped
from tests.faults.counting import tried

from .drive import holding

CALLERS = 8
CALLS = 12
KEYS = ("a", "b")
COURSES = 50
LIVES = 3
OPEN = -1
"""The place of what nobody was told of: it may have happened or not."""


@entity
class Book:
    """Lines, in the order in which they were written."""

    lines: list[str] = field(factory=list[str])

    @update
    def append(self, token: str) -> int:
        self.lines.append(token)
        return len(self.lines)

    @signal
    def note(self, token: str) -> None:
        self.lines.append(token)

    @query
    def last(self) -> tuple[int, str]:
        return len(self.lines), self.lines[-1] if self.lines else ""


class Told(NamedTuple):
    """What one call came to."""

    key: str
    writes: bool
    token: str
    """What was written, or found at the end."""
    place: int
    """Which line that is; OPEN where nobody knows, 0 where it was acknowledged without a place."""
    began: int
    ended: int


class Callers:
    """Call without pause, and keep what they were told, with a clock that counts what happens."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.told: list[Told] = []
        self.count = 0

    def tick(self) -> int:
        self.count += 1
        return self.count

    async def work(self, runtime: Runtime, name: str) -> None:
        for n in range(CALLS):
            with trio.CancelScope() as scope:
                if self.chance.random() < 0.1:
                    scope.deadline = trio.current_time()  # gives up, at the first await or at a later one
                if not await self._call(runtime, f"{name}.{n}", self.chance.choice(KEYS)):
                    return

    async def _call(self, runtime: Runtime, token: str, key: str) -> bool:
        """One call; False once the runtime has stopped."""
        book, began = runtime.actor(Book, key), self.tick()
        kind = self.chance.choice(("append", "append", "note", "ask"))
        writes, place, taken = kind != "ask", OPEN, True
        try:
            if kind == "append":
                place = await book.update(Book.append, token)
            elif kind == "note":
                await book.signal(Book.note, token)
                place = 0
            else:
                place, token = await book.query(Book.last)
        except NotStarted:
            place, token = 0, ""
        except NotAccepted:
            taken = False  # so it is nowhere
            return False
        except Unknown:
            return False
        finally:
            if taken and (writes or place != OPEN):
                self.told.append(Told(key, writes, token, place, began, self.tick()))
        return True


def wrong(told: list[Told], books: dict[str, list[str]]) -> list[str]:
    """What cannot be, given the order in which the lines stand."""
    found: list[str] = []
    by_key: dict[str, list[Told]] = defaultdict(list)
    for one in told:
        by_key[one.key].append(one)
    for key, ones in by_key.items():
        places = {token: place for place, token in enumerate(books[key], 1)}
        if len(places) != len(books[key]):
            found.append(f"{key} has something twice")
        sent = {one.token for one in ones if one.writes}
        found += [f"{key} has {token}, which nobody sent" for token in places if token not in sent]
        found += _out_of_order(ones, places)
    return found


def _out_of_order(ones: list[Told], places: dict[str, int]) -> Iterator[str]:
    """One pass in order of time: no call has a place before one that was told before it began."""
    reached = 0
    known: dict[int, int] = {}
    for _, one in sorted([(one.began, one) for one in ones] + [(one.ended, one) for one in ones]):
        if one.began not in known:
            known[one.began] = reached
            continue
        place = places.get(one.token, one.place) if one.writes and one.place <= 0 else one.place
        if one.place != OPEN and place != places.get(one.token, 0):
            yield f"{one} was told, and there is {places.get(one.token, 'nothing')}"
        if place != OPEN and place < known[one.began] + one.writes:
            yield f"{one} has place {place}, and began when {known[one.began]} was known"
        if one.place != OPEN:
            reached = max(reached, place)


async def _course(seed: int, *, fails: bool = True) -> list[str]:
    """Several lives of one journal, whose disk fails between; what is wrong with what was told."""
    chance = Random(seed)
    callers = Callers(seed)
    journal = FaultyJournal()
    for life in range(LIVES):
        if fails and life < LIVES - 1:
            journal.fail_at(len(journal.history) + chance.randrange(2, 12), kept=chance.choice((True, False)))
        try:
            async with Runtime(journal, entities=[Book]) as runtime, trio.open_nursery() as nursery:
                for n in range(CALLERS):
                    nursery.start_soon(callers.work, runtime, f"{life}.{n}")
        except* Stopped:
            pass
        journal = holding(journal.history)
    async with Runtime(journal, entities=[Book]) as runtime:
        books = {}
        for key in KEYS:
            book = runtime.actor(Book, key)
            books[key] = (await book.at((await book.describe()).seq)).state.lines
    return wrong(callers.told, books)


async def test_what_callers_were_told_fits_one_order(seed: int, effort: int) -> None:
    """For each actor there is an order in which every answer is right, and no call precedes what was told."""
    for number in range(COURSES * effort):
        with trio.fail_after(30):
            assert await _course(seed + number) == [], f"seed {seed + number}"
        tried()


def _tells_early(self: Writer) -> None:
    """A writer that says so before it writes, and finds out afterwards."""
    failure: BaseException | None = None
    while (frame := self._frames.get()) is not None:
        self._tell(Written(frame, failure, room=1 << 30))
        if failure is not None:
            return
        try:
            write(self._journal, frame)
        except Stopped as error:
            failure = error


async def test_a_runtime_that_tells_too_early_is_noticed(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """The control: where callers are told before the commit, and the disk then fails, no order fits."""
    monkeypatch.setattr(Writer, "_run", _tells_early)
    with trio.fail_after(30):
        for number in range(50):
            noticed = False
            try:
                noticed = bool(await _course(seed + number))
            except* ActorflowError:  # what was told is built upon, and records are missing
                noticed = True
            if noticed:
                return
    pytest.fail("nobody has noticed")


A, B = Told("a", True, "one", 1, 1, 2), Told("a", True, "two", 2, 3, 4)
STALE, LATER = Told("a", False, "", 0, 5, 6), Told("a", True, "three", 0, 5, 6)


@pytest.mark.parametrize(
    ("told", "lines", "complaint"),
    [
        ([A, B], ["two", "one"], "there is 2"),
        ([A, B], ["one"], "there is nothing"),
        ([A], ["one", "two"], "which nobody sent"),
        ([A], ["one", "one"], "twice"),
        ([A, B, Told("a", False, "one", 1, 5, 6)], ["one", "two"], "began when 2"),
        ([B, A._replace(place=OPEN, began=1, ended=9), STALE], ["one", "two"], "began when 2"),
        ([A, B._replace(place=0), LATER], ["one", "three", "two"], "began when 3"),
    ],
)
def test_what_fits_no_order_is_noticed(told: list[Told], lines: list[str], complaint: str) -> None:
    """The control: histories with a stale answer, one out of order, one lost, one repeated."""
    assert wrong([A, B], {"a": ["one", "two"]}) == []
    assert any(complaint in one for one in wrong(told, {"a": lines}))
