"""Values drawn from type hints: small ones, that are equal to others often enough to matter."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NewType
from uuid import UUID

import attrs

from actorflow._codec.hints import hints_of
from actorflow.errors import UsageError

from .faults import Dice

__all__ = ["arguments", "draw"]

DEEP: Final = 4
WORDS: Final = ("apple", "pear", "plum", "a", "b", "", "ä", "long " * 20)
NUMBERS: Final = (0, 1, 1, 2, 3, 5, 10, 100, -1, 1_000_000)

_PLAIN: Final[dict[Any, Callable[[Dice], Any]]] = {
    str: lambda dice: dice.choice(WORDS),
    int: lambda dice: dice.choice(NUMBERS),
    bool: lambda dice: dice.hits(0.5),
    float: lambda dice: dice.choice((0.0, 1.0, -0.5, 1e9)),
    bytes: lambda dice: dice.choice((b"", b"a", b"\0" * 9)),
    type(None): lambda _: None,
    datetime: lambda dice: datetime(2026, 1, dice.randrange(1, 28), dice.randrange(24), tzinfo=UTC),
    date: lambda dice: date(2026, dice.randrange(1, 13), 1),
    time: lambda dice: time(dice.randrange(24)),
    timedelta: lambda dice: timedelta(seconds=dice.choice((0, 1, 60, 3_600, 86_400))),
    Decimal: lambda dice: Decimal(dice.choice(("0", "1.50", "-2"))),
    UUID: lambda dice: UUID(int=dice.randrange(9)),
}


def arguments(function: Callable[..., Any], dice: Dice) -> tuple[list[Any], dict[str, Any]]:
    """What a method may be called with: by position, and by name."""
    hints = hints_of(function, function.__qualname__)
    code = function.__code__
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    values = {name: draw(hints[name], dice) for name in names}
    by_name = {name: values.pop(name) for name in names[code.co_argcount - 1 :]}
    return list(values.values()), by_name


def draw(hint: Any, dice: Dice, depth: int = 0) -> Any:
    """A value of this type."""
    plain = _PLAIN.get(type(None) if hint is None else hint)
    if plain is not None:
        return plain(dice)
    if isinstance(hint, NewType):
        return draw(hint.__supertype__, dice, depth)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Annotated, typing.Final):
        return draw(args[0], dice, depth)
    if origin is typing.Literal:
        return dice.choice(args)
    if origin in (typing.Union, types.UnionType):
        # What refers to itself has an end: deep inside, nothing is taken where nothing may be.
        ends = depth > DEEP and type(None) in args
        return None if ends else draw(dice.choice(args), dice, depth + 1)
    if origin in (list, set, frozenset, dict, tuple):
        return _container(origin, args, dice, depth)
    if not isinstance(hint, type):
        raise _refusal(hint)
    return _object(hint, dice, depth)


def _container(origin: Callable[[list[Any]], Any], args: tuple[Any, ...], dice: Dice, depth: int) -> Any:
    count = 0 if depth > DEEP else dice.randrange(4)
    if origin is tuple and Ellipsis not in args:
        return tuple(draw(arg, dice, depth + 1) for arg in args)
    if origin is dict:
        return {draw(args[0], dice, depth + 1): draw(args[1], dice, depth + 1) for _ in range(count)}
    return origin([draw(args[0], dice, depth + 1) for _ in range(count)])


def _object(cls: Any, dice: Dice, depth: int) -> Any:
    if issubclass(cls, Enum):
        return dice.choice(list(cls))
    given = {name: draw(hint, dice, depth + 1) for name, hint in _fields(cls).items()}
    return cls(**given)


def _fields(cls: Any) -> dict[str, Any]:
    """What a class is made with, and of which types."""
    hints = hints_of(cls, cls.__qualname__)
    if attrs.has(cls):
        return {one.alias or one.name: hints[one.name] for one in attrs.fields(cls) if one.init}
    if dataclasses.is_dataclass(cls):
        return {one.name: hints[one.name] for one in dataclasses.fields(cls) if one.init}
    if not hasattr(cls, "_fields"):
        raise _refusal(cls)
    return hints


def _refusal(hint: object) -> UsageError:
    return UsageError(
        f"nothing can be drawn of the type {hint}\n  hint: say what callers send with world.caller(...), "
        "and what an activity answers with activities={...}"
    )
