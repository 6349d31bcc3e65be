"""Runs the demonstration: starts the process under load, kills it, starts it again, and checks what is there.

``python -m entities.demo``; ``--keep DIRECTORY`` leaves the journal there, to be opened by hand.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

import trio
from attrs import define

from entities.demo import plan
from entities.demo.check import check
from entities.demo.plan import Tally

__all__ = ["Display", "main", "under_load"]

SILENCE_S: Final = 60.0
"""A process under load that says nothing for so long hangs."""
READ_BYTES: Final = 1 << 16
COMPLAINTS_MAX: Final = 20
LIVE_S: Final = 0.25


class Display:
    """A line that moves where there is a terminal, and a line per second where there is none."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty()
        self._began = self._shown = time.perf_counter()
        self._messages = 0

    def say(self, text: str) -> None:
        """Show a line that stays."""
        self._out.write(f"{text}\n")
        self._out.flush()

    def show(self, messages: int, *, last: bool = False) -> None:
        """Show how far it is; a moving line comes to rest at the last."""
        now = time.perf_counter()
        passed = now - self._shown
        if last or passed >= (LIVE_S if self._live else 1.0):
            rate = (messages - self._messages) / max(passed, 1e-9)
            line = f"  {now - self._began:5.1f} s  {messages:>9,} acknowledged  {rate:>8,.0f} per second"
            self._out.write(f"\r{line}" if self._live else f"{line}\n")
            self._shown, self._messages = now, messages
            if self._live and last:
                self._out.write("\n")
            self._out.flush()


@define
class Stretch:
    """How one process under load went."""

    messages: int = 0
    seconds: float = 0.0
    """From its first acknowledgement to its last."""
    opened_s: float = 0.0
    """From before the journal was opened to the first answer."""
    started_s: float = 0.0
    """From its start, Python's own included, to the first message that somebody was waiting to send."""
    code: int = 0


def under_load(directory: str, tally: Tally, display: Display, seconds: float, *, kill: bool) -> Stretch:
    """Let a process work for so long, counting what it says; if it is to be killed, then in the middle."""
    began = time.perf_counter()
    line = [sys.executable, "-m", "entities.demo.load", directory, str(seconds + SILENCE_S * kill)]
    process = subprocess.Popen(line, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - ours
    assert process.stdin is not None, "it is a pipe"
    assert process.stdout is not None, "it is a pipe"
    process.stdin.write(json.dumps(tally.done).encode())
    process.stdin.close()
    stretch = Stretch()
    before = tally.messages
    first = last = 0.0
    rest = b""
    while data := _read(process.stdout.fileno()):
        data = rest + data
        whole = len(data) - len(data) % plan.RECORD.size
        rest = data[whole:]
        for caller, number, taken, micros in plan.RECORD.iter_unpack(data[:whole]):
            if caller == plan.OPENED:
                stretch.opened_s = micros / 1e6
            else:
                tally.take(caller, number, micros, taken=taken)
        if tally.messages > before:
            last = time.perf_counter()
            first = first or last
        if kill and first and last >= first + seconds:
            process.kill()
            kill = False
        display.show(tally.messages)
    process.kill()  # which does nothing to one that has ended
    stretch.code = process.wait()
    process.stdout.close()
    display.show(tally.messages, last=True)
    stretch.messages = tally.messages - before
    stretch.seconds, stretch.started_s = last - first, first - began
    return stretch


def _read(pipe: int) -> bytes:
    """What is in the pipe; nothing at its end, or if it stays silent."""
    ready, _, _ = select.select([pipe], [], [], SILENCE_S)
    return os.read(pipe, READ_BYTES) if ready else b""


def demonstrate(directory: str, seconds: float, out: TextIO) -> int:
    """Load, kill, start again, check; gives the exit code."""
    display, tally = Display(out), Tally()
    senders = plan.CALLERS - plan.CARTS
    display.say(f"{plan.CARTS} callers fill carts, {senders} send money between {plan.ACCOUNTS} accounts")
    first = under_load(directory, tally, display, seconds, kill=True)
    display.say("kill -9, and started again on the same directory")
    second = under_load(directory, tally, display, seconds, kill=False)

    wrong = trio.run(check, directory, tally)
    if first.code != -signal.SIGKILL:
        wrong.append(f"the first process ended with {first.code} before it was killed")
    if second.code != 0:
        wrong.append(f"the second process ended with {second.code}")
    if not (first.messages and second.messages):
        wrong.append(
            f"acknowledged were {first.messages} messages before the kill, {second.messages} after it"
        )
    for line in wrong[:COMPLAINTS_MAX]:
        display.say(f"  WRONG     {line}")
    if not wrong:
        display.say(f"  messages  {tally.messages:,} acknowledged: each is there, once, in its order")
        display.say(f"  books     {sum(tally.balances):,} cents in all accounts: what was put in")
    per_second = tally.messages / max(first.seconds + second.seconds, 1e-9)
    display.say(
        f"  speed     {per_second:,.0f} messages per second, each on the disk before it is acknowledged"
    )
    display.say(
        f"  waiting   {tally.wait(0.5):.1f} ms for an acknowledgement (p50), {tally.wait(0.99):.1f} ms (p99)"
    )
    display.say(
        f"  recovery  {1e3 * second.opened_s:.0f} ms from opening the journal to the first answer; "
        f"{second.started_s:.1f} s from starting Python to full load"
    )
    display.say(f"{len(wrong)} things are wrong" if wrong else "nothing was lost, nothing was repeated")
    return 1 if wrong else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, and demonstrate."""
    parser = argparse.ArgumentParser(
        prog="python -m entities.demo",
        description="Carts and accounts under load, in a process that is killed and comes back.",
    )
    parser.add_argument("--seconds", type=float, default=7.0, help="of load, before the kill and after it")
    parser.add_argument("--keep", metavar="DIRECTORY", help="a new directory, in which to leave the journal")
    given = parser.parse_args(argv)
    if given.keep is not None:
        if Path(given.keep).exists():
            parser.error(f"{given.keep} is there already")
        return demonstrate(given.keep, given.seconds, sys.stdout)
    with tempfile.TemporaryDirectory(prefix="actorflow-demo-") as directory:
        return demonstrate(str(Path(directory, "journal")), given.seconds, sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
