"""What every journal refuses alike: keys, notes and tables that cannot be, and batches that no longer fit."""

from __future__ import annotations

from collections.abc import Collection
from mmap import PAGESIZE

from persistence.journal import Full, JournalError

__all__ = [
    "NOTE_BYTES_MAX",
    "checked_key",
    "checked_note",
    "full_error",
    "page_bytes",
    "reserve_bytes",
    "table_error",
]

KEY_BYTES_MAX = 511
"""What LMDB's older data format takes, and so the limit of every journal."""
NOTE_BYTES_MAX = 4_000
RESERVE_BYTES_MIN = 8 << 20
_PAGE_HEAD_BYTES, _NODE_BYTES = 16, 26
"""Of LMDB's: before what a page holds, and what a frame costs beside its bytes."""


def reserve_bytes(quota_bytes: int) -> int:
    """What is kept behind a quota, so that at zero room what runs can end, and what is old can be removed."""
    return max(RESERVE_BYTES_MIN, quota_bytes // 8)


def checked_key(key: bytes) -> bytes:
    """The key, if it can be one."""
    if type(key) is not bytes:
        raise TypeError(f"a key is bytes, not {type(key).__name__}")
    if not 0 < len(key) <= KEY_BYTES_MAX:
        raise ValueError(
            f"a key of {len(key)} bytes, where 1 to {KEY_BYTES_MAX} are allowed: {key[:40]!r}\n"
            "hint: keep a long name in the value, and its hash in the key"
        )
    return key


def page_bytes(length: int) -> int:
    """What a frame of this length takes in LMDB, at most: pages of its own, or a part of one."""
    if length > PAGESIZE // 2 - _NODE_BYTES:
        return -(-(length + _PAGE_HEAD_BYTES) // PAGESIZE) * PAGESIZE + 2 * _NODE_BYTES
    return 2 * (length + _NODE_BYTES)  # pages that are split stay half full


def checked_note(text: bytes) -> bytes:
    """The note, if it is not too long."""
    if len(text) > NOTE_BYTES_MAX:
        raise ValueError(
            f"a note of {len(text)} bytes, where {NOTE_BYTES_MAX} are allowed\nhint: put the rest into a row"
        )
    return text


def table_error(table: str, tables: Collection[str]) -> JournalError:
    """What to say of a table that was not opened."""
    return JournalError(
        f"no table {table!r} was opened; there are: {', '.join(sorted(tables)) or 'none'}\n"
        f"hint: open([..., {table!r}])"
    )


def full_error(name: object, bytes_used: int, quota_bytes: int) -> Full:
    """What to say when the reserve is used up too."""
    return Full(
        f"{name} is full: {bytes_used} bytes are in use, of a quota of {quota_bytes} and a reserve of "
        f"{reserve_bytes(quota_bytes)}; nothing of this batch was written\n"
        "hint: forget frames and delete rows, which still works, or open it with a larger quota_bytes"
    )
