"""Do programs in plain threads lose nothing, repeat nothing, and hear the truth?"""

from __future__ import annotations

import signal as signals
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from actorflow import (
    ActorCompleted,
    AlreadyStarted,
    BadKey,
    BlockingHandle,
    BlockingRuntime,
    Cancelled,
    HandlerFailed,
    IdReused,
    LimitExceeded,
    NotAccepted,
    NotStarted,
    Refused,
    Unknown,
    UnknownEntity,
    UsageError,
    WrongArgument,
    entity,
    query,
)
from persistence import LmdbJournal, Locked, MemoryJournal
from tests.callers.props import SECONDS, GatedJournal, Shelf, begun, bounded, limits
from tests.faults.counting import tried
from tests.tidy.house import ROOT

LONG = timedelta(seconds=SECONDS)


def opened(journal: Any = None, **changed: int) -> BlockingRuntime:
    """A runtime with a shelf."""
    given = MemoryJournal() if journal is None else journal
    return BlockingRuntime(given, entities=[Shelf], limits=limits(**changed))


def held(runtime: BlockingRuntime, key: str) -> tuple[str, Future[int]]:
    """Have a shelf held by somebody; gives the token that ends it, and what holding gives."""
    shelf = runtime.start(Shelf(), key)
    holding = begun(lambda: shelf.within(LONG).update(Shelf.hold))
    while True:
        try:
            return shelf.query(Shelf.token), holding
        except (HandlerFailed, IndexError):
            assert not holding.done()


# ---- arriving ----------------------------------------------------------------------------------------


def test_sixteen_threads_share_commits_and_lose_nothing() -> None:
    """What many threads send arrives once each, in order for each of them, in far fewer commits."""

    def main() -> None:
        with opened() as runtime:
            start = threading.Barrier(16)

            def send(name: int) -> None:
                shelf = runtime.actor(Shelf, "a")
                start.wait()
                for n in range(100):
                    shelf.signal(Shelf.put, f"{name}/{n}")

            with ThreadPoolExecutor(16) as pool:
                list(pool.map(send, range(16)))
            arrived = runtime.actor(Shelf, "a").query(Shelf.all)
            assert len(arrived) == 1_600
            for name in range(16):
                mine = [what for what in arrived if what.startswith(f"{name}/")]
                assert mine == [f"{name}/{n}" for n in range(100)]
            assert runtime.statistics().messages == 1_600
            assert runtime.statistics().commits < 1_500

    bounded(main)


def test_what_waits_for_one_commit_goes_into_the_next_together() -> None:
    """While a commit runs, calls gather: sixteen threads that come meanwhile are one commit more."""

    def main() -> None:
        journal = GatedJournal()
        with opened(journal) as runtime:
            journal.shut()
            first = begun(lambda: runtime.actor(Shelf, "first").signal(Shelf.put, "apple"))
            assert journal.writing.wait(SECONDS)
            shelves = [runtime.actor(Shelf, key) for key in "abcdefghij"]
            calls = [begun(partial(_put_once, shelf)) for shelf in shelves]
            host = runtime._bridge.host
            while host.messages < 11:
                pass
            journal.gate.set()
            first.result(SECONDS)
            for call in calls:
                call.result(SECONDS)
            assert runtime.statistics().commits == 2

    bounded(main)


def test_what_is_acknowledged_is_durable(tmp_path: Path) -> None:
    """A journal on disk that is opened again has what was acknowledged, batches too."""

    def main() -> None:
        with opened(LmdbJournal(tmp_path / "journal")) as runtime:
            runtime.actor(Shelf, "a").signal(Shelf.put, "apple")
            with runtime.batch() as batch:
                batch.signal(runtime.actor(Shelf, "a"), Shelf.put, "pear")
                batch.signal(runtime.actor(Shelf, "b"), Shelf.put, "plum")
        with opened(LmdbJournal(tmp_path / "journal")) as runtime:
            assert runtime.actor(Shelf, "a").query(Shelf.all) == ["apple", "pear"]
            assert runtime.actor(Shelf, "b").query(Shelf.all) == ["plum"]
            with pytest.raises(Locked), opened(LmdbJournal(tmp_path / "journal")):
                pass  # pragma: no cover

    bounded(main)


def test_everything_a_runtime_offers_is_offered() -> None:
    """Starting, listing, looking, the past, callbacks, results and ends, from threads."""

    def main() -> None:
        with opened() as runtime:
            shelf = runtime.start(Shelf(["apple"]), "a")
            assert (repr(shelf), shelf.key, shelf.entity) == ("<actor Shelf 'a'>", "a", Shelf)
            shelf.signal(Shelf.put, "pear")
            assert shelf.update(Shelf.take, "apple") == 1
            assert [one.key for one in runtime.list(Shelf, where=lambda one: one.key == "a")] == ["a"]
            assert shelf.describe().status == "running"
            assert len(shelf.history(at_most=2)) == 2
            assert shelf.at(2).query(Shelf.all) == ["apple", "pear"]
            assert shelf.parked() == []
            shelf.readmit()
            for misplaced in (shelf.retry, shelf.drop):
                with pytest.raises(UsageError):
                    misplaced(1)

            token, holding = held(runtime, "held")
            runtime.resolve(token, 5)
            assert holding.result(SECONDS) == 5
            token, holding = held(runtime, "failed")
            runtime.fail(token, ValueError("no time"))
            with pytest.raises(HandlerFailed, match="no time"):
                holding.result(SECONDS)

            waiting = begun(lambda: shelf.result(int))
            shelf.signal(Shelf.close)
            assert waiting.result(SECONDS) == 1
            assert shelf.result() == 1

            runtime.actor(Shelf, "held").cancel()
            with pytest.raises(HandlerFailed) as caught:
                runtime.actor(Shelf, "held").result()
            assert isinstance(caught.value.__cause__, Cancelled)
            runtime.actor(Shelf, "failed").terminate()
            ended = [(one.key, one.status) for one in runtime.list(Shelf)]
            assert ended == [("a", "completed"), ("failed", "terminated"), ("held", "cancelled")]

    bounded(main)


def test_a_batch_is_taken_whole_or_not_at_all() -> None:
    """One actor that has ended refuses the batch, and nobody else got anything of it."""

    def main() -> None:
        with opened() as runtime:
            a, b = runtime.actor(Shelf, "a"), runtime.actor(Shelf, "b")
            a.signal(Shelf.put, "apple")
            b.signal(Shelf.close)

            def send(*, fail: bool) -> None:
                with runtime.batch() as batch:
                    batch.signal(a, Shelf.put, "pear")
                    batch.signal(b, Shelf.put, "pear")
                    if fail:
                        raise KeyError

            with pytest.raises(ActorCompleted):
                send(fail=False)
            with pytest.raises(KeyError):
                send(fail=True)
            assert a.query(Shelf.all) == ["apple"]

    bounded(main)


# ---- what goes wrong ---------------------------------------------------------------------------------


@entity
class Talker:
    """Asks the runtime from inside a handler, which it must not."""

    told: str = ""

    @query
    def ask(self) -> str:
        return call_from_inside()


given: dict[str, BlockingRuntime] = {}


def call_from_inside() -> str:
    """What the runtime says to a call from its own thread."""
    try:
        return given["runtime"].actor(Talker, "b").query(Talker.ask)
    except UsageError as error:
        return str(error)


def test_a_handler_that_calls_from_inside_is_told_so() -> None:
    """The host's own thread would wait for itself for ever."""

    def main() -> None:
        with BlockingRuntime(MemoryJournal(), entities=[Talker]) as runtime:
            given["runtime"] = runtime
            assert "wait for itself" in runtime.start(Talker(), "a").query(Talker.ask)

    bounded(main)


def test_errors_arrive_as_themselves() -> None:
    """Mistakes of the caller, outcomes of a handler, bounds: each as trio's callers see it."""

    def main() -> None:
        with opened(payload_bytes=1_000) as runtime:
            shelf = runtime.actor(Shelf, "a")
            with pytest.raises(NotStarted):
                shelf.query(Shelf.all)
            with pytest.raises(WrongArgument):
                shelf.signal(Shelf.put, 5)  # type: ignore[arg-type]  # on purpose
            with pytest.raises(LimitExceeded, match="payload_bytes"):
                shelf.signal(Shelf.put, "x" * 2_000)
            with pytest.raises(Refused, match="no pear"):
                shelf.update(Shelf.take, "pear")
            with pytest.raises(HandlerFailed, match="ValueError: it is broken"):
                shelf.update(Shelf.drop, "it")
            shelf.once("1").signal(Shelf.put, "apple")
            with pytest.raises(IdReused):
                shelf.once("1").signal(Shelf.put, "pear")
            with pytest.raises(AlreadyStarted):
                runtime.start(Shelf(), "a")
            with pytest.raises(UnknownEntity):
                runtime.actor(Talker, "a")
            with pytest.raises(BadKey):
                runtime.actor(Shelf, "")
            with pytest.raises(BadKey):
                shelf.once("")
            with pytest.raises(UsageError, match="no time at all"):
                shelf.within(timedelta(0))
            shelf.signal(Shelf.close)
            with pytest.raises(ActorCompleted):
                shelf.signal(Shelf.put, "pear")
            with pytest.raises(ZeroDivisionError):
                runtime.list(Shelf, where=lambda one: len(one.key) / 0 > 0)

    bounded(main)


def test_a_journal_that_fails_is_told_to_everybody_who_waits() -> None:
    """What was being written is unknown, what came later was not accepted, and leaving the block says why."""
    journal = GatedJournal()
    failure = OSError("no disk")

    def main() -> None:
        with opened(journal) as runtime:
            _, holding = held(runtime, "held")
            shelf = runtime.actor(Shelf, "a")
            journal.shut()
            written = begun(lambda: shelf.signal(Shelf.put, "apple"))
            assert journal.writing.wait(SECONDS)
            gathered = begun(lambda: shelf.signal(Shelf.put, "pear"))
            while runtime._bridge.host.messages < 4:
                pass
            journal.failure = failure
            journal.gate.set()
            for waiting, told in ((written, Unknown), (holding, Unknown), (gathered, NotAccepted)):
                with pytest.raises(told, match="no disk"):
                    waiting.result(SECONDS)
            with pytest.raises(NotAccepted, match="no disk"):
                shelf.query(Shelf.all)

    with pytest.raises(OSError, match="no disk") as caught:
        bounded(main)
    assert caught.value is failure


# ---- giving up ---------------------------------------------------------------------------------------


def test_within_bounds_the_waiting_and_not_the_message() -> None:
    """Time over raises; what was sent happens all the same, and with its id it happens once."""

    def main() -> None:
        journal = GatedJournal()
        with opened(journal) as runtime:
            shelf = runtime.actor(Shelf, "a")
            journal.shut()
            with pytest.raises(TimeoutError, match="may still happen"):
                shelf.once("1").within(timedelta(milliseconds=20)).signal(Shelf.put, "apple")
            journal.gate.set()
            shelf.within(LONG).once("1").signal(Shelf.put, "apple")
            assert shelf.within(timedelta.max).query(Shelf.all) == ["apple"]

    bounded(main)


def test_who_gives_up_before_there_is_room_is_forgotten() -> None:
    """A full mailbox makes threads wait; one that gives up leaves nothing behind, the next one gets in."""

    def main() -> None:
        with opened(mailbox_messages=2) as runtime:
            token, holding = held(runtime, "a")
            shelf = runtime.actor(Shelf, "a")
            shelf.signal(Shelf.put, "0")
            shelf.signal(Shelf.put, "1")
            with pytest.raises(TimeoutError):
                shelf.within(timedelta(milliseconds=20)).signal(Shelf.put, "given up")
            stays = begun(lambda: shelf.signal(Shelf.put, "2"))
            runtime.resolve(token, 1)
            assert holding.result(SECONDS) == 1
            stays.result(SECONDS)
            assert shelf.query(Shelf.all) == ["0", "1", "2"]

    bounded(main)


def test_an_interrupted_caller_leaves_the_runtime_whole() -> None:
    """Control-C while a commit runs ends the waiting; everything else goes on."""
    journal = GatedJournal()
    with opened(journal) as runtime:
        shelf = runtime.actor(Shelf, "a").within(LONG)
        journal.shut()
        ident = threading.main_thread().ident
        assert ident is not None
        assert ident == threading.get_ident(), "the test is to run in the main thread"

        def interrupt() -> None:
            assert journal.writing.wait(SECONDS)
            signals.pthread_kill(ident, signals.SIGINT)

        begun(interrupt)
        with pytest.raises(KeyboardInterrupt):
            shelf.once("1").signal(Shelf.put, "apple")
        journal.gate.set()
        shelf.once("1").signal(Shelf.put, "apple")
        assert shelf.query(Shelf.all) == ["apple"]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_an_interrupt_at_any_line_leaves_the_runtime_whole() -> None:
    """Wherever in the call it comes, others are served, and the same id makes the message happen once."""

    def main() -> None:
        lines = 0
        with opened() as runtime:
            while True:
                shelf = runtime.actor(Shelf, f"{lines}").within(LONG)
                interrupted = _interrupted(lines, partial(_put_once, shelf))
                begun(partial(_put_once, runtime.actor(Shelf, f"other {lines}"))).result(SECONDS)
                shelf.once("1").signal(Shelf.put, "apple")
                assert shelf.query(Shelf.all) == ["apple"]
                if not interrupted:
                    break
                lines += 1
                tried()
        assert lines > 30

    bounded(main)


def _put_once(shelf: BlockingHandle[Shelf]) -> None:
    shelf.once("1").signal(Shelf.put, "apple")


FILES = ("in_threads.py", "bridge.py")
# Not trio's own queue, which is made to be interrupted: a tracer would do it between the end of a ``with``
# block and its exit, where Python does not.


def _interrupted(lines: int, work: Callable[[], object]) -> bool:
    """Do this, with an interrupt after so many lines of the way over; tells whether it came."""
    left = lines

    def trace(frame: FrameType, what: str, _: object) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.endswith(FILES):
            return None
        if what == "line":
            left -= 1
            if left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


# ---- opening and closing -----------------------------------------------------------------------------


def test_it_takes_calls_between_opening_and_closing_only() -> None:
    """Before and after, a call was not accepted; a runtime is opened once."""

    def main() -> None:
        runtime = opened()
        shelf = runtime.actor(Shelf, "a")
        with pytest.raises(NotAccepted, match="not open"):
            shelf.signal(Shelf.put, "apple")
        with runtime:
            shelf.signal(Shelf.put, "apple")
        for call in (lambda: shelf.signal(Shelf.put, "pear"), runtime.statistics):
            with pytest.raises(NotAccepted, match="closed"):
                call()
        with pytest.raises(UsageError, match="once"):
            runtime.__enter__()

    bounded(main)


def test_closing_tells_threads_that_still_wait() -> None:
    """Who waits for what never came is told that it is unknown; who comes late, that it was not accepted."""

    def main() -> None:
        with opened() as runtime:
            _, holding = held(runtime, "a")
            stop = threading.Event()
            told: list[BaseException] = []

            def go_on() -> None:
                shelf = runtime.actor(Shelf, "b")
                try:
                    while not stop.wait(0):
                        shelf.signal(Shelf.put, "apple")
                except NotAccepted as error:
                    told.append(error)

            threads = [threading.Thread(target=go_on, daemon=True) for _ in range(8)]
            for thread in threads:
                thread.start()
            while runtime.statistics().messages < 100:
                pass
        with pytest.raises(Unknown, match="closed"):
            holding.result(SECONDS)
        for thread in threads:
            thread.join(SECONDS)
        assert len(told) == 8

    bounded(main)


FORKS = """
import os
import sys
from actorflow import BlockingRuntime, NotAccepted
from persistence import MemoryJournal
from tests.callers.props import Shelf

with BlockingRuntime(MemoryJournal(), entities=[Shelf]) as runtime:
    shelf = runtime.actor(Shelf, "a")
    shelf.signal(Shelf.put, "apple")
    child = os.fork()
    if not child:
        try:
            shelf.signal(Shelf.put, "pear")
        except NotAccepted as error:
            if "fork" in str(error):
                runtime.__exit__(None, None, None)
                os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert shelf.query(Shelf.all) == ["apple"]
"""


def test_a_fork_is_told_that_it_is_one() -> None:
    """A server that forks after it has opened would wait for a thread that the child does not have."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS],
        cwd=ROOT,
        timeout=SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


LEFT_AT_EXIT = """
import atexit
import sys
from actorflow import BlockingRuntime
from persistence import LmdbJournal
from tests.callers.props import Shelf

runtime = BlockingRuntime(LmdbJournal(sys.argv[1]), entities=[Shelf])
runtime.__enter__()
atexit.register(runtime.__exit__, None, None, None)
runtime.actor(Shelf, "a").signal(Shelf.put, "apple")
sys.exit(len(runtime.actor(Shelf, "a").query(Shelf.all)))
"""


def test_a_runtime_may_be_left_when_the_process_ends(tmp_path: Path) -> None:
    """Where no block spans the life of a program, atexit leaves it, while threads can still be started."""
    for times in (1, 2):
        done = subprocess.run(
            [sys.executable, "-c", LEFT_AT_EXIT, str(tmp_path / "journal")],
            cwd=ROOT,
            timeout=SECONDS,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (times, "")
    assert LmdbJournal(tmp_path / "journal").check() == []
