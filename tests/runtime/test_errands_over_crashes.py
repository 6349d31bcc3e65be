"""Activities over crashes: attempts are counted, withdrawn is withdrawn, late answers change nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from actorflow import Limits, TryLater
from actorflow._core import facts
from actorflow._runtime.errand import OUTSIDE, PAUSES, RUNS, WAITS, Ending

from .drive import SECOND_US
from .works import HUNG, SECOND, Yard, leave, outcomes, phase, policy, see_counted, see_rest, works, yard

# ---- counting over restarts --------------------------------------------------------------------------


def scene() -> Yard:
    """A history with attempts of every kind: first and later ones, pauses, waits, and some that are over."""
    drive = yard(concurrency=2, retry=policy(4, 1, 3))
    for what in ("one", "two", "three"):
        drive.want(what, what)
    drive.end("one", ValueError("no"))
    drive.end("two", ValueError("no"))
    drive.later(2)
    drive.settle()
    drive.end("three")
    drive.want("four", "four")
    drive.settle()
    drive.end("one")
    drive.end("two", HUNG)
    drive.later(4)
    drive.settle()
    return drive


def test_attempts_are_counted_over_a_crash_after_any_frame() -> None:
    """The next attempt has the next number, whenever the process died; and each comes to one outcome."""
    drive = scene()
    for commits in range(len(drive.journal.history) + 1):
        after = drive.crash(commits)
        see_counted(after)
        after.rest()
        see_counted(after)
        assert set(outcomes(after).values()) <= {1}
        see_rest(after)


def test_attempts_are_counted_over_many_crashes() -> None:
    """A process that dies during every attempt is not given more attempts than are allowed."""
    drive = yard(retry=policy(5))
    drive.want("one")
    for life in range(1, 5):
        assert drive.numbers("one") == list(range(1, life + 1))
        drive = drive.crash()
        drive.settle()
    drive = drive.crash()
    drive.settle()
    assert drive.numbers("one") == [1, 2, 3, 4, 5]
    assert drive.told() == ["one: Interrupted the process ended while activity job of Works 'a' ran"]
    see_rest(drive)


def test_who_waits_has_had_no_attempt() -> None:
    """A wait, or a pause, is no attempt, however often the process dies meanwhile."""
    drive = yard(concurrency=1, retry=policy(2))
    drive.want("one", "a")
    drive.want("two", "b")
    for _ in range(3):
        drive = drive.crash()
        drive.errands.stopping = True  # no place for anybody
        drive.settle()
    drive = drive.crash()
    drive.rest()
    assert drive.numbers("two") == [1]
    assert drive.told("b") == ["two: ok two"]


def test_at_most_once_is_never_begun_twice() -> None:
    """With one attempt, a crash while it ran leaves the outcome unknown, and says so."""
    drive = yard(retry=policy(1))
    drive.want("one")
    drive.settle()
    for commits in range(1, len(drive.journal.history) + 1):
        after = drive.crash(commits)
        after.settle()
        assert after.numbers("one") == [1]
        assert after.told()[0].startswith("one: Interrupted")
        after = after.crash()
        after.settle()
        assert after.numbers("one") == [1]
        see_rest(after)


def test_what_a_heartbeat_told_is_handed_on_over_a_crash() -> None:
    """The next attempt hears how far the last one came: at most a second of it is lost."""
    drive = yard()
    drive.want("one")
    errand, _ = drive.running["one"]
    assert drive.errands.beat(errand, b"\x01", drive.now)
    drive.commit()
    drive.now += SECOND_US // 2
    assert not drive.errands.beat(errand, b"\x02", drive.now)
    drive.now += SECOND_US // 2
    assert drive.errands.beat(errand, b"\x03", drive.now)
    drive.commit()
    for commits, details in ((1, b""), (2, b"\x01"), (3, b"\x03")):
        after = drive.crash(commits)
        after.settle()
        again, number = after.running["one"]
        assert (number, again.details) == (2, details)
        twice = after.crash()
        twice.settle()
        assert twice.running["one"][0].details == details
        after.rest()
        see_rest(after)


def test_a_place_in_memory_decides_nothing() -> None:
    """An actor that leaves memory while its activity runs gets its outcome, and nothing runs twice."""
    drive = yard(limits=Limits(resident_actors=1, log_bytes=1), retry=policy(3))
    for n in range(6):
        drive.want(f"{n}", f"actor {n}")
    drive.settle()
    assert drive.population.residency.passivations
    for n in range(6):
        drive.end(f"{n}", ValueError("no") if n % 2 else None)
    drive.rest()
    assert Counter(one.what for one in drive.begun_ever) == {f"{n}": 1 + n % 2 for n in range(6)}
    assert set(outcomes(drive).values()) == {1}
    see_rest(drive)


# ---- nobody wants it any more ------------------------------------------------------------------------


def test_who_waits_is_withdrawn_at_once() -> None:
    """It never begins, and those behind it move up."""
    drive = yard(concurrency=1)
    for n, name in enumerate(("ask", "hurry", "ask")):
        drive.want(f"{n}", f"actor {n}", name, *([5] if name == "hurry" else []))
    drive.later(5)
    drive.settle()
    assert drive.told("actor 1") == ["1: over"]
    drive.end("0")
    assert list(drive.running) == ["2"]
    drive.rest()
    assert drive.numbers("1") == []
    see_rest(drive)


def test_who_pauses_is_withdrawn_at_once() -> None:
    """No further attempt begins."""
    drive = yard(retry=policy(5, 20))
    drive.want("one", "a", "hurry", 5)
    drive.end("one", ValueError("no"))
    drive.later(5)
    drive.settle()
    assert drive.told() == ["one: over"]
    drive.later(100)
    drive.settle()
    assert drive.numbers("one") == [1]
    see_rest(drive)


def test_who_is_outside_is_withdrawn_at_once() -> None:
    """Whoever has the token comes too late."""
    drive = yard()
    drive.want("one", "a", "hurry", 5)
    errand, number = leave(drive, "one")
    assert phase(drive, "one") == OUTSIDE
    drive.later(5)
    drive.settle()
    assert drive.told() == ["one: over"]
    drive.end_late(errand, number)
    assert set(outcomes(drive).values()) == {1}
    see_rest(drive)


@pytest.mark.parametrize("how", [None, ValueError("no"), Ending(facts.CANCELLED), HUNG])
def test_who_runs_is_told_and_waited_for(how: Any) -> None:
    """Cancelling waits for the attempt that runs, and whatever it comes to no other follows."""
    drive = yard()
    drive.want("one", "a", "hurry", 5)
    drive.later(5)
    drive.settle()
    assert drive.stopped == ["one"]
    assert drive.told() == []
    drive.end("one", how)
    drive.later(100)
    drive.settle()
    assert drive.told() == ["one: over"]
    assert drive.numbers("one") == [1]
    see_rest(drive)


def test_who_is_told_does_not_leave_its_end_to_others() -> None:
    """An attempt that hands out its token when nobody wants it any more is over."""
    drive = yard()
    drive.want("one", "a", "hurry", 5)
    drive.later(5)
    drive.settle()
    leave(drive, "one")
    assert drive.told() == ["one: over"]
    see_rest(drive)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("crashed", [False, True])
def test_who_is_left_behind_is_not_waited_for(number: int, crashed: bool) -> None:
    """With ``on_cancel="abandon"`` the handler goes on at once, and no row is left, also after a crash."""
    drive = yard(retry=policy(5, 1))
    drive.want("one", "a", "leave", 5)
    if number == 2:
        drive.end("one", ValueError("no"))
        drive.later(2)
        drive.settle()
    drive.later(5)
    drive.settle()
    assert drive.told() == ["one: over"]
    if crashed:
        drive = drive.crash()
        drive.settle()
        assert drive.running == {}
    else:
        errand, _ = drive.running["one"]
        drive.errands.beat(errand, b"\x01", drive.now)
        drive.settle()
        drive.end("one")
    assert set(outcomes(drive).values()) == {0}
    see_rest(drive)


@pytest.mark.parametrize("state", [WAITS, PAUSES, RUNS, OUTSIDE])
@pytest.mark.parametrize("crashed", [False, True])
def test_a_life_that_is_terminated_leaves_nothing(state: str, crashed: bool) -> None:
    """In whatever phase: no attempt follows, no row is left, and a new life knows nothing of it."""
    drive = yard(concurrency=1)
    if state == WAITS:
        drive.want("zero", "z")
    drive.want("one")
    if state == PAUSES:
        drive.end("one", ValueError("no"))
        drive.later(2)
        drive.settle()
        drive.end("one", ValueError("no"))
    elif state == OUTSIDE:
        leave(drive, "one")
    began = drive.numbers("one")
    drive.terminate()
    if crashed:
        drive = drive.crash()
        drive.settle()
    drive.later(500)
    drive.settle()
    assert drive.numbers("one") == began
    drive.start(drive.works(), "a", "fail", "new")
    drive.rest()
    assert drive.told() == []
    see_rest(drive)


@pytest.mark.parametrize("state", [WAITS, PAUSES, RUNS, OUTSIDE])
def test_a_withdrawal_counts_over_a_crash_after_any_frame(state: str) -> None:
    """Withdrawn is withdrawn: what was, is not begun again by the next process."""
    drive = yard(concurrency=1)
    if state == WAITS:
        drive.want("zero", "z")
    drive.want("one", "a", "hurry", 5)
    if state == PAUSES:
        drive.end("one", TryLater(20 * SECOND))
    elif state == OUTSIDE:
        leave(drive, "one")
    drive.later(5)
    drive.settle()
    after = drive.crash()
    before = after.numbers("one")
    after.rest()
    assert after.numbers("one") == before
    assert after.told() == ["one: over"]
    see_rest(after)


def test_what_is_asked_for_and_withdrawn_in_one_frame_is_waited_for() -> None:
    """Nothing is left of it, whether or not it is begun."""
    drive = yard(every=0)
    drive.want("one")
    drive.deliver(("Works", "a"), facts.Input(facts.CANCEL))
    drive.settle()
    drive.rest()
    assert drive.actor(drive.works, "a").status == "cancelled"
    see_rest(drive)


# ---- late answers ------------------------------------------------------------------------------------


def test_a_late_answer_of_an_attempt_that_was_given_up_is_ignored() -> None:
    """Neither while it pauses, nor while the next attempt runs, nor when all is over."""
    drive = yard()
    drive.want("one")
    errand, number = drive.running["one"]
    drive.end("one", HUNG)
    drive.end_late(errand, number)
    assert drive.told() == []
    drive.later(2)
    drive.settle()
    drive.end_late(errand, number)
    drive.end_late(errand, number, ValueError("late"))
    drive.errands.left_outside(errand, number, drive.now, drive.now)
    assert phase(drive, "one") == RUNS
    assert drive.told() == []
    drive.end("one", Ending(facts.OK, b"\xa5right"))
    drive.end_late(errand, number)
    assert drive.told() == ["one: ok right"]
    assert set(outcomes(drive).values()) == {1}
    see_rest(drive)


def test_the_outside_has_its_time() -> None:
    """Nobody completes it: that attempt has timed out, and the next one begins with another token."""
    drive = yard()
    drive.want("one")
    errand, number = leave(drive, "one", 50)
    token = errand.token(number)
    drive = drive.crash()
    drive.settle()
    assert phase(drive, "one") == OUTSIDE
    drive.later(49)
    drive.settle()
    assert phase(drive, "one") == OUTSIDE
    drive.later(1)
    drive.settle()
    drive.later(2)
    drive.settle()
    again, second = drive.running["one"]
    assert second == 2
    assert again.token(second) != token
    drive.rest()
    see_rest(drive)


# ---- keys --------------------------------------------------------------------------------------------


def test_a_key_is_the_same_in_every_attempt_and_in_no_other_call() -> None:
    """Over retries and restarts; and a new life under the same key never meets an old one."""
    drive = Yard(entities=(works(retry=policy(9)),))
    names = iter(range(1_000_000))
    drive.population.shelf._entropy = lambda n: next(names).to_bytes(n, "big")
    for life in range(3):
        if life:
            drive.start(drive.works(), "a", "fail", "new")
        drive.want("one")
        drive.want("two")
        drive.end("one", ValueError("no"))
        drive.later(2)
        drive.settle()
        drive = drive.crash()
        drive.population.shelf._entropy = lambda n: next(names).to_bytes(n, "big")
        drive.settle()
        drive.rest()
        drive.send(drive.works, "a", drive.works.finish)
        drive.settle()
    keys = [one.key for one in drive.begun_ever]
    assert len(keys) > 12
    assert len(set(keys)) == 6


# ---- rows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_damaged_row_is_an_attempt_whose_end_is_unknown(
    attempts: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It harms no other errand and no actor: there is at least one more attempt, or it was interrupted."""
    drive = yard(retry=policy(attempts), concurrency=1)
    drive.want("zero", "z")
    drive.want("one")
    drive.want("two")
    ((key, _), _) = drive.journal.scan("errands", b"\0", None, at_most=9)
    drive = drive.crash()
    with drive.journal.write() as batch:
        batch.put("errands", key, b"damage")
    drive.settle()
    assert "counted from one again" in caplog.text
    drive.rest()
    assert sorted(drive.told())[1] == "two: ok two"
    if attempts == 1:
        assert drive.numbers("one") == []
        assert min(drive.told()).startswith("one: Interrupted")
    else:
        assert drive.numbers("one") == [2]
    see_rest(drive)
