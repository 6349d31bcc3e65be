"""What if the thread that writes comes to an end of its own?"""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actorflow import NotAccepted, Runtime, Unknown
from actorflow._runtime.writer import Writer
from persistence import FaultyJournal

from .drive import holding
from .held import Caller, Clock, calm, running
from .town import TOWN, Account

ENDS: tuple[BaseException, ...] = (
    OSError("no disk"),
    MemoryError(),
    RecursionError("too deep"),
    ZeroDivisionError(),
    SystemExit(3),
    KeyboardInterrupt(),
    GeneratorExit(),
)


class DyingJournal(FaultyJournal):
    """One in whose second commit something is raised that no journal raises."""

    def __init__(self, end: BaseException | None = None) -> None:
        super().__init__()
        self.end = end

    def _commit(self, batch: Any, /) -> None:
        if self.end is not None and len(self.history) == 1:
            raise self.end
        super()._commit(batch)


async def _callers(runtime: Runtime, nursery: trio.Nursery) -> list[Caller]:
    """One who is acknowledged, and two who cannot be; what they are told."""
    account = runtime.actor(Account, "a")
    await account.update(Account.deposit, "first", 1)
    told = [Caller(nursery, lambda: account.update(Account.deposit, "second", 1))]
    await calm()
    told.append(Caller(nursery, lambda: account.update(Account.deposit, "third", 1)))
    writer = runtime._host._writer
    assert writer is not None, "it was opened"
    writer._thread.join(20)
    await calm()
    return told


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
def test_whatever_ends_the_writer_stops_the_runtime(end: BaseException) -> None:
    """Who waited is told that it is unknown, nothing more is taken, and leaving the block says why."""
    journal = DyingJournal(end)

    async def main() -> None:
        with trio.fail_after(20):
            async with running(journal) as (runtime, nursery):
                second, third = await _callers(runtime, nursery)
                _see_told(second, third)

    with pytest.raises(BaseException) as raised:  # noqa: PT011 - whatever it is, in a group or not
        trio.run(main)
    assert _within(raised.value, end), raised.value

    async def again() -> None:
        async with Runtime(holding(journal.history), entities=TOWN, clock=Clock()) as runtime:
            assert await runtime.actor(Account, "a").query(Account.balance) == 1

    trio.run(again)


def _see_told(second: Caller, third: Caller) -> None:
    assert isinstance(second.error, Unknown), second.error
    assert isinstance(third.error, NotAccepted), third.error


def _within(error: BaseException | None, wanted: BaseException) -> bool:
    """Whether it is this one, or came of it."""
    if error is None or error is wanted:
        return error is wanted
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return any(_within(one, wanted) for one in (*members, error.__cause__, error.__context__))


def test_a_writer_that_dies_in_silence_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where the thread ends and tells nobody, its callers are found waiting."""
    run = Writer._run

    def silent(self: Writer) -> None:
        tell = self._tell
        self._tell = lambda written: tell(written) if written.failure is None else None
        run(self)

    async def main() -> None:
        async with running(DyingJournal(OSError("no disk"))) as (runtime, nursery):
            second, third = await _callers(runtime, nursery)
            with pytest.raises(AssertionError):
                _see_told(second, third)
            runtime._host._fail_stop(OSError("let them go"), runtime._host._in_flight)

    monkeypatch.setattr(Writer, "_run", silent)
    with pytest.raises(OSError, match="let them go"):
        trio.run(main)
