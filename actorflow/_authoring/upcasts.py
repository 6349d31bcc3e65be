"""Upcasts: how what an earlier version of an entity stored becomes what the present one expects."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeGuard

from actorflow.errors import DecodeError, DefinitionError

__all__ = ["Upcast", "lifted", "upcast"]

Stored: TypeAlias = dict[str, Any]


class Upcast:
    """A function from what one version stored to what the next one does."""

    def __init__(self, version: int, function: Callable[[Stored], Stored]) -> None:
        self.version = version
        self.function = function
        self.where = function.__qualname__.split("<locals>.")[-1]


def upcast(from_version: int) -> Callable[[Callable[[Stored], Stored]], Upcast]:
    """Declare how the fields that ``from_version`` stored become those of the version after it.

    The function takes no ``self``, which ``@staticmethod`` below this says to type checkers: it gets the
    stored fields as plain data, and gives them back changed.
    """
    if type(from_version) is not int or from_version < 1:
        raise DefinitionError(
            "upcast()", f"{from_version!r} is not a version", "write @upcast(1) above a def"
        )

    def decorate(function: Callable[[Stored], Stored]) -> Upcast:
        if isinstance(function, staticmethod):  # so that type checkers do not miss ``self``
            function = function.__func__
        if len(inspect.signature(function).parameters) != 1:
            where = function.__qualname__
            raise DefinitionError(
                where, "an upcast takes the stored fields and nothing else", "write def f(stored):"
            )
        return Upcast(from_version, function)

    return decorate


def _is_stored(plain: object) -> TypeGuard[Stored]:
    return type(plain) is dict


def lifted(stored: Any, version: Any, current: int, upcasts: Mapping[int, Upcast], where: str) -> Stored:
    """Stored fields in the form of the current version."""
    if not _is_stored(stored) or type(version) is not int or version < 1:
        raise DecodeError(where, "its stored state does not have the expected form")
    if version > current:
        hint = "run the code that stored it, or a later one"
        raise DecodeError(where, f"it was stored by version {version}; this code is version {current}", hint)
    for step in range(version, current):
        try:
            stored = upcasts[step].function(stored)
        except Exception as error:
            what = f"{upcasts[step].where} raised {type(error).__name__}: {error}"
            raise DecodeError(where, what, "mend it and open the journal again") from error
        if not _is_stored(stored):
            raise DecodeError(where, f"{upcasts[step].where} gave {type(stored).__name__}, not dict")
    return stored
