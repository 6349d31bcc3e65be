"""Activities in random programs with crashes: an attempt at least, one outcome; and would it be noticed?"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorflow import Breaker, Limits, Refused, TryLater
from actorflow._core import facts
from actorflow._runtime.errand import Errand
from actorflow._runtime.errands import Errands

from . import test_errands as one_life
from . import test_errands_over_crashes as many_lives
from .drive import SECOND_US
from .works import HUNG, SECOND, Yard, outcomes, policy, see_counted, see_rest, works

# ---- at random ---------------------------------------------------------------------------------------

KEYS = ("a", "b")
STEPS = st.one_of(
    st.tuples(
        st.just("ask"), st.sampled_from(KEYS), st.sampled_from(("ask", "ask", "hurry", "leave", "undo"))
    ),
    st.tuples(st.just("end"), st.integers(0, 9), st.sampled_from(("ok", "no", "final", "hung", "later"))),
    st.tuples(st.just("outside"), st.integers(0, 9)),
    st.tuples(st.just("late"), st.integers(0, 9)),
    st.tuples(st.just("beat"), st.integers(0, 9)),
    st.tuples(st.just("pass"), st.sampled_from((0.1, 1, 5, 60))),
    st.tuples(st.just("commit")),
    st.tuples(st.just("crash"), st.integers(0, 3)),
    st.tuples(st.just("reopen")),
    st.tuples(st.just("cancel"), st.sampled_from(KEYS)),
    st.tuples(st.just("terminate"), st.sampled_from(KEYS)),
)
ENDINGS: dict[str, Any] = {
    "ok": None,
    "no": ValueError("no"),
    "final": Refused("no"),
    "hung": HUNG,
    "later": TryLater(3 * SECOND),
}
WAYS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "two at a time": {"concurrency": 2},
    "at a rate": {"rate": 1},
    "with a circuit": {"breaker": Breaker(failures=2, pause=7 * SECOND)},
    "in little time": {"schedule_to_close": 20 * SECOND, "schedule_to_start": 8 * SECOND, "concurrency": 1},
    "at most once": {"retry": policy(1)},
}
LIMITS = {
    "roomy": Limits(),
    "crowded": Limits(running_activities=1, resident_actors=1, log_bytes=1),
}
ATTEMPTS = 3


class Program:
    """Does what was drawn, and sees after each step what has to be true always."""

    def __init__(self, way: str, limits: str, *, every: int) -> None:
        options = {"retry": policy(ATTEMPTS, 1, 4), **WAYS[way]}
        self.attempts = options["retry"].maximum_attempts
        self.bound = min(options.get("concurrency", 99), LIMITS[limits].running_activities)
        self.yard = Yard(entities=(works(**options),), limits=LIMITS[limits], every=every)
        self.old: list[tuple[Errand, int]] = []
        self.asked = 0
        self.left_behind = False
        """Something was terminated, or abandoned, and has no outcome."""

    def run(self, steps: list[tuple[Any, ...]]) -> None:
        for name, *more in steps:
            getattr(self, f"_{name}")(*more)
            self.see()
        self.yard.settle()
        self.yard.rest(seconds=5)
        self.see()
        see_rest(self.yard)

    def see(self) -> None:
        drive = self.yard
        see_counted(drive, self.attempts)
        assert all(count <= 1 for count in outcomes(drive).values())
        jobs = [errand for errand, _ in drive.running.values() if errand.activity.name == "job"]
        assert len(jobs) <= self.bound
        assert len(drive.running) == drive.errands.running or drive.population.frame.begun

    def finish(self) -> None:
        """Whatever came to a good end had an attempt; whatever nobody has left behind has its outcome."""
        drive = self.yard
        if not self.left_behind:
            assert set(outcomes(drive).values()) <= {1}
        for key in KEYS:
            actor = drive.actor(drive.works, key)
            for line in [] if actor.state is None else actor.state.told:
                what, outcome = line.split(": ", 1)
                if outcome.startswith("ok"):
                    assert drive.numbers(what), line

    def _ask(self, key: str, name: str) -> None:
        self.asked += 1
        self.left_behind |= name == "leave"
        self.yard.want(f"{self.asked}", key, name, *([4] if name in ("hurry", "leave") else []))

    def _chosen(self, place: int) -> str | None:
        names = list(self.yard.running)
        return names[place % len(names)] if names else None

    def _end(self, place: int, how: str) -> None:
        what = self._chosen(place)
        if what is not None:
            self.old.append(self.yard.running[what])
            self.yard.end(what, ENDINGS[how], commit=False)

    def _outside(self, place: int) -> None:
        what = self._chosen(place)
        if what is not None:
            errand, number = self.yard.running.pop(what)
            self.old.append((errand, number))
            self.yard.errands.left_outside(errand, number, self.yard.now + 6 * SECOND_US, self.yard.now)

    def _late(self, place: int) -> None:
        """An answer of an attempt that is over, or outside."""
        if self.old:
            self.yard.end_late(*self.old[place % len(self.old)], commit=False)

    def _beat(self, place: int) -> None:
        what = self._chosen(place)
        if what is not None:
            self.yard.errands.beat(self.yard.running[what][0], bytes([place]), self.yard.now)

    def _pass(self, seconds: float) -> None:
        self.yard.later(seconds)

    def _commit(self) -> None:
        self.yard.commit()

    def _crash(self, back: int) -> None:
        commits = max(0, len(self.yard.journal.history) - back)
        self.yard = self.yard.crash(commits)
        self.old.clear()
        self.yard.hear()

    def _reopen(self) -> None:
        self.yard = self.yard.reopen()
        self.old.clear()
        self.yard.hear()

    def _cancel(self, key: str) -> None:
        if self.yard.actor(self.yard.works, key).life and not self.yard.actor(self.yard.works, key).status:
            self.yard.deliver(("Works", key), facts.Input(facts.CANCEL))

    def _terminate(self, key: str) -> None:
        self.left_behind = True
        if self.yard.actor(self.yard.works, key).life and not self.yard.actor(self.yard.works, key).status:
            self.yard.deliver(("Works", key), facts.Input(facts.TERMINATE))


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("way", WAYS)
@given(steps=st.lists(STEPS, max_size=40), every=st.integers(0, 2))
@settings(max_examples=settings().max_examples * 2 // 5)
def test_whatever_happens_attempts_are_counted_and_outcomes_are_one(
    way: str, limits: str, steps: list[tuple[Any, ...]], every: int
) -> None:
    """Crashes, withdrawals, late answers, in any order: one outcome, and never above a bound."""
    program = Program(way, limits, every=every)
    program.run(steps)
    program.finish()


# ---- would it be noticed? ----------------------------------------------------------------------------


def starts_early(patch: pytest.MonkeyPatch) -> None:
    """Attempts begin when a frame is cut, not when it is durable."""
    cut = Yard.cut

    def cut_and_begin(self: Yard) -> Any:
        frame = cut(self)
        for errand in frame.begun:
            self.begin(errand)
        return frame

    patch.setattr(Yard, "cut", cut_and_begin)


def counts_nothing(patch: pytest.MonkeyPatch) -> None:
    """No row says what a later attempt was."""
    patch.setattr(Errands, "_note", lambda self, errand: None)


def believes_everybody(patch: pytest.MonkeyPatch) -> None:
    """Whoever answers is taken for the attempt that runs."""
    ended = Errands.ended
    patch.setattr(
        Errands,
        "ended",
        lambda self, errand, _, ending, now: ended(self, errand, errand.attempt, ending, now),
    )


def knows_no_bound(patch: pytest.MonkeyPatch) -> None:
    """Whoever wants to begin begins."""
    patch.setattr(Errands, "_may_begin", lambda self, line, errand, now: True)


def forgets_who_sleeps(patch: pytest.MonkeyPatch) -> None:
    """An actor that comes back into memory takes what has just ended for lost."""
    patch.setattr(Errands, "_keep_actor", lambda self, errand, now: None)


def forgets_the_life(patch: pytest.MonkeyPatch) -> None:
    """A key says which call it was, and not of which life."""
    patch.setattr(Errand, "key", property(lambda self: f"{self.ref[1]}"))


def keeps_rows(patch: pytest.MonkeyPatch) -> None:
    """A row outlives what it was about."""
    patch.setattr(Errands, "_unnote", lambda self, errand: None)


@pytest.mark.parametrize(
    ("rule", "proof"),
    [
        (starts_early, one_life.test_an_attempt_begins_once_the_frame_that_asks_for_it_is_durable),
        (starts_early, one_life.test_a_later_attempt_begins_once_its_own_frame_is_durable),
        (counts_nothing, many_lives.test_attempts_are_counted_over_many_crashes),
        (counts_nothing, many_lives.test_attempts_are_counted_over_a_crash_after_any_frame),
        (believes_everybody, many_lives.test_a_late_answer_of_an_attempt_that_was_given_up_is_ignored),
        (knows_no_bound, one_life.test_never_more_run_than_the_bound_of_an_activity),
        (knows_no_bound, one_life.test_never_more_run_than_the_bound_of_a_runtime),
        (knows_no_bound, one_life.test_attempts_begin_at_their_rate),
        (knows_no_bound, one_life.test_failures_in_a_row_break_the_circuit_and_one_at_a_time_tries),
        (forgets_who_sleeps, many_lives.test_a_place_in_memory_decides_nothing),
        (forgets_the_life, many_lives.test_a_key_is_the_same_in_every_attempt_and_in_no_other_call),
        (keeps_rows, many_lives.test_attempts_are_counted_over_a_crash_after_any_frame),
    ],
)
def test_without_the_rule_its_test_fails(
    rule: Callable[[pytest.MonkeyPatch], None], proof: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each promise is broken on purpose, and the test that names it has to say so."""
    proof()
    rule(monkeypatch)
    with pytest.raises((AssertionError, KeyError)):
        proof()


@pytest.mark.parametrize("rule", [counts_nothing, believes_everybody, knows_no_bound, keeps_rows])
def test_the_random_programs_would_notice_as_well(
    rule: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """So the oracle is worth its name."""
    rule(monkeypatch)
    chance = Random(seed)
    for _ in range(400):
        steps = [_drawn(chance) for _ in range(30)]
        try:
            program = Program("two at a time", "roomy", every=1)
            program.run(steps)
        except (AssertionError, KeyError):
            return
    raise AssertionError("nobody has noticed")


def _drawn(chance: Random) -> tuple[Any, ...]:
    """A step that is likely to meet one of these rules."""
    return chance.choice(
        [
            ("ask", chance.choice(KEYS), "ask"),
            ("end", chance.randrange(9), chance.choice(("ok", "no", "hung"))),
            ("late", chance.randrange(9)),
            ("pass", 5),
            ("commit",),
            ("crash", chance.randrange(3)),
        ]
    )
