"""The process under load: callers that send without pause, and say on a pipe what was acknowledged.

Each sends one message at least: it may be there already, and nobody was told.

It is given the directory, the seconds, and on its standard input how many messages of each caller are done.
It may be killed at any moment.  What it has said by then is in the pipe, whatever becomes of it.
"""

from __future__ import annotations

import json
import os
import sys
import time

import trio

from actorflow import Refused, Runtime
from entities.account import Account
from entities.cart import Cart
from entities.demo import plan
from persistence import LmdbJournal

__all__: list[str] = []


class Pipe:
    """The way to whoever counts."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def say(self, caller: int, number: int, began: float, *, taken: bool = True) -> None:
        """Tell that a message, on its way since then, was acknowledged."""
        micros = round(1e6 * (time.perf_counter() - began))
        os.write(self._descriptor, plan.RECORD.pack(caller, number, taken, micros))


async def change_cart(runtime: Runtime, caller: int, number: int, until: float, pipe: Pipe) -> None:
    """One caller with its cart."""
    cart = runtime.actor(Cart, plan.cart_name(caller))
    began = 0.0
    while began < until:
        began = time.perf_counter()
        number += 1
        sku, quantity = plan.change(caller, number)
        if quantity > 0:
            await cart.once(str(number)).signal(Cart.add_item, sku, quantity, cents=100)
        else:
            await cart.once(str(number)).signal(Cart.remove_item, sku, -quantity)
        pipe.say(caller, number, began)


async def send_money(runtime: Runtime, caller: int, number: int, until: float, pipe: Pipe) -> None:
    """One caller among the accounts."""
    began = 0.0
    while began < until:
        began = time.perf_counter()
        number += 1
        sent = plan.sending(caller, number)
        account = runtime.actor(Account, plan.account_name(sent.sender)).once(f"{caller}-{number}")
        taken = True
        try:
            await account.update(Account.transfer, plan.account_name(sent.to), sent.cents)
        except Refused:
            taken = False
        pipe.say(caller, number, began, taken=taken)


async def run(directory: str, seconds: float, done: list[int], pipe: Pipe) -> None:
    """Open the journal, and let all callers send until time is up."""
    began = time.perf_counter()
    async with Runtime(LmdbJournal(directory), entities=[Cart, Account]) as runtime:
        for number in range(plan.ACCOUNTS):
            account = runtime.actor(Account, plan.account_name(number))
            await account.once("opening").update(Account.deposit, plan.OPENING_CENTS)
            if number == 0:
                pipe.say(plan.OPENED, 0, began)
        until = time.perf_counter() + seconds
        async with trio.open_nursery() as nursery:
            for caller, number in enumerate(done):
                send = change_cart if caller < plan.CARTS else send_money
                nursery.start_soon(send, runtime, caller, number, until, pipe)


def main() -> None:
    """Read what to do, and do it."""
    directory, seconds = sys.argv[1:]
    trio.run(run, directory, float(seconds), json.load(sys.stdin), Pipe(sys.stdout.fileno()))


if __name__ == "__main__":
    main()
