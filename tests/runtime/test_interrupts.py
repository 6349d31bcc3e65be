"""What is left when Ctrl-C comes in the middle of a turn?  The signal is raised where it hurts."""

from __future__ import annotations

import signal
from typing import Any

import pytest
import trio

from actorflow import Runtime
from actorflow._runtime.population import Population
from persistence import MemoryJournal

from .town import TOWN, Echo


async def _heard(journal: MemoryJournal) -> dict[str, list[str]]:
    """What everybody has heard, by what is in the journal."""
    async with Runtime(journal, entities=TOWN) as runtime:
        heard = {
            one.key: (await runtime.actor(Echo, one.key).at(one.seq)).state
            for one in await runtime.list(Echo)
        }
        for key in heard:  # and they go on
            await runtime.actor(Echo, key).signal(Echo.hear, "later")
            assert not (await runtime.actor(Echo, key).describe()).fault
    return {key: state.heard for key, state in heard.items()}


def _interrupted(monkeypatch: pytest.MonkeyPatch, journal: MemoryJournal, at: int) -> None:
    """Write a batch to three, and have the process interrupted as the turn with this number is recorded."""
    stand, turns = Population._stand, 0

    def standing(self: Population, *given: Any) -> None:
        nonlocal turns
        turns += 1
        if turns == at:
            signal.raise_signal(signal.SIGINT)
        stand(self, *given)

    async def main() -> None:
        async with Runtime(journal, entities=TOWN) as runtime:
            monkeypatch.setattr(Population, "_stand", standing)
            async with runtime.batch() as batch:
                for key in ("a", "b", "c"):
                    batch.signal(runtime.actor(Echo, key), Echo.hear, "t")
            await trio.sleep_forever()

    with monkeypatch.context(), pytest.raises(KeyboardInterrupt):
        trio.run(main)
    monkeypatch.undo()


@pytest.mark.parametrize("at", [1, 2, 3])
def test_interrupted_within_a_batch_all_of_it_happens_or_none(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle of a turn waits for its end, or leaves nothing of the batch."""
    journal = MemoryJournal()
    _interrupted(monkeypatch, journal, at)
    heard = trio.run(_heard, journal)
    assert heard in ({}, {key: ["t"] for key in ("a", "b", "c")})
