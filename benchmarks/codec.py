"""How long does the codec take for what it does most: calls, answers, states, bytes from outside?

Nanoseconds an operation, the best of several runs, beside those of msgpack alone for the same plain value:
the difference is what the checks and the classes cost.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from uuid import UUID

import attrs

from actorflow._codec import arguments, decode_untrusted, pack, schema, unpack

from ._case import Case, Found, Size, Work

RUN_S: dict[Size, float] = {"tiny": 0.000_1, "small": 0.01, "full": 0.03}
"""How long a run takes, about."""
RUNS = 5


@attrs.define
class Item:
    """A line of a cart."""

    quantity: int
    cents: int


@attrs.frozen
class Payment:
    """A value of extension types, frozen."""

    id: UUID
    amount: Decimal
    at: datetime


@attrs.define
class Cart:
    """A state."""

    items: dict[str, Item]
    payments: list[Payment]
    receipt: str | None = None


def add_item(sku: str, quantity: int, cents: int) -> None:
    raise NotImplementedError


PAYMENT = Payment(UUID(int=7), Decimal("12.50"), datetime(2026, 3, 1, tzinfo=UTC))
ITEMS = {f"sku-{at}": Item(at, 350) for at in range(10)}
CART = Cart(ITEMS, [PAYMENT])
VALUES: dict[str, tuple[object, object]] = {
    "an answer, a text": (str, "rcpt-1"),
    "a dict of 10 small objects": (dict[str, Item], ITEMS),
    "a list of 100 integers": (list[int], list(range(100))),
    "a frozen class, with extensions": (Payment, PAYMENT),
    "the state of a cart": (Cart, CART),
    "the state of a big cart": (Cart, Cart({f"{at}": Item(at, 1) for at in range(1_000)}, [PAYMENT] * 100)),
}


def _timed(_: Path, work: Callable[[], object], run_s: float, data: bytes) -> Found:
    """Nanoseconds."""
    timer = timeit.Timer(work)
    once = max(timer.timeit(3) / 3, 1e-7)
    number = max(1, int(run_s / once))
    return Found(min(timer.repeat(RUNS, number)) / number * 1e9, data, {"bytes": len(data)})


def cases(size: Size) -> Iterator[Case]:
    """Each way, for each value."""
    call = arguments(add_item, "Cart.add_item")
    body = call.encode(("apple", 2, 350), {})
    keywords: dict[str, object] = {"quantity": 2, "cents": 350}

    def row(what: str, work: Callable[[], object], data: bytes, plain: Callable[[], object] | None) -> Case:
        def timed(work: Callable[[], object]) -> Work:
            return partial(_timed, work=work, run_s=RUN_S[size], data=data)

        return Case(
            where={"what": what},
            unit="ns",
            ours=timed(work),
            light=None if plain is None else timed(plain),
            against="msgpack",
            durability="nothing is written",
        )

    def both(
        what: str, encode: Callable[[], object], decode: Callable[[], object], data: bytes
    ) -> Iterator[Case]:
        yield row(f"{what}: encode", encode, data, partial(pack, unpack(data)))
        yield row(f"{what}: decode", decode, data, partial(unpack, data))

    yield from both(
        "a call, 3 primitives", lambda: call.encode(("apple", 2, 350), {}), partial(call.decode, body), body
    )
    by_keyword = partial(call.encode, ("apple",), keywords)
    yield row("a call, by keyword: encode", by_keyword, by_keyword(), partial(pack, unpack(body)))
    for what, (hint, value) in VALUES.items():
        codec = schema(hint, "value")
        data = codec.encode(value)
        assert codec.decode(data) == value
        yield from both(what, partial(codec.encode, value), partial(codec.decode, data), data)
    cart = schema(Cart, "Cart").encode(CART)
    untrusted = partial(decode_untrusted, cart, where="cart")
    yield row("bytes from outside, a cart: decode", untrusted, cart, partial(unpack, cart))
    yield row("the definition of a cart", lambda: schema(Cart, "Cart"), b"", None)
