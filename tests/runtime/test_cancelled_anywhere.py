"""Whoever is cancelled, at whichever checkpoint: is anything lost, done by halves, or left open?"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.abc import Instrument

from actorflow import Limits, Runtime, UsageError
from actorflow._runtime import host
from persistence import Locked, MemoryJournal
from tests.faults.counting import tried

from .held import Clock, HeldJournal, calm
from .town import TOWN, Account, Basket, Echo

Call = Callable[[Runtime], Awaitable[Any]]

PATIENCE_S = 20
STEPS_MAX = 2_000
"""More checkpoints than any program here has."""


class Canceller(Instrument):
    """Cancels a scope once so many steps were taken, of one task or of all."""

    def __init__(self, step: int) -> None:
        self.scope = trio.CancelScope()
        self.task: trio.lowlevel.Task | None = None
        self.everybody = False
        self.left = step

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.everybody or task is self.task:
            self.left -= 1
            if self.left == 0:
                self.scope.cancel()


# ---- a caller ----------------------------------------------------------------------------------------


async def _deposit(runtime: Runtime) -> None:
    await runtime.actor(Account, "a").update(Account.deposit, "mine", 1)


async def _deposit_once(runtime: Runtime) -> None:
    await runtime.actor(Account, "a").once("mine").update(Account.deposit, "mine", 1)


async def _signal(runtime: Runtime) -> None:
    await runtime.actor(Echo, "a").signal(Echo.hear, "mine")


async def _signal_once(runtime: Runtime) -> None:
    await runtime.actor(Echo, "a").once("mine").signal(Echo.hear, "mine")


async def _batch(runtime: Runtime) -> None:
    async with runtime.batch() as batch:
        batch.signal(runtime.actor(Echo, "a"), Echo.hear, "mine")
        batch.signal(runtime.actor(Echo, "b"), Echo.hear, "mine")


async def _one_by_one(runtime: Runtime) -> None:
    await runtime.actor(Echo, "a").signal(Echo.hear, "mine")
    await runtime.actor(Echo, "b").signal(Echo.hear, "mine")


async def _under_another_id(runtime: Runtime) -> None:
    for id_ in ("mine", "another"):
        await runtime.actor(Echo, "a").once(id_).signal(Echo.hear, "mine")


async def _start(runtime: Runtime) -> None:
    await runtime.start(Basket(), "mine", if_running="use")


async def _ask(runtime: Runtime) -> None:
    assert await runtime.actor(Account, "a").query(Account.balance) in (0, 1, 2)


async def _look(runtime: Runtime) -> None:
    await runtime.actor(Account, "a").describe()
    await runtime.actor(Account, "a").history()
    await runtime.list(Account)
    await runtime.actor(Basket, "full").parked()


async def _wait(runtime: Runtime) -> None:
    await runtime.actor(Basket, "done").result(int)


async def _without_room(runtime: Runtime) -> None:
    await runtime.actor(Basket, "full").once("mine").signal(Basket.add, "mine", "sku")


async def _ask_others(runtime: Runtime) -> None:
    assert await runtime.actor(Echo, "c").update(Echo.ask, ["d", "e"]) >= 2


async def _start_and_cancel(runtime: Runtime) -> None:
    other = await runtime.start(Basket(), "other", if_running="use", if_completed="new")
    await other.cancel()


async def _start_and_terminate(runtime: Runtime) -> None:
    other = await runtime.start(Basket(), "other", if_running="use", if_completed="new")
    await other.terminate()


async def _fail_and_drop(runtime: Runtime) -> None:
    other = runtime.actor(Basket, "other")
    await other.signal(Basket.fail, "no")
    for one in await other.parked():
        await other.retry(one.seq)
    for one in await other.parked():
        await other.drop(one.seq)


async def _send_around(runtime: Runtime) -> None:
    await runtime.actor(Echo, "f").signal(Echo.flood, "many", "c,d", 20)
    await runtime.actor(Echo, "c").query(Echo.counted)


CALLS: dict[str, Call] = {
    "update": _deposit,
    "update, once": _deposit_once,
    "signal": _signal,
    "signal, once": _signal_once,
    "batch": _batch,
    "start": _start,
    "query": _ask,
    "look": _look,
    "result": _wait,
    "no room": _without_room,
    "ask of others": _ask_others,
    "cancel": _start_and_cancel,
    "terminate": _start_and_terminate,
    "drop": _fail_and_drop,
    "send around": _send_around,
}
REPEATED = {"update, once", "signal, once", "start", "no room"}


async def _heard(runtime: Runtime) -> dict[str, list[str]]:
    """What has come of the call, by what the actors say."""
    found: dict[str, list[str]] = {}
    for entity, key in ((Account, "a"), (Echo, "a"), (Echo, "b"), (Basket, "full")):
        actor = runtime.actor(entity, key)
        try:
            state: Any = (await actor.at((await actor.describe()).seq)).state
        except UsageError:  # nobody has told it anything
            continue
        told: list[str] = state.heard if entity is Echo else state.seen
        found[f"{entity.__name__} {key}"] = ["mine"] * told.count("mine")
    return found


def given_up(call: Call, what: str, step: int, *, slow: bool, **tight: int) -> bool:
    """Let a caller take so many steps of its call; whether that was all of it, and nothing given up."""
    journal = HeldJournal()
    canceller = Canceller(step)

    async def caller(runtime: Runtime) -> None:
        canceller.task = trio.lowlevel.current_task()
        with canceller.scope:
            await call(runtime)

    async def main() -> bool:
        limits = Limits(mailbox_messages=2, **tight)  # type: ignore[arg-type]  # all of them numbers
        clock = Clock()
        async with Runtime(journal, entities=TOWN, limits=limits, clock=clock) as runtime:
            await runtime.actor(Account, "a").update(Account.deposit, "before", 1)
            await runtime.actor(Basket, "done").signal(Basket.add, "before", "sku")
            async with trio.open_nursery() as others:
                others.start_soon(lambda: runtime.actor(Basket, "full").update(Basket.pack, "before", 60))
                await calm()
                for _ in range(2):
                    await runtime.actor(Basket, "full").signal(Basket.add, "before", "sku")
                if slow:
                    journal.hold()
                async with trio.open_nursery() as callers:
                    callers.start_soon(caller, runtime)
                    callers.start_soon(
                        lambda: runtime.actor(Account, "b").update(Account.deposit, "other", 1)
                    )
                    await calm()
                    journal.let_go()
                    await runtime.actor(Basket, "done").update(Basket.finish, "after")
                    clock.now += 61_000_000
                others.cancel_scope.cancel()
            if what in REPEATED:
                await call(runtime)
            _see_whole(await _heard(runtime), what)
            assert await runtime.actor(Account, "b").query(Account.balance) == 1, (
                "the others have their answers"
            )
            return canceller.left > 0

    async def bounded() -> bool:
        with trio.fail_after(PATIENCE_S):
            return await main()

    return trio.run(bounded, instruments=[canceller])


def _see_whole(heard: dict[str, list[str]], what: str) -> None:
    if what == "batch":
        assert heard.get("Echo a", []) == heard.get("Echo b", []), f"one of two: {heard}"
    for who, tokens in heard.items():
        assert len(tokens) <= 1, f"{who} was told {len(tokens)} times"
    if what in REPEATED - {"start"}:
        assert sum(map(len, heard.values())) == 1, f"told again under its id, it is not there: {heard}"


TIGHT: dict[str, dict[str, int]] = {
    "room": {},
    "tables at once": {"log_bytes": 1},
    "nobody stays": {"log_bytes": 1, "resident_actors": 1},
}


@pytest.mark.parametrize("slow", [False, True], ids=["idle", "a commit under way"])
@pytest.mark.parametrize("tight", TIGHT)
@pytest.mark.parametrize("what", CALLS)
def test_a_caller_may_give_up_at_every_checkpoint(
    what: str, tight: str, slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it sent has happened whole or not at all; its id makes it once; the others get their answers."""
    monkeypatch.setattr(host, "GLANCE_S", 0.01)  # the clock is told the time, and is to be looked at
    for step in range(1, STEPS_MAX):
        over = given_up(CALLS[what], what, step, slow=slow, **TIGHT[tight])
        tried()
        if over:
            return
    pytest.fail("it never comes to its end")


@pytest.mark.parametrize(
    ("call", "what", "complaint"),
    [(_one_by_one, "batch", "one of two"), (_under_another_id, "signal, once", "told 2 times")],
)
def test_a_call_that_is_done_by_halves_or_twice_is_noticed(call: Call, what: str, complaint: str) -> None:
    """The control: a batch that is none, and an id that is another, are seen at one of the checkpoints."""

    def give_up_everywhere() -> None:
        for step in range(1, 20):
            given_up(call, what, step, slow=True)

    with pytest.raises(AssertionError, match=complaint):
        give_up_everywhere()


# ---- a program ---------------------------------------------------------------------------------------


def _cancelled_after(journal: MemoryJournal, step: int, **limits: int) -> tuple[bool, list[str]]:
    """Run a program, and cancel it after so many steps; whether it had ended, and what was told."""
    canceller = Canceller(step)
    told: list[str] = []

    async def work(runtime: Runtime, n: int) -> None:
        await runtime.actor(Echo, "a").signal(Echo.hear, f"t{n}")
        told.append(f"t{n}")

    async def main() -> None:
        canceller.everybody = True
        began = trio.current_time()
        with canceller.scope:
            given = Limits(**limits)  # type: ignore[arg-type]  # all of them numbers
            async with Runtime(journal, entities=TOWN, limits=given, clock=Clock()) as runtime:
                for n in range(12):
                    await work(runtime, n)
                async with trio.open_nursery() as nursery:
                    for n in range(12, 20):
                        nursery.start_soon(work, runtime, n)
                    nursery.start_soon(lambda: runtime.actor(Echo, "b").update(Echo.ask, ["c", "d"]))
        canceller.everybody = False
        assert trio.current_time() - began < PATIENCE_S

    trio.run(main, instruments=[canceller])
    return canceller.left > 0, told


def _see_left_in_order(journal: MemoryJournal, told: list[str]) -> None:
    """Nobody holds the journal, no thread is left, and what was told is there once and in order."""
    alive = [thread.name for thread in threading.enumerate() if thread.name == "actorflow writer"]
    assert alive == [], "its writer is still there"

    async def main() -> list[str]:
        async with Runtime(journal, entities=TOWN, clock=Clock()) as runtime:
            try:
                heard: list[str] = (await runtime.actor(Echo, "a").at(await _seq(runtime))).state.heard
            except UsageError:  # nobody has told it anything
                heard = []
            await runtime.actor(Echo, "a").signal(Echo.hear, "new")
            return heard

    heard = trio.run(main)
    assert len(set(heard)) == len(heard), heard
    assert set(told) <= set(heard), f"{told} were told, {heard} are there"
    assert heard[:12] == [f"t{n}" for n in range(len(heard))][:12]


async def _seq(runtime: Runtime) -> int:
    return (await runtime.actor(Echo, "a").describe()).seq


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"log_bytes": 1},
        {"resident_actors": 1, "log_bytes": 1},
        {"frame_bytes": 1},
        {"frame_bytes": 1, "log_bytes": 1},
    ],
    ids=["as it comes", "tables at once", "nobody stays", "small frames", "small frames, tables at once"],
)
def test_a_program_may_be_cancelled_at_every_checkpoint(limits: dict[str, int]) -> None:
    """While it opens, works or closes: what was told is there, and the journal can be opened again."""
    for step in range(1, STEPS_MAX):
        journal = MemoryJournal()
        over, told = _cancelled_after(journal, step, **limits)
        _see_left_in_order(journal, told)
        tried()
        if over:
            assert step > 30, "it was to have checkpoints"
            return
    pytest.fail("it never comes to its end")


def test_a_journal_that_stays_open_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where closing is left out once the program was cancelled, the next one is locked out."""
    journal = MemoryJournal()
    monkeypatch.setattr(journal, "close", lambda: None)
    _, told = _cancelled_after(journal, 20)
    with pytest.raises((Locked, ExceptionGroup)):
        _see_left_in_order(journal, told)


def test_what_was_told_and_is_gone_is_noticed() -> None:
    """The control: somebody was told of a message that is not in the journal."""
    journal = MemoryJournal()
    _, told = _cancelled_after(journal, STEPS_MAX)
    with pytest.raises(AssertionError, match="were told"):
        _see_left_in_order(MemoryJournal(), told)
