"""How a value that is one of several becomes plain and comes back: enums, literals, optional values, unions.

What is chosen is written as a name, and the name is looked up in the declaration alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, Flag
from functools import cached_property
from typing import TYPE_CHECKING, Final

from attrs import frozen

from actorflow._codec.extensions import Plain, is_list
from actorflow._codec.shapes import UPCAST, Shape, expected, short, unlike, word
from actorflow.errors import DecodeError, WrongArgument

if TYPE_CHECKING:
    from actorflow._codec.source import Source

__all__ = ["Choice", "Flags", "Member", "Optional", "Union"]

_TAGGED: Final = 2


@frozen(eq=False)
class Member(Shape):
    """An enum, by the name of its member; an alias is read too, so that members can be renamed."""

    kind: type[Enum]

    @cached_property
    def members(self) -> dict[str, Enum]:
        return dict(self.kind.__members__)

    @property
    def types(self) -> tuple[type, ...]:
        return (self.kind,)

    def lower(self, value: object, path: str) -> Plain:
        if not isinstance(value, self.kind):
            raise expected(self.kind, value, path)
        return value._name_

    def lift(self, plain: Plain, path: str) -> object:
        if type(plain) is not str:
            raise unlike(f"the name of a {self.kind.__name__}", plain, path)
        if plain not in self.members:
            raise DecodeError(path, f"{self.kind.__name__} has no member {short(plain)}", UPCAST)
        return self.members[plain]

    def describe(self, known: set[type]) -> str:
        if self.kind in known:
            return self.kind.__name__
        known.add(self.kind)
        return f"{self.kind.__name__}{{{', '.join(self.members)}}}"

    def lower_code(self, source: Source, value: str) -> str:
        return f"({value}._name_ if _type({value}) is {source.bind(self.kind)} else _odd())"

    def lift_code(self, source: Source, plain: str) -> str:
        return f"{source.bind(self.members)}[{plain}]"


@frozen(eq=False)
class Flags(Member):
    """A flag, by the names of its single bits with ``|`` between; none is the empty text."""

    kind: type[Flag]

    def lower(self, value: object, path: str) -> Plain:
        if not isinstance(value, self.kind):
            raise expected(self.kind, value, path)
        if self._together(value) != value:
            hint = f"name them in {self.kind.__name__}"
            raise WrongArgument(path, f"{short(value)} has bits without a name", hint)
        return "|".join(str(bit.name) for bit in value)

    def lift(self, plain: Plain, path: str) -> object:
        if type(plain) is not str:
            raise unlike(f"the names of a {self.kind.__name__}", plain, path)
        if unknown := [name for name in plain.split("|") if plain and name not in self.members]:
            raise DecodeError(path, f"{self.kind.__name__} has no member {short(unknown[0])}", UPCAST)
        return self._together(self.kind[name] for name in plain.split("|") if plain)

    def _together(self, bits: Iterable[Flag]) -> Flag:
        whole = self.kind(0)
        for bit in bits:
            whole |= bit
        return whole

    lower_code = Shape.lower_code
    lift_code = Shape.lift_code


@frozen(eq=False)
class Choice(Shape):
    """A ``Literal``: one of a few values, told apart by type as well, since ``1 == True``."""

    values: tuple[object, ...]
    plains: dict[tuple[type, object], Plain]
    """By type and value, the plain form; no two are alike."""

    @cached_property
    def originals(self) -> dict[tuple[type, Plain], object]:
        return {(type(plain), plain): value for (_, value), plain in self.plains.items()}

    @property
    def types(self) -> tuple[type, ...]:
        return tuple(dict.fromkeys(type(value) for value in self.values))

    def lower(self, value: object, path: str) -> Plain:
        if type(value) in self.types and (type(value), value) in self.plains:
            return self.plains[type(value), value]
        raise WrongArgument(path, f"must be {self._words(' or ')}, not {short(value)}")

    def lift(self, plain: Plain, path: str) -> object:
        if type(plain) in (str, int, bool, bytes, type(None)) and (type(plain), plain) in self.originals:
            return self.originals[type(plain), plain]
        raise DecodeError(path, f"must be {self._words(' or ')}, not {short(plain)}", UPCAST)

    def describe(self, known: set[type]) -> str:
        del known
        return f"Literal[{self._words(', ')}]"

    def _words(self, between: str) -> str:
        words = (
            f"{type(each).__name__}.{each.name}" if isinstance(each, Enum) else repr(each)
            for each in self.values
        )
        return between.join(words)


@frozen(eq=False)
class Optional(Shape):
    """``X | None``: nil, or as X is."""

    item: Shape

    @property
    def hashable(self) -> bool:
        return self.item.hashable

    @property
    def types(self) -> tuple[type, ...]:
        return (*self.item.types, type(None))

    def lower(self, value: object, path: str) -> Plain:
        return None if value is None else self.item.lower(value, path)

    def lift(self, plain: Plain, path: str) -> object:
        return None if plain is None else self.item.lift(plain, path)

    def describe(self, known: set[type]) -> str:
        return f"{self.item.describe(known)} | None"

    def lower_code(self, source: Source, value: str) -> str:
        return f"(None if {value} is None else {self.item.lower_code(source, value)})"

    def lift_code(self, source: Source, plain: str) -> str:
        return f"(None if {plain} is None else {self.item.lift_code(source, plain)})"


@frozen(eq=False)
class Union(Shape):
    """``X | Y``: a pair of tag and value; the tag is the name of the value's exact type."""

    members: tuple[Shape, ...]

    @cached_property
    def by_type(self) -> dict[type, tuple[str, Shape]]:
        found = {kind: (kind.__name__, shape) for shape in self.members for kind in shape.types}
        if float in found:  # as everywhere, an int will do for a float, unless the union has int itself
            found.setdefault(int, found[float])
        return found

    @cached_property
    def by_tag(self) -> dict[str, Shape]:
        return dict(self.by_type.values())

    @property
    def hashable(self) -> bool:
        return all(member.hashable for member in self.members)

    @property
    def types(self) -> tuple[type, ...]:
        return tuple(self.by_type)

    def lower(self, value: object, path: str) -> Plain:
        if type(value) not in self.by_type:
            raise WrongArgument(path, f"must be {' or '.join(self.by_tag)}, not {word(type(value))}")
        tag, shape = self.by_type[type(value)]
        return [tag, shape.lower(value, path)]

    def lift(self, plain: Plain, path: str) -> object:
        if not is_list(plain) or len(plain) != _TAGGED or type(plain[0]) is not str:
            raise unlike("a pair of tag and value", plain, path)
        if plain[0] not in self.by_tag:
            raise DecodeError(path, f"must be {' or '.join(self.by_tag)}, not {short(plain[0])}", UPCAST)
        return self.by_tag[plain[0]].lift(plain[1], path)

    def describe(self, known: set[type]) -> str:
        return " | ".join(member.describe(known) for member in self.members)

    def lower_code(self, source: Source, value: str) -> str:
        code = "_odd()"
        for kind, (tag, shape) in self.by_type.items():
            pair = f"[{tag!r}, {shape.lower_code(source, value)}]"
            code = f"{pair} if _type({value}) is {source.bind(kind)} else {code}"
        return f"({code})"

    def lift_code(self, source: Source, plain: str) -> str:
        code = "_odd()"
        for tag, shape in self.by_tag.items():
            code = f"{shape.lift_code(source, f'{plain}[1]')} if {plain}[0] == {tag!r} else {code}"
        return f"(({code}) if _type({plain}) is _list and _len({plain}) == {_TAGGED} else _odd())"
