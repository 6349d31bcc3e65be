"""Processes under a test: started, listened to, killed, and never waited for without end."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.tidy.house import ROOT

from .on_disk import is_log_file
from .said import Said

__all__ = ["PATIENCE_S", "Ended", "Process", "Site", "hit", "hit_in_making", "injected", "needs_strace"]

PATIENCE_S: Final = 60.0
READ_BYTES: Final = 1 << 16
_NAMED: Final = r"<([^<>]*)>|\(\"([^\"]*)\""
"""A file in a line of strace's."""

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None,
    reason="STRACE IS NOT INSTALLED: failing disks, slow disks and deaths within a system call are not tried",
)


def injected(call: str, *faults: str, log: Path | None = None, files: Iterable[Path] = ()) -> list[str]:
    """The words before a program's that have its system calls go wrong, as in ``error=EIO:when=3``.

    Each thread counts its calls for itself.  Where files are named, only calls on these go wrong, and count.
    """
    line = ["strace", "-f", "-y", "-qq", "-o", str(log or os.devnull), "-e", f"trace={call}"]
    line += [word for file in files for word in ("-P", str(file))]
    if not any("signal" in fault for fault in faults):
        line.append("--seccomp-bpf")  # much quicker, and kills nobody
    return [*line, *(word for fault in faults for word in ("-e", f"inject={call}:{fault}"))]


def hit(log: Path) -> list[str]:
    """The names of the files on which a call went wrong, by what strace wrote."""
    return [_file(call) for call in _gone_wrong(log)]


def hit_in_making(log: Path) -> bool:
    """Whether each call that went wrong was one of those by which log files are made."""
    # That is writing all of it, from its start.
    return all(is_log_file(_file(call)) and re.search(r", \d{5,}, 0\b", call) for call in _gone_wrong(log))


def _file(call: str) -> str:
    named = re.search(_NAMED, call)
    assert named, call
    return Path(named[1] or named[2]).name


def _gone_wrong(log: Path) -> list[str]:
    """Calls as they began."""
    calls: list[str] = []
    began: dict[str, str] = {}
    for line in log.read_text("utf-8", "replace").splitlines():
        thread = line.split(maxsplit=1)[0]
        if "resumed>" not in line and re.search(_NAMED, line):
            began[thread] = line
        if "(INJECTED)" in line or "(DELAYED)" in line:
            calls.append(began[thread])
    return calls


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    """Less than zero: by this signal."""
    errors: str
    beats: int


class Process:
    """A workload that runs."""

    def __init__(self, popen: subprocess.Popen[bytes], errors: Path) -> None:
        self._popen = popen
        self._errors = errors
        self._until = time.monotonic() + PATIENCE_S
        self.pid = popen.pid
        self.beats = 0
        self.marks = ""
        """The initials of what it has come to: o(pening), O(pen), c(losing), C(losed)."""

    def heard(self) -> bool:
        """Wait until it says something; False once it never will again."""
        assert self._popen.stdout is not None, "it is a pipe"
        ready, _, _ = select.select([self._popen.stdout], [], [], max(0.0, self._until - time.monotonic()))
        if not ready:
            self.kill()
            pytest.fail(f"a process was silent for {PATIENCE_S} s after {self.beats} beats")
        data = os.read(self._popen.stdout.fileno(), READ_BYTES)
        self.beats += data.count(b".")
        self.marks += data.replace(b".", b"").decode()
        return bool(data)

    def hear_until(self, enough: Callable[[Process], bool]) -> bool:
        """Listen until it has said enough; False if it ended before."""
        while not enough(self):
            if not self.heard():
                return False
        return True

    def signal(self, number: int) -> None:
        self._popen.send_signal(number)

    def kill(self) -> None:
        self._popen.send_signal(signal.SIGKILL)

    def end(self) -> Ended:
        """Listen to its end."""
        while self.heard():
            pass
        try:
            code = self._popen.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail("a process closed its output and did not end")
        return Ended(code, self._errors.read_text("utf-8"), self.beats)


class Site:
    """A journal, the log of what was said about it, and the processes that work on it one after the other."""

    def __init__(
        self, folder: Path, seed: int, limits: str = "small", module: str = "tests.crash.workload"
    ) -> None:
        self.folder = folder
        self.seed = seed
        self.limits = limits
        self.module = module
        """The program that the processes run."""
        self.journal = folder / "village.journal"
        self.log = folder / "said"

    def said(self) -> Said:
        return Said.read(self.log)

    @contextmanager
    def working(
        self, *options: str, before: Sequence[str] = (), preexec: Callable[[], None] | None = None
    ) -> Iterator[Process]:
        """A process that works on it; at the end of the block there is none."""
        line = [*before, sys.executable, "-m", self.module, "--pulse", "--limits", self.limits]
        line += [*options, str(self.journal), str(self.log), str(self.seed)]
        errors = self.folder / "errors"
        with errors.open("wb") as file:
            popen = subprocess.Popen(
                line,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=file,
                preexec_fn=preexec,  # noqa: PLW1509 - limits of its own
            )
        try:
            yield Process(popen, errors)
        finally:
            popen.kill()  # which does nothing to one that has ended
            popen.wait(PATIENCE_S)
            assert popen.stdout is not None, "it is a pipe"
            popen.stdout.close()

    def work(
        self, *options: str, before: Sequence[str] = (), preexec: Callable[[], None] | None = None
    ) -> Ended:
        """Let a process work to its end."""
        with self.working(*options, before=before, preexec=preexec) as process:
            return process.end()
