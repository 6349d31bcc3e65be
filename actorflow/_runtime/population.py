"""All actors of a journal: those in memory, those asleep, and the frame that is being gathered.

Synchronous, and knows no event loop, no thread and no clock: whoever drives it says what time it is, writes
the frames that ``cut`` gives, in order, and says which of them are durable.  So a simulation can drive it as
the runtime does.

What one actor sends another is admitted in the frame that holds its cause; nothing else ever leaves a frame
before it is durable.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, assert_never

from actorflow._core import facts
from actorflow._core import step as core
from actorflow._core.facts import (
    MICROSECOND,
    Address,
    Arm,
    Ask,
    Await,
    CloseChild,
    Closed,
    Disarm,
    Effect,
    Ended,
    Input,
    Instant,
    Ref,
    Schedule,
    Send,
    Sleep,
    StartChild,
    Withdraw,
)
from actorflow._core.outstanding import due_next
from actorflow._core.spec import Spec
from actorflow.errors import FaultError, JournalFull, LimitExceeded, UsageError
from actorflow.limits import Limits

from .checkpoint import QUIET_US, Checkpoint
from .errands import Errands, chance
from .frame import Answered, Frame
from .frame import Ended as Over
from .log import read_log
from .post import Post
from .reading import Reading
from .residency import Residency, wants_snapshot
from .resident import Resident, Tail
from .shelf import Shelf
from .tables import LETTERS, SUSPECTS, TABLES, WAKES, address_of
from .troubles import Troubles
from .wakes import NEAR_US, Wakes

if TYPE_CHECKING:
    from persistence import Journal

__all__ = ["Population"]

_log = logging.getLogger("actorflow.runtime")

PAGE_ROWS: Final = 1_000
ROOM_BYTES: Final = 1 << 20
"""Nearer to its quota, the journal takes nothing new."""


class Population:
    """Every actor that the journal knows, and the order in which things happen to them."""

    def __init__(
        self,
        journal: Journal,
        specs: Mapping[str, Spec],
        limits: Limits,
        entropy: Callable[[int], bytes],
        *,
        strict: bool = False,
        near_us: int = NEAR_US,
        quiet_us: int = QUIET_US,
    ) -> None:
        self.journal = journal
        self.reading = Reading(journal)
        self.specs = specs
        self.limits = limits
        age = limits.history_age // MICROSECOND
        self.shelf = Shelf(
            self.reading,
            specs,
            entropy,
            history_us=age,
            history_messages=limits.history_messages,
            strict=strict,
        )
        self.frame = Frame(1)
        self.closing = False
        """It is left as soon as the tables hold everything; what can wait for another opening waits."""
        self.full = False
        """The journal has come to its quota."""
        self.wakes = Wakes(
            lambda start, stop, at_most: self.reading.scan(WAKES, start, stop, at_most=at_most), near_us
        )
        self.checkpoint = Checkpoint(self, limits.log_bytes, quiet_us)
        self.post = Post(self)
        self.errands = Errands(self, limits.running_activities, lambda: chance(entropy))
        self.residency = Residency(self)
        self.troubles = Troubles()
        self.residents = self.residency.residents
        self.roomy: list[Resident] = []
        """Those with room in their mailbox again for somebody who waits for it."""
        self._unheard: deque[bytes] = deque()
        """Actors that the log or a letter speaks of, and that were not looked at since it was opened."""

    # -- opening -------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Read what is there: the log behind the tables, letters, suspects.  Wakes nobody."""
        self.journal.open(TABLES)
        try:
            self._read()
        except BaseException:
            self.journal.close()  # or it would stay locked
            raise

    def _read(self) -> None:
        journal = self.journal
        self.residency.read(self.all_rows(SUSPECTS))
        position = read_log(journal.frames(), self.checkpoint.found_in_log)
        # The frame with which a checkpoint ends outlives it, so where there ever was one there is a last.
        self.frame = Frame(position + 1)
        addressees = self.post.read(self.all_rows(LETTERS))
        self._unheard.extend(dict.fromkeys([*self.checkpoint.tails, *addressees]))

    def all_rows(self, table: str) -> list[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = []
        start = b"\0"
        while True:
            rows = self.journal.scan(table, start, None, at_most=PAGE_ROWS)
            found += rows
            if len(rows) < PAGE_ROWS:
                return found
            start = rows[-1][0] + b"\0"

    def resident(self, address: Address, now: Instant) -> Resident:
        """The actor in memory, brought there if need be; raises why it cannot be."""
        resident = self.residents.get(address)
        if resident is not None:
            resident.used = True
            return resident
        return self.residency.activate(address, now)

    # -- what comes from outside ---------------------------------------------------------------------------

    def deliver(self, resident: Resident, input_: Input, now: Instant) -> core.Turn:
        """Give an actor an input, and let happen what follows from it; raises what refuses it."""
        if self.full and input_.kind in NEW_WORK:
            self._see_room()
        turn = self.give(resident, input_, now)
        post = self.post
        if post.under_way or post.again:
            post.carry(now)
        return turn

    def give(self, resident: Resident, input_: Input, now: Instant) -> core.Turn:
        """Give an actor an input, and let it go on; what it sends others is not carried yet."""
        turn = core.step(resident.actor, input_, now)
        if turn.record is not None:
            self._stand(resident, turn, now)
            self.go_on(resident, now)
        return turn

    def deliver_all(self, messages: Iterable[tuple[Resident, Input]], now: Instant) -> list[core.Turn]:
        """Give signals to several actors in one frame: all of them, or if one is refused none."""
        messages = list(messages)
        self._see_room()
        coming: dict[Address, int] = {}
        for resident, input_ in messages:
            actor = resident.actor
            core.examine(actor, input_, now)
            count = coming[resident.address] = coming.get(resident.address, 0) + 1
            limit = actor.spec.limits.mailbox_messages
            if (actor.holder is not None or actor.mailbox) and len(actor.mailbox) + count > limit:
                raise LimitExceeded(str(actor), "its mailbox is full", "mailbox_messages", limit)
        turns: list[core.Turn] = []
        for resident, input_ in messages:
            turn = core.accept(resident.actor, input_, now)
            if turn.record is not None:
                self._stand(resident, turn, now)
                self.go_on(resident, now)
            turns.append(turn)
        self.post.carry(now)
        return turns

    def _see_room(self) -> None:
        if self.full:
            self.full = self.journal.room() < ROOM_BYTES
        if self.full:
            quota = self.journal.statistics().bytes_quota
            raise JournalFull("the journal", "it has come to its quota", "quota_bytes", quota)

    def ask(self, resident: Resident, name: str, body: bytes, now: Instant) -> bytes:
        """Answer a query; true for others once ``resident.frame`` is durable."""
        return core.ask(resident.actor, name, body, now)

    # -- what happens of itself ----------------------------------------------------------------------------

    def next_due(self, now: Instant) -> Instant:
        """When ``wake`` should be called at the latest."""
        return min(self.wakes.next(now), self.first_due)

    @property
    def first_due(self) -> Instant:
        """The same, as far as it is known in memory."""
        return min(self.wakes.first, self.errands.first, self.troubles.first, self.checkpoint.first)

    def set_back(self, by: Instant) -> None:
        """The clock was set back by so much: durations, unlike timers, which are dates, last no longer."""
        self.errands.set_back(by)
        self.checkpoint.set_back(by)
        self.troubles.set_back(by)

    def wake(self, now: Instant, at_most: int) -> bool:
        """Let fire what is due, at most so many times; says whether that was all."""
        self.checkpoint.wake(now)
        if not self.errands.wake(now, at_most):
            return False
        for resident, report in self.troubles.look(now):
            if resident.actor.strict:
                self.fault(resident, report)
        while at_most > 0:
            path = self.wakes.take(now)
            if path is None:
                return True
            at_most -= 1 + self._wake(path, now, at_most)
        return False

    def _wake(self, path: bytes, now: Instant, at_most: int) -> int:
        try:
            resident = self.resident(address_of(path), now)
        except (FaultError, UsageError, ValueError) as error:
            _log.warning("%s", error)
            return 0
        found = due_next(resident.actor)
        if resident.alarm is not None and resident.alarm > now and (not found or found[0] >= resident.alarm):
            return 0  # somebody will look again in time: one more entry for that would never go away
        resident.alarm = None
        fired = 0
        # Bounded, for what fires may well arm what is due at once.
        while found is not None and found[0] <= now and fired < at_most:
            fired += 1
            with self.residency.watched(path):
                try:
                    turn = self.give(resident, found[1], now)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is this actor's
                    self.fault(resident, error)
                    break
            if turn.record is None:
                break
            if found[1].kind == facts.RESOLVE and found[1].ref is not None:
                self.post.resolved(resident.address, found[1].ref)
            self.post.carry(now)
            found = due_next(resident.actor)
        if found is not None and resident.fault is None:
            self.alarm(resident, found[0])
        return fired

    def hear(self, now: Instant, at_most: int) -> bool:
        """Activate actors that the log left behind, so that they go on; says whether that was all."""
        for _ in range(at_most):
            if not self._unheard:
                return True
            path = self._unheard.popleft()
            try:
                self.resident(address_of(path), now)
            except (FaultError, UsageError, ValueError) as error:
                _log.warning("%s", error)
        return not self._unheard

    # -- turns that stand ----------------------------------------------------------------------------------

    def _stand(self, resident: Resident, turn: core.Turn, now: Instant) -> None:
        """Put a turn's record into the frame, and its effects where they go.  THE hot path."""
        frame = self.frame
        record = turn.record
        assert record is not None, "a turn without a record has nothing to stand for"
        frame.parts += (resident.path, record)
        frame.size += len(record)
        frame.messages += 1
        resident.frame = frame
        tail = resident.tail
        if tail is None:
            tail = resident.tail = self.checkpoint.tails[resident.path] = Tail(resident.path)
        tail.records.append(record)
        for position, effect in enumerate(turn.effects):
            # Most are timers, armed again and again and due long after whatever is in memory.
            if not isinstance(effect, Arm) or effect.due < self.wakes.far:
                self._effect(resident, (turn.seq, position), effect, now)

    def _effect(self, resident: Resident, ref: Ref, effect: Effect, now: Instant) -> None:
        address, frame = resident.address, self.frame
        match effect:
            case Ended():
                frame.answered.append(Answered(address, effect.seq, effect.outcome, effect.body))
                self.post.ended(address, effect)
            case Arm(due=due) | Sleep(due=due):
                self.alarm(resident, due)
            case Await(due=due):
                if due is not None:
                    self.alarm(resident, due)
            case Schedule():
                self.errands.take(resident, ref, now)
            case Ask(due=due):
                self.alarm(resident, due)
                self.post.take(address, ref, effect)
            case Send() | StartChild() | CloseChild():
                self.post.take(address, ref, effect)
            case Withdraw():
                self.post.resolved(address, (effect.seq, effect.position))
                self.errands.withdraw(address, (effect.seq, effect.position))
            case Closed():
                frame.closed.append(Over(address, effect.status, effect.body))
                self.post.over(address)
                if effect.parent is not None:
                    self.post.take(address, ref, effect)
            case Disarm():
                pass  # who is looked at too early finds nothing due
            case _:
                assert_never(effect)

    def alarm(self, resident: Resident, due: Instant) -> None:
        """See that the actor is looked at in time."""
        if (resident.alarm is None or due < resident.alarm) and self.wakes.add(due, resident.path):
            resident.alarm = due

    def go_on(self, resident: Resident, now: Instant) -> None:
        """Let the actor take the turns that it has of itself, and look after what still waits then."""
        actor = resident.actor
        if resident.fault is None:
            try:
                while (turn := core.advance(actor, now)) is not None:
                    self._stand(resident, turn, now)
                    if actor.new_run:
                        self.checkpoint.continued(resident.path)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this actor's
                self.fault(resident, error)
            if resident.room and len(actor.mailbox) < actor.spec.limits.mailbox_messages:
                self.roomy.append(resident)
        if actor.mailbox:
            self.troubles.waits(resident, now)

    def fault(self, resident: Resident, error: Exception) -> None:
        resident.fault = error
        _log.error("%s does not go on: %s", resident.actor, error)

    # -- closing -------------------------------------------------------------------------------------------

    def begin_closing(self) -> None:
        """From here on have the tables hold everything, with a snapshot of whoever is quiet."""
        self.closing = True
        self.errands.stopping = True
        for resident in self.residents.values():
            if resident.tail is None and wants_snapshot(resident):
                self.checkpoint.let_leave(resident.path)

    # -- frames --------------------------------------------------------------------------------------------

    def busy(self, now: Instant) -> bool:
        """Whether there is something to write."""
        frame = self.frame
        gathered = frame.parts or frame.rows or self.post.waiting
        return bool(gathered or self.checkpoint.due(now) or self.residency.crowded)

    @property
    def complete(self) -> bool:
        """Whether the tables hold everything, or will when the frames that were cut are durable."""
        return self.checkpoint.complete and not (self.frame.parts or self.frame.rows)

    def cut(self, now: Instant, *, final: bool = False) -> Frame:
        """Close the frame for the writer, with a slice of a checkpoint, and begin the next."""
        frame = self.frame
        self.checkpoint.slice(frame, now, final=final)
        self.frame = Frame(frame.position + 1)
        self.post.next_frame(now)
        return frame

    def committed(self, frame: Frame, forgotten: int, room: int) -> None:
        """The frame is durable; so many of the log are gone, and the journal has so much room left."""
        frame.done = frame.ended = True
        frame.empty()
        self.full = room < ROOM_BYTES
        self.checkpoint.committed(frame, forgotten)
        if len(self.residents) > self.limits.resident_actors and not self.closing:
            self.residency.passivate(frame.messages)


NEW_WORK: Final = frozenset({facts.SIGNAL, facts.UPDATE, facts.START})
