"""What has to be true of a journal, whatever happened: read from its bytes, not by the code on trial.

The log of all commits, as the journal kept them, says what was admitted and asked for; the tables have to say
the same; and actors in memory have to be what replaying their records gives.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from actorflow._codec.records import RecordCodec, unseal
from actorflow._core import facts
from actorflow._core.actor import Actor
from actorflow._core.facts import ASK, SEND, START_CHILD, Address, Record
from actorflow._core.image import differences, image
from actorflow._core.once import Ids
from actorflow._core.replay import replay
from actorflow._runtime.population import Population

from .drive import Drive, Ticket

__all__ = ["check", "histories", "letters", "tabled"]

_codec = RecordCodec()
MESSAGES = (facts.SIGNAL, facts.UPDATE)


def histories(batches: Iterable[Any]) -> dict[Address, list[bytes]]:
    """Every record of every actor in these commits, in order."""
    found: dict[Address, list[bytes]] = defaultdict(list)
    for batch in batches:
        for data in batch.frames:
            parts = _codec.unpack(unseal(data, "a frame"))
            for path, record in zip(parts[::2], parts[1::2], strict=True):
                if path[0]:  # of others, the record is a copy
                    found[_address(path)].append(record)
    return dict(found)


def _address(path: bytes) -> Address:
    entity, key, _ = path.decode().split("\0")
    return entity, key


def letters(journal: Any) -> list[tuple[Address, Any]]:
    """What waits in the journal for actors that cannot take it yet."""
    rows = journal.scan("letters", b"\0", None, at_most=1 << 30)
    plain = [_codec.unpack(unseal(data, "a letter")) for _, data in rows]
    return [(tuple(target), facts.Input(*input_)) for _, target, input_ in sorted(plain)]


def tabled(journal: Any, address: Address) -> tuple[int, list[bytes]]:
    """What tables and log together say of an actor: the number of the first record kept, and all since."""
    path = f"{address[0]}\0{address[1]}\0".encode()
    data = journal.read("heads", path)
    position, count = _codec.unpack(unseal(data, "a head"))[:2] if data is not None else (0, 0)
    rows = journal.scan("history", path, path[:-1] + b"\1", at_most=1 << 30)
    first = int.from_bytes(rows[0][0][len(path) :], "big") if rows else count
    found: list[bytes] = []
    for _, row in rows:
        found += _codec.unpack(unseal(row, "history"))
    assert first + len(found) == count, (
        f"{address}: the head says {count} records, there are {len(found)} from {first}"
    )
    tail: list[tuple[int, bytes]] = []
    copied = 0
    for at, frame in journal.frames():
        parts = _codec.unpack(unseal(frame, "a frame"))
        for whose, record in zip(parts[::2], parts[1::2], strict=True):
            if whose == path:
                tail.append((at, record))
            elif not whose[0] and whose[9:] == path:
                if copied != at:
                    copied, tail = at, []  # a copy of all that was in the log before
                tail.append((int.from_bytes(whose[1:9], "big"), record))
    found += [record for at, record in tail if at > position]
    return first, found


def check(drive: Drive, *, live: bool = True) -> None:
    """All that was acknowledged is there once and in order, and nothing else; live is what replay gives."""
    raw = histories(drive.journal.history)
    records = {address: [_codec.unpack_record(one) for one in ones] for address, ones in raw.items()}
    _see_order(records)
    _see_outside(records, drive.sent)
    _see_inside(records, letters(drive.journal))
    for address, ones in raw.items():
        first, kept = tabled(drive.journal, address)
        assert kept == ones[first:], f"{address}: tables and log do not say what was written"
        if live:
            _see_live(drive.population, address, ones, drive.now)


def _see_order(records: dict[Address, list[Record]]) -> None:
    for address, ones in records.items():
        admitted = [one.seq for one in ones if one.input is not None]
        assert admitted == list(range(1, len(admitted) + 1)), f"{address}: {admitted}"


def _see_outside(records: dict[Address, list[Record]], sent: Iterable[Ticket]) -> None:
    """What callers sent: what was acknowledged once, what was refused never, in the order of sending."""
    by_target: dict[Address, list[Ticket]] = defaultdict(list)
    for ticket in sent:
        if ticket.input.kind in MESSAGES:
            by_target[ticket.address].append(ticket)
    for address in by_target.keys() | records.keys():
        tickets = by_target.get(address, [])
        inputs = [
            one.input
            for one in records.get(address, [])
            if one.input is not None and one.input.kind in MESSAGES and one.input.sender is None
        ]
        counts = Counter(inputs)
        known = {ticket.input: place for place, ticket in reversed(list(enumerate(tickets)))}
        for input_ in inputs:
            assert input_ in known, f"{address} has {input_}, which nobody sent"
            assert counts[input_] == 1, f"{address} has {counts[input_]} times {input_}"
        places = [known[input_] for input_ in inputs if input_.id is None]
        assert places == sorted(places), f"{address} does not have its messages in the order of sending"
        for ticket in tickets:
            if ticket.told and ticket.fate == "acknowledge":
                assert counts[ticket.input] == 1, f"{address} has lost {ticket.input}, which was acknowledged"
            refused = ticket.refused is not None or ticket.fate == "answer"
            if refused and ticket.input.id is None:
                assert counts[ticket.input] == 0, f"{address} has {ticket.input}, which was refused"


def _see_inside(records: dict[Address, list[Record]], kept: list[tuple[Address, Any]]) -> None:
    """What actors sent one another: there once or waiting as a letter, in order, and nothing else."""
    asked: dict[tuple[Any, ...], tuple[Address, int, str, bytes, str | None]] = {}
    order: dict[tuple[Any, ...], int] = {}
    for address, ones in records.items():
        for one in ones:
            for position, effect in enumerate(one.effects):
                if effect[0] in (SEND, ASK, START_CHILD):
                    given: Any = effect
                    ref = (*address, one.seq, position)
                    kind = {SEND: facts.SIGNAL, ASK: facts.UPDATE, START_CHILD: facts.START}[effect[0]]
                    name, id_ = ("", None) if kind == facts.START else (given.name, given.id)
                    asked[ref] = (given.entity, given.key), kind, name, given.body, id_
                    order[ref] = len(order)
    got: Counter[tuple[Any, ...]] = Counter()
    for address, ones in records.items():
        last: dict[Address, int] = {}
        for one in ones:
            input_ = one.input
            if input_ is None or input_.sender is None:
                continue
            sender, whose = tuple(input_.sender), (input_.sender[0], input_.sender[1])
            _see_sent(asked, sender, address, input_)
            got[sender] += 1
            assert order[sender] > last.get(whose, -1), f"{address} has {input_} in the wrong order"
            last[whose] = order[sender]
    for target, input_ in kept:
        if input_.sender is not None:
            sender = tuple(input_.sender)
            _see_sent(asked, sender, target, input_)
            if input_.id is None:
                got[sender] += 1
    for sender, (target, kind, name, _, id_) in asked.items():
        assert got[sender] <= 1, f"{target} has {got[sender]} times {name} of {sender}"
        if kind == facts.SIGNAL and id_ is None:
            assert got[sender] == 1, f"{target} has lost {name} of {sender}"


def _see_sent(
    asked: dict[tuple[Any, ...], Any], sender: tuple[Any, ...], target: Address, input_: Any
) -> None:
    assert sender in asked, f"{target} has {input_}, which {sender} has not sent"
    was = asked[sender]
    assert was[:2] == (target, input_.kind), f"{target} has {input_}, which was sent as {was}"
    assert was[3] == input_.body, f"{target} has {input_}, which was sent as {was}"


def _see_live(population: Population, address: Address, ones: list[bytes], now: int) -> None:
    resident = population.resident(address, now)
    spec = population.specs[address[0]]
    replayed = Actor(spec, address[1], Ids.within(spec.limits.id_window, spec.limits.id_bytes))
    replay(replayed, ones)
    found = differences(image(resident.actor), image(replayed))
    assert found == [], f"{address} is not what its records say:\n" + "\n".join(found)
