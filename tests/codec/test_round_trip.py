"""What is stored comes back: equal, of the same types all the way down, and in one form only."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from typing import Any, Literal
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow._codec import Schema, pack, schema, unpack
from actorflow.errors import DecodeError


class Colour(Enum):
    RED = 1
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Word(StrEnum):
    YES = "yes"
    NO = "no"


class Right(Flag):
    NONE = 0
    READ = 1
    WRITE = 2
    BOTH = READ | WRITE


@attrs.define
class Item:
    quantity: int
    cents: int


@attrs.frozen
class Point:
    x: int
    y: float


@attrs.define
class Tree:
    name: str
    children: list[Tree] = attrs.field(factory=list)
    parent: Tree | None = None


@attrs.define
class Everything:
    nothing: None
    flag: bool
    number: int
    ratio: float
    text: str
    data: bytes
    at: datetime
    day: date
    clock: time
    span: timedelta
    price: Decimal
    id: UUID
    colour: Colour
    size: Size
    word: Word
    right: Right
    choice: Literal["a", 1, True, b"x", None, Colour.RED]  # noqa: PYI061 - None among the literals
    items: dict[str, Item]
    by_number: dict[int, list[Item]]
    by_point: dict[tuple[int, Colour], Point]
    pair: tuple[int, tuple[str, bool]]
    empty: tuple[()]
    many: tuple[Item | None, ...]
    tags: set[str]
    points: frozenset[Point]
    union: int | str | Item | list[int] | None
    number_or_text: float | str
    unions: list[Item | Point | Colour | Literal["x"] | int]


offsets = st.integers(-86_399_999_999, 86_399_999_999).map(lambda us: timezone(timedelta(microseconds=us)))
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]) | offsets
integers = st.integers(-(1 << 63), (1 << 64) - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
floats = st.floats()
decimals = st.decimals().filter(lambda number: not number.is_snan())
times = (st.times() | st.times(timezones=zones)).map(lambda clock: clock.replace(fold=0))
items = st.builds(Item, integers, integers)
points = st.builds(Point, integers, st.floats(allow_nan=False))
colours = st.sampled_from(Colour)
rights = st.sampled_from([Right.NONE, Right.READ, Right.WRITE, Right.BOTH])
trees = st.recursive(
    st.builds(Tree, texts),
    lambda inner: st.builds(Tree, texts, st.lists(inner, max_size=2), st.none() | inner),
    max_leaves=8,
)
everything = st.builds(
    Everything,
    nothing=st.none(),
    flag=st.booleans(),
    number=integers,
    ratio=floats,
    text=texts,
    data=st.binary(max_size=8),
    at=st.datetimes(timezones=zones),
    day=st.dates(),
    clock=times,
    span=st.timedeltas(),
    price=decimals,
    id=st.uuids(),
    colour=colours,
    size=st.sampled_from(Size),
    word=st.sampled_from(Word),
    right=rights,
    choice=st.sampled_from(["a", 1, True, b"x", None, Colour.RED]),
    items=st.dictionaries(texts, items, max_size=3),
    by_number=st.dictionaries(integers, st.lists(items, max_size=2), max_size=3),
    by_point=st.dictionaries(st.tuples(integers, colours), points, max_size=3),
    pair=st.tuples(integers, st.tuples(texts, st.booleans())),
    empty=st.just(()),
    many=st.lists(st.none() | items, max_size=3).map(tuple),
    tags=st.sets(texts, max_size=4),
    points=st.frozensets(points, max_size=3),
    union=st.none() | integers | texts | items | st.lists(integers, max_size=2),
    number_or_text=floats | texts,
    unions=st.lists(items | points | colours | st.just("x") | integers, max_size=4),
)


def exactly(value: Any) -> Any:
    """A form of a value in which only what is the same to the last bit is equal."""
    kind = type(value)
    if attrs.has(kind):
        return kind, [exactly(getattr(value, field.name)) for field in attrs.fields(kind)]
    if kind in (list, tuple):
        return kind, [exactly(item) for item in value]
    if kind is dict:
        return kind, [(exactly(key), exactly(item)) for key, item in value.items()]
    if kind in (set, frozenset):
        return kind, sorted(repr(exactly(item)) for item in value)
    if kind is float:
        return kind, struct.pack(">d", value)
    if kind in (datetime, time):
        return kind, value.isoformat(), value.utcoffset()
    return kind, str(value) if kind is Decimal else value


EVERYTHING = schema(Everything, "Everything")
TREE = schema(Tree, "Tree")


@given(everything)
def test_what_is_stored_comes_back_as_it_was(value: Everything) -> None:
    """decode(encode(x)) is x, with the same types all the way down."""
    assert exactly(EVERYTHING.decode(EVERYTHING.encode(value))) == exactly(value)


@given(everything)
def test_there_is_one_form(value: Everything) -> None:
    """encode(decode(b)) is b, so that digests of equal states are equal."""
    data = EVERYTHING.encode(value)
    assert EVERYTHING.encode(EVERYTHING.decode(data)) == data


@given(trees)
def test_recursive_classes_come_back(value: Tree) -> None:
    """A class may hold itself."""
    assert TREE.decode(TREE.encode(value)) == value


@given(everything)
def test_the_quick_form_and_the_careful_form_agree(value: Everything) -> None:
    """What the generated code does is what the shapes say."""
    data = EVERYTHING.encode(value)
    careful = EVERYTHING.shape.lower(value, "")
    assert pack(careful) == data
    assert exactly(EVERYTHING.shape.lift(unpack(data), "")) == exactly(EVERYTHING.decode(data))


@given(everything)
def test_the_plain_form_is_enough(value: Everything) -> None:
    """An upcast can take the plain form, change it and give it back."""
    assert exactly(EVERYTHING.lift(EVERYTHING.lower(value))) == exactly(value)


@given(everything, st.data())
def test_damaged_bytes_are_refused_or_mean_something_else(value: Everything, data: st.DataObject) -> None:
    """Whatever the bytes are: a value of the declared type or a DecodeError, and nothing else."""
    good = EVERYTHING.encode(value)
    bad = _damaged(good, data.draw)
    try:
        found = EVERYTHING.decode(bad)
    except DecodeError:
        return
    again = EVERYTHING.decode(EVERYTHING.encode(found))
    assert exactly(again) == exactly(found)


@given(st.binary(max_size=40))
def test_random_bytes_are_refused_or_mean_something(data: bytes) -> None:
    """The same, for bytes from nowhere."""
    for hint in (Tree, dict[tuple[int, ...], set[str] | int], Decimal):
        codec: Schema[Any] = schema(hint, "value")
        with suppress(DecodeError):
            codec.encode(codec.decode(data))


def _damaged(good: bytes, draw: Callable[[st.SearchStrategy[Any]], Any]) -> bytes:
    at: int = draw(st.integers(0, len(good) - 1))
    put: bytes = draw(st.binary(min_size=1, max_size=3))
    match draw(st.sampled_from(["change", "cut", "insert", "remove"])):
        case "change":
            return good[:at] + put + good[at + 1 :]
        case "cut":
            return good[:at]
        case "insert":
            return good[:at] + put + good[at:]
        case _:
            return good[:at] + good[at + 1 :]


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (dict[str, Item], {"a": Item(1, 2)}),
        (list[float], [1, 2.5]),
        (dict[int, tuple[str, bytes]], {1: ("a", b"b")}),
        (tuple[int, ...] | None, (1, 2)),
        (Point | Item | str, Point(1, 2.0)),
        (frozenset[Colour], frozenset({Colour.RED})),
        (tuple[datetime, Decimal, UUID], (datetime(2026, 1, 1, tzinfo=UTC), Decimal("1.0"), UUID(int=1))),
        (tuple[()], ()),
    ],
)
def test_ordinary_values_take_the_quick_form(
    hint: Any, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is declared and given as usual never needs the slow walk."""
    codec = schema(hint, "value")
    data = codec.encode(value)
    for kind in type(codec.shape).__mro__[:-1]:
        if "lower" in vars(kind):
            monkeypatch.setattr(kind, "lower", None)
            monkeypatch.setattr(kind, "lift", None)
    assert codec.encode(value) == data
    assert codec.encode(codec.decode(data)) == data


def test_the_order_of_a_dict_is_part_of_it() -> None:
    """Two dicts that iterate differently are different bytes, and come back so."""
    for hint, one in ((dict[str, int], {"b": 1, "a": 2}), (dict[int, int], {2: 1, 1: 2})):
        codec: Schema[Any] = schema(hint, "value")
        assert list(codec.decode(codec.encode(one))) == list(one)
        assert codec.encode(one) != codec.encode(dict(reversed(one.items())))


def test_the_order_of_a_set_is_not() -> None:
    """Sets that were filled differently are the same bytes."""
    codec = schema(set[int], "value")
    assert codec.encode({8, 0, 16}) == codec.encode({16, 8, 0})
    assert unpack(codec.encode({300, 2, 1})) == [1, 2, 300]


def test_not_a_number_and_the_infinities_are_numbers() -> None:
    """Floats are kept to the bit, minus zero included."""
    codec = schema(list[float], "value")
    nan, inf, zero = codec.decode(codec.encode([math.nan, -math.inf, -0.0]))
    assert math.isnan(nan)
    assert inf == -math.inf
    assert math.copysign(1, zero) == -1
