"""Journals as earlier engines wrote them, kept here; ``python -m tests.core.golden`` writes a new set.

A journal is kept as JSON: the records as hexadecimal text, and what the actor looks like at their end.  Old
ones are never written again: a core that cannot read them any more needs another engine version.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from actorflow import Waiting
from actorflow._core.facts import ENGINE_VERSION
from actorflow.testing import Scenario
from tests.core.shop import Cart, Ledger, Subscription, charge, refund, release, reserve

FOLDER = Path(__file__).parent / "journals"
ENTITIES: dict[str, type[Any]] = {"Cart": Cart, "Ledger": Ledger, "Subscription": Subscription}


def stories() -> dict[str, Scenario[Any]]:
    """What is kept: each outcome, each kind of input, each way of ending."""
    bought: Scenario[Any] = Scenario(Cart, "bought")
    bought.signal(Cart.add, "apple", 150)
    bought.signal(Cart.spill, "apple")
    bought.once("c-1").update(Cart.checkout)
    bought.update(Cart.count, 9)
    bought.signal(Cart.note, "waited")
    bought.answer(reserve)
    bought.answer(charge, "receipt")
    bought.retry(2)
    bought.drop(bought.parked[0].seq)
    bought.advance(timedelta(days=31))
    bought.start(Cart(notes=["again"]), if_completed="new")
    bought.signal(Cart.note, "more")

    undone: Scenario[Any] = Scenario(Cart, "undone")
    undone.signal(Cart.add, "pear", 10)
    undone.update(Cart.checkout)
    undone.answer(reserve)
    undone.fail(charge, ValueError("declined"))
    undone.answer(refund)
    undone.answer(release)
    undone.update(Cart.checkout)
    undone.signal(Cart.note, "waits")
    undone.cancel()
    undone.confirm_cancelled(reserve)
    undone.answer(release)

    paid: Scenario[Any] = Scenario(Subscription, "paid")
    paid.signal(Subscription.write, "hello")
    paid.advance(timedelta(days=30))
    paid.update(Subscription.settle)
    paid.signal(Subscription.peek)
    paid.answer(charge, "month")

    rounds: Scenario[Any] = Scenario(Ledger, "rounds")
    for amount in (1, 1, 1, 3, 3):
        rounds.signal(Ledger.add, amount)
    ended: Scenario[Any] = Scenario(Ledger, "ended")
    ended.signal(Ledger.add, 5)
    ended.terminate()
    return {"bought": bought, "undone": undone, "paid": paid, "rounds": rounds, "ended": ended}


def told(scenario: Scenario[Any]) -> dict[str, Any]:
    """What the actor looks like, in words that other code will find, too."""
    return {
        "status": scenario.status,
        "state": repr(scenario.state),
        "mailbox": scenario.mailbox,
        "open": scenario.open,
        "parked": [repr(one) for one in scenario.parked],
        "waiting": [_in_words(one) for one in scenario.waiting],
    }


def _in_words(waiting: Waiting) -> str:
    # Not its repr: that has grown since, by what only a runtime knows, and the kept journals have not.
    names = ("ref", "kind", "name", "arguments", "due", "withdrawn")
    return f"Waiting({', '.join(f'{name}={getattr(waiting, name)!r}' for name in names)})"


def main() -> None:
    """Write a set for this engine, beside those that are there."""
    for name, scenario in stories().items():
        path = FOLDER / f"engine-{ENGINE_VERSION}-{name}.json"
        kept = {
            "entity": scenario.entity.__name__,
            "key": name,
            "told": told(scenario),
            "records": [record.hex() for record in scenario.records],
        }
        path.write_text(json.dumps(kept, indent=1) + "\n")
        print(path.name, len(scenario.records), "records")  # noqa: T201 - whoever writes a new set wants to see it


if __name__ == "__main__":
    main()
