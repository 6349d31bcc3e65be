"""Several processes that verify one journal: who gets which actors, and what comes of them, in order.

A process that dies takes nobody along but the actor it was busy with; nor does one that is ended because that
actor takes too long.  What is in memory is bounded, however many actors there are.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Final, Self

from attrs import define, field

from actorflow._runtime.tables import address_of, name_of
from actorflow.testing.report import DIED, DIFFERS, ENDLESS, Finding
from actorflow.testing.verifying import Looked

from .failure import NotDone
from .settings import AS_IT_IS, Setting
from .worker import NOTE_BYTES, STACK_BYTES, TELLS, Task, place_of

__all__ = ["Crew"]

ACTORS_AT_ONCE: Final = 200
"""The longest list that a process takes; of few actors shorter ones, or some processes would have none."""
AHEAD: Final = 4
"""So many lists for each process may be under way, or wait for an earlier one."""
DEATHS_MAX: Final = 100
ENDLESS_MAX: Final = 20
"""Each of these has taken all the time that one may: so many, and nobody waits for more."""
A_MOMENT_S: Final = 0.01
GLANCE_S: Final = 0.5
"""How often it is looked whether somebody takes too long."""
NO_MORE: Final[tuple[int, list[bytes]]] = 0, []
PATIENCE_S: Final = 3.0
"""How long a process may take to end."""


class Worker:
    """A process, as whoever started it has it."""

    def __init__(self, task: Task) -> None:
        self.setting = task.setting
        self.part: Part | None = None
        """What it is busy with."""
        self._busy: tuple[bytes, float] = b"", 0.0
        """Whom it was seen to be busy with, and since when."""
        self._note = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self.channel: Connection[Any, Any]
        self.channel, theirs = Pipe()
        # First our own modules, from where this process has them; only then the application's directory comes
        # in front, which may have a folder of its own named persistence.
        code = (
            f"import sys; sys.path[:] = {sys.path[1:]!r}; from actorflow._cli.worker import main; "
            f"sys.path[:] = {sys.path!r}; main({theirs.fileno()}, {self._note.fileno()})"
        )
        self._process = subprocess.Popen(  # noqa: S603 - this Python, and our own line
            [sys.executable, "-c", code],
            env=task.setting.environment(),
            pass_fds=(theirs.fileno(), self._note.fileno()),
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self.channel.send(task)

    def give(self, part: Part) -> None:
        """Let it look at these actors."""
        self.part = part
        os.ftruncate(self._note.fileno(), 0)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # found when it is listened to
            self.channel.send(part.paths)

    def busy_with(self) -> bytes:
        """Whom it was at when it died; nobody if it had not begun."""
        return os.pread(self._note.fileno(), NOTE_BYTES, 0).rstrip(b"\xff")

    def overdue(self, timeout: float) -> bytes:
        """With whom it was seen to be busy for longer than this; nobody if it was not."""
        path, now = self.busy_with(), time.monotonic()
        if path != self._busy[0]:
            self._busy = path, now
        return path if now - self._busy[1] > timeout else b""

    def stop(self) -> str:
        """End it at once; says where it was."""
        self._process.send_signal(TELLS)
        until = time.monotonic() + PATIENCE_S
        told, before = b"", b""
        while (not told or told != before) and time.monotonic() < until:
            time.sleep(A_MOMENT_S)
            told, before = os.pread(self._note.fileno(), STACK_BYTES, NOTE_BYTES), told
        self._process.kill()
        self.end()
        return place_of(told.decode(errors="replace"))

    def end(self) -> int:
        """Have it end; gives how it did."""
        self.channel.close()
        try:
            # Of itself, if it can: one that is killed while it reads stays in LMDB's table of readers.
            return self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self._note.close()


@define
class Part:
    """Some actors to be looked at under one setting."""

    number: int
    """Of the list they belong to."""
    setting: Setting
    paths: list[bytes]


@define
class Gathered:
    """What has come of a list of actors so far."""

    paths: list[bytes]
    looked: dict[Setting, dict[bytes, Looked]] = field(factory=dict[Setting, dict[bytes, Looked]])

    @property
    def complete(self) -> bool:
        return all(len(found) == len(self.paths) for found in self.looked.values())


class Crew:
    """The processes."""

    def __init__(
        self, task: Task, settings: Sequence[Setting], jobs: int, actors: int, timeout: float
    ) -> None:
        self._task = task
        self._timeout = timeout
        self._glance = min(GLANCE_S, timeout / 4)
        self._at_once = max(1, min(ACTORS_AT_ONCE, actors // (jobs * AHEAD)))
        self._settings = (AS_IT_IS, *settings)
        self._jobs = jobs
        self._of_each = -(-jobs // len(self._settings))
        self._workers: list[Worker] = []
        self._parts: deque[Part] = deque()
        self._gathered: dict[int, Gathered] = {}
        self._deaths = self._endless = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave no process behind."""
        for worker in self._workers:
            worker.channel.close()
        for worker in self._workers:
            worker.end()

    def look(self, paths: Iterable[bytes]) -> Iterator[Looked]:
        """Have all of these actors looked at; gives what came of each, in their order."""
        lists = enumerate(_lists(paths, self._at_once))
        told = 0
        more = True
        while True:
            while more and len(self._gathered) < AHEAD * self._jobs:
                number, chosen = next(lists, NO_MORE)
                more = bool(chosen)
                if more:
                    self._gathered[number] = Gathered(chosen, {setting: {} for setting in self._settings})
                    self._parts += (Part(number, setting, chosen) for setting in self._settings)
            if not self._gathered:
                return
            self._hand_out()
            self._listen()
            while told in self._gathered and self._gathered[told].complete:
                yield from _compared(self._gathered.pop(told), self._settings)
                told += 1

    def _hand_out(self) -> None:
        busy = sum(worker.part is not None for worker in self._workers)
        for part in list(self._parts):
            if busy >= self._jobs:
                return
            worker = self._idle(part.setting)
            if worker is not None:
                self._parts.remove(part)
                worker.give(part)
                busy += 1

    def _idle(self, setting: Setting) -> Worker | None:
        """A process of this setting that has nothing to do; none if there are enough and all are busy."""
        there = [worker for worker in self._workers if worker.setting == setting]
        for worker in there:
            if worker.part is None:
                return worker
        if len(there) >= self._of_each:
            return None
        worker = Worker(self._task._replace(setting=setting))
        self._workers.append(worker)
        return worker

    def _listen(self) -> None:
        busy = {worker.channel: worker for worker in self._workers if worker.part is not None}
        for channel in wait(list(busy), self._glance):
            worker = busy[channel]  # type: ignore[index]
            try:
                answer: list[Looked] | str = worker.channel.recv()
            except (EOFError, ConnectionResetError):
                self._died(worker)
                continue
            if isinstance(answer, str):
                raise NotDone(answer)
            part, worker.part = worker.part, None
            assert part is not None, "whoever is listened to is busy"
            self._gathered[part.number].looked[part.setting].update(zip(part.paths, answer, strict=True))
        for worker in busy.values():
            if worker.part is not None and worker in self._workers:
                path = worker.overdue(self._timeout)
                if path:
                    self._takes_too_long(worker, path)

    def _died(self, worker: Worker) -> None:
        """Report the actor that a process died of, and have the others looked at again."""
        self._workers.remove(worker)
        path = worker.busy_with()
        code = worker.end()
        part = worker.part
        self._deaths += 1
        assert part is not None, "whoever is listened to is busy"
        if path not in part.paths:
            raise NotDone(f"a process that was to verify ended with {code} before it began")
        if self._deaths > DEATHS_MAX:
            raise NotDone(
                f"{DEATHS_MAX} actors have ended the process that replayed them; the last is {name_of(path)}"
            )
        self._without(worker, path, _death(path, code))

    def _takes_too_long(self, worker: Worker, path: bytes) -> None:
        """End a process whose actor does not come to an end, and report that one."""
        self._workers.remove(worker)
        place = worker.stop()
        self._endless += 1
        if self._endless > ENDLESS_MAX:
            were = f"{ENDLESS_MAX} actors were not made again within {self._timeout:g} s"
            raise NotDone(f"{were}, and still others; the last is {name_of(path)}: {place}")
        self._without(worker, path, _endless(path, self._timeout, place))

    def _without(self, worker: Worker, path: bytes, finding: Finding) -> None:
        """Go on without a process that is gone, and without the actor it was busy with."""
        part = worker.part
        assert part is not None, "whoever is listened to is busy"
        at = part.paths.index(path)
        self._gathered[part.number].looked[part.setting][path] = Looked(0, (finding,))
        for rest in (part.paths[at + 1 :], part.paths[:at]):
            if rest:
                self._parts.appendleft(Part(part.number, part.setting, rest))


def _lists(paths: Iterable[bytes], at_once: int) -> Iterator[list[bytes]]:
    chosen: list[bytes] = []
    for path in paths:
        chosen.append(path)
        if len(chosen) == at_once:
            yield chosen
            chosen = []
    if chosen:
        yield chosen


def _death(path: bytes, code: int) -> Finding:
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    entity, key = address_of(path)
    fact = f"{name_of(path)} ended the process that replayed it: {how}"
    hint = "a handler must not end the process, recurse without end, or take all memory"
    return Finding(entity, key, DIED, "Died", fact, hint)


def _endless(path: bytes, seconds: float, place: str) -> Finding:
    entity, key = address_of(path)
    where = f": it was at {place}" if place else ""
    fact = f"{name_of(path)} was not made again within {seconds:g} s{where}"
    hint = "a handler must come to its end; where it only takes long, give it more time with --timeout"
    return Finding(entity, key, ENDLESS, "Endless", fact, hint)


def _compared(gathered: Gathered, settings: Sequence[Setting]) -> Iterator[Looked]:
    """What came of each actor as things are, with what was otherwise under other settings."""
    for path in gathered.paths:
        all_looked = {setting: gathered.looked[setting][path] for setting in settings}
        looked = all_looked[AS_IT_IS]
        if len(settings) == 1:
            yield looked
        else:
            yield looked._replace(findings=tuple(_together(path, all_looked)))


def _together(path: bytes, all_looked: dict[Setting, Looked]) -> Iterator[Finding]:
    seen: dict[tuple[str, ...], tuple[Finding, list[str]]] = {}
    for setting, looked in all_looked.items():
        for finding in looked.findings:
            seen.setdefault(finding.cause, (finding, []))[1].append(setting.name)
    for finding, names in seen.values():
        yield finding if len(names) == len(all_looked) else finding.only_under(tuple(names))
    base = all_looked[AS_IT_IS]
    other = [
        setting.name
        for setting, looked in all_looked.items()
        # A process that writes the journal may have let the actor go on between two looks.
        if looked.digest != base.digest and looked.stand == base.stand and looked.digest and base.digest
    ]
    if other:
        entity, key = address_of(path)
        fact = f"{name_of(path)}: its state comes out otherwise"
        hint = (
            "in a handler nothing may depend on the order of a set, local time, or when garbage is collected"
        )
        yield Finding(entity, key, DIFFERS, "NondeterminismError", fact, hint).only_under(tuple(other))
