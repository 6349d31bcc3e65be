"""Does every kind of journal keep the contract?  The same questions to all of them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from persistence import Journal, JournalError, Locked, NotOpen
from tests.journal.kit import TABLES, Held, Kind, append, held

# ---- the log -----------------------------------------------------------------------------------------


def test_positions_count_from_one(journal: Journal) -> None:
    """The first frame has position 1, and each has one more than the one before, whatever batch it is in."""
    assert append(journal, b"a") == 1
    assert append(journal, b"b", b"c") == 3
    assert list(journal.frames()) == [(1, b"a"), (2, b"b"), (3, b"c")]


@pytest.mark.parametrize(("after", "rest"), [(-1, [1, 2, 3]), (0, [1, 2, 3]), (2, [3]), (3, []), (9, [])])
def test_the_log_is_read_from_behind_a_position(journal: Journal, after: int, rest: list[int]) -> None:
    """Reading begins with the frame after the one named; beyond the end there is nothing."""
    append(journal, b"a", b"b", b"c")
    assert [position for position, _ in journal.frames(after)] == rest


def test_many_frames_come_in_order(journal: Journal) -> None:
    """The log is read in order over any length, where keys as text would sort 10 before 9."""
    frames = [str(number).encode() for number in range(1_000)]
    append(journal, *frames)
    assert list(journal.frames()) == list(enumerate(frames, 1))


def test_large_frames_are_kept(journal: Journal) -> None:
    """A frame of 2 MB comes back as it was, between small ones and an empty one."""
    frames = [b"", b"x" * 2_000_000, b"y" * 2_000_001, b"z"]
    append(journal, *frames)
    assert [frame for _, frame in journal.frames()] == frames


def test_the_oldest_frames_are_forgotten(journal: Journal) -> None:
    """Forgetting drops from the front, up to a position and no more than so many, and says how many."""
    append(journal, *[b"%d" % number for number in range(1, 11)])
    with journal.write() as batch:
        assert batch.forget(4, 3) == 3
        assert batch.forget(4, 3) == 1
        assert batch.forget(4, 3) == 0
        assert batch.forget(9, 0) == 0
        assert batch.forget(9, -1) == 0
    assert [position for position, _ in journal.frames()] == [5, 6, 7, 8, 9, 10]
    assert journal.statistics().frames == 6
    with journal.write() as batch:
        assert batch.forget(99, 99) == 6
    assert list(journal.frames()) == []


def test_a_batch_may_forget_what_it_appends(journal: Journal) -> None:
    """A batch may drop frames that it has just appended, and the next positions go on behind them."""
    append(journal, b"a")
    with journal.write() as batch:
        assert batch.append(b"b") == 2
        assert batch.forget(9, 9) == 2
        assert batch.append(b"c") == 3
    assert list(journal.frames()) == [(3, b"c")]
    assert append(journal, b"d") == 4


def test_positions_never_start_again(kind: Kind, path: Path) -> None:
    """A journal whose frames were all forgotten goes on counting, also when it was opened again, twice."""
    journal = kind.make(path)
    journal.open(TABLES)
    append(journal, b"a", b"b", b"c")
    with journal.write() as batch:
        batch.forget(3, 3)
    for expected in (4, 5):
        journal.close()
        journal = kind.again(path, journal)
        journal.open(TABLES)
        assert append(journal, b"d") == expected
        with journal.write() as batch:
            batch.forget(expected, 1)
    journal.close()


def test_a_reader_of_the_log_sees_what_was_there(journal: Journal) -> None:
    """Frames appended after reading began are not read; those forgotten meanwhile are left out."""
    append(journal, b"a", b"b", b"c")
    reading = journal.frames()
    append(journal, b"d")
    assert list(reading) == [(1, b"a"), (2, b"b"), (3, b"c")]

    reading = journal.frames()
    with journal.write() as batch:
        batch.forget(2, 2)
    assert list(reading) == [(3, b"c"), (4, b"d")]


# ---- tables ------------------------------------------------------------------------------------------


def test_rows_are_set_replaced_and_removed(journal: Journal) -> None:
    """A row has the value it was given last; what was deleted, or never there, is None; empty is a value."""
    with journal.write() as batch:
        batch.put("rows", b"a", b"1")
        batch.put("rows", b"b", b"")
        batch.put("rows", b"c", b"3")
    with journal.write() as batch:
        batch.put("rows", b"a", b"2")
        batch.delete("rows", b"c")
        batch.delete("rows", b"never")
    assert [journal.read("rows", key) for key in (b"a", b"b", b"c", b"never")] == [b"2", b"", None, None]
    assert journal.read("others", b"a") is None


def test_within_a_batch_the_last_word_counts(journal: Journal) -> None:
    """A key put and deleted, or deleted and put, in one batch is as the last of them says."""
    with journal.write() as batch:
        batch.put("rows", b"a", b"1")
        batch.delete("rows", b"a")
        batch.delete("rows", b"b")
        batch.put("rows", b"b", b"2")
        batch.put("rows", b"b", b"3")
    assert held(journal).tables["rows"] == [(b"b", b"3")]


def test_keys_of_every_length(journal: Journal) -> None:
    """Keys of 1 to 511 bytes, of any bytes, are kept apart and in order; values may be large."""
    keys = sorted({b"\0", b"\xff", b"a" * 510, b"a" * 511, b"\0" * 511, b"\xff" * 511, b"a", b"a\0", b"ab"})
    with journal.write() as batch:
        for key in reversed(keys):
            batch.put("rows", key, key * 20)
    assert held(journal).tables["rows"] == [(key, key * 20) for key in keys]


@pytest.mark.parametrize("key", [b"", b"x" * 512], ids=len)
def test_keys_that_cannot_be_are_refused(journal: Journal, key: bytes) -> None:
    """An empty key, or one of more than 511 bytes, is an error where it is used, and nothing is written."""
    with (
        pytest.raises(ValueError, match=f"a key of {len(key)} bytes, where 1 to 511"),
        journal.write() as batch,
    ):
        batch.put("rows", key, b"")
    with pytest.raises(ValueError, match="hint:"), journal.write() as batch:
        batch.delete("rows", key)
    with pytest.raises(ValueError, match="hint:"):
        journal.read("rows", key)
    assert held(journal) == Held([], {"rows": [], "others": []})
    assert append(journal, b"goes on") == 1


@pytest.mark.parametrize(
    ("start", "stop", "keys"),
    [
        (b"", None, "abbcd"),
        (b"b", None, "bbcd"),
        (b"b", b"d", "bbc"),
        (b"b", b"b", ""),
        (b"d", b"b", ""),
        (b"bb", b"c", "b"),
        (b"bc", b"cz", "c"),
        (b"", b"a", ""),
        (b"", b"", ""),
        (b"x", None, ""),
        (b"a" * 600, b"c" * 600, "bbc"),
        (b"a" * 511 + b"a", None, "bbcd"),
        (b"", b"d" * 600, "abbcd"),
    ],
)
def test_scans_have_bounds(journal: Journal, start: bytes, stop: bytes | None, keys: str) -> None:
    """A scan gives the rows from its start to before its stop, either way, and no more than asked for."""
    with journal.write() as batch:
        for key in (b"d", b"b", b"c", b"bb", b"a"):
            batch.put("rows", key, key.upper())
            batch.put("others", key + key, b"")
    found = journal.scan("rows", start, stop, at_most=99)
    assert "".join(chr(key[0]) for key, _ in found) == keys
    assert all(value == key.upper() for key, value in found)
    assert journal.scan("rows", start, stop, at_most=99, reverse=True) == found[::-1]
    for count in (-1, 0, 1, 2):
        assert journal.scan("rows", start, stop, at_most=count) == found[: max(count, 0)]
        assert journal.scan("rows", start, stop, at_most=count, reverse=True) == found[::-1][: max(count, 0)]


def test_scans_stop_between_keys_of_full_length(journal: Journal) -> None:
    """Bounds that are longer than any key, and share its 511 bytes, lie behind it."""
    key = b"k" * 511
    with journal.write() as batch:
        batch.put("rows", key, b"")
    assert journal.scan("rows", b"", key + b"x", at_most=9) == [(key, b"")]
    assert journal.scan("rows", b"", key + b"x", at_most=9, reverse=True) == [(key, b"")]
    assert journal.scan("rows", key + b"x", None, at_most=9) == []
    assert journal.scan("rows", key + b"x", None, at_most=9, reverse=True) == []
    assert journal.scan("rows", b"", key, at_most=9, reverse=True) == []


def test_tables_that_were_not_opened_are_named(journal: Journal) -> None:
    """A table that was not opened is an error that tells which were."""
    for use in (
        lambda: journal.read("carts", b"a"),
        lambda: journal.scan("carts", b"", None, at_most=1),
        lambda: journal.write().__enter__().put("carts", b"a", b""),
    ):
        with pytest.raises(
            JournalError, match=r"no table 'carts' was opened; there are: others, rows\nhint:"
        ):
            use()


def test_tables_are_kept_though_not_opened(kind: Kind, path: Path) -> None:
    """A table that is not named at one opening is there at the next."""
    journal = kind.make(path)
    journal.open(["rows", "log", "meta"])
    with journal.write() as batch:
        batch.put("rows", b"a", b"1")
        batch.put("meta", b"format", b"2")
    journal.close()
    for tables in (["others"], ["rows", "meta"]):
        journal = kind.again(path, journal)
        journal.open(tables)
        journal.close()
    journal = kind.again(path, journal)
    journal.open(["rows", "meta"])
    assert journal.read("rows", b"a") == b"1"
    assert journal.read("meta", b"format") == b"2"
    journal.close()


# ---- batches -----------------------------------------------------------------------------------------


def test_an_exception_in_the_block_writes_nothing(journal: Journal) -> None:
    """What a block did before it raised is not there, also not half of it, and the journal goes on."""
    append(journal, b"a")
    before = held(journal)
    with pytest.raises(KeyError), journal.write() as batch:  # noqa: PT012 - the block is what is tested
        batch.append(b"b")
        batch.put("rows", b"a", b"1")
        batch.forget(1, 1)
        raise KeyError
    assert held(journal) == before
    assert append(journal, b"c") == 2


def test_nothing_is_read_before_the_block_is_left(journal: Journal) -> None:
    """While a batch is collected, readers see what was committed before; then they see all of it."""
    append(journal, b"a")
    before = held(journal)
    with journal.write() as batch:
        batch.append(b"b")
        batch.put("rows", b"a", b"1")
        batch.put("others", b"a", b"1")
        batch.forget(1, 1)
        assert held(journal) == before
    row = [(b"a", b"1")]
    assert held(journal) == Held([(2, b"b")], {"rows": row, "others": row})


def test_a_batch_that_holds_nothing_is_no_commit(journal: Journal) -> None:
    """Leaving a block in which nothing was said costs nothing."""
    with journal.write():
        pass
    assert journal.statistics().commits == 0


def test_a_batch_is_good_inside_its_block_only(journal: Journal) -> None:
    """A batch used after its block, or entered twice, is a mistake that is named; nothing is written."""
    with journal.write() as batch:
        batch.append(b"a")
    for use in (
        lambda: batch.append(b"b"),
        lambda: batch.put("rows", b"a", b""),
        lambda: batch.delete("rows", b"a"),
        lambda: batch.forget(1, 1),
    ):
        with pytest.raises(JournalError, match="outside its block"):
            use()
    assert list(journal.frames()) == [(1, b"a")]


def test_batches_do_not_nest(journal: Journal) -> None:
    """A batch inside a batch is refused, since their positions would be the same; the first goes on."""
    with journal.write() as batch:
        batch.append(b"a")
        with pytest.raises(JournalError, match="is being written already"), journal.write() as inner:
            inner.append(b"b")
        batch.append(b"c")
    assert [frame for _, frame in journal.frames()] == [b"a", b"c"]


@pytest.mark.parametrize(
    "wrong", [None, "text", bytearray(b"x"), memoryview(b"x"), 7], ids=lambda wrong: type(wrong).__name__
)
def test_a_journal_takes_bytes(journal: Journal, wrong: bytes) -> None:
    """What is not bytes is refused where it is said: found at the commit, it would stop the journal."""
    with pytest.raises(TypeError, match="bytes"), journal.write() as batch:
        batch.append(wrong)
    with pytest.raises(TypeError, match="bytes"), journal.write() as batch:
        batch.put("rows", b"a", wrong)
    with pytest.raises(TypeError, match="bytes"), journal.write() as batch:
        batch.put("rows", wrong, b"")
    assert held(journal) == Held([], {"rows": [], "others": []})
    assert append(journal, b"a") == 1


def test_readers_see_whole_batches(journal: Journal) -> None:
    """Threads that read while another writes never see a part of a batch, nor an older state later."""
    wrong: list[object] = []
    over = threading.Event()

    def newest() -> int:
        rows = journal.scan("rows", b"", None, at_most=9)
        if len(rows) not in {0, 3} or len({value for _, value in rows}) > 1:
            wrong.append(rows)
        return int(rows[0][1]) if rows else 0

    def frames_of(number: int) -> list[tuple[int, bytes]]:
        return [(position, b"%d" % number) for position in (2 * number - 1, 2 * number) if number]

    def read() -> None:
        before = 0
        while not over.is_set():
            log = list(journal.frames())
            after = newest()
            # Reading the log holds nothing back: a batch that comes meanwhile may forget the second frame,
            # or both, before they are reached.  Only where none came is it known how the log must look, and
            # the rows on either side of it tell that.
            numbers = range(before, after + 1)
            possible = [frames_of(number)[:count] for number in numbers for count in range(3)]
            if log not in (possible if after > before else [frames_of(after)]) or after < before:
                wrong.append((before, log, after))
            before = after

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 101):
        with journal.write() as batch:
            for key in (b"a", b"b", b"c"):
                batch.put("rows", key, b"%d" % number)
            last = batch.append(b"%d" % number) and batch.append(b"%d" % number)
            batch.forget(last - 2, 2)
    over.set()
    for reader in readers:
        reader.join()
    assert wrong == []


# ---- open and close ----------------------------------------------------------------------------------


def test_what_was_committed_is_there_after_a_restart(kind: Kind, path: Path) -> None:
    """Closing and opening changes nothing of what is held."""
    journal = kind.make(path)
    journal.open(TABLES)
    append(journal, b"a", b"b")
    with journal.write() as batch:
        batch.put("rows", b"k", b"v")
        batch.forget(1, 1)
    before = held(journal)
    journal.close()
    journal = kind.again(path, journal)
    journal.open(TABLES)
    assert held(journal) == before
    assert journal.statistics().commits == 0
    journal.close()


def test_a_journal_that_is_not_open_says_so(kind: Kind, path: Path) -> None:
    """Before it is opened, and after it was closed, every use is NotOpen; closing is never wrong."""
    journal = kind.make(path)
    journal.close()
    uses = (
        journal.write,
        journal.frames,
        lambda: journal.read("rows", b"a"),
        lambda: journal.scan("rows", b"", None, at_most=1),
        lambda: journal.note(b""),
        journal.noted,
        journal.room,
        journal.statistics,
    )
    for again in range(2):
        for use in uses:
            with pytest.raises(NotOpen, match=r"was (not opened|.*closed)\nhint: .*open"):
                use()
        if again == 0:
            journal.open(TABLES)
            append(journal, b"a")
            reading = journal.frames()
            journal.close()
            journal.close()
            with pytest.raises(NotOpen):
                next(reading)


def test_closing_inside_a_block_writes_nothing(kind: Kind, path: Path) -> None:
    """A journal that was closed while a batch was collected says so, and holds none of it."""
    journal = kind.make(path)
    journal.open(TABLES)
    with pytest.raises(NotOpen), journal.write() as batch:  # noqa: PT012 - the block again
        batch.append(b"a")
        journal.close()
    journal.open(TABLES)
    assert list(journal.frames()) == []
    assert append(journal, b"b") == 1
    journal.close()


def test_opening_twice_is_refused(journal: Journal) -> None:
    """A journal that is open cannot be opened, and stays as it is."""
    append(journal, b"a")
    with pytest.raises(Locked, match="hint: close it first"):
        journal.open(TABLES)
    assert append(journal, b"b") == 2


def test_every_kind_is_a_journal(kind: Kind, path: Path) -> None:
    """Each has the methods of the contract, and says in its repr what it is and whether it is open."""
    journal = kind.make(path)
    assert isinstance(journal, Journal)
    assert type(journal).__name__ in repr(journal)
    assert "closed" in repr(journal)
    journal.open(TABLES)
    assert "open" in repr(journal)
    assert "closed" not in repr(journal)
    journal.close()


# ---- counting, room, note ----------------------------------------------------------------------------


def test_statistics_count(journal: Journal) -> None:
    """Frames, commits and bytes are counted as they come and go."""
    empty = journal.statistics()
    assert (empty.frames, empty.commits, empty.bytes_quota) == (0, 0, 64 << 30)
    append(journal, b"x" * 100_000, b"y" * 100_000)
    with journal.write() as batch:
        batch.put("rows", b"k", b"v" * 100_000)
    full = journal.statistics()
    assert (full.frames, full.commits) == (2, 2)
    assert full.bytes_used - empty.bytes_used >= 300_000
    with journal.write() as batch:
        batch.forget(2, 2)
        batch.delete("rows", b"k")
    assert journal.statistics().frames == 0
    assert journal.statistics().bytes_used - empty.bytes_used < 10_000
    assert journal.statistics().durability in {"power", "nothing"}


def test_room_comes_back(journal: Journal) -> None:
    """Room shrinks by what is written, in the log and in tables, and comes back with what is removed."""
    whole = journal.room()
    assert 0 < whole <= 64 << 30
    append(journal, b"x" * 1_000_000)
    less = journal.room()
    assert 1_000_000 <= whole - less < 1_100_000
    with journal.write() as batch:
        batch.put("rows", b"k", b"v" * 1_000_000)
    assert 1_000_000 <= less - journal.room() < 1_100_000
    with journal.write() as batch:
        batch.forget(1, 1)
        batch.delete("rows", b"k")
    assert whole - journal.room() < 20_000


def test_the_last_note_is_kept(kind: Kind, path: Path) -> None:
    """At first there is no note; then the last one, also after a restart; too long a one is refused."""
    journal = kind.make(path)
    journal.open(TABLES)
    assert journal.noted() == b""
    for text in (b"a", b"x" * 4_000, b"bc", b""):
        journal.note(text)
        assert journal.noted() == text
        journal.close()
        journal = kind.again(path, journal)
        journal.open(TABLES)
        assert journal.noted() == text
    journal.note(b"kept")
    with pytest.raises(ValueError, match="a note of 4001 bytes, where 4000 are allowed"):
        journal.note(b"x" * 4_001)
    assert journal.noted() == b"kept"
    journal.close()
