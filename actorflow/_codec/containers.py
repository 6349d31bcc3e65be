"""How lists, tuples, sets and dicts become plain and come back.

Order is part of a list and of a dict.  A set has none: its elements are written in the order of their bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from attrs import frozen

from actorflow._codec.extensions import Plain, is_dict, is_list, pack
from actorflow._codec.shapes import UPCAST, Shape, expected, short, unlike
from actorflow.errors import DecodeError, WrongArgument

if TYPE_CHECKING:
    from actorflow._codec.source import Source

__all__ = ["Heap", "PairDict", "Series", "TextDict", "Tuple"]

_PAIR: Final = 2


@frozen(eq=False)
class Series(Shape):
    """``list[X]`` and ``tuple[X, ...]``: an array."""

    kind: type[list[Any] | tuple[Any, ...]]
    item: Shape

    @property
    def hashable(self) -> bool:
        return self.kind is tuple and self.item.hashable

    @property
    def types(self) -> tuple[type, ...]:
        return (self.kind,)

    def lower(self, value: object, path: str) -> Plain:
        if type(value) is not self.kind:
            raise expected(self.kind, value, path)
        return [self.item.lower(item, f"{path}[{at}]") for at, item in enumerate(cast("list[Any]", value))]

    def lift(self, plain: Plain, path: str) -> object:
        return self.kind(self.item.lift(item, f"{path}[{at}]") for at, item in enumerate(_array(plain, path)))

    def describe(self, known: set[type]) -> str:
        return f"{self.kind.__name__}[{self.item.describe(known)}{', ...' * (self.kind is tuple)}]"

    def lower_code(self, source: Source, value: str) -> str:
        item = source.fresh()
        each = self.item.lower_code(source, item)
        return f"([{each} for {item} in {value}] if _type({value}) is {source.bind(self.kind)} else _odd())"

    def lift_code(self, source: Source, plain: str) -> str:
        item = source.fresh()
        array = f"[{self.item.lift_code(source, item)} for {item} in {plain}]"
        whole = array if self.kind is list else f"_tuple({array})"
        return f"({whole} if _type({plain}) is _list else _odd())"


@frozen(eq=False)
class Tuple(Shape):
    """``tuple[X, Y]``: an array of that length."""

    items: tuple[Shape, ...]

    @property
    def hashable(self) -> bool:
        return all(item.hashable for item in self.items)

    @property
    def types(self) -> tuple[type, ...]:
        return (tuple,)

    def lower(self, value: object, path: str) -> Plain:
        if type(value) is not tuple:
            raise expected(tuple, value, path)
        values = cast("tuple[object, ...]", value)
        if len(values) != len(self.items):
            raise WrongArgument(path, f"must have {len(self.items)} elements, not {len(values)}")
        return [shape.lower(values[at], f"{path}[{at}]") for at, shape in enumerate(self.items)]

    def lift(self, plain: Plain, path: str) -> object:
        array = _array(plain, path)
        if len(array) != len(self.items):
            raise DecodeError(path, f"must have {len(self.items)} elements, not {len(array)}", UPCAST)
        return tuple(shape.lift(array[at], f"{path}[{at}]") for at, shape in enumerate(self.items))

    def describe(self, known: set[type]) -> str:
        return f"tuple[{', '.join(item.describe(known) for item in self.items) or '()'}]"

    def lower_code(self, source: Source, value: str) -> str:
        items = [shape.lower_code(source, f"{value}[{at}]") for at, shape in enumerate(self.items)]
        return (
            f"([{', '.join(items)}] "
            f"if _type({value}) is _tuple and _len({value}) == {len(items)} else _odd())"
        )

    def lift_code(self, source: Source, plain: str) -> str:
        items = [f"{shape.lift_code(source, f'{plain}[{at}]')}," for at, shape in enumerate(self.items)]
        return (
            f"(({' '.join(items)}) if _type({plain}) is _list and _len({plain}) == {len(items)} else _odd())"
        )


@frozen(eq=False)
class Heap(Shape):
    """``set[X]`` and ``frozenset[X]``: an array, sorted by the bytes of the elements."""

    kind: type[set[Any] | frozenset[Any]]
    item: Shape

    @property
    def hashable(self) -> bool:
        return self.kind is frozenset

    @property
    def types(self) -> tuple[type, ...]:
        return (self.kind,)

    def lower(self, value: object, path: str) -> Plain:
        if type(value) is not self.kind:
            raise expected(self.kind, value, path)
        elements = cast("set[Any]", value)
        return sorted((self.item.lower(item, f"{path}[{short(item)}]") for item in elements), key=pack)

    def lift(self, plain: Plain, path: str) -> object:
        items = [self.item.lift(item, f"{path}[{at}]") for at, item in enumerate(_array(plain, path))]
        try:
            found = self.kind(items)
        except TypeError as problem:  # a frozen class with a list inside
            raise DecodeError(path, f"has an element that cannot be in a set ({problem})") from problem
        if len(found) != len(items):
            raise DecodeError(path, "has the same element twice")
        return found

    def describe(self, known: set[type]) -> str:
        return f"{self.kind.__name__}[{self.item.describe(known)}]"

    def lower_code(self, source: Source, value: str) -> str:
        item = source.fresh()
        each = f"[{self.item.lower_code(source, item)} for {item} in {value}]"
        return f"(_sorted({each}, key=_bytes) if _type({value}) is {source.bind(self.kind)} else _odd())"

    def lift_code(self, source: Source, plain: str) -> str:
        item = source.fresh()
        each = f"[{self.item.lift_code(source, item)} for {item} in {plain}]"
        return f"(_whole({source.bind(self.kind)}({each}), {plain}) if _type({plain}) is _list else _odd())"


@frozen(eq=False)
class TextDict(Shape):
    """``dict[str, X]``: a map."""

    key: Shape
    item: Shape

    @property
    def hashable(self) -> bool:
        return False

    @property
    def types(self) -> tuple[type, ...]:
        return (dict,)

    def lower(self, value: object, path: str) -> Plain:
        if not is_dict(value):
            raise expected(dict, value, path)
        return {
            self.key.lower(key, f"{path} key {short(key)}"): self.item.lower(item, f"{path}[{short(key)}]")
            for key, item in value.items()
        }

    def lift(self, plain: Plain, path: str) -> object:
        if not is_dict(plain):
            raise unlike("a map", plain, path)
        return {
            self.key.lift(key, f"{path} key {short(key)}"): self.item.lift(item, f"{path}[{short(key)}]")
            for key, item in plain.items()
        }

    def describe(self, known: set[type]) -> str:
        return f"dict[{self.key.describe(known)}, {self.item.describe(known)}]"

    def lower_code(self, source: Source, value: str) -> str:
        key, item = source.fresh(), source.fresh()
        pair = f"{self.key.lower_code(source, key)}: {self.item.lower_code(source, item)}"
        return f"({{{pair} for {key}, {item} in {value}.items()}} if _type({value}) is _dict else _odd())"

    def lift_code(self, source: Source, plain: str) -> str:
        key, item = source.fresh(), source.fresh()
        pair = f"{self.key.lift_code(source, key)}: {self.item.lift_code(source, item)}"
        return f"({{{pair} for {key}, {item} in {plain}.items()}} if _type({plain}) is _dict else _odd())"


@frozen(eq=False)
class PairDict(TextDict):
    """``dict[K, X]`` with other keys: an array of pairs."""

    def lower(self, value: object, path: str) -> Plain:
        if not is_dict(value):
            raise expected(dict, value, path)
        return [
            [self.key.lower(key, f"{path} key {short(key)}"), self.item.lower(item, f"{path}[{short(key)}]")]
            for key, item in value.items()
        ]

    def lift(self, plain: Plain, path: str) -> object:
        found: dict[object, object] = {}
        for at, pair in enumerate(_array(plain, path)):
            if not is_list(pair) or len(pair) != _PAIR:
                raise unlike("a pair of key and value", pair, f"{path}[{at}]")
            key = self.key.lift(pair[0], f"{path} key {short(pair[0])}")
            item = self.item.lift(pair[1], f"{path}[{short(key)}]")
            try:
                twice = key in found
            except TypeError as problem:  # a frozen class with a list inside
                raise DecodeError(path, f"has a key that cannot be in a dict ({problem})") from problem
            if twice:
                raise DecodeError(path, f"has the key {short(key)} twice")
            found[key] = item
        return found

    def lower_code(self, source: Source, value: str) -> str:
        key, item = source.fresh(), source.fresh()
        pair = f"[{self.key.lower_code(source, key)}, {self.item.lower_code(source, item)}]"
        return f"([{pair} for {key}, {item} in {value}.items()] if _type({value}) is _dict else _odd())"

    def lift_code(self, source: Source, plain: str) -> str:
        key, item = source.fresh(), source.fresh()
        pair = f"{self.key.lift_code(source, key)}: {self.item.lift_code(source, item)}"
        return f"_whole({{{pair} for {key}, {item} in _pairs({plain})}}, {plain})"


def _array(plain: Plain, path: str) -> list[Any]:
    if not is_list(plain):
        raise unlike("an array", plain, path)
    return plain
