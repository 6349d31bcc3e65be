"""One process that verifies: reads the journal for itself, and takes actors until there are no more.

Knows one setting, in which it was started.  Whoever started it learns from a note whom it is busy with, for
the case that this is what ends it.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

from actorflow.errors import ActorflowError, NondeterminismWarning
from actorflow.testing.verifying import Looked, Verifier
from persistence import JournalError, LmdbJournal

from .failure import NotDone
from .loading import entities_of, limits_of
from .settings import Setting

__all__ = ["NOTE_BYTES", "Task", "main"]

NOTE_BYTES: Final = 512
"""Longer than any path."""


class Task(NamedTuple):
    """What a worker is to do."""

    store: str
    entities: tuple[str, ...]
    limits: str | None
    history: bool
    digest: bool
    setting: Setting


def main(channel_number: int, note: int) -> None:
    """Take a task, then lists of paths; answer each with what came of them, or with why it cannot go on."""
    # Ctrl-C reaches all processes of a terminal: whoever started this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore", NondeterminismWarning)  # said once, by whoever started this one
    os.dup2(2, 1)  # what an application prints while it is imported is no part of a report
    channel: Connection[Any, Any] = Connection(channel_number)
    try:
        _work(channel, note)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        sys.exit()  # nobody is there any more
    except (NotDone, ActorflowError, JournalError, OSError) as error:
        channel.send(str(error.__cause__ or error))


def _work(channel: Connection[Any, Any], note: int) -> None:
    task: Task = channel.recv()
    task.setting.apply()
    journal = LmdbJournal(task.store, read_only=True)
    entities, limits = entities_of(task.entities), limits_of(task.limits)
    verifier = Verifier(journal, entities, limits, history=task.history)
    verifier.open()
    try:
        while True:
            looked: list[Looked] = []
            for path in channel.recv():
                os.pwrite(note, path.ljust(NOTE_BYTES, b"\xff"), 0)
                looked.append(verifier.look(path, digest=task.digest))
            channel.send(looked)
    finally:
        verifier.close()
