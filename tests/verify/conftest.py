"""A shop of its own for each test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.verify.shop import Shop


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where journals are kept that several tests begin with."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def shop(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A folder for an application and its journals."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield Shop(tmp_path, made)
    sys.modules.pop("shop", None)
