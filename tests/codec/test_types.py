"""What each type is kept as, and the hints that mean the same."""

# ruff: noqa: D103 - functions here are props, like the classes

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from decimal import ROUND_DOWN, Decimal, localcontext
from enum import Enum, Flag, IntEnum, IntFlag
from typing import Annotated, Any, Final, List, Literal, NewType, Optional, Union  # noqa: UP035 - old spellings
from zoneinfo import ZoneInfo

import attrs
import pytest
from typing_extensions import TypeAliasType

from actorflow._codec import Schema, schema, unpack
from actorflow.errors import DecodeError, WrongArgument

Sku = NewType("Sku", str)
Cents = TypeAliasType("Cents", int)
Both = TypeAliasType("Both", int | bytes)
MaybeCents = TypeAliasType("MaybeCents", Optional[Cents])  # noqa: UP045 - an alias cannot be joined with |


class Level(IntEnum):
    LOW = 1
    HIGH = 2
    TOP = 2


class Right(Flag):
    READ = 1
    WRITE = 2
    EXECUTE = 4


class Mode(IntFlag):
    A = 1


@attrs.frozen
class Key:
    name: str


def through(hint: Any, value: object) -> Any:
    codec: Schema[Any] = schema(hint, "value")
    return codec.decode(codec.encode(value))


def test_an_int_given_for_a_float_becomes_one_at_once() -> None:
    """Live sees what replay will see."""
    assert repr(through(float, 3)) == "3.0"
    assert repr(through(float | None, 3)) == "3.0"
    assert repr(through(float | str, 3)) == "3.0"
    assert repr(through(float | int, 3)) == "3"
    assert repr(through(list[float], [1, 2])) == "[1.0, 2.0]"


@pytest.mark.parametrize("number", [(1 << 53) + 1, 10**400, -(10**400)])
def test_an_int_that_no_float_equals_is_refused(number: int) -> None:
    """A number is never rounded behind one's back."""
    with pytest.raises(WrongArgument, match="no float equals"):
        schema(float, "value").encode(number)


def test_a_time_zone_becomes_its_offset() -> None:
    """Rules of zones change with the machine; what comes back has the offset of that moment."""
    summer = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Vienna"))
    found = through(datetime, summer)
    assert found == summer
    assert found.tzinfo == timezone(timedelta(hours=2))
    assert through(datetime, datetime(2026, 1, 1, tzinfo=UTC)).tzinfo is UTC


@pytest.mark.parametrize("at", [datetime.min, datetime.max])  # noqa: DTZ901 - the zone comes below
@pytest.mark.parametrize("hours", [-23, 23])
def test_the_ends_of_time_are_kept(at: datetime, hours: int) -> None:
    """Also where UTC itself would be out of range."""
    value = at.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert through(datetime, value).isoformat() == value.isoformat()


def test_a_naive_time_is_not_one_of_utc() -> None:
    """A time has an offset or it has none."""
    assert through(time, time(1)).tzinfo is None
    assert through(time, time(1, tzinfo=UTC)).tzinfo is UTC


@pytest.mark.parametrize("text", ["1.50", "-0.00", "1E+3", "0E-7", "NaN", "-Infinity", "NaN123", "9" * 60])
def test_a_decimal_keeps_its_digits(text: str) -> None:
    """Sign, digits and exponent, whatever the context of the caller."""
    with localcontext() as context:
        context.prec, context.rounding, context.capitals = 3, ROUND_DOWN, 0
        found = through(Decimal, Decimal(text))
    assert found.as_tuple() == Decimal(text).as_tuple()


def test_members_stay_themselves() -> None:
    """An enum is stored by name: an IntEnum is not an int, and an alias is its member."""
    assert through(Level, Level.HIGH) is Level.HIGH
    assert unpack(schema(Level, "value").encode(Level.TOP)) == "HIGH"
    assert schema(Level, "value").lift("TOP") is Level.HIGH
    assert through(Right, Right.READ | Right.EXECUTE) is Right.READ | Right.EXECUTE
    assert through(Right, Right(0)) is Right(0)
    assert unpack(schema(Right, "value").encode(Right.EXECUTE | Right.READ)) == "READ|EXECUTE"


def test_a_flag_with_nameless_bits_is_refused() -> None:
    """They would be lost."""
    with pytest.raises(WrongArgument, match="bits without a name"):
        schema(Mode, "value").encode(Mode(9))


def test_literals_are_told_apart_by_type() -> None:
    """1 is not True, and a member in a literal is stored by name."""
    hint = Literal[1, True, "x", Level.LOW]
    for value in (1, True, "x", Level.LOW):
        assert through(hint, value) is value


def test_a_union_writes_the_name_of_the_type() -> None:
    """And an optional value is just there or not."""
    assert unpack(schema(int | str, "value").encode("a")) == ["str", "a"]
    assert unpack(schema(int | Key | None, "value").encode(Key("a"))) == ["Key", {"name": "a"}]
    assert unpack(schema(int | Key | None, "value").encode(None)) is None
    assert unpack(schema(int | None, "value").encode(3)) == 3
    assert unpack(schema(int | tuple[int, str], "value").encode((1, "a"))) == ["tuple", [1, "a"]]
    assert schema(int | None, "value").shape.types == (int, type(None))


@pytest.mark.parametrize(
    ("hint", "same"),
    [
        (None, type(None)),
        (Sku, str),
        (Cents, int),
        (Annotated[int, "any", []], int),
        (Final[int], int),
        (List[int], list[int]),  # noqa: UP006 - the old spelling
        (Optional[int], int | None),  # noqa: UP045
        (Union[int, str, None], int | str | None),  # noqa: UP007
        (Union[MaybeCents, str], int | str | None),  # noqa: UP007 - 3.11 cannot join an alias with |
        (Union[Both, str], int | bytes | str),  # noqa: UP007
    ],
)
def test_hints_that_mean_the_same_are_the_same(hint: Any, same: Any) -> None:
    """A NewType, an alias or an old spelling changes nothing in the bytes."""
    assert schema(hint, "value").name == schema(same, "value").name


def test_a_key_may_be_anything_that_holds_still() -> None:
    """Frozen classes, enums and tuples are keys; texts make a map, all others an array of pairs."""
    for hint, value in (
        (dict[Key, int], {Key("a"): 1}),
        (dict[Level, int], {Level.LOW: 1}),
        (dict[tuple[int, str], int], {(1, "a"): 1}),
        (dict[int | str, int], {1: 1, "1": 2}),
        (dict[bool | None, int], {None: 1, True: 2}),
        (dict[frozenset[int], int], {frozenset({1}): 1}),
        (set[tuple[Key, ...]], {(Key("a"),)}),
    ):
        assert through(hint, value) == value
    assert unpack(schema(dict[Sku, int], "value").encode({Sku("a"): 1})) == {"a": 1}
    assert unpack(schema(dict[int, int], "value").encode({5: 1})) == [[5, 1]]


def test_the_name_of_a_schema_tells_its_form() -> None:
    """Without modules, with fields and types, each class told once."""

    @attrs.define
    class Bill:
        key: Key
        keys: dict[Key, Right]
        levels: set[Level]
        next: Bill | None
        what: Literal["a", Level.LOW] | tuple[int, ...]
        pair: tuple[int, str]

    assert schema(Bill, "Bill").name == (
        "Bill{key: Key{name: str}, keys: dict[Key, Right{READ, WRITE, EXECUTE}], "
        "levels: set[Level{LOW, HIGH, TOP}], next: Bill | None, "
        "what: Literal['a', Level.LOW] | tuple[int, ...], pair: tuple[int, str]}"
    )


def test_enums_are_looked_up_in_the_declaration_alone() -> None:
    """A name in the data can only ever be the name of a declared member."""
    colour = Enum("colour", ["RED"])
    with pytest.raises(DecodeError, match="colour has no member '__class__'"):
        schema(colour, "value").lift("__class__")
