"""How long does the codec take for what it does most: calls, answers, states, bytes from outside?

``python -m benchmarks.codec`` prints nanoseconds per operation, the best of several rounds, beside those of
msgpack alone for the same plain value: the difference is what the checks and the classes cost.
"""

from __future__ import annotations

import argparse
import timeit
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from uuid import UUID

import attrs

from actorflow._codec import arguments, decode_untrusted, pack, schema, unpack


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


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=["small", "full"], default="full")
    full = parser.parse_args(argv).size == "full"

    call = arguments(add_item, "Cart.add_item")
    body = call.encode(("apple", 2, 350), {})
    keywords: dict[str, object] = {"quantity": 2, "cents": 350}
    print(f"{'':28}{'encode':>10}{'msgpack':>10}{'decode':>10}{'msgpack':>10}{'bytes':>8}   (ns)")
    _row(
        "call, 3 primitives",
        lambda: call.encode(("apple", 2, 350), {}),
        lambda: call.decode(body),
        body,
        full,
    )
    _row("  by keyword", lambda: call.encode(("apple",), keywords), lambda: call.decode(body), body, full)

    items = {f"sku-{at}": Item(at, 350) for at in range(10)}
    payment = Payment(UUID(int=7), Decimal("12.50"), datetime(2026, 3, 1, tzinfo=UTC))
    for name, hint, value in (
        ("answer, a text", str, "rcpt-1"),
        ("dict of 10 small objects", dict[str, Item], items),
        ("list of 100 integers", list[int], list(range(100))),
        ("frozen, with extensions", Payment, payment),
        ("state of a cart", Cart, Cart(items, [payment])),
        ("state of a big cart", Cart, Cart({f"{at}": Item(at, 1) for at in range(1000)}, [payment] * 100)),
    ):
        codec = schema(hint, "value")
        data = codec.encode(value)
        _row(name, partial(codec.encode, value), partial(codec.decode, data), data, full)

    cart = schema(Cart, "Cart").encode(Cart(items, [payment]))
    print(f"{'untrusted, a cart':28}{'':20}{_ns(lambda: decode_untrusted(cart, where='cart'), full):10.0f}")
    print(f"{'definition of a cart':28}{_ns(lambda: schema(Cart, 'Cart'), full):10.0f}")


def _row(
    name: str,
    encode: Callable[[], object],
    decode: Callable[[], object],
    data: bytes,
    full: bool,  # noqa: FBT001
) -> None:
    plain = unpack(data)
    times = (
        _ns(encode, full),
        _ns(lambda: pack(plain), full),
        _ns(decode, full),
        _ns(lambda: unpack(data), full),
    )
    print(f"{name:28}{''.join(f'{each:10.0f}' for each in times)}{len(data):8}")


def _ns(work: Callable[[], object], full: bool) -> float:  # noqa: FBT001
    timer = timeit.Timer(work)
    once = max(timer.timeit(3) / 3, 1e-7)
    number = max(1, int((0.03 if full else 0.003) / once))
    return min(timer.repeat(5 if full else 2, number)) / number * 1e9


if __name__ == "__main__":
    main()
