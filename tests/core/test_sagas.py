"""Sagas that undo by asking others, and what they tell when they cannot."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Literal

import pytest
from attrs import field

from actorflow import HandlerFailed, UsageError, activity, actor, entity, saga, signal, update
from actorflow.testing import Scenario


@activity
async def step() -> None:
    """May fail."""


@activity
async def back(number: int) -> None:
    """May fail, too."""


@entity
class Other:
    taken: list[int] = field(factory=list[int])

    @update
    def give_back(self, number: int) -> None:
        self.taken.append(number)

    @signal
    def let_know(self, number: int) -> None:
        self.taken.append(number)


@entity
class Course:
    @update
    async def by_asking(self) -> None:
        async with saga() as undo:
            undo(actor(Other, "o").update, Other.give_back, 1)
            await step()

    @update
    async def by_activity(self) -> None:
        async with saga() as undo:
            undo(back, 7)
            await step()


def test_a_saga_may_undo_by_an_update_of_another_actor() -> None:
    """A handler among the arguments that a saga keeps is that handler, and no copy of it."""
    course = Scenario(Course)
    asked = course.update(Course.by_asking)
    course.fail(step, RuntimeError("no"))
    (waits,) = course.waiting
    assert (waits.kind, waits.name, waits.arguments) == ("update", "Other 'o'.give_back", (1,))
    course.answer("give_back", None)
    with pytest.raises(HandlerFailed, match="no"):
        _ = asked.value


def test_what_was_not_undone_is_told_with_why() -> None:
    """In words for people, and as data for whoever asked."""
    course = Scenario(Course)
    asked = course.update(Course.by_activity)
    course.fail(step, RuntimeError("the van is full"))
    course.fail(back, RuntimeError("nobody answers"))
    with pytest.raises(HandlerFailed, match=r"after ActivityFailed: .*the van is full") as told:
        _ = asked.value
    details = told.value.details
    assert isinstance(details, dict)
    assert details["undone"] == []
    assert len(details["not undone"]) == 1


# ---- exactly what was registered, in reverse, whatever crashes ---------------------------------------


@entity
class Journey:
    """Registers as many compensations as it has stages, and fails at one of them, or is cancelled."""

    @update
    async def go(self, stages: int) -> int:
        async with saga() as undo:
            for number in range(stages):
                undo(back, number)
                await step()
        return stages


def see_undone(journey: Scenario[Journey], numbers: list[int]) -> None:
    """See that these are undone in this order, with a crash before each, and no other."""
    for number in numbers:
        journey.restart()
        (waits,) = journey.waiting
        assert (waits.name, waits.arguments) == ("back", (number,))
        journey.answer(back)
    journey.restart()
    assert [one for one in journey.waiting if one.name == "back"] == []


@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("failing", range(4))
def test_what_was_registered_is_undone_in_reverse_and_nothing_else(failing: int, cancelled: bool) -> None:
    """At whichever step it fails or is cancelled, and wherever the process dies meanwhile."""
    journey = Scenario(Journey)
    journey.update(Journey.go, 4)
    for _ in range(failing):
        journey.answer(step)
        journey.restart()
    if cancelled:
        journey.cancel()
        journey.confirm_cancelled(step)
    else:
        journey.fail(step, RuntimeError("no"))
    see_undone(journey, list(reversed(range(failing + 1))))


def test_what_went_well_is_not_undone() -> None:
    """Nothing is undone of a saga that came to its end."""
    journey = Scenario(Journey)
    done = journey.update(Journey.go, 3)
    for _ in range(3):
        journey.answer(step)
    assert done.value == 3
    see_undone(journey, [])


class _Forwards(saga):
    """Undoes in the order of registration."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        self._steps.reverse()
        return await super().__aexit__(kind, error, trace)


class _Forgetful(saga):
    """Forgets what was registered last, as whoever registers behind the step does in a crash."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        del self._steps[-1:]
        return await super().__aexit__(kind, error, trace)


class _Eager(saga):
    """Undoes also what went well."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        return await super().__aexit__(RuntimeError, error or RuntimeError("eager"), trace)


class _open_to_cancellation:  # noqa: N801 - stands for ``shielded``
    async def __aenter__(self) -> None: ...
    async def __aexit__(self, *how: object) -> None: ...


@pytest.mark.parametrize("wrong", [_Forwards, _Forgetful, _Eager, "unshielded"])
def test_a_saga_that_undoes_otherwise_is_noticed(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order, the completeness, the shield, and that what stands is left alone: each test can fail."""
    if wrong == "unshielded":
        monkeypatch.setattr("actorflow._authoring.saga.shielded", _open_to_cancellation)
    else:
        monkeypatch.setitem(globals(), "saga", wrong)
    undone = partial(
        test_what_was_registered_is_undone_in_reverse_and_nothing_else, failing=2, cancelled=True
    )
    proof: Callable[[], None] = test_what_went_well_is_not_undone if wrong is _Eager else undone
    with pytest.raises((AssertionError, UsageError, HandlerFailed, ValueError)):
        proof()
