"""What is written in frames and rows, as bytes and back: packed, each with a checksum of its own.

A frame is a list of paths and records, in turns; every row stands by itself, so that a damaged one harms the
actor it belongs to and no other.  A row that has fields begins with the number of its format; frames and
history are records, which have the engine's version, in the journal's own format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sys import intern
from typing import Any, Final, NamedTuple

from actorflow._codec.extensions import is_tuple
from actorflow._codec.records import RecordCodec, seal, unseal
from actorflow._core.facts import Address, Input, Instant
from actorflow._core.once import Known
from actorflow.errors import DecodeError

from .tables import END, NUMBER_BYTES

__all__ = [
    "ROW_FORMAT",
    "Head",
    "LaterRow",
    "Letter",
    "Trace",
    "carried",
    "carried_from",
    "pack_frame",
    "pack_head",
    "pack_known",
    "pack_letter",
    "pack_records",
    "pack_trace",
    "pieces",
    "unpack_frame",
    "unpack_head",
    "unpack_known",
    "unpack_letter",
    "unpack_records",
    "unpack_trace",
]

PIECE_BYTES: Final = 32_000
"""Longer rows are cut: a journal finds room for small ones more easily."""

ROW_FORMAT: Final = 1
"""Raised when the fields of a row change; what earlier releases have written is read for ever."""

_codec: Final = RecordCodec()
_pack = _codec.pack
_unpack = _codec.unpack


class LaterRow(DecodeError):
    """A row that is whole, and was written by a later release."""


class Head(NamedTuple):
    """What can be said of an actor without waking it."""

    position: int
    """The frame up to which the tables know this actor; what later frames hold of it comes on top."""
    records: int
    """How many the actor has had."""
    seq: int
    status: str
    life: int
    run: int
    born: Instant
    updated: Instant
    due: Instant | None
    """When it has something to do of itself."""
    awaits: bool
    """Something outside is to be asked again as soon as the journal is opened."""
    ids: int
    """How many once-ids it remembers."""
    parked: int
    debts: int
    tail_bytes: int
    """What activation has to replay, behind the last snapshot."""
    snapshots: tuple[tuple[int, int, Instant, int], ...]
    """Those kept, the oldest first: the number of records before it, its seq, its time, its bytes."""


class Letter(NamedTuple):
    """What an actor could not take when it was sent."""

    number: int
    """Distinct for ever, and in the order of sending."""
    target: Address
    input: Input


class Trace(NamedTuple):
    """What an errand has come to, where its actor's records do not say it."""

    attempt: int
    excused: int
    phase: str
    due: Instant
    failure: bytes
    details: bytes


def pack_frame(parts: Sequence[bytes]) -> bytes:
    """Paths and records in turns, as one piece of the log."""
    return seal(_pack(parts))


def unpack_frame(data: bytes, where: str) -> list[tuple[bytes, bytes]]:
    """The paths and records of a frame, in pairs."""
    parts = _unpack(unseal(data, where))
    if not is_tuple(parts) or len(parts) % 2 or not all(type(part) is bytes for part in parts):
        raise DecodeError(where, "it does not have the form of a frame")
    return list(zip(parts[::2], parts[1::2], strict=True))


def carried(path: bytes, position: int) -> bytes:
    """What stands in a frame for the path of an actor whose record was in an earlier one, which is cut."""
    return END + position.to_bytes(NUMBER_BYTES, "big") + path


def carried_from(path: bytes) -> tuple[int, bytes]:
    """The earlier frame and the path."""
    at = 1 + NUMBER_BYTES
    return int.from_bytes(path[1:at], "big"), path[at:]


def pack_head(head: Head) -> bytes:
    return seal(_pack((ROW_FORMAT, *head)))


def unpack_head(data: bytes, where: str) -> Head:
    head: Head = _formed(Head, data, where)
    return head._replace(status=intern(head.status)) if type(head.status) is str else head


def pack_known(id_: str, known: Known) -> bytes:
    """A once-id and what is known of it."""
    fields = id_, known.seq, known.name, known.digest, known.how, known.body, known.at
    return seal(_pack((ROW_FORMAT, *fields)))


def unpack_known(data: bytes, where: str) -> tuple[str, Known]:
    match _fields(data, where):
        case (
            str() as id_,
            int() as seq,
            str() as name,
            bytes() as digest,
            how,
            bytes() as body,
            int() as at,
        ):
            return id_, Known(seq, name, digest, how, body, at)
        case _:
            raise DecodeError(where, "it does not have the form of a once-id")


def pack_letter(letter: Letter) -> bytes:
    return seal(_pack((ROW_FORMAT, *letter)))


def unpack_letter(data: bytes, where: str) -> Letter:
    letter: Letter = _formed(Letter, data, where)
    return letter._replace(input=Input(*letter.input))


def pack_trace(trace: Trace) -> bytes:
    return seal(_pack((ROW_FORMAT, *trace)))


def unpack_trace(data: bytes, where: str) -> Trace:
    trace: Trace = _formed(Trace, data, where)
    return trace


def pack_records(records: Sequence[bytes]) -> bytes:
    return seal(_pack(records))


def unpack_records(data: bytes, where: str) -> list[bytes]:
    records = _unpack(unseal(data, where))
    if not is_tuple(records) or not all(type(record) is bytes for record in records):
        raise DecodeError(where, "it does not have the form of history")
    return list(records)


def pieces(data: bytes) -> Iterable[bytes]:
    """A snapshot as rows of a bounded size, the checksum of the whole in front."""
    sealed = seal(data)
    for start in range(0, len(sealed), PIECE_BYTES):
        yield sealed[start : start + PIECE_BYTES]


def _fields(data: bytes, where: str) -> tuple[Any, ...]:
    """What a row says, behind the number of its format; raises if that is a later one."""
    plain = _unpack(unseal(data, where))
    if not is_tuple(plain) or not plain or type(plain[0]) is not int:
        raise DecodeError(where, "it does not have the form of a row")
    if plain[0] > ROW_FORMAT:
        raise LaterRow(
            where,
            f"it has format {plain[0]}; this release reads up to {ROW_FORMAT}",
            "open it with the release that wrote it, or a later one",
        )
    return plain[1:]


def _formed(form: Any, data: bytes, where: str) -> Any:
    fields = _fields(data, where)
    if len(fields) != len(form._fields):
        raise DecodeError(where, f"it does not have the form of a {form.__name__.lower()}")
    return form(*fields)
