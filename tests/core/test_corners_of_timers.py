"""When a timer rings: once, when it is due, unless it was called off, and not in a life that is closing."""

from __future__ import annotations

from datetime import timedelta

import actorflow as af
from actorflow import entity, signal, timer, update
from actorflow._core import facts
from actorflow._core.facts import Input
from actorflow._core.step import step
from actorflow.testing import Scenario
from tests.core.proof import bare, prove, run, sent

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@entity
class Child:
    """Belongs to it."""

    n: int = 0

    @update
    def ask(self) -> int:
        return self.n


@entity
class Alarm:
    """A timer that is set and called off."""

    rang: int = 0

    @signal
    def set(self) -> None:
        self.ring().arm(after=SECOND)

    @signal
    def call_off(self) -> None:
        self.ring().cancel()

    @signal
    def adopt(self) -> None:
        af.start_child(Child(), "a")

    @timer
    def ring(self) -> None:
        self.rang += 1


def test_a_timer_that_is_called_off_never_rings() -> None:
    """Called off twice it is told to the world once."""
    alarm = Scenario(Alarm)
    alarm.signal(Alarm.set)
    alarm.signal(Alarm.call_off)
    assert [type(one).__name__ for one in alarm.effects] == ["Disarm"]
    alarm.signal(Alarm.call_off)
    assert alarm.effects == []
    alarm.advance(DAY)
    assert (alarm.state.rang, alarm.waiting) == (0, [])
    prove(alarm)


def test_a_fire_that_is_early_late_or_repeated_leaves_no_trace() -> None:
    """A host may tell of a timer too often; it runs once, and never before it is due."""
    alarm = bare(Alarm)
    run(alarm, sent(Alarm.set))
    fire = Input(facts.FIRE, "ring", b"\x90", ref=(1, 0))
    assert step(alarm, fire, 999_999).fate == "ignore"
    assert step(alarm, fire._replace(ref=(9, 0)), 1_000_000).fate == "ignore"
    assert step(alarm, fire, 1_000_000).outcome == facts.DONE
    assert step(alarm, fire, 1_000_000).fate == "ignore"
    assert alarm.state.rang == 1


def test_a_timer_that_falls_due_while_closing_is_not_outstanding() -> None:
    """It will not run any more, and so a host need not arm it; the child and the alarm it still awaits."""
    alarm = Scenario(Alarm)
    alarm.signal(Alarm.set)
    alarm.signal(Alarm.adopt)
    alarm.cancel()
    assert [one.kind for one in alarm.waiting] == ["child", "alarm"]
    alarm.restart()
    assert [one.kind for one in alarm.waiting] == ["child", "alarm"]
    alarm.advance(10 * SECOND)
    assert (alarm.status, alarm.state.rang) == ("closing", 0)
    alarm.confirm_cancelled("a")
    assert (alarm.status, alarm.waiting) == ("cancelled", [])
    prove(alarm)
