"""Does a runtime call what a test gave it in the place of an activity, and refuse what cannot be that?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
import trio
from attrs import frozen

from actorflow import (
    ActivityFailed,
    AsyncioRuntime,
    BlockingRuntime,
    DefinitionError,
    HandlerFailed,
    RetryPolicy,
    Runtime,
    activity,
    entity,
    gather,
    update,
)
from actorflow.testing import virtual_runtime
from persistence import MemoryJournal


@frozen
class Receipt:
    number: int
    cents: int


class Touched(Exception):
    """The real world, which a test must not touch."""


@activity(retry=RetryPolicy(maximum_attempts=3))
async def charge(cents: int, *, currency: str = "EUR") -> Receipt:
    """Never to be called."""
    raise Touched


@activity
def weigh(sku: str) -> int:
    """Never to be called."""
    raise Touched


@activity.batched(at_most=10, within=timedelta(seconds=1))
def look_up(skus: list[str]) -> list[int]:
    """Never to be called."""
    raise Touched


@entity
class Shop:
    """Asks for all of them."""

    @update
    async def buy(self, cents: int, currency: str = "EUR") -> Receipt:
        return await charge(cents, currency=currency)

    @update
    async def tried_once(self, cents: int) -> Receipt:
        return await charge.options(retry=RetryPolicy(maximum_attempts=1))(cents)

    @update
    async def weight(self, sku: str) -> int:
        return await weigh(sku)

    @update
    async def find(self, skus: list[str]) -> list[int]:
        return list(await gather(*[look_up(sku) for sku in skus]))


def plain(cents: int, *, currency: str) -> Receipt:
    """Pay at once."""
    return Receipt(len(currency), cents)


async def awaited(cents: int, *, currency: str) -> Receipt:
    """Take half a minute."""
    await trio.sleep(30)
    return plain(cents, currency=currency)


@activity
async def other(cents: int, *, currency: str) -> Receipt:
    """Pay, as another activity."""
    return plain(cents, currency=currency)


class Bank:
    async def __call__(self, cents: int, currency: str) -> Receipt:
        return plain(cents, currency=currency)

    def paid(self, cents: int, currency: str) -> Receipt:
        return plain(cents, currency=currency)


def with_bank(bank: Bank, cents: int, *, currency: str) -> Receipt:
    """Pay, with an argument of its own before."""
    return bank.paid(cents, currency)


FAKES: dict[str, Callable[..., Any]] = {
    "a def": plain,
    "an async def": awaited,
    "another activity": other,
    "a lambda": lambda cents, currency: Receipt(len(currency), cents),
    "a method": Bank().paid,
    "an object": Bank(),
    "a partial": partial(with_bank, Bank()),
    "a mock": Mock(return_value=Receipt(3, 5)),
    "an awaited mock": AsyncMock(return_value=Receipt(3, 5)),
}


@pytest.mark.parametrize("fake", FAKES.values(), ids=list(FAKES))
def test_whatever_can_be_called_stands_in(fake: Callable[..., Any]) -> None:
    """Its answer comes as the activity's would, with arguments by name as they are given by name."""
    with virtual_runtime(entities=[Shop], activities={charge: fake}) as runtime:
        shop = runtime.actor(Shop, "shop-1")
        assert shop.update(Shop.buy, 5) == Receipt(3, 5)
        assert shop.update(Shop.tried_once, 5) == Receipt(3, 5)


def test_without_a_fake_the_real_one_is_called() -> None:
    """The control: an activity for which there is no fake is touched."""
    with virtual_runtime(entities=[Shop], activities={weigh: len}) as runtime:
        shop = runtime.actor(Shop, "shop-1")
        assert shop.update(Shop.weight, "apple") == 5
        with pytest.raises(HandlerFailed, match="Touched"):
            shop.update(Shop.buy, 5)


def test_a_fake_is_retried_as_the_activity_is() -> None:
    """Time-outs, retries and what an attempt knows of itself are the activity's."""
    seen: list[tuple[int, str]] = []

    def moody(cents: int, *, currency: str) -> Receipt:
        attempt = activity.current()
        seen.append((attempt.number, attempt.key))
        if attempt.number < 3:
            raise ConnectionError("nobody answers")
        return Receipt(1, cents)

    with virtual_runtime(entities=[Shop], activities={charge: moody}) as runtime:
        began = runtime.now
        assert runtime.actor(Shop, "shop-1").update(Shop.buy, 5) == Receipt(1, 5)
        assert timedelta(seconds=2) < runtime.now - began < timedelta(seconds=4)
        with pytest.raises(HandlerFailed, match="nobody answers"):
            runtime.actor(Shop, "shop-1").update(Shop.tried_once, 5)
    assert [number for number, _ in seen] == [1, 2, 3, 1]
    assert len({key for _, key in seen}) == 2


def test_what_a_fake_gives_has_the_activitys_type() -> None:
    """An answer of another type is an error that names the activity, and is not tried again."""
    calls: list[int] = []

    def wrong(cents: int, *, currency: str) -> str:
        calls.append(cents)
        return "paid"

    with virtual_runtime(entities=[Shop], activities={charge: wrong}) as runtime:
        shop = runtime.actor(Shop, "shop-1")
        with pytest.raises(HandlerFailed, match=r"charge"):
            shop.update(Shop.buy, 5)
    assert calls == [5]


def test_a_batched_activity_has_a_batched_fake() -> None:
    """It takes the list that the activity would, and an exception in its list is the failure of that one."""
    asked: list[list[str]] = []

    async def look(skus: list[str]) -> list[int]:
        asked.append(skus)
        return [len(sku) for sku in skus]

    with virtual_runtime(entities=[Shop], activities={look_up: look}) as runtime:
        assert runtime.actor(Shop, "shop-1").update(Shop.find, ["a", "bb", "ccc"]) == [1, 2, 3]
    assert asked == [["a", "bb", "ccc"]]


WRONG: list[tuple[dict[Any, Any], str]] = [
    ({plain: plain}, "is no activity"),
    ({"charge": plain}, "is no activity"),
    ({charge: 5}, "cannot be called"),
    ({charge: lambda: None}, "cannot take what charge is asked with"),
    ({charge: lambda cents: None}, "currency"),
    ({charge: lambda cents, money: None}, "hint: write def"),
    ({weigh: lambda sku, other: None}, "missing a required argument: 'other'"),
    ({weigh: look_up}, "batched"),
    ({look_up: weigh}, "batched"),
    ({look_up: lambda: None}, "cannot take"),
    ({charge: plain, charge.options(rate=1.0): plain}, "stands in for it already"),
]


@pytest.mark.parametrize(("activities", "why"), WRONG, ids=[why for _, why in WRONG])
def test_what_cannot_stand_in_is_refused(activities: Any, why: str) -> None:
    """A wrong key, and a fake that cannot be called as the activity is, are errors before anything runs."""
    makers: list[Callable[..., object]] = [
        virtual_runtime,
        partial(Runtime, MemoryJournal()),
        partial(AsyncioRuntime, MemoryJournal()),
        partial(BlockingRuntime, MemoryJournal()),
    ]
    for make in makers:
        with pytest.raises(DefinitionError) as caught:
            make(entities=[Shop], activities=activities)
        assert why in str(caught.value)
        assert "activities={" in str(caught.value)


async def test_in_a_real_runtime() -> None:
    """Under trio's own clock, too."""
    async with Runtime(MemoryJournal(), entities=[Shop], activities={charge: plain}) as runtime:
        assert await runtime.actor(Shop, "shop-1").update(Shop.buy, 5) == Receipt(3, 5)


def test_in_a_real_runtime_for_asyncio_and_threads() -> None:
    """And for callers elsewhere."""

    async def main() -> Receipt:
        async with AsyncioRuntime(MemoryJournal(), entities=[Shop], activities={charge: other}) as runtime:
            return await runtime.actor(Shop, "shop-1").update(Shop.buy, 5)

    assert asyncio.run(main()) == Receipt(3, 5)
    with BlockingRuntime(MemoryJournal(), entities=[Shop], activities={charge: plain}) as runtime:
        assert runtime.actor(Shop, "shop-1").update(Shop.buy, 5) == Receipt(3, 5)


def test_a_fakes_failure_is_the_activitys() -> None:
    """What it raises comes to the handler as the activity's failure."""

    @entity
    class Careful:
        @update
        async def buy(self) -> str:
            try:
                await weigh("apple")
            except ActivityFailed as failure:
                return f"{failure.activity}: {failure.type}"
            return "bought"

    def fail(sku: str) -> int:
        raise LookupError(sku)

    with virtual_runtime(entities=[Careful], activities={weigh: fail}) as runtime:
        assert runtime.actor(Careful, "c").update(Careful.buy) == "weigh: LookupError"
