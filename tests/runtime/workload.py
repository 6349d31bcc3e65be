"""A random workload: what callers and the world do to a few actors, the same for the same seed."""

from __future__ import annotations

from random import Random
from typing import Any

from actorflow._codec.records import RecordCodec
from actorflow._core import facts
from actorflow._core.facts import Await, Input
from actorflow._core.quiet import quiet

from .drive import Drive
from .oracle import histories
from .town import Account, Basket, Child, Parent

__all__ = ["Workload", "rest", "see_alive", "see_balanced"]

_codec = RecordCodec()

ACCOUNTS = ("a", "b", "c")
BASKETS = ("x", "y")
PARENTS = ("p",)


class Workload:
    """Draws what happens next; goes on behind crashes."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.count = 0
        self.last_id: tuple[Any, ...] | None = None

    def run(self, drive: Drive, steps: int) -> None:
        for _ in range(steps):
            self.step(drive)

    def step(self, drive: Drive) -> None:
        """One thing that happens."""
        self.count += 1
        draw = self.chance.choices(
            (self._account, self._basket, self._parent, self._operator, self._pass), (8, 8, 3, 2, 4)
        )[0]
        draw(drive)

    def _send(
        self, drive: Drive, entity: Any, key: str, handler: Any, *args: Any, id_: str | None = None
    ) -> None:
        drive.send(entity, key, handler, *args, id_=id_)

    def _account(self, drive: Drive) -> None:
        chance, token = self.chance, f"t{self.count}"
        key, other = chance.choice(ACCOUNTS), chance.choice(ACCOUNTS)
        cents = chance.randrange(1, 50)
        what = chance.choice(
            ("deposit", "deposit", "pay", "pay", "pay_once", "move", "move_once", "once", "again")
        )
        match what:
            case "deposit":
                self._send(drive, Account, key, Account.deposit, token, cents)
            case "once":
                self.last_id = (drive, Account, key, Account.deposit, token, cents)
                self._send(drive, Account, key, Account.deposit, token, cents, id_=token)
            case "again":
                if self.last_id is not None:
                    _, *same = self.last_id
                    self._send(drive, *same, id_=same[3])
            case _:
                self._send(drive, Account, key, getattr(Account, what), token, other, cents)

    def _basket(self, drive: Drive) -> None:
        chance, token = self.chance, f"t{self.count}"
        key = chance.choice(BASKETS)
        number, seconds = chance.randrange(3), chance.choice((1, 5, 30, 90))
        match chance.choice(
            ("add", "add", "add", "arm", "disarm", "fail", "pack", "refuse", "call", "finish", "start")
        ):
            case "add":
                self._send(drive, Basket, key, Basket.add, token, f"sku-{number}")
            case "arm":
                self._send(drive, Basket, key, Basket.arm, token, number, seconds)
            case "disarm":
                self._send(drive, Basket, key, Basket.disarm, token, number)
            case "fail":
                self._send(drive, Basket, key, Basket.fail, token)
            case "pack":
                self._send(drive, Basket, key, Basket.pack, token, seconds)
            case "refuse":
                self._send(drive, Basket, key, Basket.refuse, token)
            case "call":
                self._send(drive, Basket, key, Basket.call, token)
            case "finish":
                self._send(drive, Basket, key, Basket.finish, token)
            case _:
                drive.start(Basket(seen=[token]), key, "fail", "new")

    def _parent(self, drive: Drive) -> None:
        chance, token = self.chance, f"t{self.count}"
        key = chance.choice(PARENTS)
        match chance.choice(("raise", "adopt", "end", "finish", "start")):
            case "raise":
                count, seconds = chance.randrange(1, 4), chance.choice((1, 20))
                self._send(drive, Parent, key, Parent.raise_children, token, count, seconds)
            case "adopt":
                policy = chance.choice(("cancel", "terminate", "abandon"))
                self._send(drive, Parent, key, Parent.adopt, token, policy)
            case "end":
                children = [one for entity, one in drive.actor(Parent, key).children if entity == "Child"]
                if children:
                    self._send(drive, Child, chance.choice(children), Child.end, token)
            case "finish":
                self._send(drive, Parent, key, Parent.finish, token)
            case _:
                drive.start(Parent(seen=[token]), key, "fail", "new")

    def _operator(self, drive: Drive) -> None:
        """Retry and drop what is parked, answer callbacks, cancel and terminate."""
        chance = self.chance
        entity = chance.choice((Account, Basket, Parent))
        key = chance.choice({Account: ACCOUNTS, Basket: BASKETS, Parent: PARENTS}[entity])
        actor = drive.actor(entity, key)
        what = chance.choice(("retry", "drop", "answer", "answer", "cancel", "terminate"))
        if what in ("retry", "drop") and actor.parked:
            seq = chance.choice(sorted(actor.parked))
            kind = facts.RETRY if what == "retry" else facts.DROP
            drive.deliver(actor.address, Input(kind, ref=(seq, 0)))
        elif what == "answer":
            for ref, pending in list(actor.pending.items()):
                if isinstance(pending.effect, Await):
                    drive.deliver(actor.address, Input(facts.RESOLVE, facts.OK, b"\x07", ref=ref))
        elif what in ("cancel", "terminate") and chance.random() < 0.2 and entity is not Account:
            drive.deliver(actor.address, Input(facts.CANCEL if what == "cancel" else facts.TERMINATE))

    def _pass(self, drive: Drive) -> None:
        drive.later(self.chance.choice((0.1, 1, 3, 15, 120)))


def rest(drive: Drive, seconds: int = 7 * 3_600) -> None:
    """Let everything come to its end: letters, timers, sleeps, questions and what waits for them."""
    drive.hear()
    for _ in range(40):
        drive.later(seconds / 40)
        drive.settle()


def paid_in(drive: Drive) -> int:
    """What the journal says was paid in."""
    total = 0
    for (entity, _), ones in histories(drive.journal.history).items():
        if entity == "Account":
            inputs: dict[int, Input] = {}
            for one in map(_codec.unpack_record, ones):
                if one.input is not None:
                    inputs[one.seq] = one.input
                if one.outcome == facts.DONE and inputs[one.seq].name == "deposit":
                    total += _codec.unpack(inputs[one.seq].body)[1]
    return total


def held(drive: Drive) -> int:
    """What the accounts hold together."""
    states = [drive.state(Account, key) for key in ACCOUNTS]
    return sum(0 if state is None else state.cents for state in states)


def see_balanced(drive: Drive) -> None:
    """No money was made and none was lost."""
    for key in ACCOUNTS:
        actor = drive.actor(Account, key)
        assert quiet(actor), f"{actor} has come to rest"
        assert not actor.mailbox, f"{actor} has come to rest"
    assert held(drive) == paid_in(drive)


def see_alive(drive: Drive, token: str) -> None:
    """New work is taken, and acknowledged."""
    ticket = drive.send(Account, "a", Account.deposit, token, 5)
    drive.settle()
    assert ticket.told, f"{ticket} has no answer"
