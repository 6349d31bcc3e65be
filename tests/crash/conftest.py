"""A place for journals that die, and the oracle over it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .oracle import judge, verdict
from .process import Site
from .workload import LIMITS

__all__: list[str] = []


@pytest.fixture
def site(tmp_path: Path, seed: int) -> Site:
    """A journal that is not there yet."""
    return Site(tmp_path, seed)


@pytest.fixture
def judged(tmp_path: Path) -> Callable[[Site], None]:
    """The oracle: fails with all that is wrong."""

    def ask(site: Site) -> None:
        judge(site.journal, site.said(), tmp_path, LIMITS[site.limits])

    return ask


@pytest.fixture
def wrong(tmp_path: Path) -> Callable[[Site], list[str]]:
    """The same oracle, for those who expect it to complain."""

    def ask(site: Site) -> list[str]:
        return verdict(site.journal, site.said(), tmp_path, LIMITS[site.limits])

    return ask
