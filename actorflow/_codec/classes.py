"""How attrs classes and dataclasses become plain and come back: a map by the names of their fields.

An object comes back without ``__init__``: no converter, validator or post-init sees it, so a value that was
stored is the value that is loaded, whatever the class does to new ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from attrs import define, field

from actorflow._codec.extensions import Plain, is_dict
from actorflow._codec.shapes import UPCAST, Shape, expected, unlike
from actorflow.errors import DecodeError, WrongArgument

if TYPE_CHECKING:
    from actorflow._codec.source import Source

__all__ = ["ClassShape", "Default"]

Default = Callable[[Any], object]
"""Makes the value of a field that is missing, given the object as far as it has come."""

_set: Final = object.__setattr__


@define(eq=False)
class ClassShape(Shape):
    """A class.  Its fields are filled in after it is made, because they may lead back to it."""

    kind: type
    fields: dict[str, Shape] = field(factory=dict[str, Shape])
    defaults: dict[str, Default] = field(factory=dict[str, Default])

    @property
    def hashable(self) -> bool:
        # An object that hashes by identity is another key once it has come back.
        return cast("object", self.kind.__hash__) not in (None, object.__hash__)

    @property
    def types(self) -> tuple[type, ...]:
        return (self.kind,)

    def lower(self, value: object, path: str) -> Plain:
        if type(value) is not self.kind:
            raise expected(self.kind, value, path)
        return {
            name: shape.lower(_get(value, name, path), f"{path}.{name}")
            for name, shape in self.fields.items()
        }

    def lift(self, plain: Plain, path: str) -> object:
        if not is_dict(plain):
            raise unlike(f"a map of the fields of {self.kind.__name__}", plain, path)
        if unknown := [str(name) for name in plain if name not in self.fields]:
            raise DecodeError(path, f"{self.kind.__name__} has no field {unknown[0]!r}", UPCAST)
        value = cast("object", object.__new__(self.kind))
        for name, shape in self.fields.items():
            at = f"{path}.{name}"
            item = shape.lift(plain[name], at) if name in plain else self._missing(value, name, at)
            _set(value, name, item)
        return value

    def _missing(self, value: object, name: str, path: str) -> object:
        """Give the default, as it would have come back had it been stored."""
        if name not in self.defaults:
            raise DecodeError(path, "is missing and has no default", f"give it a default; or: {UPCAST}")
        try:
            default = self.defaults[name](value)
            return self.fields[name].lift(self.fields[name].lower(default, path), path)
        except Exception as problem:  # a factory is the author's code
            raise DecodeError(path, f"is missing, and its default cannot be taken ({problem})") from problem

    def describe(self, known: set[type]) -> str:
        if self.kind in known:
            return self.kind.__name__
        known.add(self.kind)
        fields = ", ".join(f"{name}: {shape.describe(known)}" for name, shape in self.fields.items())
        return f"{self.kind.__name__}{{{fields}}}"

    def lower_code(self, source: Source, value: str) -> str:
        return f"{source.function(self, 'lower', self._lower_body)}({value})"

    def lift_code(self, source: Source, plain: str) -> str:
        return f"{source.function(self, 'lift', self._lift_body)}({plain})"

    def _lower_body(self, source: Source) -> list[str]:
        kind = source.bind(self.kind)
        body = [f"if _type(it) is not {kind}: _odd()"]
        items: list[str] = []
        for name, shape in self.fields.items():
            local = source.fresh()
            body.append(f"{local} = it.{name}")
            items.append(f"{name!r}: {shape.lower_code(source, local)}")
        return [*body, f"return {{{', '.join(items)}}}"]

    def _lift_body(self, source: Source) -> list[str]:
        body = [
            f"if _type(it) is not _dict or _len(it) != {len(self.fields)}: _odd()",
            f"new = _create({source.bind(self.kind)})",
        ]
        for name, shape in self.fields.items():
            local = source.fresh()
            code = shape.lift_code(source, local)
            body.append(f"{local} = it[{name!r}]")
            # Frozen classes and those with hooks have a ``__setattr__`` to go round, at 50 ns a field.
            plainly = cast("object", self.kind.__setattr__) is object.__setattr__
            body.append(f"new.{name} = {code}" if plainly else f"_set(new, {name!r}, {code})")
        return [*body, "return new"]


def _get(value: object, name: str, path: str) -> object:
    try:
        return getattr(value, name)
    except AttributeError:
        raise WrongArgument(f"{path}.{name}", "has no value yet") from None
