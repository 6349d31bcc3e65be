"""The small parts of the core by themselves: chance, once-ids, closing, faithfulness, waiting, limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from attrs import define, field, frozen

from actorflow import (
    ActorCompleted,
    DecodeError,
    HandlerFailed,
    LimitExceeded,
    Limits,
    NondeterminismError,
    NotInHandler,
    NotStarted,
    UnknownHandler,
    UsageError,
    activity,
    callback,
    complete,
    entity,
    gather,
    info,
    logger,
    now,
    query,
    random,
    signal,
    sleep,
    start_child,
    timer,
    update,
    wait_until,
)
from actorflow._core import facts
from actorflow._core import step as core
from actorflow._core.chance import Chance
from actorflow._core.facts import Input
from actorflow._core.faithful import see_faithful
from actorflow._core.once import Ids
from actorflow._core.outstanding import crowded, stuck
from actorflow._core.snapshot import restore, snapshot
from actorflow.testing import Scenario
from tests.core.proof import prove, vacant

SECOND = timedelta(seconds=1)


# ---- chance --------------------------------------------------------------------------------------------


def test_chance_is_the_same_for_ever() -> None:
    """What a seed draws is pinned: a journal outlives the Python that wrote it."""
    chance = Chance(b"seed")
    letters = list("abcdefg")
    chance.shuffle(letters)
    drawn = (
        chance.bytes(4).hex(),
        chance.randint(1, 6),
        chance.randrange(10),
        chance.choice("xyz"),
        "".join(letters),
        chance.sample(range(100), 3),
        round(chance.random(), 6),
        round(chance.uniform(1, 2), 6),
    )
    assert drawn == ("84b6180d", 1, 2, "x", "fbdaecg", [42, 22, 83], 0.165069, 1.15308)


def test_chance_is_fair_enough() -> None:
    """Every face of a die comes up about as often."""
    chance = Chance(b"die")
    faces = [chance.randint(1, 6) for _ in range(6000)]
    assert all(850 < faces.count(face) < 1150 for face in range(1, 7))
    assert all(0 <= chance.random() < 1 for _ in range(100))


def test_chance_refuses_the_impossible() -> None:
    """There is nothing to draw from an empty range, and no more than there is."""
    chance = Chance(b"x")
    with pytest.raises(ValueError, match="no whole number"):
        chance.randrange(0)
    with pytest.raises(ValueError, match="cannot take 3 of 2"):
        chance.sample([1, 2], 3)


# ---- ids -----------------------------------------------------------------------------------------------


def test_ids_are_let_go_by_their_window_and_never_early() -> None:
    """At the byte bound what is over is let go; if nothing is, the new one is refused and none forgotten."""
    ids = Ids.within(timedelta(microseconds=100), 250)
    one = Input(facts.UPDATE, "buy")
    ids.admit("a", 1, one, b"d")
    ids.answer("a", 1, facts.OK, b"", 10)
    ids.admit("open", 2, one, b"d")
    ids.admit("b", 3, one, b"d")
    ids.answer("b", 3, facts.OK, b"", 60)
    assert ids.full(100)
    assert ids.find("a", 100) is not None
    assert not ids.full(110)
    assert (ids.find("a", 110), len(ids)) == (None, 2)
    assert ids.find("open", 10_000) is not None, "one without an answer is never over"
    ids.answer("b", 99, facts.OK, b"other", 60)
    assert ids.entries()["b"].body == b"", "another message has the id by now"
    ids.release("b", 99)
    ids.release("b", 3)
    ids.release("b")
    assert list(ids.entries()) == ["open"]


def test_what_an_id_costs_is_counted_with_its_answer_and_given_back() -> None:
    """Every byte of it, so that no life is full of ids that are long gone."""
    ids = Ids.within(timedelta(microseconds=100), 1_000)
    ids.admit("a", 1, Input(facts.UPDATE, "buy"), b"d")
    bare_ = ids.bytes_held
    ids.admit("bb", 2, Input(facts.UPDATE, "buys"), b"d")
    assert ids.bytes_held == 2 * bare_ + 2
    ids.answer("a", 1, facts.OK, b"x" * 50, 10)
    assert ids.bytes_held == 2 * bare_ + 52
    ids.answer("a", 1, facts.OK, b"x" * 30, 10)
    assert ids.bytes_held == 2 * bare_ + 32
    ids.release("bb")
    ids.release("a")
    assert (ids.bytes_held, len(ids)) == (0, 0)


@entity(
    limits=Limits(
        id_bytes=300, parked_messages=2, mailbox_messages=2, payload_bytes=200, timers=1, children=1
    )
)
class Small:
    """Everything is small."""

    n: int = 0

    @signal
    def add(self, text: str) -> None:
        self.n += 1

    @signal
    def bad(self) -> None:
        raise ValueError("bad")

    @update
    async def hold(self) -> int:
        await sleep(SECOND)
        return self.n

    @update
    def echo(self, times: int) -> str:
        return "x" * times

    @signal
    def two_timers(self) -> None:
        self.later(1).arm(after=SECOND)
        self.later(2).arm(after=SECOND)

    @signal
    def two_children(self) -> None:
        start_child(Small(), "a")
        start_child(Small(), "b")

    @signal
    def same_child(self) -> None:
        start_child(Small(), "a")
        start_child(Small(), "a")

    @timer
    def later(self, number: int) -> None:
        self.n += number

    @query
    def long(self) -> str:
        return "x" * 1000


def test_every_limit_is_a_typed_error_that_names_it() -> None:
    """Over a bound is an error that says which, and nothing of the message has happened."""
    small = Scenario(Small)
    small.once("a").signal(Small.add, "a")
    small.once("b").signal(Small.add, "b")
    small.once("c").signal(Small.add, "c")
    with pytest.raises(LimitExceeded, match="id_bytes=300"):
        small.once("d").signal(Small.add, "d")
    with pytest.raises(LimitExceeded, match="payload_bytes=200"):
        small.signal(Small.add, "x" * 300)
    with pytest.raises(LimitExceeded, match="payload_bytes=200"):
        _ = small.update(Small.echo, 500).value
    with pytest.raises(LimitExceeded, match="payload_bytes=200"):
        small.query(Small.long)
    small.signal(Small.two_timers)
    small.signal(Small.two_children)
    bounds = [one.error.split(" (")[1].partition(")")[0] for one in small.parked]
    assert bounds == ["timers=1", "children=1"]
    small.drop(small.parked[0].seq)
    small.signal(Small.same_child)
    assert "has started" in small.parked[-1].error or "already" in small.parked[-1].error
    small.drop(small.parked[0].seq)
    small.drop(small.parked[0].seq)
    small.update(Small.hold)
    small.signal(Small.add, "w")
    small.signal(Small.add, "w")
    with pytest.raises(LimitExceeded, match="mailbox_messages=2"):
        small.signal(Small.add, "w")
    prove(small)


def test_when_no_more_can_be_parked_the_mailbox_stops() -> None:
    """The signal that fails when enough are parked holds the mailbox until an operator has dealt with it."""
    small = Scenario(Small)
    small.start(Small())
    for _ in range(3):
        small.signal(Small.bad)
    small.signal(Small.add, "waits")
    assert (small.mailbox, small.state.n) == (["add"], 0)
    small.restart()
    small.drop(4)
    assert (small.mailbox, small.state.n) == ([], 1)
    prove(small)


def test_an_operator_names_what_is_parked() -> None:
    """A retry or drop of something else is refused."""
    small = Scenario(Small)
    small.signal(Small.bad)
    with pytest.raises(UsageError, match="has nothing parked under that number: 1"):
        small.drop(7)


# ---- who may be sent what, when ------------------------------------------------------------------------


@entity
class Owned:
    """Cannot begin with a message."""

    owner: str

    @signal
    def touch(self) -> None: ...

    @update
    def name(self) -> str:
        return self.owner

    @name.validator
    def _check(self) -> None:
        if self.owner == "nobody":
            raise ValueError("nobody is no owner")


def test_what_a_vacant_actor_refuses() -> None:
    """Without a life there is nothing to read or to end, and required fields need a start."""
    owned = Scenario(Owned)
    with pytest.raises(NotStarted, match="it needs a value for owner"):
        owned.signal(Owned.touch)
    with pytest.raises(NotStarted, match="nothing to end"):
        owned.cancel()
    with pytest.raises(NotStarted, match="no state to read"):
        Scenario(Small).query(Small.long)
    with pytest.raises(UsageError, match="no state yet"):
        _ = owned.state
    owned.start(Owned("me"))
    owned.start(Owned("you"), if_running="use")
    assert owned.update(Owned.name).value == "me"
    assert owned.status == "running"


def test_a_validator_refuses_before_anything_is_recorded() -> None:
    """What it raises is the answer, and there is no trace."""
    owned = Scenario(Owned)
    owned.start(Owned("nobody"))
    records = len(owned.records)
    with pytest.raises(HandlerFailed, match="nobody is no owner"):
        _ = owned.update(Owned.name).value
    assert len(owned.records) == records


def test_a_handler_of_another_kind_is_unknown() -> None:
    """A name has a kind; asking for another one says what there is."""
    actor = vacant(Small)
    with pytest.raises(UnknownHandler, match="no handler 'hold'; it has: add, bad"):
        core.step(actor, Input(facts.SIGNAL, "hold", b"\x90"), 1)
    with pytest.raises(UnknownHandler, match="no handler 'nope'; it has: long"):
        core.ask(actor, "nope", b"\x90", 1)
    core.step(actor, Input(facts.SIGNAL, "add", b"\x91\xa1a"), 1)
    with pytest.raises(UsageError, match="'maybe' is not a way in which an effect ends"):
        core.step(actor, Input(facts.RESOLVE, "maybe", ref=(1, 0)), 1)


def test_a_signal_from_inside_is_never_refused() -> None:
    """Its sender cannot be told any more: what cannot be taken is parked."""
    sender = ("Other", "o", 1, 0)
    actor = vacant(Small)
    unknown = core.step(actor, Input(facts.SIGNAL, "gone", b"\x90", sender=sender), 1)
    assert (unknown.outcome, list(actor.parked)) == (facts.PARKED, [1])
    core.step(actor, Input(facts.UPDATE, "hold", b"\x90"), 2)
    for _ in range(5):
        turn = core.step(actor, Input(facts.SIGNAL, "add", b"\x91\xa1a", sender=sender), 3)
        assert turn.outcome == facts.ADMITTED
    core.step(actor, Input(facts.TERMINATE), 4)
    with pytest.raises(ActorCompleted):
        core.step(actor, Input(facts.SIGNAL, "add", b"\x91\xa1a"), 5)
    late = core.step(actor, Input(facts.SIGNAL, "add", b"\x91\xa1a", sender=sender), 5)
    assert late.outcome == facts.PARKED


def test_a_clock_that_goes_back_is_not_followed() -> None:
    """Turns never have an earlier time than the one before, and nothing ends early."""
    actor = vacant(Small)
    turn = core.step(actor, Input(facts.UPDATE, "hold", b"\x90"), 5_000_000)
    early = core.step(actor, Input(facts.RESOLVE, facts.OK, ref=(turn.seq, 0)), 1_000_000)
    assert (early.fate, actor.now) == ("ignore", 5_000_000)
    assert core.advance(actor, 1_000_000) is None
    woken = core.step(actor, Input(facts.RESOLVE, facts.OK, ref=(turn.seq, 0)), 6_000_000)
    assert getattr(woken.effects[-1], "outcome", "") == facts.OK


# ---- faithfulness, limits of a run, what waits ---------------------------------------------------------


@frozen
class Point:
    """A value."""

    x: float


@dataclass(frozen=True)
class Spot:
    """A value of the other kind."""

    x: float


@define
class Bag:
    """Holds things."""

    points: list[Point] = field(factory=list)
    items: dict[str, list[int]] = field(factory=dict)
    at: datetime | None = None


def test_a_faithful_state_passes() -> None:
    """What comes back as it is raises nothing, also where an immutable value is held twice."""
    point = Point(1.0)
    see_faithful(Bag([point, point], {"a": [1]}), Bag([Point(1.0), Point(1.0)], {"a": [1]}), "Bag")
    spot = Spot(1.0)
    see_faithful([spot, spot, (spot,), (spot,)], [spot, spot, (spot,), (spot,)], "spots")


def test_an_unfaithful_state_is_named() -> None:
    """Another type, a zone that is an offset, one object twice: each says where."""
    with pytest.raises(NondeterminismError, match=r"Bag\.points\[0\]\.x uses int where float is stored"):
        see_faithful(Bag([Point(1)]), Bag([Point(1.0)]), "Bag")
    berlin = datetime(2026, 7, 1, tzinfo=ZoneInfo("UTC"))
    with pytest.raises(NondeterminismError, match=r"Bag\.at uses the time zone UTC"):
        see_faithful(Bag(at=berlin), Bag(at=berlin.astimezone(UTC)), "Bag")
    shared = [1]
    with pytest.raises(NondeterminismError, match=r"the object that is also Bag\.items\['[ab]'\]"):
        see_faithful(Bag(items={"a": shared, "b": shared}), Bag(items={"a": [1], "b": [1]}), "Bag")


def test_half_a_run_is_warned_of() -> None:
    """What keeps a run from closing is named when the run is half full."""

    @entity(limits=Limits(run_records=10, continue_records=5))
    class Door:
        opened: bool = False
        knocks: int = 0

        @signal(interleave=True)
        def knock(self) -> None:
            self.knocks += 1

        @update
        async def enter(self) -> None:
            await wait_until(lambda: self.opened)

    actor = vacant(Door)
    assert crowded(actor) is None
    core.step(actor, Input(facts.UPDATE, "enter", b"\x90"), 1)
    for _ in range(3):
        core.step(actor, Input(facts.SIGNAL, "knock", b"\x90"), 1)
    assert crowded(actor) is None
    core.step(actor, Input(facts.SIGNAL, "knock", b"\x90"), 1)
    warning = crowded(actor)
    assert warning is not None
    assert warning.holders == ("Door.enter",) or warning.holders[0].endswith("Door.enter")
    assert stuck(actor) is None, "knock may come between"


@activity
async def fetch(number: int) -> int:
    """Ask the world."""
    return number


def test_main_names_are_for_handlers() -> None:
    """Called elsewhere, each says that there is no actor."""
    for call in (now, info, random, complete, lambda: callback(int, timeout=None), gather):
        with pytest.raises(NotInHandler, match="there is no actor around this call"):
            call()


def test_a_handler_that_cannot_wait_says_so() -> None:
    """A plain def that asks for a callback is told to be an async def."""

    @entity
    class Plain:
        token: str = ""

        @signal
        def ask(self) -> None:
            self.token = callback(int, timeout=None).token

    plain = Scenario(Plain)
    plain.signal(Plain.ask)
    assert "a handler that is not `async def` cannot wait" in plain.parked[0].error


def test_a_snapshot_of_another_form_is_refused() -> None:
    """Damaged or newer bytes are a ``DecodeError`` that says so."""
    actor = vacant(Small)
    core.step(actor, Input(facts.SIGNAL, "add", b"\x91\xa1a"), 1)
    taken = snapshot(actor)
    codec = actor.spec.codec
    parts, mailbox, parked = codec.unpack(taken)
    plain = list(codec.unpack(parts))
    for damaged in (
        b"\x05",
        codec.pack((b"\x05", mailbox, parked)),
        codec.pack((codec.pack([1, 1, b""]), (), ())),
    ):
        with pytest.raises(DecodeError):
            restore(vacant(Small), damaged)
    plain[1] = 99
    with pytest.raises(DecodeError, match="engine 99"):
        restore(vacant(Small), codec.pack((codec.pack(plain), mailbox, parked)))
    plain[1], plain[3] = 1, 77
    with pytest.raises(DecodeError, match="there is no phase 77"):
        restore(vacant(Small), codec.pack((codec.pack(plain), mailbox, parked)))


def test_the_logger_is_silent_in_replay(caplog: pytest.LogCaptureFixture) -> None:
    """Each line is said once, by the actor that says it."""

    @entity
    class Speaker:
        n: int = 0

        @signal
        def say(self) -> None:
            self.n += 1
            logger.warning("hello %d", self.n)

    speaker = Scenario(Speaker, "s-1")
    speaker.signal(Speaker.say)
    speaker.signal(Speaker.say)
    speaker.restart()
    assert [record.getMessage() for record in caplog.records] == [
        "Speaker 's-1': hello 1",
        "Speaker 's-1': hello 2",
    ]
    assert caplog.records[0].__dict__["key"] == "s-1"
    logger.warning("outside")
    assert caplog.records[-1].getMessage() == "outside"
