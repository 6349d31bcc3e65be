"""How objects come back, and what happens when the class has changed since."""

# ruff: noqa: D103 - functions here are props, like the classes

from __future__ import annotations

import dataclasses
from typing import Any

import attrs
import pytest

from actorflow._codec import schema, source, unpack
from actorflow.errors import DecodeError, WrongArgument


def refuse(*_: object) -> Any:
    raise AssertionError("must not run on loading")


def louder(text: str) -> str:
    return text.upper()


@attrs.define
class Guarded:
    """Does to new values what must not happen to stored ones."""

    loud: str = attrs.field(converter=louder)
    small: int = attrs.field(validator=attrs.validators.lt(10))
    made: int = attrs.field(init=False, default=0)
    _hidden: str = attrs.field(kw_only=True)
    runs: int = 0

    def __attrs_post_init__(self) -> None:
        self.runs += 1


@attrs.frozen
class Frozen:
    a: int
    b: tuple[int, ...] = ()


@dataclasses.dataclass
class Plain:
    a: int
    b: list[int] = dataclasses.field(default_factory=list)
    c: int = dataclasses.field(init=False)
    d: int = 4

    def __post_init__(self) -> None:
        self.c = self.a * 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tight:
    a: int
    b: int = 2


@attrs.define(slots=False)
class Loose:
    a: int


@attrs.define
class Grown:
    old: int
    plain: int = 7
    made: list[str] = attrs.field(factory=list)
    derived: int = attrs.field(default=attrs.Factory(lambda self: self.old + 1, takes_self=True))


@attrs.define
class Careless:
    number: int = None  # type: ignore[assignment]
    other: int = attrs.field(factory=refuse)


@attrs.define
class Node:
    next: Node | None = None


@attrs.define
class Shelf:
    rows: list[dict[str, Frozen]]


def test_loading_does_not_run_the_constructor() -> None:
    """A stored value is the loaded value, whatever converters, validators and post-init do to new ones."""
    value = Guarded("a", 1, hidden="h")  # pyright: ignore[reportCallIssue]  # attrs drops the underscore
    object.__setattr__(value, "loud", "quiet")
    object.__setattr__(value, "small", 99)
    value.made = 5
    codec = schema(Guarded, "value")
    found = codec.decode(codec.encode(value))
    assert found == value
    assert (found.loud, found.small, found.made, found._hidden, found.runs) == ("quiet", 99, 5, "h", 1)
    assert unpack(codec.encode(value))["_hidden"] == "h"


@pytest.mark.parametrize("value", [Frozen(1, (2,)), Plain(3), Tight(a=1), Loose(1)])
def test_every_kind_of_class_comes_back(value: object) -> None:
    """Frozen, slotted, keyword-only; attrs and dataclasses."""
    codec = schema(type(value), "value")
    found = codec.decode(codec.encode(value))
    assert found == value
    assert type(found) is type(value)


def test_a_field_that_is_missing_takes_its_default() -> None:
    """So that a field with a default can be added while actors sleep."""
    codec = schema(Grown, "value")
    first, second = codec.lift({"old": 1}), codec.lift({"old": 1, "derived": 5})
    assert first == Grown(1, 7, [], 2)
    assert second == Grown(1, 7, [], 5)
    assert first.made is not second.made
    assert schema(Plain, "value").lift({"a": 1, "c": 2}) == Plain(1)


def test_a_default_that_does_not_fit_is_reported() -> None:
    """A default is checked as if it had been stored, and a factory's failure is told."""
    codec = schema(Careless, "value")
    with pytest.raises(DecodeError, match=r"value\.number: is missing, and its default cannot be taken"):
        codec.lift({})
    with pytest.raises(DecodeError, match=r"value\.other: is missing.*must not run"):
        codec.lift({"number": 1})


def test_the_fields_of_a_class_are_schemas_too() -> None:
    """Each writes and reads for itself and knows its place."""
    fields = schema(Shelf, "Shelf").fields
    assert list(fields) == ["rows"]
    assert fields["rows"].decode(fields["rows"].encode([{"a": Frozen(1)}])) == [{"a": Frozen(1)}]
    with pytest.raises(WrongArgument, match=r"Shelf\.rows\[0\]\['a'\]: must be Frozen, not int"):
        fields["rows"].encode([{"a": 1}])
    assert schema(Shelf, "Shelf").fields["rows"].name == "list[dict[str, Frozen{a: int, b: tuple[int, ...]}]]"
    assert not schema(int, "value").fields


def test_a_changed_plain_form_is_checked_again() -> None:
    """What an upcast gives is refused as bytes would be, never taken on trust."""
    with pytest.raises(DecodeError, match="tuple has no plain form"):
        schema(Shelf, "Shelf").lift({"rows": ()})


def chain(length: int) -> Node:
    node = Node()
    for _ in range(length - 1):
        node = Node(node)
    return node


def test_a_recursive_value_is_bounded() -> None:
    """What can be written can be read; what nests too deeply is refused where it is written."""
    codec = schema(Node, "value")
    assert codec.decode(codec.encode(chain(100))) == chain(100)
    for depth in (101, 5000):
        with pytest.raises(WrongArgument, match="nested too deeply"):
            codec.encode(chain(depth))
    circle = Node()
    circle.next = circle
    with pytest.raises(WrongArgument, match="contains itself"):
        codec.encode(circle)


def test_bytes_that_nest_too_deeply_are_refused() -> None:
    """Not by a RecursionError."""
    with pytest.raises(DecodeError):
        schema(Node, "value").decode(b"\x81\xa4next" * 900 + b"\x80")
    with pytest.raises(DecodeError):
        schema(Node, "value").decode(b"\x81\xa4next" * 5000 + b"\xc0")


def test_what_was_compiled_once_is_not_compiled_again() -> None:
    """A handler asks for the schema of an answer in every turn, and on every replay: that is cheap."""

    @attrs.define
    class Bill:
        cents: int
        why: str

    first = schema(Bill, "an answer")
    before = source._compiled.cache_info().misses
    second = schema(Bill, "another answer")
    assert source._compiled.cache_info().misses == before
    assert second.decode(first.encode(Bill(3, "tea"))) == Bill(3, "tea")
    with pytest.raises(WrongArgument, match="another answer"):
        second.encode(Bill("3", "tea"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
