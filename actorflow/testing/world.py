"""``World``: many actors, their callers and everything that can go wrong, all of it drawn from one number.

The core, the codec, the committing, the recovery and the telling of callers are those of production.  Disk,
clock, network, activities and the death of the process are simulated: no thread, no loop, no file.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import frozen

from actorflow.errors import UsageError
from actorflow.limits import Limits

from .simulation.callers import Caller
from .simulation.faults import Faults
from .simulation.run import Plan, Play, Simulation
from .simulation.strangers import strangers
from .simulation.town import Town

if TYPE_CHECKING:
    from actorflow._authoring.activities import Activity

__all__ = ["World", "WorldFailed", "WorldReport"]

F = TypeVar("F", bound=Callable[[Caller], Awaitable[None]])
C = TypeVar("C", bound=Callable[[Town], object])


class WorldFailed(AssertionError):
    """Something did not hold in a world; its text says what, when, and how to see it again."""

    def __init__(self, seed: int, step: int, what: str, trace: Sequence[str], repeat: str) -> None:
        super().__init__(what)
        self.seed = seed
        self.step = step
        self.what = what
        self.trace = tuple(trace)
        self.repeat = repeat

    def __str__(self) -> str:
        lines = "\n".join(f"    {line}" for line in self.trace)
        return (
            f"seed {self.seed}, step {self.step}: {self.what}\n"
            f"  what happened last:\n{lines}\n  hint: see it again with {self.repeat}"
        )


@frozen
class WorldReport:
    """What has happened in a world in which everything held."""

    seed: int
    steps: int
    digest: str
    """Of all that has happened: the same whenever the same world is run."""
    counts: Mapping[str, int]
    """How often what happened."""

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.counts.items()))
        return f"seed {self.seed}, {self.steps:,} steps: {counts}"


class World:
    """Actors, those who call them, and what must hold; run once."""

    def __init__(
        self,
        seed: int,
        *,
        entities: Sequence[type[Any]],
        activities: Mapping[Activity[..., Any], Callable[..., Any]] | None = None,
        faults: Faults | None = None,
        limits: Limits | None = None,
        strict: bool = True,
    ) -> None:
        self._plan = Plan(
            seed,
            entities,
            activities or {},
            Faults() if faults is None else faults,
            limits,
            strict,
            [],
            [],
            [],
        )
        self._ran = False

    @property
    def seed(self) -> int:
        """From which everything is drawn."""
        return self._plan.seed

    def caller(self, function: F, *, count: int = 1) -> F:
        """Have this called by so many at a time, each again when it has returned."""
        self._plan.plays.append(Play(function, count))
        return function

    def strangers(self, *, count: int = 4) -> None:
        """Have so many call who send whatever type hints allow; a world without callers has these."""
        self._plan.plays.append(Play(strangers(self._plan.entities), count, patient=False))

    def always(self, check: C) -> C:
        """Have this see, after every commit, that something holds: it raises ``AssertionError`` if not."""
        self._plan.always.append(check)
        return check

    def at_last(self, check: C) -> C:
        """The same, when everything has come to rest: nothing goes wrong, and nobody waits any more."""
        self._plan.at_last.append(check)
        return check

    def run(self, steps: int = 500, *, without: Iterable[str] = ()) -> WorldReport:
        """Let so much happen, then let everything come to rest; ``without`` leaves faults out, by name."""
        if self._ran:
            raise UsageError("a world is run once\n  hint: make another one, with the same seed if need be")
        self._ran = True
        if not self._plan.plays:
            self.strangers()
        without = tuple(without)
        simulation = Simulation(self._plan, without)
        trace = simulation.trace
        try:
            with _hushed():
                simulation.run(steps)
        except Exception as error:
            more = f", without={without!r}" if without else ""
            repeat = f"World({self.seed}, ...).run({steps}{more})"
            said = str(error) or "what had to hold did not"
            what = said if isinstance(error, AssertionError) else f"{type(error).__name__}: {said}"
            raise WorldFailed(self.seed, trace.step, what, trace.lines(), repeat) from error
        finally:
            simulation.close()
        return WorldReport(self.seed, trace.step, trace.digest, dict(trace.counts))


@contextmanager
def _hushed() -> Generator[None]:
    """What goes wrong on purpose is told by the trace, and need not be logged."""
    logs = [logging.getLogger(f"actorflow.{name}") for name in ("runtime", "activity")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
