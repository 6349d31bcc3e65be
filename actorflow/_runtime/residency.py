"""Which actors are in memory: how they come there, how they leave, and which of them cannot come.

An actor that cannot be made again from its records is set aside with a report, and the others go on; one
during whose activation the process has died twice is not tried again before somebody says so.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from actorflow._core.facts import Address, Instant, Schedule
from actorflow._core.outstanding import due_next
from actorflow._core.quiet import quiet, silence
from actorflow._core.snapshot import rest
from actorflow.errors import ActorflowError, DecodeError, FaultError, Suspect, UnknownEntity, UsageError

from .frame import Frame, Row
from .resident import VACANT_HEAD, Resident, Tail
from .rows import Head, LaterRow
from .tables import SUSPECTS, address_of, name_of, path_of

if TYPE_CHECKING:
    from actorflow._core.actor import Actor

    from .population import Population
    from .shelf import Shelf

__all__ = ["DURABLE", "SUSPECT_TIMES", "Residency", "made_again", "wants_snapshot"]

_log = logging.getLogger("actorflow.runtime")

HAND_STEPS: Final = 200
"""How many residents are looked at for idle ones with one frame, at least."""
HAND_PASSES: Final = 6
"""How often the hand may come by each of those that came with a frame: three times before one leaves."""
CROWD: Final = 100
"""So many that came although there were enough are worth a frame, with which idle ones leave."""
SUSPECT_TIMES: Final = 2


class Residency:
    """The actors in memory."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self.residents: dict[Address, Resident] = {}
        self._ring: deque[Resident] = deque()
        """The same in the order in which the hand comes by, and some that are residents no more.

        An ordered table would do for both, and takes 50 bytes more for each.
        """
        self.broken: dict[Address, BaseException] = {}
        """Actors that could not be activated, and why."""
        self._suspects: dict[bytes, int] = {}
        self._noted = b""
        """Who is being activated."""
        self.came = 0
        """How many came since the last frame although there were enough."""
        self.crowds: Callable[[], object] = int
        """Told when these are a crowd: who only asks leaves nothing to write, and so nobody would leave."""
        self.activations = 0
        self.passivations = 0

    def read(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Take over the suspects of a journal, and count whoever was being activated when it was left."""
        journal = self._population.journal
        self._suspects = {path: int.from_bytes(times, "big") for path, times in rows}
        noted = journal.noted()
        if noted:
            times = self._suspects[noted] = self._suspects.get(noted, 0) + 1
            with journal.write() as batch:
                batch.put(SUSPECTS, noted, times.to_bytes(2, "big"))
            journal.note(b"")

    # -- in ------------------------------------------------------------------------------------------------

    def activate(self, address: Address, now: Instant) -> Resident:
        """Bring an actor into memory; raises why it cannot be."""
        population = self._population
        failure = self.broken.get(address)
        if failure is not None:
            raise failure.with_traceback(None)
        path = path_of(address)
        times = self._suspects.get(path, 0)
        if times >= SUSPECT_TIMES:
            raise self.set_aside(path, Suspect(name_of(path), times))
        head = self._head(path)
        tailed = path in population.checkpoint.tails
        if head is VACANT_HEAD and not tailed and population.post.has_nothing_for(path):
            resident = self._bring(address, path, head)  # who has no past does nothing of himself
        else:
            with self.watched(path):
                resident = self._bring(address, path, head)
                try:
                    self._resume(resident, now)
                except LaterRow as error:  # of an errand, before anything has come of it
                    silence(resident.actor)
                    del self.residents[address]
                    raise self.set_aside(path, error) from None
            if quiet(resident.actor):
                rest(resident.actor)  # it may only be asked something
        if times:
            del self._suspects[path]
            population.frame.rows.append(Row(SUSPECTS, path, None))
        return resident

    def _head(self, path: bytes) -> Head:
        try:
            return self._population.shelf.head(path)
        except FaultError as error:
            raise self.set_aside(path, error) from None

    def _bring(self, address: Address, path: bytes, head: Head) -> Resident:
        population = self._population
        try:
            resident = made_again(population.shelf, address, head, population.checkpoint.tails.get(path))
        except UnknownEntity as error:
            if head is not VACANT_HEAD or path in population.checkpoint.tails:
                self._report(path, error)  # it waits until somebody registers its entity
            raise
        except UsageError:
            raise
        except FaultError as error:
            # Its own records do not make it whole: the report is kept, and the others go on.
            raise self.set_aside(path, error) from error.__cause__
        residents = self.residents
        residents[address] = resident
        self._ring.append(resident)
        self.activations += 1
        if len(residents) > population.limits.resident_actors:
            self.came += 1
            if self.came == CROWD:
                self.crowds()
        return resident

    def set_aside(self, path: bytes, error: FaultError) -> FaultError:
        """Let an actor rest that cannot be brought into memory, until somebody readmits it."""
        self._report(path, error)
        return error

    def _report(self, path: bytes, error: FaultError | UnknownEntity) -> None:
        with suppress(ValueError):  # where the path is damaged itself, nobody can ask for it
            self.broken[address_of(path)] = error
        _log.error("%s is set aside: %s", name_of(path), error)

    @contextmanager
    def watched(self, path: bytes) -> Generator[None]:
        """Have it known to whoever comes after us whom we are busy with: it may be what ends the process."""
        before, self._noted = self._noted, path
        self._population.journal.note(path)
        try:
            yield
        finally:
            self._noted = before
            self._population.journal.note(before)

    def _resume(self, resident: Resident, now: Instant) -> None:
        """Take up what an actor was about: activities, alarms, what it had asked others, letters."""
        actor = resident.actor
        found = due_next(actor)
        if found is not None:
            self._population.alarm(resident, found[0])
        before = tuple(actor.pending)
        self._population.errands.recover(resident, now)
        self._population.post.ask_again(resident, before)
        self._population.go_on(resident, now)
        self._population.post.open_letters(resident, now)
        self._population.post.carry(now)

    def found(self, path: bytes, now: Instant) -> Resident | None:
        """The actor of a path in memory; none if it cannot be brought there."""
        try:
            return self._population.resident(address_of(path), now)
        except (FaultError, UsageError, ValueError) as error:
            _log.debug("%s", error)
            return None

    def unsettled(self, address: Address) -> Frame | None:
        """A frame that has to be durable before an actor can be made anew; none if it can be now."""
        resident = self.residents.get(address)
        frames = [self._population.checkpoint.travelling.get(path_of(address))]
        if resident is not None:
            frames += [resident.tabled, resident.frame]
        return next((frame for frame in frames if frame is not None and not frame.done), None)

    def readmit(self, address: Address, now: Instant) -> Resident:
        """Try again with an actor that was set aside, nothing of it being on its way to the journal."""
        assert self.unsettled(address) is None, "whoever calls has waited"
        path = path_of(address)
        self.broken.pop(address, None)
        try:
            self._population.post.readmit(path)
        except DecodeError as error:
            raise self.set_aside(path, error) from None
        if self._suspects.pop(path, 0):
            self._population.frame.rows.append(Row(SUSPECTS, path, None))
        self._population.checkpoint.readmit(path)
        before = self.residents.get(address)
        if before is not None and before.actor.broken is not None:
            silence(before.actor)
            del self.residents[address]
            self._population.roomy.append(before)  # whoever waits for room there tries again
        resident = self._population.resident(address, now)
        resident.fault = None
        self._population.go_on(resident, now)
        self._population.post.open_letters(resident, now)
        self._population.post.carry(now)
        return resident

    # -- out -----------------------------------------------------------------------------------------------

    @property
    def crowded(self) -> bool:
        """Whether a frame is wanted for that alone."""
        return self.came >= CROWD

    def passivate(self, messages: int) -> None:
        """Let idle actors go, where there are more than may stay; so many messages were in this frame."""
        came, self.came = self.came + messages, 0
        residents, ring = self.residents, self._ring
        for _ in range(min(max(HAND_STEPS, HAND_PASSES * came), len(ring))):
            if len(residents) <= self._population.limits.resident_actors:
                self.came = 0
                return
            resident = ring.popleft()
            if residents.get(resident.address) is not resident:
                continue
            self.came += resident.used  # spared this time: a crowd of these is worth another frame
            if self._may_leave(resident):
                del residents[resident.address]
                silence(resident.actor)
                self.passivations += 1
            else:
                ring.append(resident)

    def _may_leave(self, resident: Resident) -> bool:
        if resident.used:
            resident.used = False
            return False
        if resident.room or not resident.frame.done:
            return False
        if resident.tail is not None or wants_snapshot(resident):
            # Into the tables first; once that is durable the hand comes by again.
            self._population.checkpoint.let_leave(resident.path)
            return False
        return True


def made_again(shelf: Shelf, address: Address, head: Head, tail: Tail | None) -> Resident:
    """The actor that its records make; raises a ``FaultError`` where they do not make it whole."""
    try:
        resident = shelf.activate(address, head, tail, DURABLE)
        _see_arguments(resident.actor)
    except (FaultError, UsageError):
        raise
    except Exception as error:
        # An upcast of its author's, say; it is no more the others' than a damaged record.
        what = f"it cannot be made again: {type(error).__name__}: {error}"
        raise DecodeError(name_of(path_of(address)), what) from error
    return resident


def _see_arguments(actor: Actor) -> None:
    """See that the functions can take what other code has asked of them: else every attempt would fail."""
    if actor.code == actor.spec.fingerprint:
        return
    for pending in actor.pending.values():
        if isinstance(pending.effect, Schedule):
            try:
                pending.asked.arguments.decode(pending.effect.body)
            except ActorflowError as error:
                where = f"what {actor} has asked of {pending.effect.name}"
                raise DecodeError(where, str(error)) from error


def wants_snapshot(resident: Resident) -> bool:
    """Whether there is something to replay that a snapshot would spare whoever activates it."""
    actor = resident.actor
    return bool(resident.head.tail_bytes) and resident.untaken != actor.seq and quiet(actor)


DURABLE: Final = Frame(0)
"""What an actor depends on that has just been read."""
DURABLE.done = DURABLE.ended = True
