"""What if the disk fails, is slow, or is full?  Errors are injected into the calls of a real process."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest
import trio
import trio.testing

from actorflow import JournalFull, Runtime
from persistence import LmdbJournal
from persistence._directory import DATA, LOG_FILE, NOTE
from tests.faults.counting import tried

from . import on_disk
from .callers import Caller
from .process import Ended, Site, hit, hit_in_making, injected, needs_strace
from .said import Said, Voice
from .village import VILLAGE, Box
from .workload import LIMITS

Judge = Callable[[Site], None]

FAIL_STOP = 3
FEW = ("--callers", "4", "--messages", "6")
MANY = ("--callers", "12", "--messages", "20")
FAULTS = [
    ("pwrite64", "EIO", "Input/output error"),
    ("pwrite64 on log files", "EIO", "Input/output error"),
    ("writev", "EIO", "Input/output error"),
    ("fdatasync", "EIO", "Input/output error"),
    ("ftruncate", "EIO", "Input/output error"),
    ("pwrite64,writev", "ENOSPC", "No space left on device"),
]
DURABLE = {"LMDB": ("fdatasync", "small", (DATA,)), "a log file": ("pwrite64", "usual", ("log-0",))}
"""What makes a frame durable: the call, the limits with which there are many, and where it goes."""
QUOTA_BYTES = 3 << 20
RUNS_MS = 1_500
DELAY_S = 0.3
LATE_S = 0.25


@pytest.fixture
def village(tmp_path: Path, seed: int) -> Site:
    """A journal that has been used, and so is opened and not made."""
    site = Site(tmp_path, seed)
    assert site.work(*FEW).code == 0
    return site


def _told(ended: Ended, error: str) -> None:
    """Whoever runs it is told what has happened and what to do, in words."""
    assert ended.code == FAIL_STOP, ended
    assert "hint:" in ended.errors, ended
    assert error in ended.errors or "since a commit failed" in ended.errors, ended
    assert "Traceback" not in ended.errors, ended


def _calls(site: Site, call: str, files: Sequence[Path]) -> int:
    """How many such calls the busiest thread of a process makes."""
    log = site.folder / "calls"
    never = injected(call, "error=EIO:when=60000", log=log, files=files)
    assert site.work(*FEW, before=never).code == 0
    threads = [line.split()[0] for line in log.read_text("utf-8").splitlines() if f" {call}(" in line]
    return max(map(threads.count, threads), default=0)


# ---- it fails ----------------------------------------------------------------------------------------


@needs_strace
@pytest.mark.parametrize(("call", "error", "says"), FAULTS)
def test_whichever_call_fails_nothing_is_lost(
    village: Site, seed: int, effort: int, judged: Judge, call: str, error: str, says: str
) -> None:
    """The process stops and says why, and a restart tells the truth; a note that fails stops nothing."""
    log = village.folder / "calls"
    call, _, some = call.partition(" on ")
    files = [village.journal / f"{LOG_FILE}{number}" for number in range(9 if some else 0)]
    most = max(_calls(village, one, files) for one in call.split(","))
    assert most > 0
    numbers = Random(f"{seed} {call} {error}").sample(
        range(1, most + 1), min(most, 3 if effort == 1 else most)
    )
    stopped = 0
    for number in numbers:
        since = "+" if error == "ENOSPC" else ""  # a disk that is full stays so
        fault = f"error={error}:when={number}{since}"
        ended = village.work(*FEW, before=injected(call, fault, log=log, files=files))
        if NOTE in hit(log):  # who was being activated may stand there for ever, as after a death
            voice = Voice(village.log)
            voice.say(("mark", "opening"))
            voice.close()
        judged(village)
        tried()
        if set(hit(log)) - {NOTE} and not hit_in_making(log):  # what it could not be put into LMDB takes
            _told(ended, says)
            stopped += 1
        elif ended.code != 0:  # or what is noted first, while it is opened
            assert "could not be opened" in ended.errors, ended
            _told(ended, says)
    assert stopped > 0 or effort == 1
    assert village.work(*FEW).code == 0
    judged(village)


@needs_strace
@pytest.mark.parametrize("kind", DURABLE)
def test_who_was_in_the_frame_is_told_unknown(village: Site, judged: Judge, kind: str) -> None:
    """Of a sync that fails in the middle those hear who wait for it; nobody hears that it is safe."""
    said = village.said()
    unknown: set[str] = set()
    call, limits, names = DURABLE[kind]
    village.limits = limits
    files = [village.journal / name for name in names]
    log, numbers = village.folder / "calls", list(range(1, 40))
    Random(f"{village.seed} {kind}").shuffle(numbers)
    for number in numbers:  # in some nobody is: they bring the tables up; and there may be fewer
        fault = injected(call, f"error=EIO:when={number}", log=log, files=files)
        ended = village.work(*MANY, before=fault)
        if not hit(log) or "could not be opened" in ended.errors:
            continue
        _told(ended, "Input/output error")
        unknown = village.said().unknown.keys() - said.unknown.keys()
        judged(village)
        if unknown:
            break
    assert unknown
    assert village.work(*MANY).code == 0
    assert (
        not unknown
        - {one.id for one in village.said().sent.values() if not one.once}
        - set(village.said().done)
    )
    judged(village)


# ---- it is slow --------------------------------------------------------------------------------------


@needs_strace
@pytest.mark.parametrize("kind", DURABLE)
def test_a_slow_disk_delays_answers_and_nothing_else(village: Site, judged: Judge, kind: str) -> None:
    """Whoever waits for the disk waits, all of them together, and the loop goes on meanwhile."""
    log = village.folder / "calls"
    done = len(village.said().done)
    delay = f"delay_exit={DELAY_S * 1e6:.0f}"
    call, village.limits, names = DURABLE[kind]
    options = ("--callers", "12", "--messages", "3", "--heartbeat")
    files = [village.journal / name for name in names]
    ended = village.work(*options, before=injected(call, delay, log=log, files=files))
    assert ended.code == 0, ended
    said = village.said()
    commits = len(hit(log))
    assert set(hit(log)) == set(names)
    assert commits > 3
    assert len(said.done) - done > commits
    assert not [late for late in said.marked("late") if late[1] > LATE_S]
    judged(village)


# ---- it is full --------------------------------------------------------------------------------------


def test_a_full_disk_stops_it_and_space_mends_it(village: Site, judged: Judge) -> None:
    """Where the file may not grow any more nothing that was acknowledged is lost; with space it goes on."""
    most = (village.journal / DATA).stat().st_size + 1_500_000

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    for _ in range(2):
        ended = village.work("--only", "load", preexec=small)
        _told(ended, "a commit failed")
        judged(village)
    assert (village.journal / DATA).stat().st_size <= most
    assert village.work(*FEW).code == 0
    judged(village)


def test_a_journal_at_its_quota_says_so(village: Site, judged: Judge) -> None:
    """New work is refused by name, and nothing else becomes of it; with a larger quota it goes on."""
    for _ in range(2):
        ended = village.work("--only", "load", "--quota", str(QUOTA_BYTES))
        assert ended.code == FAIL_STOP, ended
        assert "JournalFull: the journal" in ended.errors, ended
        assert "hint: raise the journal's quota_bytes" in ended.errors, ended
        judged(village)
    assert village.said().refused
    assert village.work(*FEW).code == 0
    judged(village)


def test_at_its_quota_what_runs_ends(site: Site, judged: Judge) -> None:
    """An update that is under way is answered, a timer fires, a life can be ended, and so can the program."""
    trio.run(_filled, site)
    judged(site)


async def _filled(site: Site) -> None:
    voice = Voice(site.log)
    one, other, third = (Caller(f"c{n}", Random(n), Said(), voice) for n in range(3))
    journal = LmdbJournal(site.journal, quota_bytes=QUOTA_BYTES)
    async with Runtime(journal, entities=VILLAGE, limits=LIMITS["small"]) as runtime:
        async with trio.open_nursery() as nursery:
            await one._box(runtime, "remind", RUNS_MS)
            nursery.start_soon(other._box, runtime, "hold", RUNS_MS)
            await trio.testing.wait_all_tasks_blocked()
            began = trio.current_time()
            assert len(await _armed(runtime)) == 1
            while not await _refused(third, runtime, "load", "x" * 50_000):
                pass
            assert trio.current_time() - began < RUNS_MS / 1000, "it was to fill while something runs"
        with trio.fail_after(10):
            await runtime.actor(Box, "filled").query(Box.evidence)
            while await _armed(runtime):  # noqa: ASYNC110 - nobody tells when a timer has fired
                await trio.sleep(0.1)
        # There may be room again by now, for at the quota the log is cut.
        await runtime.actor(Box, "filled").terminate()
    larger = LmdbJournal(site.journal, quota_bytes=2 * QUOTA_BYTES)
    async with Runtime(larger, entities=VILLAGE, limits=LIMITS["small"]) as runtime:
        assert not await _refused(third, runtime, "put")
    voice.close()


def _left(path: Path, to: Path, frames: int, length: int) -> int:
    """Have a process die that has so many frames in log files; gives what room it had then."""
    journal = LmdbJournal(path, quota_bytes=QUOTA_BYTES, durability="process")
    journal.open([])
    for _ in range(frames):
        with journal.write() as batch:
            batch.append(bytes(length))
    on_disk.lies(on_disk.read(path), to)
    return journal.room()


@pytest.mark.parametrize(("frames", "length"), [(9_000, 20), (3_000, 300), (700, 2_100), (200, 10_000)])
def test_what_is_in_log_files_counts_as_it_will_when_it_was_moved(
    tmp_path: Path, frames: int, length: int
) -> None:
    """Who was within its quota when it died is so when it is opened again, and has the room that it had."""
    before = _left(tmp_path / "journal", tmp_path / "left", frames, length)
    journal = LmdbJournal(tmp_path / "left", quota_bytes=QUOTA_BYTES)
    journal.open([])
    assert before - 100_000 <= journal.room() <= before + 700_000
    assert journal.statistics().frames == frames
    journal.close()


async def _armed(runtime: Runtime) -> list[int]:
    """Timers that have not fired."""
    found = [await runtime.actor(Box, one.key).query(Box.evidence) for one in await runtime.list(Box)]
    return [number for one in found for number in one.armed]


async def _refused(caller: Caller, runtime: Runtime, what: str, *rest: str) -> bool:
    """Send something; whether it is refused because the journal is full."""
    try:
        await caller._send(runtime, caller._box_message("filled" if rest else "other", what, *rest))
    except JournalFull:
        return True
    return False
