"""The exact words of every error: they are for the person awake at night, and change only on purpose."""

# ruff: noqa: D103 - functions here are props, like the classes

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import enum
import pathlib
import typing
from abc import ABC, abstractmethod
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, Generic, List, Literal, NamedTuple, NewType, NoReturn, Self, Tuple, TypeVar  # noqa: UP035

import attrs
import pytest
from typing_extensions import TypeAliasType as Alias

from actorflow._codec import arguments, pack, schema
from actorflow.errors import DecodeError, DefinitionError, WrongArgument

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "x"


class Level(enum.IntEnum):
    LOW = 1


class Right(enum.Flag):
    READ = 1


class Bare(enum.Enum):
    pass


class Foreign:
    pass


class Pair(NamedTuple):
    a: int


class Text(str):
    __slots__ = ()


@attrs.define
class Item:
    quantity: int
    cents: int = 0


class Undecorated(Item):
    pass


@attrs.define
class Special(Item):
    pass


@attrs.frozen
class Bag:
    items: tuple[int, ...]
    mutable: list[int]


@attrs.define(eq=False)
class Identity:
    a: int


@attrs.define
class Box(Generic[T]):
    item: T


@attrs.define
class Base(ABC):
    @abstractmethod
    def speak(self) -> None: ...


@attrs.define
class Failure(Exception):
    a: int


@attrs.define
class Made:
    a: int

    def __new__(cls, *_: object) -> Self:
        return object.__new__(cls)


@attrs.define(unsafe_hash=True, cache_hash=True)
class Hashed:
    a: int


@attrs.define
class Lost:
    a: Nowhere  # type: ignore[name-defined]  # noqa: F821


@dataclasses.dataclass
class Late:
    a: int = dataclasses.field(init=False)


Untyped = attrs.make_class("Untyped", ["a"])
Other = attrs.make_class("Item", {"a": attrs.field(type=int)})


class TypeAliasType:
    """Stands for an alias that 3.11 has no syntax for: ``type Loop = list[Loop]``."""

    __type_params__ = ()

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def __value__(self) -> Any:
        if self.name == "Loop":
            return list[self]  # type: ignore[valid-type]
        raise NameError("name 'Nowhere' is not defined")

    def __repr__(self) -> str:
        return self.name


WHAT = "say what it holds: str, a class of yours, a union of several"
NAME = "keep a name or an enum, and look it up where you need it"
LIST = "write list[...] or tuple[..., ...]"
CLASS = "declare a class with @attrs.define, or keep a text and make the object where you need it"
KEY = "declare a class with @attrs.frozen, or write tuple or frozenset"
NEVER = "write None, also for a handler that never returns"
MEMBERS = "write the enum that has the members"
UPCAST = "if the declaration has changed since then, an upcast turns the old form into the new one"


@pytest.mark.parametrize(
    ("hint", "what", "instead"),
    [
        (Any, "Any cannot be stored", WHAT),
        (object, "object cannot be stored", WHAT),
        (dict[str, Any], "Any cannot be stored", WHAT),
        (list, "list cannot be stored", "say what is inside: list[...]"),
        (List, "List cannot be stored", "say what is inside: list[...]"),  # noqa: UP006
        (tuple, "tuple cannot be stored", "say what is inside: tuple[..., ...]"),
        (Tuple, "Tuple cannot be stored", "say what is inside: tuple[..., ...]"),  # noqa: UP006
        (dict, "dict cannot be stored", "say what is inside: dict[..., ...]"),
        (set, "set cannot be stored", "say what is inside: set[...]"),
        (frozenset, "frozenset cannot be stored", "say what is inside: frozenset[...]"),
        (list[int, str], "list[int, str] cannot be stored", "say what is inside: list[...]"),  # type: ignore[misc]
        (Final, "Final cannot be stored", "write Final[...]"),
        (NoReturn, "NoReturn cannot be stored", NEVER),
        (typing.Never, "Never cannot be stored", NEVER),
        (Self, "Self cannot be stored", "write the name of the class"),
        (bytearray, "bytearray cannot be stored", "write bytes"),
        (complex, "complex cannot be stored", "write tuple[float, float]"),
        (collections.deque[int], "collections.deque[int] cannot be stored", "write list[...]"),
        (collections.abc.Sequence[int], "collections.abc.Sequence[int] cannot be stored", LIST),
        (typing.Mapping[str, int], "Mapping[str, int] cannot be stored", "write dict[..., ...]"),
        (collections.abc.Callable[[int], int], "collections.abc.Callable[[int], int] cannot be stored", NAME),
        (type[int], "type[int] cannot be stored", NAME),
        (enum.Enum, "Enum cannot be stored", MEMBERS),
        (Bare, "Bare cannot be stored", MEMBERS),
        (Pair, "Pair cannot be stored", CLASS),
        (Foreign, "Foreign cannot be stored", CLASS),
        (pathlib.Path, "Path cannot be stored", CLASS),
        (T, "~T cannot be stored", "it is generic: write the type out"),
        (Box, "Box cannot be stored", "it is generic: write the type out, as a class of its own"),
        (
            Alias("Many", list[T], type_params=(T,)),  # type: ignore[arg-type]
            "Many cannot be stored",
            "it is generic: write the type out",
        ),
        (list["Item"], "'Item' is the name of a type, not a type", "write the type out"),
        (TypeAliasType("Loop"), "Loop refers to itself", "make it a class: these may be recursive"),
        (
            TypeAliasType("Gone"),
            "Gone cannot be resolved: name 'Nowhere' is not defined",
            "import it where the alias is, and not only under TYPE_CHECKING",
        ),
        (Base, "Base cannot be stored", "it is abstract: write a union of the classes that are meant"),
        (
            Failure,
            "Failure cannot be stored",
            "it is an exception, which is more than its fields: keep these in a class",
        ),
        (
            Undecorated,
            "Undecorated cannot be stored",
            "its base declares fields, itself it does not: decorate it, too",
        ),
        (Made, "Made cannot be stored", "it has a __new__, which does not run on loading: leave it out"),
        (
            Hashed,
            "Hashed cannot be stored",
            "it keeps its hash, which is not kept with it: leave out cache_hash=True",
        ),
        (
            set[Identity],
            "Identity{a: int} cannot be a key or in a set: it is mutable or equal only to itself",
            KEY,
        ),
        (
            dict[list[int], int],
            "list[int] cannot be a key or in a set: it is mutable or equal only to itself",
            KEY,
        ),
        (
            set[dict[str, int] | int],
            "dict[str, int] | int cannot be a key or in a set: it is mutable or equal only to itself",
            KEY,
        ),
        (
            dict[float, int],
            "float cannot be the key of a dict: NaN is not equal to itself",
            "write dict[Decimal, ...], dict[int, ...] or dict[str, ...]",
        ),
        (
            list[int] | list[str],
            "list[int] and list[str] are both list at run time",
            "put one of them into a class of its own",
        ),
        (
            str | Literal["a"],  # noqa: PYI051 - that is the mistake
            "str and Literal['a'] are both str at run time",
            "put one of them into a class of its own",
        ),
        (
            NewType("Id", int) | int,
            "int and int are both int at run time",
            "put one of them into a class of its own",
        ),
        (Item | Other, "two of its types are called Item", "rename one of them"),
        (Literal[1.5], "1.5 cannot be stored as a literal", "write str, int or an enum"),
        (Literal[Right.READ, "READ"], "two of its literals would be written as 'READ'", ""),
        (Literal[1 << 64], "one of its literals does not fit into 64 bits", "declare it as Decimal or str"),
    ],
)
def test_what_cannot_be_stored_says_what_to_write_instead(hint: Any, what: str, instead: str) -> None:
    """At the definition, and never later."""
    with pytest.raises(DefinitionError) as caught:
        schema(hint, "Cart.items")
    assert str(caught.value) == f"Cart.items: {what}" + (f"\n  hint: {instead}" if instead else "")


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (Untyped, "Untyped.a: has no annotation\n  hint: write a: int, or whatever it holds"),
        (
            Lost,
            (
                "Lost: an annotation cannot be resolved: name 'Nowhere' is not defined\n"
                "  hint: import it where the annotation is, and not only under TYPE_CHECKING"
            ),
        ),
        (
            attrs.make_class("Cart", {"items": attrs.field(type=list[Any])}),
            f"Cart.items: Any cannot be stored\n  hint: {WHAT}",
        ),
    ],
)
def test_a_faulty_field_is_named_with_its_class(hint: Any, text: str) -> None:
    """Wherever the class is used."""
    with pytest.raises(DefinitionError) as caught:
        schema(dict[str, hint], "Shop.carts")
    assert str(caught.value) == text


ITSELF = "only int itself would come back as it is: convert it, or declare "


@pytest.mark.parametrize(
    ("hint", "value", "text"),
    [
        (int, "a", "value: must be int, not str"),
        (int, None, "value: must be int, not None"),
        (None, 1, "value: must be None, not int"),
        (int, True, f"value: must be int itself, not its subclass bool\n  hint: {ITSELF}bool"),
        (int, Level.LOW, f"value: must be int itself, not its subclass Level\n  hint: {ITSELF}Level"),
        (
            str,
            Text("a"),
            (
                "value: must be str itself, not its subclass Text\n"
                "  hint: only str itself would come back as it is: convert it, or declare Text"
            ),
        ),
        (int, 1 << 64, "value: does not fit into 64 bits\n  hint: declare it as Decimal or str"),
        (
            list[int],
            [-(1 << 63) - 1],
            "value[0]: does not fit into 64 bits\n  hint: declare it as Decimal or str",
        ),
        (
            float,
            (1 << 53) + 1,
            "value: is an int that no float equals\n  hint: declare it as int or Decimal",
        ),
        (float, "a", "value: must be float, not str"),
        (
            list[str],
            ["a", "\ud800"],
            "value[1]: holds half of a surrogate pair, which is not text\n  hint: keep bytes",
        ),
        (
            datetime,
            datetime(2026, 1, 1),  # noqa: DTZ001
            (
                "value: has no time zone\n"
                "  hint: take now(), or say which zone it is in: value.replace(tzinfo=timezone.utc)"
            ),
        ),
        (
            date,
            datetime(2026, 1, 1, tzinfo=UTC),
            (
                "value: must be date itself, not its subclass datetime\n"
                "  hint: only date itself would come back as it is: convert it, or declare datetime"
            ),
        ),
        (Decimal, 1, "value: must be Decimal, not int"),
        (Colour, "RED", "value: must be Colour, not str"),
        (Level, 1, "value: must be Level, not int"),
        (Right, 1, "value: must be Right, not int"),
        (Literal["a", Level.LOW, 1], "b", "value: must be 'a' or Level.LOW or 1, not 'b'"),
        (Literal[1], True, "value: must be 1, not True"),
        (int | str, b"", "value: must be int or str, not bytes"),
        (int | Item | None, True, "value: must be int or Item, not bool"),
        (list[int], (1,), "value: must be list, not tuple"),
        (tuple[int, ...], [1], "value: must be tuple, not list"),
        (tuple[int, str], [1], "value: must be tuple, not list"),
        (tuple[int, str], (1,), "value: must have 2 elements, not 1"),
        (tuple[int, str], (1, 2), "value[1]: must be str, not int"),
        (set[int], frozenset({1}), "value: must be set, not frozenset"),
        (set[int], {"a"}, "value['a']: must be int, not str"),
        (dict[str, int], [], "value: must be dict, not list"),
        (dict[int, int], [], "value: must be dict, not list"),
        (dict[str, int], {1: 1}, "value key 1: must be str, not int"),
        (dict[int, int], {1: "a"}, "value[1]: must be int, not str"),
        (dict[str, Item], {"apple": Item("x")}, "value['apple'].quantity: must be int, not str"),  # type: ignore[arg-type]
        (Item, {}, "value: must be Item, not dict"),
        (
            Item,
            Special(1),
            (
                "value: must be Item itself, not its subclass Special\n"
                "  hint: only Item itself would come back as it is: convert it, or declare Special"
            ),
        ),
        (Late, Late(), "value.a: has no value yet"),
    ],
)
def test_a_value_of_another_type_names_its_place(hint: Any, value: object, text: str) -> None:
    """Where it is, what it must be and what it is."""
    with pytest.raises(WrongArgument) as caught:
        schema(hint, "value").encode(value)
    assert str(caught.value) == text
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("hint", "plain", "text"),
    [
        (int, "a", f"value: must be int, not str\n  hint: {UPCAST}"),
        (None, 1, f"value: must be None, not int\n  hint: {UPCAST}"),
        (Colour, 1, f"value: must be the name of a Colour, not int\n  hint: {UPCAST}"),
        (Colour, "BLUE", f"value: Colour has no member 'BLUE'\n  hint: {UPCAST}"),
        (Right, 1, f"value: must be the names of a Right, not int\n  hint: {UPCAST}"),
        (Right, "READ|", f"value: Right has no member ''\n  hint: {UPCAST}"),
        (Literal["a"], [1], f"value: must be 'a', not [1]\n  hint: {UPCAST}"),
        (int | str, 1, f"value: must be a pair of tag and value, not int\n  hint: {UPCAST}"),
        (int | str, ["x", 1], f"value: must be int or str, not 'x'\n  hint: {UPCAST}"),
        (list[int], {}, f"value: must be an array, not dict\n  hint: {UPCAST}"),
        (tuple[int, int], [1], f"value: must have 2 elements, not 1\n  hint: {UPCAST}"),
        (set[int], [1, 1], "value: has the same element twice"),
        (
            set[Bag],
            [{"items": [], "mutable": []}],
            "value: has an element that cannot be in a set (unhashable type: 'list')",
        ),
        (
            dict[Bag, int],
            [[{"items": [], "mutable": []}, 1]],
            "value: has a key that cannot be in a dict (unhashable type: 'list')",
        ),
        (dict[int, int], [[1, 1], [1, 2]], "value: has the key 1 twice"),
        (dict[int, int], [[1]], f"value[0]: must be a pair of key and value, not list\n  hint: {UPCAST}"),
        (dict[int, int], ["ab"], f"value[0]: must be a pair of key and value, not str\n  hint: {UPCAST}"),
        (dict[int, int], {1: 1}, f"value: must be an array, not dict\n  hint: {UPCAST}"),
        (dict[str, int], [], f"value: must be a map, not list\n  hint: {UPCAST}"),
        (dict[str, int], {1: 1}, f"value key 1: must be str, not int\n  hint: {UPCAST}"),
        (Item, [], f"value: must be a map of the fields of Item, not list\n  hint: {UPCAST}"),
        (Item, {"quantity": 1, "colour": 2}, f"value: Item has no field 'colour'\n  hint: {UPCAST}"),
        (
            dict[str, Item],
            {"apple": {"cents": 1}},
            (
                "value['apple'].quantity: is missing and has no default\n"
                f"  hint: give it a default; or: {UPCAST}"
            ),
        ),
    ],
)
def test_a_plain_form_that_does_not_fit_names_its_place(hint: Any, plain: object, text: str) -> None:
    """And says that the declaration may have changed."""
    with pytest.raises(DecodeError) as caught:
        schema(hint, "value").decode(pack(plain))
    assert str(caught.value) == text


def add_item(sku: str, /, quantity: int, *, cents: int = 1) -> None: ...
def plain(sku: str, quantity: int, cents: int) -> None: ...
def nothing() -> None: ...


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "text"),
    [
        (plain, ("a",), {"cents": 1}, "Cart.add_item(): is missing quantity"),
        (
            plain,
            ("a",),
            {"qty": 1},
            "Cart.add_item(): has no parameter 'qty' (it has sku, quantity, cents)",
        ),
        (nothing, (), {"qty": 1}, "Cart.add_item(): has no parameter 'qty' (it has none)"),
        (add_item, (), {"sku": 1}, "Cart.add_item(): takes sku by position only"),
        (plain, ("a",), {"sku": "a"}, "Cart.add_item(): was given sku twice"),
        (
            add_item,
            ("a", 1, 2),
            {},
            "Cart.add_item(): takes 2 positional arguments, not 3 (it has sku, quantity, cents)",
        ),
        (plain, ("a", "1", 2), {}, "Cart.add_item(quantity): must be int, not str"),
    ],
)
def test_a_call_that_does_not_fit_says_why(
    function: Any, args: tuple[object, ...], kwargs: dict[str, object], text: str
) -> None:
    """At the line of the caller."""
    with pytest.raises(WrongArgument) as caught:
        arguments(function, "Cart.add_item").encode(args, kwargs)
    assert str(caught.value) == text


def no_answer(sku: str): ...  # type: ignore[no-untyped-def]  # noqa: ANN201
def no_hint(sku) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def many(*skus: str) -> None: ...
def named(**skus: str) -> None: ...
def lost(sku: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def anything(sku: Any) -> None: ...
def misfit(sku: str = 1) -> None: ...  # type: ignore[assignment]
def forever() -> NoReturn:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (no_answer, "Cart.do: does not say what it returns\n  hint: write -> None if it returns nothing"),
        (no_hint, "Cart.do(sku): has no annotation\n  hint: write sku: int, or whatever it is"),
        (
            many,
            (
                "Cart.do(skus): takes any number of arguments\n"
                "  hint: write skus: list[...] or skus: dict[str, ...]"
            ),
        ),
        (
            named,
            (
                "Cart.do(skus): takes any number of arguments\n"
                "  hint: write skus: list[...] or skus: dict[str, ...]"
            ),
        ),
        (
            lost,
            (
                "Cart.do: an annotation cannot be resolved: name 'Nowhere' is not defined\n"
                "  hint: import it where the annotation is, and not only under TYPE_CHECKING"
            ),
        ),
        (anything, f"Cart.do(sku): Any cannot be stored\n  hint: {WHAT}"),
        (misfit, "Cart.do(sku): its default must be str, not int"),
        (forever, f"the answer of Cart.do(): NoReturn cannot be stored\n  hint: {NEVER}"),
    ],
)
def test_a_handler_that_cannot_be_called_is_refused(function: Any, text: str) -> None:
    """When it is declared."""
    with pytest.raises(DefinitionError) as caught:
        arguments(function, "Cart.do")
    assert str(caught.value) == text


def test_a_method_needs_a_self() -> None:
    """Which is not a parameter of the call."""
    with pytest.raises(DefinitionError) as caught:
        arguments(nothing, "Cart.do", skip_self=True)
    assert str(caught.value) == "Cart.do: has no self\n  hint: write self as its first parameter"
