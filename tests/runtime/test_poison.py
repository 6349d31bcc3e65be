"""Messages whose handlers do the worst: whom does it harm, and what is left of it?"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import trio
from attrs import define, field

from actorflow import (
    ActorflowError,
    Runaway,
    Runtime,
    entity,
    gather,
    query,
    signal,
    sleep,
    update,
    wait_until,
)
from persistence import MemoryJournal

BURN_S = 0.3


class StrangeError(Exception):
    """An error that cannot even say what it is."""

    def __str__(self) -> str:
        raise ValueError("no text")


def _deep(n: int) -> int:
    return _deep(n + 1) + 1


@define
class Node:
    """Something that may hold others, or itself."""

    inside: list[Node] = field(factory=list["Node"])


def _nested(levels: int) -> Node:
    outermost = Node()
    for _ in range(levels):
        outermost = Node([outermost])
    return outermost


def _circle() -> Node:
    one = Node()
    one.inside.append(one)
    return one


def _raised(error: BaseException) -> None:
    raise error


WORST: dict[str, Callable[[], Any]] = {
    "raises": lambda: _raised(ValueError("no")),
    "asserts": lambda: _raised(AssertionError()),
    "raises what cannot be told": lambda: _raised(StrangeError()),
    "raises a group": lambda: _raised(ExceptionGroup("two", [ValueError("one"), KeyError("two")])),
    "raises a text of a megabyte": lambda: _raised(ValueError("x" * 2_000_000)),
    "raises a lone surrogate": lambda: _raised(ValueError("\ud800")),
    "ends an iteration": lambda: next(iter([])),
    "recurses": lambda: _deep(0),
    "asks for too much memory": lambda: bytearray(1 << 62),
    "divides by nothing": lambda: 1 // 0,
    "answers what cannot be stored": object,
    "answers too much": lambda: "x" * 2_000_000,
    "answers too deep": lambda: _nested(5_000),
    "answers with itself": _circle,
}


@entity
class Victim:
    """Does what a test says, and counts what it did well."""

    good: int = 0
    bad: int = 0

    @signal
    def suffer(self, what: str) -> None:
        self.bad += 1
        self._answer(WORST[what]())

    @update
    def answer(self, what: str) -> Node | str:
        self.bad += 1
        return WORST[what]()  # type: ignore[no-any-return]  # or something else

    @update
    async def answer_late(self, what: str) -> Node | str:
        await sleep(timedelta(0))
        return WORST[what]()  # type: ignore[no-any-return]  # or something else

    @signal
    async def never_wait(self, how: str) -> None:
        while how == "a condition that is true":
            await wait_until(lambda: True)
        while True:
            await gather()

    @signal
    def ache(self) -> None:
        """Compute, and have everybody wait."""
        until = time.monotonic() + BURN_S  # actorflow: ok - what it does to others is what is asked
        while time.monotonic() < until:  # actorflow: ok
            pass
        self.good += 1

    @signal
    def be_well(self) -> None:
        self.good += 1

    @query
    def counted(self) -> tuple[int, int]:
        return self.good, self.bad

    def _answer(self, given: Any) -> None:
        if given is not None:
            raise ValueError(f"it went well, with {type(given).__name__}")


async def _see_contained(runtime: Runtime, *, parked: bool) -> None:
    """Nothing is left of it but the message, its actor goes on, and so do the others."""
    victim, other = runtime.actor(Victim, "a"), runtime.actor(Victim, "b")
    with trio.fail_after(20):
        await victim.signal(Victim.be_well)
        await other.signal(Victim.be_well)
        assert await victim.query(Victim.counted) == (2, 0), "what failed has left a trace"
        assert await other.query(Victim.counted) == (1, 0)
        assert len(await victim.parked()) == parked
        assert runtime.statistics().set_aside == ()


async def _suffered(how: str, what: str) -> None:
    journal = MemoryJournal()
    async with Runtime(journal, entities=[Victim]) as runtime:
        victim = runtime.actor(Victim, "a")
        await victim.signal(Victim.be_well)
        with trio.fail_after(20):
            match how:
                case "signal":
                    await victim.signal(Victim.suffer, what)
                case "update":
                    with pytest.raises(ActorflowError):
                        await victim.update(Victim.answer, what)
                case _:
                    with pytest.raises(ActorflowError):
                        await victim.update(Victim.answer_late, what)
        await _see_contained(runtime, parked=how == "signal")
    async with Runtime(journal, entities=[Victim]) as runtime:
        assert await runtime.actor(Victim, "a").query(Victim.counted) == (2, 0)
        assert runtime.statistics().set_aside == ()


@pytest.mark.parametrize("how", ["signal", "update", "update that has waited"])
@pytest.mark.parametrize("what", WORST)
async def test_what_a_handler_does_to_the_process_is_its_messages_trouble(what: str, how: str) -> None:
    """Any error, no memory, no stack, answers that are none: the message fails, and nobody else."""
    await _suffered(how, what)


@pytest.mark.parametrize("how", ["a condition that is true", "a gather of nothing"])
async def test_a_handler_that_never_waits_is_stopped(how: str) -> None:
    """A loop around what is over at once is found, is told to its caller, and holds nobody."""
    async with Runtime(MemoryJournal(), entities=[Victim]) as runtime:
        await runtime.actor(Victim, "a").signal(Victim.be_well)
        with trio.fail_after(20), pytest.raises(Runaway):
            await runtime.actor(Victim, "a").signal(Victim.never_wait, how)
        await _see_contained(runtime, parked=False)


async def test_one_that_was_not_set_aside_is_noticed() -> None:
    """The control: a message that does well has left a trace, and is found not to be parked."""
    async with Runtime(MemoryJournal(), entities=[Victim]) as runtime:
        await runtime.actor(Victim, "a").signal(Victim.be_well)
        await runtime.actor(Victim, "a").signal(Victim.be_well)
        with pytest.raises(AssertionError, match="left a trace"):
            await _see_contained(runtime, parked=True)


async def test_a_handler_that_computes_delays_others_and_nothing_is_lost() -> None:
    """All handlers share a thread: others wait as long as it computes, and are then served in order."""
    async with Runtime(MemoryJournal(), entities=[Victim]) as runtime:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.actor(Victim, "a").signal, Victim.ache)
            for _ in range(50):
                nursery.start_soon(runtime.actor(Victim, "b").signal, Victim.be_well)
        assert trio.current_time() - began >= BURN_S
        assert await runtime.actor(Victim, "a").query(Victim.counted) == (1, 0)
        assert await runtime.actor(Victim, "b").query(Victim.counted) == (50, 0)
