"""Does a journal grow while it is used, and stop where it was told to?  Maps, quota, reserve."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from persistence import Damaged, FaultyJournal, Full, Journal, LmdbJournal, MemoryJournal, Stopped
from persistence._store import Store
from tests.journal.kit import TABLES, append, child, held, lmdb_quick, told, with_a_row

GROW = """
import sys, threading
from queue import SimpleQueue
from persistence import LmdbJournal
sys.setswitchinterval(0.0001)  # or each put waits 5 ms for each busy reader
journal = LmdbJournal(sys.argv[1], map_bytes=1 << 20, durability="process")
journal.open(["rows", "others"])
wrong, said = [], [SimpleQueue() for _ in range(3)]
def read(commits):
    while (number := commits.get()) is not None:
        position = int(journal.read("rows", b"last"))
        found = next(journal.frames(position - 1), (0, b""))
        if position < number or found[0] != position or found[1][:8] != b"%08d" % position:
            wrong.append((number, position, found[0]))
        if len(journal.scan("others", b"", None, at_most=20)) < min(number, 20):
            wrong.append(("scan", number))
readers = [threading.Thread(target=read, args=(commits,)) for commits in said]
for reader in readers:
    reader.start()
for number in range(1, 401):
    with journal.write() as batch:
        position = batch.append(b"%08d" % number + b"x" * 100_000)
        batch.put("rows", b"last", b"%d" % position)
        batch.put("others", b"%08d" % number, b"y" * 500)
    for commits in said:
        commits.put(number)
for commits in said:
    commits.put(None)
for reader in readers:
    reader.join()
map_bytes = journal._opened().env.info()["map_size"]
print(wrong[:5], map_bytes >> 20, journal.statistics().frames)
journal.close()
"""


def test_the_map_grows_under_readers(path: Path) -> None:
    """Threads that read while the map doubles, from 1 MB to 64, find what was committed, and nobody dies."""
    assert told(child(GROW, path)) == "[] 64 400"
    assert LmdbJournal(path).check() == []


def test_a_batch_larger_than_the_map_is_written_whole(path: Path) -> None:
    """A batch that needs the map doubled several times is written once, with the positions that it gave."""
    journal = lmdb_quick(path, map_bytes=1 << 20)
    journal.open(TABLES)
    append(journal, b"a", b"b")
    with journal.write() as batch:
        assert batch.forget(1, 1) == 1
        assert [batch.append(b"x" * 2_000_000) for _ in range(10)] == list(range(3, 13))
        batch.put("rows", b"k", b"v" * 3_000_000)
    assert journal.statistics().commits == 2
    assert [(position, len(frame)) for position, frame in journal.frames()] == [
        (2, 1),
        *((position, 2_000_000) for position in range(3, 13)),
    ]
    journal.close()
    journal.open(TABLES)
    assert journal.statistics().frames == 11
    assert len(journal.read("rows", b"k") or b"") == 3_000_000
    journal.close()
    assert journal.check() == []


def test_a_map_that_is_smaller_than_the_file_is_no_matter(path: Path) -> None:
    """A journal is opened with any map_bytes, however much it holds."""
    journal = lmdb_quick(path, map_bytes=64 << 20)
    journal.open(TABLES)
    append(journal, *[b"x" * 1_000_000] * 20)
    journal.close()
    journal = lmdb_quick(path, map_bytes=1)
    journal.open(TABLES)
    assert append(journal, *[b"x" * 1_000_000] * 20) == 40
    assert journal.statistics().frames == 40
    journal.close()


SIZES = [1_000, 50_000, 900_000, 5_000_000]


@pytest.mark.parametrize("map_bytes", [1, 1 << 20, 5_000_001])
@pytest.mark.parametrize("size", SIZES)
def test_whatever_the_map_and_the_frames_it_grows(path: Path, map_bytes: int, size: int) -> None:
    """Smaller, as large, larger than the map: each frame is there, in its order, and behind a reopening."""
    _see_grown(path, map_bytes, size)


def _see_grown(path: Path, map_bytes: int, size: int) -> None:
    journal = lmdb_quick(path, map_bytes=map_bytes)
    journal.open(TABLES)
    count = max(5, 4_000_000 // size)
    for number in range(count):
        with journal.write() as batch:
            batch.append(b"%06d" % number + b"x" * size)
            batch.put("rows", b"last", b"%d" % number)
    for _ in range(2):
        frames = [(frame[:6], len(frame)) for _, frame in journal.frames()]
        assert frames == [(b"%06d" % number, 6 + size) for number in range(count)]
        assert journal.read("rows", b"last") == b"%d" % (count - 1)
        journal.close()
        journal.open(TABLES)
    journal.close()
    assert journal.check() == []


def test_a_map_that_does_not_grow_is_noticed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where growing is left out, the test above fails."""

    def stay(*_: object) -> None:
        raise Stopped("it did not grow")

    monkeypatch.setattr(Store, "_grow", stay)
    with pytest.raises(Stopped):
        _see_grown(path, 1 << 20, 900_000)


@pytest.mark.parametrize("quota", [3 << 20, 6 << 20])
@pytest.mark.parametrize("size", [20_000, 700_000])
def test_whatever_the_quota_it_is_reached_and_left_again(path: Path, quota: int, size: int) -> None:
    """It has no room before it is full; full, it holds what it held; emptied, it takes as much again."""
    journal = lmdb_quick(path, map_bytes=1 << 20, quota_bytes=quota)
    journal.open(TABLES)
    taken: list[int] = []
    last = 0
    for _ in range(2):
        count, warned = 0, False
        first = journal.statistics().frames
        assert first <= 1
        while True:
            try:
                last = append(journal, b"x" * size)
            except Full:
                break
            count += 1
            warned = warned or journal.room() == 0
        assert warned, "there was a time between no room and full"
        assert journal.statistics().frames == first + count
        taken.append(count)
        while journal.statistics().frames > 1:
            with journal.write() as batch:
                batch.forget(last - 1, 50)
        # LMDB does not give away what a commit has freed before there was another.
        with journal.write() as batch:
            batch.put("rows", b"between", b"")
    assert taken[1] >= taken[0] // 2
    journal.close()
    assert journal.check() == []


def _fill(journal: Journal) -> int:
    """Write until it is full; gives how many frames it took."""
    for taken in range(10_000):
        before = held(journal)
        try:
            with journal.write() as batch:
                batch.append(b"x" * 50_000)
                batch.put("rows", b"%d" % taken, b"x" * 50_000)
        except Full:
            if held(journal) != before:
                pytest.fail("it says that it was full, and wrote something")
            return taken
    pytest.fail("it is never full")


SMALL: dict[str, Callable[[Path], Journal]] = {
    "lmdb": lambda path: lmdb_quick(path, map_bytes=1 << 20, quota_bytes=4 << 20),
    "memory": lambda _: MemoryJournal(quota_bytes=4 << 20),
    "faulty": lambda _: FaultyJournal(quota_bytes=4 << 20),
}


@pytest.mark.parametrize("name", SMALL)
def test_behind_the_quota_is_a_reserve(path: Path, name: str) -> None:
    """At the quota there is no room, but writing goes on; at the end of the reserve it is Full.

    What was refused left no trace, everything before it is there, deletes work, and the room comes back.
    """
    journal = SMALL[name](path)
    journal.open(TABLES)
    whole = journal.room()
    frames = _fill(journal)
    assert journal.room() == 0
    assert 100_000 * frames > 8 << 20, "the reserve is at least 8 MB"
    assert 100_000 * frames < 13 << 20
    with pytest.raises(Full, match="hint: forget frames and delete rows"):
        append(journal, b"x" * 1_000_000)

    for _ in range(frames):
        with journal.write() as batch:
            assert batch.forget(frames, 1) == 1
    with journal.write() as batch:
        for number in range(frames):
            batch.delete("rows", b"%d" % number)
    assert whole - journal.room() < 100_000
    assert _fill(journal) >= frames - 5
    journal.close()
    if isinstance(journal, LmdbJournal):
        assert journal.check() == []


def test_a_smaller_quota_leaves_a_way_out(path: Path) -> None:
    """A journal that holds more than its new quota opens, has no room, and can be emptied and used again."""
    journal = lmdb_quick(path)
    journal.open(TABLES)
    append(journal, *[b"x" * 1_000_000] * 30)
    journal.close()
    journal = lmdb_quick(path, quota_bytes=1 << 20, map_bytes=1 << 20)
    journal.open(TABLES)
    assert journal.room() == 0
    with pytest.raises(Full):
        append(journal, *[b"x" * 1_000_000] * 30)
    for _ in range(30):
        with journal.write() as batch:
            assert batch.forget(30, 1) == 1
    assert journal.room() > 900_000
    assert append(journal, b"a") == 31
    journal.close()


NARROW = """
import resource, sys
from pathlib import Path
from persistence import LmdbJournal, Stopped
journal = LmdbJournal(sys.argv[1], map_bytes=1 << 20, durability="process")
journal.open(["rows", "others"])
in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + (40 << 20), resource.RLIM_INFINITY))
acknowledged = 0
try:
    for _ in range(10_000):
        with journal.write() as batch:
            batch.append(b"x" * 50_000)
            if acknowledged % 2:  # or all of them go into log files, which need no map
                batch.put("rows", b"last", b"%d" % acknowledged)
        acknowledged += 1
except Stopped as stopped:
    print("stopped")
for use in (journal.write, lambda: journal.read("rows", b"a"), lambda: list(journal.frames())):
    try:
        use()
    except Exception as error:
        print(type(error).__name__)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.close()
journal.open(["rows", "others"])
print(acknowledged > 100, journal.statistics().frames - acknowledged)
"""


def test_a_map_that_cannot_grow_stops_the_journal(path: Path) -> None:
    """Where no address space is left to grow into, it stops; nobody reads from a map that is gone."""
    assert told(child(NARROW, path)).split("\n") == ["stopped", "Stopped", "NotOpen", "NotOpen", "True 0"]


def test_a_frame_is_never_put_out_of_order(path: Path) -> None:
    """A log that goes further than the journal knows takes no frame: it is Damaged, and the journal stops."""
    journal = lmdb_quick(path)
    journal.open(TABLES)
    with_a_row(journal, b"a")
    store = journal._opened()
    with store.env.begin(write=True, db=store._log) as txn:
        txn.put((5).to_bytes(8, "big"), b"from elsewhere")
    with pytest.raises(Damaged, match=r"holds a frame at 2 or behind it.*\nhint: did another program"):
        with_a_row(journal, b"b")
    with pytest.raises(Stopped, match="an earlier commit failed"):
        journal.write()
    assert next(journal.frames()) == (1, b"a")
    journal.close()
    with pytest.raises(Damaged, match="holds 2 of those from 1 to 5"):
        journal.open(TABLES)


def test_a_log_that_went_on_elsewhere_is_not_opened(path: Path) -> None:
    """The same where frames go into log files: LMDB is not asked at each, and opening or check() tells."""
    journal = lmdb_quick(path)
    journal.open(TABLES)
    append(journal, b"a")
    store = journal._opened()
    with store.env.begin(write=True, db=store._log) as txn:
        txn.put((5).to_bytes(8, "big"), b"from elsewhere")
    append(journal, b"b")
    journal.close()
    assert journal.check() == ["frames 3 to 4 are missing"]
    with pytest.raises(Damaged, match="holds 3 of those from 1 to 5"):
        journal.open(TABLES)


def test_a_frame_that_is_gone_is_noticed(path: Path) -> None:
    """Forgetting a frame that somebody else removed is Damaged, not a silent nothing."""
    journal = lmdb_quick(path)
    journal.open(TABLES)
    with_a_row(journal, b"a", b"b")
    store = journal._opened()
    with store.env.begin(write=True, db=store._log) as txn:
        txn.delete((1).to_bytes(8, "big"))
    with pytest.raises(Damaged, match="holds no frame at 1"), journal.write() as batch:
        batch.forget(2, 2)
    journal.close()


WAITS = """
import sys, threading
from persistence import LmdbJournal
journal = LmdbJournal(sys.argv[1], durability="process")
journal.open(["rows", "others"])
with journal.write() as batch:
    batch.append(b"a")
    batch.put("rows", b"k", b"v")
begun, over = threading.Event(), threading.Event()
def hold():
    with journal._opened().env.begin(write=True):
        begun.set()
        over.wait()
writer = threading.Thread(target=hold)
writer.start()
begun.wait()
print(list(journal.frames()), journal.read("rows", b"k"), journal.scan("rows", b"", None, at_most=1))
print(journal.room() > 0, journal.statistics().frames, journal.noted())
journal.backup(sys.argv[1] + ".copy")
other = LmdbJournal(sys.argv[1] + ".other")
other.open(["rows"])
other.close()
over.set()
writer.join()
journal.close()
"""


def test_reading_never_waits_for_the_writer(path: Path) -> None:
    """While a commit is under way only another commit waits: a table opened then would hang the process."""
    assert told(child(WAITS, path)).split("\n") == ["[(1, b'a')] b'v' [(b'k', b'v')]", "True 1 b''"]
