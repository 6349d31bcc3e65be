"""Do programs in asyncio lose nothing, repeat nothing, and hear the truth?"""

# Every coroutine that a test runs is called main: it is the program.

from __future__ import annotations

import asyncio
import signal as signals
from collections.abc import Awaitable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
import trio

from actorflow import (
    ActorCompleted,
    AlreadyStarted,
    AsyncioRuntime,
    Divergence,
    HandlerFailed,
    IdReused,
    LimitExceeded,
    NotAccepted,
    Refused,
    Runtime,
    Unknown,
    UnknownEntity,
    UsageError,
    WrongArgument,
    entity,
    signal,
)
from persistence import FaultyJournal, LmdbJournal, Locked, MemoryJournal
from tests.callers.props import GatedJournal, Shelf, in_asyncio, limits


def opened(journal: Any = None, **changed: int) -> AsyncioRuntime:
    """A runtime with a shelf."""
    given = MemoryJournal() if journal is None else journal
    return AsyncioRuntime(given, entities=[Shelf], limits=limits(**changed))


async def passes(number: int) -> None:
    """Let the loop run so often."""
    for _ in range(number):
        await asyncio.sleep(0)


async def reached(event: Any) -> None:
    """Wait for an event of another thread."""
    assert await asyncio.to_thread(event.wait, 30)


# ---- arriving ----------------------------------------------------------------------------------------


def test_a_thousand_signals_at_once_arrive_once_each_and_in_order() -> None:
    """What one task sends in a row, and what it sends without waiting, is handled in that order."""

    async def main() -> None:
        async with opened() as runtime:
            together, apart = runtime.actor(Shelf, "together"), runtime.actor(Shelf, "apart")
            await asyncio.gather(*[together.signal(Shelf.put, f"{n}") for n in range(1_000)])
            assert await together.query(Shelf.all) == [f"{n}" for n in range(1_000)]

            async def sender(name: int) -> None:
                for n in range(20):
                    await apart.signal(Shelf.put, f"{name}/{n}")

            await asyncio.gather(*[sender(name) for name in range(50)])
            arrived = await apart.query(Shelf.all)
            for name in range(50):
                mine = [what for what in arrived if what.startswith(f"{name}/")]
                assert mine == [f"{name}/{n}" for n in range(20)]
            assert len(arrived) == 1_000
            assert runtime.statistics().messages == 2_000
            assert runtime.statistics().commits < 500

    in_asyncio(main)


def test_a_pass_crosses_once_and_a_commit_comes_back_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred calls of one pass of the loop are one frame, and one wake-up of the loop tells of it."""

    async def main() -> None:
        journal = GatedJournal()
        async with opened(journal) as runtime:
            woken: list[int] = []
            loop = asyncio.get_running_loop()
            soon = loop.call_soon_threadsafe

            def counted(*args: Any, **kwargs: Any) -> asyncio.Handle:
                woken.append(1)
                return soon(*args, **kwargs)

            monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
            await asyncio.gather(*[runtime.actor(Shelf, f"{n}").signal(Shelf.put, "a") for n in range(100)])
            assert len(woken) == 1
            assert runtime.statistics().commits == 1
            monkeypatch.undo()

    in_asyncio(main)


def test_what_is_acknowledged_is_durable(tmp_path: Path) -> None:
    """A journal on disk that is opened again, by whatever runtime, has what was acknowledged."""

    async def fill() -> None:
        async with opened(LmdbJournal(tmp_path / "journal")) as runtime:
            await runtime.actor(Shelf, "a").signal(Shelf.put, "apple")
            async with runtime.batch() as batch:
                batch.signal(runtime.actor(Shelf, "a"), Shelf.put, "pear")
                batch.signal(runtime.actor(Shelf, "b"), Shelf.put, "plum")

    async def read() -> tuple[list[str], list[str]]:
        async with opened(LmdbJournal(tmp_path / "journal")) as runtime:
            a, b = runtime.actor(Shelf, "a"), runtime.actor(Shelf, "b")
            return await a.query(Shelf.all), await b.query(Shelf.all)

    in_asyncio(fill)
    assert in_asyncio(read) == (["apple", "pear"], ["plum"])


async def test_the_handles_are_those_of_trio() -> None:
    """What asyncio has written, a runtime in trio reads: the journal knows no callers."""
    journal = MemoryJournal()

    async def main() -> None:
        async with opened(journal) as runtime:
            await runtime.actor(Shelf, "a").once("1").signal(Shelf.put, "apple")

    in_asyncio(main)
    async with Runtime(journal, entities=[Shelf]) as runtime:
        await runtime.actor(Shelf, "a").once("1").signal(Shelf.put, "apple")
        assert await runtime.actor(Shelf, "a").query(Shelf.all) == ["apple"]


def test_everything_a_runtime_offers_is_offered() -> None:
    """Starting, listing, looking, the past, callbacks and results, across the bridge."""

    async def main() -> None:
        async with opened() as runtime:
            shelf = await runtime.start(Shelf(["apple"]), "a")
            await shelf.signal(Shelf.put, "pear")
            assert await shelf.update(Shelf.take, "apple") == 1
            assert [one.key for one in await runtime.list(Shelf, where=lambda one: one.key == "a")] == ["a"]
            assert (await shelf.describe()).status == "running"
            assert len(await shelf.history()) == 3
            assert (await shelf.at(2)).query(Shelf.all) == ["apple", "pear"]
            assert await shelf.parked() == []

            for answer in (5, ValueError("no time")):
                holding = asyncio.create_task(shelf.update(Shelf.hold))
                await shelf.signal(Shelf.put, "admitted, behind the holder")
                token = await shelf.query(Shelf.token)
                if isinstance(answer, int):
                    await runtime.resolve(token, answer)
                    assert await holding == answer
                else:
                    await runtime.fail(token, answer)
                    with pytest.raises(HandlerFailed, match="no time"):
                        await holding

            waiting = asyncio.create_task(shelf.result(int))
            await passes(3)
            assert not waiting.done()
            await shelf.signal(Shelf.close)
            assert await waiting == 3
            assert await shelf.result() == 3

            other = await runtime.start(Shelf(), "b")
            await other.cancel()
            await other.terminate()
            assert [one.key for one in await runtime.list(Shelf, status="completed")] == ["a"]

    in_asyncio(main)


def test_a_batch_is_taken_whole_or_not_at_all() -> None:
    """One actor that has ended refuses the batch, and nobody else got anything of it."""

    async def main() -> None:
        async with opened() as runtime:
            a, b = runtime.actor(Shelf, "a"), runtime.actor(Shelf, "b")
            await a.signal(Shelf.put, "apple")
            await b.signal(Shelf.close)

            async def send(*, fail: bool) -> None:
                async with runtime.batch() as batch:
                    batch.signal(a, Shelf.put, "pear")
                    batch.signal(b, Shelf.put, "pear")
                    if fail:
                        raise KeyError

            with pytest.raises(ActorCompleted):
                await send(fail=False)
            with pytest.raises(KeyError):
                await send(fail=True)
            assert await a.query(Shelf.all) == ["apple"]

    in_asyncio(main)


CALLER: ContextVar[str] = ContextVar("CALLER", default="nobody")


def test_what_a_caller_has_in_its_context_stays_there() -> None:
    """Context variables outlive a call, and do not reach the host: what it does depends on no caller."""

    async def main() -> None:
        async with opened() as runtime:
            CALLER.set("me")
            await runtime.start(Shelf(), "a")
            seen: list[str] = []

            def see(_: object) -> bool:
                seen.append(CALLER.get())
                return True

            await runtime.list(Shelf, where=see)
            assert (seen, CALLER.get()) == (["nobody"], "me")

    in_asyncio(main)


# ---- what goes wrong ---------------------------------------------------------------------------------


def test_errors_arrive_as_themselves() -> None:
    """Mistakes of the caller, outcomes of a handler, bounds: each as trio's callers see it."""

    async def main() -> None:
        async with opened(payload_bytes=1_000) as runtime:
            shelf = runtime.actor(Shelf, "a")
            with pytest.raises(WrongArgument):
                await shelf.signal(Shelf.put, 5)  # type: ignore[arg-type]  # on purpose
            with pytest.raises(LimitExceeded, match="payload_bytes"):
                await shelf.signal(Shelf.put, "x" * 2_000)
            with pytest.raises(Refused, match="no pear"):
                await shelf.update(Shelf.take, "pear")
            with pytest.raises(HandlerFailed, match="ValueError: it is broken"):
                await shelf.update(Shelf.drop, "it")
            await shelf.once("1").signal(Shelf.put, "apple")
            with pytest.raises(IdReused):
                await shelf.once("1").signal(Shelf.put, "pear")
            with pytest.raises(AlreadyStarted):
                await shelf.start(Shelf())
            with pytest.raises(UsageError, match="so none 99 yet"):
                await shelf.at(99)
            with pytest.raises(UnknownEntity):
                runtime.actor(Other, "a")
            await shelf.signal(Shelf.close)
            with pytest.raises(ActorCompleted):
                await shelf.signal(Shelf.put, "pear")
            with pytest.raises(ZeroDivisionError):
                await runtime.list(Shelf, where=lambda one: len(one.key) / 0 > 0)
            with pytest.raises(RuntimeError, match="StopIteration"):
                await runtime.list(Shelf, where=lambda one: next(iter([])))

    in_asyncio(main)


@entity(name="Other")
class Other:
    """What replay does not find again."""

    count: int = 0

    @signal
    def add(self) -> None:
        self.count += 1


@entity(name="Other")
class Changed:
    """The same stored name, without the handler."""

    count: int = 0

    @signal
    def another(self) -> None:
        self.count += 1


def test_a_fault_of_one_actor_arrives_as_itself() -> None:
    """An actor that does not replay is set aside; its caller gets the report, and the others go on."""

    async def main() -> None:
        journal = FaultyJournal()
        async with AsyncioRuntime(journal, entities=[Other]) as runtime:
            await runtime.actor(Other, "a").signal(Other.add)
            left = MemoryJournal.holding(journal.history)  # as a crash would leave it
        async with AsyncioRuntime(left, entities=[Changed, Shelf]) as runtime:
            with pytest.raises(Divergence):
                await runtime.actor(Changed, "a").signal(Changed.another)
            await runtime.actor(Shelf, "a").signal(Shelf.put, "apple")
            assert len(runtime.statistics().set_aside) == 1

    in_asyncio(main)


def test_a_journal_that_fails_is_told_to_everybody_who_waits() -> None:
    """What was being written is unknown, what came later was not accepted, and leaving the block says why."""
    journal = GatedJournal()
    failure = OSError("no disk")
    told: dict[str, type] = {}

    async def main() -> None:
        async with opened(journal, mailbox_messages=2) as runtime:
            shelf, full = runtime.actor(Shelf, "a"), runtime.actor(Shelf, "full")
            waiting: dict[str, asyncio.Task[Any]] = {}
            waiting["holding"] = asyncio.create_task(full.update(Shelf.hold))
            waiting["result"] = asyncio.create_task(shelf.result())
            await passes(1)
            for _ in range(2):
                await full.signal(Shelf.put, "waits")
            waiting["stalled"] = asyncio.create_task(full.signal(Shelf.put, "has no room"))
            journal.shut()
            waiting["written"] = asyncio.create_task(shelf.signal(Shelf.put, "apple"))
            await reached(journal.writing)
            waiting["gathered"] = asyncio.create_task(shelf.signal(Shelf.put, "pear"))
            waiting["asked"] = asyncio.create_task(shelf.query(Shelf.all))
            while runtime._asyncio.bridge.host.messages < 5:
                await passes(1)
            journal.failure = failure
            journal.gate.set()
            found = await asyncio.gather(*waiting.values(), return_exceptions=True)
            told.update(zip(waiting, map(type, found), strict=True))
            with pytest.raises(NotAccepted, match="no disk"):
                await shelf.signal(Shelf.put, "plum")
            with pytest.raises(NotAccepted, match="no disk"):
                runtime.statistics()

    with pytest.raises(OSError, match="no disk") as caught:
        in_asyncio(main)
    assert caught.value is failure
    assert told == {
        "holding": Unknown,
        "result": Unknown,
        "stalled": NotAccepted,
        "written": Unknown,
        "gathered": NotAccepted,
        "asked": NotAccepted,
    }


def test_a_loop_that_falls_apart_is_told_to_everybody_who_waits() -> None:
    """If the host's own thread dies of a mistake in it, nobody waits for ever."""

    async def main() -> None:
        async with opened(GatedJournal()) as runtime:
            shelf = runtime.actor(Shelf, "a")
            holding = asyncio.create_task(shelf.update(Shelf.hold))
            await shelf.signal(Shelf.put, "apple")
            bridge = runtime._asyncio.bridge
            assert bridge._token is not None
            bridge._token.run_sync_soon(lambda: 1 // 0)
            with pytest.raises(Unknown):
                await holding
            with pytest.raises(NotAccepted):
                await shelf.signal(Shelf.put, "pear")

    with pytest.raises(trio.TrioInternalError):
        in_asyncio(main)


# ---- giving up ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", range(8))
def test_a_cancelled_caller_can_repeat_itself(after: int) -> None:
    """Cancelled after any number of passes, a message happened once or not at all; its id makes it once."""

    async def main() -> None:
        journal = GatedJournal()
        async with opened(journal) as runtime:
            shelf = runtime.actor(Shelf, "a")
            calls: list[Awaitable[Any]] = [
                shelf.once("1").signal(Shelf.put, "apple"),
                shelf.query(Shelf.all),
                shelf.history(),
                shelf.once("2").update(Shelf.take, "nothing"),
            ]
            if after % 2:
                journal.shut()
            tasks = [asyncio.ensure_future(call) for call in calls]
            await passes(after)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            journal.gate.set()
            await shelf.once("1").signal(Shelf.put, "apple")
            assert await shelf.query(Shelf.all) == ["apple"]
            await shelf.signal(Shelf.put, "pear")
            assert await shelf.query(Shelf.all) == ["apple", "pear"]

    in_asyncio(main)


def test_cancelled_while_it_is_written_it_is_durable_all_the_same() -> None:
    """Who is cancelled between the turn and the commit hears nothing; the message has happened."""

    async def main() -> None:
        journal = GatedJournal()
        async with opened(journal) as runtime:
            shelf = runtime.actor(Shelf, "a")
            journal.shut()
            sending = asyncio.create_task(shelf.once("1").signal(Shelf.put, "apple"))
            await reached(journal.writing)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            journal.gate.set()
            assert await shelf.query(Shelf.all) == ["apple"]

    in_asyncio(main)


def test_cancelled_while_it_waits_for_room_it_never_happens() -> None:
    """A full mailbox makes senders wait, in their order; who gives up leaves the line, the others stay."""

    async def main() -> None:
        async with opened(mailbox_messages=3) as runtime:
            shelf = runtime.actor(Shelf, "a")
            holding = asyncio.create_task(shelf.update(Shelf.hold))
            await passes(1)
            for n in range(3):
                await shelf.signal(Shelf.put, f"{n}")
            line = [asyncio.create_task(shelf.signal(Shelf.put, f"{n}")) for n in range(3, 20)]
            await shelf.query(Shelf.all)
            assert not any(task.done() for task in line)
            for task in line[1::2]:
                task.cancel()
            await asyncio.wait(line[1::2])
            await runtime.resolve(await shelf.query(Shelf.token), 1)
            assert await holding == 1
            await asyncio.gather(*line[::2])
            expected = ["0", "1", "2", *[f"{n}" for n in range(3, 20, 2)]]
            assert await shelf.query(Shelf.all) == expected

    in_asyncio(main)


def test_an_update_that_nobody_awaits_any_more_goes_on() -> None:
    """Cancelling the wait for an answer cancels no handler: the same id joins it."""

    async def main() -> None:
        async with opened() as runtime:
            shelf = runtime.actor(Shelf, "a")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await shelf.once("1").update(Shelf.hold)
            joined = asyncio.create_task(shelf.once("1").update(Shelf.hold))
            await passes(3)
            await runtime.resolve(await shelf.query(Shelf.token), 7)
            assert await joined == 7
            assert len(await shelf.history(at_most=10)) == 2

    in_asyncio(main)


def test_a_full_frame_makes_callers_wait_and_loses_nobody() -> None:
    """Where enough waits for the next commit, callers wait before they are taken."""

    async def main() -> None:
        journal = GatedJournal()
        async with opened(journal, frame_bytes=2_000) as runtime:
            shelves = [runtime.actor(Shelf, f"{n}") for n in range(50)]
            journal.shut()
            sending = [asyncio.create_task(shelf.signal(Shelf.put, "x" * 300)) for shelf in shelves]
            await reached(journal.writing)
            journal.gate.set()
            await asyncio.gather(*sending)
            assert runtime.statistics().commits > 5
            assert [await shelf.query(Shelf.all) for shelf in shelves] == 50 * [["x" * 300]]

    in_asyncio(main)


# ---- opening and closing -----------------------------------------------------------------------------


def test_opening_errors_are_raised_where_it_is_opened(tmp_path: Path) -> None:
    """A journal that another runtime holds is ``Locked``, in whichever world."""

    async def main() -> None:
        async with opened(LmdbJournal(tmp_path / "journal")):
            with pytest.raises(Locked):
                async with opened(LmdbJournal(tmp_path / "journal")):
                    pass  # pragma: no cover

    in_asyncio(main)


def test_it_takes_calls_between_opening_and_closing_only() -> None:
    """Before and after, a call was not accepted; a runtime is opened once."""

    async def main() -> None:
        runtime = opened()
        shelf = runtime.actor(Shelf, "a")
        with pytest.raises(NotAccepted, match="not open"):
            await shelf.signal(Shelf.put, "apple")
        async with runtime:
            await shelf.signal(Shelf.put, "apple")
        for call in (shelf.signal(Shelf.put, "pear"), shelf.query(Shelf.all), shelf.describe()):
            with pytest.raises(NotAccepted, match="closed"):
                await call
        with pytest.raises(NotAccepted, match="closed"):
            runtime.statistics()
        with pytest.raises(UsageError, match="once"):
            await runtime.__aenter__()

    in_asyncio(main)


def test_closing_answers_what_it_can_and_tells_the_rest() -> None:
    """What was sent before the end is durable; who waits for what never came is told that it is unknown."""
    journal = MemoryJournal()

    async def main() -> None:
        async with opened(journal) as runtime:
            shelf = runtime.actor(Shelf, "a")
            holding = asyncio.create_task(shelf.update(Shelf.hold))
            await passes(1)
            other = runtime.actor(Shelf, "b")
            sent = [asyncio.create_task(other.signal(Shelf.put, "apple")) for _ in range(9)]
            await passes(1)
        assert await asyncio.gather(*sent) == [None] * 9
        with pytest.raises(Unknown, match="closed"):
            await holding
        async with opened(journal) as runtime:
            assert await runtime.actor(Shelf, "b").query(Shelf.all) == ["apple"] * 9

    in_asyncio(main)


def test_cancelled_while_it_opens_or_closes_it_lets_go_of_the_journal() -> None:
    """However often the program is cancelled meanwhile, the journal is closed when the block is left."""
    journal = GatedJournal()

    async def enter() -> None:
        async with opened(journal) as runtime:
            shelf = runtime.actor(Shelf, "a")
            journal.shut()
            sending = asyncio.create_task(shelf.signal(Shelf.put, "apple"))
            await reached(journal.writing)
            soon = asyncio.get_running_loop().call_soon
            task = asyncio.current_task()
            assert task is not None

            def again() -> None:
                task.cancel()
                journal.gate.set()

            soon(task.cancel)
            soon(again)
        await sending

    async def main() -> None:
        opening = asyncio.create_task(opened(journal).__aenter__())
        await passes(1)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        entered = asyncio.create_task(enter())
        with pytest.raises(asyncio.CancelledError):
            await entered
        async with opened(journal) as runtime:
            assert await runtime.actor(Shelf, "a").query(Shelf.all) == ["apple"]

    in_asyncio(main)


def test_another_event_loop_is_told_so() -> None:
    """A runtime that is handed to another loop raises a mistake, and hangs nobody."""

    async def main() -> None:
        async with opened() as runtime:
            shelf = await runtime.start(Shelf(), "a")

            async def elsewhere() -> None:
                with pytest.raises(UsageError, match="in another one"):
                    await shelf.signal(Shelf.put, "apple")

            await asyncio.to_thread(asyncio.run, elsewhere())
            with pytest.raises(UsageError, match="outside"):
                await asyncio.to_thread(shelf.signal(Shelf.put, "apple").send, None)
            assert await shelf.query(Shelf.all) == []

    in_asyncio(main)


def test_an_interrupt_closes_the_block() -> None:
    """Control-C cancels the program as asyncio does it; the block is left in order."""
    journal = MemoryJournal()

    async def main() -> None:
        async with opened(journal) as runtime:
            await runtime.actor(Shelf, "a").signal(Shelf.put, "apple")
            signals.raise_signal(signals.SIGINT)
            await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())

    async def read() -> list[str]:
        async with opened(journal) as runtime:
            return await runtime.actor(Shelf, "a").query(Shelf.all)

    assert in_asyncio(read) == ["apple"]
