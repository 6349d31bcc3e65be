"""Journals of every kind, opened, for tests that ask the same of all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from persistence import Journal
from tests.journal.kit import KINDS, TABLES, Kind


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of journal in turn."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal can be made."""
    return tmp_path / "shop.journal"


@pytest.fixture
def journal(kind: Kind, path: Path) -> Iterator[Journal]:
    """A new journal, opened."""
    made = kind.make(path)
    made.open(TABLES)
    yield made
    made.close()
