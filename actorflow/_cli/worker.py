"""One process that verifies: reads the journal for itself, and takes actors until there are no more.

Knows one setting, in which it was started.  Whoever started it learns from a note whom it is busy with, for
the case that this is what ends it, and may ask where it is: it tells behind the note, whatever it is at.
"""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import sys
import sysconfig
import warnings
from multiprocessing.connection import Connection
from pathlib import PurePath
from typing import Any, Final, NamedTuple

import actorflow
from actorflow.errors import ActorflowError, NondeterminismWarning
from actorflow.testing.verifying import Looked, Verifier
from persistence import JournalError, LmdbJournal

from .failure import NotDone
from .loading import entities_of, limits_of
from .settings import Setting

__all__ = ["NOTE_BYTES", "STACK_BYTES", "TELLS", "Task", "main", "place_of"]

OURS: Final = PurePath(actorflow.__file__).parent

NOTE_BYTES: Final = 512
"""Longer than any path."""


STACK_BYTES: Final = 16_384
"""As much as is read of where it is."""
TELLS: Final = signal.SIGUSR1
"""It tells where it is."""


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
    os.lseek(note, NOTE_BYTES, os.SEEK_SET)
    faulthandler.register(TELLS, note, all_threads=False)
    os.dup2(2, 1)  # what an application prints while it is imported is no part of a report
    channel: Connection[Any, Any] = Connection(channel_number)
    try:
        _work(channel, note)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        sys.exit()  # nobody is there any more
    except (NotDone, ActorflowError, JournalError, OSError) as error:
        channel.send(str(error.__cause__ or error))


def place_of(stack: str) -> str:
    """Where the code of an application is, according to a stack; of several places the innermost."""
    others = [OURS, *(PurePath(sysconfig.get_path(name)) for name in ("stdlib", "purelib"))]
    for file, line, function in re.findall(r'File "(.*)", line (\d+) in (.*)', stack):
        path = PurePath(file)
        if path.is_absolute() and not any(other in path.parents for other in others):
            return f"{path.name}:{line}, in {function}"
    return ""


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
