"""What a shape is: how the values of one type become plain and come back.  And the simplest shapes.

A shape is the careful, readable form of the rules: it checks everything, and its errors name the path to
the faulty place.  ``lower_code`` and ``lift_code`` say the same as a Python expression for the good case
only, from which ``source`` makes the quick form; whatever the quick form stumbles over is done again here.

Knows no hints.  ``choices``, ``containers`` and ``classes`` hold the shapes with other shapes inside.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from reprlib import Repr
from typing import TYPE_CHECKING, Final

from attrs import frozen

from actorflow._codec.extensions import Plain, pack
from actorflow.errors import DecodeError, WrongArgument

if TYPE_CHECKING:
    from actorflow._codec.source import Source

__all__ = ["UPCAST", "Exact", "Float", "Shape", "expected", "misfit", "short", "unlike", "word"]

UPCAST: Final = "if the declaration has changed since then, an upcast turns the old form into the new one"

_repr = Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 60
short: Final = _repr.repr
"""A ``repr`` for paths: of bounded length, and it does not raise."""


class Shape(ABC):
    """How the values of one type become plain and come back."""

    @property
    def hashable(self) -> bool:
        """Whether its values can be keys of a dict and elements of a set."""
        return True

    @property
    @abstractmethod
    def types(self) -> tuple[type, ...]:
        """The exact types its values have at run time, by which a union picks."""

    @abstractmethod
    def lower(self, value: object, path: str) -> Plain:
        """Give the plain form of a value, or raise ``WrongArgument``."""

    @abstractmethod
    def lift(self, plain: Plain, path: str) -> object:
        """Give the value of a plain form, or raise ``DecodeError``."""

    @abstractmethod
    def describe(self, known: set[type]) -> str:
        """Say in words that hold across modules and versions what this is; ``known`` are told already."""

    def lower_code(self, source: Source, value: str) -> str:
        """Give an expression that lowers the variable ``value``, or raises anything at all."""
        return f"{source.bind(self.lower)}({value}, '')"

    def lift_code(self, source: Source, plain: str) -> str:
        """Give an expression that lifts the variable ``plain``, or raises anything at all."""
        return f"{source.bind(self.lift)}({plain}, '')"


def expected(kind: type, value: object, path: str) -> WrongArgument:
    """Make the error about a value that is not exactly of the type."""
    given = type(value).__name__
    if isinstance(value, kind):
        hint = f"only {kind.__name__} itself would come back as it is: convert it, or declare {given}"
        return WrongArgument(path, f"must be {kind.__name__} itself, not its subclass {given}", hint)
    return WrongArgument(path, f"must be {word(kind)}, not {'None' if value is None else given}")


def unlike(wanted: str, plain: object, path: str) -> DecodeError:
    """Make the error about a plain form of another kind than expected."""
    return DecodeError(path, f"must be {wanted}, not {word(type(plain))}", UPCAST)


def misfit(problem: WrongArgument, path: str) -> WrongArgument:
    """Tell the same problem about its path."""
    return WrongArgument(path, problem.what, problem.hint)


def word(kind: type) -> str:
    """Give the name of a type as it is written in a declaration."""
    return "None" if kind is type(None) else kind.__name__


@frozen(eq=False)
class Exact(Shape):
    """A type that has a plain form of its own; its subclasses have not."""

    kind: type

    @property
    def types(self) -> tuple[type, ...]:
        return (self.kind,)

    def lower(self, value: object, path: str) -> Plain:
        if type(value) is not self.kind:
            raise expected(self.kind, value, path)
        try:
            # It knows best what it cannot hold: integers too big, naive datetimes, half surrogates.
            pack(value)
        except WrongArgument as problem:
            raise misfit(problem, path) from None
        return value

    def lift(self, plain: Plain, path: str) -> object:
        if type(plain) is not self.kind:
            raise unlike(word(self.kind), plain, path)
        return plain

    def describe(self, known: set[type]) -> str:
        del known
        return word(self.kind)

    def lower_code(self, source: Source, value: str) -> str:
        return f"({value} if _type({value}) is {source.bind(self.kind)} else _odd())"

    def lift_code(self, source: Source, plain: str) -> str:
        return self.lower_code(source, plain)


@frozen(eq=False)
class Float(Exact):
    """A float; an int given for one becomes a float at once, because that is what replay will see."""

    kind: type = float

    def lower(self, value: object, path: str) -> Plain:
        if type(value) is not int:
            return super().lower(value, path)
        try:
            number = float(value)
        except OverflowError:
            number = 0.0 if value else 1.0
        if number != value:
            raise WrongArgument(path, "is an int that no float equals", "declare it as int or Decimal")
        return number

    def lower_code(self, source: Source, value: str) -> str:
        return f"({value} if _type({value}) is _float else {source.bind(self.lower)}({value}, ''))"
