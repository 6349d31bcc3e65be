"""What the tests of journals share: the kinds there are, processes of their own, and what is held.

Knows nothing of pytest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple

from persistence import FaultyJournal, Journal, LmdbJournal, MemoryJournal
from persistence._directory import DATA, LOG_FILE
from tests.tidy.house import ROOT

TABLES = ("rows", "others")
PAGE, SECTOR = 4096, 512
PATIENCE = 30
"""Seconds after which a child is taken to hang."""


def lmdb_quick(path: Path | str, *, quota_bytes: int = 64 << 30, map_bytes: int = 1 << 30) -> LmdbJournal:
    """One that leaves the syncs out, for tests in which no power fails."""
    return LmdbJournal(path, quota_bytes=quota_bytes, map_bytes=map_bytes, durability="process")


class Kind(NamedTuple):
    """One way to keep a journal; ``again`` makes what the next process would open."""

    name: str
    make: Callable[[Path], Journal]
    again: Callable[[Path, Journal], Journal]


KINDS = [
    Kind("lmdb", LmdbJournal, lambda path, _: LmdbJournal(path)),
    Kind("memory", lambda _: MemoryJournal(), lambda _, journal: journal),
    Kind("faulty", lambda _: FaultyJournal(), lambda _, journal: journal),
]


class Held(NamedTuple):
    """Everything in a journal, to be compared."""

    frames: list[tuple[int, bytes]]
    tables: dict[str, list[tuple[bytes, bytes]]]


def held(journal: Journal, tables: tuple[str, ...] = TABLES) -> Held:
    """Read it all."""
    rows = {table: journal.scan(table, b"", None, at_most=1 << 30) for table in tables}
    return Held(list(journal.frames()), rows)


def append(journal: Journal, *frames: bytes) -> int:
    """Commit these frames together; gives the position of the last."""
    position = 0
    with journal.write() as batch:
        for frame in frames:
            position = batch.append(frame)
    return position


def opened(path: Path) -> LmdbJournal:
    """One that leaves the syncs out, opened."""
    journal = lmdb_quick(path)
    journal.open(TABLES)
    return journal


def with_a_row(journal: LmdbJournal, *frames: bytes) -> None:
    """Commit these frames where frames alone do not go: in LMDB."""
    with journal.write() as batch:
        for frame in frames:
            batch.append(frame)
        batch.put("rows", b"row", frames[-1][:10])


def forget(journal: LmdbJournal, position: int) -> None:
    """Forget all frames up to this one."""
    with journal.write() as batch:
        batch.forget(position, 1 << 30)


def lmdb_positions(journal: LmdbJournal) -> set[int]:
    """Of the frames that are in LMDB."""
    store = journal._opened()
    with store.env.begin(store._log) as txn, txn.cursor() as cursor:
        return {int.from_bytes(key, "big") for key in cursor.iternext(values=False)}


def logs(path: Path) -> dict[str, bytes]:
    """The log files in a directory, and what they hold."""
    return {entry.name: entry.read_bytes() for entry in path.iterdir() if entry.name.startswith(LOG_FILE)}


def crashed(path: Path, to: Path) -> LmdbJournal:
    """What a journal that is open would leave if its process died now, in a directory of its own."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(mode=0o700)
    for name, data in {DATA: (path / DATA).read_bytes(), **logs(path)}.items():
        (to / name).write_bytes(data)
    return lmdb_quick(to)


def _pages(image: bytes) -> Iterator[bytes]:
    for at in range(0, len(image), PAGE):
        yield image[at : at + PAGE]


def torn(before: bytes, after: bytes, chance: Random, share: float) -> bytes:
    """The old image with a part of the new pages in it, some of them with a part of their sectors."""
    length = chance.choice([len(before), len(after)])
    image = bytearray(before.ljust(length, b"\0")[:length])
    for number, page in enumerate(_pages(after)):
        at = number * PAGE
        if number < 2 or at >= length or page == before[at : at + PAGE] or chance.random() > share:
            continue
        torn = chance.random() < 0.5
        for sector in range(0, PAGE, SECTOR):
            if not torn or chance.random() < 0.5:
                image[at + sector : at + sector + SECTOR] = page[sector : sector + SECTOR]
    return bytes(image)


def torn_sectors(before: bytes, after: bytes, chance: Random, share: float) -> bytes:
    """The old file, with zeros behind it, and a part of the sectors that differ in the new one."""
    image = bytearray(before.ljust(len(after), b"\0"))
    for at in range(0, len(after), SECTOR):
        if image[at : at + SECTOR] != after[at : at + SECTOR] and chance.random() < share:
            image[at : at + SECTOR] = after[at : at + SECTOR]
    return bytes(image)


def child(
    code: str,
    *argv: object,
    env: Mapping[str, str] | None = None,
    before: tuple[str, ...] = (),
    preexec: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, and do not wait for ever."""
    command = [*before, sys.executable, "-c", code, *map(str, argv)]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        preexec_fn=preexec,
    )


def at_work(code: str, *argv: object) -> subprocess.Popen[str]:
    """Start a program in a process of its own, to be talked with while it runs."""
    command = [sys.executable, "-c", code, *map(str, argv)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def told(done: subprocess.CompletedProcess[str]) -> str:
    """What a child printed; it must not have failed."""
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()
