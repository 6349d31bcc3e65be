"""Tries mistakes within one session of pytest: each in a fork, with the tests that come to its line.

Which tests those are, and how long each takes, a first fork finds out: it runs all of them, watched line
by line.  A test that never comes to a line cannot notice what is wrong there; of the others the quickest go
first.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from shutil import rmtree
from types import FunctionType
from typing import Any, NamedTuple

import coverage
import pytest

from .kept import HUNG, NOTICED, SURVIVED, Tried
from .mistakes import Mistake, code_of

__all__ = ["source_of", "try_all"]


def file_of(module: str) -> Path:
    """Where a module is written."""
    return Path(str(importlib.import_module(module).__file__))


@cache
def source_of(module: str) -> str:
    """What it said when it was first asked for: it may be worked on while this runs."""
    return file_of(module).read_text(encoding="utf-8")


def _make(module: str, mistake: Mistake) -> None:
    """Give the function the code with the mistake."""
    held: Any = importlib.import_module(module)
    *outer, name = mistake.function.split(".")
    for one in outer:
        held = getattr(held, one)
    found: Any = vars(held)[name]
    function: Any = getattr(found, "__func__", None) or getattr(found, "fget", None) or found
    assert isinstance(function, FunctionType), f"{mistake.function} is no function"
    function.__code__ = code_of(source_of(module), str(file_of(module)), mistake)


class _Seen(NamedTuple):
    """What one test came to."""

    seconds: float
    lines: dict[str, list[int]]
    """By file."""


class _Watch:
    """A plugin that runs all tests, and notes the lines that each comes to."""

    def __init__(self, files: Sequence[str], into: Path) -> None:
        self.into = into
        self.files = files
        self.seconds: dict[str, float] = {}
        self.watching = coverage.Coverage(data_file=None, config_file=False, include=list(files))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.watching.switch_context(item.nodeid)
        began = time.monotonic()
        result = yield
        self.seconds[item.nodeid] = time.monotonic() - began
        return result

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self.watching.stop()
        data = self.watching.get_data()
        seen = {test: _Seen(seconds, {}) for test, seconds in self.seconds.items()}
        for file in self.files:
            for line, tests in data.contexts_by_lineno(file).items():
                for test in filter(None, tests):
                    seen[test].lines.setdefault(file, []).append(line)
        self.into.write_text(json.dumps(seen), encoding="utf-8")


class _Trials:
    """A plugin that tries each mistake in a fork of the session, once its tests have been collected."""

    def __init__(
        self, work: Sequence[tuple[str, Mistake]], at_once: int, tell: Callable[[Tried], None]
    ) -> None:
        self.left = list(reversed(work))
        self.at_once = at_once
        self.tell = tell
        self.forked = False
        self.sound = False
        """Whether the tests pass where there is no mistake."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """In the parent: all trials.  In a fork: nothing, so that pytest goes on and runs the tests."""
        folder = Path(tempfile.mkdtemp())
        into, said = folder / "seen.json", folder / "said"
        child = self._fork(said)
        if not child:
            watch = _Watch(sorted({str(file_of(module)) for module, _ in self.left}), into)
            session.config.pluginmanager.register(watch)
            watch.watching.start()
            return None
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != SURVIVED:
            sys.stderr.write(said.read_text(encoding="utf-8"))
            return True
        seen = {test: _Seen(*one) for test, one in json.loads(into.read_text(encoding="utf-8")).items()}
        rmtree(folder)
        self.sound = True
        running: dict[int, tuple[str, Mistake]] = {}
        while self.left or running:
            while self.left and len(running) < self.at_once:
                module, mistake = self.left.pop()
                child = self._fork(Path(os.devnull))
                if not child:
                    _make(module, mistake)
                    _choose(session, seen, str(file_of(module)), mistake)
                    session.config.pluginmanager.register(_Patience(seen))
                    return None
                running[child] = module, mistake
            child, status = os.wait()
            code = os.waitstatus_to_exitcode(status)
            self.tell(Tried(*running.pop(child), HUNG if code < 0 else code))
        return True

    def _fork(self, said: Path) -> int:
        child = os.fork()
        if not child:
            self.forked = True
            out = os.open(said, os.O_WRONLY | os.O_CREAT)
            os.dup2(out, 1)
            os.dup2(out, 2)
        return child


class _Patience:
    """A plugin that ends the process when a test computes for much longer than it did without a mistake."""

    def __init__(self, seen: dict[str, _Seen]) -> None:
        self.seen = seen

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        patience = 3 + round(10 * self.seen[item.nodeid].seconds)
        resource.setrlimit(
            resource.RLIMIT_CPU, (round(time.process_time()) + patience, resource.RLIM_INFINITY)
        )
        signal.alarm(60 * patience)  # a busy machine is no mistake that hangs


def _choose(session: pytest.Session, seen: dict[str, _Seen], file: str, mistake: Mistake) -> None:
    """Leave the tests that come to the mistake; all of them, if its line is none that Python tells of."""
    if near := [
        item
        for item in session.items
        if not set(mistake.lines).isdisjoint(seen[item.nodeid].lines.get(file, ()))
    ]:
        session.items[:] = near
    session.items.sort(key=lambda item: seen[item.nodeid].seconds)


def try_all(
    work: Sequence[tuple[str, Mistake]], tests: Sequence[str], at_once: int, tell: Callable[[Tried], None]
) -> None:
    """Try these, so many at a time; collected once, for that takes longer than most mistakes live."""
    trials = _Trials(work, at_once, tell)
    quiet = ["-q", "-q", "-s", "--no-header", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    options = [*quiet, "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-cov", "--seed", "1"]
    code = pytest.main([*options, *tests], plugins=[trials])
    if trials.forked:
        os._exit(SURVIVED if code == pytest.ExitCode.OK else NOTICED)
    if not trials.sound:
        sys.exit(f"the tests fail where there is no mistake: python -m pytest {' '.join(tests)}")
