"""How far a command has come, on the terminal of whoever waits: a bar, or a line now and then."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Protocol

__all__ = ["progress"]

LINE_S: Final = 10.0


class Advance(Protocol):
    """Told that so many more are done."""

    def __call__(self, count: int, /) -> object: ...


@contextmanager
def progress(what: str, total: int) -> Generator[Advance]:
    """Show how many of a total are done: with rich where that is installed and somebody looks on."""
    if sys.stderr.isatty() and importlib.util.find_spec("rich") is not None:
        with _bar(what, total) as advance:
            yield advance
    else:
        yield _Lines(what, total).advance


@contextmanager
def _bar(what: str, total: int) -> Generator[Advance]:
    from rich.console import Console  # noqa: PLC0415 - an extra, and only where there is a terminal
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


class _Lines:
    """A line every ten seconds, for logs and for those who have no rich."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._next = time.monotonic() + LINE_S

    def advance(self, count: int) -> None:
        self._done += count
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_S
            print(f"{self._what}: {self._done:,} of {self._total:,}", file=sys.stderr, flush=True)
