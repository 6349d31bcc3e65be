"""Tries new code on the actors of a journal: replays what activating them would, and writes nothing.

An actor is brought as far as a runtime would bring it before it does anything of itself.  So no activity runs
and nothing is sent.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from attrs import frozen

from actorflow._authoring.entity import specs_of
from actorflow._core.actor import Actor
from actorflow._core.facts import Address, Input
from actorflow._core.once import Ids
from actorflow._core.quiet import silence
from actorflow._core.replay import replay
from actorflow._core.snapshot import restore
from actorflow._core.spec import Spec
from actorflow._runtime.log import Behind, read_log
from actorflow._runtime.reading import Reading
from actorflow._runtime.residency import SUSPECT_TIMES, made_again
from actorflow._runtime.resident import Resident, Tail
from actorflow._runtime.rows import Head, unpack_letter
from actorflow._runtime.shelf import PAGE_ROWS, Shelf
from actorflow._runtime.tables import (
    HEADS,
    LETTERS,
    NUMBER_BYTES,
    SUSPECTS,
    TABLES,
    address_of,
    name_of,
    path_of,
)
from actorflow.errors import (
    ActorflowError,
    DecodeError,
    Divergence,
    NotAccepted,
    UsageError,
)
from actorflow.limits import Limits

from .later import over, untaken
from .report import CLOSED, PAST, SET_ASIDE, Finding, Report, Tally

if TYPE_CHECKING:
    from persistence import Journal

__all__ = ["Census", "Looked", "Verifier", "report_of", "unopened", "verify"]

LOOKS: Final = 5
"""How often something is read again, where another process writes the journal meanwhile."""
DIGEST_BYTES: Final = 16


class Looked(NamedTuple):
    """What came of one actor."""

    messages: int
    """Records that were replayed."""
    findings: tuple[Finding, ...]
    stand: bytes = b""
    """Stands for what was read of it."""
    digest: bytes = b""
    """Stands for the state that came out."""


@frozen
class Census:
    """Who lives in a journal."""

    actors: int
    """Of the entities that are known."""
    unregistered: dict[str, int]
    """Of others, by entity."""
    suspects: int


def verify(
    journal: Journal,
    *,
    entities: Sequence[type[Any]],
    limits: Limits | None = None,
    history: bool = False,
    sample: int | None = None,
    seed: int = 0,
    actors: Iterable[str] | None = None,
) -> Report:
    """Replay every actor of a journal with the code of these entities, and say what would go wrong.

    The journal is opened and closed here, and no row is written: let it be a ``MemoryJournal``, or an
    ``LmdbJournal(path, read_only=True)``.  ``limits`` are those that the runtime is given.  ``history``
    replays all that is kept, and not only what comes after the last snapshot.  ``sample`` takes so many
    actors by chance, the same for the same ``seed``; ``actors`` takes these, as ``"Cart/cart-42"``.
    """
    verifier = Verifier(journal, entities, limits, history=history)
    try:
        verifier.open()
    except DecodeError as error:
        return unopened(error)
    tally = Tally()
    try:
        census = verifier.census()
        for path in verifier.chosen(sample, seed, actors):
            looked = verifier.look(path)
            tally.take(looked.messages, looked.findings)
    finally:
        verifier.close()
    return report_of(census, tally)


def report_of(census: Census, tally: Tally, settings: tuple[str, ...] = ()) -> Report:
    """Both put together."""
    return Report(
        census.actors,
        tally.verified,
        tally.messages,
        tally.causes(),
        census.unregistered,
        census.suspects,
        settings,
    )


def unopened(error: DecodeError) -> Report:
    """The report of a journal that no runtime would open."""
    tally = Tally()
    tally.add(Finding.of(("the journal", ""), CLOSED, error))
    return report_of(Census(0, {}, 0), tally)


class Verifier:
    """The actors of a journal, to be made again by the code of today and looked at."""

    def __init__(
        self,
        journal: Journal,
        entities: Sequence[type[Any]],
        limits: Limits | None = None,
        *,
        history: bool = False,
    ) -> None:
        self._journal = journal
        self._history = history
        self._specs: dict[str, Spec] = {}
        for spec in specs_of(entities, limits):
            if spec.name in self._specs:
                raise UsageError(f"two classes are the entity {spec.name!r}\n  hint: name one of them")
            self._specs[spec.name] = spec
        self._reading = Reading(journal)
        # No life begins here, so none needs random bytes; and no rows are made, so nothing is let go.
        self._shelf = Shelf(self._reading, self._specs, bytes, history_us=0, history_messages=0)
        self._behind = Behind()
        self._letters: dict[bytes, list[bytes]] = {}

    # -- opening -------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Read the log, as a runtime does when it opens; a ``DecodeError`` says that it would not."""
        self._journal.open(TABLES)
        try:
            self._read_log()
            for key, data in self._rows(LETTERS):
                self._letters.setdefault(key[:-NUMBER_BYTES], []).append(data)
        except BaseException:
            self._journal.close()
            raise

    def _read_log(self) -> None:
        for look in range(LOOKS):
            behind = Behind()
            try:
                read_log(self._journal.frames(), behind.take)
            except DecodeError:
                # Whoever writes the journal meanwhile cuts the log off, also in front of who reads it.
                if look == LOOKS - 1:
                    raise
            else:
                self._behind = behind
                return

    def close(self) -> None:
        """Let go of the journal."""
        self._journal.close()

    # -- who is there --------------------------------------------------------------------------------------

    def paths(self) -> Iterator[bytes]:
        """Everybody, in order, each once."""
        last = b""
        heads = (key for key, _ in self._rows(HEADS))
        for path in heapq.merge(heads, sorted({*self._behind.tails, *self._letters})):
            if path != last:
                yield path
            last = path

    def _rows(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        start = b"\0"
        while True:
            rows = self._reading.scan(table, start, None, at_most=PAGE_ROWS)
            yield from rows
            if len(rows) < PAGE_ROWS:
                return
            start = rows[-1][0] + b"\0"

    def census(self) -> Census:
        """Count them."""
        counts = Counter(_entity(path) for path in self.paths())
        known = sum(counts.pop(name, 0) for name in self._specs)
        suspects = sum(
            int.from_bytes(times, "big") >= SUSPECT_TIMES and _entity(path) in self._specs
            for path, times in self._rows(SUSPECTS)
        )
        return Census(known, dict(sorted(counts.items())), suspects)

    def chosen(
        self, sample: int | None = None, seed: int = 0, actors: Iterable[str] | None = None
    ) -> Iterable[bytes]:
        """Those to be verified, in order."""
        if actors is not None:
            return sorted({self._path(name) for name in actors})
        known = (path for path in self.paths() if _entity(path) in self._specs)
        if sample is None:
            return known
        key = seed.to_bytes(DIGEST_BYTES, "big", signed=True)
        return sorted(heapq.nsmallest(sample, known, key=lambda path: _digest(path, key=key)))

    def _path(self, name: str) -> bytes:
        entity, slash, key = name.partition("/")
        if not slash:
            raise UsageError(
                f"{name!r} names no actor\n  hint: write an entity and a key, as in Cart/cart-42"
            )
        if entity not in self._specs:
            known = ", ".join(self._specs) or "none"
            raise UsageError(f"{name}: there is no entity {entity!r} among those named; they are: {known}")
        path = path_of((entity, key))
        if path not in self._behind.tails and self._reading.read(HEADS, path) is None:
            raise UsageError(f"{name}: there is no such actor in the journal")
        return path

    # -- one of them ---------------------------------------------------------------------------------------

    def look(self, path: bytes, *, digest: bool = False) -> Looked:
        """Make an actor again, and look at what waits for it."""
        looks = 0
        while True:
            row = self._reading.read(HEADS, path)
            looked = self._look(path, row or b"", digest=digest)
            looks += 1
            if not (looked.findings or digest) or self._reading.read(HEADS, path) == row:
                return looked
            # Its rows have changed under the reader's eyes: what did not fit together may be of two moments.
            if looks == LOOKS:
                return looked._replace(digest=b"")

    def _look(self, path: bytes, row: bytes, *, digest: bool) -> Looked:
        try:
            address = address_of(path)
        except ValueError:
            error = DecodeError(name_of(path), "its name cannot be read")
            return Looked(0, (Finding.of(("?", repr(path)), SET_ASIDE, error),))
        found: list[Finding] = []
        messages = 0
        resident: Resident | None = None
        tail = _copied(self._behind.tails.get(path))
        stand = _digest(row + str(0 if tail is None else len(tail.records)).encode())
        try:
            head = self._shelf.head(path)
            if self._history:
                messages += self._replay_past(address, head, found)
            messages += head.records - (head.snapshots[-1][0] if head.snapshots else 0)
            if tail is not None and tail.positions is not None:
                messages += sum(position > head.position for position in tail.positions)
            resident = made_again(self._shelf, address, head, tail)
            found += untaken(resident.actor, self._letters_of(path, resident.actor))
            found += over(resident.actor)
        except NotAccepted:
            raise  # the journal cannot be read, and that is no actor's doing
        except ActorflowError as error:
            found.append(Finding.of(address, SET_ASIDE, error))
        outcome = b"" if resident is None or not digest else _state_digest(resident.actor)
        if resident is not None:
            silence(resident.actor)
        # Of a thousand messages that wait for a handler that is gone, one is enough to say so.
        once = {finding.cause: finding for finding in reversed(found)}
        return Looked(messages, tuple(reversed(once.values())), stand, outcome)

    def _letters_of(self, path: bytes, actor: Actor) -> list[Input]:
        read = [unpack_letter(data, f"letter to {actor}") for data in self._letters.get(path, ())]
        return [letter.input for letter in read]

    def _replay_past(self, address: Address, head: Head, found: list[Finding]) -> int:
        """Go from each snapshot that is kept to the next, as ``at`` does; not on from the last."""
        spec, path = self._specs[address[0]], path_of(address)
        replayed = 0
        try:
            kept = self._shelf.kept_from(path, head)
            places = [0] if kept == 0 else []
            places += [number for number, _, _, _ in head.snapshots if number >= kept]
            records = self._shelf.records(path, kept, head.records) if len(places) > 1 else []
            for first, stop in pairwise(places):
                was = self._restored(spec, address, path, first)
                replayed += stop - first
                replay(was, records[first - kept : stop - kept])
                _see_same(was, self._restored(spec, address, path, stop))
                silence(was)
        except NotAccepted:
            raise
        except ActorflowError as error:
            found.append(Finding.of(address, PAST, error))
        except Exception as error:  # noqa: BLE001 - an upcast of its author's, say
            what = f"it cannot be made again: {type(error).__name__}: {error}"
            found.append(Finding.of(address, PAST, DecodeError(name_of(path), what)))
        return replayed

    def _restored(self, spec: Spec, address: Address, path: bytes, number: int) -> Actor:
        actor = Actor(spec, address[1], Ids.within(spec.limits.id_window, spec.limits.id_bytes))
        restore(actor, self._shelf.snapshot_at(path, number) if number else b"")
        return actor


def _entity(path: bytes) -> str:
    return path.partition(b"\0")[0].decode(errors="replace")


def _digest(data: bytes, *, key: bytes = b"") -> bytes:
    return blake2b(data, digest_size=DIGEST_BYTES, key=key).digest()


def _copied(tail: Tail | None) -> Tail | None:
    """Activation takes a tail to pieces, and another look needs it whole."""
    if tail is None:
        return None
    copy = Tail(tail.path)
    copy.records = list(tail.records)
    copy.positions = None if tail.positions is None else list(tail.positions)
    return copy


def _state_digest(actor: Actor) -> bytes:
    if actor.state is None:
        return b""
    try:
        return _digest(actor.spec.dump(actor.state))
    except ActorflowError:
        return b""  # it holds what cannot be stored, which is found where it is to be stored


def _see_same(was: Actor, then: Actor) -> None:
    """See that replay came to what the snapshot holds, where the same code made both."""
    if not was.code == then.code == was.spec.fingerprint or was.state is None or then.state is None:
        return
    produced, recorded = (was.spec.codec.unpack(was.spec.dump(actor.state)) for actor in (was, then))
    if produced != recorded:
        raise Divergence(str(was), was.seq, "-", "the state in its snapshot", recorded, produced)
