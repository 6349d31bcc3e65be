"""A writer that never rests, for tests that look at a journal meanwhile: in a thread, or as a process.

Each frame says its position and how many batches with rows came before it; a row says how far both went, and
which frame is the first that was not forgotten.  So whoever reads can tell whether it is of one moment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random

from persistence import Journal
from tests.journal.kit import TABLES, lmdb_quick

__all__ = ["see_a_moment", "state", "write"]


def state(journal: Journal) -> tuple[int, int, int]:
    """What the row says: the last position, batches with rows, and the first position."""
    position, rows, first = map(int, (journal.read("rows", b"state") or b"0 0 1").split())
    return position, rows, first


def write(
    journal: Journal, chance: Random, over: Callable[[], bool], told: Callable[[int], object] = lambda _: None
) -> None:
    """Write batches of all kinds until it is over, and tell the position after each."""
    position, rows, first = state(journal)
    for _, frame in journal.frames():
        position, rows = map(int, frame.split()[:2])
    while not over():
        kind = chance.random()
        with journal.write() as batch:
            if kind < 0.9:
                for _ in range(chance.choice([1, 1, 3])):
                    size = chance.choice([10, 900, 3_000])
                    position = batch.append(b"%d %d " % (position + 1, rows) + b"x" * size)
            else:
                rows += 1
                if kind < 0.92:
                    position = batch.append(b"%d %d " % (position + 1, rows))
                elif kind > 0.95:
                    first += batch.forget(position - chance.choice([0, 5, 40]), 1 << 30)
                batch.put("rows", b"state", b"%d %d %d" % (position, rows, first))
        told(position)


def see_a_moment(journal: Journal) -> int:
    """A prefix of the batches: no hole, no row without its frames, no frame without the rows before it."""
    frames = list(journal.frames())
    position, rows, first = state(journal)
    for at, frame in frames:
        assert int(frame.split()[0]) == at
    positions = [at for at, _ in frames]
    last = positions[-1] if positions else position
    assert positions == list(range(first, last + 1))
    assert last >= position, "a row tells of a frame that is not there"
    said = [int(frame.split()[1]) for _, frame in frames]
    assert max(said, default=0) <= rows, "a frame is there that came after a row that is not"
    return last


def _main() -> None:
    path, seed, batches = sys.argv[1:]
    journal = lmdb_quick(path, map_bytes=1 << 20)
    journal.open(TABLES)
    left = iter(range(int(batches)))

    def told(position: int) -> None:
        sys.stdout.write(f"{position}\n")
        sys.stdout.flush()

    write(journal, Random(seed), lambda: next(left, None) is None, told)
    journal.close()


if __name__ == "__main__":
    _main()
