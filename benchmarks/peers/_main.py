"""A system's own process: has the system, asks it everything, and says each answer in a line of JSON.

Runs in the system's environment, and so imports nothing but the standard library.  Whoever started it may be
gone: then it ends, and what it started with it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.peers import _work

Serve = Callable[[Path, Callable[[_work.System], Awaitable[None]]], Awaitable[None]]
"""Has a system in a directory, and hands it over; when that returns, the system is to end."""


def tell(**said: object) -> None:
    """A line to whoever started us."""
    print(json.dumps(said), flush=True)


def answer_all(
    argv: Sequence[str] | None,
    serve: Serve,
    run: Callable[[Callable[[], Coroutine[object, object, None]]], object] = lambda main: asyncio.run(main()),
) -> None:
    """What each system's ``main`` does: have it in a directory of its own, and ask it everything."""
    parser = argparse.ArgumentParser(description="Ask one system; prints a line of JSON for each answer.")
    parser.add_argument("--size", choices=sorted(_work.SIZES), default="small")
    parser.add_argument(
        "--led", action="store_true", help="end when standard input does: who started us is gone"
    )
    told = parser.parse_args(argv)
    size = _work.SIZES[told.size]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if told.led:
        threading.Thread(target=_end_with_the_leader, daemon=True).start()

    async def drive(system: _work.System) -> None:
        tell(system=system.name, version=system.version, durability=system.durability)
        for question in size.questions:
            tell(asks=question.name)
            if question.kind in system.cannot:
                tell(cannot=question.name, reason=system.cannot[question.kind])
            else:
                tell(**asdict(await _work.ask(system, question, size.seconds)))
        tell(end=True)

    async def main() -> None:
        with TemporaryDirectory(prefix="bench-peers-") as directory:
            await serve(Path(directory), drive)

    run(main)


def _end_with_the_leader() -> None:
    while os.read(0, 4096):  # not sys.stdin, whose lock the interpreter wants when it ends
        pass
    os.killpg(0, signal.SIGTERM)  # this process and what it started; whoever leads began a group for them
    time.sleep(10)
    os.killpg(0, signal.SIGKILL)
