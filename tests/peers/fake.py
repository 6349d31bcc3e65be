"""A system of one dictionary, which the driver can be pointed at; ``FAKE`` says how it misbehaves.

Runs as a process of its own, as a peer does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from benchmarks.peers import _main, _work
from benchmarks.peers._work import SIGNALS, STEPS, TASKS, UPDATES, Question, Size

QUESTIONS = (
    Question(SIGNALS, 1, 20),
    Question(SIGNALS, 8, 3),
    Question(UPDATES, 1, 20),
    Question(STEPS, 2, 4),
    Question(TASKS, 1, 5),
)


class Fake(_work.System):
    """Keeps everything in memory."""

    name = "fake"
    version = "1"
    durability = "none at all"

    def __init__(self, mistake: str = "") -> None:
        self.mistake = mistake
        self.carts: dict[str, _work.Contents] = {}
        self.sent = 0

    async def add_item(self, cart: str, sku: str, quantity: int, cents: int) -> None:
        self.sent += 1
        if self.mistake == "loses one" and self.sent == 30:
            return
        items = self.carts.setdefault(cart, {})
        held, _ = items.get(sku, (0, 0))
        items[sku] = (held + quantity, cents)
        if self.mistake == "repeats one" and self.sent == 30:
            items[sku] = (held + 2 * quantity, cents)

    async def put(self, cart: str, sku: str, quantity: int, cents: int) -> int:
        await self.add_item(cart, sku, quantity, cents)
        answer = sum(quantity * cents for quantity, cents in self.carts[cart].values())
        return answer + (self.mistake == "answers wrong")

    async def contents(self, cart: str) -> _work.Contents:
        return self.carts[cart]

    async def steps(self, key: str, times: int) -> int:
        return sum(range(times)) + (self.mistake == "skips a step")

    async def tasks(self, key: str, times: int) -> int:
        return sum(range(times))


def start_something() -> None:
    """A process that holds one end of a pipe for as long as it lives."""
    waits = "import signal; signal.pause()"
    with Path(os.environ["FAKE_PIPE"]).open("wb") as pipe:
        subprocess.Popen([sys.executable, "-c", waits], stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)


async def serve(directory: Path, drive: Callable[[_work.System], Awaitable[None]]) -> None:
    """Be what ``FAKE`` says."""
    mistake = os.environ.get("FAKE", "")
    fake = Fake(mistake)
    sys.stdout.write("chatter, as libraries print it\n")
    match mistake:
        case "dies":
            sys.exit("boom")
        case "hangs" | "hangs on":
            if mistake == "hangs on":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            start_something()
            _main.tell(asks="signals, 1")
            while True:
                signal.pause()
        case "has no steps":
            fake.cannot = {STEPS: "no steps", TASKS: "no steps"}
        case _:
            pass
    await drive(fake)


def main(argv: Sequence[str] | None = None) -> None:
    """Answer on standard output."""
    _work.SIZES["small"] = Size(0.0, QUESTIONS)
    _main.answer_all(argv, serve)


if __name__ == "__main__":
    main()
