"""What does opening refuse, and what does it mend?  Owners, formats, and what a crash leaves behind."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest

from persistence import Damaged, JournalError, LmdbJournal, Locked, NotOpen, WrongFormat
from persistence._directory import DATA, NEW
from tests.faults.counting import tried
from tests.journal.kit import TABLES, append, at_work, child, held, lmdb_quick, told

HOLD = """
import sys
from persistence import LmdbJournal
journal = LmdbJournal(sys.argv[1])
journal.open(["rows", "others"])
with journal.write() as batch:
    batch.append(b"from the child")
print("held", flush=True)
sys.stdin.read()
"""

OPEN = """
import sys
from persistence import LmdbJournal
journal = LmdbJournal(sys.argv[1])
try:
    journal.open(["rows", "others"])
except Exception as error:
    print(type(error).__name__, error)
else:
    print("opened", [frame for _, frame in journal.frames()])
    journal.close()
"""


def _image(path: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in path.iterdir()}


def _closed_with(path: Path, *frames: bytes) -> None:
    journal = LmdbJournal(path)
    journal.open(TABLES)
    append(journal, *frames)
    journal.close()


# ---- who holds it ------------------------------------------------------------------------------------


def test_a_second_process_is_refused_by_name(path: Path) -> None:
    """While a process has it open, another is told which, on which host and since when; then it may too."""
    with at_work(HOLD, path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Locked) as refused:
            LmdbJournal(path).open(TABLES)
        assert f"open in another process: process {holder.pid} on {socket.gethostname()}, since 2" in str(
            refused.value
        )
        assert "hint:" in str(refused.value)
        with pytest.raises(Locked):
            LmdbJournal(path).check()
        holder.kill()
    journal = LmdbJournal(path)
    journal.open(TABLES)
    assert [frame for _, frame in journal.frames()] == [b"from the child"]
    journal.close()


def test_the_same_process_is_refused_too(path: Path, tmp_path: Path) -> None:
    """A second one in the same process, also by another name of the directory, is told that it is here."""
    journal = LmdbJournal(path)
    journal.open(TABLES)
    (tmp_path / "alias").symlink_to(path)
    for name in (path, tmp_path / "alias", os.path.relpath(path)):
        with pytest.raises(Locked, match=f"open in this process already \\(process {os.getpid()} "):
            LmdbJournal(name).open(TABLES)
    append(journal, b"a")
    journal.close()
    LmdbJournal(tmp_path / "alias").open(TABLES)


@pytest.mark.parametrize(
    "name", ["shop.journal", "./shop.journal/", "../{0}/shop.journal", "alias", "far/alias"]
)
def test_another_process_is_refused_by_any_name_of_it(path: Path, tmp_path: Path, name: str) -> None:
    """Relative, with dots, behind links: it is the directory that is locked, whatever it is called."""
    (tmp_path / "alias").symlink_to(path)
    (tmp_path / "far").symlink_to(tmp_path)
    journal = LmdbJournal(path)
    journal.open(TABLES)
    assert told(child(OPEN, tmp_path / name.format(tmp_path.name))).startswith("Locked ")
    journal.close()
    assert told(child(OPEN, tmp_path / name.format(tmp_path.name))) == "opened []"


UNLOCKED = "import fcntl\nfcntl.flock = lambda *_: None\n"


def test_without_a_lock_both_would_write(path: Path) -> None:
    """The control: where the lock is left out, the second process of the tests above is not refused."""
    with at_work(UNLOCKED + HOLD, path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert told(child(UNLOCKED + OPEN, path)) == "opened [b'from the child']"
        holder.kill()


def test_a_refused_second_opening_costs_the_first_nothing(path: Path) -> None:
    """Being refused leaves the lock, the reader table and the data of the one who is there as they were."""
    journal = LmdbJournal(path)
    journal.open(TABLES)
    append(journal, b"a")
    for _ in range(3):
        assert told(child(OPEN, path)).startswith("Locked")
    append(journal, b"b")
    assert [frame for _, frame in journal.frames()] == [b"a", b"b"]
    assert told(child(OPEN, path)).startswith("Locked")
    journal.close()
    assert told(child(OPEN, path)) == "opened [b'a', b'b']"


FORK = """
import os, sys
from persistence import LmdbJournal, NotOpen
journal = LmdbJournal(sys.argv[1])
journal.open(["rows"])
with journal.write() as batch:
    batch.append(b"a")
reading = journal.frames()
block = journal.write()
inside = block.__enter__()
inside.append(b"b")
child = os.fork()
if child == 0:
    uses = [
        journal.write, journal.room, journal.statistics, journal.noted, journal.frames,
        lambda: journal.note(b"x"), lambda: next(reading), lambda: journal.read("rows", b"a"),
        lambda: block.__exit__(None, None, None),
    ]
    refused = 0
    for use in uses:
        try:
            use()
        except NotOpen as error:
            refused += "this process is a fork" in str(error)
    journal.close()
    try:
        journal.open(["rows"])
    except Exception as error:
        refused += type(error).__name__ == "Locked"
    del journal, reading, block, inside
    import gc; gc.collect()
    sys.exit(0 if refused == 10 else refused + 100)
_, status = os.waitpid(child, 0)
assert status == 0, os.waitstatus_to_exitcode(status)
block.__exit__(None, None, None)
with journal.write() as batch:
    batch.append(b"c")
print([frame for _, frame in journal.frames()], journal.noted())
journal.close()
print(journal.check())
"""


def test_a_forked_child_is_refused_and_the_parent_unharmed(path: Path) -> None:
    """A forked child gets NotOpen for whatever it tries, and the parent goes on, also with its open block."""
    assert told(child(FORK, path)) == "[b'a', b'b', b'c'] b''\n[]"


def test_an_unguarded_child_is_noticed(path: Path) -> None:
    """The control: a journal that does not hear of the fork lets the child write, and the test says so."""
    deaf = "import persistence.lmdb_journal as module\nmodule._forked.__code__ = (lambda: None).__code__\n"
    done = child(deaf + FORK, path)
    assert done.returncode == 1
    assert "AssertionError: 10" in done.stderr


SPAWNED = """
import multiprocessing, sys
from persistence import LmdbJournal
def use(path, answers):
    try:
        answers.put(type(journal.read("rows", b"a")).__name__)
    except Exception as error:
        answers.put(type(error).__name__)
    try:
        LmdbJournal(path).open(["rows"])
    except Exception as error:
        answers.put(type(error).__name__)
if __name__ == "__main__":
    journal = LmdbJournal(sys.argv[1])
    journal.open(["rows"])
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    for _ in range(int(sys.argv[2])):
        process = context.Process(target=use, args=(sys.argv[1], answers))
        process.start()
        process.join()
    found = [answers.get(timeout=20) for _ in range(2 * int(sys.argv[2]))]
    with journal.write() as batch:
        batch.append(b"a")
    print(*found, journal.statistics().frames)
    journal.close()
"""


@pytest.mark.parametrize("count", [1, 3])
def test_a_process_of_multiprocessing_is_refused(path: Path, count: int) -> None:
    """A worker that inherits an open journal can neither read nor open it, and whoever has it goes on."""
    assert told(child(SPAWNED, path, count)) == " ".join(["NotOpen", "Locked"] * count + ["1"])


def test_a_child_that_outlives_its_parent_holds_nothing(path: Path) -> None:
    """The lock is the parent's alone: when it dies, the journal can be opened though its children live on."""
    code = (
        "import os, sys\nfrom persistence import LmdbJournal\n"
        "journal = LmdbJournal(sys.argv[1]); journal.open(['rows', 'others'])\n"
        "if os.fork() == 0:\n    print('lives', flush=True); sys.stdin.read(); os._exit(0)\n"
        "os._exit(0)\n"
    )
    with at_work(code, path) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "lives\n"
        parent.wait()
        journal = LmdbJournal(path)
        journal.open(TABLES)
        append(journal, b"a")
        journal.close()


# ---- what is there -----------------------------------------------------------------------------------


def test_nobody_else_may_look(path: Path) -> None:
    """The directory and every file in it are their owner's alone."""
    _closed_with(path, b"a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(entry.stat().st_mode) for entry in path.iterdir()} == {0o600}
    assert {entry.name for entry in path.iterdir()} == {"LOCK", "journal.mdb", "journal.mdb-lock", "note"}


def test_the_parent_directory_has_to_be_there(tmp_path: Path) -> None:
    """A path into nowhere is an error, and no directory is made: it may be a volume that is not mounted."""
    with pytest.raises(FileNotFoundError, match=r"no directory .*volume.*\n*hint|hint: make it"):
        LmdbJournal(tmp_path / "volume" / "shop.journal").open(TABLES)
    assert list(tmp_path.iterdir()) == []


def _foreign_engine(path: Path) -> None:
    with (
        lmdb.open(str(path / DATA), subdir=False, lib_version=1, lock=False) as env,
        env.begin(write=True) as txn,
    ):
        txn.put(b"a", b"b")


def _foreign_lmdb(path: Path) -> None:
    with (
        lmdb.open(str(path / DATA), subdir=False, lib_version=0, lock=False) as env,
        env.begin(write=True) as txn,
    ):
        txn.put(b"a", b"b")


def _later(path: Path) -> None:
    path.rmdir()
    _closed_with(path, b"a")
    with (
        lmdb.open(str(path / DATA), subdir=False, lib_version=0, lock=False, max_dbs=9) as env,
        env.begin(write=True, db=env.open_db(b"meta")) as txn,
    ):
        txn.put(b"format", b"99")


def _other_data_format(path: Path) -> None:
    _foreign_lmdb(path)
    data = bytearray((path / DATA).read_bytes())
    for page in (0, 4096):
        data[page + 20] = 2
    (path / DATA).write_bytes(data)


OTHERS: list[tuple[str, Callable[[Path], object], str]] = [
    (
        "an application's folder",
        lambda path: (path / "app.py").touch(),
        "is no journal: it holds app.py, and no",
    ),
    (
        "many files",
        lambda path: [(path / str(n)).write_bytes(b"") for n in range(9)],
        "0, 1, 2, 3, 4 and 4 more",
    ),
    ("a plain LMDB directory", lambda path: lmdb.open(str(path), lib_version=0).close(), "it holds data.mdb"),
    ("another engine", _foreign_engine, "was written by LMDB 1.0"),
    ("no table of ours", _foreign_lmdb, "a file of LMDB that is no journal"),
    ("a later format", _later, "has format 99, and this release reads up to 2"),
    ("another data format", _other_data_format, "has LMDB's data format 2"),
    ("text", lambda path: (path / DATA).write_text("hello " * 2_000), "is no file of LMDB"),
    ("short text", lambda path: (path / DATA).write_text("hello"), "is no file of LMDB"),
]


@pytest.mark.parametrize(
    ("make", "says"), [other[1:] for other in OTHERS], ids=[other[0] for other in OTHERS]
)
def test_what_is_no_journal_is_not_touched(path: Path, make: Callable[[Path], object], says: str) -> None:
    """What is something else, or of a later release, is refused with its reason, byte for byte as it was."""
    path.mkdir()
    make(path)
    before = _image(path)
    with pytest.raises(WrongFormat, match=re.escape(says)):
        LmdbJournal(path).open(TABLES)
    after = _image(path)
    ours = {"LOCK", f"{DATA}-lock"}  # who came last, and LMDB's table of readers
    assert {name: after[name] for name in before if name not in ours} == {
        name: data for name, data in before.items() if name not in ours
    }
    assert set(after) - set(before) <= ours
    with pytest.raises(WrongFormat):
        LmdbJournal(path).open(TABLES)


def test_a_file_is_no_journal(path: Path) -> None:
    """A path to a file is refused, and the file stays."""
    path.write_text("hello")
    with pytest.raises(WrongFormat, match="is a file; a journal is a directory"):
        LmdbJournal(path).open(TABLES)
    assert path.read_text() == "hello"


def test_the_engine_is_chosen_here(path: Path) -> None:
    """A variable that makes LMDB 1.0 the default changes nothing: journals are read and made by LMDB 0.9."""
    _closed_with(path, b"a")
    env = {"LMDB_DEFAULT_LIB_VERSION": "1"}
    assert told(child(OPEN, path, env=env)) == "opened [b'a']"
    assert told(child(OPEN, path.with_name("new"), env=env)) == "opened []"
    _closed_with(path.with_name("new"), b"b")
    assert told(child("import lmdb; print(lmdb.version()[0])", env=env)) == "1"


def test_too_many_tables_are_refused(path: Path) -> None:
    """More tables than a journal opens are an error that says how many there may be."""
    with pytest.raises(JournalError, match="31 tables, where 30 are allowed"):
        LmdbJournal(path).open([f"table {number}" for number in range(31)])
    journal = LmdbJournal(path)
    journal.open([f"table {number}" for number in range(30)])
    journal.close()


# ---- what a crash leaves -----------------------------------------------------------------------------


def _in_creation(path: Path) -> bytes:
    """The bytes of a journal that has just been made."""
    journal = LmdbJournal(path)
    journal.open([])
    journal.close()
    data = (path / DATA).read_bytes()
    shutil.rmtree(path)
    return data


def test_a_crash_while_it_is_made_is_mended(path: Path) -> None:
    """Whatever creation leaves when it is cut off, the next opening makes an empty journal of it."""
    whole = _in_creation(path)
    torn = [whole[:cut] for cut in (*range(0, len(whole), 512), len(whole))]
    torn += [b"\0" * len(whole), whole[:4096] + b"\0" * 4096, b"\0" * 4096 + whole[4096:], os.urandom(5_000)]
    images: list[dict[str, bytes]] = [
        {},
        {"LOCK": b""},
        *({"LOCK": b"process 1", NEW: data} for data in torn),
    ]
    for image in images:
        path.mkdir(mode=0o700)
        for name, data in image.items():
            (path / name).write_bytes(data)
        _see_mended(path)
        shutil.rmtree(path)
        tried()


def _see_mended(path: Path) -> None:
    """It can be opened, is empty, and nothing is left of what was there."""
    journal = lmdb_quick(path)
    journal.open(TABLES)
    assert append(journal, b"a") == 1
    journal.close()
    assert not (path / NEW).exists()
    assert journal.check() == []


def test_a_ruin_is_noticed(path: Path) -> None:
    """The control: half a journal under its own name, which creation never leaves, cannot pass for mended."""
    whole = _in_creation(path)
    for data in (whole[:4096], bytes(len(whole)), b""):
        path.mkdir(mode=0o700)
        (path / DATA).write_bytes(data)
        with pytest.raises((JournalError, AssertionError)):
            _see_mended(path)
        shutil.rmtree(path)


def test_a_left_over_copy_is_removed(path: Path) -> None:
    """A temporary file beside a journal that is whole is removed, and the journal is as it was."""
    _closed_with(path, b"a")
    (path / NEW).write_bytes(b"half")
    journal = LmdbJournal(path)
    journal.open(TABLES)
    assert list(journal.frames()) == [(1, b"a")]
    assert not (path / NEW).exists()
    journal.close()


KILLED = """
import os, sys
from pathlib import Path
from persistence import LmdbJournal
calls = 0
def stop(event, args):
    global calls
    if sys.argv[1] in str(args):
        calls += 1
        if calls == int(sys.argv[2]):
            os._exit(9)
sys.addaudithook(stop)
LmdbJournal(sys.argv[1]).open(["rows", "others"])
print(calls)
os._exit(0)
"""


def test_a_process_that_dies_while_making_it_leaves_no_ruin(path: Path) -> None:
    """Ended at any call that touches the directory, creation is completed or begun anew by the next."""
    calls = int(told(child(KILLED, path, 0)))
    assert calls >= 5
    for call in range(1, calls + 1):
        shutil.rmtree(path)
        assert child(KILLED, path, call).returncode == 9
        tried()
        journal = lmdb_quick(path)
        journal.open(TABLES)
        assert append(journal, b"a") == 1
        journal.close()


def test_a_lost_data_file_is_no_new_journal(path: Path) -> None:
    """Where a journal has been and its data is gone, nothing is made in its place: that is damage."""
    _closed_with(path, b"a")
    (path / DATA).unlink()
    with pytest.raises(Damaged, match=r"its journal.mdb is gone.*\nhint: bring it back"):
        LmdbJournal(path).open(TABLES)
    assert not (path / DATA).exists()


def test_an_unclean_stop_is_no_error(path: Path) -> None:
    """A process that ends without closing leaves a journal that opens as if it had been closed."""
    code = OPEN.replace("    journal.close()", "    import os; os._exit(0)")
    _closed_with(path, b"a")
    assert told(child(code.replace('print("opened"', 'print("again", flush=True); print("opened"'), path))
    assert told(child(OPEN, path)) == "opened [b'a']"


# ---- damage ------------------------------------------------------------------------------------------


def test_a_truncated_file_is_found_before_it_is_mapped(path: Path) -> None:
    """A file that lost its end is Damaged: mapped and read, it would kill the process with SIGBUS."""
    _closed_with(path, *[b"x" * 3_000] * 100)
    whole = (path / DATA).read_bytes()
    for pages in (0, 1, 2, 3, 10, len(whole) // 4096 - 1):
        (path / DATA).write_bytes(whole[: pages * 4096])
        tried()
        answer = told(child(OPEN, path))
        assert answer.startswith("Damaged"), answer
        assert "hint: bring it back from a backup" in answer
        assert LmdbJournal(path).check() != []
    (path / DATA).write_bytes(whole)
    assert LmdbJournal(path).check() == []


def test_a_file_that_is_short_and_whole_opens(path: Path) -> None:
    """A page taken and given up in one transaction is never written; a file that lacks it is whole."""
    journal = lmdb_quick(path)
    journal.open(TABLES)
    with journal.write() as batch:
        batch.append(b"kept")
        batch.put("others", b"a", b"into LMDB, where frames alone do not go")
    env = journal._opened().env
    database = journal._opened()._databases["rows"]
    with env.begin(write=True) as txn:
        for number in range(400):
            txn.put(b"%d" % number, b"x" * 10_000, db=database)
        for number in range(400):
            txn.delete(b"%d" % number, db=database)
    said = (env.info()["last_pgno"] + 1) * 4096
    assert (path / DATA).stat().st_size < said, "LMDB wrote it: the test has lost its subject"
    journal.close()
    journal.open(TABLES)
    assert held(journal).frames == [(1, b"kept")]
    with journal.write() as batch:
        batch.put("rows", b"a", b"b")
    assert (path / DATA).stat().st_size >= said
    journal.close()
    assert journal.check() == []


@pytest.mark.parametrize("page", [0, 1])
def test_a_lost_meta_page_is_damage(path: Path, page: int) -> None:
    """One of the first two pages zeroed is Damaged; with junk in its middle it never ends the process."""
    _closed_with(path, b"a")
    whole = (path / DATA).read_bytes()
    (path / DATA).write_bytes(whole[: page * 4096] + b"\0" * 4096 + whole[(page + 1) * 4096 :])
    assert told(child(OPEN, path)).startswith("Damaged")
    for junk in (b"\xff" * 100, os.urandom(100)):
        (path / DATA).write_bytes(whole[: page * 4096 + 24] + junk + whole[page * 4096 + 124 :])
        done = child(OPEN, path)
        assert done.returncode >= 0, f"killed by a signal: {done.stderr}"


def test_a_log_with_a_hole_is_damage(path: Path) -> None:
    """Frames that are missing in the middle are found when it is opened, and check says which."""
    _closed_with(path, b"a", b"b", b"c", b"d")
    with (
        lmdb.open(str(path / DATA), subdir=False, lib_version=0, lock=False, max_dbs=9) as env,
        env.begin(write=True, db=env.open_db(b"log")) as txn,
    ):
        txn.delete((2).to_bytes(8, "big"))
        txn.delete((3).to_bytes(8, "big"))
    with pytest.raises(Damaged, match="holds 2 of those from 1 to 4"):
        LmdbJournal(path).open(TABLES)
    assert LmdbJournal(path).check() == ["frames 2 to 3 are missing"]
    with pytest.raises(NotOpen):
        LmdbJournal(path).room()
