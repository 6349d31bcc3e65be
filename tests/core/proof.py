"""What every trace stands: each prefix replays; a snapshot at any quiet place with the tail is the whole.

And an actor as a host has it, without a scenario around it.
"""

from __future__ import annotations

from typing import Any

from attrs import field

from actorflow import entity, signal, update
from actorflow._authoring.entity import spec_of
from actorflow._core.actor import Actor
from actorflow._core.facts import Input
from actorflow._core.image import differences, image
from actorflow._core.once import Ids
from actorflow._core.quiet import quiet
from actorflow._core.replay import replay
from actorflow._core.snapshot import restore, snapshot
from actorflow._core.step import Turn, advance, step
from actorflow.testing import Scenario
from tests.core.shop import release


def vacant(entity: type[Any], key: str = "scenario", nonce: bytes = b"") -> Actor:
    """An actor that nobody has heard of."""
    spec = spec_of(entity)
    return Actor(spec, key, Ids.within(spec.limits.id_window, spec.limits.id_bytes), nonce)


def bare(cls: type[Any], *, strict: bool = False) -> Actor:
    """An actor without a scenario around it."""
    actor = vacant(cls, "k", b"a nonce of 16 by")
    actor.strict = strict
    return actor


def sent(handler: Any, *args: Any, id_: str | None = None, inside: bool = False) -> Input:
    """The message to a handler."""
    sender = ("Q", "q", 1, 0) if inside else None
    return Input(handler.spec.kind, handler.name, handler.arguments.encode(args, {}), id_, None, sender)


def run(actor: Actor, input_: Input, now: int = 0) -> list[Turn]:
    """A step, and all that follows of itself."""
    turns = [step(actor, input_, now)]
    while (more := advance(actor, now)) is not None:
        turns.append(more)
        assert len(turns) < 100, "advance comes to an end"
    return turns


def prove(scenario: Scenario[Any]) -> int:
    """Replay every prefix; come back from a snapshot at every quiet place.  Gives how many there were."""
    records = scenario.records
    whole = vacant(scenario.entity, scenario.key)
    replay(whole, records)
    expected = image(whole)
    quiet_places = 0
    walked = vacant(scenario.entity, scenario.key)
    for place in range(len(records) + 1):
        prefix = vacant(scenario.entity, scenario.key)
        replay(prefix, records[:place])
        assert differences(image(prefix), image(walked)) == []
        if quiet(prefix):
            quiet_places += 1
            resumed = vacant(scenario.entity, scenario.key)
            restore(resumed, snapshot(prefix))
            for id_, known in prefix.ids.entries().items():
                resumed.ids.remember(id_, known)
            replay(resumed, records[place:])
            assert differences(expected, image(resumed)) == []
        if place < len(records):
            replay(walked, records[place : place + 1])
    return quiet_places


@entity
class Tally:
    """One handler suspended, and another that fails beside it."""

    done: list[str] = field(factory=list)

    @update
    async def slow(self) -> int:
        await release("slow")
        self.done.append("slow")
        return len(self.done)

    @signal(interleave=True)
    def fail(self) -> None:
        self.done.append("never")
        raise ValueError("undo")


def undone_beside_an_open_handler() -> None:
    """A turn is undone while a handler is suspended, and what that does afterwards counts."""
    tally = Scenario(Tally)
    slow = tally.update(Tally.slow)
    tally.signal(Tally.fail)
    tally.answer(release)
    assert (slow.value, tally.state.done) == (1, ["slow"])
    prove(tally)
