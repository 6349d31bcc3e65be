"""What a runtime calls in the place of activities: a test's fakes, checked when the runtime is made.

The activity keeps its name, its options, and the types of what it takes and gives; only what runs is another.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from attrs import frozen

from actorflow._authoring.activities import Activity
from actorflow.errors import DefinitionError

__all__ = ["Replacing", "StandIn", "stand_ins"]

Replacing = Mapping[Activity[..., Any], Callable[..., Any]]
"""By activity, what is called in its place: a function, ``def`` or ``async def``, or another activity."""


@frozen
class StandIn:
    """What runs in the place of an activity's function."""

    run: Callable[..., Any]
    """Takes every argument by position, as the activity's own ``run`` does."""
    waits: bool
    """It is an ``async def``."""


def stand_ins(activities: Replacing) -> dict[str, StandIn]:
    """By the name of the activity, what stands in for it; raises ``DefinitionError`` for what cannot."""
    found: dict[str, StandIn] = {}
    for activity, other in activities.items():
        where = f"activities={{{activity}: {_name(other)}}}"
        if not isinstance(activity, Activity):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise DefinitionError(
                where,
                f"{activity!r} is no activity",
                "the keys are what @activity made: {charge: fake_charge}",
            )
        if activity.name in found:
            raise DefinitionError(
                where, "something stands in for it already", "an activity and its .options(...) are one"
            )
        found[activity.name] = _stand_in(activity, other, where)
    return found


def _stand_in(activity: Activity[..., Any], other: Any, where: str) -> StandIn:
    if isinstance(other, Activity):
        given = cast("Activity[..., Any]", other)
        if (given.batching is None) != (activity.batching is None):
            raise DefinitionError(
                where, "one of them is batched, and the other is not", "a function that takes a list will do"
            )
        other = given.function
    if not callable(other):
        raise DefinitionError(where, f"{other!r} cannot be called", "give a function, or another activity")
    parameters = inspect.signature(activity.function).parameters.values()
    keywords = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    positions = len(parameters) - len(keywords)
    _see_fit(activity, other, positions, keywords, where)

    def by_position(*args: Any) -> Any:
        return other(*args[:positions], **dict(zip(keywords, args[positions:], strict=True)))

    return StandIn(by_position if keywords else other, _waits(other))


def _see_fit(
    activity: Activity[..., Any], other: Callable[..., Any], positions: int, keywords: list[str], where: str
) -> None:
    """Raise if the other function cannot be called as the activity's is."""
    try:
        signature = inspect.signature(other)
    except (TypeError, ValueError):
        return  # a builtin that does not say what it takes
    try:
        signature.bind(*[None] * positions, **dict.fromkeys(keywords))
    except TypeError as error:
        raise DefinitionError(
            where,
            f"{_name(other)}{signature} cannot take what {activity} is asked with: {error}",
            f"write def {_name(other)}{inspect.signature(activity.function)}",
        ) from None


def _waits(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await."""
    while isinstance(function, partial):
        function = function.func  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - not whether it can be called, but what that gives
    )


def _name(function: object) -> str:
    if isinstance(function, Activity):
        return cast("Activity[..., Any]", function).name
    found = getattr(function, "__name__", None)
    return found if isinstance(found, str) and found.isidentifier() else "fake"
