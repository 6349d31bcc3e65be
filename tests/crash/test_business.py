"""Do money, goods, decisions and letters balance when a firm is killed, at any moment and again and again?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio

from actorflow import Runtime
from entities.approval import Approval, Decision
from entities.campaign import Campaign, Progress, Segment
from entities.inventory import Inventory
from entities.inventory import Ledger as Books
from entities.order import Order
from persistence import LmdbJournal
from tests.faults.counting import tried

from .business import (
    FIRM,
    LIMITS,
    SKUS,
    Ledger,
    WantedOrder,
    audience,
    nothing_is_put_back,
    refuses,
    units,
)
from .process import Process, Site

KILLED = -9
KILLS = 20
MOMENTS = (0, 0, 10, 50, 150, 300, 600)
"""After about so many lines in the ledger; or while the journal is opened, and what was under way goes on."""
MANY = 1 << 30


class Firm(Site):
    """A journal, a ledger, and the lives of a firm on them."""

    def __init__(self, folder: Path, seed: int, *options: str) -> None:
        super().__init__(folder, seed, "", "tests.crash.business")
        self.ledger = Ledger(self.log)
        self.options = options

    def killed_after(self, lines: int) -> None:
        """Live, and be killed after so many lines."""

        def enough(process: Process) -> bool:
            return "o" in process.marks and process.beats >= lines

        with self.working(*self.options) as process:
            process.hear_until(enough)
            process.kill()
            ended = process.end()
        assert ended.code == KILLED, ended

    def come_to_rest(self) -> list[str]:
        """Live once more, until all that was begun has ended; gives what does not balance then."""
        ended = self.work(*self.options, "--rest")
        assert ended.code == 0, ended.errors
        return trio.run(complaints, self)


async def complaints(firm: Firm) -> list[str]:
    """What does not balance, a line each: the ledger against what the actors say."""
    async with Runtime(LmdbJournal(firm.journal), entities=FIRM, limits=LIMITS) as runtime:
        audit = Audit(firm, runtime)
        return [
            *await audit.rest(),
            *await audit.orders(),
            *await audit.approvals(),
            *await audit.campaigns(),
        ]


class Audit:
    """Reads the ledger, and asks the actors."""

    def __init__(self, firm: Firm, runtime: Runtime) -> None:
        self.seed = firm.seed
        self.runtime = runtime
        self.lines: dict[str, list[list[Any]]] = defaultdict(list)
        """By what they say."""
        self.talk: list[list[Any]] = []
        """What approvers said, in order."""
        for what, *rest in firm.ledger.read():
            self.lines[what].append(rest)
            if what in {"says", "said"}:
                self.talk.append([what, *rest])

    def begun(self, kind: str) -> Iterator[tuple[int, list[Any]]]:
        """What was begun, and what was told of it: one answer each."""
        told: dict[int, list[Any]] = defaultdict(list)
        for kind_, number, answer in self.lines["told"]:
            if kind_ == kind:
                told[number].append(answer)
        for kind_, number in self.lines["begin"]:
            if kind_ == kind:
                yield number, told[number]

    async def rest(self) -> list[str]:
        """Nobody waits for anything, nothing was set aside, and nobody is in trouble."""
        wrong: list[str] = []
        for entity in FIRM:
            for one in await self.runtime.list(entity, at_most=MANY):
                said = await self.runtime.actor(entity, one.key).describe()
                if said.fault or said.stuck or (said.status == "running" and said.waiting):
                    wrong.append(f"{one.key} is not at rest: {said}")
                wrong += [f"{one.key}: {it}" for it in await self.runtime.actor(entity, one.key).parked()]
        return wrong

    async def orders(self) -> list[str]:
        """Of each order: charged once, with its parcel on the way and its goods sold; or nothing of it."""
        wrong: list[str] = []
        charged: dict[str, dict[str, int]] = defaultdict(dict)
        for payment, cents, card in self.lines["charge"]:
            charged[card.rpartition(" ")[2]][payment] = cents
        shipped: dict[str, set[str]] = defaultdict(set)
        for shipment, address in self.lines["ship"]:
            shipped[address.rpartition(" ")[2]].add(shipment)
        refunded = {payment for (payment,) in self.lines["refund"]}
        recalled = {shipment for (shipment,) in self.lines["recall"]}
        received, sold = Counter[str](), Counter[str]()
        for number, told in self.begun("order"):
            if number % 10 == 0:
                received.update(units(self.seed, number))
            order = WantedOrder(self.seed, number)
            kept = [cents for payment, cents in charged[order.key].items() if payment not in refunded]
            parcels = [f"parcel {shipment}" for shipment in shipped[order.key] - recalled]
            step = (await self.runtime.actor(Order, order.key).query(Order.standing)).step
            due: tuple[Any, ...] = ("undone", [], [], [None])
            if step == "shipped":
                sold.update({sku: line.quantity for sku, line in order.lines.items()})
                due = ("shipped", [order.cents], parcels[:1] or ["a parcel"], parcels[:1])
            if (step, kept, parcels, told) != due:
                wrong.append(
                    f"{order.key} is {step}, kept {kept} cents, sent {parcels}, told {told}: not {due}"
                )
        for sku in SKUS:
            books = await self.runtime.actor(Inventory, sku).query(Inventory.ledger)
            right = Books(received[sku], received[sku] - sold[sku], 0, sold[sku])
            if books != right:
                wrong.append(f"the stock of {sku} is {books}, and not {right}")
        return wrong

    async def approvals(self) -> list[str]:
        """Each request was decided once, by the first answer, and everybody heard the same."""
        wrong: list[str] = []
        first: dict[str, set[tuple[str, str]]] = defaultdict(set)
        """By request, the answers of which any may have been the first."""
        heard: dict[str, set[str]] = defaultdict(set)
        decided: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for what, approver, says, over in self._answers():
            if not over:
                first[what].add(("approved" if says == "yes" else "declined", approver))
        for what, person, how, by in self.lines["tell"]:
            heard[what].add(person)
            decided[what].add((how, by))
        for number, told in self.begun("approval"):
            key = f"request-{number}"
            decision = await self.runtime.actor(Approval, key).result(Decision)
            asked = await self.runtime.actor(Approval, key).query(Approval.approvers)
            it = (decision.how, decision.by)
            if told != [list(it)] or decided[key] != {it}:
                wrong.append(f"{key} is {it}, {told} was told, and {decided[key]} was heard")
            if it not in (first[key] or {("expired", "")}):
                wrong.append(f"{key} is {it}, and the first to answer was one of {first[key]}")
            if heard[key] != {"lab", *asked}:
                wrong.append(f"{key} was heard of by {heard[key]}, and not by all of {asked}")
        return wrong

    def _answers(self) -> Iterator[tuple[str, str, str, bool]]:
        """Every yes and no that was begun to be said, and whether one had been acknowledged by then."""
        over: set[str] = set()
        for kind, *rest in self.talk:
            what, approver, _, says = rest
            if says != "cannot":
                if kind == "says":
                    yield what, approver, says, what in over
                else:
                    over.add(what)

    async def campaigns(self) -> list[str]:
        """Everybody was told, under one key; and each outcome counts once."""
        wrong: list[str] = []
        keys: dict[str, set[str]] = defaultdict(set)
        for key, recipient in self.lines["send"]:
            keys[recipient].add(key)
        for number, told in self.begun("campaign"):
            campaign = self.runtime.actor(Campaign, f"campaign-{number}")
            outcome = await campaign.result(Progress)
            people = [one for names in audience(number).values() for one in names]
            gone = [one for one in people if refuses(one)]
            if told != [[len(people) - len(gone), len(gone), 0]] or outcome.sent != told[0][0]:
                wrong.append(f"campaign-{number} has told {outcome}, and said {told}")
            wrong += [
                f"{one} was told under {len(keys[one])} keys"
                for one in people
                if len(keys[one]) != (not refuses(one))
            ]
            for name, names in audience(number).items():
                segment = self.runtime.actor(Segment, f"campaign-{number}-1/{name}")
                failed = sorted(one.who for one in await segment.query(Segment.not_reached))
                if failed != sorted(one for one in names if refuses(one)):
                    wrong.append(f"{name} has not reached {failed}")
        return wrong


# ---- the tests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [1, 2])
def test_a_firm_that_is_killed_balances(tmp_path: Path, seed: int, effort: int, part: int) -> None:
    """Killed twenty times on the same journal: when all has come to rest, everything happened once."""
    for stretch in range(min(effort, 10)):
        folder = tmp_path / str(stretch)
        folder.mkdir()
        firm = Firm(folder, seed + 100 * stretch + part)
        chance = Random(firm.seed)
        for _ in range(KILLS):
            moment = chance.choice(MOMENTS)
            firm.killed_after(moment and moment + chance.randrange(30))
            tried()
        assert firm.come_to_rest() == [], f"{firm.seed}"
        assert {line[1] for line in firm.ledger.read("told")} == {"order", "approval", "campaign"}


@pytest.mark.parametrize(
    ("control", "complaint"), [("refund", "cents"), ("put_back", "the stock of"), ("keys", "keys")]
)
def test_what_is_left_out_is_noticed(
    tmp_path: Path, seed: int, control: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a compensation does nothing, or a key is another in each attempt, the books say so."""
    if control == "put_back":  # here too: what was recorded with it is replayed to be looked at
        monkeypatch.setattr(Order, "put_back", nothing_is_put_back)
    firm = Firm(tmp_path, seed, "--control", control)
    firm.killed_after(1_000)
    assert any(complaint in one for one in firm.come_to_rest())
