"""Random histories against the oracle, with a crash after each frame, and with another during recovery."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from actorflow import Limits
from actorflow._core.facts import Address
from tests.faults.counting import tried

from .conftest import Knobs
from .drive import Drive
from .oracle import check, histories
from .workload import Workload, rest, see_alive, see_balanced

SEEDS = 12
WAYS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "one actor in memory": {"limits": Limits(resident_actors=1)},
    "a checkpoint all the time": {"limits": Limits(log_bytes=1)},
    "slices of one": {"limits": Limits(log_bytes=400), "slices": 1},
    "little retention": {
        "limits": Limits(history_messages=10, continue_records=15, log_bytes=300, resident_actors=2),
        "slices": 2,
        "snapshots": 0,
    },
    "letters": {"sends": 1, "limits": Limits(log_bytes=500)},
    "snapshots all the time": {"limits": Limits(log_bytes=1, resident_actors=2), "snapshots": 0},
}


def turned(knobs: Knobs, way: str) -> dict[str, Any]:
    """Turn what this way of running turns; gives what it asks of a drive."""
    given = dict(WAYS[way])
    for name in ("slices", "sends", "snapshots"):
        if name in given:
            getattr(knobs, name)(given.pop(name))
    return given


@pytest.mark.parametrize("way", WAYS)
def test_whatever_happens_the_oracle_holds(way: str, knobs: Knobs, seed: int, effort: int) -> None:
    """After any history all that was acknowledged is there once, in order, and live is what replay gives."""
    given = turned(knobs, way)
    for number in range(SEEDS * effort):
        work = Workload(seed + number)
        drive = Drive(every=1 + number % 5, **given)
        work.run(drive, 120)
        drive.settle()
        check(drive)
        rest(drive)
        check(drive)
        see_balanced(drive)
        see_alive(drive, "new")
        tried()


@pytest.mark.parametrize("way", WAYS)
def test_a_crash_after_any_frame_loses_and_repeats_nothing(
    way: str, knobs: Knobs, seed: int, effort: int
) -> None:
    """Opened as of any frame, what was acknowledged by then is there, and the actors go on from there."""
    given = turned(knobs, way)
    for number in range(effort):
        work = Workload(seed + number)
        drive = Drive(every=2, **given)
        work.run(drive, 100)
        drive.settle()
        for commits in range(len(drive.journal.history) + 1):
            after = drive.crash(commits)
            check(after, live=False)
            see_goes_on(after, seed + commits)
            tried()


@pytest.mark.parametrize("way", WAYS)
def test_crashes_while_it_recovers(way: str, knobs: Knobs, seed: int, effort: int) -> None:
    """A process that dies while it takes up what the last one left is taken up in turn, however often."""
    given = turned(knobs, way)
    for number in range(3 * effort):
        chance = Random(seed + number)
        work = Workload(seed + number)
        drive = Drive(every=3, **given)
        for life in range(6):
            work.run(drive, chance.randrange(40))
            if chance.random() < 0.5:
                drive.cut()  # a frame that never reached the journal
            known = len(drive.journal.history)
            commits = known - min(known, chance.randrange(3)) if life % 2 else known
            drive = drive.crash(commits)
            tried()
            for _ in range(chance.randrange(4)):
                drive.population.hear(drive.now, 1)
                drive.commit()
        see_goes_on(drive, seed)


def test_what_follows_from_a_letter_is_in_the_frame_that_drops_it(knobs: Knobs) -> None:
    """Where the room for letters ends with one, its consequences are not left for the next frame."""
    knobs.sends(1)
    work = Workload(16)
    drive = Drive(every=2, limits=Limits(log_bytes=500))
    work.run(drive, 100)
    drive.settle()
    for commits in (39, 40, 41):
        see_goes_on(drive.crash(commits), 16 + commits)


def test_a_circle_is_seen_also_where_it_goes_through_actors_not_yet_heard(knobs: Knobs) -> None:
    """A question that is a letter, and those it closes a circle with, all left behind by a crash."""
    knobs.sends(1)
    work = Workload(87)
    drive = Drive(every=2, limits=Limits(log_bytes=500))
    work.run(drive, 100)
    drive.settle()
    see_goes_on(drive.crash(50), 137)


def see_goes_on(drive: Drive, seed: int) -> None:
    """The actors take up what they were about, take new work, and come to rest with nothing lost."""
    drive.settle()
    check(drive)
    work = Workload(seed)
    work.count = 10_000 + len(drive.sent)
    work.run(drive, 10)
    rest(drive)
    check(drive)
    see_balanced(drive)
    see_alive(drive, "new")


def test_the_last_frame_is_there_or_it_is_not(seed: int) -> None:
    """A frame that was not written whole has not been written at all: opening finds what was before it."""
    work = Workload(seed)
    drive = Drive(every=10, limits=Limits(log_bytes=300))
    work.run(drive, 60)
    before = histories(drive.journal.history)
    work.run(drive, 10)
    commits = len(drive.journal.history)
    frame = drive.cut()
    assert frame.parts or frame.rows or frame.position
    lost = drive.crash(commits)
    assert histories(lost.journal.history) == histories(drive.journal.history)
    check(lost, live=False)
    drive.write(frame)
    kept = drive.crash()
    after = histories(kept.journal.history)
    assert all(after[address][: len(ones)] == ones for address, ones in before.items())
    check(kept)


# ---- settings that must not matter -------------------------------------------------------------------


def played(seed: int, steps: int, **given: Any) -> dict[Address, list[bytes]]:
    """The records of every actor after this workload."""
    journal = given.pop("journal", None)
    work = Workload(seed)
    drive = Drive(journal, **given)
    work.run(drive, steps)
    drive.settle()
    check(drive)
    return histories(drive.journal.history)


@pytest.mark.parametrize(
    "setting",
    [
        "a thousand a frame",
        "checkpoint always",
        "checkpoint never",
        "passivate",
        "snapshots",
        "no snapshots",
        "all",
    ],
)
def test_settings_that_must_not_matter_do_not(setting: str, knobs: Knobs, seed: int, effort: int) -> None:
    """How messages share frames, when tables are written and who is in memory leaves no trace."""
    for number in range(6 * effort):
        expected = played(seed + number, 150)
        assert sum(map(len, expected.values())) > 50
        given: dict[str, Any] = {}
        with pytest.MonkeyPatch.context() as patch:
            turning = Knobs(patch)
            match setting:
                case "a thousand a frame":
                    given = {"every": 1_000}
                case "checkpoint always":
                    given = {"limits": Limits(log_bytes=1)}
                case "checkpoint never":
                    turning.lag(1 << 60)
                case "passivate":
                    given = {"limits": Limits(resident_actors=1)}
                case "snapshots":
                    turning.snapshots(0)
                    given = {"limits": Limits(log_bytes=1)}
                case "no snapshots":
                    turning.snapshots(1 << 60)
                case _:
                    turning.snapshots(0)
                    given = {"limits": Limits(log_bytes=1, resident_actors=1), "every": 7}
            assert played(seed + number, 150, **given) == expected
        tried()
