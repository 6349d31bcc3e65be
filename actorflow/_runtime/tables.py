"""The tables of a journal and their keys: how an actor becomes a place among sorted bytes.  Knows no rows.

Names and keys hold no control character (``_authoring.keys`` sees to it), so a zero byte ends each, no path
is the beginning of another, and all rows of one actor lie side by side.  A path has at most 402 bytes, so the
longest key, of a snapshot's piece, stays under the 511 that a journal takes.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from actorflow._core.facts import Address, Instant

__all__ = [
    "END",
    "ERRANDS",
    "HEADS",
    "HISTORY",
    "IDS",
    "LETTERS",
    "META",
    "NUMBER_BYTES",
    "SNAPSHOTS",
    "STATUSES",
    "SUSPECTS",
    "TABLES",
    "WAKES",
    "address_of",
    "behind",
    "id_key",
    "name_of",
    "numbered",
    "path_of",
    "status_key",
    "wake_key",
]

META: Final = "meta"
"""A few facts about the whole, by name."""
HEADS: Final = "heads"
"""path: what can be said of an actor without waking it."""
SNAPSHOTS: Final = "snapshots"
"""path, number of the record it follows, piece: the pieces of a snapshot."""
HISTORY: Final = "history"
"""path, number of the first record: some records."""
IDS: Final = "ids"
"""path, digest of a once-id: what is known of it."""
WAKES: Final = "wakes"
"""due, path: when an actor has something to do of itself; nothing is written beside the key."""
STATUSES: Final = "statuses"
"""entity, status, key: who is how."""
LETTERS: Final = "letters"
"""path, number: what another actor sent and this one cannot take yet."""
SUSPECTS: Final = "suspects"
"""path: how often the process has died while this actor was being activated."""
ERRANDS: Final = "errands"
"""path, seq, position: what an activity has come to, where that is not its first attempt."""

TABLES: Final = (META, HEADS, SNAPSHOTS, HISTORY, IDS, WAKES, STATUSES, LETTERS, SUSPECTS, ERRANDS)

END: Final = b"\0"
PAST_END: Final = b"\1"
NUMBER_BYTES: Final = 8
DIGEST_BYTES: Final = 16


def path_of(address: Address) -> bytes:
    """The place of an actor."""
    entity, key = address
    return f"{entity}\0{key}\0".encode()


def address_of(path: bytes) -> Address:
    """The actor of a place."""
    entity, key, _ = path.decode().split("\0", 2)
    return entity, key


def name_of(path: bytes) -> str:
    """The actor of a place, for people; of a place that is damaged its bytes."""
    try:
        entity, key = address_of(path)
    except ValueError:
        return repr(path)
    return f"{entity} {key!r}"


def behind(path: bytes) -> bytes:
    """The first key behind all that begin with this path."""
    assert path.endswith(END), "a path ends in a zero byte"
    return path[:-1] + PAST_END


def numbered(path: bytes, first: int, second: int | None = None) -> bytes:
    """A key under a path, in the order of these numbers."""
    key = path + first.to_bytes(NUMBER_BYTES, "big")
    return key if second is None else key + second.to_bytes(NUMBER_BYTES, "big")


def id_key(path: bytes, id_: str) -> bytes:
    """The key of a once-id: of the same length, however long the id is."""
    return path + blake2b(id_.encode(), digest_size=DIGEST_BYTES).digest()


def wake_key(due: Instant, path: bytes) -> bytes:
    return due.to_bytes(NUMBER_BYTES, "big") + path


def status_key(status: str, path: bytes) -> bytes:
    entity, key, _ = path.split(END, 2)
    return END.join((entity, status.encode(), key))
