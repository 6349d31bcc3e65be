"""A host without a loop, a thread or a clock: it drives a population by hand, and crashes when told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs

from actorflow import Limits, UsageError
from actorflow._authoring.entity import spec_of
from actorflow._core import facts
from actorflow._core import step as core
from actorflow._core.actor import Actor
from actorflow._core.facts import Address, Input, Instant
from actorflow._runtime.frame import Frame
from actorflow._runtime.population import Population
from actorflow._runtime.resident import Resident
from actorflow._runtime.writer import write
from persistence import FaultyJournal, Journal

from .town import TOWN

__all__ = ["BEGINNING", "SECOND_US", "Drive", "Ticket", "again", "holding", "message"]

SECOND_US = 1_000_000
BEGINNING = 1_800_000_000 * SECOND_US
"""When every history begins."""


@attrs.define(eq=False)
class Ticket:
    """What became of something that was sent."""

    address: Address
    input: Input
    seq: int = 0
    fate: str = ""
    frame: Frame | None = None
    """What has to be durable before anything may be told."""
    outcome: tuple[str, bytes] | None = None
    """How it was answered, if it was; not to be told before ``told``."""
    refused: Exception | None = None
    told: bool = False
    """Acknowledged, or answered: what its sender knows."""
    told_at: int = 0
    """How many commits there were then."""

    def by(self, commits: int) -> Ticket:
        """What its sender knew when there were so many commits."""
        return attrs.evolve(self, told=self.told and self.told_at <= commits)


def message(handler: Any, *args: Any, id_: str | None = None) -> Input:
    """The message to a handler, as a handle makes it."""
    return Input(handler.spec.kind, handler.name, handler.arguments.encode(args, {}), id_)


def holding(batches: Iterable[Any]) -> FaultyJournal:
    """A journal with a history: what the disk has after these commits."""
    journal = FaultyJournal()
    journal.history = list(batches)
    journal._hold(journal.history)
    journal._durable = journal.acknowledged = len(journal.history)
    return journal


class Drive:
    """A population, opened; everything that a host does for it, one call each."""

    def __init__(
        self,
        journal: Journal | None = None,
        *,
        entities: Sequence[type[Any]] = TOWN,
        limits: Limits | None = None,
        now: Instant = BEGINNING,
        every: int = 1,
        strict: bool = False,
        final: bool = False,
    ) -> None:
        self.journal: Any = FaultyJournal() if journal is None else journal
        self.limits = Limits() if limits is None else limits
        specs = [spec_of(one) for one in entities]
        if limits is not None:
            specs = [attrs.evolve(spec, limits=limits) for spec in specs]
        self.now = now
        self.every = every
        """A frame is cut after so many messages; 0: only when it is asked for."""
        self.final = final
        """Every frame is cut as if it were time to close: always a checkpoint, always snapshots."""
        self.sent: list[Ticket] = []
        """All that was sent, by those who died before as well."""
        self.tickets: list[Ticket] = []
        """Those whose senders wait."""
        self.begun: list[Any] = []
        self.closed: list[Any] = []
        self.population = Population(
            self.journal, {spec.name: spec for spec in specs}, self.limits, lambda n: b"n" * n, strict=strict
        )
        self.population.open()

    # -- what callers do -----------------------------------------------------------------------------------

    def send(self, entity: type[Any], key: str, handler: Any, *args: Any, id_: str | None = None) -> Ticket:
        """Send a message to an actor of this entity; a frame is cut if it is time for one."""
        return self.deliver((spec_of(entity).name, key), message(handler, *args, id_=id_))

    def deliver(self, address: Address, input_: Input) -> Ticket:
        ticket = Ticket(address, input_)
        self.sent.append(ticket)
        try:
            resident = self.population.resident(address, self.now)
            turn = self.population.deliver(resident, input_, self.now)
        except UsageError as error:
            ticket.refused = error
            return ticket
        ticket.seq, ticket.fate, ticket.frame = turn.seq, turn.fate, resident.frame
        if turn.fate == core.ACKNOWLEDGE and input_.kind != facts.UPDATE:
            ticket.outcome = facts.OK, b""
        elif turn.fate in (core.ANSWER, core.IGNORED):
            ticket.outcome = turn.how, turn.body
        self._tell(ticket)
        if self.every and self.population.frame.messages >= self.every:
            self.commit()
        return ticket

    def _tell(self, ticket: Ticket) -> None:
        assert ticket.frame is not None, "it was taken"
        if ticket.outcome is not None and ticket.frame.done:
            ticket.told, ticket.told_at = True, len(self.journal.history)
        else:
            self.tickets.append(ticket)

    def start(self, initial: Any, key: str, *options: str) -> Ticket:
        """Begin a life."""
        spec = spec_of(type(initial))
        body = spec.dump(initial)
        return self.deliver((spec.name, key), Input(facts.START, "", body, options=options or None))

    def ask(self, entity: Any, key: str, handler: Any, *args: Any) -> Any:
        resident = self.resident(entity, key)
        data = self.population.ask(resident, handler.name, handler.arguments.encode(args, {}), self.now)
        return handler.arguments.answer.decode(data)

    def resident(self, entity: Any, key: str) -> Resident:
        return self.population.resident((spec_of(entity).name, key), self.now)

    def actor(self, entity: Any, key: str) -> Actor:
        return self.resident(entity, key).actor

    def state(self, entity: Any, key: str) -> Any:
        return self.actor(entity, key).state

    # -- what the host does --------------------------------------------------------------------------------

    def cut(self) -> Frame:
        return self.population.cut(self.now, final=self.final)

    def write(self, frame: Frame) -> None:
        """Make a frame durable, and tell those who wait for it."""
        written = write(self.journal, frame)
        frame.done = frame.ended = True
        answered = {(one.address, one.seq): (one.how, one.body) for one in frame.answered}
        waiting, self.tickets = self.tickets, []
        for ticket in waiting:
            if ticket.outcome is None:
                ticket.outcome = answered.get((ticket.address, ticket.seq))
            self._tell(ticket)
        self.begun += frame.begun
        self.closed += frame.closed
        self.population.committed(frame, written.forgotten, written.room)

    def commit(self) -> Frame:
        frame = self.cut()
        self.write(frame)
        return frame

    def settle(self, at_most: int = 10_000) -> int:
        """Take up what was left behind, and commit while there is something to write; gives how often."""
        self.hear()
        for count in range(at_most):
            checkpoint = self.population.checkpoint
            checkpoint.wake(checkpoint.first)  # nobody sends anything for a while
            if not self.population.busy(self.now):
                return count
            self.commit()
        raise AssertionError("it does not come to rest")

    def later(self, seconds: float) -> None:
        """Let time pass, and fire what is due by then."""
        self.now += round(seconds * SECOND_US)
        self.wake()

    def wake(self, at_most: int = 50) -> int:
        """Fire what is due, in slices; gives how many it took."""
        slices = 1
        while not self.population.wake(self.now, at_most):
            slices += 1
            if self.every:
                self.commit()
            assert slices < 10_000, "there is an end to what is due"
        return slices

    def hear(self) -> None:
        while not self.population.hear(self.now, 50):
            pass

    def close(self) -> None:
        """Have the tables hold everything, and leave."""
        self.final = True
        self.population.begin_closing()
        for _ in range(10_000):
            if self.population.complete:
                break
            self.commit()
        else:
            raise AssertionError("closing does not come to an end")
        self.journal.close()

    def crash(self, commits: int | None = None, **more: Any) -> Drive:
        """The process dies; the next one finds so many commits, or all that there were."""
        history = self.journal.history[:commits]
        given: dict[str, Any] = {
            "limits": self.limits,
            "now": self.now,
            "every": self.every,
            "final": self.final,
        }
        after = type(self)(holding(history), **(given | more))
        after.sent = [ticket.by(len(history)) for ticket in self.sent]
        return after

    def reopen(self, **more: Any) -> Drive:
        """Close, and open again."""
        self.close()
        return self.crash(**({"final": False} | more))


def again(times: int, step: Callable[[], object]) -> None:
    """Do something so often."""
    for _ in range(times):
        step()
