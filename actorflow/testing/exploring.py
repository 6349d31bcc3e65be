"""Many worlds, one for each seed; and of one that fails, a smaller one that fails as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from time import process_time
from typing import Final

from attrs import define, field

from .simulation.faults import Faults
from .world import World, WorldFailed

__all__ = ["Explored", "explore"]

TRIES: Final = 60
"""So many runs to make a failure smaller, at most."""


@define
class Explored:
    """What has happened in many worlds in which everything held."""

    name: str
    worlds: int = 0
    steps: int = 0
    seconds: float = 0.0
    """Of one core, that it took."""
    counts: Counter[str] = field(factory=Counter[str])

    def __str__(self) -> str:
        faults = sum(self.counts[kind] for kind in Faults.kinds())
        return (
            f"{self.name}: {self.worlds:,} worlds, {self.steps:,} steps, {self.counts['commits']:,} commits, "
            f"{faults:,} faults, {self.seconds:.1f} s"
        )


def explore(make: Callable[[int], World], *, seeds: Iterable[int] = range(100), steps: int = 500) -> Explored:
    """Run the world of each seed; raises the ``WorldFailed`` of the first that fails, made small."""
    explored = Explored(getattr(make, "__name__", "World"))
    began = process_time()
    for seed in seeds:
        try:
            report = make(seed).run(steps)
        except WorldFailed as failed:
            raise _smaller(make, failed, steps, explored.name) from failed.__cause__
        explored.worlds += 1
        explored.steps += report.steps
        explored.counts.update(report.counts)
    explored.seconds = process_time() - began
    return explored


def _smaller(make: Callable[[int], World], failed: WorldFailed, steps: int, name: str) -> WorldFailed:
    """The same failure, or another of the same seed, in a shorter run with fewer kinds of faults."""
    seed, tries = failed.seed, TRIES
    without: tuple[str, ...] = ()

    def still(count: int, left_out: tuple[str, ...]) -> WorldFailed | None:
        nonlocal tries
        tries -= 1
        if tries < 0:
            return None
        try:
            make(seed).run(count, without=left_out)
        except WorldFailed as again:
            return again
        return None

    for kind in Faults.kinds():
        again = still(steps, (*without, kind))
        if again is not None:
            failed, without = again, (*without, kind)
    steps = min(steps, failed.step)
    while steps > 1 and (again := still(steps // 2, without)) is not None:
        failed, steps = again, steps // 2
    for less in (steps // 4, steps // 8, steps // 16):
        if less and (again := still(steps - less, without)) is not None:
            failed, steps = again, steps - less
    more = f", without={without!r}" if without else ""
    failed.repeat = f"{name}({seed}).run({steps}{more})"
    return failed
