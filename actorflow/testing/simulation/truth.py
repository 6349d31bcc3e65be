"""What is durable, and what follows from it: every actor made of its records alone, commit by commit.

It reads each frame as the disk has it, knows neither tables nor snapshots, and compares: what callers were
told, what activities were begun, what timers fired, and the actors in memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from attrs import define

from actorflow._core import facts
from actorflow._core import step as core
from actorflow._core.actor import Actor
from actorflow._core.facts import Address, Closed, Ended, Input, Instant, Record, Ref, Schedule
from actorflow._core.image import differences, image
from actorflow._core.once import Ids
from actorflow._core.outstanding import wakes_at
from actorflow._core.phases import TERMINATED
from actorflow._core.quiet import silence
from actorflow._core.replay import replay
from actorflow._core.spec import Spec

from . import oracle
from .agenda import Agenda
from .oracle import see

__all__ = ["Sent", "Truth"]

MESSAGES: Final = (facts.SIGNAL, facts.UPDATE)


@define(eq=False)
class Sent:
    """A message from outside that an actor has taken, under this seq."""

    address: Address
    input: Input
    seq: int
    durable: bool = False


class Truth:
    """The actors, as far as they are durable."""

    def __init__(self, specs: Mapping[str, Spec], agenda: Agenda) -> None:
        self._specs = specs
        self._agenda = agenda
        self.commits = 0
        """How many of the journal's commits are in this."""
        self.actors: dict[Address, Actor] = {}
        self.records: dict[Address, list[bytes]] = defaultdict(list)
        self.plain: dict[Address, list[Record]] = defaultdict(list)
        self._sent: dict[tuple[Address, int], list[Sent]] = defaultdict(list)
        self.asked: dict[tuple[Address, Ref], Schedule] = {}
        """Activities."""
        self.answers: dict[tuple[Address, Ref], list[bytes]] = defaultdict(list)
        """Answers of attempts that came while somebody waited for them."""
        self.terminated: dict[Address, int] = {}
        """With which message a life was last ended by force."""
        self.left_outside: set[tuple[Address, Ref]] = set()
        """Activities whose end somebody with a token may tell."""
        self._ended: dict[tuple[Address, int], Ended] = {}
        self._keys: dict[str, tuple[Address, Ref]] = {}
        self._key_of: dict[tuple[Address, Ref], str] = {}

    # -- commits -------------------------------------------------------------------------------------------

    def take(self, batch: Any) -> list[Address]:
        """Another commit is durable; gives whom it is about."""
        self.commits += 1
        found: dict[Address, None] = {}
        for data in batch.frames:
            for path, record in oracle.parts_of(data):
                if path[0]:
                    address = oracle.address_of(path)
                    found[address] = None
                    self._record(address, record)
        return list(found)

    def reopened(self, journal: Any) -> None:
        """A journal was opened again: what was acknowledged is there, and maybe what was being written."""
        history = journal.history
        see(
            len(history) >= self.commits,
            f"commit {self.commits} was acknowledged, and is gone: there are {len(history)}",
        )
        for batch in history[self.commits :]:
            self.take(batch)
        self._sent.clear()  # what else was taken died with the process
        log = oracle.tails(journal)
        for address, ones in self.records.items():
            first, kept = oracle.tabled(journal, address, log)
            see(kept == ones[first:], f"{_name(address)}: tables and log do not say what was written")

    def _record(self, address: Address, data: bytes) -> None:
        actor = self.actors.get(address)
        if actor is None:
            actor = self.actors[address] = self._vacant(address)
        record = oracle.unpack_record(data)
        self._see_record(address, actor, record)
        replay(actor, [data])
        self.records[address].append(data)
        self.plain[address].append(record)
        for position, effect in enumerate(record.effects):
            if isinstance(effect, Schedule):
                self.asked[address, (record.seq, position)] = effect
            elif isinstance(effect, Ended):
                self._ended[address, effect.seq] = effect
            elif isinstance(effect, Closed) and effect.status == TERMINATED:
                self.terminated[address] = record.seq

    def _vacant(self, address: Address) -> Actor:
        spec = self._specs[address[0]]
        return Actor(spec, address[1], Ids.within(spec.limits.id_window, spec.limits.id_bytes))

    def _see_record(self, address: Address, actor: Actor, record: Record) -> None:
        who = _name(address)
        see(
            record.now <= self._agenda.latest,
            f"{who}: message {record.seq} is of a time that no clock has shown",
        )
        input_ = record.input
        if input_ is None:
            return
        if input_.kind in MESSAGES:
            if input_.id is not None:
                known = actor.ids.find(input_.id, record.now)
                see(
                    known is None,
                    f"{who} has message {record.seq} under the id {input_.id!r}, and had it before",
                )
            if input_.sender is None:
                self._see_sent(address, record.seq, input_)
        elif input_.kind == facts.FIRE:
            arming = actor.timers.get((input_.name, input_.body))
            if record.outcome != facts.STALE and arming is not None:
                see(arming.due <= record.now, f"{who}: the timer {input_.name} fired early")
        elif input_.kind == facts.RESOLVE:
            see(wakes_at(actor, input_.ref) <= record.now, f"{who}: a sleep ended early")
            self._see_outcome(address, input_)

    def _see_sent(self, address: Address, seq: int, input_: Input) -> None:
        for sent in self._sent.pop((address, seq), ()):
            if (sent.input.kind, sent.input.body, sent.input.id) == (input_.kind, input_.body, input_.id):
                sent.durable = True
                return
        raise oracle.Wrong(
            f"{_name(address)} has as message {seq} what nobody sent, or was refused: {input_}"
        )

    def _see_outcome(self, address: Address, input_: Input) -> None:
        assert input_.ref is not None, "a resolution says of what"
        asked = self.asked.get((address, input_.ref))
        if asked is not None and input_.name == facts.OK and (address, input_.ref) not in self.left_outside:
            see(
                input_.body in self.answers[address, input_.ref],
                f"{_name(address)}: the outcome of activity {asked.name} is of an attempt that was given up",
            )

    # -- what is told, and begun ---------------------------------------------------------------------------

    def took(self, sent: Sent) -> None:
        """An actor has taken a message from outside."""
        self._sent[sent.address, sent.seq].append(sent)

    def not_accepted(self, sent: Sent) -> None:
        """Somebody was told that a message was not taken."""
        see(not sent.durable, f"{_name(sent.address)} has {sent.input}, which was not accepted")
        ones = self._sent.get((sent.address, sent.seq), [])
        if sent in ones:
            ones.remove(sent)

    def told(self, sent: Sent, how: str, body: bytes, *, joined: bool) -> None:
        """Somebody was told that a message was taken, or how it was answered."""
        who = _name(sent.address)
        see(
            joined or sent.durable,
            f"{who}: message {sent.seq}, {sent.input.name}, was acknowledged and is not durable",
        )
        if sent.input.kind == facts.UPDATE:
            ended = self._ended.get((sent.address, sent.seq))
            see(ended is not None, f"{who}: update {sent.seq} was answered, and its answer is not durable")
            assert ended is not None, "seen above"
            see(
                (ended.outcome, ended.body) == (how, body), f"{who}: update {sent.seq} was answered otherwise"
            )

    def begins(self, address: Address, ref: Ref, key: str) -> None:
        """An attempt of an activity begins, under this key."""
        see(
            self._keys.setdefault(key, (address, ref)) == (address, ref)
            and self._key_of.setdefault((address, ref), key) == key,
            f"{_name(address)}: activity {ref} has the key {key}, and is not the only one or had another",
        )
        see(
            (address, ref) in self.asked,
            f"{_name(address)}: activity {ref} begins, and that it is asked for is not durable",
        )

    def asked_query(
        self, address: Address, count: int, name: str, body: bytes, now: Instant, data: bytes
    ) -> None:
        """Somebody was told the answer of a query of an actor with so many records."""
        who = _name(address)
        records = self.records[address]
        see(len(records) >= count, f"{who}: the query {name} told what is not durable")
        actor = self.actors.get(address)
        if actor is None or len(records) != count:
            actor = self._vacant(address)
            replay(actor, records[:count])
        expected = core.ask(actor, name, body, now)
        if actor is not self.actors.get(address):
            silence(actor)
        see(
            expected == data,
            f"{who}: the query {name} told {oracle.shown(data)}, not {oracle.shown(expected)}",
        )

    # -- comparing -----------------------------------------------------------------------------------------

    def compare(self, actor: Actor, now: Instant) -> None:
        """An actor in memory of which all is durable is what its records make of it."""
        mine = self.actors.get(actor.address)
        if mine is None:
            see(actor.seq == 0, f"{actor} has {actor.seq} messages, and no record")
            return
        here, there = _image(actor, now), _image(mine, now)
        found = differences(here, there)
        see(not found, f"{actor} is not what its records say:\n  " + "\n  ".join(found))

    def whole(self, journal: Any) -> None:
        """All that can only be seen of the whole."""
        oracle.order(self.plain)
        oracle.inside(self.plain, oracle.letters(journal))

    def ask(self, address: Address, name: str, body: bytes, now: Instant) -> bytes:
        """Ask an actor as it is durable."""
        return core.ask(self.actors.get(address) or self._vacant(address), name, body, now)

    def silence(self) -> None:
        """Let what is suspended do nothing more."""
        for actor in self.actors.values():
            silence(actor)


def _image(actor: Actor, now: Instant) -> dict[str, Any]:
    found = image(actor)
    # What is beyond its window may have been forgotten, or not yet.
    found["ids"] = {
        id_: known for id_, known in found["ids"].items() if actor.ids.find(id_, max(now, actor.now))
    }
    return found


def _name(address: Address) -> str:
    return f"{address[0]} {address[1]!r}"
