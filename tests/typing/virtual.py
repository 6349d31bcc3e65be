"""What tests on a virtual clock write: the same names and checks, awaited or not as the runtime was opened."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_type

from actorflow import ActorHandle, BlockingHandle, Runtime, activity
from actorflow.testing import BlockingVirtualRuntime, VirtualRuntime, virtual_runtime
from persistence import MemoryJournal
from tests.typing.cart import Cart


@activity
async def charge(cents: int) -> str:
    return str(cents)


def fake_charge(cents: int) -> str:
    return str(cents)


async def in_tasks() -> None:
    async with virtual_runtime(entities=[Cart], activities={charge: fake_charge}) as runtime:
        assert_type(runtime, VirtualRuntime)
        cart = runtime.actor(Cart, "cart-42")
        assert_type(cart, ActorHandle[Cart])
        assert_type(await cart.update(Cart.checkout, "card"), str)
        assert_type(await runtime.sleep(timedelta(days=30)), None)
        assert_type(runtime.now, datetime)
        assert_type(runtime.in_threads, BlockingVirtualRuntime)
        await runtime.crash(entities=[Cart])
        with runtime.hold():
            await runtime.sleep_until(runtime.now)
        await cart.signal(Cart.add_item, "apple")  # E: mypy[call-arg] pyright[reportCallIssue]
        await runtime.sleep(30)  # E: mypy[arg-type] pyright[reportArgumentType]


def in_a_plain_function() -> None:
    with virtual_runtime(entities=[Cart], journal=MemoryJournal()) as runtime:
        assert_type(runtime, BlockingVirtualRuntime)
        cart = runtime.actor(Cart, "cart-42")
        assert_type(cart, BlockingHandle[Cart])
        assert_type(cart.update(Cart.checkout, "card"), str)
        assert_type(runtime.sleep(timedelta(days=30)), None)
        runtime.restart()
        cart.signal(Cart.add_item, "apple")  # E: mypy[call-arg] pyright[reportCallIssue]
        runtime.sleep_until("tomorrow")  # E: mypy[arg-type] pyright[reportArgumentType]


Runtime(MemoryJournal(), entities=[Cart], activities={charge: fake_charge})
Runtime(MemoryJournal(), entities=[Cart], activities={"charge": fake_charge})  # E: mypy[dict-item] pyright[reportArgumentType]
virtual_runtime(entities=[Cart], activities={charge: 5})  # E: mypy[dict-item] pyright[reportArgumentType]
