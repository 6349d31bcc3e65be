"""A module that entities only call, and that asks the machine."""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from collections.abc import Generator
from datetime import datetime
from pathlib import Path


def clock() -> float:
    """What time it is here."""
    return time.time()


def chance() -> int:
    """A number that nobody knows."""
    return random.randint(0, 1 << 30)


def environment() -> str:
    """What somebody has set here."""
    return os.environ.get("HOME", "")


def identity(thing: object) -> int:
    """Where it lies."""
    return id(thing)


def text_hash(text: str) -> int:
    """Another in every process."""
    return hash(text) % 1_000


def reading() -> str:
    """What is in a file here."""
    return Path(__file__).read_text("utf-8")[:10]


def zone() -> int:
    """The hour on the wall here."""
    return datetime.fromtimestamp(0).hour  # noqa: DTZ006 - the point


def thread(done: list[int]) -> None:
    """Work beside the handler."""
    worker = threading.Thread(target=done.append, args=(1,))
    worker.start()
    worker.join()


def name() -> str:
    """A name that nobody else has."""
    return str(uuid.uuid4())


class _Elsewhere:
    def __await__(self) -> Generator[str, None, None]:
        yield "to somebody else's loop"


async def pause() -> None:
    """Wait for what no actor can be given."""
    await _Elsewhere()
