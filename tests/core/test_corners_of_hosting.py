"""What a host may rely on: names that were renamed, validators, queries, several signals that go together."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import field

import actorflow as af
from actorflow import Limits, entity, query, signal, update
from actorflow._core import facts
from actorflow._core import step as core
from actorflow._core.facts import Input
from actorflow._core.image import differences, image
from actorflow._core.step import accept, examine, step
from actorflow.testing import Scenario
from tests.core.proof import bare, prove, run, sent
from tests.core.shop import act


@entity(limits=Limits(mailbox_messages=1, run_records=20))
class Shop:
    """A bit of everything, some of it renamed."""

    log: list[str] = field(factory=list)
    limit: int = 3

    @signal(aliases=["put"])
    def add(self, what: str) -> None:
        self.log.append(what)

    @signal
    async def hold(self) -> None:
        await act(1)

    @signal
    async def faulty(self) -> None:
        await act(1)
        self.log.append("half")
        await Foreign()

    @update
    def buy(self, count: int) -> int:
        self.log.append(str(count))
        return count

    @buy.validator
    def _check(self, count: int) -> None:
        if count == 0:
            raise af.DecodeError("the shelf", "it is damaged")
        if count > self.limit:
            raise af.Refused(f"at most {self.limit}")

    @query
    def total(self) -> int:
        return len(self.log)


class Foreign:
    """What belongs to another event loop."""

    def __await__(self) -> Any:
        yield "not ours"


@entity
class Owned:
    """Cannot begin with a message."""

    owner: str

    @signal
    def touch(self) -> None:
        """Nothing."""


# ---- names -------------------------------------------------------------------------------------------------


def test_a_message_under_an_old_name_reaches_the_handler_of_today() -> None:
    """It is recorded under the present name, and its id is the same id under both."""
    shop = bare(Shop)
    old = sent(Shop.add, "a", id_="i")._replace(name="put")
    (turn,) = run(shop, old)
    assert turn.record is not None
    recorded = shop.spec.codec.unpack_record(turn.record).input
    assert recorded is not None
    assert recorded.name == "add"
    assert step(shop, sent(Shop.add, "a", id_="i"), 0).fate == core.ANSWER
    assert step(shop, old, 0).fate == core.ANSWER
    assert shop.state.log == ["a"]


# ---- validators and queries --------------------------------------------------------------------------------


def test_a_validator_sees_the_state_that_a_first_message_would_begin_with() -> None:
    """A refusal gives birth to nobody; the first update that passes does."""
    shop = Scenario(Shop)
    with pytest.raises(af.Refused, match="at most 3"):
        _ = shop.update(Shop.buy, 4).value
    assert (shop.status, shop.records) == ("vacant", [])
    assert shop.update(Shop.buy, 2).value == 2
    prove(shop)


def test_arguments_that_no_longer_fit_are_told_before_the_validator_runs() -> None:
    """The parameters have changed under a caller: it is told ``WrongArgument``, and there is no trace."""
    shop = bare(Shop, strict=True)
    run(shop, sent(Shop.add, "a"))
    before = image(shop)
    for body in (b"\x91\xa4text", b"\x90", b"\x92\x01\x02"):
        turn = step(shop, Input(facts.UPDATE, "buy", body, "id"), 5)
        assert (turn.fate, turn.outcome, turn.how, turn.record) == ("answer", facts.REFUSED, "failed", None)
        assert shop.spec.codec.unpack(turn.body)[1] == "WrongArgument"
    assert differences(image(shop), before) == []


def test_a_fault_in_a_validator_is_nobodys_refusal() -> None:
    """The caller did nothing wrong: the host is told, and there is no trace."""
    shop = bare(Shop)
    run(shop, sent(Shop.add, "a"))
    before = image(shop)
    with pytest.raises(af.DecodeError, match="it is damaged"):
        step(shop, sent(Shop.buy, 0), 0)
    assert differences(image(shop), before) == []


def test_a_query_is_answered_without_a_guard_and_with_one() -> None:
    """Strict mode watches queries too, and lets go of its watch, also when the query fails."""
    watched: list[str] = []

    def guard(where: str) -> Any:
        watched.append(where)
        return lambda: watched.append("left")

    shop = bare(Shop)
    run(shop, sent(Shop.add, "a"))
    assert core.ask(shop, "total", b"\x90", 0) == b"\x01"
    shop.guard = guard
    assert core.ask(shop, "total", b"\x90", 0) == b"\x01"
    assert watched == [Shop.total.where, "left"]


# ---- faults ------------------------------------------------------------------------------------------------


def test_a_fault_in_a_turn_that_starts_nobody_is_undone() -> None:
    """An answer that leads to a fault has not been given: the host may look, and give it again."""
    shop = bare(Shop)
    run(shop, sent(Shop.faulty))
    before = image(shop)
    with pytest.raises(af.ForeignAwait):
        step(shop, Input(facts.RESOLVE, facts.OK, b"\x01", ref=(1, 0)), 0)
    assert differences(image(shop), before) == []


# ---- starts ------------------------------------------------------------------------------------------------


def test_a_life_begins_once() -> None:
    """A second start is refused, in whatever way the life goes on or has ended, unless it says otherwise."""
    shop = Scenario(Shop)
    shop.start(Shop())
    with pytest.raises(af.AlreadyStarted, match="running"):
        shop.start(Shop(limit=9))
    shop.start(Shop(limit=9), if_running="use")
    shop.terminate()
    with pytest.raises(af.AlreadyStarted, match="terminated"):
        shop.start(Shop(limit=9), if_completed="fail")
    assert shop.state.limit == 3
    with pytest.raises(af.ActorCompleted):
        shop.retry(1)
    prove(shop)


def test_what_comes_too_late_leaves_no_trace() -> None:
    """An answer, a fire, a second cancel: whoever sent it could not know, and is told nothing."""
    answer = Input(facts.RESOLVE, facts.OK, b"\x01", ref=(1, 0))
    fire = Input(facts.FIRE, "ring", b"\x90", ref=(1, 0))
    shop = bare(Shop)
    assert [step(shop, one, 0).fate for one in (answer, fire)] == [core.IGNORED] * 2
    run(shop, sent(Shop.hold))
    run(shop, Input(facts.TERMINATE))
    before = image(shop)
    late = (answer, fire, Input(facts.CANCEL), Input(facts.TERMINATE))
    assert [(step(shop, one, 0).fate, step(shop, one, 0).record) for one in late] == [
        (core.IGNORED, None)
    ] * 4
    assert differences(image(shop), before) == []


# ---- several signals that go together ----------------------------------------------------------------------


def test_what_is_examined_and_good_is_accepted() -> None:
    """Looking changes nothing, and accepting does what sending would have done."""
    shop = bare(Shop)
    signals = [sent(Shop.add, "a"), sent(Shop.add, "b", id_="i")]
    for one in signals:
        examine(shop, one, 0)
    assert (shop.phase, shop.seq) == (0, 0)
    assert [accept(shop, one, 0).outcome for one in signals] == [facts.DONE] * 2
    examine(shop, sent(Shop.add, "b", id_="i"), 0)
    examine(shop, sent(Shop.add, "b", id_="i")._replace(name="put"), 0)
    with pytest.raises(af.IdReused):
        examine(shop, sent(Shop.add, "other", id_="i"), 0)
    assert shop.state.log == ["a", "b"]


def test_what_would_be_refused_is_refused_when_it_is_examined() -> None:
    """An unknown handler, a life that no message begins or that has ended, and whatever is full."""
    with pytest.raises(af.UnknownHandler):
        examine(bare(Shop), Input(facts.SIGNAL, "gone", b"\x90"), 0)
    with pytest.raises(af.UnknownHandler):
        examine(bare(Shop), Input(facts.SIGNAL, "buy", b"\x90"), 0)
    with pytest.raises(af.NotStarted):
        examine(bare(Owned), sent(Owned.touch), 0)
    shop = bare(Shop)
    run(shop, sent(Shop.hold))
    run(shop, sent(Shop.add, "waits"))
    with pytest.raises(af.LimitExceeded, match="mailbox_messages=1"):
        examine(shop, sent(Shop.add, "a"), 0)
    for _ in range(20):
        run(shop, sent(Shop.add, "waits", inside=True))
    with pytest.raises(af.HistoryFull, match="run_records=20"):
        examine(shop, sent(Shop.add, "a"), 0)
    run(shop, Input(facts.TERMINATE))
    with pytest.raises(af.ActorCompleted):
        examine(shop, sent(Shop.add, "a"), 0)


def test_who_repeats_an_id_is_let_pass_where_there_is_no_room() -> None:
    """It was taken already; the same id for the first time is told what is full, as any message is."""
    shop = bare(Shop)
    run(shop, sent(Shop.add, "a", id_="known"))
    run(shop, sent(Shop.hold))
    run(shop, sent(Shop.add, "waits"))
    examine(shop, sent(Shop.add, "a", id_="known"), 0)
    with pytest.raises(af.LimitExceeded, match="mailbox_messages=1"):
        examine(shop, sent(Shop.add, "a", id_="new"), 0)


def test_what_comes_between_needs_no_place_in_the_mailbox() -> None:
    """A full one is in nobody's way who does not wait in it."""

    @entity(limits=Limits(mailbox_messages=1))
    class Full:
        @signal
        async def hold(self) -> None:
            await act(1)

        @signal(interleave=True)
        def pass_by(self) -> None:
            """Nothing."""

    full = bare(Full)
    run(full, sent(Full.hold))
    run(full, sent(Full.hold))
    examine(full, sent(Full.pass_by), 0)
    with pytest.raises(af.LimitExceeded, match="mailbox_messages=1"):
        examine(full, sent(Full.hold), 0)


def test_what_was_examined_is_never_refused() -> None:
    """If something has changed before it is accepted, it is parked, for the others of its group have gone."""
    shop = bare(Shop)
    run(shop, sent(Shop.hold))
    first, second = sent(Shop.add, "a"), sent(Shop.add, "b")
    for one in (first, second):
        examine(shop, one, 0)
    assert accept(shop, first, 0).outcome == facts.ADMITTED
    assert accept(shop, second, 0).outcome == facts.PARKED
    assert "LimitExceeded" in str(shop.spec.codec.unpack(shop.parked[3].error)[1])


def test_what_is_parked_where_nobody_lives_may_begin_only_what_a_message_may() -> None:
    """A retry begins a life where a message could; where a field has no default, it says so."""

    @entity
    class Named:
        name: str
        seen: int = 0

        @signal
        def note(self) -> None:
            self.seen += 1
            if self.seen == 1 and self.name == "wrong":
                raise ValueError("wrong")

    vacant_ = bare(Named)
    run(vacant_, sent(Named.note)._replace(sender=("Shop", "s", 1, 0)))
    (seq,) = vacant_.parked
    with pytest.raises(af.NotStarted, match="needs a value for name"):
        step(vacant_, Input(facts.RETRY, ref=(seq, 0)), 0)
    assert list(vacant_.parked) == [seq]

    alive = Scenario(Named)
    alive.start(Named("wrong"))
    alive.signal(Named.note)
    (parked,) = alive.parked
    alive.retry(parked.seq)
    assert len(alive.parked) == 1, "it was tried, and has failed again"
