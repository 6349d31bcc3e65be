"""The questions, as all systems are asked them: which messages, by how many callers, and what comes of it.

Runs in each system's own environment, so it imports nothing but the standard library, and knows of no loop: a
system says how its callers run side by side.  What was measured is checked here, by one model for all, before
it is told to whoever started us.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from tempfile import TemporaryFile
from typing import Final

CARTS: Final = 100
Item = tuple[int, int]
"""Of one thing in a cart: how many, and at how many cents."""
Contents = dict[str, Item]
Caller = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Message:
    """One thing put into one cart."""

    cart: int
    sku: str
    quantity: int
    cents: int


@dataclass(frozen=True)
class Question:
    """What is asked: so many at once, each so often in a round."""

    kind: str
    at_once: int
    each: int

    @property
    def name(self) -> str:
        return f"{self.kind}, {self.at_once}"

    def messages(self, caller: int) -> Iterator[Message]:
        """What one caller sends in a round; the price of a thing never changes, so order does not matter."""
        for number in range(self.each):
            sku = number % 10
            cart = (caller * 7919 + number * 31) % CARTS
            yield Message(cart, f"sku-{sku}", 1 + number % 3, 100 + 10 * sku)


SIGNALS: Final = "signals"
UPDATES: Final = "updates"
STEPS: Final = "steps"
TASKS: Final = "tasks"


LOG_FILE: Final = "a log file beside LMDB: one synced write for all that wait"
LMDB: Final = "LMDB: an fdatasync and a synced write of its meta page, one of each for all that wait"
SYNCHRONOUS: Final = {"0": "OFF", "1": "NORMAL", "2": "FULL", "3": "EXTRA"}
"""What SQLite means by its numbers."""


@dataclass(frozen=True)
class Size:
    """How long to ask: rounds until so many seconds are over, and one at least."""

    seconds: float
    questions: tuple[Question, ...]


SIZES: Final = {
    "small": Size(
        1.0,
        (
            Question(SIGNALS, 1, 50),
            Question(SIGNALS, 64, 4),
            Question(SIGNALS, 256, 1),
            Question(UPDATES, 1, 20),
            Question(STEPS, 1, 10),
            Question(STEPS, 20, 5),
            Question(TASKS, 1, 50),
        ),
    ),
    "full": Size(
        6.0,
        (
            Question(SIGNALS, 1, 200),
            Question(SIGNALS, 64, 40),
            Question(SIGNALS, 256, 10),
            Question(UPDATES, 1, 100),
            Question(STEPS, 1, 100),
            Question(STEPS, 20, 50),
            Question(TASKS, 1, 1_000),
        ),
    ),
}


class System:
    """What is driven: a cart and its callers in one system.  Each system is a subclass."""

    name: str
    durability: str
    """What has happened to a message when its sender is told that it is safe."""
    version: str
    cannot: Mapping[str, str] = {}
    """The kinds of question that it has nothing for, and why in a few words."""
    applied_when_acknowledged: bool = True
    """Or else the message waits somewhere durable, and is applied later."""

    @property
    def applied(self) -> int:
        """How many messages the carts have taken, of a system that applies them later."""
        return 0

    async def together(self, callers: Sequence[Caller]) -> None:
        """Run the callers side by side."""
        await asyncio.gather(*(caller() for caller in callers))

    async def begin(self, carts: Sequence[str]) -> None:
        """Have these carts, where they do not begin with their first message."""

    async def end(self, carts: Sequence[str]) -> None:
        """Let these carts go, where they would be in the way of the next question."""

    async def add_item(self, cart: str, sku: str, quantity: int, cents: int) -> None:
        """A signal; ends when it is durable."""
        raise NotImplementedError

    async def until_applied(self, count: int) -> None:
        """Wait until the carts have taken so many messages."""
        while self.applied < count:
            await asyncio.sleep(0.0005)

    async def put(self, cart: str, sku: str, quantity: int, cents: int) -> int:
        """An update; answers what the cart comes to."""
        raise NotImplementedError

    async def contents(self, cart: str) -> Contents:
        """What a cart holds."""
        raise NotImplementedError

    async def steps(self, key: str, times: int) -> int:
        """One after the other, each durable: steps that do nothing but answer their number.  The sum."""
        raise NotImplementedError

    async def tasks(self, key: str, times: int) -> int:
        """The same steps, all at once."""
        raise NotImplementedError


class Threads(System):
    """A system whose calls block: callers are threads, and what is awaited never waits."""

    async def together(self, callers: Sequence[Caller]) -> None:
        failed: list[BaseException] = []

        def run(caller: Caller) -> None:
            try:
                finish(caller)
            except BaseException as error:  # noqa: BLE001 - raised below, where it is noticed
                failed.append(error)

        threads = [threading.Thread(target=run, args=(caller,)) for caller in callers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]


def finish(main: Caller) -> None:
    """Run what waits for nothing, without a loop."""
    running = main()
    assert isinstance(running, Coroutine)
    try:
        running.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")


@dataclass(frozen=True)
class Answer:
    """What was measured, and that it is right."""

    question: str
    callers: int
    rate: float
    """A second: messages acknowledged, or steps done."""
    applied_rate: float
    """A second: messages that the carts have taken."""
    median_ms: float
    p99_ms: float
    count: int
    sync_ms: float
    """What a bare fdatasync took just before."""
    checked: bool
    result: str
    """A hash of what came of it; the same in every system."""


@dataclass
class Timed:
    """The rounds so far."""

    seconds: list[float] = field(default_factory=list)
    until_applied: list[float] = field(default_factory=list)
    spans: list[float] = field(default_factory=list)


def digest(what: object) -> str:
    """A few letters that stand for a result."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]


def expected(question: Question) -> dict[str, Contents]:
    """What one round leaves in the carts."""
    carts: dict[str, Contents] = {}
    for caller in range(question.at_once):
        for message in question.messages(caller):
            cart = carts.setdefault(_cart(question, message.cart), {})
            held, _ = cart.get(message.sku, (0, 0))
            cart[message.sku] = (held + message.quantity, message.cents)
    return carts


def _cart(question: Question, number: int) -> str:
    return f"{question.kind}-{question.at_once}-{number}"


async def ask(system: System, question: Question, seconds: float) -> Answer:
    """Ask one question: a round to get warm, then rounds until the time is over."""
    synced = sync_ms()
    if question.kind in {SIGNALS, UPDATES}:
        return await _ask_carts(system, question, seconds, synced)
    return await _ask_steps(system, question, seconds, synced)


def sync_ms(times: int = 20) -> float:
    """Milliseconds of a bare fdatasync, where temporary files are: what everyone here has to pay."""
    spans: list[float] = []
    with TemporaryFile(buffering=0) as file:
        for _ in range(times):
            file.write(b"." * 4096)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            spans.append(time.perf_counter() - began)
    return median(spans) * 1_000


async def _ask_carts(system: System, question: Question, seconds: float, synced: float) -> Answer:
    wanted = expected(question)
    await system.begin(sorted(wanted))
    totals = dict.fromkeys(wanted, 0)
    timed = Timed()

    async def call(caller: int) -> None:
        for message in question.messages(caller):
            cart = _cart(question, message.cart)
            began = time.perf_counter()
            if question.kind == SIGNALS:
                await system.add_item(cart, message.sku, message.quantity, message.cents)
            else:
                totals[cart] += message.quantity * message.cents
                answer = await system.put(cart, message.sku, message.quantity, message.cents)
                if answer != totals[cart]:
                    raise AssertionError(f"{cart} comes to {totals[cart]}, and not to {answer}")
            timed.spans.append(time.perf_counter() - began)

    def caller(number: int) -> Caller:
        return lambda: call(number)

    callers = [caller(number) for number in range(question.at_once)]
    each_round = question.at_once * question.each
    rounds, ends = 0, 0.0
    while rounds < 2 or time.perf_counter() < ends:
        if rounds == 1:  # the first was for getting warm
            timed = Timed()
            ends = time.perf_counter() + seconds
        before, began = system.applied, time.perf_counter()
        await system.together(callers)
        timed.seconds.append(time.perf_counter() - began)
        if question.kind == SIGNALS and not system.applied_when_acknowledged:
            await system.until_applied(before + each_round)
        timed.until_applied.append(time.perf_counter() - began)
        rounds += 1
    found = {cart: await system.contents(cart) for cart in sorted(wanted)}
    await system.end(sorted(wanted))
    return _answer(question, timed, synced, each_round, _one_round(found, rounds), wanted)


def _one_round(found: dict[str, Contents], rounds: int) -> dict[str, Contents]:
    """What each of so many equal rounds must have left, so that results can be compared; or what is there."""
    return {
        cart: {
            sku: (many // rounds if many % rounds == 0 else -many, cents)
            for sku, (many, cents) in held.items()
        }
        for cart, held in found.items()
    }


async def _ask_steps(system: System, question: Question, seconds: float, synced: float) -> Answer:
    run = system.steps if question.kind == STEPS else system.tasks
    timed, sums, rounds, ends = Timed(), [0] * question.at_once, 0, 0.0

    async def call(number: int, round_: int) -> None:
        began = time.perf_counter()
        sums[number] = await run(f"{question.kind}-{question.at_once}-{round_}-{number}", question.each)
        timed.spans.append((time.perf_counter() - began) / question.each)

    def caller(number: int, round_: int) -> Caller:
        return lambda: call(number, round_)

    wanted = [sum(range(question.each))] * question.at_once
    while rounds < 2 or time.perf_counter() < ends:
        if rounds == 1:
            timed = Timed()
            ends = time.perf_counter() + seconds
        began = time.perf_counter()
        await system.together([caller(number, rounds) for number in range(question.at_once)])
        timed.seconds.append(time.perf_counter() - began)
        if sums != wanted:
            break
        rounds += 1
    timed.until_applied = timed.seconds
    return _answer(question, timed, synced, question.at_once * question.each, sums, wanted)


def _answer(
    question: Question, timed: Timed, synced: float, each_round: int, found: object, wanted: object
) -> Answer:
    spans = [span * 1_000 for span in timed.spans]
    return Answer(
        question=question.name,
        callers=question.at_once,
        rate=each_round / median(timed.seconds),
        applied_rate=each_round / median(timed.until_applied),
        median_ms=median(spans),
        p99_ms=quantiles(spans, n=100)[-1] if len(spans) > 1 else spans[0],
        count=each_round * len(timed.seconds),
        sync_ms=synced,
        checked=found == wanted,
        result=digest(found),
    )
