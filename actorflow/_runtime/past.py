"""An actor as it was: the same typed queries, of a state that is over."""

from __future__ import annotations

from typing import Any, Generic, ParamSpec, TypeVar

from actorflow._authoring.handlers import Query
from actorflow._authoring.identity import moment
from actorflow._core import step as core
from actorflow._core.actor import Actor
from actorflow._core.facts import ADMITTED, Address
from actorflow._core.once import Ids
from actorflow._core.replay import replay
from actorflow._core.snapshot import restore
from actorflow._core.spec import Spec
from actorflow.errors import UsageError

from .resident import Tail
from .shelf import Shelf, status_of
from .tables import path_of

__all__ = ["Past", "past"]

E = TypeVar("E")
P = ParamSpec("P")
R = TypeVar("R")


class Past(Generic[E]):
    """An actor at one place of its history; it takes no messages."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self.seq = actor.seq
        self.at = moment(actor.now)
        self.status = status_of(actor)

    def __repr__(self) -> str:
        return f"<{self._actor} as of seq {self.seq}>"

    def query(self, handler: Query[E, P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask a query of the state as it was."""
        body = handler.arguments.encode(args, kwargs)
        data = core.ask(self._actor, handler.name, body, self._actor.now)
        answer: R = handler.arguments.answer.decode(data)
        return answer

    @property
    def state(self) -> E:
        """The state as it was: a copy, changing which changes nothing."""
        spec = self._actor.spec
        if self._actor.state is None:
            raise UsageError(f"{self._actor} had no state yet")
        state: E = spec.load(spec.dump(self._actor.state))
        return state


def past(shelf: Shelf, spec: Spec, address: Address, tail: Tail | None, seq: int) -> Past[Any]:
    """The actor after the turn of a message, made from the last snapshot before that."""
    path = path_of(address)
    head = shelf.head(path)
    kept = shelf.kept_from(path, head)
    places = [(0, 0)] if kept == 0 else []
    places += [(number, at) for number, at, _, _ in head.snapshots if number >= kept]
    before = [place for place in places if place[1] < seq] or [place for place in places if place[1] == seq]
    name = f"{address[0]} {address[1]!r}"
    if not before:
        oldest = places[0][1] if places else "none"
        raise UsageError(f"{name}: message {seq} is no longer kept; the oldest that is, is {oldest}")
    number, at = before[-1]
    actor = Actor(spec, address[1], Ids.within(spec.limits.id_window, spec.limits.id_bytes))
    restore(actor, shelf.snapshot_at(path, number) if number else b"")
    if at < seq:
        records = shelf.records(path, number, head.records) + ([] if tail is None else list(tail.records))
        _until(actor, records, seq)
    if actor.seq < seq:
        raise UsageError(f"{name} has had {actor.seq} messages, so none {seq} yet")
    return Past(actor)


def _until(actor: Actor, records: list[bytes], seq: int) -> None:
    """Replay up to the turn of a message; where it still waits, to the end."""
    for record in records:
        replay(actor, [record])
        plain = actor.spec.codec.unpack_record(record)
        if plain.seq == seq and plain.outcome != ADMITTED:
            return
