"""What once went wrong where the core meets its hosts, each as the smallest story that showed it."""

from __future__ import annotations

import gc
import traceback
from contextlib import suppress
from typing import Any

import pytest

import actorflow as af
from actorflow import entity, main, signal, start_child, upcast
from actorflow._authoring.entity import spec_of
from actorflow._core import facts
from actorflow._core.ambient import ambient
from actorflow._core.facts import Input
from actorflow._core.quiet import silence
from actorflow._core.step import step
from actorflow.limits import Limits
from actorflow.testing import Scenario
from tests.core.proof import bare, run, sent


@entity
class Part:
    """A child."""

    n: int = 0

    @signal
    def ping(self) -> None:
        self.n += 1


@entity(limits=Limits(continue_records=3))
class Patient:
    """Waits for a child, and may start again from the top."""

    n: int = 0

    @signal(interleave=True)
    def tick(self) -> None:
        self.n += 1

    @main(restartable=True)
    async def main(self) -> int:
        return await start_child(Part(), "one").result(int)


def test_a_main_whose_child_lives_is_not_started_again() -> None:
    """A continuation waits until the child has ended: from the top it would be started twice."""
    scenario = Scenario(Patient)
    for _ in range(10):
        scenario.signal(Patient.tick)
    assert scenario.status == "running"
    scenario.answer("one", 7)
    assert (scenario.status, scenario.result(int)) == ("completed", 7)


@entity
class Strict:
    """Holds its mailbox when a signal fails."""

    n: int = 0

    @signal(on_failure="stop")
    def inc(self, by: int) -> None:
        if by < 0:
            raise ValueError(by)
        self.n += by

    @signal
    def end(self) -> None:
        af.complete()


def test_what_comes_after_the_end_holds_no_mailbox_of_the_next_life() -> None:
    """A signal from another actor that finds the life over is parked, and the next life takes messages."""
    actor = bare(Strict)
    run(actor, sent(Strict.end))
    run(actor, sent(Strict.inc, 1, inside=True))
    assert list(actor.parked) == [2]
    run(actor, Input(facts.START, "", actor.spec.dump(Strict()), options=("fail", "new")))
    run(actor, sent(Strict.inc, 1))
    assert actor.state.n == 1


def test_who_is_told_a_second_time_is_told_no_more() -> None:
    """The report of a broken actor does not grow with everybody who asks."""

    @entity
    class Once:
        n: int = 0

        @signal
        def inc(self) -> None:
            self.n += 1

    actor = bare(Once)
    actor.phase, actor.broken = 4, af.Divergence("a", 1, "-", "x", "y", "z")
    lengths: set[int] = set()
    for _ in range(3):
        with pytest.raises(af.Divergence) as caught:
            step(actor, sent(Once.inc), 0)
        lengths.add(len(traceback.extract_tb(caught.value.__traceback__)))
    assert len(lengths) == 1


@entity
class Loops:
    """Never comes to rest."""

    n: int = 0

    @signal
    async def nothing(self) -> None:
        while True:
            await af.gather()

    @signal
    async def deaf(self) -> None:
        async def branch() -> None:
            while True:
                with suppress(BaseException):
                    await af.sleep(af.Limits().ask_timeout)

        await af.gather(branch(), branch())


def test_awaiting_nothing_for_ever_is_found() -> None:
    """A loop around an empty gather is a loop that never waits."""
    with pytest.raises(af.Runaway):
        step(bare(Loops), sent(Loops.nothing), 0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_deaf_branch_is_dropped_for_good() -> None:
    """A branch of gather that swallows everything does nothing any more once it is dropped."""
    actor = bare(Loops)
    run(actor, sent(Loops.deaf))
    silence(actor)
    gc.collect()
    assert (ambient.dying, actor.pending, actor.effects) == (0, {}, [])


def test_flags_are_code() -> None:
    """A handler that interleaves is other code than one that does not."""

    def made(*, interleave: bool) -> bytes:
        @entity(name="E")
        class E:
            n: int = 0

            @signal(interleave=interleave)
            def inc(self) -> None:
                self.n += 1

        return spec_of(E).fingerprint

    assert made(interleave=False) == made(interleave=False) != made(interleave=True)


def test_an_upcast_is_found_below_staticmethod() -> None:
    """Whichever of the two decorators is above."""

    @entity(version=2)
    class Old:
        n: int = 0

        @staticmethod  # pyright: ignore[reportArgumentType]
        @upcast(1)
        def from_1(stored: dict[str, Any]) -> dict[str, Any]:
            return {"n": stored["m"]}

        @signal
        def inc(self) -> None:
            self.n += 1

    assert spec_of(Old).load(b"\x92\x01\x81\xa1m\x07") == Old(7)
