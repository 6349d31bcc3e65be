"""A type hint made into a codec: ``schema(hint, where)`` gives what writes and reads its values.

    items = schema(dict[str, Item], "Cart.items")
    items.decode(items.encode({"apple": Item(2)}))

What comes back is equal and of the same types all the way down, and equal values are equal bytes.  Two
things are settled when a value is written: an int for a float becomes a float, and a time zone becomes its
offset at that time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, overload

from attrs import field, frozen

from actorflow._codec.classes import ClassShape
from actorflow._codec.extensions import Plain, is_dict, is_list, pack, unpack
from actorflow._codec.hints import HintReader
from actorflow._codec.source import PACK, UNPACK, Source
from actorflow.errors import DecodeError, WrongArgument

if TYPE_CHECKING:
    from actorflow._codec.shapes import Shape

__all__ = ["DEPTH_MAX", "Schema", "flat", "schema", "with_shape"]

T = TypeVar("T")

DEPTH_MAX: Final = 100
"""How deep a recursive value may nest.  What is written at one place must be readable at any other, and the
careful form takes up to three of the interpreter's thousand frames for a level."""


@frozen(eq=False)
class Schema(Generic[T]):
    """One type at one place: writes its values and reads them back."""

    where: str
    name: str
    """What the type is, with the fields of its classes: the same text means the same form."""
    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]
    shape: Shape
    recursive: bool
    _fields: dict[str, Schema[Any]] = field(factory=dict[str, "Schema[Any]"], init=False)

    @property
    def fields(self) -> Mapping[str, Schema[Any]]:
        """The schemas of the fields of a class; empty for anything else."""
        if not self._fields and isinstance(self.shape, ClassShape):
            for name, shape in self.shape.fields.items():
                self._fields[name] = with_shape(shape, f"{self.where}.{name}", recursive=self.recursive)
        return self._fields

    def lower(self, value: T) -> Plain:
        """Give the plain form of a value."""
        return unpack(self.encode(value), self.where)

    def lift(self, plain: Plain) -> T:
        """Give the value of a plain form, which an upcast may have changed."""
        try:
            data = pack(plain, self.where)
        except WrongArgument as problem:  # the plain form is to blame, not a value
            raise DecodeError(problem.where, problem.what, problem.hint) from problem
        return self.decode(data)


@overload
def schema(hint: type[T], where: str, localns: Mapping[str, object] | None = None) -> Schema[T]: ...
@overload
def schema(hint: Any, where: str, localns: Mapping[str, object] | None = None) -> Schema[Any]: ...
def schema(hint: Any, where: str, localns: Mapping[str, object] | None = None) -> Schema[Any]:
    """Give the schema of a resolved hint, or a ``DefinitionError``; ``where`` begins the path in errors."""
    reader = HintReader(localns)
    return with_shape(reader.read(hint, where), where, recursive=reader.recursive)


def with_shape(shape: Shape, where: str, *, recursive: bool) -> Schema[Any]:
    """Compile a shape that was read before."""

    def careful_encode(value: object) -> bytes:
        try:
            plain = shape.lower(value, where)
        except RecursionError:
            raise too_deep(where) from None
        return pack(flat(plain, where) if recursive else plain, where)

    def careful_decode(data: bytes) -> object:
        plain = unpack(data, where)
        try:
            return shape.lift(plain, where)
        except RecursionError:
            raise DecodeError(where, "is nested too deeply") from None

    source = Source()
    plain = shape.lower_code(source, "value")
    if recursive:
        plain = f"{source.bind(flat)}({plain})"
    source.guarded("encode(value)", [f"return {PACK}({plain})"], f"{source.bind(careful_encode)}(value)")
    read = [f"plain = {UNPACK.format('data')}", f"return {shape.lift_code(source, 'plain')}"]
    source.guarded("decode(data)", read, f"{source.bind(careful_decode)}(data)")
    made = source.compile()
    return Schema(where, shape.describe(set()), made["encode"], made["decode"], shape, recursive)


def flat(plain: Plain, where: str = "value") -> Plain:
    """Give back a plain form that is not nested deeper than ``DEPTH_MAX``."""
    level = [plain]
    for _ in range(DEPTH_MAX + 1):
        level = [item for each in level for item in _inside(each)]
    if level:
        raise too_deep(where)
    return plain


def too_deep(where: str) -> WrongArgument:
    """Make the error about a value that contains itself, or too many levels."""
    return WrongArgument(where, "is nested too deeply, or contains itself", f"{DEPTH_MAX} levels are allowed")


def _inside(plain: Plain) -> list[Plain]:
    if is_dict(plain):
        return list(plain.values())
    return plain if is_list(plain) else []
