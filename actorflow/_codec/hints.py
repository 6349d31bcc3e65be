"""From a type hint to its shape, or to an error that says what to write instead.

The only place that knows ``typing``.  What is not listed here cannot be stored, on purpose: a type is
supported when its values come back exactly as they were, and nothing is guessed.
"""

from __future__ import annotations

import collections
import collections.abc as abstract
import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping
from enum import Enum, Flag
from typing import Any, Final, NewType

import attrs
from attrs import define, field

from actorflow._codec.choices import Choice, Flags, Member, Optional, Union
from actorflow._codec.classes import ClassShape, Default
from actorflow._codec.containers import Heap, PairDict, Series, TextDict, Tuple
from actorflow._codec.extensions import EXTENSION_TYPES, Plain, is_tuple, pack
from actorflow._codec.shapes import Exact, Float, Shape
from actorflow.errors import DefinitionError, WrongArgument

__all__ = ["HintReader", "hints_of"]

_LITERALS: Final = (str, int, bool, bytes, type(None))
_EXACT: Final = (type(None), bool, int, str, bytes, *EXTENSION_TYPES)
_CONTAINERS: Final = (list, tuple, dict, set, frozenset)

_HOLDS: Final = "say what it holds: str, a class of yours, a union of several"
_NEVER: Final = "write None, also for a handler that never returns"
_NAME: Final = "keep a name or an enum, and look it up where you need it"
_LIST: Final = "write list[...] or tuple[..., ...]"
_CLASS: Final = "declare a class with @attrs.define, or keep a text and make the object where you need it"
_WRITE_OUT: Final = "write the type out"
_INSTEAD: Final[list[tuple[Any, str]]] = [
    (Any, _HOLDS),
    (object, _HOLDS),
    (list, "say what is inside: list[...]"),
    (tuple, "say what is inside: tuple[..., ...]"),
    (dict, "say what is inside: dict[..., ...]"),
    (set, "say what is inside: set[...]"),
    (frozenset, "say what is inside: frozenset[...]"),
    (typing.Final, "write Final[...]"),
    (typing.NoReturn, _NEVER),
    (typing.Never, _NEVER),
    (typing.Self, "write the name of the class"),  # pyright: ignore[reportUnknownMemberType]
    (bytearray, "write bytes"),
    (memoryview, "write bytes"),
    (complex, "write tuple[float, float]"),
    (range, "write tuple[int, int]"),
    (collections.OrderedDict, "write dict[..., ...], which keeps its order too"),
    (collections.defaultdict, "write dict[..., ...], and setdefault() where you use it"),
    (collections.Counter, "write dict[..., int]"),
    (collections.deque, "write list[...]"),
    (abstract.Mapping, "write dict[..., ...]"),
    (abstract.MutableMapping, "write dict[..., ...]"),
    (abstract.Set, "write set[...] or frozenset[...]"),
    (abstract.MutableSet, "write set[...]"),
    (abstract.Sequence, _LIST),
    (abstract.MutableSequence, _LIST),
    (abstract.Collection, _LIST),
    (abstract.Iterable, _LIST),
    (abstract.Iterator, _LIST),
    (abstract.Callable, _NAME),  # pyright: ignore[reportUnknownMemberType]
    (type, _NAME),
]


def hints_of(thing: object, where: str, localns: Mapping[str, object] | None = None) -> dict[str, Any]:
    """Resolve the annotations of a function or class."""
    own = {thing.__name__: thing} if isinstance(thing, type) else {}
    local = {**(localns or {}), **own}
    # What is itself local to a function may mean a local class where a global one has the same name; for all
    # else the locals come second, because they say nothing about the classes of another module.
    inner = "<locals>" in getattr(thing, "__qualname__", "")
    try:
        try:
            return typing.get_type_hints(thing, localns=local if inner else None, include_extras=True)
        except NameError:
            return typing.get_type_hints(thing, localns=None if inner else local, include_extras=True)
    except Exception as problem:  # resolving runs whatever is written in the annotation
        hint = "import it where the annotation is, and not only under TYPE_CHECKING"
        raise DefinitionError(where, f"an annotation cannot be resolved: {problem}", hint) from problem


@define
class HintReader:
    """Reads the hints of one declaration; classes met twice are one shape, so they may be recursive."""

    localns: Mapping[str, object] | None = None
    recursive: bool = False
    """Whether a class was met inside itself."""
    _classes: dict[type, ClassShape] = field(factory=dict[type, ClassShape])
    _open: list[object] = field(factory=list[object])

    def read(self, hint: Any, where: str) -> Shape:
        """Give the shape of a resolved hint."""
        if hint is None or hint in _EXACT:
            return Exact(type(None) if hint is None else hint)
        if hint is float:
            return Float()
        if isinstance(hint, NewType):
            return self.read(hint.__supertype__, where)
        if type(hint).__name__ == "TypeAliasType":  # of typing from 3.12 on, of typing_extensions before
            return self._alias(hint, where)
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Annotated, typing.Final):
            return self.read(args[0], where)
        if origin in (typing.Union, types.UnionType):
            return self._union([self.read(arg, where) for arg in args], where)
        if origin is typing.Literal:
            return self._literal(args, where)
        if origin in _CONTAINERS and (args or isinstance(hint, types.GenericAlias)):
            return self._container(origin, args, hint, where)
        if origin is None and isinstance(hint, type):
            return self._class(hint, where)
        raise _refusal(hint, where)

    def _alias(self, alias: Any, where: str) -> Shape:
        if alias in self._open:
            raise DefinitionError(
                where, f"{alias} refers to itself", "make it a class: these may be recursive"
            )
        if alias.__type_params__:
            raise _refusal(alias, where)
        self._open.append(alias)
        try:
            value = alias.__value__
        except NameError as problem:
            hint = "import it where the alias is, and not only under TYPE_CHECKING"
            raise DefinitionError(where, f"{alias} cannot be resolved: {problem}", hint) from problem
        shape = self.read(value, where)
        self._open.pop()
        return shape

    def _union(self, shapes: list[Shape], where: str) -> Shape:
        members: list[Shape] = []
        nil = False
        for shape in shapes:  # an alias or a NewType may bring in a union of its own
            inner = shape.item if isinstance(shape, Optional) else shape
            nil = nil or inner is not shape or inner.types == (type(None),)
            if isinstance(inner, Union):
                members += inner.members
            elif inner.types != (type(None),):
                members.append(inner)
        taken: dict[type, Shape] = {}
        for member in members:
            for kind in member.types:
                if kind in taken:
                    both = f"{taken[kind].describe(set())} and {member.describe(set())}"
                    hint = "put one of them into a class of its own"
                    raise DefinitionError(where, f"{both} are both {kind.__name__} at run time", hint)
                if kind.__name__ in {known.__name__ for known in taken}:
                    what = f"two of its types are called {kind.__name__}"
                    raise DefinitionError(where, what, "rename one of them")
                taken[kind] = member
        union = members[0] if len(members) == 1 else Union(tuple(members))
        return Optional(union) if nil else union

    def _literal(self, values: tuple[object, ...], where: str) -> Shape:
        plains: dict[tuple[type, object], Plain] = {}
        for value in values:
            if isinstance(value, Enum):
                plain = self.read(type(value), where).lower(value, where)
            elif type(value) in _LITERALS:
                plain = value
            else:
                what = f"{value!r} cannot be stored as a literal"
                raise DefinitionError(where, what, "write str, int or an enum")
            if any(type(plain) is type(known) and plain == known for known in plains.values()):
                raise DefinitionError(where, f"two of its literals would be written as {plain!r}")
            plains[type(value), value] = plain
        try:
            pack(list(plains.values()))
        except WrongArgument as problem:
            raise DefinitionError(where, f"one of its literals {problem.what}", problem.hint) from None
        return Choice(values, plains)

    def _container(self, origin: Any, args: tuple[Any, ...], hint: Any, where: str) -> Shape:
        match origin, args:
            case (builtin, (item,)) if builtin is list:
                return Series(list, self.read(item, where))
            case (builtin, (item, end)) if builtin is tuple and end is ...:
                return Series(tuple, self.read(item, where))
            case (builtin, items) if builtin is tuple:
                return Tuple(tuple(self.read(item, where) for item in items))
            case (builtin, (item,)) if builtin in (set, frozenset):
                return Heap(builtin, self._key(item, where))
            case (builtin, (key, item)) if builtin is dict:
                shape = self._key(key, where)
                if isinstance(shape, Float):
                    hint = "write dict[Decimal, ...], dict[int, ...] or dict[str, ...]"
                    raise DefinitionError(
                        where, "float cannot be the key of a dict: NaN is not equal to itself", hint
                    )
                text = isinstance(shape, Exact) and shape.kind is str
                return (TextDict if text else PairDict)(shape, self.read(item, where))
            case _:
                raise _refusal(hint, where)

    def _key(self, hint: Any, where: str) -> Shape:
        shape = self.read(hint, where)
        if not shape.hashable:
            what = (
                f"{shape.describe(set())} cannot be a key or in a set: it is mutable or equal only to itself"
            )
            hint = "declare a class with @attrs.frozen, or write tuple or frozenset"
            raise DefinitionError(where, what, hint)
        return shape

    def _class(self, kind: type[Any], where: str) -> Shape:
        if kind in self._classes:
            self.recursive = self.recursive or kind in self._open
            return self._classes[kind]
        if issubclass(kind, Enum) and kind.__members__:
            return Flags(kind) if issubclass(kind, Flag) else Member(kind)
        if not attrs.has(kind) and not dataclasses.is_dataclass(kind):
            raise _refusal(kind, where)
        if (instead := _obstacle(kind)) is not None:
            raise DefinitionError(where, f"{kind.__name__} cannot be stored", instead)
        self._open.append(kind)
        shape = self._classes[kind] = ClassShape(kind)
        hints = hints_of(kind, kind.__name__, self.localns)
        for name, written, default in _fields_of(kind):
            at = f"{kind.__name__}.{name}"
            hint = hints.get(name, written)
            if hint is None and name not in hints:
                raise DefinitionError(at, "has no annotation", f"write {name}: int, or whatever it holds")
            shape.fields[name] = self.read(hint, at)
            if default is not None:
                shape.defaults[name] = default
        self._open.pop()
        return shape


def _obstacle(kind: type) -> str | None:
    """Say what keeps an object of this class from being made of its fields alone."""
    own = vars(kind)
    if "__attrs_attrs__" not in own and "__dataclass_fields__" not in own:
        return "its base declares fields, itself it does not: decorate it, too"
    if getattr(kind, "__parameters__", None):
        return f"it is generic: {_WRITE_OUT}, as a class of its own"
    if inspect.isabstract(kind):
        return "it is abstract: write a union of the classes that are meant"
    if issubclass(kind, BaseException):
        return "it is an exception, which is more than its fields: keep these in a class"
    if kind.__new__ is not object.__new__:
        return "it has a __new__, which does not run on loading: leave it out"
    if "_attrs_cached_hash" in getattr(getattr(kind.__hash__, "__code__", None), "co_names", ()):
        return "it keeps its hash, which is not kept with it: leave out cache_hash=True"
    return None


def _fields_of(kind: type) -> list[tuple[str, Any, Default | None]]:
    """Give name, type as passed to ``field()``, and maker of the default."""
    if "__attrs_attrs__" in vars(kind):
        return [(each.name, each.type, _attrs_default(each.default)) for each in attrs.fields(kind)]
    return [(each.name, None, _dataclass_default(each)) for each in dataclasses.fields(kind)]


def _attrs_default(default: Any) -> Default | None:
    if default is attrs.NOTHING:
        return None
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        factory = default.factory
        return factory if default.takes_self else lambda _: factory()
    return lambda _: default


def _dataclass_default(each: dataclasses.Field[Any]) -> Default | None:
    if each.default_factory is not dataclasses.MISSING:
        factory = each.default_factory
        return lambda _: factory()
    default = each.default
    return None if default is dataclasses.MISSING else lambda _: default


def _refusal(hint: Any, where: str) -> DefinitionError:
    """Say that this cannot be stored, and what to write instead."""
    origin = typing.get_origin(hint)
    shown = hint.__name__ if isinstance(hint, type) and origin is None else str(hint).replace("typing.", "")
    what = f"{shown} cannot be stored"
    if isinstance(hint, (str, typing.ForwardRef)):
        return DefinitionError(where, f"{hint!r} is the name of a type, not a type", _WRITE_OUT)
    parameters = [
        getattr(each, name, ()) for each in (hint, origin) for name in ("__parameters__", "__type_params__")
    ]
    # What is no tuple is the descriptor of ``type`` itself.
    if isinstance(hint, (typing.TypeVar, typing.ParamSpec)) or any(
        is_tuple(found) and found for found in parameters
    ):
        return DefinitionError(where, what, f"it is generic: {_WRITE_OUT}")
    if isinstance(hint, type) and issubclass(hint, Enum):
        return DefinitionError(where, what, "write the enum that has the members")
    for kind, instead in _INSTEAD:
        if hint is kind or origin is kind:
            return DefinitionError(where, what, instead)
    return DefinitionError(where, what, _CLASS)
