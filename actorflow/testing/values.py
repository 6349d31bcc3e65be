"""Values for a search, from what a type is stored as: few and small, so that the same come again and meet.

Whole numbers go to a million either way: their sums and products fit into what can be stored, and an entity
is not found to be broken by amounts that nobody sends.  Who needs others says so with ``arguments=``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import attrs
from hypothesis import reject
from hypothesis import strategies as st

from actorflow._codec.choices import Choice, Flags, Member, Optional, Union
from actorflow._codec.classes import ClassShape
from actorflow._codec.containers import Heap, PairDict, Series, TextDict, Tuple
from actorflow._codec.shapes import Exact, Float, Shape

__all__ = ["calls", "required", "values"]

DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
MANY: Final = 3
TEXTS: Final = ("a", "b", "c", "")

_EXACT: Final[dict[type, st.SearchStrategy[Any]]] = {
    type(None): st.none(),
    bool: st.booleans(),
    # Bounds of a bit more than a handful: Hypothesis mixes constants of the author's modules in.
    int: st.one_of(
        st.integers(0, 5), st.integers(-3, 100), st.sampled_from([1_000_000, -1_000_000, 1_000, -1])
    ),
    str: st.one_of(
        st.sampled_from(TEXTS[:3]),
        st.sampled_from(TEXTS),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    ),
    bytes: st.sampled_from([b"", b"a", b"\x00\xff"]),
    datetime: st.sampled_from([0, 1, -1, 30, 366]).map(lambda days: DAY + timedelta(days=days)),
    date: st.sampled_from([0, 1, -1, 30, 366]).map(lambda days: DAY.date() + timedelta(days=days)),
    time: st.sampled_from([time(12), time(0), time(23, 59, 59)]),
    timedelta: st.sampled_from([0, 1, 60, 3600, 86_400, 30 * 86_400]).map(
        lambda length: timedelta(seconds=length)
    ),
    Decimal: st.sampled_from(["0", "1", "0.1", "-1", "2.50", "1000000"]).map(Decimal),
    UUID: st.integers(1, 4).map(lambda number: UUID(int=number)),
}


def calls(
    function: Callable[..., Any], shapes: tuple[Shape, ...], given: Mapping[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Positional and keyword arguments for a handler; ``given`` says otherwise of some of them."""
    parameters = [one for one in inspect.signature(function).parameters.values() if one.name != "self"]
    args: list[st.SearchStrategy[Any]] = []
    kwargs: dict[str, st.SearchStrategy[Any]] = {}
    for parameter, shape in zip(parameters[-len(shapes) :] if shapes else (), shapes, strict=True):
        drawn = given.get(parameter.name)
        drawn = values(shape) if drawn is None else drawn
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            kwargs[parameter.name] = drawn
        else:
            args.append(drawn)
    return st.tuples(st.tuples(*args), st.fixed_dictionaries(kwargs))


def values(shape: Shape) -> st.SearchStrategy[Any]:
    """Values of this shape."""
    return _values(shape, {})


def _values(shape: Shape, known: dict[type, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    match shape:
        case Float():
            return st.one_of(st.sampled_from([0.0, 1.0, 0.5, -1.0, 1e6]), st.floats(-100, 100))
        case Exact(kind=kind):
            return _EXACT[kind]
        case Flags(kind=kind):
            return st.sets(st.sampled_from(list(kind))).map(lambda bits: _together(kind, bits))
        case Member(kind=kind):
            return st.sampled_from(list(kind))
        case Choice(values=chosen):
            return st.sampled_from(chosen)
        case Optional(item=item):
            return st.one_of(st.none(), _values(item, known))
        case Union(members=members):
            return st.one_of(*[_values(member, known) for member in members])
        case Series(kind=kind, item=item):
            return st.lists(_values(item, known), max_size=MANY).map(kind)
        case Tuple(items=items):
            return st.tuples(*[_values(item, known) for item in items])
        case Heap(kind=kind, item=item):
            return st.sets(_values(item, known), max_size=MANY).map(kind)
        case PairDict(key=key, item=item) | TextDict(key=key, item=item):
            return st.dictionaries(_values(key, known), _values(item, known), max_size=MANY)
        case ClassShape():
            return _class(shape, known)
        case _:
            raise AssertionError(f"no values are known for {shape!r}")


def _together(kind: Any, bits: set[Any]) -> Any:
    whole = kind(0)
    for bit in bits:
        whole |= bit
    return whole


def _class(shape: ClassShape, known: dict[type, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    if shape.kind not in known:
        # First a promise of it: it may be met again inside itself.
        known[shape.kind] = st.deferred(lambda: made)
        fields = {_parameter(shape.kind, name): _values(held, known) for name, held in shape.fields.items()}
        taken = inspect.signature(shape.kind).parameters
        made = st.fixed_dictionaries({name: drawn for name, drawn in fields.items() if name in taken}).map(
            lambda arguments: _made(shape.kind, arguments)
        )
    return known[shape.kind]


def required(shape: ClassShape, given: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Objects of which only the fields without a default are drawn, or those that are given."""
    drawn = {
        _parameter(shape.kind, name): given.get(name, values(held))
        for name, held in shape.fields.items()
        if name in given or name not in shape.defaults
    }
    return st.fixed_dictionaries(drawn).map(lambda arguments: _made(shape.kind, arguments))


def _parameter(kind: type[Any], name: str) -> str:
    """How the constructor calls a field."""
    if attrs.has(kind):
        return str(getattr(attrs.fields_dict(kind)[name], "alias", None) or name)
    return name


def _made(kind: type[Any], arguments: dict[str, Any]) -> Any:
    try:
        return kind(**arguments)
    except (ValueError, TypeError):
        reject()  # the class has its own opinion of what it takes
