"""Calls as bytes: bound like Python binds, recorded with their defaults, read back by position."""

# ruff: noqa: D103 - functions here are props, like the classes

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow._codec import arguments, pack, positional, unpack
from actorflow.errors import DecodeError, WrongArgument


@attrs.define
class Item:
    quantity: int


@attrs.define
class Chain:
    next: Chain | None = None


class Cart:
    def add_item(self, sku: str, quantity: int = 1, *, cents: int, note: str | None = None) -> None: ...
    async def checkout(self, card: str) -> Item: ...  # type: ignore[empty-body]


def nothing() -> None: ...
def ratio(value: float, /, items: list[int] = []) -> list[float]: ...  # type: ignore[empty-body]  # noqa: B006
def follow(chain: Chain) -> Chain: ...  # type: ignore[empty-body]
def odd_names(type: str, _list: int, list: int, _Packer: None = None) -> None: ...  # noqa: A002, N803


GLOBAL_ITEM = Item(1)
ADD = arguments(Cart.add_item, "Cart.add_item", skip_self=True)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("a",), {"cents": 5}),
        (("a", 2), {"cents": 5, "note": "n"}),
        ((), {"sku": "a", "cents": 5, "quantity": 3}),
    ],
)
def test_a_call_is_read_back_in_the_order_of_the_parameters(
    args: tuple[object, ...], kwargs: dict[str, object]
) -> None:
    """With the defaults filled in when it was made."""
    bound = inspect.signature(Cart.add_item).bind(None, *args, **kwargs)
    bound.apply_defaults()
    expected = tuple(bound.arguments[name] for name in ADD.names)
    assert ADD.decode(ADD.encode(args, kwargs)) == expected


def test_defaults_are_recorded() -> None:
    """A default that changes later does not change what was asked for."""
    assert unpack(ADD.encode(("a",), {"cents": 5})) == ["a", 1, 5, None]


def test_what_the_handler_gets_is_what_was_recorded() -> None:
    """An int for a float is a float already, also when it is a default's."""
    codec = arguments(ratio, "ratio")
    assert repr(codec.decode(codec.encode((3,), {}))) == "(3.0, [])"


def test_a_shorter_call_is_an_older_one() -> None:
    """Parameters with defaults may be added at the end; each call gets a fresh default."""
    codec = arguments(ratio, "ratio")
    first, second = codec.decode(pack([1.5])), codec.decode(pack([1.5]))
    assert first == second == (1.5, [])
    assert first[1] is not second[1]
    with pytest.raises(DecodeError, match="the call has no cents, and cents has no default"):
        ADD.decode(pack(["a", 1]))


def test_a_longer_call_is_refused() -> None:
    """An argument is never dropped silently."""
    with pytest.raises(DecodeError, match="1 arguments were written, and it takes 0 now"):
        arguments(nothing, "nothing").decode(pack([1]))


def test_a_function_without_parameters() -> None:
    """Is called with nothing."""
    codec = arguments(nothing, "nothing")
    assert codec.decode(codec.encode((), {})) == ()
    assert codec.name == "() -> None"


def test_parameters_may_have_any_name() -> None:
    """Also those that the generated code uses itself."""
    codec = arguments(odd_names, "odd_names")
    assert codec.decode(codec.encode(("a", 1), {"list": 2})) == ("a", 1, 2, None)


def test_the_answer_is_what_is_written_after_the_arrow() -> None:
    """Of an async function too."""
    codec = arguments(Cart.checkout, "Cart.checkout", skip_self=True)
    assert codec.answer.decode(codec.answer.encode(Item(1))) == Item(1)
    assert codec.name == "(card: str) -> Item{quantity: int}"
    with pytest.raises(WrongArgument, match=r"the answer of Cart\.checkout\(\): must be Item, not None"):
        codec.answer.encode(None)


def test_local_classes_are_found() -> None:
    """Classes that are local to a function come in through localns, also inside one another."""

    @attrs.define
    class Inner:
        a: int

    @attrs.define
    class Outer:
        inner: Inner
        next: Outer | None = None

    def take(outer: Outer) -> dict[str, Inner]: ...  # type: ignore[empty-body]

    codec = arguments(take, "take", {"Inner": Inner, "Outer": Outer})
    assert codec.decode(codec.encode((Outer(Inner(1)),), {})) == (Outer(Inner(1)),)


def test_a_local_class_hides_a_global_one() -> None:
    """As it does where the annotation is written."""

    @attrs.define
    class Item:
        local: bool

    def take(item: Item) -> None: ...

    codec = arguments(take, "take", {"Item": Item})
    assert codec.decode(codec.encode((Item(local=True),), {})) == (Item(local=True),)
    assert arguments(Cart.checkout, "Cart.checkout", {"Item": Item}, skip_self=True).answer.encode(
        GLOBAL_ITEM
    )


def test_recursive_arguments_are_bounded() -> None:
    """As a state is."""
    codec = arguments(follow, "follow")
    link = Chain(Chain())
    assert codec.decode(codec.encode((link,), {})) == (link,)
    assert codec.answer.decode(codec.answer.encode(link)) == link
    for length in (150, 5000):
        deep = Chain()
        for _ in range(length):
            deep = Chain(deep)
        with pytest.raises(WrongArgument, match="nested too deeply"):
            codec.encode((deep,), {})
    with pytest.raises(DecodeError, match="nested too deeply"):
        codec.decode(b"\x91" + b"\x81\xa4next" * 900 + b"\x80")


def test_everything_can_be_called_by_position() -> None:
    """The core calls f(*args), whatever the author's signature is."""

    def both(a: int, b: int = 2, *, c: int, d: int = 4) -> tuple[int, ...]:
        return (a, b, c, d)

    assert positional(both)(1, 2, 3, 4) == (1, 2, 3, 4)
    assert positional(both).__name__ == "both"
    assert positional(nothing) is nothing


@given(st.binary(max_size=30))
def test_damaged_calls_are_decode_errors(body: bytes) -> None:
    """Whatever the bytes are."""
    try:
        sku, quantity, cents, note = ADD.decode(body)
    except DecodeError:
        return
    assert ADD.decode(ADD.encode((sku, quantity), {"cents": cents, "note": note})) == (
        sku,
        quantity,
        cents,
        note,
    )


@pytest.mark.parametrize("value", [1, 2.0, b"x", ["a"], {"sku": 1}, datetime(2026, 1, 1, tzinfo=UTC)])
def test_values_of_another_type_never_pass(value: Any) -> None:
    """The check is the exact type, in the quick form and in the careful one."""
    call: Callable[[], bytes] = lambda: ADD.encode((value,), {"cents": 1})  # noqa: E731
    with pytest.raises(WrongArgument, match=r"Cart\.add_item\(sku\): must be str"):
        call()
    with pytest.raises(DecodeError):
        ADD.decode(pack(value))
