"""What a saga could not undo stands until somebody has seen to it, whatever else fails, ends or crashes."""

from __future__ import annotations

import pytest
from attrs import field

from actorflow import (
    CompensationFailed,
    Limits,
    UsageError,
    complete,
    entity,
    gather,
    race,
    saga,
    signal,
    update,
)
from actorflow._codec.failures import failure, pack_failure
from actorflow._core.debts import debt_of
from actorflow.testing import Scenario
from tests.core.proof import prove
from tests.core.shop import act, charge, release


@entity(limits=Limits(parked_messages=3, continue_records=5))
class Firm:
    """Its sagas fail as they are told."""

    log: list[str] = field(factory=list)

    @update
    async def buy(self, what: str) -> str:
        async with saga() as undo:
            undo(release, what)
            return await charge(what, 1)

    @update
    async def within(self) -> None:
        async with saga() as outer:
            outer(release, "outer")
            async with saga() as inner:
                inner(release, "inner")
                await act(1)

    @update
    async def sees_to_it(self) -> str:
        try:
            async with saga() as undo:
                undo(release, "mine")
                await act(1)
        except CompensationFailed as failed:
            self.log += failed.not_undone
        return "seen to"

    @update
    async def ends_otherwise(self) -> None:
        try:
            async with saga() as undo:
                undo(release, "mine")
                await act(1)
        except CompensationFailed:
            raise ValueError("I have a list of my own") from None

    @update
    async def says_more(self) -> None:
        try:
            async with saga() as undo:
                undo(release, "mine")
                await act(1)
        except CompensationFailed as failed:
            raise ValueError("in other words") from failed

    @update
    async def fails(self) -> None:
        await act(1)

    @signal
    def note(self, text: str) -> None:
        self.log.append(text)

    @signal
    def end(self) -> None:
        complete(len(self.log))


def owing(what: str = "r-1") -> Scenario[Firm]:
    """A firm that owes one release."""
    firm = Scenario(Firm)
    owe(firm, what)
    return firm


def owe(firm: Scenario[Firm], what: str) -> None:
    """Have one more thing that could not be undone."""
    firm.update(Firm.buy, what)
    firm.fail(charge, ValueError("no money"))
    firm.fail(release, OSError("the line is dead"))


@entity
class Buyer:
    """It buys many things, and takes back none."""

    @update
    async def buy(self, names: list[str]) -> None:
        async with saga() as undo:
            for name in names:
                undo(release, name)
            await charge("all", 1)


def bought(names: list[str], taken_back: int, why: str = "no") -> Scenario[Buyer]:
    """Of these, the last are taken back, and the others not; for this reason nothing else works either."""
    buyer = Scenario(Buyer)
    buyer.update(Buyer.buy, names)
    buyer.fail(charge, ValueError(why))
    for place in range(len(names)):
        if place < taken_back:
            buyer.answer(release)
        else:
            buyer.fail(release, OSError(why))
    return buyer


@pytest.mark.parametrize(
    ("count", "taken_back", "why"),
    [(40, 0, "n" * 300), (60, 30, "é" * 200), (16, 4, "n" * 4_000), (8, 0, "é" * 4_000)],
)
def test_of_a_long_list_as_many_are_kept_as_find_room(count: int, taken_back: int, why: str) -> None:
    """Names, and not one text in the place of all; and how many there are besides."""
    names = [f"r-{number:03}" for number in range(count)]
    buyer = bought(names, taken_back, why)
    (debt,) = buyer.debts
    assert len(debt.not_undone) + debt.not_undone_more == count - taken_back
    assert len(debt.undone) + debt.undone_more == taken_back
    assert debt.not_undone_more > 0
    assert len(debt.not_undone) >= 4
    left = names[: count - taken_back][::-1]
    assert all(
        text.startswith(f"release('{name}')") for name, text in zip(left, debt.not_undone, strict=False)
    )
    assert str(debt).endswith(f"; and {debt.not_undone_more} more")
    assert debt.why.startswith("ActivityFailed: ")
    prove(buyer)


def test_of_a_short_list_all_are_kept() -> None:
    """Nothing is cut, and nothing is said of it."""
    buyer = bought([f"r-{number}" for number in range(20)], 10)
    (debt,) = buyer.debts
    assert (len(debt.undone), len(debt.not_undone)) == (10, 10)
    assert (debt.undone_more, debt.not_undone_more) == (0, 0)
    assert "left out" not in CompensationFailed(debt.undone, debt.not_undone, debt.why).details


def test_the_largest_list_there_can_be_is_kept_as_a_list() -> None:
    """However many and long: of four-byte letters, lone surrogates, none at all."""
    for text in ("\U0001f34e" * 5_000, "\ud800" * 5_000, "x", ""):
        error = CompensationFailed((text,) * 5_000, (text,) * 5_000, text)
        details = failure(pack_failure(error)).details
        assert isinstance(details, dict), str(details)[:100]
        assert len(details["not undone"]) + details["left out"][1] == 5_000


def test_it_says_what_with_its_arguments_and_why() -> None:
    """An operator reads what is to be done by hand, and for which reservation."""
    firm = owing("r-17")
    (debt,) = firm.debts
    assert (debt.seq, debt.handler, debt.undone) == (1, "buy", ())
    assert debt.not_undone[0].startswith("release('r-17') (ActivityFailed: ")
    assert "no money" in debt.why
    assert str(debt).startswith("1 buy: release('r-17')")
    prove(firm)


def test_it_stands_over_other_failures_runs_and_restarts() -> None:
    """The last failure is another by then, the run a later one; the debt is there."""
    firm = owing()
    for n in range(20):
        firm.signal(Firm.note, str(n))
    firm.update(Firm.fails)
    firm.fail(act, KeyError("else"))
    firm.snapshot()
    firm.restart()
    assert [debt.seq for debt in firm.debts] == [1]
    prove(firm)


def test_it_outlives_the_life() -> None:
    """A life that was cancelled half-way, or has ended, or begun again, owes it all the same."""
    firm = Scenario(Firm)
    firm.update(Firm.buy, "r-1")
    firm.cancel()
    firm.confirm_cancelled(charge)
    firm.fail(release, OSError("dead"))
    assert (firm.status, len(firm.debts)) == ("cancelled", 1)
    firm.start(Firm(), if_completed="new")
    assert len(firm.debts) == 1
    firm.signal(Firm.end)
    firm.discharge(firm.debts[0].seq)
    assert firm.debts == []
    prove(firm)


def test_a_discharge_is_an_operators_word() -> None:
    """It is recorded, and counts once; a number under which nothing is owed is an error that says what is."""
    firm = owing()
    with pytest.raises(UsageError, match="owes nothing under that number: 1"):
        firm.discharge(7)
    firm.discharge(1)
    firm.restart()
    assert firm.debts == []
    assert firm.history[-1].what == "discharge"
    with pytest.raises(UsageError, match="owes nothing under that number: none"):
        firm.discharge(1)
    prove(firm)


def test_of_sagas_within_one_another_all_is_told() -> None:
    """What the inner one and the outer one could not undo is one debt, the inner one's first."""
    firm = Scenario(Firm)
    firm.update(Firm.within)
    firm.fail(act, ValueError("no"))
    firm.fail(release, OSError("one"))
    firm.fail(release, OSError("two"))
    (debt,) = firm.debts
    assert [one.partition(" (")[0] for one in debt.not_undone] == ["release('inner')", "release('outer')"]
    prove(firm)


@pytest.mark.parametrize(("handler", "owes"), [("sees_to_it", 0), ("ends_otherwise", 0), ("says_more", 1)])
def test_who_sees_to_it_himself_owes_nothing(handler: str, owes: int) -> None:
    """A handler that ends well, or raises its own error ``from None``, has dealt with it."""
    firm = Scenario(Firm)
    firm.update(getattr(Firm, handler))
    firm.fail(act, ValueError("no"))
    firm.fail(release, OSError("dead"))
    assert len(firm.debts) == owes
    prove(firm)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_too_many_debts_hold_the_mailbox(place: int) -> None:
    """As too many parked messages do: something is wrong, and nothing more begins until somebody looks."""
    firm = owing()
    owe(firm, "r-2")
    owe(firm, "r-3")
    firm.signal(Firm.note, "waits")
    assert firm.state.log == []
    firm.restart()
    firm.discharge(which := firm.debts[place].seq)
    assert which not in [debt.seq for debt in firm.debts]
    assert firm.state.log == ["waits"]
    prove(firm)


def test_where_an_error_leads_to_is_followed() -> None:
    """Also through errors in a circle, and groups of them."""
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert debt_of(one) is None
    failed = CompensationFailed((), ("x",))
    assert debt_of(ExceptionGroup("several", [one, ExceptionGroup("more", [failed])])) is failed
    many = debt_of(ExceptionGroup("many", [CompensationFailed((), (str(n),)) for n in range(300)]))
    assert many is not None
    assert {int(one) for one in many.not_undone} == set(range(300))


# ---- branches ----------------------------------------------------------------------------------------


async def hold(what: str) -> str:
    """Take something, or give it back."""
    async with saga() as undo:
        undo(release, what)
        return await charge(what, 1)


@entity
class Fair:
    """It does several things at a time."""

    gone_well: int = 0

    @update
    async def all_of(self, whats: list[str]) -> None:
        await gather(*(hold(what) for what in whats))

    @update
    async def first_of(self, what: str) -> None:
        await race(hold(what), act(1))
        await act(2)
        await race(hold(what), act(3))
        self.gone_well += 1


def test_of_branches_that_fail_together_all_is_told() -> None:
    """The handler is told of the first failure only; what the others left undone is owed all the same."""
    fair = Scenario(Fair)
    fair.update(Fair.all_of, ["one", "two", "three"])
    first, *others = fair.waiting
    fair.fail(first, ValueError("no money"))
    for one in others:
        fair.confirm_cancelled(one)
    for one in [one for one in fair.waiting if one.name == "release"]:
        fair.fail(one, OSError("dead"))
    (debt,) = fair.debts
    assert {one.partition(" (")[0] for one in debt.not_undone} == {
        "release('one')",
        "release('two')",
        "release('three')",
    }
    prove(fair)


def test_who_lost_a_race_owes_at_once() -> None:
    """The handler goes on and ends well; it is not told, but an operator is, before it ends and after."""
    fair = Scenario(Fair)
    done = fair.update(Fair.first_of, "r")
    fair.answer(act, 1)
    fair.confirm_cancelled(charge)
    fair.fail(release, OSError("dead"))
    assert [(debt.seq, len(debt.not_undone)) for debt in fair.debts] == [(1, 1)]
    fair.restart()
    fair.discharge(1)
    fair.answer(act, 2)
    fair.answer(act, 3)
    fair.confirm_cancelled(charge)
    fair.fail(release, OSError("dead again"))
    assert done.done
    (debt,) = fair.debts
    assert len(debt.not_undone) == 1, "the first one has been seen to"
    assert "dead again" in str(debt)
    prove(fair)


# ---- what is recorded --------------------------------------------------------------------------------


@entity(name="Shed")
class Shed:
    """It fails with an error whose text is another each time."""

    @update
    async def build(self) -> None:
        async with saga() as undo:
            undo(release, "wood")
            await act(1)
            raise ValueError(object())


@entity(name="Shed")
class MendedShed:
    """By now it has a list of its own."""

    @update
    async def build(self) -> None:
        try:
            async with saga() as undo:
                undo(release, "wood")
                await act(1)
                raise ValueError("no")
        except CompensationFailed:
            raise ValueError("on my list") from None


def test_what_is_owed_is_what_was_recorded() -> None:
    """Replay does not find other words for it, nor does other code find that there is nothing."""
    shed = Scenario(Shed)
    shed.update(Shed.build)
    shed.answer(act, 1)
    shed.fail(release, OSError("dead"))
    owed = shed.debts
    shed.restart()
    assert shed.debts == owed
    mended = Scenario.of_records(MendedShed, shed.key, shed.records)
    assert mended.debts == owed
    mended.discharge(1)
    prove(mended)


# ---- two that hold the mailbox -----------------------------------------------------------------------


@entity(limits=Limits(parked_messages=1))
class Gate:
    """A message that fails in it, and a debt, hold its mailbox."""

    log: list[str] = field(factory=list)

    @update(interleave=True)
    async def build(self) -> None:
        await hold("r")

    @signal(on_failure="stop")
    def fail(self) -> None:
        raise ValueError("no")

    @signal
    def note(self, text: str) -> None:
        self.log.append(text)


@pytest.mark.parametrize("first", ["parked", "debt"])
def test_whoever_is_seen_to_first_the_other_holds_the_mailbox_still(first: str) -> None:
    """A debt does not let go what a parked message holds, nor the other way round."""
    gate = Scenario(Gate)
    gate.update(Gate.build)
    gate.signal(Gate.fail)
    gate.fail(charge, ValueError("no money"))
    gate.fail(release, OSError("dead"))
    gate.signal(Gate.note, "waits")
    ((parked,), (debt,)) = gate.parked, gate.debts
    for turn in ("parked", "debt") if first == "parked" else ("debt", "parked"):
        assert gate.state.log == []
        gate.drop(parked.seq) if turn == "parked" else gate.discharge(debt.seq)
    assert gate.state.log == ["waits"]
    prove(gate)
