"""A firm that is killed again and again: ``python -m tests.crash.business JOURNAL LEDGER SEED``.

It takes orders, has requests approved and runs campaigns, as many as it comes to.  The world around it is the
ledger: a file with a line for each thing that happened outside, which no crash of ours undoes.  What it was
asked to do is there as well, so the next process goes on with that.  On standard output there is a beat for
each line: whoever kills it can count.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import attrs
import trio

from actorflow import (
    Activity,
    ActorCompleted,
    AlreadyStarted,
    HandlerFailed,
    Limits,
    NotStarted,
    Refused,
    Runtime,
    TokenSpent,
    activity,
)
from entities import approval as approvals
from entities import campaign as campaigns
from entities import order as orders
from entities.approval import Answer, Approval, Decision
from entities.campaign import Campaign, Progress, Segment
from entities.inventory import Inventory
from entities.order import Line, Order
from persistence import LmdbJournal
from tests.domain.world import stand_in

__all__ = [
    "CONTROLS",
    "FIRM",
    "LIMITS",
    "SKUS",
    "Ledger",
    "WantedOrder",
    "audience",
    "nothing_is_put_back",
    "refuses",
    "units",
]

FIRM: Final[tuple[type[Any], ...]] = (Order, Inventory, Approval, Campaign, Segment)
LIMITS: Final = Limits(resident_actors=24, log_bytes=100_000, continue_records=60)
"""Actors come and go, runs are closed and the log is cut off all the time."""
SKUS: Final = ("apple", "pear", "plum")
AT_ONCE: Final = {"order": 8, "approval": 4, "campaign": 1}
TROUBLE: Final = 0.15
"""How likely a call fails before anything has happened, and how likely after."""
ATTEMPTS: Final = 1_000
CONTROLS: Final = ("", "refund", "put_back", "keys")
"""What is left out on purpose."""


class Ledger:
    """What has happened, a line each, in one piece each."""

    def __init__(self, path: Path, *, pulse: bool = False) -> None:
        self.path = path
        self.pulse = pulse

    def add(self, *line: Any) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, json.dumps(line).encode() + b"\n")
        finally:
            os.close(file)
        if self.pulse:
            os.write(sys.stdout.fileno(), b".")

    def read(self, what: str = "") -> list[list[Any]]:
        """Every line of a kind, or all of them, in order."""
        if not self.path.exists():
            return []
        lines: list[list[Any]] = [json.loads(line) for line in self.path.read_bytes().splitlines()]
        return [line for line in lines if line[0] == what or not what]


# ---- what is wanted of it: the same for a number in every life -----------------------------------------


class WantedOrder:
    """What a customer wants."""

    def __init__(self, seed: int, number: int) -> None:
        chance = Random(f"{seed} {number}")
        self.key = f"order-{number}"
        self.lines = {
            sku: Line(chance.randint(1, 4), chance.randint(1, 500))
            for sku in chance.sample(SKUS, chance.randint(1, 3))
        }
        self.cents = sum(line.quantity * line.cents for line in self.lines.values())
        self.card = f"{'empty' if chance.random() < 0.1 else 'card'} of {self.key}"
        self.address = f"{'nowhere' if chance.random() < 0.2 else 'home'} of {self.key}"
        self.fickle = chance.random() < 0.1
        """Cancels as soon as it is placed."""


def units(seed: int, number: int) -> dict[str, int]:
    """What a delivery brings: not enough for everybody."""
    chance = Random(f"{seed} delivery {number}")
    return {sku: chance.randint(1, 30) for sku in SKUS}


def audience(number: int) -> dict[str, list[str]]:
    """The recipients of a campaign, by segment."""
    return {
        f"c{number}s{segment}": [f"c{number}s{segment}r{one}" for one in range(25)] for segment in range(3)
    }


def refuses(recipient: str) -> bool:
    """Whether there is no such recipient."""
    return recipient.endswith("7")


def verdict_of(seed: int, token: str) -> tuple[str, ...]:
    """What an approver says, one after the other; only the first may count."""
    return Random(f"{seed} {token}").choice((("yes",), ("no",), ("cannot",), ("yes", "no"), ("no", "yes")))


# ---- the world -----------------------------------------------------------------------------------------


class World:
    """What activities reach: all of it is written into the ledger."""

    def __init__(self, ledger: Ledger, seed: int, control: str) -> None:
        self.ledger = ledger
        self.seed = seed
        self.control = control
        self.chance = Random()
        self.send_letters, self.letters = trio.open_memory_channel[tuple[str, str, str]](1_000)

    def install(self) -> None:
        """Let the entities meet this world."""
        for module, names in (
            (orders, ("charge", "ship", "refund", "recall")),
            (approvals, ("ask", "remind", "tell")),
            (campaigns, ("divide", "read", "send")),
        ):
            for name in names:
                setattr(module, name, patient(stand_in(getattr(module, name), getattr(self, name))))
        if self.control == "put_back":
            Order.put_back = nothing_is_put_back  # type: ignore[method-assign, assignment]

    async def _happens(self, *line: Any) -> None:
        """Something that may not come about, and of which we may not hear that it has."""
        await trio.lowlevel.checkpoint()
        if self.chance.random() < TROUBLE:
            raise ConnectionError(f"{line[0]} does not answer")
        self.ledger.add(*line)
        await trio.lowlevel.checkpoint()
        if self.chance.random() < TROUBLE:
            raise ConnectionError(f"the answer of {line[0]} got lost")

    async def charge(self, payment: str, cents: int, card: str) -> None:
        if card.startswith("empty"):
            raise Refused("there is no money on the card")
        key = payment if self.control != "keys" else f"{payment} {self.chance.random()}"
        await self._happens("charge", key, cents, card)

    async def ship(self, shipment: str, address: str, lines: dict[str, Line]) -> str:
        await self._happens("ship", shipment, address)
        if address.startswith("nowhere"):
            raise Refused("nobody lives there")
        return f"parcel {shipment}"

    async def refund(self, payment: str) -> None:
        if self.control != "refund":
            await self._happens("refund", payment)

    async def recall(self, shipment: str) -> None:
        await self._happens("recall", shipment)

    async def ask(self, approver: str, what: str, token: str) -> None:
        await self._happens("ask", what, approver, token)
        self.send_letters.send_nowait((what, approver, token))

    async def remind(self, approver: str, what: str) -> None:
        await self._happens("remind", what, approver)

    async def tell(self, person: str, what: str, decision: Decision) -> None:
        await self._happens("tell", what, person, decision.how, decision.by)

    async def divide(self, audience_: str) -> list[str]:
        return list(audience(int(audience_)))

    async def read(self, segment: str) -> list[str]:
        return audience(int(segment[1:].partition("s")[0]))[segment]

    async def send(self, text: str, recipient: str) -> None:
        if refuses(recipient):
            raise Refused("no such mailbox")
        key = activity.current().key
        await self._happens("send", key if self.control != "keys" else str(self.chance.random()), recipient)


def patient(one: Activity[Any, Any]) -> Activity[Any, Any]:
    """The same, tried more often than anybody is killed: an attempt that was interrupted has failed."""
    retry = attrs.evolve(one.defaults.retry, maximum_attempts=ATTEMPTS)
    return attrs.evolve(one, defaults=attrs.evolve(one.defaults, retry=retry))


async def nothing_is_put_back(order: Order, sku: str, reservation: str) -> None:
    """A compensation that was left out."""


# ---- a life --------------------------------------------------------------------------------------------


class Life:
    """One process."""

    def __init__(self, runtime: Runtime, world: World) -> None:
        self.runtime = runtime
        self.world = world
        self.ledger = world.ledger
        self.seed = world.seed
        self.letters = self.ledger.read("ask")
        """What earlier lives have sent."""

    async def live(self, *, rest: bool) -> None:
        """Do what was begun, and then new things, for ever; or come to rest."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.approvers)
            async with trio.open_nursery() as work:
                for kind, do in (
                    ("order", self.order),
                    ("approval", self.approval),
                    ("campaign", self.campaign),
                ):
                    begun = [line[2] for line in self.ledger.read("begin") if line[1] == kind]
                    told = {line[2] for line in self.ledger.read("told") if line[1] == kind}
                    numbers = [number for number in begun if number not in told]
                    following = iter(()) if rest else iter(range(len(begun), 1_000_000))
                    for _ in range(AT_ONCE[kind]):
                        work.start_soon(self.worker, kind, do, numbers, following)
            nursery.cancel_scope.cancel()

    async def worker(
        self, kind: str, do: Callable[[int], Awaitable[None]], open_: list[int], following: Any
    ) -> None:
        """First what earlier lives have begun, then what is new."""
        while open_:
            await do(open_.pop(0))
        for number in following:
            self.ledger.add("begin", kind, number)
            await do(number)

    async def order(self, number: int) -> None:
        """A customer places an order and hears what has become of it; now and then goods come in."""
        if number % 10 == 0:
            for sku, quantity in units(self.seed, number).items():
                await (
                    self.runtime.actor(Inventory, sku)
                    .once(f"delivery-{number}")
                    .update(Inventory.receive, quantity)
                )
        wanted = WantedOrder(self.seed, number)
        handle = self.runtime.actor(Order, wanted.key)
        parcel: str | None = None
        async with trio.open_nursery() as nursery:
            if wanted.fickle:
                nursery.start_soon(self.change_mind, wanted.key)
            with contextlib.suppress(Refused, HandlerFailed, ActorCompleted):
                parcel = await handle.once("place").update(
                    Order.place, wanted.lines, wanted.card, wanted.address
                )
            nursery.cancel_scope.cancel()
        self.ledger.add("told", "order", number, parcel)

    async def change_mind(self, key: str) -> None:
        """Cancel an order once it is there, however far it is."""
        while True:
            with contextlib.suppress(NotStarted):
                await self.runtime.actor(Order, key).cancel()
                return
            await trio.lowlevel.checkpoint()

    async def approval(self, number: int) -> None:
        """Somebody asks for something, and hears how it was decided."""
        key = f"request-{number}"
        handle = self.runtime.actor(Approval, key)
        with contextlib.suppress(AlreadyStarted):
            await handle.start(Approval(key, "lab", "desk", "office"), if_running="use")
        for _, what, approver, token in self.letters:
            if what == key:  # whoever got it may have answered when nobody was there
                self.world.send_letters.send_nowait((what, approver, token))
        decision = await handle.result(Decision)
        self.ledger.add("told", "approval", number, [decision.how, decision.by])

    async def approvers(self) -> None:
        """Open letters, and answer; in a hurry, twice."""
        async for what, approver, token in self.world.letters:
            for says in verdict_of(self.seed, token):
                self.ledger.add("says", what, approver, token, says)
                with contextlib.suppress(TokenSpent):  # the next one has decided by now
                    if says == "cannot":
                        await self.runtime.fail(token, RuntimeError("no such mailbox"))
                    else:
                        await self.runtime.resolve(token, Answer(approved=says == "yes"))
                self.ledger.add("said", what, approver, token, says)

    async def campaign(self, number: int) -> None:
        """Everybody is told, and somebody hears how that went."""
        handle = self.runtime.actor(Campaign, f"campaign-{number}")
        with contextlib.suppress(AlreadyStarted):
            await handle.start(Campaign(str(number), "hello"), if_running="use")
        outcome = await handle.result(Progress)
        self.ledger.add("told", "campaign", number, [outcome.sent, outcome.failed, len(outcome.lost)])


async def run(options: argparse.Namespace) -> None:
    """Open the journal, and live."""
    world = World(Ledger(Path(options.ledger), pulse=options.pulse), options.seed, options.control)
    world.install()
    if options.pulse:
        os.write(sys.stdout.fileno(), b"o")  # from here on the journal is opened
    async with Runtime(LmdbJournal(Path(options.journal)), entities=FIRM, limits=LIMITS) as runtime:
        await Life(runtime, world).live(rest=options.rest)


def main(argv: Sequence[str] | None = None) -> int:
    """Read what to do, and do it."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.business", description=__doc__)
    parser.add_argument("journal")
    parser.add_argument("ledger")
    parser.add_argument("seed", type=int)
    parser.add_argument("--pulse", action="store_true", help="beat on standard output")
    parser.add_argument("--limits", default="", help="there is one set of them")
    parser.add_argument("--rest", action="store_true", help="begin nothing new, and end")
    parser.add_argument("--control", choices=CONTROLS, default="", help="leave something out")
    options = parser.parse_args(argv)
    logging.disable()
    trio.run(partial(run, options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
