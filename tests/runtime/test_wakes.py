"""Who has something to do, and when: never early, once, in due order, in slices, whatever the clock does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actorflow import Limits, entity, signal, timer
from actorflow._core import facts
from actorflow._runtime import wakes
from actorflow._runtime.rows import unpack_frame
from actorflow._runtime.tables import TABLES, path_of, wake_key
from actorflow._runtime.wakes import NEAR_US, Wakes
from persistence import MemoryJournal

from .drive import BEGINNING, SECOND_US, Drive, holding
from .oracle import check
from .town import Basket, Course

HOUR = 3_600


def fired(drive: Drive, key: str) -> list[int]:
    """The timers of a basket that have fired."""
    found: list[int] = drive.state(Basket, key).fired
    return found


# ---- near and far ------------------------------------------------------------------------------------


@pytest.mark.parametrize("tabled", [True, False])
@pytest.mark.parametrize("resident_actors", [1, 10_000])
@pytest.mark.parametrize("seconds", [1, 59, HOUR - 1, HOUR, HOUR + 1, 3 * HOUR, 40 * HOUR])
def test_a_timer_fires_when_it_is_due(seconds: int, resident_actors: int, tabled: bool) -> None:
    """Near or far, in the tables by then or not, the actor in memory or not: not early, and not late."""
    limits = Limits(resident_actors=resident_actors, log_bytes=1 if tabled else 1 << 30)
    drive = Drive(limits=limits)
    drive.later(0)
    for key in ("x", "y"):
        drive.send(Basket, key, Basket.arm, "t", 1, seconds)
    if tabled:
        drive.settle()
    passed = 0
    while passed + 600 < seconds:
        drive.later(600)
        drive.settle()
        passed += 600
    drive.later(seconds - passed - 0.000_001)
    assert fired(drive, "x") == fired(drive, "y") == []
    drive.later(0.000_001)
    assert fired(drive, "x") == fired(drive, "y") == [1]


def test_a_timer_armed_before_the_clock_was_looked_at_is_not_forgotten() -> None:
    """What is armed in the first moment, before the table was read, is in memory."""
    drive = Drive()
    drive.send(Basket, "x", Basket.arm, "t", 1, 5)
    drive.later(5)
    assert fired(drive, "x") == [1]


def test_what_was_armed_far_off_does_not_hide_what_is_armed_near() -> None:
    """A timer beyond the horizon that was cancelled is forgotten: the next one is seen in its time."""
    drive = Drive(limits=Limits(log_bytes=1))
    drive.later(0)
    drive.send(Basket, "x", Basket.arm, "t1", 1, 2 * HOUR)
    drive.settle()
    drive.send(Basket, "x", Basket.disarm, "t2", 1)
    drive.settle()
    drive.limits = Limits()
    drive.population.checkpoint._log_bytes = 1 << 30
    for _ in range(9):
        drive.later(HOUR / 3)
        drive.settle()
    drive.send(Basket, "x", Basket.arm, "t3", 2, 5)
    drive.later(5)
    assert fired(drive, "x") == [2]


def test_a_far_timer_beside_something_that_is_awaited() -> None:
    """An actor that is to be asked again at every opening is looked at when its timer is due all the same."""
    drive = Drive(limits=Limits(log_bytes=1))
    drive.later(0)
    drive.send(Basket, "x", Basket.arm, "t1", 1, 2 * HOUR)
    drive.send(Basket, "x", Basket.pack, "t2", 30 * HOUR)
    drive.settle()
    drive.later(2 * HOUR)
    drive.settle()
    assert [input_.name for _, input_ in drive.actor(Basket, "x").mailbox] == ["remind"]


def test_the_table_may_be_read_between_a_frame_and_its_commit() -> None:
    """The row was not there yet when the horizon passed over it: once it is, it is not forgotten."""
    drive = Drive(every=0, limits=Limits(log_bytes=1))
    drive.later(0)
    drive.send(Basket, "x", Basket.arm, "t1", 1, HOUR + 60)
    frame = drive.cut()
    drive.now += HOUR * SECOND_US * 3 // 4
    assert drive.population.next_due(drive.now) > drive.now
    drive.write(frame)
    drive.later(HOUR / 4 + 60)
    assert fired(drive, "x") == [1]


@entity
class Bell:
    """Rings every minute."""

    rung: int = 0

    @signal
    def wind_up(self) -> None:
        self.ring().arm(after=timedelta(minutes=1))

    @timer
    def ring(self) -> None:
        self.rung += 1
        self.ring().arm(after=timedelta(minutes=1))


def test_who_is_looked_at_again_and_again_is_in_memory_once() -> None:
    """A timer that arms itself anew, with a checkpoint each time, does not make more and more to look at."""
    drive = Drive(entities=[Bell], limits=Limits(log_bytes=1))
    drive.later(0)
    drive.send(Bell, "x", Bell.wind_up)
    for _ in range(50):
        drive.settle()
        drive.later(60)
    assert drive.state(Bell, "x").rung == 50
    assert len(drive.population.wakes) <= 3


# ---- after downtime ----------------------------------------------------------------------------------


def test_thousands_due_at_once_fire_once_in_order_and_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a night without a process every timer fires once, by its due time, a bounded number at a time."""
    monkeypatch.setattr(wakes, "PAGE_ROWS", 64)
    drive = Drive(every=0, limits=Limits(log_bytes=1))
    keys = [f"k{n:03}" for n in range(300)]
    for key in keys:
        for number in (3, 1, 2, 0):
            drive.send(Basket, key, Basket.arm, f"t{number}", number, 100 + 10 * number)
    drive = drive.reopen(every=0)
    drive.now += 8 * HOUR * SECOND_US
    slices = 1
    before = 0
    while not drive.population.wake(drive.now, 50):
        slices += 1
        done = sum(len(fired(drive, address[1])) for address in drive.population.residents)
        assert done - before <= 50
        before = done
    assert slices >= 300 * 4 / 50
    assert all(fired(drive, key) == [0, 1, 2, 3] for key in keys)
    drive.settle()
    drive = drive.crash()
    drive.later(HOUR)
    assert all(fired(drive, key) == [0, 1, 2, 3] for key in keys)
    check(drive)


def test_a_crash_between_two_slices_fires_nothing_twice() -> None:
    """Each that fired and was durable has fired; each that was not fires after the next opening, once."""
    drive = Drive(every=0, limits=Limits(log_bytes=1))
    keys = [f"k{n}" for n in range(40)]
    for key in keys:
        drive.send(Basket, key, Basket.arm, "t", 1, 10)
    drive = drive.reopen(every=0)
    drive.now += 60 * SECOND_US
    drive.population.wake(drive.now, 25)
    drive.commit()
    drive.population.wake(drive.now, 25)
    drive = drive.crash(every=0)
    drive.settle()
    drive.later(0)
    drive.settle()
    assert [fired(drive, key) for key in keys] == [[1]] * 40
    check(drive)


# ---- the clock ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("resident_actors", [1, 10_000])
def test_the_clock_may_jump_ahead(resident_actors: int) -> None:
    """Everything that has fallen due meanwhile fires, once."""
    drive = Drive(limits=Limits(resident_actors=resident_actors, log_bytes=1))
    drive.later(0)
    for number, seconds in ((1, 30), (2, 2 * HOUR), (3, 50 * HOUR)):
        drive.send(Basket, "x", Basket.arm, f"t{number}", number, seconds)
    drive.send(Basket, "y", Basket.arm, "t4", 4, 49 * HOUR)
    drive.settle()
    drive.later(48 * HOUR)
    drive.settle()
    assert (fired(drive, "x"), fired(drive, "y")) == ([1, 2], [])
    drive.later(3 * HOUR)
    assert (fired(drive, "x"), fired(drive, "y")) == ([1, 2, 3], [4])


@pytest.mark.parametrize("resident_actors", [1, 10_000])
def test_the_clock_may_jump_back(resident_actors: int) -> None:
    """Nothing fires before the wall says so; an actor's own time does not go back; nothing is forgotten."""
    drive = Drive(limits=Limits(resident_actors=resident_actors, log_bytes=1))
    drive.later(0)
    drive.send(Basket, "x", Basket.arm, "t1", 1, 30)
    drive.settle()
    drive.later(-10 * HOUR)
    drive.settle()
    born = drive.actor(Basket, "x").now
    drive.send(Basket, "x", Basket.arm, "t2", 2, 60)
    assert drive.actor(Basket, "x").now == born
    drive.send(Basket, "y", Basket.arm, "t3", 3, 60)
    drive.later(60)
    assert (fired(drive, "x"), fired(drive, "y")) == ([], [3])
    drive.later(10 * HOUR - 60 + 29)
    assert fired(drive, "x") == []
    drive.later(1)
    assert fired(drive, "x") == [1]
    drive.later(30)
    assert fired(drive, "x") == [1, 2]
    drive.settle()
    check(drive)


@pytest.mark.parametrize("resident_actors", [1, 10_000])
def test_arming_again_replaces(resident_actors: int) -> None:
    """Later, earlier or not at all: only what was said last counts, in memory and in the table."""
    for first, second in ((30, 90), (90, 30), (2 * HOUR, 30), (30, 2 * HOUR), (3 * HOUR, 2 * HOUR)):
        drive = Drive(limits=Limits(resident_actors=resident_actors, log_bytes=1))
        drive.later(0)
        drive.send(Basket, "x", Basket.arm, "t1", 1, first)
        drive.settle()
        drive.send(Basket, "x", Basket.arm, "t2", 1, second)
        drive.settle()
        for _ in range(20):
            drive.later((second - 1) / 20)
            drive.settle()
        assert fired(drive, "x") == []
        drive.later(1)
        assert fired(drive, "x") == [1]
        drive.later(5 * HOUR)
        drive.settle()
        assert fired(drive, "x") == [1]


# ---- what never rests --------------------------------------------------------------------------------


def test_a_timer_without_delay_that_arms_itself_holds_nobody_up() -> None:
    """One slice lets it fire a bounded number of times; then it is others' turn."""
    drive = Drive(every=0)
    drive.send(Course, "c", Course.spin, 1_000)
    drive.send(Basket, "x", Basket.arm, "t", 1, 0)
    assert not drive.population.wake(drive.now, 50)
    assert drive.state(Course, "c").turns <= 50
    while not drive.population.wake(drive.now, 50):
        pass
    assert drive.state(Course, "c").turns == 1_000
    assert fired(drive, "x") == [1]


def test_a_handler_that_sleeps_no_time_at_all_holds_nobody_up() -> None:
    """The same for a loop of sleeps that are over at once."""
    drive = Drive(every=0)
    ticket = drive.send(Course, "c", Course.doze, 500)
    assert not drive.population.wake(drive.now, 50)
    assert drive.state(Course, "c").turns <= 50
    while not drive.population.wake(drive.now, 50):
        pass
    drive.settle()
    assert ticket.outcome == (facts.OK, b"\xcd\x01\xf4")


# ---- the table ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [1, 2, 3, 7, 1_000])
def test_reading_by_pages_misses_none_with_the_same_due_time(
    page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows share a due time and wherever a page ends, each comes up once, in order of time."""
    monkeypatch.setattr(wakes, "PAGE_ROWS", page)
    journal = MemoryJournal()
    journal.open(["wakes"])
    dues = [
        BEGINNING + offset
        for offset in (0, 5, 5, 5, 5, 5, 5, 5, 9, 9, NEAR_US - 1, NEAR_US, NEAR_US, 3 * NEAR_US)
    ]
    expected = [(due, path_of(("E", f"k{n:02}"))) for n, due in enumerate(dues)]
    with journal.write() as batch:
        for due, path in expected:
            batch.put("wakes", wake_key(due, path), b"")
    clock = Wakes(lambda start, stop, at_most: journal.scan("wakes", start, stop, at_most=at_most))
    found: list[tuple[int, bytes]] = []
    now = BEGINNING - 10
    for _ in range(200):
        due = clock.next(now)
        assert due > now
        now = due
        while (next_path := clock.take(now)) is not None:
            found.append((now, next_path))
    assert found == expected


# ---- closing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tabled", [True, False])
def test_whoever_closes_leaves_nothing_to_be_looked_at(tabled: bool) -> None:
    """Also when a checkpoint had just caught up with the log, and only snapshots were left to be written."""
    drive = Drive()
    for key in "abc":
        drive.send(Basket, key, Basket.add, "t", "sku")
    if tabled:
        drive.later(HOUR)
        drive.send(Basket, "a", Basket.add, "u", "sku")  # the checkpoint begins and ends with this frame
    drive.close()
    journal = holding(drive.journal.history)
    journal.open(TABLES)
    (last,) = journal.frames()
    assert unpack_frame(last[1], "the last") == []


# ---- a clock that is past what is known --------------------------------------------------------------


@pytest.mark.parametrize("hours", [1, 2, 50])
@pytest.mark.parametrize("rows", [1, 1_000])
def test_what_is_armed_for_soon_after_a_jump_is_not_left_to_the_table(
    hours: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever fires late and arms again for a moment later is in memory, however far the clock has jumped."""
    monkeypatch.setattr(wakes, "PAGE_ROWS", rows)
    drive = Drive(limits=Limits(log_bytes=1))
    keys = [f"k{n}" for n in range(5)]
    for key in keys:
        for number, seconds in ((1, 30), (2, hours * HOUR + 31)):
            drive.send(Basket, key, Basket.arm, f"t{number}", number, seconds)
    drive = drive.reopen(limits=Limits())
    drive.hear()
    drive.later(hours * HOUR + 30)
    assert [fired(drive, key) for key in keys] == [[1]] * 5
    drive.later(1)
    assert [fired(drive, key) for key in keys] == [[1, 2]] * 5
