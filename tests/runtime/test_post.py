"""What actors send one another: with its cause or as a letter, once, in order, and to a bounded end."""

from __future__ import annotations

import pytest

from actorflow import Deadlock, Limits, UnknownEntity
from actorflow._codec.failures import error_of
from actorflow._core import facts
from actorflow._core.facts import Input
from actorflow._runtime import post

from .conftest import Knobs
from .drive import Drive
from .oracle import check, letters
from .town import TOWN, Account, Basket, Child, Echo, Parent

WITHOUT_ECHO = tuple(one for one in TOWN if one is not Echo)


def heard(drive: Drive, key: str) -> list[str]:
    """What an echo was told."""
    actor = drive.actor(Echo, key)
    return [] if actor.state is None else actor.state.heard


def fill(key: str, tokens: int) -> list[str]:
    """Tokens of this key."""
    return [f"{key}-{n}" for n in range(tokens)]


# ---- more than a frame takes -------------------------------------------------------------------------


@pytest.mark.parametrize("crash_after", [0, 1, 2, 3])
def test_what_is_too_much_for_a_frame_travels_with_the_next(crash_after: int, knobs: Knobs) -> None:
    """Whatever is sent beyond the bound waits as letters, and arrives in order, also after a crash."""
    knobs.sends(10)
    drive = Drive(every=0, limits=Limits(log_bytes=200))
    for token in ("first", "second"):
        drive.send(Echo, "a", Echo.flood, token, "x,y", 30)
    assert len(heard(drive, "x")) == 5
    for _ in range(crash_after):
        drive.commit()
    if crash_after:
        drive = drive.crash(every=0)
        assert letters(drive.journal)
    assert drive.settle() >= 6 - crash_after
    assert heard(drive, "x") == [
        t for t in fill("first", 30) + fill("second", 30) if int(t.split("-")[1]) % 2 == 0
    ]
    assert heard(drive, "y") == [
        t for t in fill("first", 30) + fill("second", 30) if int(t.split("-")[1]) % 2 == 1
    ]
    assert letters(drive.journal) == []
    check(drive)


def test_the_bound_itself_is_kept() -> None:
    """One frame takes so many sends and no more, however many there are."""
    drive = Drive(every=0)
    drive.send(Echo, "a", Echo.flood, "one", "x", 1_900)
    drive.send(Echo, "b", Echo.flood, "two", "x", 1_900)
    assert len(heard(drive, "x")) == post.SENDS_MAX
    drive.commit()
    assert len(letters(drive.journal)) == 2 * 1_900 - post.SENDS_MAX
    drive.commit()
    assert letters(drive.journal) == []
    assert heard(drive, "x") == fill("one", 1_900) + fill("two", 1_900)


def test_who_is_sent_to_later_does_not_overtake_letters(knobs: Knobs) -> None:
    """While there are letters for an actor, what it is sent becomes one too."""
    knobs.sends(2)
    drive = Drive(every=0)
    drive.send(Echo, "a", Echo.flood, "old", "x", 6)
    knobs.sends(2_000)
    drive.send(Echo, "a", Echo.flood, "new", "x", 3)
    drive.settle()
    assert heard(drive, "x") == fill("old", 6) + fill("new", 3)


def test_two_that_signal_each_other_for_ever_hold_nobody_up(knobs: Knobs) -> None:
    """Each frame has its share of what never ends; others are served, and closing comes to an end."""
    knobs.sends(50)
    drive = Drive(every=0, limits=Limits(log_bytes=2_000, resident_actors=1))
    drive.send(Echo, "ping", Echo.bounce, "pong", "ping")
    for frame in range(20):
        ticket = drive.send(Account, "a", Account.deposit, f"t{frame}", 1)
        assert drive.commit().messages <= 50 + 10
        assert ticket.told
    drive.close()
    after = drive.crash(final=False, every=0)
    after.hear()
    before = after.state(Echo, "ping").count
    for _ in range(3):
        after.commit()
    assert after.state(Echo, "ping").count > before
    assert after.state(Account, "a").cents == 20


# ---- targets that are not there ----------------------------------------------------------------------


def test_what_is_sent_to_an_unregistered_entity_waits_for_it(knobs: Knobs) -> None:
    """Nobody has registered it: letters, in order, delivered when somebody has."""
    knobs.sends(3)
    drive = Drive(every=1)
    drive.send(Echo, "a", Echo.flood, "before", "x", 5)
    drive.settle()
    drive.send(Parent, "p", Parent.adopt, "c", "abandon")
    drive = drive.reopen(entities=[one for one in TOWN if one is not Child])
    drive.send(Parent, "p", Parent.adopt, "d", "cancel")
    drive.settle()
    assert [target for target, _ in letters(drive.journal)] == [("Child", "d")]
    with pytest.raises(UnknownEntity):
        drive.population.resident(("Child", "c"), drive.now)
    drive = drive.crash(entities=[one for one in TOWN if one is not Child])
    drive.settle()
    assert len(letters(drive.journal)) == 1
    drive = drive.crash(entities=TOWN)
    drive.settle()
    assert drive.state(Child, "d").n == drive.state(Child, "c").n == 7
    assert letters(drive.journal) == []
    check(drive)


def test_the_actors_of_an_unregistered_entity_are_kept() -> None:
    """A log that speaks of them is cut off all the same, and they go on when they are registered again."""
    drive = Drive(limits=Limits(log_bytes=1))
    for n in range(5):
        drive.send(Echo, "a", Echo.hear, f"t{n}")
    drive.send(Basket, "x", Basket.arm, "t", 1, 30)
    drive = drive.crash(entities=[Account])
    drive.settle()
    assert drive.journal.statistics().frames < 4
    drive = drive.crash(entities=[Account])
    drive = drive.reopen(entities=TOWN)
    drive.later(31)
    assert drive.state(Echo, "a").heard == [f"t{n}" for n in range(5)]
    assert drive.state(Basket, "x").fired == [1]
    drive.settle()
    check(drive)


# ---- faults ------------------------------------------------------------------------------------------


def test_letters_for_one_that_was_set_aside_come_after_readmit() -> None:
    """Its records cannot be read, so others' signals wait for it, in order."""
    drive = Drive(limits=Limits(log_bytes=1))
    drive.send(Echo, "x", Echo.hear, "old")
    drive.settle()
    drive = drive.crash(limits=None)
    rows = dict(drive.journal.scan("history", b"\0", None, at_most=10))
    (key,) = rows
    with drive.journal.write() as batch:
        batch.put("history", key, b"damage")
    drive.send(Echo, "a", Echo.flood, "new", "x", 3)
    drive.settle()
    assert len(letters(drive.journal)) == 3
    with drive.journal.write() as batch:
        batch.put("history", key, rows[key])
    drive.population.residency.readmit(("Echo", "x"), drive.now)
    drive.settle()
    assert heard(drive, "x") == ["old", *fill("new", 3)]
    check(drive)


def test_letters_for_one_with_a_fault_come_after_readmit(monkeypatch: pytest.MonkeyPatch) -> None:
    """An actor in memory that does not go on of itself takes its letters when it is readmitted."""
    drive = Drive()
    drive.send(Echo, "x", Echo.hear, "old")
    give = drive.population.give

    def failing(resident: object, input_: Input, now: int) -> object:
        if input_.sender is not None:
            raise RuntimeError("planted")
        return give(resident, input_, now)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(drive.population, "give", failing)
    ticket = drive.send(Echo, "a", Echo.flood, "new", "x", 3)
    drive.settle()
    monkeypatch.undo()
    assert heard(drive, "x") == ["old"]
    drive.population.residency.readmit(("Echo", "x"), drive.now)
    drive.settle()
    assert heard(drive, "x") == ["old", *fill("new", 3)]
    assert letters(drive.journal) == []
    assert ticket.told


# ---- questions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("chain", [["a"], ["b", "a"], ["b", "c", "a"]])
def test_a_circle_of_questions_is_a_deadlock(chain: list[str]) -> None:
    """Whoever would close it is told at once, by name; nobody waits for ever."""
    drive = Drive()
    ticket = drive.send(Echo, "a", Echo.ask, chain)
    assert ticket.outcome is not None
    error = error_of(ticket.outcome[1], "")
    assert isinstance(error, Deadlock)
    assert error.path[0] == error.path[-1]
    assert set(error.path) == {f"Echo {key!r}" for key in ["a", *chain]}
    assert drive.send(Echo, "a", Echo.ask, ["b", "c"]).outcome == (facts.OK, b"\x02")


def test_a_question_that_came_too_late_is_no_wait() -> None:
    """Who has stopped waiting for an answer is in no circle: the other may ask back."""
    drive = Drive()
    late = drive.send(Echo, "a", Echo.ask_late, "b", 5)
    drive.later(6)
    drive.settle()
    assert late.outcome is not None
    assert heard(drive, "a") == ["late"]
    drive.later(60)
    back = drive.send(Echo, "b", Echo.ask, ["a"])
    drive.settle()
    assert back.outcome == (facts.OK, b"\x01")


@pytest.mark.parametrize("resident_actors", [1, 10_000])
def test_one_that_was_ended_is_no_wait(resident_actors: int) -> None:
    """A life that was terminated while it waited is in no circle either."""
    drive = Drive(limits=Limits(resident_actors=resident_actors, log_bytes=1))
    drive.send(Echo, "b", Echo.slow, 60)
    drive.send(Echo, "a", Echo.ask, ["b"])
    drive.settle()
    drive.deliver(("Echo", "a"), Input(facts.TERMINATE))
    drive.settle()
    drive.start(Echo(), "a", "fail", "new")
    drive.later(61)
    back = drive.send(Echo, "b", Echo.ask, ["a"])
    drive.settle()
    assert back.outcome == (facts.OK, b"\x01")


def test_a_question_times_out_in_its_time_though_its_asker_sleeps() -> None:
    """A time-out further off than the clock's horizon comes when it is due, in memory or not."""
    for resident_actors in (1, 10_000):
        drive = Drive(limits=Limits(resident_actors=resident_actors, log_bytes=1))
        drive.send(Echo, "b", Echo.slow, 5 * 3_600)
        late = drive.send(Echo, "a", Echo.ask_late, "b", 2 * 3_600)
        drive.settle()
        for _ in range(7):
            drive.later(1_000)
            drive.settle()
        assert late.outcome is None
        drive.later(201)
        drive.settle()
        assert late.outcome is not None


@pytest.mark.parametrize("resident_actors", [1, 10_000])
def test_a_question_is_answered_after_a_restart(resident_actors: int) -> None:
    """Asker and asked are taken up where they were, whichever is woken first, and asked is asked once."""
    limits = Limits(resident_actors=resident_actors, log_bytes=1)
    for commits in range(3, 12):
        drive = Drive(limits=limits)
        drive.send(Account, "a", Account.deposit, "t0", 50)
        drive.send(Echo, "b", Echo.slow, 60)
        drive.send(Echo, "a", Echo.ask, ["b"])
        drive.send(Account, "a", Account.move_once, "t1", "b", 20)
        for _ in range(12):
            drive.commit()
        drive = drive.crash(commits + 4)
        drive.later(61)
        drive.settle()
        assert drive.actor(Echo, "a").pending == {}
        assert (drive.state(Account, "a").cents, drive.state(Account, "b").cents) == (30, 20)
        check(drive)


def test_two_with_one_id_are_answered_once_executed() -> None:
    """A question whose id another has used waits for that answer, and gets it also after a restart."""
    for crashed in (False, True):
        drive = Drive()
        drive.send(Account, "b", Account.deposit, "t0", 50)
        drive.send(Account, "c", Account.deposit, "t0", 50)
        drive.send(Basket, "x", Basket.add, "t", "sku")
        drive.send(Account, "b", Account.move_once, "t1", "a", 20)
        drive.send(Account, "c", Account.move_once, "t1", "a", 20)
        drive.settle()
        if crashed:
            drive = drive.crash()
            drive.settle()
        assert drive.state(Account, "a").seen == ["t1"]
        assert drive.actor(Account, "c").pending == drive.actor(Account, "b").pending == {}


# ---- children ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("resident_actors", [1, 10_000])
def test_children_answer_through_restarts(resident_actors: int, knobs: Knobs) -> None:
    """A parent has its children's results whenever the process died: when they began, slept, or had ended."""
    knobs.sends(2)
    limits = Limits(resident_actors=resident_actors, log_bytes=100)
    drive = Drive(limits=limits)
    ticket = drive.send(Parent, "p", Parent.raise_children, "c", 5, 60)
    drive.settle()
    drive.later(30)
    drive.settle()
    drive.later(31)
    drive.settle()
    assert ticket.outcome == (facts.OK, b"\x0a")
    for commits in range(len(drive.journal.history) + 1):
        after = drive.crash(commits)
        after.settle()
        after.later(120)
        after.settle()
        after.later(1)
        after.settle()
        check(after)
        if after.actor(Parent, "p").state is not None:
            assert after.state(Parent, "p").results == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("policy", "status"), [("cancel", "cancelled"), ("terminate", "terminated"), ("abandon", "")]
)
def test_children_end_as_their_policy_says(policy: str, status: str, knobs: Knobs) -> None:
    """Whenever the process died, a parent that ends takes its children along, or leaves them alone."""
    knobs.sends(1)
    drive = Drive(limits=Limits(log_bytes=100))
    for n in range(3):
        drive.send(Parent, "p", Parent.adopt, f"c{n}", policy)
    drive.settle()
    began = len(drive.journal.history)
    drive.send(Parent, "p", Parent.finish, "t")
    drive.settle()
    for commits in range(began, len(drive.journal.history) + 1):
        after = drive.crash(commits)
        after.settle()
        if not after.actor(Parent, "p").status:
            after.send(Parent, "p", Parent.finish, "t")
            after.settle()
        assert [after.actor(Child, f"c{n}").status for n in range(3)] == [status] * 3
        assert after.actor(Parent, "p").status == "completed"
        check(after)


def test_a_child_whose_key_is_taken_fails_its_start() -> None:
    """The parent is told; whose the key is stays as it is."""
    drive = Drive()
    drive.start(Child(1), "c-0")
    ticket = drive.send(Parent, "p", Parent.raise_children, "c", 1, 1)
    drive.settle()
    assert ticket.outcome is not None
    assert ticket.outcome[0] == facts.FAILED
    assert drive.state(Child, "c-0").n == 1
