"""The journal: an append-only log of frames and a few sorted tables.  Bytes only; knows no actors.

Every name is loaded when it is first used: who needs the journal in memory alone does not load LMDB.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from persistence.faulty_journal import Crashed as Crashed
    from persistence.faulty_journal import FaultyJournal as FaultyJournal
    from persistence.journal import Batch as Batch
    from persistence.journal import Damaged as Damaged
    from persistence.journal import Full as Full
    from persistence.journal import Journal as Journal
    from persistence.journal import JournalError as JournalError
    from persistence.journal import JournalStatistics as JournalStatistics
    from persistence.journal import Locked as Locked
    from persistence.journal import NotOpen as NotOpen
    from persistence.journal import ReadOnly as ReadOnly
    from persistence.journal import Stopped as Stopped
    from persistence.journal import WrongFormat as WrongFormat
    from persistence.lmdb_journal import LmdbJournal as LmdbJournal
    from persistence.memory_journal import MemoryJournal as MemoryJournal

_HOMES = {
    "faulty_journal": ("Crashed", "FaultyJournal"),
    "journal": (
        "Batch",
        "Damaged",
        "Full",
        "Journal",
        "JournalError",
        "JournalStatistics",
        "Locked",
        "NotOpen",
        "ReadOnly",
        "Stopped",
        "WrongFormat",
    ),
    "lmdb_journal": ("LmdbJournal",),
    "memory_journal": ("MemoryJournal",),
}
_HOME = {name: f"persistence.{home}" for home, names in _HOMES.items() for name in names}
# One list of names is enough, and a test compares it with the imports above.
__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]  # noqa: PLE0605 - see above


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'persistence' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value
