"""What a saga could not undo stands until somebody has seen to it, whatever else fails, ends or crashes."""

from __future__ import annotations

import pytest
from attrs import field

from actorflow import CompensationFailed, Limits, UsageError, complete, entity, saga, signal, update
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


def test_where_an_error_leads_to_is_followed_only_so_far() -> None:
    """Errors in a circle, groups of them, and chains that do not end, cost nothing more than a look."""
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert debt_of(one) is None
    failed = CompensationFailed((), ("x",))
    assert debt_of(ExceptionGroup("several", [one, ExceptionGroup("more", [failed])])) is failed
