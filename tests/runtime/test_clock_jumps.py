"""The wall clock does what it wants: do timers fire once, never early by it, and in the end all?"""

from __future__ import annotations

from random import Random

import pytest

from actorflow import Limits
from tests.faults.counting import tried

from .drive import BEGINNING, SECOND_US, Drive
from .oracle import check
from .town import Basket

HOUR, YEAR = 3_600, 365 * 86_400
KEYS = ("x", "y", "z")
COURSES = 60
STEPS = 40


class Watch:
    """Arms timers, lets the clock jump, and knows when each may fire."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        limits = Limits(
            resident_actors=self.chance.choice((1, 10_000)), log_bytes=self.chance.choice((1, 1 << 30))
        )
        self.drive = Drive(limits=limits)
        self.due: dict[tuple[str, int], int] = {}
        """When each timer may fire, by its actor's own clock, which never goes back."""
        self.seen: dict[str, list[int]] = {key: [] for key in KEYS}
        self.hasty_us = 0
        """By how much the host is fast: a mistake, for the control."""

    def arm(self) -> None:
        key, number = self.chance.choice(KEYS), len(self.due)
        seconds = self.chance.choice((0, 1, 50, HOUR, HOUR + 1, 30 * HOUR, 2 * YEAR))
        self.drive.send(Basket, key, Basket.arm, f"t{number}", number, seconds)
        self.due[key, number] = self.drive.actor(Basket, key).now + seconds * SECOND_US

    def jump(self) -> None:
        now, chance = self.drive.now, self.chance
        self.drive.now = chance.choice(
            (
                now + chance.choice((0, 1, 60)) * SECOND_US,
                now + HOUR * SECOND_US,
                now - HOUR * SECOND_US,
                now + 10 * YEAR * SECOND_US,
                now - 10 * YEAR * SECOND_US,
                BEGINNING,
                SECOND_US,  # 1970
            )
        )
        self.drive.now = max(self.drive.now, SECOND_US)

    def look(self) -> None:
        """Fire what is due, and see that it was this and nothing else."""
        drive = self.drive
        drive.hear()  # as a host does that has just opened
        real, drive.now = drive.now, drive.now + self.hasty_us
        drive.wake()
        drive.settle()  # what was armed far off is in the table then, however far the jump was
        drive.wake()
        drive.now = real
        for key in KEYS:
            if drive.actor(Basket, key).state is None:
                continue
            fired = drive.state(Basket, key).fired
            assert fired[: len(self.seen[key])] == self.seen[key], "what has fired stays so"
            new = fired[len(self.seen[key]) :]
            for number in new:
                assert self.due[key, number] <= real, f"{key} {number} fired early"
            assert [self.due[key, one] for one in new] == sorted(self.due[key, one] for one in new)
            assert len(set(fired)) == len(fired), f"{key} fired twice: {fired}"
            late = {n for (whose, n), due in self.due.items() if whose == key and due <= real} - set(fired)
            assert not late, f"{key} {late} should have fired"
            self.seen[key] = list(fired)

    def run(self) -> None:
        for _ in range(STEPS):
            self.chance.choice((self.arm, self.arm, self.jump))()
            self.look()
            if self.chance.random() < 0.1:
                self.drive.settle()
                self.drive = self.drive.crash() if self.chance.random() < 0.5 else self.drive.reopen()
        self.drive.now = max([self.drive.now, *self.due.values()])
        self.look()
        assert sum(map(len, self.seen.values())) == len(self.due)
        self.drive.settle()
        check(self.drive)


def test_whatever_the_clock_does_timers_fire_once_and_never_early(seed: int, effort: int) -> None:
    """Jumps of hours and of years, back to 1970, with restarts between: none is early, lost or repeated."""
    for number in range(COURSES * effort):
        Watch(seed + number).run()
        tried()


def test_a_timer_that_rings_early_is_noticed(seed: int) -> None:
    """The control: where the host's clock is a minute fast, some timer fires before it is due."""
    for number in range(COURSES):
        watch = Watch(seed + number)
        watch.hasty_us = 60 * SECOND_US
        try:
            watch.run()
        except AssertionError as error:
            if "early" in str(error):
                return
    pytest.fail("nobody has noticed")
