"""Runs cases: each round in a process and a directory of its own, in turn with the light.  Prints nothing.

A round that fails, hangs, or comes to another result than the one before it is the end of its case, and of no
other.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import os
import pickle
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import trio
from attrs import frozen

from ._case import Case, Found, Work

__all__ = ["Answer", "Failed", "answer"]


@frozen
class Answer:
    """What the rounds of a case came to: medians."""

    case: Case
    figures: Sequence[float]
    lights: Sequence[float]
    also: Mapping[str, float]
    curve: Sequence[tuple[float, float]]
    """Of the round in the middle."""
    result: str
    """A hash of what came out, the same in every round."""

    @property
    def figure(self) -> float:
        """The median of ours."""
        return median(self.figures)

    @property
    def light(self) -> float | None:
        """The median of the light."""
        return median(self.lights) if self.lights else None

    @property
    def share(self) -> float | None:
        """The median of the ratios of neighbours: what the machine did meanwhile met both alike."""
        if not self.lights:
            return None
        return median(ours / least for ours, least in zip(self.figures, self.lights, strict=True))

    @property
    def kept(self) -> bool | None:
        """Whether all that was asked is reached; None where nothing was."""
        case = self.case
        said = [] if case.asked is None else [case.asked.kept(self.figure, self.share)]
        said += [asked.kept(self.also[name], None) for name, asked in case.also_asked.items()]
        return all(said) if said else None


@frozen
class Failed:
    """A case that came to nothing."""

    case: Case
    why: str
    """A traceback, or a sentence."""

    @property
    def line(self) -> str:
        """The last line of it that says something."""
        return next((line for line in reversed(self.why.splitlines()) if line.strip()), "it does not say why")


class RoundFailedError(Exception):
    """A round came to nothing; says why."""


def answer(case: Case, *, rounds: int | None = None, tell: Callable[[int, int], None]) -> Answer | Failed:
    """Run a case; ``tell`` hears which round of how many begins."""
    times = rounds or case.rounds
    found: list[Found] = []
    lights: list[float] = []
    try:
        for number in range(times):
            tell(number + 1, times)
            found.append(_apart(case.ours, case.seconds_max))
            if case.light is not None:
                lights.append(_apart(case.light, case.seconds_max).figure)
    except RoundFailedError as error:
        return Failed(case, str(error))
    results = {blake2b(repr(one.result).encode(), digest_size=4).hexdigest() for one in found}
    if len(results) > 1:
        each = ", ".join(f"{one.result!r:.100}" for one in found)
        return Failed(case, f"the rounds came to different results: {each}")
    missing = case.also_asked.keys() - found[0].also.keys()
    if missing:
        return Failed(case, f"something is asked of figures that it does not give: {', '.join(missing)}")
    middle = sorted(found, key=lambda one: one.figure)[len(found) // 2]
    also = {name: median(one.also[name] for one in found) for name in middle.also}
    return Answer(case, [one.figure for one in found], lights, also, middle.curve, results.pop())


def _apart(work: Work, seconds: int) -> Found:
    """A round, in a fork: it finds no memory, no cache and no thread that the round before left behind."""
    with TemporaryDirectory(prefix="bench-") as directory:
        if not hasattr(os, "fork"):
            return _here(work, Path(directory))
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # Under pytest there are threads, of which nothing here waits for a lock.
            warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*fork")
            gc.freeze()  # what is there already is none of the fork's garbage, and stays one copy
            child = os.fork()
        if not child:
            os.close(reading)
            _round(writing, work, Path(directory), seconds)
        gc.unfreeze()
        with contextlib.suppress(OSError):  # whichever of the two comes first
            os.setpgid(child, child)
        os.close(writing)
        try:
            found = _told(reading)
            _, status = os.waitpid(child, 0)
        except BaseException:  # Ctrl-C, mostly, which reaches this process alone
            _end(child)
            os.waitpid(child, 0)
            raise
        _end(child)
    match found:
        case Found():
            return found
        case str():
            raise RoundFailedError(found)
        case None:
            raise RoundFailedError(_ended(os.waitstatus_to_exitcode(status), seconds))


def _told(reading: int) -> Found | str | None:
    """What the fork tells; nothing if it cannot.

    Read to the end of that, and not of the pipe, which a process that it left behind may hold open.
    """
    with os.fdopen(reading, "rb") as pipe:
        if not pipe.peek(1):
            return None
        found: Found | str = pickle.load(pipe)  # noqa: S301 - our own fork's
        return found


def _end(child: int) -> None:
    """It, and the processes that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # they are gone
        os.killpg(child, signal.SIGKILL)


def _ended(code: int, seconds: int) -> str:
    if code == -signal.SIGALRM:
        return f"its process was ended, for it took longer than {seconds:,} s"
    how = signal.Signals(-code).name if code < 0 else f"code {code}"
    return f"its process ended with {how}, and told nothing"


def _round(writing: int, work: Work, path: Path, seconds: int) -> None:
    """In the fork: what was found, or how it failed; and away, for the end is the parent's."""
    told: Found | str
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.alarm(seconds)
        told = _here(work, path)
    except BaseException:  # noqa: BLE001 - the parent raises it
        told = traceback.format_exc()
    with os.fdopen(writing, "wb") as pipe:
        pickle.dump(told, pipe)
    os._exit(0)


def _here(work: Work, path: Path) -> Found:
    if inspect.iscoroutinefunction(work):
        found: Found = trio.run(work, path)
        return found
    done = work(path)
    assert isinstance(done, Found)
    return done
