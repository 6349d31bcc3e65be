"""Sagas that undo by asking others, and what they tell when they cannot."""

from __future__ import annotations

import pytest
from attrs import field

from actorflow import HandlerFailed, activity, actor, entity, saga, signal, update
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
