"""Does the journal that fails do so as it was told, the same way each time, and as a real one could?"""

from __future__ import annotations

import random

import pytest

from persistence import Crashed, FaultyJournal, Full, Journal, NotOpen, Stopped
from tests.journal.kit import TABLES, append, held


def _opened(journal: FaultyJournal) -> FaultyJournal:
    journal.open(TABLES)
    return journal


def _frames(journal: Journal) -> list[bytes]:
    return [frame for _, frame in journal.frames()]


def _run(journal: FaultyJournal, commits: int = 30) -> list[str]:
    """Write numbered frames, over every restart that the faults ask for; gives what happened."""
    journal.open(TABLES)
    story: list[str] = []
    for _ in range(commits):
        number = journal.statistics().frames + 1
        try:
            with journal.write() as batch:
                batch.append(b"%d" % number)
                batch.put("rows", b"last", b"%d" % number)
        except Full:
            story.append("full")
        except Stopped:
            journal.close()
            journal.open(TABLES)
            story.append(f"stopped {journal.statistics().frames - number}")
        except Crashed:
            journal = _opened(journal.reopened())
            story.append(f"crashed {journal.statistics().frames - number}")
        else:
            story.append("done")
        frames = _frames(journal)
        assert frames == [b"%d" % n for n in range(1, len(frames) + 1)]
        assert journal.read("rows", b"last") == (frames[-1] if frames else None)
    return story


def test_one_seed_is_one_story(seed: int) -> None:
    """The same seed gives the same faults at the same commits with the same outcomes; all kinds happen."""

    def story(seed: int) -> list[str]:
        return _run(FaultyJournal(seed, crash=0.1, fail=0.1, full=0.1), 300)

    told = story(seed)
    assert told == story(seed)
    assert told != story(seed + 1)
    assert set(told) == {"done", "full", "stopped 0", "stopped -1", "crashed 0", "crashed -1"}


def test_without_faults_it_is_the_reference() -> None:
    """A faulty journal with no plan never fails."""
    assert set(_run(FaultyJournal(1), 50)) == {"done"}


@pytest.mark.parametrize(("kept", "survives"), [(False, [1]), (True, [2]), (None, [1, 2])])
def test_a_crash_in_a_commit(kept: bool | None, survives: list[int]) -> None:
    """A crash comes before the commit is on the disk, or after, or within: then either, never half."""
    journal = FaultyJournal()
    journal.crash_at(2, kept=kept)
    journal.open(TABLES)
    append(journal, b"a")
    with pytest.raises(Crashed), journal.write() as batch:  # noqa: PT012 - leaving it is tested
        batch.append(b"b")
        batch.put("rows", b"k", b"v")
    assert list(journal.survives) == survives
    for use in (journal.write, journal.frames, journal.room, lambda: journal.open(TABLES), journal.noted):
        with pytest.raises(Crashed, match=r"reopened\(\) gives the journal of the next one"):
            use()
    for commits in survives:
        after = _opened(journal.reopened(commits))
        assert _frames(after) == [b"a", b"b"][:commits]
        assert after.read("rows", b"k") == (b"v" if commits == 2 else None)
        assert append(after, b"next") == commits + 1
    for commits in {0, 1, 2, 3} - set(survives):
        with pytest.raises(ValueError, match=f"{commits} commits cannot survive: it is one of"):
            journal.reopened(commits)
    drawn = {FaultyJournal.reopened(journal).acknowledged for _ in range(40)}
    assert drawn == set(survives)


def test_a_crash_is_no_error_that_somebody_handles() -> None:
    """Code that catches Exception does not catch the end of its process."""
    assert not issubclass(Crashed, Exception)
    journal = _opened(FaultyJournal())
    append(journal, b"a")
    with pytest.raises(Crashed, match="after 1 commits"):
        journal.crash()
    journal.close()
    assert _frames(_opened(journal.reopened())) == [b"a"]


@pytest.mark.parametrize("kept", [False, True, None])
def test_a_commit_that_fails_once(kept: bool | None) -> None:
    """After a failed commit the journal is stopped; opened again, it tells whether that commit is there."""
    outcomes: set[bytes | None] = set()
    for seed in range(20):
        journal = FaultyJournal(seed)
        journal.fail_at(2, kept=kept)
        journal.open(TABLES)
        append(journal, b"a")
        with pytest.raises(Stopped, match="whether commit 2 is on it is not known"):
            append(journal, b"b")
        with pytest.raises(Stopped, match="hint: close it, open it again"):
            journal.write()
        assert _frames(journal) == [b"a"]
        journal.close()
        journal.open(TABLES)
        outcomes.add(_frames(journal)[-1])
        assert append(journal, b"c") == len(_frames(journal))
    assert outcomes == {False: {b"a"}, True: {b"b"}, None: {b"a", b"b"}}[kept]


def test_a_disk_that_fails_for_ever() -> None:
    """Some disks do not come back: every commit after the first that failed fails, also after a restart."""
    journal = FaultyJournal()
    journal.fail_at(2, kept=False, for_ever=True)
    journal.open(TABLES)
    append(journal, b"a")
    for _ in range(3):
        with pytest.raises(Stopped):
            append(journal, b"b")
        journal.close()
        journal.open(TABLES)
    after = _opened(journal.reopened())
    with pytest.raises(Stopped):
        append(after, b"b")
    assert _frames(after) == [b"a"]


def test_a_full_disk_is_known_to_hold_nothing() -> None:
    """Full leaves nothing and stops nothing; while ``full`` is set there is no room, only the reserve."""
    journal = FaultyJournal()
    journal.full_at(1)
    journal.open(TABLES)
    with pytest.raises(Full, match="nothing of this batch was written"):
        append(journal, b"a")
    assert append(journal, b"b") == 1
    journal.full = True
    assert journal.room() == 0
    assert append(journal, b"c") == 2
    journal.full = False
    assert journal.room() > 0


def test_a_slow_disk_tells() -> None:
    """Before a slow commit the one who asked is called with its number, and can let time pass or look."""
    seen: list[tuple[int, list[bytes]]] = []
    journal = FaultyJournal(on_slow=lambda number: seen.append((number, _frames(journal))))
    journal.slow_at(2)
    journal.open(TABLES)
    append(journal, b"a")
    append(journal, b"b")
    append(journal, b"c")
    assert seen == [(2, [b"a"])]
    assert len(FaultyJournal(slow=1.0).history) == 0


def test_a_journal_can_be_had_as_of_every_commit() -> None:
    """After n commits, for each n, is a state that a test can open; the journal itself goes on."""
    journal = _opened(FaultyJournal())
    states = [held(journal)]
    for number in range(10):
        with journal.write() as batch:
            batch.append(b"%d" % number)
            batch.put("rows", b"%d" % (number % 3), b"%d" % number)
            batch.forget(number - 2, 1)
        states.append(held(journal))
    for commits, state in enumerate(states):
        earlier = journal.as_of(commits)
        earlier.open(TABLES)
        assert held(earlier) == state
        append(earlier, b"elsewhere")
    assert held(journal) == states[-1]


def test_a_note_may_be_lost_with_the_power() -> None:
    """A note survives the process; when the power fails, an earlier one or none may be found."""
    found: set[bytes] = set()
    for seed in range(60):
        journal = _opened(FaultyJournal(seed))
        journal.note(b"first")
        journal.note(b"last")
        with pytest.raises(Crashed):
            journal.crash(power=seed % 2 == 0)
        note = _opened(journal.reopened()).noted()
        assert seed % 2 == 0 or note == b"last"
        found.add(note)
    assert found == {b"", b"first", b"last"}


def test_a_commit_that_is_over_cannot_be_planned() -> None:
    """A fault for a commit that has been is a mistake in the test, and named."""
    journal = _opened(FaultyJournal())
    append(journal, b"a")
    with pytest.raises(ValueError, match="commit 1 is over: the next one is 2"):
        journal.crash_at(1)
    journal.crash_at(2)
    with pytest.raises(NotOpen):
        FaultyJournal().room()


def _losses(seed: int, *, fsync: bool) -> int:
    """The oracle of every fault test: how many frames that were acknowledged are not there after a crash."""
    chance = random.Random(seed)
    journal = _opened(FaultyJournal(seed, fsync=fsync))
    acknowledged = 0
    for _ in range(chance.randrange(1, 20)):
        acknowledged = append(journal, b"x")
    after = _opened(journal.reopened())
    return acknowledged - after.statistics().frames


def test_a_journal_that_lies_is_caught(seed: int) -> None:
    """The control: what is acknowledged and not durable gets lost, and the oracle counts it."""
    assert sum(_losses(seed + number, fsync=True) for number in range(50)) == 0
    assert sum(_losses(seed + number, fsync=False) > 0 for number in range(50)) > 25
