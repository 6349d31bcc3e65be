"""The story of the stock of one thing: kept, sold, given back, and always all of it somewhere."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from actorflow import Refused, Runtime
from actorflow.testing import Scenario
from entities import inventory
from entities.inventory import ENDED_MAX, KEPT, REMEMBERED, Inventory, Ledger
from persistence import MemoryJournal
from tests.domain.props import Clock


@pytest.fixture
def apples() -> Scenario[Inventory]:
    """Ten apples."""
    stock = Scenario(Inventory, "apple")
    assert stock.update(Inventory.receive, 10).value == 10
    return stock


def ledger(stock: Scenario[Inventory]) -> Ledger:
    """The books, which have to add up whenever they are looked at."""
    found = stock.query(Inventory.ledger)
    assert found.received == found.on_shelf + found.reserved + found.sold
    assert min(found.on_shelf, found.reserved, found.sold) >= 0
    return found


# ---- one reservation ---------------------------------------------------------------------------------


def test_what_is_reserved_is_nobody_elses(apples: Scenario[Inventory]) -> None:
    """Who comes second gets what is left, and is told how much that is."""
    _ = apples.update(Inventory.reserve, "r-1", 7).value
    with pytest.raises(Refused, match="there are 3") as caught:
        _ = apples.update(Inventory.reserve, "r-2", 4).value
    assert caught.value.details == 3
    assert ledger(apples) == Ledger(10, 3, 7, 0)


def test_what_is_committed_to_is_sold(apples: Scenario[Inventory]) -> None:
    """A reservation that is committed to never expires, and its units are gone."""
    _ = apples.update(Inventory.reserve, "r-1", 7).value
    _ = apples.update(Inventory.commit, "r-1").value
    apples.advance(2 * KEPT)
    assert ledger(apples) == Ledger(10, 3, 0, 7)


def test_a_reservation_expires(apples: Scenario[Inventory]) -> None:
    """After an hour the units are to be had again, also where the process was away at that moment."""
    _ = apples.update(Inventory.reserve, "r-1", 7).value
    apples.advance(KEPT - timedelta(seconds=1))
    assert ledger(apples) == Ledger(10, 3, 7, 0)
    apples.restart()
    apples.advance(timedelta(seconds=1))
    assert ledger(apples) == Ledger(10, 10, 0, 0)
    with pytest.raises(Refused, match="expired"):
        _ = apples.update(Inventory.commit, "r-1").value


def test_again_changes_nothing(apples: Scenario[Inventory]) -> None:
    """Who does not know whether it was done says it again: reserve, commit and release, each twice."""
    for _ in range(2):
        assert apples.update(Inventory.reserve, "r-1", 7).value is None
    assert ledger(apples) == Ledger(10, 3, 7, 0)
    for _ in range(2):
        assert apples.update(Inventory.commit, "r-1").value is None
    assert ledger(apples) == Ledger(10, 3, 0, 7)
    for _ in range(2):
        apples.signal(Inventory.release, "r-1")
    assert ledger(apples) == Ledger(10, 10, 0, 0)


def test_release_is_harmless_where_nothing_was_reserved(apples: Scenario[Inventory]) -> None:
    """A saga undoes a step of which nobody knows whether it was done."""
    apples.signal(Inventory.release, "never made")
    _ = apples.update(Inventory.reserve, "r-1", 7).value
    apples.advance(KEPT)
    apples.signal(Inventory.release, "r-1")  # it has expired meanwhile
    assert ledger(apples) == Ledger(10, 10, 0, 0)
    assert apples.parked == []


def test_an_id_is_one_reservation(apples: Scenario[Inventory]) -> None:
    """The same id with another quantity, or once it is over, is a mistake and not another reservation."""
    _ = apples.update(Inventory.reserve, "r-1", 7).value
    with pytest.raises(Refused, match="made before"):
        _ = apples.update(Inventory.reserve, "r-1", 2).value
    apples.signal(Inventory.release, "r-1")
    with pytest.raises(Refused, match="made before"):
        _ = apples.update(Inventory.reserve, "r-1", 7).value
    with pytest.raises(Refused, match="released"):
        _ = apples.update(Inventory.commit, "r-1").value
    with pytest.raises(Refused, match="unknown"):
        _ = apples.update(Inventory.commit, "r-2").value


@pytest.mark.parametrize("quantity", [0, -1])
def test_nonsense_is_refused(quantity: int) -> None:
    """Nothing comes in and nothing is kept of what is no quantity, and no stock begins with it."""
    stock = Scenario(Inventory, "apple")
    with pytest.raises(Refused, match="no quantity"):
        _ = stock.update(Inventory.receive, quantity).value
    with pytest.raises(Refused, match="no quantity"):
        _ = stock.update(Inventory.reserve, "r-1", quantity).value
    assert (stock.status, stock.history) == ("vacant", [])


# ---- bounds ------------------------------------------------------------------------------------------


def test_what_ended_is_forgotten_in_time(apples: Scenario[Inventory]) -> None:
    """What became of a reservation is known for a week, and then costs nothing any more."""
    _ = apples.update(Inventory.reserve, "r-1", 1).value
    _ = apples.update(Inventory.commit, "r-1").value
    apples.advance(REMEMBERED - timedelta(seconds=1))
    _ = apples.update(Inventory.reserve, "r-2", 1).value
    assert list(apples.state.ended) == ["r-1"]
    apples.advance(timedelta(seconds=1))
    _ = apples.update(Inventory.reserve, "r-3", 1).value
    assert list(apples.state.ended) == []
    assert ledger(apples) == Ledger(10, 7, 2, 1)


def test_reservations_are_bounded(monkeypatch: pytest.MonkeyPatch, apples: Scenario[Inventory]) -> None:
    """Beyond the bound new ones are refused, and none is forgotten early: it could not be undone."""
    assert ENDED_MAX > 1_000
    monkeypatch.setattr(inventory, "ENDED_MAX", 3)
    for number in range(3):
        _ = apples.update(Inventory.reserve, f"r-{number}", 1).value
        _ = apples.update(Inventory.commit, f"r-{number}").value
    with pytest.raises(Refused, match="too many"):
        _ = apples.update(Inventory.reserve, "r-3", 1).value
    apples.signal(Inventory.release, "r-0")
    assert ledger(apples) == Ledger(10, 8, 0, 2)


# ---- whatever comes ----------------------------------------------------------------------------------


def test_every_unit_is_accounted_for(seed: int, effort: int) -> None:
    """In any order, repeated, and with time passing: all units are somewhere, and none is there twice."""
    chance = random.Random(seed)
    for _ in range(3 * effort):
        stock = Scenario(Inventory, "apple", strict=False)
        for number in range(60):
            reservation = f"r-{chance.randrange(8)}-{number // 20}"
            before = stock.query(Inventory.ledger) if number else None
            match chance.randrange(6):
                case 0:
                    stock.update(Inventory.receive, chance.randint(1, 5))
                case 1 | 2:
                    stock.update(Inventory.reserve, reservation, chance.randint(1, 4))
                case 3:
                    stock.update(Inventory.commit, reservation)
                case 4:
                    stock.signal(Inventory.release, reservation)
                case _:
                    stock.advance(timedelta(minutes=chance.choice([1, 20, 90])))
            if stock.status != "vacant":
                after = ledger(stock)
                assert before is None or after.received >= before.received
            else:
                stock.update(Inventory.receive, 5)
        assert stock.parked == []


# ---- in a runtime ------------------------------------------------------------------------------------


async def test_a_reservation_outlives_a_restart_and_no_longer_than_an_hour() -> None:
    """A reservation is there when the journal is opened again; one whose hour is over by then is not."""
    journal = MemoryJournal()
    moment = timedelta(microseconds=1)
    clock = Clock(datetime(2026, 1, 1, tzinfo=UTC))
    for passed, due in (
        (timedelta(0), Ledger(10, 3, 7, 0)),
        (KEPT - moment, Ledger(10, 3, 7, 0)),
        (moment, Ledger(10, 10, 0, 0)),
    ):
        clock.at += passed
        async with Runtime(journal, entities=[Inventory], strict=True, clock=clock) as runtime:
            apples = runtime.actor(Inventory, "apple")
            await apples.once("delivery").update(Inventory.receive, 10)
            await apples.once("first").update(Inventory.reserve, "r-1", 7)
            assert await apples.query(Inventory.ledger) == due
