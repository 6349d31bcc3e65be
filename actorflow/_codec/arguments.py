"""A function's parameters and answer made into a codec: what the caller of a handler sends.

The arguments are written as an array in the order of the parameters, defaults included, so that a later
change of a default does not change what was asked for.  Parameters may be added at the end later, with a
default: a shorter array is an older call.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any, Final

from attrs import frozen

from actorflow._codec.extensions import Plain, is_list, pack, unpack
from actorflow._codec.hints import HintReader, hints_of
from actorflow._codec.schema import Schema, flat, too_deep, with_shape
from actorflow._codec.shapes import UPCAST, Shape, short
from actorflow._codec.source import PACK, UNPACK, Source
from actorflow.errors import DecodeError, DefinitionError, WrongArgument

__all__ = ["Arguments", "arguments", "positional"]

_BY_POSITION: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_BY_KEYWORD: Final = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


@frozen(eq=False)
class Arguments:
    """The parameters of one function: writes calls and reads them back."""

    where: str
    names: tuple[str, ...]
    """The parameters in their order, without ``self``."""
    name: str
    """What the function takes and gives: the same text means the same form."""
    encode: Callable[[tuple[object, ...], dict[str, object]], bytes]
    """Write a call with these positional and keyword arguments, or raise ``WrongArgument``."""
    decode: Callable[[bytes], tuple[Any, ...]]
    """Read the arguments of a call, for ``positional(function)``."""
    answer: Schema[Any]
    shapes: tuple[Shape, ...] = ()
    """What each parameter takes, in their order."""


def arguments(
    function: Callable[..., object],
    where: str,
    localns: Mapping[str, object] | None = None,
    *,
    skip_self: bool = False,
) -> Arguments:
    """Give the codec of a handler or an activity, or a ``DefinitionError``."""
    parameters = list(inspect.signature(function).parameters.values())
    if skip_self:
        if not parameters:
            raise DefinitionError(where, "has no self", "write self as its first parameter")
        parameters = parameters[1:]
    hints = hints_of(function, where, localns)
    reader = HintReader(localns)
    call = _Call(where, tuple(_read(each, hints, reader, where) for each in parameters), reader)
    if "return" not in hints:
        raise DefinitionError(where, "does not say what it returns", "write -> None if it returns nothing")
    # A reader of its own: a recursive parameter says nothing about the answer.
    answers = HintReader(localns)
    answer_at = f"the answer of {where}()"
    shape = answers.read(hints["return"], answer_at)
    answer = with_shape(shape, answer_at, recursive=answers.recursive)
    known: set[type] = set()
    takes = ", ".join(f"{each.name}: {each.shape.describe(known)}" for each in call.slots)
    encode, decode = _compile(call)
    name = f"({takes}) -> {shape.describe(known)}"
    shapes = tuple(slot.shape for slot in call.slots)
    return Arguments(where, call.names, name, encode, decode, answer, shapes)


def positional(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function that takes every argument by position, in the order of the parameters."""
    parameters = inspect.signature(function).parameters
    keywords = [name for name, each in parameters.items() if each.kind is Parameter.KEYWORD_ONLY]
    if not keywords:
        return function
    at = len(parameters) - len(keywords)

    @functools.wraps(function)
    def by_position(*args: object) -> object:
        return function(*args[:at], **dict(zip(keywords, args[at:], strict=True)))

    return by_position


@frozen(eq=False)
class _Slot:
    """One parameter."""

    parameter: Parameter
    shape: Shape
    default: tuple[Plain, ...]
    """The plain form of the default, or nothing."""

    @property
    def name(self) -> str:
        return self.parameter.name


def _read(parameter: Parameter, hints: dict[str, Any], reader: HintReader, where: str) -> _Slot:
    name = parameter.name
    at = f"{where}({name})"
    if parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
        hint = f"write {name}: list[...] or {name}: dict[str, ...]"
        raise DefinitionError(at, "takes any number of arguments", hint)
    if name not in hints:
        raise DefinitionError(at, "has no annotation", f"write {name}: int, or whatever it is")
    shape = reader.read(hints[name], at)
    if parameter.default is Parameter.empty:
        return _Slot(parameter, shape, ())
    try:
        return _Slot(parameter, shape, (shape.lower(parameter.default, at),))
    except WrongArgument as problem:
        raise DefinitionError(problem.where, f"its default {problem.what}", problem.hint) from None


@frozen(eq=False)
class _Call:
    """The careful form: binds as Python does, and says what is wrong in the words of the handler's author."""

    where: str
    slots: tuple[_Slot, ...]
    reader: HintReader

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(slot.name for slot in self.slots)

    def encode(self, args: tuple[object, ...], kwargs: dict[str, object]) -> bytes:
        values = self._bind(args, kwargs)
        try:
            plain = [
                slot.shape.lower(values[slot.name], f"{self.where}({slot.name})")
                if slot.name in values
                else slot.default[0]
                for slot in self.slots
            ]
        except RecursionError:
            raise too_deep(self._here) from None
        return pack(flat(plain, self._here) if self.reader.recursive else plain, self._here)

    def decode(self, body: bytes) -> tuple[Any, ...]:
        plain = unpack(body, self._here)
        if not is_list(plain):
            raise DecodeError(self._here, "the arguments must be an array")
        if len(plain) > len(self.slots):
            counts = f"{len(plain)} arguments were written, and it takes {len(self.slots)} now"
            raise DecodeError(self._here, counts, f"keep a parameter that calls still have; or: {UPCAST}")
        plain += [self._later(slot) for slot in self.slots[len(plain) :]]
        try:
            return tuple(
                slot.shape.lift(item, f"{self.where}({slot.name})")
                for slot, item in zip(self.slots, plain, strict=True)
            )
        except RecursionError:
            raise DecodeError(self._here, "is nested too deeply") from None

    def _bind(self, args: tuple[object, ...], kwargs: dict[str, object]) -> dict[str, object]:
        by_position = [slot.name for slot in self.slots if slot.parameter.kind in _BY_POSITION]
        by_keyword = [slot.name for slot in self.slots if slot.parameter.kind in _BY_KEYWORD]
        if len(args) > len(by_position):
            what = f"takes {len(by_position)} positional arguments, not {len(args)} ({self._has()})"
            raise WrongArgument(self._here, what)
        values = dict(zip(by_position, args, strict=False))
        for name, value in kwargs.items():
            if name in self.names and name not in by_keyword:
                raise WrongArgument(self._here, f"takes {name} by position only")
            if name not in self.names:
                raise WrongArgument(self._here, f"has no parameter {short(name)} ({self._has()})")
            if name in values:
                raise WrongArgument(self._here, f"was given {name} twice")
            values[name] = value
        for slot in self.slots:
            if slot.name not in values and not slot.default:
                raise WrongArgument(self._here, f"is missing {slot.name}")
        return values

    def _later(self, slot: _Slot) -> Plain:
        if not slot.default:
            what = f"the call has no {slot.name}, and {slot.name} has no default"
            raise DecodeError(self._here, what, f"give the new parameter a default; or: {UPCAST}")
        return slot.default[0]

    def _has(self) -> str:
        return f"it has {', '.join(self.names) or 'none'}"

    @property
    def _here(self) -> str:
        return f"{self.where}()"


def _compile(
    call: _Call,
) -> tuple[Callable[[tuple[object, ...], dict[str, object]], bytes], Callable[[bytes], tuple[Any, ...]]]:
    """Make the quick form, in which Python itself binds: ``_bound`` has the parameters of the function."""
    source = Source()
    items = ", ".join(slot.shape.lower_code(source, slot.name) for slot in call.slots)
    array = f"{source.bind(flat)}([{items}])" if call.reader.recursive else f"[{items}]"
    source.define(f"_bound({_signature(call, source)})", [f"return {PACK}({array})"])
    careful = f"{source.bind(call.encode)}(args, kwargs)"
    source.guarded("encode(args, kwargs)", ["return _bound(*args, **kwargs)"], careful)

    locals_ = [source.fresh() for _ in call.slots]
    lifted = "".join(
        f"{slot.shape.lift_code(source, local)}, " for slot, local in zip(call.slots, locals_, strict=True)
    )
    read = [f"plain = {UNPACK.format('body')}", "if _type(plain) is not _list: _odd()"]
    if locals_:
        read.append(f"{', '.join(locals_)}, = plain")
        read.append(f"return ({lifted})")
    else:
        read.append("if not plain: return ()")
    source.guarded("decode(body)", read, f"{source.bind(call.decode)}(body)")
    made = source.compile()
    return made["encode"], made["decode"]


def _signature(call: _Call, source: Source) -> str:
    """Write the parameters as the function has them, with the same defaults."""
    written: list[str] = []
    kinds = [slot.parameter.kind for slot in call.slots]
    for at, slot in enumerate(call.slots):
        if kinds[at] is Parameter.KEYWORD_ONLY and Parameter.KEYWORD_ONLY not in kinds[:at]:
            written.append("*")
        written.append(f"{slot.name}={source.bind(slot.parameter.default)}" if slot.default else slot.name)
        if kinds[at] is Parameter.POSITIONAL_ONLY and Parameter.POSITIONAL_ONLY not in kinds[at + 1 :]:
            written.append("/")
    return ", ".join(written)
