"""Callers that send without pause, each one message after the other, and say what became of it.

What a caller does next is drawn from its seed.  What it was about when the last process died it repeats
first, if that has an id; otherwise it lets it be, and nobody ever knows but the actor.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

import attrs

from actorflow import ActorHandle, NotAccepted, Runtime, Unknown, UsageError
from actorflow.errors import HandlerFailed, Refused
from entities.account import Account
from entities.cart import Cart

from .said import Message, Said, Voice
from .village import Box

__all__ = ["ACCOUNTS", "BOXES", "NOT_ENOUGH", "OPENING", "Caller", "deliver"]

BOXES: Final = tuple(f"box-{number}" for number in range(10))
ACCOUNTS: Final = tuple(f"account-{number}" for number in range(6))
OPENING: Final = 1_000
NOT_ENOUGH: Final = "not enough"
"""What is refused leaves no trace, so it may be answered otherwise when it is repeated."""
WHAT: Final = {
    "put": 20,
    "post": 12,
    "hold": 3,
    "remind": 6,
    "pass_on": 10,
    "batch": 8,
    "adopt": 2,
    "trip": 2,
    "clear": 1,
    "own": 10,
    "finish": 2,
    "deposit": 6,
    "transfer": 12,
    "cart": 8,
    "again": 3,
}


class Broken(Exception):
    """The runtime has told a caller something that cannot be."""


async def deliver(runtime: Runtime, message: Message) -> Any:
    """Send a message; gives its answer, as data."""
    key, what, rest = message.key, message.what, message.rest
    if message.entity == "Account":
        account = runtime.actor(Account, key).once(message.id)
        if what == "deposit":
            await account.update(Account.deposit, rest[0])
            return "taken"
        try:
            await account.update(Account.transfer, rest[0], rest[1])
        except Refused:
            return NOT_ENOUGH
        return "taken"
    if message.entity == "Cart":
        change: Any = getattr(Cart, what)
        await runtime.actor(Cart, key).once(message.id).signal(change, *rest)
        return None
    box: ActorHandle[Box] = runtime.actor(Box, key)
    if message.once:
        box = box.once(message.id)
    if what == "start":
        await box.start(Box(), if_completed="new")
        return None
    handler: Any = getattr(Box, what)
    if what in ("put", "remind", "pass_on", "trip", "load"):
        await box.signal(handler, message.caller, message.number, *rest)
        return None
    answer = await box.update(handler, message.caller, message.number, *rest)
    return attrs.asdict(answer) if attrs.has(type(answer)) else answer


class Caller:
    """One caller: what it has sent, and what it does next."""

    def __init__(self, name: str, chance: Random, said: Said, voice: Voice) -> None:
        self.name = name
        self._chance = chance
        self._voice = voice
        self._own = f"own-{name}"
        mine = [message for message in said.sent.values() if message.caller == name]
        self._count = len(mine)
        self._numbers: dict[str, int] = {}
        for message in mine:
            if message.entity == "Box":
                self._numbers[message.key] = max(self._numbers.get(message.key, 0), message.number)
        self._open = [message for message in said.open() if message.caller == name]
        ends = [m for m in mine if m.what in ("start", "finish") and m.id in said.done]
        self._alive = bool(ends) and ends[-1].what == "start"
        self._last: Message | None = None

    async def repeat(self, runtime: Runtime) -> None:
        """Send again what nobody knows about, as far as that is possible."""
        for message in self._open:
            if message.once:
                await self._tell(message, runtime)
                self._lives(message)

    async def work(self, runtime: Runtime, messages: int, *, kinds: dict[str, int] | None = None) -> None:
        """Send so many messages."""
        weights = WHAT if kinds is None else kinds
        await self.repeat(runtime)
        for _ in range(messages):
            await self.step(runtime, self._chance.choices(list(weights), list(weights.values()))[0])

    async def step(self, runtime: Runtime, what: str) -> None:
        """Do one thing."""
        chance = self._chance
        match what:
            case "put" | "post":
                await self._box(runtime, what)
            case "hold" | "remind":
                await self._box(runtime, what, chance.randrange(1, 20))
            case "pass_on":
                await self._box(runtime, what, chance.choice(BOXES))
            case "load":
                await self._box(runtime, what, chance.randbytes(chance.randrange(10_000, 20_000)).hex())
            case "adopt":
                await self._box(runtime, what, f"{self.name}-{self._count}")
            case "trip" | "own":
                await self._live(runtime)
                await self._send(runtime, self._box_message(self._own, "trip" if what == "trip" else "put"))
            case "finish":
                await self._live(runtime)
                await self._send(runtime, self._box_message(self._own, what, once=True))
            case "clear":
                await self._clear(runtime)
            case "batch":
                await self._batch(runtime)
            case "deposit":
                await self._send(
                    runtime, self._message("Account", chance.choice(ACCOUNTS), what, chance.randrange(1, 99))
                )
            case "transfer":
                one, other = chance.sample(ACCOUNTS, 2)
                await self._send(
                    runtime, self._message("Account", one, what, other, chance.randrange(1, 400))
                )
            case "cart":
                add, sku = chance.random() < 0.7, chance.choice("abcd")
                rest = (sku, chance.randrange(1, 9), 100) if add else (sku, chance.randrange(1, 9))
                name = "add_item" if add else "remove_item"
                await self._send(runtime, self._message("Cart", f"cart-{self.name}", name, *rest))
            case "again":
                if self._last is not None:
                    await self._tell(self._last, runtime)
            case _:
                raise AssertionError(what)

    # -- messages ------------------------------------------------------------------------------------------

    def _message(
        self, entity: str, key: str, what: str, *rest: Any, number: int = 0, once: bool = True
    ) -> Message:
        self._count += 1
        return Message(f"{self.name}-{self._count}", self.name, entity, key, what, number, once, list(rest))

    def _box_message(self, key: str, what: str, *rest: Any, once: bool | None = None) -> Message:
        self._numbers[key] = number = self._numbers.get(key, 0) + 1
        if once is None:
            once = self._chance.random() < 0.5
        return self._message("Box", key, what, *rest, number=number, once=once)

    async def _box(self, runtime: Runtime, what: str, *rest: Any) -> None:
        message = self._box_message(self._chance.choice(BOXES), what, *rest)
        await self._send(runtime, message)
        if what in ("post", "hold", "adopt"):
            await self._look(runtime, message)

    async def _look(self, runtime: Runtime, message: Message) -> None:
        """What was answered can be read; and what others have done, once told, stays true."""
        box = runtime.actor(Box, message.key)
        mine = await box.query(Box.last, self.name)
        if mine != message.number:
            raise Broken(f"{message} was answered, and {message.key} says that the last was {mine}")
        other = f"c{self._chance.randrange(12)}"
        self._voice.say(("told", message.key, other, await box.query(Box.last, other)))

    async def _live(self, runtime: Runtime) -> None:
        if not self._alive:
            await self._send(runtime, self._message("Box", self._own, "start"))

    async def _clear(self, runtime: Runtime) -> None:
        """Retry what is parked, or drop it."""
        if self._alive:
            box = runtime.actor(Box, self._own)
            for parked in await box.parked():
                if self._chance.random() < 0.3:
                    await box.retry(parked.seq)
                else:
                    await box.drop(parked.seq)

    async def _batch(self, runtime: Runtime) -> None:
        """Several signals, some of them to the same box: all or none, and in order."""
        messages = [
            self._box_message(self._chance.choice(BOXES), "put", once=False)
            for _ in range(self._chance.randrange(2, 8))
        ]
        self._voice.say(
            *(("send", *message) for message in messages), ("batch", *(one.id for one in messages))
        )
        try:
            async with runtime.batch() as batch:
                for message in messages:
                    batch.signal(runtime.actor(Box, message.key), Box.put, self.name, message.number)
        except (Unknown, NotAccepted, UsageError) as error:
            self._voice.say(*((_kind(error), message.id, str(error)) for message in messages))
            raise
        self._voice.say(*(("done", message.id, None) for message in messages))

    async def _send(self, runtime: Runtime, message: Message) -> None:
        self._voice.say(("send", *message))
        answer = await self._tell(message, runtime)
        self._lives(message)
        if message.once and answer != NOT_ENOUGH:
            self._last = message

    def _lives(self, message: Message) -> None:
        if message.what in ("start", "finish"):
            self._alive = message.what == "start"

    async def _tell(self, message: Message, runtime: Runtime) -> Any:
        try:
            answer = await deliver(runtime, message)
        except (Unknown, NotAccepted, UsageError, HandlerFailed) as error:
            self._voice.say((_kind(error), message.id, str(error)))
            raise
        self._voice.say(("done", message.id, answer))
        return answer


def _kind(error: Exception) -> str:
    return "unknown" if isinstance(error, Unknown) else "refused"
