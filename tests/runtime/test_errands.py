"""Activities within one process: when attempts begin, what follows on how they end, what bounds them."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest

from actorflow import Breaker, Limits, Refused, TryLater, Unavailable
from actorflow._core import facts
from actorflow._runtime.errand import PAUSES, RUNS, WAITS, Ending

from .drive import SECOND_US
from .works import HUNG, SECOND, Yard, asked, leave, phase, policy, see_rest, works, yard

# ---- beginning ---------------------------------------------------------------------------------------


def test_an_attempt_begins_once_the_frame_that_asks_for_it_is_durable() -> None:
    """Nothing starts before its record is durable; and no second commit is needed for it to start."""
    drive = yard(every=0)
    drive.want("one")
    frame = drive.cut()
    assert drive.running == {}
    drive.write(frame)
    assert drive.numbers("one") == [1]
    assert len(drive.journal.history) == 1


def test_a_frame_that_was_lost_lets_nothing_begin() -> None:
    """What was asked for in a frame that is not durable was not asked for at all."""
    drive = yard(every=0)
    drive.want("one")
    drive.cut()
    after = drive.crash()
    after.settle()
    assert after.begun_ever == []


def test_a_step_takes_one_commit_and_writes_no_row() -> None:
    """Many activities one after the other: the end of one and the beginning of the next are one frame."""
    drive = yard(every=0)
    drive.want(["one", "two", "three"], "a", "many", 1)
    drive.commit()
    for what in ("one", "two"):
        before = len(drive.journal.history)
        drive.end(what)
        assert len(drive.journal.history) == before + 1
    assert all(not rows for rows in [drive.journal.scan("errands", b"\0", None, at_most=9)])
    drive.end("three")
    see_rest(drive)


def test_a_later_attempt_begins_once_its_own_frame_is_durable() -> None:
    """The second attempt is counted in the journal before it starts."""
    drive = yard(every=0)
    drive.want("one")
    drive.commit()
    drive.end("one", ValueError("no"))
    drive.later(2)
    frame = drive.cut()
    assert drive.numbers("one") == [1]
    drive.write(frame)
    assert drive.numbers("one") == [1, 2]


# ---- trying again ------------------------------------------------------------------------------------


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999_999])
def test_pauses_grow_up_to_their_bound_and_are_never_all_the_same(chance: float) -> None:
    """Each pause is the last one doubled, more or less, and never longer than ``maximum_interval``."""
    drive = Yard(entities=(works(retry=policy(8, 1, 10)),), chance=lambda: chance)
    drive.want("one")
    begun = drive.now
    pauses: list[float] = []
    for number in range(1, 8):
        drive.end("one", ValueError("no"))
        assert phase(drive, "one") == PAUSES
        while drive.numbers("one")[-1] == number:
            drive.later(0.05)
            drive.settle()
        pauses.append((drive.now - begun) / SECOND_US)
        begun = drive.now
    for pause, plain in zip(pauses, (1, 2, 4, 8, 10, 10, 10), strict=True):
        assert plain * 0.66 <= pause <= min(plain * 1.2, 10) + 0.05
    drive.end("one", ValueError("no"))
    assert drive.told() == ["one: ValueError no"]
    see_rest(drive)


def test_a_jitter_spreads_pauses_at_their_bound_as_well() -> None:
    """Those that failed together long ago do not come back together."""
    pauses: set[int] = set()
    for chance in (0.0, 0.3, 0.6, 0.9):
        drive = Yard(entities=(works(retry=policy(9, 1, 10)),), chance=lambda chance=chance: chance)  # type: ignore[misc]
        drive.want("one")
        last = 0
        for _ in range(7):
            drive.end("one", ValueError("no"))
            (errand,) = drive.errands.under_way.values()
            last = errand.due - drive.now
            drive.later(10)
            drive.settle()
        pauses.add(last)
    assert len(pauses) == 4
    assert max(pauses) <= 10 * SECOND_US


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_there_are_so_many_attempts_and_no_more(attempts: int) -> None:
    """``maximum_attempts`` counts the first one; the last failure is the outcome."""
    drive = yard(retry=policy(attempts))
    drive.want("one")
    for number in range(attempts):
        drive.end("one", ValueError(f"no {number}"))
        drive.later(200)
        drive.settle()
    assert drive.numbers("one") == list(range(1, attempts + 1))
    assert drive.told() == [f"one: ValueError no {attempts - 1}"]
    see_rest(drive)


@pytest.mark.parametrize("never", ["KeyError", "LookupError"])
def test_what_no_attempt_would_mend_is_not_tried_again(never: str) -> None:
    """A type in ``non_retryable``, or one that it is derived from, ends it."""
    drive = yard(retry=policy(5, 1, 100, never))
    drive.want("one")
    drive.end("one", KeyError("gone"))
    assert drive.told() == ["one: KeyError 'gone'"]
    drive.want("two")
    drive.end("two", ValueError("no"))
    assert phase(drive, "two") == PAUSES


def test_a_time_out_is_no_mistake_that_others_would_repeat() -> None:
    """A time-out is tried again, unless its type is named in ``non_retryable``."""
    drive = yard(retry=policy(5))
    drive.want("one")
    drive.end("one", HUNG)
    assert phase(drive, "one") == PAUSES
    drive = yard(retry=policy(5, 1, 100, "TimeoutError"))
    drive.want("one")
    drive.end("one", HUNG)
    assert drive.told() == ["one: TimeoutError too long"]


def test_a_no_is_final() -> None:
    """``Refused`` is a business no: nobody asks again."""
    drive = yard()
    drive.want("one")
    drive.end("one", Refused("the card is stolen"))
    assert drive.told() == ["one: Refused the card is stolen"]
    see_rest(drive)


def test_a_group_of_one_is_that_one() -> None:
    """What an activity raises through a nursery is judged as what it is."""
    drive = yard()
    drive.want("one")
    drive.end("one", ExceptionGroup("from a nursery", [ExceptionGroup("inner", [Refused("no")])]))
    assert drive.told() == ["one: Refused no"]


def test_a_resource_that_is_exhausted_says_when_to_come_back() -> None:
    """``TryLater`` is the pause, whatever the policy says."""
    drive = yard(retry=policy(5, 1, 2))
    drive.want("one")
    drive.end("one", TryLater(60 * SECOND))
    drive.later(59.9)
    drive.settle()
    assert drive.numbers("one") == [1]
    drive.later(0.1)
    drive.settle()
    assert drive.numbers("one") == [1, 2]


@pytest.mark.parametrize("error", [TryLater(5 * SECOND), Unavailable("down")])
def test_what_says_nothing_against_the_next_attempt_is_not_counted(error: Exception) -> None:
    """However often there was no room, or the other side was down, the policy's attempts are all left."""
    drive = yard(retry=policy(2, 1, 1))
    drive.want("one")
    for _ in range(7):
        drive.end("one", error)
        drive.later(6)
        drive.settle()
    drive.end("one", ValueError("wrong"))
    drive.later(6)
    drive.settle()
    assert drive.numbers("one") == list(range(1, 10))
    drive.end("one", ValueError("wrong again"))
    assert drive.told() == ["one: ValueError wrong again"]


def test_what_is_not_counted_is_not_counted_after_a_crash_either() -> None:
    """It is written down beside the number of the attempt."""
    drive = yard(retry=policy(2, 1, 1))
    drive.want("one")
    for _ in range(5):
        drive.end("one", TryLater(5 * SECOND))
        drive = drive.crash()
        drive.hear()
        drive.later(6)
        drive.settle()
    assert drive.numbers("one") == [1, 2, 3, 4, 5, 6]
    drive.end("one", ValueError("wrong"))
    drive = drive.crash()
    drive.hear()
    drive.later(6)
    drive.settle()
    drive.end("one", ValueError("wrong again"))
    assert drive.told() == ["one: ValueError wrong again"]


@pytest.mark.parametrize("after", [timedelta(0), -SECOND, timedelta.max, 5, "soon"])
def test_nonsense_in_place_of_a_pause_harms_nobody(after: Any) -> None:
    """Whatever an activity asks for, the others go on, and it is tried again or comes to an end."""
    drive = yard(retry=policy(2))
    drive.want("one")
    drive.want("two")
    drive.end("one", TryLater(after))
    drive.end("two")
    drive.later(3)
    drive.settle()
    assert "two: ok two" in drive.told()
    assert drive.errands.running <= 1


# ---- the circuit -------------------------------------------------------------------------------------


def broken(failures: int = 3, **options: Any) -> Yard:
    """A yard with a circuit that was just broken."""
    drive = yard(breaker=Breaker(failures=failures, pause=30 * SECOND), retry=policy(50, 1, 1), **options)
    for n in range(failures):
        drive.want(f"{n}")
    for n in range(failures):
        assert not drive.errands.lines["job"].broken
        drive.end(f"{n}", ValueError("down"))
    return drive


def test_failures_in_a_row_break_the_circuit_and_one_at_a_time_tries() -> None:
    """While it is broken attempts wait, not fail; after the pause one tries, and a success closes it."""
    drive = broken()
    drive.want("new")
    drive.later(29.9)
    drive.settle()
    assert drive.running == {}
    assert phase(drive, "new") == WAITS
    drive.later(0.1)
    drive.settle()
    (trial,) = drive.running
    drive.later(100)
    drive.settle()
    assert list(drive.running) == [trial]
    drive.end(trial, ValueError("still down"))
    drive.later(29.9)
    drive.settle()
    assert drive.running == {}
    drive.later(0.1)
    drive.settle()
    (trial,) = drive.running
    drive.end(trial)
    drive.later(1)
    drive.settle()
    assert len(drive.running) == 3
    drive.rest()
    see_rest(drive)


def test_a_success_between_failures_keeps_the_circuit_whole() -> None:
    """Only failures in a row count; and a no is an answer, too."""
    drive = yard(breaker=Breaker(failures=2, pause=30 * SECOND))
    for n, how in enumerate([ValueError(), None, ValueError(), Refused("no"), ValueError()]):
        drive.want(f"{n}")
        drive.end(f"{n}", how)
        assert not drive.errands.lines["job"].broken
    drive.want("last")
    drive.end("last", HUNG)
    assert drive.errands.lines["job"].broken


@pytest.mark.parametrize("never", [(), ("Unavailable",)])
def test_who_says_that_it_is_down_breaks_the_circuit_at_once(never: tuple[str, ...]) -> None:
    """One ``Unavailable`` spares all others the attempt."""
    drive = yard(breaker=Breaker(failures=5, pause=30 * SECOND), retry=policy(5, 1, 100, *never))
    drive.want("one")
    drive.end("one", Unavailable("the bank is closed"))
    drive.want("two")
    assert drive.running == {}
    drive.later(30)
    drive.settle()
    assert len(drive.running) == 1


def test_a_trial_that_nobody_wants_any_more_leaves_it_to_the_next() -> None:
    """A trial that was cancelled says nothing; the next in line tries."""
    drive = broken()
    drive.want("hurried", "b", "hurry", 40)
    drive.later(30)
    drive.settle()
    (trial,) = drive.running
    drive.running.pop(trial)
    errand = next(one for one in drive.errands.under_way.values() if asked(one) == trial)
    drive.end_late(errand, errand.attempt, Ending(facts.CANCELLED))
    assert len(drive.running) == 1
    drive.rest()
    see_rest(drive)


def test_others_are_not_held_up_by_a_broken_circuit() -> None:
    """Each activity has its own."""
    drive = broken()
    drive.want("fine", "b", "ask_other")
    drive.end("fine")
    assert drive.told("b") == ["fine: ok fine"]


# ---- bounds ------------------------------------------------------------------------------------------


def test_never_more_run_than_the_bound_of_an_activity() -> None:
    """``concurrency`` counts over all actors; who waits begins in order of asking."""
    drive = yard(concurrency=2)
    for n in range(6):
        drive.want(f"{n}", f"actor {n}")
    order = []
    while drive.running:
        assert len(drive.running) <= 2
        what = next(iter(drive.running))
        order.append(what)
        drive.end(what)
    assert order == [f"{n}" for n in range(6)]
    see_rest(drive)


def test_a_handler_bounds_its_own_activities() -> None:
    """``gather(at_most=)`` never has more in flight."""
    drive = yard()
    whats = [f"{n}" for n in range(7)]
    drive.want(whats, "a", "many", 3)
    for what in whats:
        assert len(drive.running) <= 3
        drive.end(what)
    see_rest(drive)


def test_a_place_in_a_pause_is_free_for_others() -> None:
    """Who pauses after a failure does not run, and lines up again behind those who wait."""
    drive = yard(concurrency=1)
    for what in ("one", "two", "three"):
        drive.want(what)
    drive.end("one", ValueError("no"))
    assert list(drive.running) == ["two"]
    drive.later(2)
    drive.settle()
    assert phase(drive, "one") == WAITS
    drive.end("two")
    assert list(drive.running) == ["three"]
    drive.end("three")
    assert list(drive.running) == ["one"]


def test_attempts_begin_at_their_rate() -> None:
    """``rate`` in a second and no more, whenever they were asked for."""
    drive = yard(rate=2)
    for n in range(7):
        drive.want(f"{n}")
    for _ in range(100):
        drive.later(0.1)
        drive.settle()
    at = [one.at for one in drive.begun_ever]
    assert len(at) == 7
    assert all(later - sooner >= SECOND_US / 2 for sooner, later in itertools.pairwise(at))
    assert at[-1] - at[0] <= 4 * SECOND_US


def test_never_more_run_than_the_bound_of_a_runtime() -> None:
    """``running_activities`` counts over all activities, and each gets its turn."""
    drive = yard(limits=Limits(running_activities=2))
    for n in range(4):
        drive.want(f"job {n}", "a")
        drive.want(f"other {n}", "b", "ask_other")
    order = []
    while drive.running:
        assert len(drive.running) == drive.errands.running <= 2
        what = next(iter(drive.running))
        order.append(what)
        drive.end(what)
    assert len(order) == 8
    assert {what.split()[0] for what in order[2:5]} == {"job", "other"}
    see_rest(drive)


def test_a_busy_activity_does_not_keep_another_from_its_turn() -> None:
    """With places scarce, one that always has more to do does not take every place that becomes free."""
    drive = yard(limits=Limits(running_activities=1))
    for n in range(3):
        drive.want(f"job {n}")
    drive.want("other", "b", "ask_other")
    for n in range(3, 20):
        drive.want(f"job {n}")
        drive.end(next(iter(drive.running)))
        if "other" in drive.running:
            return
    raise AssertionError("it never had its turn")


def test_who_leaves_to_the_outside_gives_its_place_to_others() -> None:
    """What is completed from outside runs nothing here, so it takes no place."""
    drive = yard(limits=Limits(running_activities=1))
    drive.want("one")
    drive.want("other", "b", "ask_other")
    leave(drive, "one")
    assert list(drive.running) == ["other"]


# ---- time-outs ---------------------------------------------------------------------------------------


def test_who_waits_too_long_for_a_turn_is_told_so() -> None:
    """``schedule_to_start`` bounds the wait for a place; what runs is not touched by it."""
    drive = yard(concurrency=1, schedule_to_start=10 * SECOND)
    drive.want("one")
    drive.want("two", "b")
    drive.later(9.9)
    drive.settle()
    assert phase(drive, "two") == WAITS
    drive.later(0.1)
    drive.settle()
    assert drive.told("b") == ["two: TimeoutError it has waited too long for its turn"]
    drive.later(100)
    drive.end("one")
    assert drive.told("a") == ["one: ok one"]
    see_rest(drive)


def test_a_place_that_comes_too_late_is_not_taken() -> None:
    """When time is up and a place becomes free in the same moment, nothing begins that is over already."""
    for option in ("schedule_to_start", "schedule_to_close"):
        options: dict[str, Any] = {option: 10 * SECOND}
        drive = yard(concurrency=1, **options)
        drive.want("one")
        drive.want("two", "b")
        drive.now += 11 * SECOND_US
        drive.end("one")
        assert drive.numbers("two") == []
        assert drive.told("b")[0].startswith("two: TimeoutError")
        see_rest(drive)


def test_all_attempts_together_have_their_time() -> None:
    """``schedule_to_close`` ends a pause, and lets none begin that could not end in time."""
    drive = yard(schedule_to_close=10 * SECOND, retry=policy(10, 4, 100))
    drive.want("one")
    drive.end("one", ValueError("no"))
    drive.later(5)
    drive.settle()
    assert drive.numbers("one") == [1, 2]
    drive.end("one", ValueError("no again"))
    assert drive.told() == ["one: ValueError no again"]
    see_rest(drive)


@pytest.mark.parametrize("how", ["crash", "reopen"])
@pytest.mark.parametrize("state", [WAITS, PAUSES, RUNS])
def test_the_time_of_all_attempts_passes_over_restarts(state: str, how: str) -> None:
    """A night without a process counts: nothing begins afterwards, and the outcome is told."""
    drive = yard(schedule_to_close=100 * SECOND, concurrency=1, retry=policy(10, 50))
    if state == WAITS:
        drive.want("zero", "z")
    drive.want("one")
    if state == PAUSES:
        drive.end("one", ValueError("no"))
    assert phase(drive, "one") == state
    drive.settle()
    drive = drive.crash() if how == "crash" else drive.reopen()
    before = len(drive.begun_ever)
    drive.now += 200 * SECOND_US
    for _ in range(2):  # the actor is looked at first, then what it has under way
        drive.settle()
        drive.later(0)
    drive.settle()
    assert len(drive.begun_ever) == before
    assert len(drive.told()) == 1
    see_rest(drive)


@pytest.mark.parametrize("how", ["crash", "reopen"])
def test_the_wait_for_a_turn_passes_over_restarts(how: str) -> None:
    """Restarts, however many, do not let anybody wait longer than ``schedule_to_start``."""
    drive = yard(concurrency=1, schedule_to_start=10 * SECOND)
    drive.want("one")
    drive.want("two", "b")
    for _ in range(3):
        drive.settle()
        drive = drive.crash() if how == "crash" else drive.reopen()
        drive.errands.stopping = True  # no place for anybody
        drive.settle()
        drive.later(4)
        drive.settle()
    assert drive.told("b") == ["two: TimeoutError it has waited too long for its turn"]
