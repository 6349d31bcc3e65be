"""Runs cases: each round in a process and a directory of its own, ours and the light in turn.  Prints nothing."""

from __future__ import annotations

import gc
import inspect
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import trio
from attrs import frozen

from ._case import Case, Found, Work

__all__ = ["Answer", "answer"]


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
        """Whether what was asked is reached; None where nothing was."""
        return None if self.case.asked is None else self.case.asked.kept(self.figure, self.share)


def answer(case: Case, *, rounds: int | None = None, tell: Callable[[int, int], None]) -> Answer:
    """Run a case; ``tell`` hears which round of how many begins."""
    times = rounds or case.rounds
    found: list[Found] = []
    lights: list[float] = []
    for number in range(times):
        tell(number + 1, times)
        found.append(_apart(case.ours))
        if case.light is not None:
            lights.append(_apart(case.light).figure)
    results = {blake2b(repr(one.result).encode(), digest_size=4).hexdigest() for one in found}
    if len(results) > 1:
        message = f"{case}: the rounds came to different results: {[one.result for one in found]}"
        raise AssertionError(message)
    middle = sorted(found, key=lambda one: one.figure)[len(found) // 2]
    also = {name: median(one.also[name] for one in found) for name in middle.also}
    return Answer(case, [one.figure for one in found], lights, also, middle.curve, results.pop())


def _apart(work: Work) -> Found:
    """A round, in a fork: it finds no memory, no cache and no thread that the round before left behind."""
    with TemporaryDirectory(prefix="bench-") as directory:
        if not hasattr(os, "fork"):
            return _here(work, Path(directory))
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if not child:
            os.close(reading)
            _tell(writing, work, Path(directory))
        os.close(writing)
        with open(reading, "rb") as pipe:
            told = pipe.read()
        _, status = os.waitpid(child, 0)
        found: Found | str = pickle.loads(told) if told else f"ended with {status}"  # noqa: S301 - our own fork's
        if isinstance(found, str):
            raise RuntimeError(found)
        return found


def _tell(writing: int, work: Work, path: Path) -> None:
    """In the fork: what was found, or how it failed; and away, for the end is the parent's."""
    told: Found | str
    try:
        told = _here(work, path)
    except BaseException:  # noqa: BLE001 - the parent raises it
        told = traceback.format_exc()
    with open(writing, "wb") as pipe:
        pipe.write(pickle.dumps(told))
    os._exit(0)


def _here(work: Work, path: Path) -> Found:
    gc.collect()
    gc.freeze()
    if inspect.iscoroutinefunction(work):
        found: Found = trio.run(work, path)
        return found
    done = work(path)
    assert isinstance(done, Found)
    return done
