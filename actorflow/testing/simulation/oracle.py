"""What has to be true of a journal, whatever happened: read from its bytes, not by the code on trial.

The log of all commits, as the journal kept them, says what was admitted and asked for; the tables have to say
the same; and what actors sent one another has to be there, once, in order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from actorflow._codec.records import RecordCodec, unseal
from actorflow._core import facts
from actorflow._core.facts import ASK, SEND, START_CHILD, Address, Record

__all__ = [
    "Wrong",
    "address_of",
    "histories",
    "inside",
    "letters",
    "order",
    "parts_of",
    "see",
    "shown",
    "tabled",
    "tails",
    "unpack_record",
]

_codec = RecordCodec()
unpack_record = _codec.unpack_record


class Wrong(AssertionError):
    """Something is not as it has to be."""


def see(holds: object, what: str) -> None:
    """Raise if something does not hold; also where Python leaves out its own assertions."""
    if not holds:
        raise Wrong(what)


def shown(data: bytes) -> str:
    """Packed bytes, to be read."""
    return repr(_codec.unpack(data))


def parts_of(data: bytes) -> list[tuple[bytes, bytes]]:
    """The paths and records of a frame."""
    parts = _codec.unpack(unseal(data, "a frame"))
    return list(zip(parts[::2], parts[1::2], strict=True))


def address_of(path: bytes) -> Address:
    """The actor of a path."""
    entity, key, _ = path.decode().split("\0")
    return entity, key


def histories(batches: Iterable[Any]) -> dict[Address, list[bytes]]:
    """Every record of every actor in these commits, in order."""
    found: dict[Address, list[bytes]] = defaultdict(list)
    for batch in batches:
        for data in batch.frames:
            for path, record in parts_of(data):
                if path[0]:  # of others, the record is a copy
                    found[address_of(path)].append(record)
    return dict(found)


def letters(journal: Any) -> list[tuple[Address, Any]]:
    """What waits in the journal for actors that cannot take it yet."""
    rows = journal.scan("letters", b"\0", None, at_most=1 << 30)
    plain = [_codec.unpack(unseal(data, "a letter")) for _, data in rows]
    return [(tuple(target), facts.Input(*input_)) for _, _, target, input_ in sorted(plain)]


def tails(journal: Any) -> dict[bytes, list[tuple[int, bytes]]]:
    """What the log holds of each actor: by its path, records with the frame in which they became durable."""
    found: dict[bytes, list[tuple[int, bytes]]] = defaultdict(list)
    copied: dict[bytes, int] = {}
    for at, frame in journal.frames():
        for whose, record in parts_of(frame):
            if whose[0]:
                found[whose].append((at, record))
                continue
            path = whose[9:]
            if copied.get(path) != at:
                copied[path] = at
                found[path] = []  # a copy of all that was in the log before
            found[path].append((int.from_bytes(whose[1:9], "big"), record))
    return found


def tabled(
    journal: Any, address: Address, log: Mapping[bytes, list[tuple[int, bytes]]] | None = None
) -> tuple[int, list[bytes]]:
    """What tables and log together say of an actor: the number of the first record kept, and all since."""
    path = f"{address[0]}\0{address[1]}\0".encode()
    data = journal.read("heads", path)
    position, count = _codec.unpack(unseal(data, "a head"))[1:3] if data is not None else (0, 0)
    rows = journal.scan("history", path, path[:-1] + b"\1", at_most=1 << 30)
    first = int.from_bytes(rows[0][0][len(path) :], "big") if rows else count
    found: list[bytes] = []
    for _, row in rows:
        found += _codec.unpack(unseal(row, "history"))
    see(
        first + len(found) == count,
        f"{address}: the head says {count} records, there are {len(found)} from {first}",
    )
    tail = (tails(journal) if log is None else log).get(path, [])
    found += [record for at, record in tail if at > position]
    return first, found


def order(records: Mapping[Address, Sequence[Record]]) -> None:
    """Every actor's messages are numbered without a gap."""
    for address, ones in records.items():
        admitted = [one.seq for one in ones if one.input is not None]
        see(admitted == list(range(1, len(admitted) + 1)), f"{address}: {admitted}")


def inside(records: Mapping[Address, Sequence[Record]], kept: Sequence[tuple[Address, Any]]) -> None:
    """What actors sent one another: there once or waiting as a letter, in order, and nothing else."""
    asked: dict[tuple[Any, ...], tuple[Address, int, str, bytes, str | None]] = {}
    place: dict[tuple[Any, ...], int] = {}
    for address, ones in records.items():
        for one in ones:
            for position, effect in enumerate(one.effects):
                if effect[0] in (SEND, ASK, START_CHILD):
                    given: Any = effect
                    ref = (*address, one.seq, position)
                    kind = {SEND: facts.SIGNAL, ASK: facts.UPDATE, START_CHILD: facts.START}[effect[0]]
                    name, id_ = ("", None) if kind == facts.START else (given.name, given.id)
                    asked[ref] = (given.entity, given.key), kind, name, given.body, id_
                    place[ref] = len(place)
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
            see(place[sender] > last.get(whose, -1), f"{address} has {input_} in the wrong order")
            last[whose] = place[sender]
    for target, input_ in kept:
        if input_.sender is not None:
            sender = tuple(input_.sender)
            _see_sent(asked, sender, target, input_)
            if input_.id is None:
                got[sender] += 1
    for sender, (target, kind, name, _, id_) in asked.items():
        see(got[sender] <= 1, f"{target} has {got[sender]} times {name} of {sender}")
        if kind == facts.SIGNAL and id_ is None:
            see(got[sender] == 1, f"{target} has lost {name} of {sender}")


def _see_sent(
    asked: Mapping[tuple[Any, ...], Any], sender: tuple[Any, ...], target: Address, input_: Any
) -> None:
    see(sender in asked, f"{target} has {input_}, which {sender} has not sent")
    was = asked[sender]
    see(was[:2] == (target, input_.kind), f"{target} has {input_}, which was sent as {was}")
    see(was[3] == input_.body, f"{target} has {input_}, which was sent as {was}")
