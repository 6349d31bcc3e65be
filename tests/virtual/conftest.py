"""The world as each test finds it, and no test may hang."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator

import pytest

from tests.virtual.props import SECONDS, world


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Nothing has been called yet; whoever hangs is shown, and ends the run."""
    world.clear()
    faulthandler.dump_traceback_later(2 * SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    world.gate.set()
