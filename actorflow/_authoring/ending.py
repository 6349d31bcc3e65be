"""How a life ends or goes on: ``complete`` and ``continue_as_new``."""

from __future__ import annotations

from collections.abc import Generator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NoReturn, cast
from uuid import UUID

import attrs

from actorflow._codec import pack, schema
from actorflow._core.ambient import ambient, last_breath, writing
from actorflow._core.phases import COMPLETED
from actorflow._core.quiet import Resting
from actorflow.errors import UsageError, WrongArgument

__all__ = ["complete", "continue_as_new", "pack_result"]

PLAIN: Final = (bool, int, float, str, bytes, datetime, date, time, timedelta, Decimal, UUID)


def complete(result: object = None) -> None:
    """End the life when this turn ends, with a result for whoever asks ``result(type)``."""
    actor = writing("complete()")
    body = pack_result(result)
    actor.fits(body, "complete()")
    actor.ending = COMPLETED, body
    actor.touched = True


class _Continuation:
    """What ``main`` awaits to be started again; it never comes back from that."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, NoReturn]:
        if ambient.dying:
            yield from last_breath()
        actor = writing("continue_as_new()")
        if actor.opener is not actor.main:
            raise UsageError(
                "only main awaits continue_as_new(); elsewhere it takes effect when the handler has ended"
            )
        yield from Resting().__await__()
        raise AssertionError("a run that is over does not go on")


def continue_as_new() -> _Continuation:
    """Close the run at the next quiet moment and open another; in ``main``, await it: main starts again."""
    if ambient.dying:
        return _Continuation()
    actor = writing("continue_as_new()")
    main = actor.main
    if main is not None and actor.opener is not main and not main.handler.restartable:
        hint = "await continue_as_new() in main, or declare it @main(restartable=True)"
        raise UsageError(f"{main.handler.where} is under way and cannot start again\n  hint: {hint}")
    actor.continue_wanted = True
    return _Continuation()


def pack_result(value: object) -> bytes:
    """The bytes of a value whose type nobody declared, in the form that its type's schema reads."""
    return pack(_plain(value), "result")


def _plain(value: object) -> Any:
    if value is None or type(value) in PLAIN:
        return value
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[object]", value)]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item) for item in cast("set[object]", value)), key=pack)
    if isinstance(value, dict):
        pairs = [(_plain(key), _plain(held)) for key, held in cast("dict[object, object]", value).items()]
        return dict(pairs) if all(type(key) is str for key, _ in pairs) else [list(pair) for pair in pairs]
    if attrs.has(type(value)) or hasattr(type(value), "__dataclass_fields__"):
        return schema(type(value), "result").lower(value)
    raise WrongArgument(
        "result", f"{type(value).__name__} cannot be stored", "give plain values or attrs classes"
    )
