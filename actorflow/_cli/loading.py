"""Entities and limits by the names that a person types: ``shop.entities``, ``shop.entities:Cart``."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any, TypeGuard, cast

from actorflow._authoring.entity import spec_of
from actorflow.errors import UsageError
from actorflow.limits import Limits

from .failure import NotDone

__all__ = ["entities_of", "limits_of"]


def entities_of(names: Iterable[str]) -> list[type[Any]]:
    """The entities of these modules, and those named one by one; each once."""
    found: dict[type[Any], None] = {}
    for name in names:
        module, colon, inside = name.partition(":")
        if colon:
            found[_entity(name, _named(module, inside))] = None
            continue
        there = cast("dict[str, object]", vars(_module(module)))
        here = [value for value in there.values() if _is_entity(value)]
        if not here:
            raise NotDone(
                f"the module {module} has no entities\n"
                "  hint: name the module in which the classes under @entity are, or one as module:Class"
            )
        found.update(dict.fromkeys(here))
    return list(found)


def limits_of(name: str | None) -> Limits | None:
    """The limits that a runtime is given, by the place where the application keeps them."""
    if name is None:
        return None
    module, colon, inside = name.partition(":")
    limits = _named(module, inside) if colon else None
    if not isinstance(limits, Limits):
        raise NotDone(f"{name} is no Limits\n  hint: name them as module:NAME")
    return limits


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise NotDone(f"{name} cannot be imported: {error}") from error
        raise NotDone(
            f"there is no module {name}\n"
            "  hint: modules are looked for in the working directory first, then where Python looks"
        ) from error
    except Exception as error:
        raise NotDone(f"{name} cannot be imported: {type(error).__name__}: {error}") from error


def _named(module: str, inside: str) -> object:
    value: Any = _module(module)
    for part in inside.split("."):
        try:
            value = getattr(value, part)
        except AttributeError as error:
            raise NotDone(f"the module {module} has no {inside}") from error
    return value


def _is_entity(value: object) -> TypeGuard[type[Any]]:
    if not isinstance(value, type):
        return False
    try:
        spec_of(value)
    except UsageError:
        return False
    return True


def _entity(name: str, value: object) -> type[Any]:
    if not _is_entity(value):
        raise NotDone(f"{name} is no entity\n  hint: name a class under @entity")
    return value
