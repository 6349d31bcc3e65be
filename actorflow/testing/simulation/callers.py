"""Callers: the author's functions, each driven to its next wait, and what they have in their hands.

A caller lives outside the process: when that dies it is told ``Unknown``, and may come again.  It uses the
handles of production; what it waits for is simulated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar, cast

from actorflow._authoring.identity import moment
from actorflow._core.facts import MICROSECOND, Address, Input
from actorflow._core.spec import Spec
from actorflow._runtime.runtime import Actors
from actorflow.errors import (
    ActorCompleted,
    AlreadyStarted,
    JournalFull,
    LimitExceeded,
    NotAccepted,
    NotStarted,
    OutcomeError,
    Suspect,
    Unknown,
)

from .agenda import MILLISECOND_US, SECOND_US
from .faults import Dice
from .host import Waiting

if TYPE_CHECKING:
    from actorflow._runtime.host import Host

    from .run import Simulation

__all__ = ["Caller", "Visit"]

T = TypeVar("T")

ENDS: Final = (OutcomeError, ActorCompleted, AlreadyStarted, LimitExceeded, NotAccepted, NotStarted, Suspect)
"""What a caller may be told, and need not expect: it goes away."""
AGAIN: Final = (Unknown, NotAccepted, JournalFull, Suspect)
"""What does not say how it ended, or that it would end like that again."""


class Caller(Actors):
    """Somebody who calls: the actors as a runtime gives them, and dice of its own."""

    def __init__(self, sim: Simulation, visit: Visit, dice: Dice) -> None:
        self._sim = sim
        self._visit = visit
        self._ids = 0
        self._door = SimulatedDoor(sim, visit)
        self.chance = dice
        """What is drawn from these is the same whenever this seed is run again."""

    def __repr__(self) -> str:
        return f"<caller {self._visit.name}>"

    @property
    def name(self) -> str:
        """Who it is: a name that no other call of the function has."""
        return self._visit.name

    @property
    def now(self) -> datetime:
        """What the wall clock shows."""
        return moment(self._sim.agenda.wall())

    def id(self) -> str:
        """An id that nobody else has, for ``once``."""
        self._ids += 1
        return f"{self._visit.name}.{self._ids}"

    async def sleep(self, duration: timedelta) -> None:
        """Let time pass."""
        await self._sim.pause(duration // MICROSECOND, "sleep()")

    async def insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call again and again until it is known how it ended; so it had better carry an id."""
        while True:
            try:
                return await call()
            except AGAIN:
                await self._sim.pause(self.chance.between(MILLISECOND_US, 10 * SECOND_US), "insist()")


class SimulatedDoor:
    """The way in, over a network that takes its time and loses answers."""

    def __init__(self, sim: Simulation, visit: Visit) -> None:
        self._sim = sim
        self._visit = visit

    def spec(self, name: str) -> Spec:
        return self._sim.spec(name)

    async def send(self, address: Address, input_: Input, where: str) -> tuple[str, bytes]:
        return await self._over(lambda host: host.send(address, input_, where), where)

    async def send_all(self, messages: Sequence[tuple[Address, Input]]) -> None:
        await self._over(lambda host: host.send_all(messages), "the batch")

    async def ask(self, address: Address, name: str, body: bytes) -> bytes:
        return await self._over(lambda host: host.ask(address, name, body), name)

    async def call(self, work: Callable[[Host], Awaitable[T]], where: str = "this") -> T:
        return await self._over(work, where)

    async def _over(self, work: Callable[[Host], Awaitable[T]], what: str) -> T:
        sim, dice, visit = self._sim, self._visit.dice, self._visit
        lost, gone = dice.hits(sim.faults.lost), dice.hits(sim.faults.cancel)
        there, back = (dice.between(10, 20 * MILLISECOND_US) for _ in range(2))
        patience = dice.between(MILLISECOND_US, SECOND_US)
        visit.calls += 1
        if gone:
            number = visit.calls
            sim.agenda.after(patience, lambda: visit.give_up(number))
        await sim.pause(there, what)
        host = sim.host
        if host is None:
            raise NotAccepted(what, "there is no process that listens")
        answer = await work(host)
        await sim.pause(back, what)
        if lost:
            sim.trace.note("lost", visit.name, what)
            raise Unknown(what, "the answer got lost")
        return answer


class Visit:
    """One call of an author's function, under way."""

    def __init__(
        self, sim: Simulation, name: str, dice: Dice, leaves: Callable[[], object], *, patient: bool
    ) -> None:
        self._sim = sim
        self.name = name
        self.dice = dice
        self.leaves = leaves
        """What happens when it is over."""
        self.patient = patient
        """It wants to be answered in the end, come what may."""
        self.calls = 0
        self.caller = Caller(sim, self, dice.of("the caller's"))
        self.waiting: Waiting | None = None
        self.done = False
        self._course: Coroutine[Waiting, None, None] | None = None

    def begin(self, function: Callable[[Caller], Awaitable[None]]) -> None:
        """Call the function."""
        self._course = cast("Coroutine[Waiting, None, None]", function(self.caller))
        self.go_on()

    def go_on(self, error: BaseException | None = None) -> None:
        """Let it go on to its next wait, or to its end."""
        assert self._course is not None, "it has begun"
        self.waiting = None
        try:
            self.waiting = self._course.send(None) if error is None else self._course.throw(error)
        except StopIteration:
            self._ends("ends", "")
        except ENDS as told:
            self._ends("ends", type(told).__name__)

    def give_up(self, number: int) -> None:
        """Go away, if it still waits for this call."""
        if not self.done and self.calls == number and self.waiting is not None:
            assert self._course is not None, "it waits"
            self._course.close()
            self._ends("cancel", self.waiting.what)

    def process_died(self, host: object) -> None:
        """What it waits for of this process does not come."""
        if not self.done and self.waiting is not None and self.waiting.host is host:
            self.go_on(Unknown(self.waiting.what, "the process has died"))

    def close(self) -> None:
        """Be over, whatever it waits for."""
        if self._course is not None:
            self._course.close()

    def _ends(self, how: str, what: str) -> None:
        self.done = True
        self.waiting = None
        self._sim.trace.note(how, self.name, what)
