"""What a process weighs and writes, and how one is killed.  Reads ``/proc``; knows nothing of actors."""

from __future__ import annotations

import mmap
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Tally", "Weight", "kill_when", "measurable", "uncached", "weight", "written"]

LOOKS_S = 0.001
PATIENCE_S = 600.0


def measurable() -> bool:
    """Whether the system tells what these benchmarks ask."""
    return sys.platform == "linux"


class Weight(NamedTuple):
    """Memory of this process, in bytes."""

    resident: int
    """All of it, pages of mapped files included, which the system takes back when it needs them."""
    own: int
    """What is the process's alone: its heap."""


def weight() -> Weight:
    """Read what this process weighs."""
    told = dict(
        line.split(":", 1)
        for line in Path("/proc/self/status").read_text("utf-8").splitlines()
        if ":" in line
    )
    return Weight(*(int(told[name].split()[0]) << 10 for name in ("VmRSS", "RssAnon")))


def written() -> int:
    """Bytes that this process has had written to disks since it began."""
    told = Path("/proc/self/io").read_text("utf-8")
    return int(told.partition("\nwrite_bytes:")[2].split()[0])


def uncached(folder: Path) -> None:
    """Have the system forget what it keeps in memory of these files."""
    for path in folder.rglob("*"):
        if path.is_file():
            opened = os.open(path, os.O_RDONLY)
            os.fsync(opened)  # what is not on the disk yet would stay
            os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(opened)


class Tally:
    """Numbers that two processes see, and that outlive either."""

    def __init__(self, places: int) -> None:
        self._held = memoryview(mmap.mmap(-1, 8 * places)).cast("Q")

    def __getitem__(self, place: int) -> int:
        return self._held[place]

    def __setitem__(self, place: int, value: int) -> None:
        self._held[place] = value

    def __iter__(self) -> Iterator[int]:
        return iter(self._held)


def kill_when(enough: Callable[[], bool], work: Callable[[], object]) -> None:
    """Do some work in a process of its own, and kill that (``kill -9``) as soon as it is enough."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:  # noqa: BLE001 - it is only a fork: nobody above may go on with what it has
            traceback.print_exc()
        os._exit(1)
    until = time.monotonic() + PATIENCE_S
    ended = 0
    try:
        while not enough():
            ended, _ = os.waitpid(child, os.WNOHANG)
            if ended:
                raise RuntimeError("the process that was to be killed has ended of itself")
            if time.monotonic() > until:
                raise TimeoutError(f"it has not come far enough in {PATIENCE_S:g} s")
            time.sleep(LOOKS_S)
    finally:
        if not ended:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
