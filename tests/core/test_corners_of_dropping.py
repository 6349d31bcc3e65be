"""What becomes of handlers that are let go of while they wait, and of those who will not go."""

# Handlers that swallow everything are what is tested here.
# ruff: noqa: BLE001, S110, SIM105

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

import actorflow as af
from actorflow import entity, signal, update
from actorflow._core.ambient import ambient
from actorflow._core.quiet import silence
from tests.core.proof import bare, run, sent
from tests.core.shop import act

SECOND = timedelta(seconds=1)
ENOUGH = 5_000
"""Rounds after which a loop is taken for one that nothing ends."""

pytestmark = [
    pytest.mark.filterwarnings("ignore::actorflow.NondeterminismWarning"),
    # Python says of each that it would not end.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@entity
class Other:
    """Somebody to ask, and a child."""

    n: int = 0

    @update
    def ask(self) -> int:
        return self.n


async def shielded(_: Any, __: Any) -> None:
    """An await behind a block that is entered anew each time."""
    async with af.shielded():
        await act(1)


async def saga(_: Any, __: Any) -> None:
    """The same with compensations."""
    async with af.saga() as undo:
        undo(act, 1)
        await act(1)


AWAITS: dict[str, Callable[[Any, Any], Awaitable[Any]]] = {
    "activity": lambda _, __: act(1),
    "callback": lambda callback, _: callback,
    "child": lambda _, child: child.result(),
    "condition": lambda _, __: af.wait_until(lambda: False),
    "continuation": lambda _, __: af.continue_as_new(),
    "fan_out": lambda _, __: af.fan_out({"b": Other()}),
    "gather": lambda _, __: af.gather(act(1), act(2)),
    "race": lambda _, __: af.race(act(1), act(2)),
    "saga": saga,
    "shielded": shielded,
    "sleep": lambda _, __: af.sleep(SECOND),
    "update": lambda _, __: af.actor(Other, "o").update(Other.ask),
}


@pytest.mark.parametrize("way", AWAITS)
def test_whatever_a_deaf_loop_awaits_it_can_be_dropped(way: str) -> None:
    """A loop that swallows what ends it, around any await, does not keep the thread that lets go of it."""
    spun = 0

    @entity
    class Deaf:
        @signal
        async def go(self) -> None:
            nonlocal spun
            callback, child = af.callback(int, timeout=None), af.start_child(Other(), "a")
            try:
                await act(0)
            except BaseException:
                pass
            while spun < ENOUGH:
                spun += 1
                try:
                    await AWAITS[way](callback, child)
                except BaseException:
                    pass

    actor = bare(Deaf)
    run(actor, sent(Deaf.go))
    silence(actor)
    rounds = spun
    gc.collect()
    assert (rounds < ENOUGH, spun - rounds) == (True, 0), "and the collector does not wake it again"
    assert (ambient.dying, actor.effects, actor.pending) == (0, [], {})


def test_what_is_dropped_neither_asks_nor_answers() -> None:
    """A ``finally`` that completes the life, arms and asks is unwound without reaching anybody."""
    tried: list[str] = []

    @entity
    class Tidy:
        @signal
        async def go(self) -> None:
            try:
                await act(1)
            finally:
                for attempt in (af.complete, af.now, lambda: af.callback(int, timeout=None)):
                    try:
                        attempt()
                    except GeneratorExit:
                        tried.append("in vain")

    actor = bare(Tidy)
    run(actor, sent(Tidy.go))
    silence(actor)
    assert (tried, actor.phase, actor.pending) == (["in vain"] * 3, 1, {})
