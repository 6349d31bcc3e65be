"""Whether a state is what its bytes will be read as: strict mode asks after every turn.

Two things look right until a restart.  A value that is stored as another type (an int in a float field, a
zone that is kept as its offset) comes back as that other.  And one mutable object that is reachable twice
comes back as two, so that a change through one way no longer shows through the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from actorflow.errors import NondeterminismError

__all__ = ["see_faithful"]


def see_faithful(live: Any, read: Any, where: str) -> None:
    """Raise if the live state would not come back as it is."""
    seen: dict[int, str] = {}
    work = [(live, read, where)]
    while work:
        one, other, path = work.pop()
        if type(one) is not type(other):
            what = f"{type(one).__name__} where {type(other).__name__} is stored"
            raise NondeterminismError(path, what, f"assign a {type(other).__name__}")
        if getattr(one, "tzinfo", None) is not None and type(one.tzinfo) is not type(other.tzinfo):
            what = f"the time zone {one.tzinfo}, of which the offset is stored"
            raise NondeterminismError(
                path, what, "keep value.astimezone(timezone.utc), and the zone's name apart"
            )
        parts = list(_parts(one, other, path))
        if parts or isinstance(one, (list, dict, set)):
            first = seen.setdefault(id(cast("object", one)), path)
            if first != path and not _immutable(cast("object", one)):
                what = f"the object that is also {first}"
                raise NondeterminismError(path, what, "store a copy: after a restart they would be two")
        work.extend(parts)


def _parts(one: object, other: object, path: str) -> Iterator[tuple[Any, Any, str]]:
    """What a value is made of, beside what it was read as."""
    if isinstance(one, dict):
        mapping, read = cast("dict[object, object]", one), cast("dict[object, object]", other)
        for (key, held), (key_read, held_read) in zip(mapping.items(), read.items(), strict=True):
            yield key, key_read, f"{path}[{key!r}]"
            yield held, held_read, f"{path}[{key!r}]"
    elif isinstance(one, list | tuple):
        pairs = zip(cast("list[object]", one), cast("list[object]", other), strict=True)
        for place, (item, item_read) in enumerate(pairs):
            yield item, item_read, f"{path}[{place}]"
    else:
        names = [field.name for field in getattr(type(one), "__attrs_attrs__", ())]
        names += list(getattr(type(one), "__dataclass_fields__", ()))
        for name in names:
            yield getattr(one, name), getattr(other, name), f"{path}.{name}"


def _immutable(value: object) -> bool:
    """A tuple, or an instance of a frozen class; what it holds is looked at by itself."""
    frozen = getattr(type(value), "__setattr__", None)
    dataclass_parameters = getattr(type(value), "__dataclass_params__", None)
    return (
        isinstance(value, tuple | frozenset)
        or getattr(frozen, "__name__", "") == "_frozen_setattrs"
        or getattr(dataclass_parameters, "frozen", False) is True
    )
