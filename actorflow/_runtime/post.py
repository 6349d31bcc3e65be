"""What actors send one another: admitted in the frame that holds its cause, or kept there as a letter.

A letter is what its target cannot take yet: there is too much for one frame, the actor could not be made
whole, or nobody has registered its entity.  Letters are delivered in order, and whatever is sent to a target
for which there are letters becomes one, too: so what one actor sends another arrives as it was sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from actorflow._codec.failures import pack_failure
from actorflow._core import facts, phases
from actorflow._core import step as core
from actorflow._core.facts import (
    CANCELLED,
    FAILED,
    OK,
    RESOLVE,
    Address,
    Ask,
    CloseChild,
    Closed,
    Effect,
    Ended,
    Input,
    Instant,
    Ref,
    Send,
    Sender,
    StartChild,
)
from actorflow._core.outstanding import Waits
from actorflow.errors import Deadlock, DecodeError, FaultError, UsageError

from .frame import Row
from .resident import Resident
from .rows import Letter, pack_letter, unpack_letter
from .tables import LETTERS, NUMBER_BYTES, address_of, behind, name_of, numbered, path_of

if TYPE_CHECKING:
    from .population import Population

__all__ = ["Post"]

SENDS_MAX: Final = 2_000
"""What actors may send one another in one frame; what is more is a letter, and travels with the next."""
CLOSINGS: Final[dict[str, int]] = {"cancel": facts.CANCEL, "terminate": facts.TERMINATE}
CLOSED_AS: Final[dict[str, str]] = {
    phases.COMPLETED: OK,
    phases.FAILED: FAILED,
    phases.TIMED_OUT: facts.TIMED_OUT,
}


class Post:
    """Carries what actors send one another."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self.under_way: deque[tuple[Address, Input]] = deque()
        self._carrying = False
        self._opening = False
        self._sends = 0
        """How many were carried in the frame that is being gathered."""
        self._letters: dict[bytes, deque[Letter]] = {}
        """By the path of who is to have them."""
        self._number = 0
        """Of the last letter."""
        self._due: deque[bytes] = deque()
        """Paths whose letters are to be delivered with the next frame."""
        self._joined: dict[tuple[Address, int], list[Sender]] = {}
        """Who else waits for the answer to an update, having sent the same once-id."""
        self._asked: dict[Address, dict[Ref, None]] = {}
        """What actors await of others, and have asked since the journal was opened."""
        self.again: deque[tuple[Address, Ref]] = deque()
        """Questions of before that, to be repeated."""
        self._damaged: set[bytes] = set()
        """Paths with letters that could not be read."""
        self.waits = Waits()

    @property
    def waiting(self) -> bool:
        """Whether there are letters, or questions, for the next frame."""
        return bool(self._due or self.again)

    def has_nothing_for(self, path: bytes) -> bool:
        """Whether no letter waits for an actor."""
        return path not in self._letters

    def read(self, rows: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """Take over the letters of a journal; gives the paths of those that they are for."""
        for key, data in rows:
            path, number = key[:-NUMBER_BYTES], int.from_bytes(key[-NUMBER_BYTES:], "big")
            self._number = max(self._number, number)
            try:
                letter = _letter(path, number, data)
            except DecodeError as error:
                # What came after it is not to overtake it, so its addressee waits.
                self._damaged.add(path)
                self._population.residency.set_aside(path, error)
            else:
                self._letters.setdefault(path, deque()).append(letter)
        return list(self._letters)

    def readmit(self, path: bytes) -> None:
        """Somebody has mended what could not be read, or taken it away."""
        if path not in self._damaged:
            return
        rows = self._population.reading.scan(LETTERS, path, behind(path), at_most=1 << 30)
        numbers = [(int.from_bytes(key[-NUMBER_BYTES:], "big"), data) for key, data in rows]
        found = {number: _letter(path, number, data) for number, data in numbers}
        found |= {letter.number: letter for letter in self._letters.get(path, ())}
        if found:
            self._letters[path] = deque(found[number] for number in sorted(found))
        self._damaged.discard(path)

    # -- what a turn asks for ------------------------------------------------------------------------------

    def take(self, address: Address, ref: Ref, effect: Effect) -> None:
        """Take an effect that is meant for another actor."""
        match effect:
            case Send(entity=entity, key=key, name=name, body=body, id=id_):
                input_ = Input(facts.SIGNAL, name, body, id_, None, (*address, *ref))
            case Ask(entity=entity, key=key):
                input_ = _question(address, ref, effect)
                self._asked.setdefault(address, {})[ref] = None
            case StartChild(entity=entity, key=key, body=body, terms=terms):
                terms = terms or facts.CHILD_TERMS
                input_ = Input(facts.START, "", body, None, None, (*address, *ref), terms)
            case CloseChild(entity=entity, key=key, how=how):
                input_ = Input(CLOSINGS[how])
            case Closed(parent=(entity, key, *asked)):
                how = CLOSED_AS.get(effect.status, CANCELLED)
                body = b"" if how == CANCELLED else effect.body
                input_ = Input(RESOLVE, how, body, None, (asked[0], asked[1]))
            case _:
                raise AssertionError(f"{effect} is nobody's")
        self.under_way.append(((entity, key), input_))

    def has_answer(self, path: bytes, ref: Ref) -> bool:
        """Whether the resolution of something that an actor asked for is a letter."""
        return any(
            letter.input.kind == RESOLVE and letter.input.ref == ref for letter in self._letters.get(path, ())
        )

    def bring(self, address: Address, input_: Input) -> None:
        """Have an actor brought the resolution of something it had asked for."""
        self.under_way.append((address, input_))

    def ask_again(self, resident: Resident, refs: Iterable[Ref]) -> None:
        """Take up what an actor had asked when the journal was left, as these refs."""
        actor, asked = resident.actor, self._asked.get(resident.address, {})
        for ref in refs:
            pending = actor.pending.get(ref)
            effect = None if pending is None else pending.effect
            if pending is None or not isinstance(effect, Ask) or ref in asked:
                continue
            if not self._is_written(resident, ref, effect):
                self._asked.setdefault(resident.address, {})[ref] = None
                if pending.open is actor.holder:
                    self.waits.asked(resident.address, ref, (effect.entity, effect.key))
                if effect.id is not None:
                    # The first message with this id may have been another's, whose answer tells us nothing.
                    self.again.append((resident.address, ref))

    def _is_written(self, resident: Resident, ref: Ref, effect: Ask) -> bool:
        """Whether a question, or its answer, is still a letter: it has not been asked, or need not be."""
        sender = (*resident.address, *ref)
        questions = self._letters.get(path_of((effect.entity, effect.key)), ())
        asked = any(letter.input.sender == sender for letter in questions)
        return asked or self.has_answer(resident.path, ref)

    def _repeat(self, asker: Address, ref: Ref, now: Instant) -> None:
        """Ask again, unless it has been answered since; this becomes no letter, for it was sent before."""
        try:
            pending = self._population.resident(asker, now).actor.pending.get(ref)
            if pending is not None and isinstance(effect := pending.effect, Ask):
                target = self._population.resident((effect.entity, effect.key), now)
                # Where it has been admitted, it will be answered: to fail it now would be to answer twice.
                known = effect.id is not None and target.actor.ids.find(effect.id, now) is not None
                self._hand_over(target, _question(asker, ref, effect), now, admitted=known)
        except (FaultError, UsageError):
            pass  # whoever cannot be asked now is not asked again: the wait has its time-out

    def resolved(self, address: Address, ref: Ref) -> None:
        """What an actor asked as this ref it awaits no more."""
        self.waits.answered(address, ref)
        asked = self._asked.get(address)
        if asked is not None:
            asked.pop(ref, None)
            if not asked:
                del self._asked[address]

    def over(self, address: Address) -> None:
        """A life has ended, and awaits nothing."""
        for ref in self._asked.pop(address, ()):
            self.waits.answered(address, ref)

    def ended(self, address: Address, effect: Ended) -> None:
        """Bring an update's answer to the actors that await it."""
        if effect.sender is not None:
            self._answer(effect.sender, effect.outcome, effect.body)
        for sender in self._joined.pop((address, effect.seq), ()):
            self._answer(sender, effect.outcome, effect.body)

    def _answer(self, sender: Sender, how: str, body: bytes) -> None:
        entity, key, seq, position = sender
        self.waits.answered((entity, key), (seq, position))
        name = OK if how == OK else FAILED
        self.under_way.append(((entity, key), Input(RESOLVE, name, body, None, (seq, position))))

    def _fail(self, sender: Sender | None, error: BaseException) -> None:
        assert sender is not None, "somebody asks"
        self._answer(sender, FAILED, pack_failure(error))

    # -- carrying ------------------------------------------------------------------------------------------

    def carry(self, now: Instant) -> None:
        """Bring everything where it goes, and what follows from that, until nothing is under way."""
        under_way, again = self.under_way, self.again
        if not (under_way or again) or self._carrying:
            return  # in the second case it is being done, further up
        self._carrying = True
        try:
            while under_way or (again and self._sends < SENDS_MAX):
                if not under_way:
                    self._sends += 1
                    self._repeat(*again.popleft(), now)  # answers that were under way have come by now
                    continue
                target, input_ = under_way.popleft()
                path = path_of(target)
                self._sends += 1
                if self._sends > SENDS_MAX or path in self._letters:
                    self._write(target, path, input_, due=True)
                    continue
                try:
                    resident = self._population.resident(target, now)
                except (FaultError, UsageError):
                    self._write(target, path, input_, due=False)
                    continue
                if not self._hand_over(resident, input_, now):
                    self._write(target, path, input_, due=False)
        finally:
            self._carrying = False

    def _hand_over(self, resident: Resident, input_: Input, now: Instant, *, admitted: bool = False) -> bool:
        """Give an actor what another sent; says whether it has taken it, in one way or another."""
        sender = input_.sender
        if input_.kind == RESOLVE and input_.ref is not None:
            self.resolved(resident.address, input_.ref)
        if input_.kind == facts.UPDATE:
            assert sender is not None, "somebody asks"
            circle = self._circle(sender[:2], sender[2:], resident.address, now)
            if circle is not None and not admitted:
                self._fail(sender, Deadlock(circle))
                return True
        try:
            turn = self._population.give(resident, input_, now)
        except UsageError as error:
            if input_.kind in (facts.UPDATE, facts.START):
                self._fail(sender, error)
            return True  # a child that is to be closed and has ended needs no telling
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this actor's
            self._population.fault(resident, error)
            return False
        if input_.kind == facts.UPDATE and sender is not None:
            if turn.fate == core.ANSWER:
                self._answer(sender, turn.how, turn.body)
            elif turn.fate == core.JOIN:
                self._joined.setdefault((resident.address, turn.seq), []).append(sender)
        return True

    def _circle(self, asker: Address, ref: Ref, target: Address, now: Instant) -> tuple[str, ...] | None:
        """The circle of waits that this would close; where it closes none, it is taken note of."""
        # After an opening, what actors await is known once they are in memory.
        found = self._population.residency.found
        resident = found(path_of(asker), now)
        holder = None if resident is None else resident.actor.holder
        if holder is None or ref not in holder.pending:
            return None  # who asks holds no mailbox, so nobody waits behind it
        path = self.waits.path(asker, target, lambda address: found(path_of(address), now))
        if path is not None:
            return tuple(f"{entity} {key!r}" for entity, key in path)
        self.waits.asked(asker, ref, target)
        return None

    # -- letters -------------------------------------------------------------------------------------------

    def _write(self, target: Address, path: bytes, input_: Input, *, due: bool) -> None:
        """Keep what cannot be taken now, in the frame that holds its cause."""
        self._number += 1
        letter = Letter(self._number, target, input_)
        self._population.frame.rows.append(Row(LETTERS, numbered(path, letter.number), pack_letter(letter)))
        self._letters.setdefault(path, deque()).append(letter)
        if due:
            self._due.append(path)

    def open_letters(self, resident: Resident, now: Instant) -> None:
        """Give an actor what is kept for it, in order, as far as this frame has room."""
        path = resident.path
        letters = self._letters.get(path)
        if letters is None or resident.fault is not None or self._population.closing:
            return
        if self._opening:
            # Whoever hands over a letter may bring others into memory, who have letters, too.
            self._due.append(path)
            return
        self._opening = True
        try:
            while letters:
                if self._sends >= SENDS_MAX:
                    self._due.append(path)
                    return
                self._sends += 1
                if not self._hand_over(resident, letters[0].input, now):
                    return
                letter = letters.popleft()
                self._population.frame.rows.append(Row(LETTERS, numbered(path, letter.number), None))
            del self._letters[path]
        finally:
            self._opening = False

    def next_frame(self, now: Instant) -> None:
        """Begin another frame, with the letters that were too much for the last."""
        self._sends = 0
        if self._population.closing:
            return  # they are durable, and travel when the journal is opened again
        for _ in range(len(self._due)):
            if self._sends >= SENDS_MAX:
                break  # and carry: what follows from a letter belongs into the frame that drops the letter
            path = self._due.popleft()
            if path not in self._letters:
                continue
            try:
                resident = self._population.resident(self._letters[path][0].target, now)
            except (FaultError, UsageError):
                continue  # it is told of elsewhere; the letters wait until it can be brought into memory
            self.open_letters(resident, now)
        self.carry(now)


def _letter(path: bytes, number: int, data: bytes) -> Letter:
    letter = unpack_letter(data, f"letter {number} for {name_of(path)}")
    return letter._replace(number=number, target=address_of(path))


def _question(asker: Address, ref: Ref, effect: Ask) -> Input:
    return Input(facts.UPDATE, effect.name, effect.body, effect.id, None, (*asker, *ref))
