"""What if the disk fails, is slow, or is full?  Errors are injected into the system calls of a real process."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from .process import Ended, Site, injected, needs_strace

Judge = Callable[[Site], None]

FAIL_STOP = 3
FEW = ("--callers", "4", "--messages", "6")
LATE_S = 0.5


@pytest.fixture
def village(tmp_path: Path, seed: int) -> Site:
    """A journal that has been used, and so is opened and not made."""
    site = Site(tmp_path, seed)
    assert site.work(*FEW).code == 0
    return site


def until_it_works(site: Site, judged: Judge, call: str, fault: str, most: int, step: int = 1) -> int:
    """Let the first such call fail, then the second, until a process ends well; gives how many failed."""
    for number in range(1, most, step):
        ended = site.work(*FEW, before=injected(call, f"{fault}:when={number}"))
        judged(site)
        if ended.code == 0:
            return number - 1
        _told(site, ended)
    pytest.fail(f"{call} still fails at call {most}")


def _told(site: Site, ended: Ended) -> None:
    """Whoever runs it is told what has happened, and nobody was told that his message is safe."""
    assert ended.code == FAIL_STOP, ended
    assert "hint:" in ended.errors, ended
    assert "Input/output error" in ended.errors, ended
    assert "Traceback" not in ended.errors, ended


@needs_strace
@pytest.mark.parametrize(("call", "least"), [("fdatasync", 8), ("pwrite64", 8)])
def test_each_error_of_a_disk_stops_it_with_the_truth(
    village: Site, effort: int, judged: Judge, call: str, least: int
) -> None:
    """Whichever call fails: who was in that frame is told Unknown, nobody else is; a restart tells the truth."""
    failed = until_it_works(village, judged, call, "error=EIO", 400, 1 if effort > 1 else 3)
    assert failed >= least
    said = village.said()
    assert said.unknown
