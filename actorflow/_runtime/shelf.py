"""Brings actors in from the tables and puts them there: activation, and the rows of a checkpoint.

Reads the journal and writes nothing: rows are handed back, to travel with a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from actorflow._codec.records import unseal
from actorflow._core import phases
from actorflow._core.actor import Actor
from actorflow._core.facts import MICROSECOND, Address, Ask, Instant, Schedule
from actorflow._core.once import NONE_YET, Ids, Known
from actorflow._core.outstanding import due_next
from actorflow._core.quiet import quiet
from actorflow._core.replay import replay
from actorflow._core.snapshot import rest, restore, snapshot
from actorflow._core.spec import Spec
from actorflow.errors import ActorflowError, DecodeError, UnknownEntity

from .frame import Frame, Row
from .resident import VACANT_HEAD, Resident, StoredIds, Tail
from .rows import (
    PIECE_BYTES,
    Head,
    pack_head,
    pack_known,
    pack_records,
    pieces,
    unpack_head,
    unpack_known,
    unpack_records,
)
from .tables import (
    HEADS,
    HISTORY,
    IDS,
    SNAPSHOTS,
    STATUSES,
    WAKES,
    behind,
    id_key,
    name_of,
    numbered,
    path_of,
    status_key,
    wake_key,
)

if TYPE_CHECKING:
    from .reading import Reading

__all__ = ["Shelf", "status_of"]

PAGE_ROWS: Final = 1_000
SNAPSHOT_BYTES_MIN: Final = 4_096
"""However small a state is, so many bytes of records are replayed rather than another snapshot written."""
NONCE_BYTES: Final = 16


def status_of(actor: Actor) -> str:
    """The phase, or how the life ended."""
    return actor.status if actor.phase == phases.CLOSED else phases.PHASES[actor.phase]


class Shelf:
    """The tables, as a place for actors."""

    def __init__(
        self,
        journal: Reading,
        specs: Mapping[str, Spec],
        entropy: Callable[[int], bytes],
        *,
        history_us: int,
        history_messages: int,
        strict: bool = False,
    ) -> None:
        self._journal = journal
        self._specs = specs
        self._windows = {name: spec.limits.id_window // MICROSECOND for name, spec in specs.items()}
        self._entropy = entropy
        self._history_us = history_us
        self._history_messages = history_messages
        self._strict = strict

    # -- in ------------------------------------------------------------------------------------------------

    def head(self, path: bytes) -> Head:
        """What the tables say of an actor."""
        data = self._journal.read(HEADS, path)
        if data is not None:
            return unpack_head(data, f"head of {name_of(path)}")
        if any(self._journal.scan(table, path, behind(path), at_most=1) for table in (HISTORY, SNAPSHOTS)):
            raise DecodeError(f"head of {name_of(path)}", "it is gone, and what belongs to it is there")
        return VACANT_HEAD

    def activate(self, address: Address, head: Head, tail: Tail | None, frame: Frame) -> Resident:
        """Bring an actor into memory, from its last snapshot and what came after it."""
        spec = self._spec(address)
        path = path_of(address)
        if tail is not None and tail.positions is not None:
            new = [position > head.position for position in tail.positions]
            tail.records = [record for record, is_new in zip(tail.records, new, strict=True) if is_new]
            tail.positions = None
        ids = StoredIds(self._windows[spec.name], spec.limits.id_bytes)
        if head.ids:
            self._read_ids(path, head, ids)
        actor = Actor(spec, address[1], ids, self._entropy(NONCE_BYTES))
        actor.strict = self._strict
        if head.records:
            self._bring_back(actor, path, head)
            ids.touched = NONE_YET
            actor.seed = actor.nonce or actor.seed  # of later lives only
        if tail is not None:
            replay(actor, tail.records)
        resident = Resident(address, path, actor, head, frame)
        resident.tail = tail
        return resident

    def _bring_back(self, actor: Actor, path: bytes, head: Head) -> None:
        """Have an actor as the tables know it."""
        # The table has what these records made of the ids, and what time has made of them since.
        ids, actor.ids = actor.ids, Ids(actor.ids.window, actor.ids.bytes_max)
        number = 0
        if head.snapshots:
            number = head.snapshots[-1][0]
            restore(actor, self.snapshot_at(path, number))
        if head.records > number:
            replay(actor, self.records(path, number, head.records))
        actor.ids = ids

    def _spec(self, address: Address) -> Spec:
        spec = self._specs.get(address[0])
        if spec is None:
            raise UnknownEntity(address[0], address[1], tuple(self._specs))
        return spec

    def snapshot_at(self, path: bytes, number: int) -> bytes:
        """The snapshot that follows so many records."""
        rows = self._journal.scan(
            SNAPSHOTS, numbered(path, number), numbered(path, number + 1), at_most=1 << 20
        )
        return unseal(b"".join(piece for _, piece in rows), f"snapshot of {name_of(path)}")

    def records(self, path: bytes, first: int, stop: int) -> list[bytes]:
        """The records that the tables have, from this number on and to before another."""
        found: list[bytes] = []
        start = numbered(path, first)
        while True:
            rows = self._journal.scan(HISTORY, start, behind(path), at_most=PAGE_ROWS)
            for key, data in rows:
                if int.from_bytes(key[len(path) :], "big") != first + len(found):
                    break
                found += unpack_records(data, f"history of {name_of(path)}")
            if len(rows) < PAGE_ROWS:
                break
            start = rows[-1][0] + b"\0"
        if first + len(found) != stop:
            raise DecodeError(f"history of {name_of(path)}", f"records {first + len(found)} and on are gone")
        return found

    def kept_from(self, path: bytes, head: Head) -> int:
        """The number of the first record that is kept."""
        rows = self._journal.scan(HISTORY, path, behind(path), at_most=1)
        return int.from_bytes(rows[0][0][len(path) :], "big") if rows else head.records

    def _read_ids(self, path: bytes, head: Head, ids: StoredIds) -> None:
        found: list[tuple[str, Known]] = []
        start = path
        while True:
            rows = self._journal.scan(IDS, start, behind(path), at_most=PAGE_ROWS)
            found += [unpack_known(data, f"once-id of {name_of(path)}") for _, data in rows]
            if len(rows) < PAGE_ROWS:
                break
            start = rows[-1][0] + b"\0"
        if len(found) != head.ids:
            raise DecodeError(f"once-ids of {name_of(path)}", f"of {head.ids} there are {len(found)}")
        # Who looks for those to let go of begins with the oldest answer.
        for id_, known in sorted(found, key=lambda one: (one[1].at, one[1].seq)):
            ids.remember(id_, known)

    # -- out -----------------------------------------------------------------------------------------------

    def rows(self, resident: Resident, position: int, *, final: bool = False) -> list[Row]:
        """What to write so that the tables know this actor, and the log need not.

        ``final`` takes a snapshot wherever there is something to replay and one can be taken.
        """
        actor, path, old = resident.actor, resident.path, resident.head
        records = [] if resident.tail is None else resident.tail.records
        rows = _history(path, old.records, records)
        number = old.records + len(records)
        tail_bytes = old.tail_bytes + sum(map(len, records))
        snapshots = old.snapshots
        taken = self._snapshot(actor, snapshots, tail_bytes, final=final)
        if taken is None:
            if final and tail_bytes and quiet(actor):
                resident.untaken = actor.seq
        else:
            rows += (
                Row(SNAPSHOTS, numbered(path, number, place), piece)
                for place, piece in enumerate(pieces(taken))
            )
            snapshots = (*snapshots, (number, actor.seq, actor.now, len(taken)))
            tail_bytes = 0
        snapshots, gone = self._prune(path, snapshots, actor.seq, actor.now)
        rows += gone
        rows += self._ids(path, actor)
        due = _due(actor)
        status = status_of(actor)
        head = Head(
            position,
            number,
            actor.seq,
            status,
            actor.life,
            actor.run,
            actor.born,
            actor.now,
            due,
            _awaits(actor),
            len(actor.ids),
            len(actor.parked),
            len(actor.debts),
            tail_bytes,
            snapshots,
        )
        rows.append(Row(HEADS, path, pack_head(head)))
        rows += _wakes(path, old, head)
        if status != old.status:
            if old.status:
                rows.append(Row(STATUSES, status_key(old.status, path), None))
            rows.append(Row(STATUSES, status_key(status, path), b""))
        resident.head = head
        resident.tail = None
        if quiet(actor):
            rest(actor)  # nobody may speak to it for years
        return rows

    def rows_unread(self, tail: Tail, old: Head, position: int) -> tuple[list[Row], Head]:
        """The same for an actor that cannot be made whole: its records as they are, for whoever mends it.

        Gives the new head, too: the old one, but that the actor is looked at whenever the journal is opened,
        for nobody knows what it has to do.
        """
        path = tail.path
        if tail.positions is None:
            records = tail.records
        else:
            dated = zip(tail.positions, tail.records, strict=True)
            records = [record for at, record in dated if at > old.position]
        head = old._replace(
            position=position,
            records=old.records + len(records),
            awaits=True,
            tail_bytes=old.tail_bytes + sum(map(len, records)),
        )
        rows = _history(path, old.records, records)
        return [*rows, *_wakes(path, old, head), Row(HEADS, path, pack_head(head))], head

    def _snapshot(
        self,
        actor: Actor,
        snapshots: tuple[tuple[int, int, Instant, int], ...],
        tail_bytes: int,
        *,
        final: bool,
    ) -> bytes | None:
        least = max(SNAPSHOT_BYTES_MIN, snapshots[-1][3] if snapshots else 0)
        if not tail_bytes or not (final or tail_bytes >= least) or not quiet(actor):
            return None
        try:
            return snapshot(actor)
        except ActorflowError:
            return None  # it holds something that is no data; its records say how it came to be

    def _prune(
        self, path: bytes, snapshots: tuple[tuple[int, int, Instant, int], ...], seq: int, now: Instant
    ) -> tuple[tuple[tuple[int, int, Instant, int], ...], list[Row]]:
        """Let go of history that is beyond retention, a snapshot's worth at a time."""
        kept = list(snapshots)
        gone: list[Row] = []
        while len(kept) > 1:
            number, seq_then, taken_at, _ = kept[1]
            if taken_at + self._history_us > now and seq_then + self._history_messages > seq:
                break
            first, _, _, size = kept.pop(0)
            gone += (
                Row(SNAPSHOTS, numbered(path, first, place), None)
                for place in range(1 + (size + 3) // PIECE_BYTES)
            )
            gone += self._history_before(path, number)
        if len(kept) == 1:
            number, seq_then, taken_at, _ = kept[0]
            if taken_at + self._history_us <= now or seq_then + self._history_messages <= seq:
                gone += self._history_before(path, number)
        return tuple(kept), gone

    def _history_before(self, path: bytes, number: int) -> list[Row]:
        rows = self._journal.scan(HISTORY, path, numbered(path, number), at_most=PAGE_ROWS)
        return [Row(HISTORY, key, None) for key, _ in rows]

    def _ids(self, path: bytes, actor: Actor) -> list[Row]:
        ids = actor.ids
        assert isinstance(ids, StoredIds), "the runtime has put it there"
        known = ids.entries()
        rows = [
            Row(IDS, id_key(path, id_), pack_known(id_, known[id_]) if id_ in known else None)
            for id_ in ids.touched
        ]
        ids.touched = NONE_YET
        return rows


def _history(path: bytes, first: int, records: list[bytes]) -> list[Row]:
    """Records as rows of a bounded size."""
    rows: list[Row] = []
    chunk: list[bytes] = []
    size = 0
    for number, record in enumerate(records, first):
        if chunk and size + len(record) > PIECE_BYTES:
            rows.append(Row(HISTORY, numbered(path, number - len(chunk)), pack_records(chunk)))
            chunk, size = [], 0
        chunk.append(record)
        size += len(record)
    if chunk:
        number = first + len(records) - len(chunk)
        rows.append(Row(HISTORY, numbered(path, number), pack_records(chunk)))
    return rows


def _wakes(path: bytes, old: Head, new: Head) -> list[Row]:
    """When to wake an actor: at its time, and if it awaits something as soon as the journal is opened."""
    before, after = _wake_keys(path, old), _wake_keys(path, new)
    rows = [Row(WAKES, key, None) for key in before if key not in after]
    return rows + [Row(WAKES, key, b"") for key in after if key not in before]


def _wake_keys(path: bytes, head: Head) -> list[bytes]:
    keys = [] if head.due is None else [wake_key(head.due, path)]
    return [*keys, wake_key(0, path)] if head.awaits else keys


def _due(actor: Actor) -> Instant | None:
    found = due_next(actor)
    return None if found is None else found[0]


def _awaits(actor: Actor) -> bool:
    """Whether something outside is to be asked again by whoever opens the journal."""
    return any(isinstance(pending.effect, Schedule | Ask) for pending in actor.pending.values())
