"""The process that is made to fail: ``python -m tests.crash.workload JOURNAL LOG SEED``.

Many callers at once send signals, updates and batches to boxes, accounts and carts; timers fire, children
live, lives end and begin again.  What they say is in the log, from which the next process learns what this
one was about.  On standard output there is a beat for each acknowledgement: whoever kills it can count.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

import attrs
import trio

from actorflow import Limits, Runtime

from .callers import ACCOUNTS, OPENING, Caller
from .controls import CONTROLS
from .fatal import FatalJournal
from .innocents import readmit_innocents
from .said import Message, Said, Voice
from .village import VILLAGE

__all__ = ["LIMITS", "run"]

CALLERS: Final = 12
BEAT_S: Final = 0.01

SMALL: Final = Limits(
    resident_actors=8,
    log_bytes=20_000,
    continue_records=60,
    history_messages=80,
    history_age=timedelta(seconds=1),
)
"""Everything happens within seconds: checkpoints, snapshots, passivation, continuation, retention."""
LIMITS: Final = {
    "small": SMALL,
    "kept": attrs.evolve(SMALL, history_messages=1_000_000, history_age=timedelta(days=30), log_bytes=60_000),
    "usual": Limits(),
}


async def run(options: argparse.Namespace) -> None:
    """Open the journal, and let all callers work until they are done, or somebody stops them."""
    log = Path(options.log)
    said = Said.read(log)
    voice = Voice(log, sys.stdout.fileno() if options.pulse else None)
    journal = FatalJournal(
        options.journal, options.die, quota_bytes=options.quota, durability=options.durability
    )
    kinds = dict.fromkeys(options.only.split(","), 1) if options.only else None
    voice.say(("mark", "opening"))
    async with Runtime(journal, entities=VILLAGE, limits=LIMITS[options.limits]) as runtime:
        with trio.CancelScope() as everything:
            async with trio.open_nursery() as nursery:
                if options.stop_when_told:
                    await nursery.start(stop_when_told, everything)
                voice.say(("mark", "Open"))
                await readmit_innocents(runtime)
                await open_accounts(runtime, said, voice)
                seed = f"{options.seed} {len(said.sent)}"
                callers = [
                    Caller(f"c{n}", Random(f"{seed} {n}"), said, voice) for n in range(options.callers)
                ]
                if options.heartbeat:
                    nursery.start_soon(beat, voice)
                async with trio.open_nursery() as work:
                    for caller in callers:
                        work.start_soon(partial(caller.work, kinds=kinds), runtime, options.messages)
                nursery.cancel_scope.cancel()
        voice.say(("mark", "closing"))
        journal.closing = True
    voice.say(("mark", "Closed"))


async def open_accounts(runtime: Runtime, said: Said, voice: Voice) -> None:
    """Pay in what accounts begin with, unless that was done."""
    for key in ACCOUNTS:
        message = Message(f"opening-{key}", "bank", "Account", key, "deposit", 0, True, [OPENING])
        if message.id not in said.done:
            caller = Caller("bank", Random(0), Said(), voice)
            await caller._send(runtime, message)


async def stop_when_told(everything: trio.CancelScope, task_status: trio.TaskStatus[None]) -> None:
    """End in good order when somebody says so; who says it twice is in a hurry, and ends the process."""
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            everything.cancel()
            return


async def beat(voice: Voice) -> None:
    """Say how long the loop was not to be reached."""
    before = trio.current_time()
    while True:
        await trio.sleep(BEAT_S)
        now = trio.current_time()
        if now - before > 10 * BEAT_S:
            voice.say(("late", now - before - BEAT_S))
        before = now


def main(argv: Sequence[str] | None = None) -> int:
    """Read what to do, and do it."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.workload", description=__doc__)
    parser.add_argument("journal")
    parser.add_argument("log")
    parser.add_argument("seed")
    parser.add_argument("--pulse", action="store_true", help="beat on standard output")
    parser.add_argument("--callers", type=int, default=CALLERS)
    parser.add_argument("--messages", type=int, default=1_000_000, help="of each caller")
    parser.add_argument("--only", default="", help="what they do, as in put,again")
    parser.add_argument("--quota", type=int, default=64 << 30, help="bytes")
    parser.add_argument("--limits", choices=LIMITS, default="small")
    parser.add_argument("--durability", choices=("power", "process"), default="power")
    parser.add_argument("--die", default="", help="as in before-commit:7; see fatal.py")
    parser.add_argument("--control", choices=CONTROLS, help="break a promise on purpose")
    parser.add_argument("--heartbeat", action="store_true")
    parser.add_argument("--stop-when-told", action="store_true", help="by SIGTERM")
    options = parser.parse_args(argv)
    logging.disable()
    if options.control:
        CONTROLS[options.control]()
    try:
        trio.run(run, options)
    except BaseException as error:  # noqa: BLE001 - a program says why it ends
        return _told(error)
    return 0


def _told(error: BaseException) -> int:
    """Say on standard error why it has ended, as an application would."""
    causes: list[BaseException] = [error]
    for one in causes:
        if isinstance(one, BaseExceptionGroup):
            causes += one.exceptions
        elif isinstance(one, KeyboardInterrupt):
            sys.stderr.write("interrupted\n")
            return 130
        else:
            sys.stderr.write(f"{type(one).__name__}: {one}\n")
    return 3


if __name__ == "__main__":
    code = main()
    sys.exit(code)
