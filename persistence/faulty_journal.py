"""A journal that fails as disks and processes do, in memory, and the same way each time.

Knows which faults there are, and what each may leave behind.  Every fault is named (``fail_at(7)``) or
drawn from the seed, so a run that found a mistake can be repeated.  Nothing waits, and nothing needs a
thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Literal, NamedTuple, NoReturn

from persistence._batch import Collected
from persistence._bounds import full_error
from persistence.journal import Stopped
from persistence.memory_journal import MemoryJournal

__all__ = ["Crashed", "FaultyJournal"]


class Crashed(BaseException):
    """The process is gone: only a test that stands for the world may catch it."""


class _Fault(NamedTuple):
    kind: Literal["crash", "fail", "full", "slow"]
    kept: bool | None = None
    """Whether the disk has the commit afterwards; None is drawn from the seed."""
    for_ever: bool = False


class FaultyJournal(MemoryJournal):
    """The reference, with a plan of what goes wrong.

    Commits are counted from 1, over restarts.  ``crash``, ``fail``, ``full`` and ``slow`` are how likely
    each is at every commit.  With ``fsync=False`` the journal lies: what it acknowledges may be lost, which
    a test that is worth its name notices.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        crash: float = 0.0,
        fail: float = 0.0,
        full: float = 0.0,
        slow: float = 0.0,
        fsync: bool = True,
        on_slow: Callable[[int], object] | None = None,
        quota_bytes: int = 64 << 30,
    ) -> None:
        super().__init__(quota_bytes=quota_bytes)
        self._seed = seed
        self._rates = {"crash": crash, "fail": fail, "full": full, "slow": slow}
        self._chance = Random(seed)  # noqa: S311 - it must repeat, not resist
        self._named: dict[int, _Fault] = {}
        self._failing: _Fault | None = None
        self._fsync = fsync
        self._on_slow = on_slow
        self._stopped = False
        self._durable = 0
        self._notes: list[bytes] = []
        self.full = False
        """While it is set there is no room; what is written all the same is taken, from the reserve."""
        self.crashed = False
        self.history: list[Collected] = []
        """The batches that are on the disk, or that the disk was told to take, in order."""
        self.acknowledged = 0
        """How many commits were reported as done."""

    def __repr__(self) -> str:
        state = "open" if self._is_open else "closed"
        state = "crashed" if self.crashed else "stopped" if self._stopped else state
        return f"<FaultyJournal seed {self._seed}: {state}, {len(self.history)} commits>"

    # ---- the plan ------------------------------------------------------------------------------------

    def crash_at(self, commit: int, *, kept: bool | None = None) -> None:
        """Let the process die in this commit: before it is on the disk (``kept=False``), after, or either."""
        self._name(commit, _Fault("crash", kept))

    def fail_at(self, commit: int, *, kept: bool | None = None, for_ever: bool = False) -> None:
        """Let this commit raise ``Stopped``, and if ``for_ever`` all after it, also when opened again."""
        self._name(commit, _Fault("fail", kept, for_ever))

    def full_at(self, commit: int) -> None:
        """Let this commit raise ``Full``, once: nothing of it is written."""
        self._name(commit, _Fault("full"))

    def slow_at(self, commit: int) -> None:
        """Call ``on_slow`` with the commit's number before it is carried out."""
        self._name(commit, _Fault("slow"))

    def _name(self, commit: int, fault: _Fault) -> None:
        if commit <= len(self.history):
            raise ValueError(f"commit {commit} is over: the next one is {len(self.history) + 1}")
        self._named[commit] = fault

    def _drawn(self) -> _Fault | None:
        # One draw for each kind, whatever comes out: a fault that is taken away leaves the others where
        # they are.
        hits = [kind for kind, rate in self._rates.items() if self._chance.random() < rate]
        return next((_Fault(kind) for kind in ("crash", "fail", "full", "slow") if kind in hits), None)

    # ---- a commit ------------------------------------------------------------------------------------

    def write(self) -> Collected:
        """Write a batch, unless an earlier commit failed."""
        self._must_be_open()
        if self._stopped:
            raise Stopped(
                "this journal takes nothing more: an earlier commit failed\nhint: close it, open it again"
            )
        return super().write()

    def _commit(self, batch: Collected, /) -> None:
        self._must_be_open()
        number = len(self.history) + 1
        fault = self._failing or self._named.pop(number, None) or self._drawn()
        kind = None if fault is None else fault.kind
        if kind == "full":
            raise full_error("this journal", self._bytes_used(), self._quota_bytes)
        if kind == "slow" and self._on_slow is not None:
            self._on_slow(number)
        if fault is not None and kind in {"crash", "fail"}:
            self._go_wrong(fault, batch)
        super()._commit(batch)
        self.history.append(batch)
        self.acknowledged = number
        if self._fsync:
            self._durable = number

    def _go_wrong(self, fault: _Fault, batch: Collected) -> None:
        if fault.kept is not False:
            self.history.append(batch)
        if fault.kept and self._fsync:
            self._durable = len(self.history)
        if fault.kind == "crash":
            self.crash()
        self._stopped = True
        self._failing = fault if fault.for_ever else None
        raise Stopped(
            f"the disk failed, as planned; whether commit {self.acknowledged + 1} is on it is not known\n"
            "hint: close the journal, open it again, and see what is there"
        )

    # ---- what is left of it --------------------------------------------------------------------------

    @property
    def survives(self) -> range:
        """How many commits may be found when it is opened again: each of these numbers is possible."""
        return range(self._durable, len(self.history) + 1)

    def crash(self, *, power: bool = False) -> NoReturn:
        """Let the process die here; with ``power``, its last note may be an earlier one, or none."""
        self.crashed = True
        if power:
            self._text = self._chance.choice([b"", *self._notes])
        raise Crashed(f"after {self.acknowledged} commits that were acknowledged")

    def reopened(self, commits: int | None = None) -> FaultyJournal:
        """A journal, not opened yet, of what survives: drawn from the seed, or exactly so many commits."""
        self.crashed = True
        after = FaultyJournal(
            self._seed, fsync=self._fsync, on_slow=self._on_slow, quota_bytes=self._quota_bytes, **self._rates
        )
        after._chance = self._chance
        after._named = dict(self._named)
        after._failing = self._failing
        after.history = list(self.history)
        after._durable = self._durable
        after._text = self._text
        after._settle(commits)
        return after

    def as_of(self, commits: int) -> MemoryJournal:
        """A journal, not opened yet, that holds the first so many commits and nothing else."""
        return MemoryJournal.holding(self.history[:commits], quota_bytes=self._quota_bytes)

    def _settle(self, commits: int | None = None) -> None:
        """Find out what the disk has."""
        if commits is None:
            commits = self._chance.choice(self.survives)
        if commits not in self.survives:
            raise ValueError(f"{commits} commits cannot survive: it is one of {list(self.survives)}")
        del self.history[commits:]
        self._durable = self.acknowledged = commits
        self._named = {number: fault for number, fault in self._named.items() if number > commits}
        self._stopped = False
        self._hold(self.history)

    # ---- as the reference, while it lives ------------------------------------------------------------

    def open(self, tables: Sequence[str], /) -> None:
        """Open it; after a commit that failed, it turns out now whether that is there."""
        if self.crashed:
            self._must_be_open()
        if self._stopped and not self._is_open:
            self._settle()
        super().open(tables)
        self._notes = [self._text]

    def close(self) -> None:
        """Close it: what was acknowledged is then on the disk, whoever lied."""
        if self._is_open and not self._stopped and not self.crashed:
            self._durable = len(self.history)
        super().close()

    def _must_be_open(self) -> None:
        if self.crashed:
            raise Crashed("this process is gone; reopened() gives the journal of the next one")
        super()._must_be_open()

    def note(self, text: bytes, /) -> None:
        """Keep a note, and remember the earlier ones, for a loss of power."""
        super().note(text)
        self._notes.append(text)

    def room(self) -> int:
        """How many bytes may still be written; none while ``full`` is set."""
        return 0 if self.full else super().room()
