"""``@invariant``: what an author says is always true of the state.  Asked in tests, and never in production.

Costs nothing where nobody asks: it is no handler, part of no record, and its code is no part of the
fingerprint.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, cast, overload

from actorflow._codec.hints import hints_of
from actorflow._core import phases
from actorflow._core.ambient import ambient
from actorflow.errors import DefinitionError, FaultError, InvariantBroken, WriteInReading

if TYPE_CHECKING:
    from actorflow._core.actor import Actor

__all__ = ["INVARIANTS", "Invariant", "broken", "check_invariant", "invariant", "invariants_of"]

E = TypeVar("E")
A = TypeVar("A", None, bool)
INVARIANTS: Final = "__actorflow_invariants__"


class Invariant(Generic[E, A]):
    """What the decorator leaves in the class: a function that looks at the state."""

    __unrecorded__ = True

    def __init__(self, function: Callable[[E], A], *, always: bool = False) -> None:
        if not inspect.isfunction(function) or function.__name__ == "<lambda>":
            name = getattr(function, "__qualname__", repr(function))
            raise DefinitionError(name, "@invariant goes on a method", "write it above a def")
        self.function = function
        self.always = always
        self.name = function.__name__
        self.where = function.__qualname__.split("<locals>.")[-1]
        self.__doc__ = function.__doc__

    def __repr__(self) -> str:
        return f"<invariant {self.where}>"

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Invariant[E, A]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> Callable[[], A]: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Any:
        return self if instance is None else MethodType(self.function, instance)


class _ToInvariant(Protocol):
    def __call__(self, function: Callable[[E], A], /) -> Invariant[E, A]: ...


@overload
def invariant(function: Callable[[E], A], /) -> Invariant[E, A]: ...
@overload
def invariant(*, always: bool = ...) -> _ToInvariant: ...
def invariant(function: Callable[..., Any] | None = None, /, *, always: bool = False) -> Any:
    """Declare what is true of the state whenever a message could find it: raise, or give False, if not.

    ``Scenario``, ``check`` and ``machine`` ask after every turn, except while an exclusive handler is
    suspended: then no other handler can see the state.  ``always=True`` asks then, too.
    """
    if function is None:
        return partial(Invariant[Any, Any], always=always)
    return Invariant(function, always=always)


def check_invariant(one: Invariant[Any, Any], known: Mapping[str, Any]) -> None:
    """See while the entity is defined that it can be asked."""
    function, where = one.function, one.where
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise DefinitionError(where, "an invariant cannot wait", "write def, and neither await nor yield")
    if len(inspect.signature(function).parameters) != 1:
        raise DefinitionError(where, "an invariant takes nothing but self", f"write def {one.name}(self):")
    gives = hints_of(function, where, known).get("return", ...)
    if gives not in (type(None), bool):
        hint = "write -> None and assert, or -> bool and return whether it is so"
        raise DefinitionError(where, "an invariant gives nothing, or whether it holds", hint)


def invariants_of(cls: type[Any]) -> tuple[Invariant[Any, Any], ...]:
    """What the author of an entity has declared."""
    found: tuple[Invariant[Any, Any], ...] = getattr(cls, INVARIANTS, ())
    return found


def broken(actor: Actor) -> InvariantBroken | None:
    """Ask all invariants of an actor that can be asked now; gives the first that does not hold."""
    if actor.state is None or actor.phase == phases.BROKEN or actor.status == phases.TERMINATED:
        return None  # what is ended by force stops where it is, and undoes nothing
    for one in invariants_of(actor.spec.cls):
        if actor.holder is None or one.always:
            report = _ask(actor, one)
            if report is not None:
                return report
    return None


def _ask(actor: Actor, one: Invariant[Any, Any]) -> InvariantBroken | None:
    before = actor.spec.dump(actor.state)
    actor.reading = "invariant"
    ambient.actor = actor
    try:
        holds = cast("object", one.function(actor.state))
        why = "" if holds is None or holds is True else f"it gave {holds!r}"
        cause = None
    except FaultError:
        raise
    except Exception as error:  # noqa: BLE001 - however an author says that it does not hold
        said = str(error)
        why, cause = f"{type(error).__name__}: {said}" if said else f"it raised {type(error).__name__}", error
    finally:
        ambient.actor = None
        actor.reading = ""
    if actor.spec.dump(actor.state) != before:
        raise WriteInReading(one.where, "invariant")
    if not why:
        return None
    report = InvariantBroken(str(actor), actor.seq, one.where, why, repr(actor.state))
    report.__cause__ = cause
    return report
