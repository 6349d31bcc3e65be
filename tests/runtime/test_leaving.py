"""Nothing leaves before what it depends on is durable; whoever waited is told the truth when it is not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import trio

from actorflow import (
    ActorCompleted,
    ActorHandle,
    AlreadyStarted,
    IdReused,
    JournalFull,
    LimitExceeded,
    Limits,
    NotAccepted,
    NotStarted,
    Refused,
    Runtime,
    TokenSpent,
    Unknown,
    UsageError,
)
from actorflow._authoring.callbacks import token_of
from actorflow._runtime.host import Host
from persistence import Locked, MemoryJournal, Stopped

from .held import Caller, Clock, HeldJournal, calm, running, still
from .town import TOWN, Account, Basket, Child, Echo

Call = Callable[[Runtime], Awaitable[Any]]


@contextmanager
def stopping() -> Iterator[None]:
    """Expect that the runtime stops, and says so at its end."""
    with pytest.raises(Stopped):
        yield


def deposit(key: str, token: str, cents: int = 5, id_: str | None = None) -> Call:
    """A call that pays something in."""

    def call(runtime: Runtime) -> Awaitable[Any]:
        account = runtime.actor(Account, key)
        return (account if id_ is None else account.once(id_)).update(Account.deposit, token, cents)

    return call


async def batch(runtime: Runtime) -> None:
    """A call that is refused: one of the two has ended."""
    async with runtime.batch() as both:
        both.signal(runtime.actor(Echo, "e"), Echo.hear, "t")
        both.signal(runtime.actor(Basket, "done"), Basket.add, "t", "sku")


async def start_again(runtime: Runtime) -> None:
    """A call that is refused: it runs."""
    await runtime.start(Basket(), "x")


# What each depends on: every one of these is called when a frame that changes what it tells is not durable.
TELLING: dict[str, Call] = {
    "acknowledgement": lambda runtime: runtime.actor(Echo, "a").signal(Echo.hear, "t"),
    "answer": deposit("a", "t"),
    "refusal of a handler": lambda runtime: runtime.actor(Account, "a").update(Account.deposit, "t", 0),
    "refusal of what has ended": lambda runtime: runtime.actor(Basket, "done").signal(Basket.add, "t", "sku"),
    "refusal of a start": start_again,
    "refusal of an id": deposit("a", "other", id_="one"),
    "repeated id": deposit("a", "first", id_="one"),
    "query": lambda runtime: runtime.actor(Account, "a").query(Account.balance),
    "query that fails": lambda runtime: runtime.actor(Echo, "nobody").query(Echo.counted),
    "result": lambda runtime: runtime.actor(Basket, "done").result(int),
    "list": lambda runtime: runtime.list(Account),
    "describe": lambda runtime: runtime.actor(Account, "a").describe(),
    "history": lambda runtime: runtime.actor(Account, "a").history(),
    "at": lambda runtime: runtime.actor(Account, "a").at(1),
    "at, too far": lambda runtime: runtime.actor(Account, "a").at(99),
    "parked": lambda runtime: runtime.actor(Basket, "x").parked(),
    "retry": lambda runtime: runtime.actor(Basket, "x").retry(77),
    "cancel of what has ended": lambda runtime: runtime.actor(Basket, "done").cancel(),
    "start, used": lambda runtime: runtime.start(Basket(), "x", if_running="use"),
    "batch, refused": batch,
}


async def unsettle(runtime: Runtime, nursery: trio.Nursery) -> list[Caller]:
    """Have every actor that is asked about changed by a frame that is not durable."""
    calls: list[Call] = [
        deposit("a", "first", id_="one"),
        lambda runtime: runtime.actor(Basket, "x").signal(Basket.fail, "t"),
        lambda runtime: runtime.actor(Basket, "x").signal(Basket.add, "t", "sku"),
        lambda runtime: runtime.actor(Basket, "done").update(Basket.finish, "t"),
    ]
    return [Caller(nursery, lambda call=call: call(runtime)) for call in calls]  # type: ignore[misc]


def told(caller: Caller) -> str:
    """What became of a call."""
    return repr(caller.value) if caller.error is None else type(caller.error).__name__


@pytest.mark.parametrize("what", TELLING)
async def test_nothing_is_told_before_it_is_durable(what: str) -> None:
    """Whatever is asked about an actor whose newest frame is not durable, the answer waits for that frame."""
    journal = HeldJournal()
    async with running(journal) as (runtime, nursery):
        journal.hold()
        first = await unsettle(runtime, nursery)
        await calm()
        asked = Caller(nursery, lambda: TELLING[what](runtime))
        await calm()
        if what == "query that fails":
            assert isinstance(asked.error, NotStarted)  # nothing of it is on its way anywhere
        else:
            assert not asked.done, told(asked)
        assert not any(one.done for one in first)
        journal.let_go()
        await asked.ended()
        assert asked.error is None or not isinstance(asked.error, Unknown | NotAccepted)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("what", TELLING)
async def test_what_was_in_doubt_is_not_told_either(what: str, kept: bool) -> None:
    """The commit fails: whoever asked about what it held is told so, and neither an answer nor a refusal."""
    journal = HeldJournal()
    with stopping():
        async with running(journal) as (runtime, nursery):
            journal.hold()
            first = await unsettle(runtime, nursery)
            await calm()
            asked = Caller(nursery, lambda: TELLING[what](runtime))
            await calm()
            journal.fail_at(len(journal.history) + 1, kept=kept)
            journal.let_go()
            await asked.ended()
            if what != "query that fails":
                assert isinstance(asked.error, Unknown | NotAccepted), told(asked)
            for one in first:
                await one.ended()
                assert isinstance(one.error, Unknown), told(one)


@pytest.mark.parametrize("kept", [True, False])
async def test_who_was_in_the_frame_is_told_unknown_and_who_was_behind_it_not_accepted(kept: bool) -> None:
    """And the body goes on, until it is left; after reopening the same id tells what there is."""
    journal = HeldJournal()
    went_on = False
    with stopping():
        async with Runtime(journal, entities=TOWN) as runtime, trio.open_nursery() as nursery:
            journal.hold()
            inside = [
                Caller(nursery, lambda: deposit("a", "in", id_="in")(runtime)),
                Caller(nursery, lambda: runtime.actor(Echo, "e").signal(Echo.hear, "in")),
                Caller(nursery, lambda: runtime.actor(Basket, "x").update(Basket.pack, "in", 60)),
            ]
            await calm()
            assert journal.arrived.acquire(timeout=20)
            repeated = Caller(nursery, lambda: deposit("a", "in", id_="in")(runtime))
            behind = [
                Caller(nursery, lambda: deposit("a", "behind", id_="behind")(runtime)),
                Caller(nursery, lambda: deposit("b", "behind", id_="behind-b")(runtime)),
                Caller(nursery, lambda: runtime.actor(Echo, "e").signal(Echo.hear, "behind")),
                Caller(nursery, lambda: runtime.actor(Basket, "x").update(Basket.pack, "behind", 60)),
            ]
            await calm()
            journal.fail_at(len(journal.history) + 1, kept=kept)
            journal.let_go()
            for one in inside:
                assert isinstance((await one.ended()).error, Unknown), told(one)
            for one in behind:
                assert isinstance((await one.ended()).error, NotAccepted), told(one)
            assert isinstance((await repeated.ended()).error, Unknown), "it may be durable all the same"
            with pytest.raises(NotAccepted):
                await deposit("a", "after")(runtime)
            await trio.lowlevel.checkpoint()
            went_on = True
    assert went_on
    async with Runtime(journal, entities=TOWN) as runtime:
        assert await deposit("a", "in", id_="in")(runtime) == 5
        assert await deposit("a", "behind", id_="behind")(runtime) == 10
        assert await runtime.actor(Account, "a").query(Account.balance) == 10


async def test_the_exit_raises_and_the_error_of_the_body_wins() -> None:
    """What the body raises itself is not hidden by the journal's failure."""
    journal = HeldJournal()
    journal.fail_at(1)
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - it is raised inside the block
        async with Runtime(journal, entities=TOWN) as runtime:
            with pytest.raises(Unknown):
                await deposit("a", "t")(runtime)
            raise ZeroDivisionError


# ---- cancelling --------------------------------------------------------------------------------------


@pytest.mark.parametrize("checkpoints", range(4))
async def test_a_caller_that_is_cancelled_loses_and_repeats_nothing(checkpoints: int) -> None:
    """At whichever await it is: the message is there once or not at all, and the others get their answers."""
    journal = HeldJournal()
    async with running(journal) as (runtime, nursery):
        if checkpoints == 3:
            journal.hold()
        callers = [Caller(nursery, lambda n=n: deposit("a", f"t{n}", 1)(runtime)) for n in range(6)]  # type: ignore[misc]
        if checkpoints == 3:
            await calm()
        for _ in range(checkpoints):
            await trio.lowlevel.checkpoint()
        for caller in callers[::2]:
            caller.scope.cancel()
        journal.let_go()
        for caller in callers:
            await caller.ended()
        assert all(caller.done and caller.error is None for caller in callers[1::2])
        account = runtime.actor(Account, "a")
        state = (await account.at((await account.describe()).seq)).state
        assert len(set(state.seen)) == len(state.seen) == state.cents
        assert {"t1", "t3", "t5"} <= set(state.seen)


async def test_whoever_gives_up_waiting_for_an_answer_leaves_it_to_others() -> None:
    """An update that is suspended goes on without its caller, and whoever repeats its id gets the answer."""
    clock = Clock()
    async with running(MemoryJournal(), clock) as (runtime, nursery):
        basket = runtime.actor(Basket, "x").once("one")
        first = Caller(nursery, lambda: basket.update(Basket.pack, "t", 60))
        await still(runtime)
        first.scope.cancel()
        second = Caller(nursery, lambda: basket.update(Basket.pack, "t", 60))
        third = Caller(nursery, lambda: runtime.actor(Basket, "x").result(int))
        await still(runtime)
        third.scope.cancel()
        await first.ended()
        await third.ended()
        host: Host = runtime._host
        assert host._results == {}
        clock.now += 61_000_000
        host._stirred.set()
        assert (await second.ended()).value == 1
        assert not first.done
        assert host._replies == {}


@pytest.mark.parametrize("checkpoints", range(8))
async def test_an_opening_that_is_cancelled_leaves_nothing_behind(checkpoints: int) -> None:
    """Wherever it was: the journal can be opened again, and no task or thread is left."""
    journal = MemoryJournal()
    with trio.CancelScope() as scope:

        async def cancel() -> None:
            for _ in range(checkpoints):
                await trio.lowlevel.checkpoint()
            scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel)
            async with Runtime(journal, entities=TOWN) as runtime:
                await deposit("a", "t")(runtime)
                await trio.sleep_forever()
    async with Runtime(journal, entities=TOWN) as runtime:
        assert await deposit("b", "t")(runtime) == 5


async def test_a_program_that_is_cancelled_closes_at_once() -> None:
    """What gives attempts a while to end is not waited for where they were cancelled with the program."""
    journal = HeldJournal()
    began = trio.current_time()
    with trio.CancelScope() as program:
        async with running(journal, close_grace=timedelta(seconds=50)) as (runtime, nursery):
            journal.hold()
            nursery.start_soon(lambda: runtime.actor(Echo, "e").signal(Echo.hear, "in flight"))
            await calm()
            nursery.start_soon(lambda: runtime.actor(Echo, "e").signal(Echo.hear, "gathered"))
            await calm()
            program.cancel()
            journal.let_go()
    assert trio.current_time() - began < 25
    async with Runtime(journal, entities=TOWN) as runtime:
        assert await runtime.actor(Echo, "e").query(Echo.counted) == 2


async def test_a_second_runtime_over_one_journal_does_not_disturb_the_first() -> None:
    """It is refused, and the journal stays open for who has it."""
    journal = MemoryJournal()
    async with Runtime(journal, entities=TOWN) as runtime:
        with pytest.raises(Locked):
            async with Runtime(journal, entities=TOWN):
                pass
        assert await deposit("a", "t")(runtime) == 5


# ---- back-pressure -----------------------------------------------------------------------------------


async def test_a_full_mailbox_makes_callers_wait_before_they_are_admitted() -> None:
    """What is not admitted can be given up without a trace; others come in, in order, once there is room."""
    clock = Clock()
    async with running(MemoryJournal(), clock, mailbox_messages=2) as (runtime, nursery):
        basket = runtime.actor(Basket, "x")
        holder = Caller(nursery, lambda: basket.update(Basket.pack, "t", 60))
        await still(runtime)
        callers = []
        for n in range(5):
            callers.append(Caller(nursery, lambda n=n: basket.signal(Basket.add, f"t{n}", "sku")))  # type: ignore[misc]
            await still(runtime)
        assert [caller.done for caller in callers] == [True, True, False, False, False]
        assert len((await basket.describe()).mailbox) == 2
        callers[3].scope.cancel()
        await still(runtime)
        clock.now += 61_000_000
        runtime._host._stirred.set()
        await holder.ended()
        for caller in (callers[2], callers[4]):
            assert (await caller.ended()).error is None
        state = (await basket.at((await basket.describe()).seq)).state
        assert sorted(state.seen) == ["t", "t0", "t1", "t2", "t4"]


async def test_a_frame_that_is_full_makes_callers_wait() -> None:
    """What may wait for a commit is bounded in bytes; whoever is over it comes in with a later frame."""
    journal = HeldJournal()
    async with running(journal, frame_bytes=500) as (runtime, nursery):
        journal.hold()
        callers = [
            Caller(nursery, lambda n=n: runtime.actor(Echo, "e").signal(Echo.hear, f"{n}" * 200))  # type: ignore[misc]
            for n in range(9)
        ]
        await calm()
        assert runtime._host.population.frame.size < 1_000
        assert runtime._host.messages < 9
        journal.let_go()
        for caller in callers:
            assert (await caller.ended()).error is None
        assert await runtime.actor(Echo, "e").query(Echo.counted) == 9


def packing(basket: ActorHandle[Basket]) -> Callable[[], Awaitable[Any]]:
    """A call that holds the mailbox."""
    return lambda: basket.update(Basket.pack, "t", 60)


def adding(basket: ActorHandle[Basket], token: str) -> Callable[[], Awaitable[Any]]:
    """A call that waits behind it."""
    return lambda: basket.signal(Basket.add, token, "sku")


async def test_those_who_wait_for_room_are_turned_away_when_it_ends() -> None:
    """Of a runtime that stops or is closed they hear that nothing of theirs was accepted."""
    for failing in (True, False):
        journal = HeldJournal()
        callers: list[Caller] = []
        try:
            async with trio.open_nursery() as outside:
                async with Runtime(
                    journal, entities=TOWN, limits=Limits(mailbox_messages=1), clock=Clock()
                ) as runtime:
                    basket = runtime.actor(Basket, "x")
                    callers = [Caller(outside, packing(basket))]
                    await still(runtime)
                    callers += [Caller(outside, adding(basket, f"t{n}")) for n in range(3)]
                    await still(runtime)
                    if failing:
                        journal.fail_at(len(journal.history) + 1)
                        with pytest.raises(Unknown):
                            await deposit("a", "t")(runtime)
                        await callers[-1].ended()
                for caller in callers:
                    await caller.ended()
        except* Stopped:
            assert failing
        assert sorted(told(caller) for caller in callers) == ["None", "NotAccepted", "NotAccepted", "Unknown"]


async def test_a_full_journal_takes_nothing_new_and_lets_all_else_go_on() -> None:
    """At the quota new work is refused by name; what runs ends, what is parked is seen to, reading works."""
    clock = Clock()
    journal = HeldJournal()
    async with running(journal, clock) as (runtime, nursery):
        basket = runtime.actor(Basket, "x")
        await basket.signal(Basket.fail, "t1")
        await basket.signal(Basket.fail, "t2")
        packing = Caller(nursery, lambda: basket.update(Basket.pack, "t3", 60))
        await still(runtime)
        journal.full = True
        await deposit("a", "t")(runtime)
        new: list[Call] = [
            deposit("a", "t"),
            lambda runtime: runtime.actor(Echo, "e").signal(Echo.hear, "t"),
            lambda runtime: runtime.start(Child(), "c"),
            batch,
        ]
        for call in new:
            with pytest.raises(JournalFull):
                await call(runtime)
        assert await runtime.actor(Account, "a").query(Account.balance) == 5
        assert [one.seq for one in await basket.parked()] == [1, 2]
        await basket.drop(1)
        await basket.retry(2)
        clock.now += 61_000_000
        runtime._host._stirred.set()
        assert (await packing.ended()).value == 1
        assert len(await basket.history()) > 3
        await runtime.actor(Basket, "x").cancel()
        journal.full = False
        await basket.terminate()
        assert await deposit("a", "t")(runtime) == 10


async def test_batches_are_all_or_nothing() -> None:
    """One signal that is refused keeps the others out; what is taken is in one frame."""
    journal = HeldJournal()
    async with running(journal) as (runtime, _):
        await runtime.actor(Basket, "done").update(Basket.finish, "t")
        with pytest.raises(ActorCompleted):
            await batch(runtime)
        assert (await runtime.actor(Echo, "e").describe()).seq == 0
        before = len(journal.history)
        async with runtime.batch() as many:
            for n in range(50):
                many.signal(runtime.actor(Echo, f"e{n % 5}"), Echo.hear, f"t{n}")
        assert len(journal.history) == before + 1
        assert [(await runtime.actor(Echo, f"e{n}").describe()).seq for n in range(5)] == [10] * 5
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - it is raised inside the block
            async with runtime.batch() as none:
                none.signal(runtime.actor(Echo, "e"), Echo.hear, "t")
                raise ZeroDivisionError
        assert (await runtime.actor(Echo, "e").describe()).seq == 0


async def test_the_policies_of_a_start() -> None:
    """A running one may be used, one that has ended may live again, and otherwise the caller is told."""
    async with running(MemoryJournal()) as (runtime, _):
        basket = await runtime.start(Basket(seen=["first"]), "x")
        with pytest.raises(AlreadyStarted):
            await runtime.start(Basket(), "x")
        await runtime.start(Basket(seen=["second"]), "x", if_running="use")
        assert await basket.query(Basket.size) == 1
        await basket.update(Basket.finish, "t")
        assert await basket.result(int) == 2
        with pytest.raises(AlreadyStarted):
            await runtime.start(Basket(), "x", if_running="use")
        await runtime.start(Basket(), "x", if_completed="new")
        assert await basket.query(Basket.size) == 0
        assert (await basket.describe()).life == 2


async def test_the_answer_to_a_callback_has_a_bound() -> None:
    """As any payload: whoever answers with too much is told, and may answer with less."""
    async with running(MemoryJournal(), Clock(), payload_bytes=100) as (runtime, nursery):
        basket = runtime.actor(Basket, "x")
        caller = Caller(nursery, lambda: basket.update(Basket.call, "t"))
        await still(runtime)
        actor = runtime._host.population.residents["Basket", "x"].actor
        (ref,) = actor.pending
        token = token_of("Basket", "x", actor.nonce, ref)
        with pytest.raises(LimitExceeded, match="payload_bytes=100"):
            await runtime.fail(token, ValueError("x" * 200))
        await runtime.resolve(token, 9)
        assert (await caller.ended()).value == 9


async def test_callbacks_are_answered_once_also_behind_a_restart() -> None:
    """By the token that was handed out, whichever process that was in; another life's token opens nothing."""
    journal, clock = MemoryJournal(), Clock()
    tokens: list[str] = []
    for life in range(3):
        async with running(journal, clock) as (runtime, nursery):
            basket = runtime.actor(Basket, f"x{life}")
            Caller(nursery, lambda basket=basket: basket.once("one").update(Basket.call, "t"))  # type: ignore[misc]
            await still(runtime)
            actor = runtime._host.population.residents["Basket", f"x{life}"].actor
            (ref,) = actor.pending
            tokens.append(token_of("Basket", f"x{life}", actor.nonce, ref))
            await basket.describe()
            nursery.cancel_scope.cancel()
    async with running(journal, clock) as (runtime, nursery):
        await runtime.resolve(tokens[0], 7)
        await runtime.resolve(tokens[0], 7)
        with pytest.raises(TokenSpent):
            await runtime.resolve(tokens[0], 8)
        await runtime.fail(tokens[1], Refused("no"))
        first = await runtime.actor(Basket, "x0").once("one").update(Basket.call, "t")
        assert first == 7
        with pytest.raises(Exception, match="no"):
            await runtime.actor(Basket, "x1").once("one").update(Basket.call, "t")
        await runtime.actor(Basket, "x2").terminate()
        await runtime.start(Basket(), "x2", if_completed="new")
        Caller(nursery, lambda: runtime.actor(Basket, "x2").update(Basket.call, "t2"))
        await still(runtime)
        with pytest.raises(UsageError, match="token"):
            await runtime.resolve(tokens[2], 9)
        nursery.cancel_scope.cancel()


async def test_an_id_means_one_message_behind_a_restart() -> None:
    """The same again is answered as it was; with other arguments it is refused."""
    journal = MemoryJournal()
    for _ in range(3):
        async with running(journal, Clock()) as (runtime, _):
            assert await deposit("a", "t", id_="one")(runtime) == 5
            with pytest.raises(IdReused):
                await deposit("a", "other", id_="one")(runtime)
            with pytest.raises(Refused):
                await deposit("a", "t0", 0, id_="free")(runtime)
    async with running(journal, Clock()) as (runtime, _):
        assert await deposit("a", "t1", id_="free")(runtime) == 10
