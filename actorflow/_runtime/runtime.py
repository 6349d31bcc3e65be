"""The runtime, as an application opens it: ``async with Runtime(journal, entities=[...])``, under trio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from attrs import frozen

from actorflow._authoring.entity import spec_of
from actorflow._authoring.keys import check_key
from actorflow._authoring.terms import StartTerms
from actorflow._core.facts import Instant
from actorflow.limits import Limits

from .clock import wall
from .handle import ActorHandle, Batch
from .host import Host
from .looking import listing

if TYPE_CHECKING:
    from persistence import Journal

    from .door import Door
    from .stand_ins import Replacing
    from .views import Summary

__all__ = ["Actors", "Runtime", "Statistics"]

E = TypeVar("E")


@frozen
class Statistics:
    """What a runtime has done since it was opened, and what it holds."""

    messages: int
    commits: int
    residents: int
    activations: int
    passivations: int
    checkpoints: int
    actors_behind: int
    """How many actors have records that are in the log and not in the tables."""
    frames: int
    bytes_used: int
    bytes_quota: int
    bytes_on_disk: int
    set_aside: tuple[str, ...]
    """Actors that could not be brought into memory, with the reason."""
    activities_running: int
    activities_waiting: int
    """Those that wait for their turn."""
    threads_hanging: tuple[str, ...]
    """Activities in threads that were given up, and whose function still runs."""
    circuits_broken: tuple[str, ...]
    """Activities that wait because what they depend on is down."""
    slow_turns: tuple[str, ...]
    """Handlers that were seen to compute for more than a second, while all others waited, and how long."""


class Actors:
    """What a runtime offers, wherever its callers live."""

    _door: Door

    def actor(self, entity: type[E], key: str) -> ActorHandle[E]:
        """An actor; it begins to exist with its first signal or update."""
        self._door.spec(spec_of(entity).name)
        return ActorHandle(self._door, entity, check_key(key))

    async def start(
        self,
        initial: E,
        key: str,
        **said: Unpack[StartTerms],
    ) -> ActorHandle[E]:
        """Begin a life with this state; returns when that is durable."""
        handle = self.actor(type(initial), key)
        await handle.start(initial, **said)
        return handle

    async def list(
        self,
        entity: type[Any],
        *,
        status: str | None = None,
        where: Callable[[Summary], bool] | None = None,
        after: str = "",
        at_most: int = 1_000,
    ) -> list[Summary]:
        """Actors of an entity in the order of their keys, those that have just changed included."""
        name = spec_of(entity).name
        self._door.spec(name)
        return await self._door.call(
            lambda host: listing(host, name, status=status, where=where, after=after, at_most=at_most)
        )

    def batch(self) -> Batch:
        """Several signals to several actors: one wait, one frame, all or nothing."""
        return Batch(self._door)

    async def resolve(self, token: str, value: object) -> None:
        """Answer a callback, or an activity that was left open, by its token.

        The same answer again changes nothing; another one is ``TokenSpent``.
        """
        await self._door.call(lambda host: host.call_back(token, value))

    async def fail(self, token: str, error: BaseException) -> None:
        """Let a callback fail by its token; of an activity, the attempt that handed it out."""
        await self._door.call(lambda host: host.call_back(token, None, error))


class Runtime(Actors):
    """Actors that live in this process, and in one journal.

    ``activities`` says what is called in the place of which activity: ``{charge: fake_charge}``, for tests.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        entities: Sequence[type[Any]],
        limits: Limits | None = None,
        strict: bool = False,
        clock: Callable[[], Instant] = wall,
        activities: Replacing | None = None,
    ) -> None:
        self._host = Host(journal, entities, limits, strict=strict, clock=clock, activities=activities)
        self._door = self._host

    def __repr__(self) -> str:
        return f"<runtime of {', '.join(self._host.specs)}: {self._host.shut or 'open'}>"

    async def __aenter__(self) -> Self:
        """Open the journal: service begins at once, whatever the log left behind is taken up meanwhile."""
        await self._host.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take nothing more, make durable what was taken, and let go of the journal."""
        await self._host.close()
        if error is None and self._host.failure is not None:
            raise self._host.failure

    def statistics(self) -> Statistics:
        """What it has done since it was opened, and what it holds."""
        return statistics(self._host)


def statistics(host: Host) -> Statistics:
    host.see_open("statistics()")
    population = host.population
    residency = population.residency
    held = host.journal.statistics()
    return Statistics(
        host.messages,
        host.commits,
        len(residency.residents),
        residency.activations,
        residency.passivations,
        population.checkpoint.count,
        len(population.checkpoint.tails),
        held.frames,
        held.bytes_used,
        held.bytes_quota,
        held.bytes_on_disk,
        tuple(f"{entity} {key!r}: {error}" for (entity, key), error in list(residency.broken.items())),
        population.errands.running,
        sum(line.waits for line in population.errands.lines.values()),
        host.hanging,
        tuple(line.activity for line in population.errands.lines.values() if line.broken),
        tuple(f"{name}: {seconds:.1f} s" for name, seconds in list(host.slow_turns.items())),
    )
