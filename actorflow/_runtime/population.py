"""All actors of a journal: those in memory, those asleep, and the frame that is being gathered.

Synchronous, and knows no event loop, no thread and no clock: whoever drives it says what time it is, writes
the frames that ``cut`` gives, in order, and says which of them are durable.  So a simulation can drive it as
the runtime does.

What one actor sends another is admitted in the frame that holds its cause; nothing else ever leaves a frame
before it is durable.
"""

# Long because it is the one place where actors meet: what enters a frame, and in which order.

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from actorflow._codec.failures import pack_failure
from actorflow._core import facts, phases
from actorflow._core import step as core
from actorflow._core.facts import (
    ARM,
    ASK,
    AWAIT,
    CANCELLED,
    CLOSE_CHILD,
    CLOSED,
    ENDED,
    FAILED,
    OK,
    RESOLVE,
    SCHEDULE,
    SEND,
    SLEEP,
    START_CHILD,
    WITHDRAW,
    Address,
    Ask,
    Closed,
    Effect,
    Ended,
    Input,
    Instant,
    Ref,
    Sender,
)
from actorflow._core.outstanding import Waits, due_next
from actorflow._core.quiet import quiet, silence
from actorflow._core.spec import Spec
from actorflow.errors import (
    Deadlock,
    DecodeError,
    FaultError,
    JournalFull,
    LimitExceeded,
    Suspect,
    UsageError,
)
from actorflow.limits import Limits

from .frame import Answered, Frame, Row, Scheduled
from .frame import Ended as Over
from .resident import Resident, Tail
from .rows import Letter, pack_letter, unpack_frame, unpack_letter
from .shelf import Shelf
from .tables import (
    LETTERS,
    SUSPECTS,
    TABLES,
    WAKES,
    address_of,
    numbered,
    path_of,
)
from .wakes import Wakes

if TYPE_CHECKING:
    from persistence import Journal

__all__ = ["Population"]

_log = logging.getLogger("actorflow.runtime")

MICROSECOND: Final = timedelta(microseconds=1)
SENDS_MAX: Final = 2_000
"""What actors may send one another in one frame; what is more is written down and delivered with the next."""
SLICE_ACTORS: Final = 100
SLICE_BYTES: Final = 256 << 10
"""How much of a checkpoint travels with one frame."""
FORGET_FRAMES: Final = 256
PAGE_ROWS: Final = 1_000
CHECKPOINT_US: Final = 10_000_000
"""So long the tables may lag behind a quiet log."""
HAND_STEPS: Final = 200
"""How many residents are looked at for idle ones with one frame."""
ROOM_BYTES: Final = 1 << 20
"""Nearer to its quota, the journal takes nothing new."""
SUSPECT_TIMES: Final = 2


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
    ) -> None:
        self.journal = journal
        self.specs = specs
        self.limits = limits
        age = limits.history_age // MICROSECOND
        self.shelf = Shelf(
            journal,
            specs,
            entropy,
            history_us=age,
            history_messages=limits.history_messages,
            strict=strict,
        )
        self.residents: OrderedDict[Address, Resident] = OrderedDict()
        self.frame = Frame(1)
        self.full = False
        """The journal has come to its quota."""
        self.waits = Waits()
        self.wakes = Wakes(lambda start, stop, at_most: journal.scan(WAKES, start, stop, at_most=at_most))
        self.tails: dict[bytes, Tail] = {}
        """By path, what is in the log and not in the tables."""
        self.tabling: dict[bytes, Resident] = {}
        """Those whose rows travel with a frame that is not durable yet."""
        self._unreadable: dict[bytes, Tail] = {}
        """Records of actors of which the tables cannot even say how many there are."""
        self.broken: dict[Address, BaseException] = {}
        """Actors that could not be activated, and why."""
        self.held: dict[Address, int] = {}
        """Actors that may not leave memory, and for how many reasons."""
        self.unheard: deque[bytes] = deque()
        """Paths of actors that were found in the log and not looked at since it was opened."""
        self.roomy: list[Resident] = []
        """Those with room in their mailbox again for somebody who waits for it."""
        self._inside: deque[tuple[Address, Input]] = deque()
        self._sends = 0
        self._letters: dict[bytes, deque[Letter]] = {}
        self._letter_count = 0
        self._due_letters: deque[bytes] = deque()
        self._carrying = False
        self._joined: dict[tuple[Address, int], list[Sender]] = {}
        self._suspects: dict[bytes, int] = {}
        self._leaving: dict[bytes, None] = {}
        """Paths of idle actors that are to be put into the tables, so that they can leave memory."""
        self._todo: deque[bytes] = deque()
        self._cycle_position = 0
        self._forgetting = 0
        self._cycle_at: Instant = 0
        self._logged = 0
        """Bytes in the log since the last checkpoint began."""
        self.activations = 0
        self.passivations = 0
        self.checkpoints = 0

    # -- opening -------------------------------------------------------------------------------------------

    def open(self, now: Instant) -> None:
        """Read what is there: the log behind the tables, letters, suspects.  Wakes nobody."""
        journal = self.journal
        journal.open(TABLES)
        self._note_suspect()
        position = 0
        for position, data in journal.frames():
            self._logged += len(data)
            for path, record in unpack_frame(data, f"frame {position} of the log"):
                tail = self.tails.get(path)
                if tail is None:
                    tail = self.tails[path] = Tail(path)
                    tail.positions = []
                assert tail.positions is not None, "it was made above"
                tail.positions.append(position)
                tail.records.append(record)
        self.frame = Frame(
            position + 1
        )  # the frame that ends a checkpoint outlives it, so there is a last one
        self.unheard.extend(self.tails)
        for key, data in self._all_rows(LETTERS):
            letter = unpack_letter(data, f"letter {key!r}")
            self._letters.setdefault(path_of(letter.target), deque()).append(letter)
            self._letter_count = max(self._letter_count, letter.number)
        for path, letters in self._letters.items():
            self._letters[path] = deque(sorted(letters, key=lambda one: one.number))
            if path not in self.tails:
                self.unheard.append(path)
        self._cycle_at = now

    def _note_suspect(self) -> None:
        """Count the actor during whose activation the process died, and read who was counted before."""
        journal = self.journal
        self._suspects = {path: int.from_bytes(times, "big") for path, times in self._all_rows(SUSPECTS)}
        noted = journal.noted()
        if noted:
            times = self._suspects[noted] = self._suspects.get(noted, 0) + 1
            with journal.write() as batch:
                batch.put(SUSPECTS, noted, times.to_bytes(2, "big"))
            journal.note(b"")

    def _all_rows(self, table: str) -> list[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = []
        start = b"\0"
        while True:
            rows = self.journal.scan(table, start, None, at_most=PAGE_ROWS)
            found += rows
            if len(rows) < PAGE_ROWS:
                return found
            start = rows[-1][0] + b"\0"

    # -- residency -----------------------------------------------------------------------------------------

    def resident(self, address: Address, now: Instant) -> Resident:
        """The actor in memory, brought there if need be; raises why it cannot be."""
        resident = self.residents.get(address)
        if resident is not None:
            resident.used = True
            return resident
        return self._activate(address, now)

    def _activate(self, address: Address, now: Instant) -> Resident:
        failure = self.broken.get(address)
        if failure is not None:
            raise failure
        path = path_of(address)
        times = self._suspects.get(path, 0)
        if times >= SUSPECT_TIMES:
            raise Suspect(f"{address[0]} {address[1]!r}", times)
        self.journal.note(path)
        try:
            resident = self.shelf.activate(address, self.tails.get(path), DURABLE)
            self.residents[address] = resident
            self.activations += 1
            self._resume(resident, now)
        except FaultError as error:
            # Its own records do not make it whole: the report is kept, and the others go on.
            self.broken[address] = error
            _log.error("%s %r is set aside: %s", *address, error)
            raise
        finally:
            self.journal.note(b"")
        if times:
            del self._suspects[path]
            self.frame.rows.append(Row(SUSPECTS, path, None))
        return resident

    def _resume(self, resident: Resident, now: Instant) -> None:
        """Take up what an actor was about: letters, alarms, what it had asked others."""
        actor = resident.actor
        for ref, pending in list(actor.pending.items()):
            effect = pending.effect
            if isinstance(effect, Ask):
                if actor.holder is not None and pending.open is actor.holder:
                    self.waits.asked(resident.address, ref, (effect.entity, effect.key))
                if effect.id is not None:
                    # The answer to a message with an id may have gone to somebody else who joined it.
                    self._inside.append(((effect.entity, effect.key), _asking(resident.address, ref, effect)))
            elif effect.kind == SCHEDULE and not pending.withdrawn:
                self.frame.scheduled.append(Scheduled(resident.address, ref, effect))  # type: ignore[arg-type]
        found = due_next(actor)
        if found is not None:
            self._alarm(resident, found[0])
        self._go_on(resident, now)
        self._open_letters(resident, now)
        self._carry(now)

    def readmit(self, address: Address, now: Instant) -> Resident:
        """Try again with an actor that was set aside."""
        path = path_of(address)
        self.broken.pop(address, None)
        if self._suspects.pop(path, 0):
            self.frame.rows.append(Row(SUSPECTS, path, None))
        tail = self._unreadable.pop(path, None)
        if tail is not None:
            self.tails[path] = tail
        resident = self.residents.get(address)
        if resident is not None and resident.actor.broken is not None:
            del self.residents[address]
        resident = self.resident(address, now)
        resident.fault = None
        self._go_on(resident, now)
        self._carry(now)
        return resident

    def passivate(self) -> None:
        """Let idle actors go, where there are more than may stay."""
        residents = self.residents
        for _ in range(min(HAND_STEPS, len(residents))):
            if len(residents) <= self.limits.resident_actors:
                return
            address, resident = residents.popitem(last=False)
            if self._may_leave(resident):
                silence(resident.actor)
                self.passivations += 1
            else:
                residents[address] = resident

    def _may_leave(self, resident: Resident) -> bool:
        if resident.used:
            resident.used = False
            return False
        if resident.address in self.held or resident.room or not resident.frame.done:
            return False
        if resident.tail is not None or (resident.head.tail_bytes and quiet(resident.actor)):
            # Into the tables first; once that is durable the hand comes by again.
            self._leaving[resident.path] = None
            return False
        return True

    # -- what comes from outside ---------------------------------------------------------------------------

    def deliver(self, resident: Resident, input_: Input, now: Instant) -> core.Turn:
        """Give an actor an input, and let happen what follows from it; raises what refuses it."""
        if self.full and input_.kind in NEW_WORK:
            raise JournalFull("the journal", "it has come to its quota", "quota_bytes", 0)
        turn = core.step(resident.actor, input_, now)
        if turn.record is not None:
            self._stand(resident, turn)
            self._go_on(resident, now)
            if self._inside:
                self._carry(now)
        return turn

    def deliver_all(self, messages: Iterable[tuple[Resident, Input]], now: Instant) -> list[core.Turn]:
        """Give signals to several actors in one frame: all of them, or if one is refused none."""
        messages = list(messages)
        if self.full:
            raise JournalFull("the journal", "it has come to its quota", "quota_bytes", 0)
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
                self._stand(resident, turn)
                self._go_on(resident, now)
            turns.append(turn)
        self._carry(now)
        return turns

    def ask(self, resident: Resident, name: str, body: bytes, now: Instant) -> bytes:
        """Answer a query; true for others once ``resident.frame`` is durable."""
        return core.ask(resident.actor, name, body, now)

    # -- what happens of itself ----------------------------------------------------------------------------

    def next_due(self, now: Instant) -> Instant:
        """When ``wake`` should be called at the latest."""
        return self.wakes.next(now)

    def wake(self, now: Instant, at_most: int) -> bool:
        """Let fire what is due, at most so many actors' worth; says whether that was all."""
        for _ in range(at_most):
            path = self.wakes.take(now)
            if path is None:
                return True
            self._wake(path, now)
        return False

    def _wake(self, path: bytes, now: Instant) -> None:
        try:
            resident = self.resident(address_of(path), now)
        except (FaultError, UsageError) as error:
            _log.warning("%s", error)
            return
        resident.alarm = None
        while (found := due_next(resident.actor)) is not None and found[0] <= now:
            self.journal.note(path)
            try:
                turn = core.step(resident.actor, found[1], now)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this actor's
                self._fault(resident, error)
                break
            finally:
                self.journal.note(b"")
            if turn.record is None:
                break
            self._stand(resident, turn)
            self._go_on(resident, now)
            self._carry(now)
        if found is not None and resident.fault is None:
            self._alarm(resident, found[0])

    def hear(self, now: Instant, at_most: int) -> bool:
        """Activate actors that the log left behind, so that they go on; says whether that was all."""
        for _ in range(at_most):
            if not self.unheard:
                return True
            path = self.unheard.popleft()
            try:
                self.resident(address_of(path), now)
            except (FaultError, UsageError) as error:
                _log.warning("%s", error)
        return not self.unheard

    def post(self, now: Instant) -> None:
        """Deliver what was too much for an earlier frame."""
        for _ in range(len(self._due_letters)):
            if self._sends >= SENDS_MAX:
                return
            path = self._due_letters.popleft()
            letters = self._letters.get(path)
            if not letters:
                continue
            try:
                resident = self.resident(letters[0].target, now)  # an activation opens its letters itself
            except (FaultError, UsageError):
                continue
            if resident.fault is None and path in self._letters:
                self._open_letters(resident, now)
            self._carry(now)

    def _open_letters(self, resident: Resident, now: Instant) -> None:
        """Give an actor what is kept for it, in order, as far as this frame has room."""
        path = resident.path
        letters = self._letters.get(path)
        while letters:
            if self._sends >= SENDS_MAX:
                self._due_letters.append(path)
                return
            letter = letters[0]
            self._sends += 1
            if not self._hand_over(resident, letter.target, letter.input, now):
                return
            letters.popleft()
            self.frame.rows.append(Row(LETTERS, numbered(path, letter.number), None))
        self._letters.pop(path, None)

    # -- turns that stand ----------------------------------------------------------------------------------

    def _stand(self, resident: Resident, turn: core.Turn) -> None:
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
            tail = resident.tail = self.tails[resident.path] = Tail(resident.path)
        tail.records.append(record)
        for position, effect in enumerate(turn.effects):
            self._effect(resident, turn.seq, position, effect, frame)

    def _effect(self, resident: Resident, seq: int, position: int, effect: Effect, frame: Frame) -> None:
        kind = effect[0]
        if kind == ENDED:
            self._ended(resident.address, effect, frame)  # type: ignore[arg-type]
        elif kind in (ARM, SLEEP, AWAIT):
            due: Instant | None = effect.due  # type: ignore[union-attr]
            if due is not None:
                self._alarm(resident, due)
        elif kind == SEND:
            sender = (*resident.address, seq, position)
            _, entity, key, name, body, id_ = effect  # type: ignore[misc]
            self._inside.append(((entity, key), Input(facts.SIGNAL, name, body, id_, None, sender)))  # type: ignore[arg-type]
        elif kind == ASK:
            assert isinstance(effect, Ask), "its kind says so"
            self._alarm(resident, effect.due)
            self._inside.append(
                ((effect.entity, effect.key), _asking(resident.address, (seq, position), effect))
            )
        elif kind == SCHEDULE:
            frame.scheduled.append(Scheduled(resident.address, (seq, position), effect))  # type: ignore[arg-type]
        elif kind == START_CHILD:
            _, entity, key, body, _policy = effect  # type: ignore[misc]
            sender = (*resident.address, seq, position)
            self._inside.append(
                ((entity, key), Input(facts.START, "", body, None, None, sender, ("fail", "new")))  # type: ignore[arg-type]
            )
        elif kind == CLOSE_CHILD:
            _, entity, key, how = effect  # type: ignore[misc]
            self._inside.append(((entity, key), Input(CLOSINGS[how])))  # type: ignore[index, arg-type]
        elif kind == WITHDRAW:
            self.waits.answered(resident.address, (effect.seq, effect.position))  # type: ignore[union-attr]
        elif kind == CLOSED:
            self._closed(resident.address, effect, frame)  # type: ignore[arg-type]

    def _ended(self, address: Address, effect: Ended, frame: Frame) -> None:
        _, seq, how, body, sender = effect
        if sender is not None:
            self._answer(sender, how, body)
        for other in self._joined.pop((address, seq), ()):
            self._answer(other, how, body)
        frame.answered.append(Answered(address, seq, how, body))

    def _closed(self, address: Address, effect: Closed, frame: Frame) -> None:
        frame.closed.append(Over(address, effect.status, effect.body))
        parent = effect.parent
        if parent is None:
            return
        entity, key, seq, position = parent
        how = CLOSED_AS.get(effect.status, CANCELLED)
        body = b"" if how == CANCELLED else effect.body
        self._inside.append(((entity, key), Input(RESOLVE, how, body, None, (seq, position))))

    def _answer(self, sender: Sender, how: str, body: bytes) -> None:
        entity, key, seq, position = sender
        self.waits.answered((entity, key), (seq, position))
        name = OK if how == OK else FAILED
        self._inside.append(((entity, key), Input(RESOLVE, name, body, None, (seq, position))))

    def _alarm(self, resident: Resident, due: Instant) -> None:
        """See that the actor is looked at in time."""
        if resident.alarm is None or due < resident.alarm:
            resident.alarm = due
            self.wakes.add(due, resident.path)

    def _go_on(self, resident: Resident, now: Instant) -> None:
        """Let the actor take the turns that it has of itself."""
        if resident.fault is not None:
            return
        actor = resident.actor
        try:
            while (turn := core.advance(actor, now)) is not None:
                self._stand(resident, turn)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this actor's
            self._fault(resident, error)
        if resident.room and len(actor.mailbox) < actor.spec.limits.mailbox_messages:
            self.roomy.append(resident)

    def _fault(self, resident: Resident, error: Exception) -> None:
        resident.fault = error
        _log.error("%s does not go on: %s", resident.actor, error)

    # -- what actors send one another ----------------------------------------------------------------------

    def _carry(self, now: Instant) -> None:
        """Bring what actors sent to those it is for, in order, until nothing is under way."""
        if self._carrying:
            return  # it is being done, further up
        self._carrying = True
        inside = self._inside
        try:
            while inside:
                target, input_ = inside.popleft()
                path = path_of(target)
                self._sends += 1
                if self._sends > SENDS_MAX or path in self._letters:
                    self._write_letter(target, path, input_)
                    continue
                try:
                    resident = self.resident(target, now)
                except (FaultError, UsageError) as error:
                    if input_.kind == facts.UPDATE and isinstance(error, UsageError):
                        self._fail(input_.sender, error)
                    else:
                        self._write_letter(target, path, input_, due=False)
                    continue
                if not self._hand_over(resident, target, input_, now):
                    self._write_letter(target, path, input_, due=False)
        finally:
            self._carrying = False

    def _write_letter(self, target: Address, path: bytes, input_: Input, *, due: bool = True) -> None:
        """Keep what cannot be taken now, in the frame that holds its cause."""
        self._letter_count += 1
        letter = Letter(self._letter_count, target, input_)
        self.frame.rows.append(Row(LETTERS, numbered(path, letter.number), pack_letter(letter)))
        waiting = self._letters.get(path)
        if waiting is None:
            waiting = self._letters[path] = deque()
        waiting.append(letter)
        if due:
            self._due_letters.append(path)

    def _hand_over(self, resident: Resident, target: Address, input_: Input, now: Instant) -> bool:
        """Give an actor what another sent; says whether it has taken it, in one way or another."""
        if input_.kind == facts.UPDATE:
            sender = input_.sender
            assert sender is not None, "somebody asks"
            asker, ref = (sender[0], sender[1]), (sender[2], sender[3])
            circle = self._circle(asker, ref, target)
            if circle is not None:
                self._fail(sender, Deadlock(circle))
                return True
        try:
            turn = core.step(resident.actor, input_, now)
        except UsageError as error:
            if input_.kind in (facts.UPDATE, facts.START):
                self._fail(input_.sender, error)
            return True  # a child that is to be closed and has ended needs no telling
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this actor's
            self._fault(resident, error)
            return False
        if turn.record is not None:
            self._stand(resident, turn)
            self._go_on(resident, now)
        if input_.kind == facts.UPDATE and input_.sender is not None:
            if turn.fate == core.ANSWER:
                self._answer(input_.sender, turn.how, turn.body)
            elif turn.fate == core.JOIN:
                self._joined.setdefault((target, turn.seq), []).append(input_.sender)
        return True

    def _circle(self, asker: Address, ref: Ref, target: Address) -> tuple[str, ...] | None:
        """The circle of waits that this ask would close; otherwise it is taken note of."""
        resident = self.residents.get(asker)
        holder = None if resident is None else resident.actor.holder
        if holder is None or ref not in holder.pending:
            return None  # who asks holds no mailbox, so nobody waits behind it
        path = self.waits.path(asker, target)
        if path is not None:
            return tuple(f"{entity} {key!r}" for entity, key in path)
        self.waits.asked(asker, ref, target)
        return None

    def _fail(self, sender: Sender | None, error: BaseException) -> None:
        assert sender is not None, "somebody asks"
        self._answer(sender, FAILED, pack_failure(error))

    # -- frames --------------------------------------------------------------------------------------------

    def busy(self, now: Instant) -> bool:
        """Whether there is something to write."""
        frame = self.frame
        return bool(
            frame.parts
            or frame.rows
            or self._todo
            or self._leaving
            or self._forgetting
            or self._due_letters
            or self._checkpoint_due(now)
        )

    @property
    def tabled(self) -> bool:
        """Whether the tables hold everything, or will when the frames that were cut are durable."""
        return not (self.tails or self._todo or self._forgetting or self.frame.parts or self.frame.rows)

    def cut(self, now: Instant, *, final: bool = False) -> Frame:
        """Close the frame for the writer, with a slice of a checkpoint, and begin the next."""
        frame = self.frame
        self._checkpoint(frame, now, final=final)
        self._logged += frame.size
        self.frame = Frame(frame.position + 1)
        self._sends = 0
        if self._due_letters:
            self.post(now)
        return frame

    def committed(self, frame: Frame, forgotten: int) -> None:
        """The frame is durable."""
        frame.done = frame.ended = True
        for path in [path for path, resident in self.tabling.items() if resident.tabled.done]:
            del self.tabling[path]
        if frame.forget and forgotten < FORGET_FRAMES:
            self._forgetting = 0
        if len(self.residents) > self.limits.resident_actors:
            self.passivate()

    def room(self, bytes_left: int) -> None:
        """The journal has so much room left."""
        self.full = bytes_left < ROOM_BYTES

    # -- checkpoint ----------------------------------------------------------------------------------------

    def _checkpoint_due(self, now: Instant) -> bool:
        if self._todo or self._forgetting or not self.tails:
            return False
        return self._logged >= self.limits.log_bytes or now - self._cycle_at >= CHECKPOINT_US

    def begin_checkpoint(self, now: Instant) -> None:
        """Bring the tables up to the log, from the next frame on, a slice with each."""
        self._todo.extend(self.tails)
        self._cycle_position = self.frame.position - 1
        self._cycle_at = now
        self._logged = 0
        self.checkpoints += 1
        for path, tail in self._unreadable.items():
            # The log is cut off behind this checkpoint, so what only the log has goes into it again.
            for record in tail.records:
                self.frame.parts += (path, record)
            tail.positions = [self.frame.position] * len(tail.records)

    def _checkpoint(self, frame: Frame, now: Instant, *, final: bool) -> None:
        if self._checkpoint_due(now) or (final and self.tails and not self._todo):
            self.begin_checkpoint(now)
        frame.forget = self._forgetting
        todo: dict[bytes, bool] = {}
        while self._leaving and len(todo) < SLICE_ACTORS:
            todo[self._leaving.popitem()[0]] = True
        while self._todo and len(todo) < SLICE_ACTORS:
            path = self._todo.popleft()
            if path in self.tails:
                todo.setdefault(path, final)
        # All of them are brought into memory first: that may let turns run, also of one another, and what is
        # in this frame has to be in the rows that say that they hold this frame.
        found = {path: self.found(path, now) for path in todo}
        size = 0
        for path, whole in todo.items():
            if size > SLICE_BYTES:
                self._todo.appendleft(path)
            else:
                size += self._table(path, found[path], frame, final=whole)
        if not self._todo and self._cycle_position:
            frame.forget = self._forgetting = self._cycle_position
            self._cycle_position = 0

    def found(self, path: bytes, now: Instant) -> Resident | None:
        """The actor of a path in memory; none if it cannot be brought there."""
        try:
            return self.resident(address_of(path), now)
        except (FaultError, UsageError):
            return None

    def _table(self, path: bytes, resident: Resident | None, frame: Frame, *, final: bool) -> int:
        """Add to a frame the rows by which the tables know an actor up to this frame."""
        if resident is not None:
            rows = self.shelf.rows(resident, frame.position, final=final)
            resident.frame = resident.tabled = frame
            self.tabling[path] = resident
            if resident.head.due is not None:
                self.wakes.add(resident.head.due, path)
        else:
            tail = self.tails[path]
            try:
                rows = self.shelf.rows_unread(tail, frame.position)
            except DecodeError:
                # Nothing can be said of it, not even how much there is: its records stay in the log.
                self._unreadable[path] = self.tails.pop(path)
                return 0
        self.tails.pop(path, None)
        frame.rows += rows
        return sum(len(row.value) for row in rows if row.value is not None)


DURABLE: Final = Frame(0)
"""What an actor depends on that has just been read."""
DURABLE.done = DURABLE.ended = True


def _asking(asker: Address, ref: Ref, effect: Ask) -> Input:
    return Input(facts.UPDATE, effect.name, effect.body, effect.id, None, (*asker, *ref))


CLOSINGS: Final[dict[str, int]] = {"cancel": facts.CANCEL, "terminate": facts.TERMINATE}
CLOSED_AS: Final[dict[str, str]] = {phases.COMPLETED: OK, phases.FAILED: FAILED}
NEW_WORK: Final = frozenset({facts.SIGNAL, facts.UPDATE, facts.START})
