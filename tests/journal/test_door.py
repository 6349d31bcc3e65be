"""What does it cost to import the journal, and is every name there?"""

from __future__ import annotations

import ast

import pytest

import persistence
from tests.journal.kit import child, told
from tests.tidy.house import ROOT


def test_journals_in_memory_do_not_load_lmdb() -> None:
    """Who needs the reference or the faulty journal alone can do without LMDB."""
    code = "import sys; from persistence import {}; print('lmdb' in sys.modules)"
    assert told(child(code.format("FaultyJournal, Journal, MemoryJournal"))) == "False"
    assert told(child(code.format("LmdbJournal"))) == "True"


def test_names_are_listed_once() -> None:
    """What type checkers are told is there, and what is loaded on demand, are the same names."""
    tree = ast.parse((ROOT / "persistence/__init__.py").read_text("utf-8"))
    told_names = {
        name.asname or name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("persistence.")
        for name in node.names
    }
    assert told_names == set(persistence.__all__)
    for name in persistence.__all__:
        assert getattr(persistence, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'SqliteJournal'"):
        _ = persistence.SqliteJournal  # pyright: ignore[reportAttributeAccessIssue]
