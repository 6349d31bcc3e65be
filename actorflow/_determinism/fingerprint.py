"""Whether two states were computed by the same code: sixteen bytes over functions and all they lean on.

Equal bytes mean that a difference in state is a fault; different bytes only mean that nobody can tell.  So in
doubt two things count as different.  What counts: instructions with their constants, defaults, closures, and
through the names they use the functions, classes and constants of the author's project; of an activity and of
another's handler how a call is recorded (``__recorded__``), for replay compares that.  What does not:
lines, docstrings, comments, paths, module names, the order of definitions, the hash seed.  Of other packages
the version must do.

Not seen: code reached only through a value (a method of something that arrives in a message, unless its class
is named or handed in), attributes set at run time, tables in lower case, and whatever a C function does.
"""

from __future__ import annotations

import dis
import enum
import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, partial
from hashlib import blake2b
from itertools import chain, pairwise
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, GenericAlias, MethodType, ModuleType
from typing import Any
from uuid import UUID

import attrs

__all__ = ["fingerprint"]

# What is written down for a value: nested tuples of strings, equal in every process.
_Text = str | tuple["_Text", ...]

# Types whose ``repr`` says everything, and the same in every process.
_WRITTEN = frozenset({type(None), bool, int, float, complex, str, bytes, type(...), range}) | {
    *(date, datetime, time, timedelta, timezone, Decimal, Fraction, UUID)
}
_STDLIB = sys.stdlib_module_names - {"__main__"}
_HOLDERS = (tuple, list, dict, set, frozenset)
_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_TAKES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_SILENT = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "PRECALL"})
_FUSED = {
    "LOAD_FAST_LOAD_FAST": ("LOAD_FAST", "LOAD_FAST"),
    "STORE_FAST_LOAD_FAST": ("STORE_FAST", "LOAD_FAST"),
    "STORE_FAST_STORE_FAST": ("STORE_FAST", "STORE_FAST"),
}
HASHED = ("hash", "attrs")
_DEEP = 16
"""So deep does the description of a nested constant go: further down only types count."""


def fingerprint(functions: Iterable[Callable[..., object]], schema: str, *, engine: int) -> bytes:
    """Answer 16 bytes, equal for equal code of these functions and classes, schema, engine and Python."""
    roots = list(functions)
    survey = _Survey({str(function.__module__).partition(".")[0] for function in roots})
    names = sorted(repr(survey.value(function)) for function in roots)
    python = (sys.implementation.name, *map(str, sys.version_info[:2]))
    whole = (python, str(engine), schema, tuple(names), survey.finish())
    return blake2b(repr(whole).encode(), digest_size=16).digest()


def _kind(value: object) -> type[Any]:
    return type(value)


def _is_salted(value: object) -> bool:
    """Whether it is the hash of a frozen class, into which attrs writes a number of this process alone."""
    return (
        isinstance(value, FunctionType)
        and value.__name__ == "__hash__"
        and value.__code__.co_filename.startswith("<attrs generated")
    )


def _content(cell: CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:  # a name of an enclosing function that has not run that far
        return ("empty",)


# What a value is made of, for those that are told apart by their parts.
_PARTS: tuple[tuple[tuple[type[Any], ...], Callable[[Any], Iterable[Any]]], ...] = (
    ((enum.Enum,), lambda member: (member.__class__, member.name, member.value)),
    ((tuple, list, set, frozenset), tuple),
    ((Mapping,), lambda mapping: chain.from_iterable(mapping.items())),
    ((property,), lambda found: (found.fget, found.fset, found.fdel)),
    ((staticmethod, classmethod, MethodType), lambda method: (method.__func__,)),
    ((cached_property,), lambda found: (found.func,)),
    ((re.Pattern,), lambda pattern: (pattern.pattern, pattern.flags)),
    ((partial,), lambda call: (call.func, call.args, call.keywords)),
    ((GenericAlias,), lambda alias: (alias.__origin__, alias.__args__)),
    ((CellType,), _content),
)


class _Survey:
    """Everything reachable: each thing is described once, and elsewhere referred to by its name.

    Hence recursion ends; of two things with one name (in two modules) both descriptions are kept.
    """

    def __init__(self, roots: set[str]) -> None:
        self._roots = {root for root in roots if root != "actorflow" and root not in _STDLIB}
        self._found: dict[int, tuple[str, Any]] = {}
        self._open: list[Any] = []

    def finish(self) -> _Text:
        """Describe what was found, and what that leads to, until there is nothing new."""
        lines: list[str] = []
        while self._open:
            thing = self._open.pop()
            text = self._function(thing) if isinstance(thing, FunctionType) else self._class(thing)
            lines.append(repr((thing.__qualname__, text)))
        return tuple(sorted(set(lines)))

    # ---- values ----

    def value(self, value: Any, depth: int = 0) -> _Text:
        """Describe a value: a constant in full, what is the project's by name, the rest by its type."""
        kind = _kind(value)
        if kind in _WRITTEN:
            return (kind.__name__, repr(value))
        if isinstance(value, CodeType):
            return self._code(value)
        if isinstance(value, FunctionType | type):
            return self._reference(value)
        if isinstance(value, BuiltinFunctionType):
            return ("builtin", str(value.__module__), value.__qualname__)
        if depth > _DEEP:
            return ("deep", kind.__qualname__)
        parts = list(self._parts(value))
        if not parts and not isinstance(value, _HOLDERS):
            # An unknown object: the name it goes by, and what it is.
            name = getattr(value, "__name__", "")
            return ("object", name if isinstance(name, str) else "", self._reference(kind))
        inner = [self.value(part, depth + 1) for part in parts]
        if isinstance(value, set | frozenset):
            inner.sort(key=repr)
        return (kind.__qualname__, *inner)

    def _parts(self, value: Any) -> Iterable[Any]:
        recorded: tuple[Any, ...] | None = getattr(value, "__recorded__", None)
        if type(recorded) is tuple:
            return recorded
        for kinds, parts in _PARTS:
            if isinstance(value, kinds):
                return parts(value)
        kind = _kind(value)
        if attrs.has(kind) and self._is_ours(kind):
            return (kind, *(getattr(value, field.name, None) for field in attrs.fields(kind)))
        wrapped = getattr(value, "__wrapped__", None)
        return (wrapped,) if isinstance(wrapped, FunctionType) else ()

    # ---- functions and classes ----

    def _reference(self, thing: Any) -> _Text:
        if not self._is_ours(thing):
            root = str(thing.__module__).partition(".")[0]
            version = vars(sys.modules.get(root, sys)).get("__version__", "")
            return (
                "other",
                str(thing.__module__),
                thing.__qualname__,
                version if isinstance(version, str) else "",
            )
        if id(thing) not in self._found:
            self._found[id(thing)] = (thing.__qualname__, thing)  # kept, so that no other may get its id
            self._open.append(thing)
        return ("ours", thing.__qualname__)

    def _is_ours(self, thing: Any) -> bool:
        """Tell whether it belongs to the author's project: not Python's, no other package's."""
        root = str(thing.__module__).partition(".")[0]
        if root in self._roots:
            return True
        file = getattr(sys.modules.get(root), "__file__", None) or ""
        foreign = root == "actorflow" or root in _STDLIB
        return not foreign and "site-packages" not in file and "dist-packages" not in file

    def _function(self, function: FunctionType) -> _Text:
        defaults = self.value((function.__defaults__, function.__kwdefaults__, function.__closure__))
        wrapped = self.value(vars(function).get("__wrapped__"))
        return (
            self._code(function.__code__),
            defaults,
            wrapped,
            *self._names(function.__code__, function.__globals__),
        )

    def _class(self, cls: type) -> _Text:
        # Names with two underscores are Python's notes about the class (in 3.13 its first line, and its
        # attributes in an order that follows the hash seed), except where they are functions.
        body = {
            name: HASHED if _is_salted(value) else self.value(value)
            for name, value in vars(cls).items()
            if (not (name.startswith("__") and name.endswith("__")) or isinstance(value, FunctionType))
            # What is only asked in tests has computed no state.
            and not hasattr(value, "__unrecorded__")
        }
        types = {
            name: self._annotation(value) for name, value in vars(cls).get("__annotations__", {}).items()
        }
        bases = tuple(self.value(base) for base in cls.__mro__[1:])
        return (bases, tuple(sorted(body.items())), tuple(types.items()))

    def _annotation(self, value: Any) -> _Text:
        return value if isinstance(value, str) else self.value(value)

    # ---- code ----

    def _code(self, code: CodeType) -> _Text:
        """Describe what the code does, with places counted in steps and operands written out.

        A docstring is the first constant, and moves the numbers of all others.  A line break leaves a NOP, or
        keeps Python 3.13 from fusing two steps into one, and so moves the offsets.
        """
        listing: Any = dis.Bytecode(code)
        steps = [step for one in listing if one.opname not in _SILENT for step in _unfused(one)]
        offsets = [step[0] for step in steps]
        words: list[_Text] = []
        for _, opcode, opname, argument in steps:
            jump = opcode in dis.hasjrel or opcode in dis.hasjabs
            words += (opname, str(bisect_left(offsets, argument)) if jump else self.value(argument))
        for entry in listing.exception_entries:
            places = (bisect_left(offsets, place) for place in (entry.start, entry.end, entry.target))
            words.append(repr((*places, entry.depth, entry.lasti)))
        arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        return (code.co_name, repr(counts), arguments, tuple(words))

    def _names(self, code: CodeType, namespace: dict[str, Any]) -> Iterator[_Text]:
        """Describe what the global names in a code object (and those nested in it) stand for now."""
        for name, *attributes in sorted(_chains(code)):
            value: Any = namespace.get(name, _builtin(namespace, name))
            path = [name]
            for attribute in attributes:
                if not isinstance(value, ModuleType):
                    break
                path.append(attribute)
                value = vars(value).get(attribute)
            if isinstance(value, ModuleType):
                yield ("module", *path)
            elif not isinstance(value, list | dict | set | bytearray) or path[-1].isupper():
                # A table in lower case may be filled while the program runs, and is then no part of the code.
                yield (*path, self.value(value))
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                yield from self._names(constant, namespace)


def _unfused(step: dis.Instruction) -> Iterator[tuple[int, int, str, Any]]:
    if step.opname in _FUSED:
        for name, argument in zip(_FUSED[step.opname], step.argval, strict=True):
            yield step.offset, -1, name, argument
    else:
        yield step.offset, step.opcode, step.opname, step.argval


def _chains(code: CodeType) -> set[tuple[str, ...]]:
    """Collect the global names a code object loads, each with the attributes taken from it at once."""
    chains: set[tuple[str, ...]] = set()
    chain: tuple[str, ...] = ()
    steps = [step for step in dis.get_instructions(code) if step.opname not in _SILENT]
    for step, after in pairwise([*steps, *steps[-1:]]):
        if step.opname in _LOADS:
            chain = (str(step.argval),)
        elif chain and step.opname in _TAKES:
            chain = (*chain, str(step.argval))
        if chain and after.opname not in _TAKES:
            chains.add(chain)
            chain = ()
    return chains


def _builtin(namespace: dict[str, Any], name: str) -> object:
    builtins = namespace.get("__builtins__", {})
    return vars(builtins).get(name) if isinstance(builtins, ModuleType) else builtins.get(name)
