"""Do all kinds of journal agree, whatever is done to them?  LMDB and the faulty one beside the reference."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from persistence import Batch, FaultyJournal, Journal, MemoryJournal
from tests.faults.counting import tried
from tests.journal.kit import TABLES, held, lmdb_quick

KEYS = st.sampled_from([b"\0", b"a", b"a\0", b"ab", b"b", b"k" * 511, b"k" * 510, b"\xff"]) | st.binary(
    min_size=1, max_size=3
)
SIZES = st.sampled_from([0, 1, 8, 2_000, 5_000, 40_000])
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), SIZES),
        st.tuples(st.just("put"), st.sampled_from(TABLES), KEYS, SIZES),
        st.tuples(st.just("delete"), st.sampled_from(TABLES), KEYS),
        st.tuples(st.just("forget"), st.integers(-1, 40), st.integers(-1, 5)),
    ),
    max_size=12,
)
BOUNDS = st.binary(max_size=3) | st.sampled_from([b"k" * 511, b"k" * 600])


class Torn(Exception):
    """Raised inside a block."""


def _do(batch: Batch, operations: list[tuple[str, *tuple[object, ...]]]) -> list[object]:
    """Sizes become bytes here, so that what failed can be read."""
    answers: list[object] = []
    for number, (name, *rest) in enumerate(operations):
        if name in {"append", "put"}:
            rest[-1] = bytes([number]) * int(str(rest[-1]))
        answers.append(getattr(batch, name)(*rest))
    return answers


class Together(RuleBasedStateMachine):
    """The same is done to every kind, and all must answer as the reference does."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        # A map that grows by and by, so that batches are written again.
        self.lmdb = lmdb_quick(self.folder / "journal", map_bytes=1)
        self.reference = MemoryJournal()
        self.faulty = FaultyJournal()
        self.history = [held_of(self.reference)]
        for journal in self.all:
            journal.open(TABLES)

    @property
    def all(self) -> list[Journal]:
        """The reference comes first."""
        return [self.reference, self.lmdb, self.faulty]

    def teardown(self) -> None:
        """Leave no directory behind, and nothing wrong in it."""
        for journal in self.all:
            journal.close()
        wrong = self.lmdb.check()
        shutil.rmtree(self.folder)
        assert wrong == []
        tried()

    @rule(operations=OPERATIONS)
    def commit(self, operations: list[tuple[str, *tuple[object, ...]]]) -> None:
        """Write a batch."""
        answers: list[list[object]] = []
        for journal in self.all:
            with journal.write() as batch:
                answers.append(_do(batch, operations))
        assert answers == [answers[0]] * len(answers)
        if self.faulty.acknowledged == len(self.history):
            self.history.append(held(self.reference))

    @rule(operations=OPERATIONS)
    def break_off(self, operations: list[tuple[str, *tuple[object, ...]]]) -> None:
        """Raise inside a block."""
        for journal in self.all:
            with pytest.raises(Torn), journal.write() as batch:  # noqa: PT012 - the block is tested
                _do(batch, operations)
                raise Torn

    @rule()
    def restart(self) -> None:
        """Close and open."""
        for journal in self.all:
            journal.close()
            journal.open(TABLES)

    @rule(tables=st.permutations([*TABLES, "log", "meta"]))
    def restart_with_other_tables(self, tables: list[str]) -> None:
        """Close, open with some tables, close, and open as before."""
        for journal in self.all:
            journal.close()
            journal.open(tables[:2])
            journal.close()
            journal.open(TABLES)

    @rule()
    def die(self) -> None:
        """Let the process of the faulty one end between two commits: everything acknowledged is there."""
        assert list(self.faulty.survives) == [self.faulty.acknowledged]
        self.faulty = self.faulty.reopened()
        self.faulty.open(TABLES)

    @rule(start=BOUNDS, stop=st.none() | BOUNDS, at_most=st.integers(-1, 4), reverse=st.booleans())
    def scan(self, start: bytes, stop: bytes | None, at_most: int, reverse: bool) -> None:
        """Read rows in order."""
        expected = self.reference.scan("rows", start, stop, at_most=at_most, reverse=reverse)
        for journal in self.all:
            assert journal.scan("rows", start, stop, at_most=at_most, reverse=reverse) == expected

    @rule(after=st.integers(-1, 50))
    def read_the_log(self, after: int) -> None:
        """Read frames from somewhere."""
        expected = list(self.reference.frames(after))
        for journal in self.all:
            assert list(journal.frames(after)) == expected

    @rule(text=st.binary(max_size=50))
    def note(self, text: bytes) -> None:
        """Keep a note."""
        for journal in self.all:
            journal.note(text)

    @rule(commits=st.integers(0, 1_000))
    def look_back(self, commits: int) -> None:
        """Look at the state after an earlier commit."""
        commits %= len(self.history)
        earlier = self.faulty.as_of(commits)
        earlier.open(TABLES)
        assert held(earlier) == self.history[commits]

    @invariant()
    def agree(self) -> None:
        """All hold the same."""
        expected = held(self.reference)
        for journal in self.all:
            assert held(journal) == expected
            assert journal.noted() == self.reference.noted()
            assert journal.statistics().frames == len(expected.frames)


def held_of(journal: MemoryJournal) -> object:
    """What a journal that was never opened holds."""
    journal.open(TABLES)
    state = held(journal)
    journal.close()
    return state


TestTogether = Together.TestCase
