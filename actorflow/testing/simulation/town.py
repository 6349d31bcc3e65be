"""The actors of a world as they are durable, for those who check that something holds of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from actorflow._authoring.entity import spec_of
from actorflow._authoring.identity import moment
from actorflow._runtime.shelf import status_of

from .agenda import Agenda

if TYPE_CHECKING:
    from actorflow._authoring.activities import Activity
    from actorflow._authoring.handlers import Query

    from .outside import Done, Outside
    from .truth import Truth

__all__ = ["Town"]

E = TypeVar("E")
P = ParamSpec("P")
R = TypeVar("R")


class Town:
    """All actors at one commit: none of them knows of what is not durable, and all are of the same moment."""

    def __init__(self, truth: Truth, outside: Outside, agenda: Agenda) -> None:
        self._truth = truth
        self._outside = outside
        self._agenda = agenda

    @property
    def now(self) -> datetime:
        """What the wall clock shows."""
        return moment(self._agenda.wall())

    def states(self, entity: type[E]) -> dict[str, E]:
        """The state of every actor that has one, by key: to be read, and not to be changed."""
        name = spec_of(entity).name
        return {
            address[1]: actor.state
            for address, actor in self._truth.actors.items()
            if address[0] == name and actor.state is not None
        }

    def statuses(self, entity: type[Any]) -> dict[str, str]:
        """How every actor is: ``running``, or how its life ended."""
        name = spec_of(entity).name
        return {key: status_of(actor) for (kind, key), actor in self._truth.actors.items() if kind == name}

    def query(
        self, entity: type[E], key: str, handler: Query[E, P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Ask a query."""
        body = handler.arguments.encode(args, kwargs)
        address = spec_of(entity).name, key
        data = self._truth.ask(address, handler.name, body, self._agenda.wall())
        return cast("R", handler.arguments.answer.decode(data))

    def done(self, activity: Activity[..., Any]) -> list[Done]:
        """What the attempts of an activity have done outside, in order, known here or not."""
        return [one for one in self._outside.done if one.activity == activity.name]
