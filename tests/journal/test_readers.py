"""Whoever reads for long, or dies while reading: does it keep a journal from using its space again?"""

from __future__ import annotations

from pathlib import Path

import lmdb
import pytest

from persistence import LmdbJournal
from persistence._directory import DATA
from tests.journal.kit import TABLES, append, at_work, lmdb_quick

ROUNDS = 150
PAGES_MAX = 40
"""So much a journal may grow while it replaces one row of three kilobytes, whatever others do."""

READS = """
import sys
from persistence import LmdbJournal
journal = LmdbJournal(sys.argv[1])
journal.open(["rows", "others"])
log = journal.frames()
next(log)
journal.scan("rows", b"", None, at_most=10)
print("reading", flush=True)
sys.stdin.read()
"""


def _filled(path: Path) -> LmdbJournal:
    journal = lmdb_quick(path)
    journal.open(TABLES)
    append(journal, *[b"%d" % number + b"x" * 2_000 for number in range(300)])
    return journal


def _grown(journal: LmdbJournal, path: Path) -> int:
    """By how many pages the file grows while one row is replaced again and again."""
    before = (path / DATA).stat().st_size
    for number in range(ROUNDS):
        with journal.write() as batch:
            batch.put("rows", b"row", b"%d" % number + b"x" * 3_000)
    return ((path / DATA).stat().st_size - before) // 4096


def test_a_reader_that_pauses_pins_nothing(path: Path) -> None:
    """The log is read in pieces, and between them its reader holds no page: space is used again."""
    journal = _filled(path)
    log = journal.frames()
    assert next(log)[0] == 1
    assert _grown(journal, path) < PAGES_MAX
    assert sum(1 for _ in log) == 299
    journal.close()


@pytest.mark.parametrize("how", ["kill", "end"])
def test_a_reader_whose_process_is_gone_pins_nothing(path: Path, how: str) -> None:
    """Killed while it read, or ended: the next process finds no place taken, and uses space again."""
    _filled(path).close()
    with at_work(READS, path) as reader:
        assert reader.stdout is not None
        assert reader.stdin is not None
        assert reader.stdout.readline() == "reading\n"
        if how == "kill":
            reader.kill()
        reader.stdin.close()
        reader.wait(30)
    journal = lmdb_quick(path)
    journal.open(TABLES)
    assert _grown(journal, path) < PAGES_MAX
    journal.close()


def test_backups_one_after_the_other_pin_nothing(path: Path, tmp_path: Path) -> None:
    """A copy reads for long, and gives everything up when it is done, also when it failed."""
    journal = _filled(path)
    for number in range(5):
        journal.backup(tmp_path / f"copy {number}")
        with pytest.raises(Exception, match=f"copy {number}"):
            journal.backup(tmp_path / f"copy {number}")
    assert _grown(journal, path) < PAGES_MAX
    journal.close()


def test_a_reader_that_stays_does_pin_pages(path: Path) -> None:
    """The control: with a transaction of LMDB's own left open, the file grows with every commit."""
    journal = _filled(path)
    store = journal._store
    assert store is not None
    with store.env.begin() as reader:
        assert isinstance(reader, lmdb.Transaction)
        assert _grown(journal, path) > 2 * PAGES_MAX
    journal.close()
