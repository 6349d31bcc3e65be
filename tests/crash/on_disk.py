"""A journal as it lies on the disk: which files are its own, and what a loss of power may leave of them.

Knows the order in which a commit reaches the disk.  A commit of LMDB is its pages and then its meta page, and
log files are removed behind it; a commit into a log file is one write, of which any sectors may be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Final

from persistence._directory import DATA, LOG_FILE, NOTE
from tests.journal.kit import SECTOR, torn

__all__ = ["Files", "bytes_long", "filed", "is_log_file", "left_of", "lies", "read"]

Files = Mapping[str, bytes]
"""The files of a journal by name, without LMDB's table of readers and the lock: those name processes."""


SIGNS_BYTES: Final = 16
"""That a log file begins with when it is made; the rest is zeros."""


def is_log_file(name: str) -> bool:
    """Whether this is one that frames are written into."""
    return name.startswith(LOG_FILE)


def read(journal: Path, before: Files | None = None) -> Files:
    """What lies there; what is as it was before is not held twice."""
    if not journal.exists():
        return {}
    names = [entry.name for entry in journal.iterdir()]
    files = {
        name: (journal / name).read_bytes() for name in names if name in (DATA, NOTE) or is_log_file(name)
    }
    known = before or {}
    return {name: known[name] if known.get(name) == data else data for name, data in files.items()}


def lies(files: Files, journal: Path) -> None:
    """Have these files lie in a directory, which is made, and no others."""
    journal.mkdir(mode=0o700, exist_ok=True)
    for entry in journal.iterdir():
        entry.unlink()
    for name, data in files.items():
        (journal / name).write_bytes(data)


def bytes_long(journal: Path) -> int:
    """How long the files are in which its data is."""
    return sum(
        entry.stat().st_size for entry in journal.iterdir() if entry.name == DATA or is_log_file(entry.name)
    )


def filed(before: Files, after: Files) -> str:
    """The log file that was written between the two; empty if there is none."""
    return "".join(name for name in after if is_log_file(name) and after[name] != before.get(name))


def left_of(before: Files, after: Files, chance: Random) -> dict[str, Files]:
    """What may be there when the power fails in the commit between the two, by how far it had come."""
    if name := filed(before, after):
        assert before[DATA] == after[DATA], "a batch goes to one of the two"
        return _left_of_record(before, after, name, chance)

    def pages(share: float) -> Files:
        return {**before, DATA: torn(before[DATA], after[DATA], chance, share)}

    removed = [name for name in before if name not in after]
    return {
        "before its pages": pages(0.0),
        "within its pages": pages(chance.random()),
        "behind its pages": pages(1.0),
        "behind its meta page": {**before, **after},
        "while log files are removed": {
            **after,
            **{name: before[name] for name in removed if chance.random() < 0.5},
        },
    }


def _left_of_record(before: Files, after: Files, name: str, chance: Random) -> dict[str, Files]:
    new = after[name]
    made = new[:SIGNS_BYTES].ljust(len(new), b"\0")
    old = before.get(name, made)
    changed = [at for at in range(0, len(new), SECTOR) if new[at : at + SECTOR] != old[at : at + SECTOR]]
    share, missing = chance.random(), chance.choice(changed)
    some = [at for at in changed if chance.random() < share]
    most = [at for at in changed if at != missing]
    left = {
        "before its sectors": before,
        "within its sectors": {**before, name: _with_sectors(old, new, some)},
        "but for a sector": {**before, name: _with_sectors(old, new, most)},
        "behind its sectors": after,
    }
    if name not in before:
        begun = made if chance.random() < 0.5 else bytes(len(new))
        left["while its file is made"] = {**before, name: begun[: chance.randrange(len(new) + 1)]}
        left["behind its making"] = {**before, name: made}
    return left


def _with_sectors(old: bytes, new: bytes, places: Iterable[int]) -> bytes:
    image = bytearray(old)
    for at in places:
        image[at : at + SECTOR] = new[at : at + SECTOR]
    return bytes(image)
