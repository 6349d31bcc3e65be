"""Whether the journal holds what was acknowledged: all of it, once, in order, and nothing else."""

from __future__ import annotations

from actorflow import NotStarted, Runtime
from entities.account import Account
from entities.cart import Cart
from entities.demo import plan
from entities.demo.plan import Tally
from persistence import LmdbJournal

__all__ = ["check"]


async def check(directory: str, tally: Tally) -> list[str]:
    """Open the journal once more, and name everything that is not as it should be."""
    async with Runtime(LmdbJournal(directory), entities=[Cart, Account]) as runtime:
        found = list(tally.out_of_order)
        found += await _carts(runtime, tally)
        found += await _accounts(runtime, tally)
        found += [f"set aside: {report}" for report in runtime.statistics().set_aside]
    return found


async def _carts(runtime: Runtime, tally: Tally) -> list[str]:
    found: list[str] = []
    for caller in range(plan.CARTS):
        cart = runtime.actor(Cart, plan.cart_name(caller))
        try:
            held = await cart.query(Cart.contents)
        except NotStarted:
            held = {}
        due = plan.contents(caller, tally.done[caller])
        if held != due:
            found.append(
                f"{cart.key} holds {held}, and after {tally.done[caller]} messages should hold {due}"
            )
        found += [f"{cart.key} has set aside {parked}" for parked in await cart.parked()]
    return found


async def _accounts(runtime: Runtime, tally: Tally) -> list[str]:
    found: list[str] = []
    held = 0
    for number, due in enumerate(tally.balances):
        account = runtime.actor(Account, plan.account_name(number))
        try:
            balance = await account.query(Account.balance)
            leaving = await account.query(Account.under_way)
        except NotStarted:
            balance, leaving = 0, {}
        held += balance
        if balance != due:
            found.append(f"{account.key} has {balance} cents, and by what was acknowledged should have {due}")
        if leaving:
            found.append(f"{account.key} still has {len(leaving)} transfers under way")
        found += [f"{account.key} has set aside {parked}" for parked in await account.parked()]
    if held != plan.ACCOUNTS * plan.OPENING_CENTS:
        found.append(f"all accounts hold {held} cents, and {plan.ACCOUNTS * plan.OPENING_CENTS} were put in")
    return found
