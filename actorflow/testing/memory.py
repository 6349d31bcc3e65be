"""What an entity's code could remember outside its actors: a process for each that a test plays.

Found from the code outward: the names that handlers and what they call use, in the author's own modules;
class attributes, closures, defaults, attributes of functions, caches, context variables, and the objects in
all of these.  A ``Process`` has them as they were before any handler ran, and keeps what its handlers make
of them; ``inside`` puts it in place, object by object, so that whoever holds an object goes on holding it.

Not kept apart is what cannot be copied (a generator, what C code hides), what is reached only by a name made
up while the program runs, and a heap of more than ``OBJECTS_MAX`` objects under one name.  Then processes
share it, which shows in its own way: two actors that do the same find different things there.
"""

# Long because where to look, what is there, and how it is put back know the same kinds of objects.

# What authors keep is of any type: pyright narrows Any to containers of what it cannot know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

import dis
import itertools
import random
import sys
from ast import literal_eval
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from copy import copy
from enum import Enum
from functools import cached_property, lru_cache, partial
from types import (
    CellType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, Final

from attrs import define, field

from actorflow._authoring.activities import Activity
from actorflow._authoring.entity import SPEC
from actorflow._authoring.handlers import Message, Update
from actorflow._authoring.invariants import Invariant

__all__ = ["OBJECTS_MAX", "Memory", "Process"]

OBJECTS_MAX: Final = 5_000
ABSENT: Final = object()
CACHE: Final = type(lru_cache(lambda: None))
OPAQUE: Final[tuple[type[Any], ...]] = (
    CACHE,
    itertools.count,
    type(iter([])),
    type(iter(())),
    type(iter("")),
    type(iter(range(0))),
)
"""What changes when it is used, and is copied as a whole."""
ATOMS: Final = (type(None), bool, int, float, complex, str, bytes, type(...), range, Enum, type, FunctionType)
STORES: Final = frozenset({"STORE_GLOBAL", "DELETE_GLOBAL", "STORE_ATTR", "DELETE_ATTR", "STORE_NAME"})
REFLECTS: Final = frozenset({"setattr", "delattr", "globals", "vars", "__dict__", "__setattr__"})


# ---- one place where a name is bound -----------------------------------------------------------------


@define(eq=False)
class Slot:
    """A place that holds a value and can be made to hold another."""

    get: Callable[[], Any]
    put: Callable[[Any], None]


def _in_namespace(namespace: dict[str, Any], name: str) -> Slot:
    def put(value: Any) -> None:
        if value is ABSENT:
            namespace.pop(name, None)
        else:
            namespace[name] = value

    return Slot(lambda: namespace.get(name, ABSENT), put)


def _in_class(cls: type[Any], name: str) -> Slot:
    def put(value: Any) -> None:
        if value is not ABSENT:
            type.__setattr__(cls, name, value)
        elif name in vars(cls):
            type.__delattr__(cls, name)

    return Slot(lambda: vars(cls).get(name, ABSENT), put)


def _in_cell(cell: CellType) -> Slot:
    def get() -> Any:
        try:
            return cell.cell_contents
        except ValueError:
            return ABSENT

    def put(value: Any) -> None:
        if value is not ABSENT:
            cell.cell_contents = value

    return Slot(get, put)


def _in_context(variable: ContextVar[Any]) -> Slot:
    def put(value: Any) -> None:
        if value is not ABSENT:
            variable.set(value)

    def get() -> Any:
        try:
            return variable.get()
        except LookupError:
            return ABSENT  # and it stays unset only as long as nobody sets it: there is no way back

    return Slot(get, put)


def _any(value: object) -> Any:
    """The same: what authors hold is theirs, and of any type."""
    return value


# ---- what an object holds ----------------------------------------------------------------------------


def _attributes(thing: Any) -> dict[str, Any]:
    """The attributes of an object of the author's, in its dict and in its slots."""
    held: dict[str, Any] = dict(getattr(thing, "__dict__", None) or {})
    for kind in type(thing).__mro__:
        names = vars(kind).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if not name.startswith("__") and (value := getattr(thing, name, ABSENT)) is not ABSENT:
                held[name] = value
    return held


def _contents(thing: Any) -> tuple[Any, ...] | None:
    """What a mutable object holds, flat; none if it is not one that we can write."""
    match thing:
        case list() | deque():
            return tuple(_any(thing))
        case dict():
            return tuple(itertools.chain.from_iterable(_any(thing).items()))
        case set():
            return tuple(_any(thing))
        case bytearray():
            return (bytes(thing),)
        case random.Random():
            return (thing.getstate(),)
        case _ if _is_ours(type(thing)):
            return tuple(itertools.chain.from_iterable(_attributes(thing).items()))
        case _:
            return None


def _write(thing: Any, contents: tuple[Any, ...]) -> None:
    now = _contents(thing)
    if now is not None and len(now) == len(contents) and all(map(_is, now, contents)):
        return
    match thing:
        case list() | deque() | set():
            thing.clear()
            (thing.update if isinstance(thing, set) else thing.extend)(contents)
        case dict():
            thing.clear()
            thing.update(zip(contents[::2], contents[1::2], strict=True))
        case bytearray():
            thing[:] = contents[0]
        case random.Random():
            thing.setstate(contents[0])
        case _:
            kept = dict(zip(contents[::2], contents[1::2], strict=True))
            for name in _attributes(thing).keys() - kept.keys():
                object.__delattr__(thing, name)
            for name, value in kept.items():
                object.__setattr__(thing, name, value)


def _is(one: object, other: object) -> bool:
    return one is other or (type(one) is type(other) is bytes and one == other)


_STDLIB: Final = sys.stdlib_module_names - {"__main__"}


def _is_ours(thing: Any) -> bool:
    """Whether it was written by the author: neither Python's, nor another package's, nor actorflow's."""
    name = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
    root = str(name or "").partition(".")[0]
    if not root or root == "actorflow" or root in _STDLIB:
        return False
    file = getattr(sys.modules.get(str(name)) or sys.modules.get(root), "__file__", None) or ""
    return "site-packages" not in file and "dist-packages" not in file


# ---- where to look -----------------------------------------------------------------------------------


@define(eq=False)
class _Survey:
    """Follows the code of an entity to every place where it could leave something."""

    slots: list[Slot] = field(factory=list[Slot])
    roots: list[Any] = field(factory=list[Any])
    entities: dict[str, type[Any]] = field(factory=dict[str, "type[Any]"])
    _held: list[tuple[Slot, str]] = field(factory=list[tuple[Slot, str]])
    _stored: set[str] = field(factory=set[str])
    _seen: set[int] = field(factory=set[int])
    _places: set[tuple[int, str]] = field(factory=set[tuple[int, str]])
    _open: list[Any] = field(factory=list[Any])

    def follow(self, root: Any) -> None:
        self._open.append(root)
        while self._open:
            self._look(self._open.pop())
        everything = bool(self._stored & REFLECTS)
        for slot, name in self._held:
            value = slot.get()
            if everything or name in self._stored or _changes(value):
                self.slots.append(slot)

    def _look(self, thing: Any) -> None:
        if isinstance(thing, ATOMS[:10]) or id(thing) in self._seen:
            return
        self._seen.add(id(thing))
        match thing:
            case FunctionType():
                if _is_ours(thing):
                    self._function(thing)
            case type():
                if _is_ours(thing):
                    self._class(thing)
            case Message():
                self._open += [
                    thing.function,
                    *([thing.check] if isinstance(thing, Update) and thing.check else []),
                ]
            case Activity() | ModuleType():
                pass  # an activity runs elsewhere; of a module only what is named counts
            case Invariant():
                self._open.append(_any(thing).function)
            case MethodType():
                self._open += [thing.__func__, thing.__self__]
            case partial():
                called = _any(thing)
                self._open += [called.func, *called.args, *called.keywords.values()]
            case property():
                self._open += [thing.fget, thing.fset]
            case staticmethod() | classmethod():
                self._open.append(_any(thing).__func__)
            case cached_property():
                self._open.append(_any(thing).func)
            case ContextVar():
                self.slots.append(_in_context(_any(thing)))
            case tuple() | frozenset():
                self._open += list(_any(thing))
            case _ if isinstance(thing, CACHE):
                self._open.append(thing.__wrapped__)
            case _:
                inner = _contents(thing)
                if inner is not None:
                    self.roots.append(thing)
                    self._open += [type(thing), *inner]

    def _hold(self, slot: Slot, where: int, name: str) -> None:
        if (where, name) not in self._places:
            self._places.add((where, name))
            self._held.append((slot, name))
            self._open.append(slot.get())

    def _function(self, function: FunctionType) -> None:
        for cell in function.__closure__ or ():
            self._hold(_in_cell(cell), id(cell), "")
        self._open += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        if vars(function):
            self._open.append(vars(function))
        namespace = function.__globals__
        names = _names(function.__code__)
        self._stored |= _stored(function.__code__) | (names & REFLECTS)
        for name in names:
            if name not in namespace:
                if name in _stored(function.__code__):
                    self._hold(_in_namespace(namespace, name), id(namespace), name)
                continue
            value = namespace[name]
            if isinstance(value, ModuleType):
                self._module(value, names)
            else:
                self._hold(_in_namespace(namespace, name), id(namespace), name)
                if (
                    isinstance(value, FunctionType)
                    and _is_ours(value)
                    and name in _touched(function.__code__)
                ):
                    self.roots.append(vars(value))  # f.calls += 1

    def _module(self, module: ModuleType, names: frozenset[str]) -> None:
        if not _is_ours(module):
            return
        namespace = vars(module)
        for name in names & namespace.keys():
            value = namespace[name]
            if isinstance(value, ModuleType):
                if (id(value), "") not in self._places:
                    self._places.add((id(value), ""))
                    self._module(value, names)
            else:
                self._hold(_in_namespace(namespace, name), id(namespace), name)

    def _class(self, cls: type[Any]) -> None:
        spec = getattr(cls, SPEC, None)
        if spec is not None:
            self.entities[spec.name] = cls
            if len(self.entities) > 1:
                return  # another entity: its handlers run in actors of its own
        if issubclass(cls, Enum):
            return
        for name, value in list(vars(cls).items()):
            if isinstance(value, MemberDescriptorType | GetSetDescriptorType):
                continue
            if name.startswith("__") and name.endswith("__") and not isinstance(value, FunctionType):
                continue
            if not isinstance(value, FunctionType | Message | Activity | property):
                self._hold(_in_class(cls, name), id(cls), name)
            self._open.append(value)
        self._open += [base for base in cls.__mro__[1:] if base is not object]


def _changes(value: Any) -> bool:
    """Whether what a place holds could become something else while the place goes on holding it."""
    return isinstance(value, OPAQUE) or (isinstance(value, tuple) and any(map(_changes, _any(value))))


def _names(code: CodeType) -> frozenset[str]:
    """Every name that a code object, and those in it, take from a module or from an object."""
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return frozenset(code.co_names).union(*inner)


def _touched(code: CodeType) -> frozenset[str]:
    """Every global name of which it takes or sets an attribute."""
    steps = [step for step in dis.get_instructions(code) if step.opname != "CACHE"]
    own = {
        str(one.argval)
        for one, after in itertools.pairwise(steps)
        if one.opname in ("LOAD_GLOBAL", "LOAD_NAME")
        and after.opname in ("COPY", "DUP_TOP", "LOAD_ATTR", "STORE_ATTR")
    }
    inner = (_touched(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return frozenset(own).union(*inner)


def _stored(code: CodeType) -> frozenset[str]:
    """Every name that it binds there, closures included."""
    own = {str(step.argval) for step in dis.get_instructions(code) if step.opname in STORES}
    if any(step.opname == "STORE_DEREF" for step in dis.get_instructions(code)):
        own.add("")
    inner = (_stored(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return frozenset(own).union(*inner)


# ---- processes ---------------------------------------------------------------------------------------


@define(eq=False)
class Process:
    """What is in all those places, for one process that a test plays."""

    held: list[Any]
    objects: list[tuple[Any, tuple[Any, ...]]]


class Memory:
    """Everything that the code of an entity could change and that is not an actor's."""

    def __init__(self, entity: type[Any]) -> None:
        survey = _Survey()
        survey.follow(entity)
        self.entities = survey.entities
        """The entities that its code names, by their stored names."""
        self._slots = survey.slots
        self._roots = [root for root in survey.roots if _size(root) <= OBJECTS_MAX]
        self._inside: Process | None = None
        self._first = self._look()
        self._first = self.boot()  # with copies of its own of what would be used up

    @property
    def empty(self) -> bool:
        """Whether there is no such place."""
        return not self._slots and not self._roots

    def boot(self) -> Process:
        """A new process: everything is as it was before any handler ran."""
        copies: dict[int, Any] = {}

        def fresh(value: Any) -> Any:
            if not isinstance(value, OPAQUE):
                return value
            if id(value) not in copies:
                copies[id(value)] = _copied(value)
            return copies[id(value)]

        first = self._first
        objects = [(thing, tuple(map(fresh, contents))) for thing, contents in first.objects]
        return Process([fresh(value) for value in first.held], objects)

    @contextmanager
    def inside(self, process: Process) -> Generator[None]:
        """Be in this process: its memory is in place, and afterwards what was there before."""
        if self.empty or self._inside is process:
            yield
            return
        outer, before = self._inside, self._look()
        self._inside = process
        self._put(process)
        try:
            yield
        finally:
            after = self._look()
            process.held, process.objects = after.held, after.objects
            self._inside = outer
            self._put(before)

    def _look(self) -> Process:
        held = [slot.get() for slot in self._slots]
        objects: list[tuple[Any, tuple[Any, ...]]] = []
        seen: set[int] = set()
        work: list[Any] = [*self._roots, *held]
        while work:
            thing = work.pop()
            if isinstance(thing, ATOMS) or id(thing) in seen:
                continue
            seen.add(id(thing))
            if isinstance(thing, tuple | frozenset):
                work.extend(_any(thing))
                continue
            contents = _contents(thing)
            if contents is not None:
                objects.append((thing, contents))
                work.extend(contents)
        return Process(held, objects)

    def _put(self, process: Process) -> None:
        for slot, value in zip(self._slots, process.held, strict=True):
            if slot.get() is not value:
                slot.put(value)
        for thing, contents in process.objects:
            _write(thing, contents)


def _copied(value: Any) -> Any:
    if isinstance(value, CACHE):
        return lru_cache(**value.cache_parameters())(value.__wrapped__)
    if type(value) is itertools.count:
        with suppress(ValueError):  # as of one that counts by something else than plain numbers
            # Not by copy(): from Python 3.12 on that warns, and later it is gone.
            says = literal_eval(str(value).removeprefix("count"))
            return itertools.count(*says) if isinstance(says, tuple) else itertools.count(says)
    return copy(value)


def _size(root: Any) -> int:
    """How many objects hang together under this one, counted no further than is of interest."""
    seen: set[int] = set()
    work = [root]
    while work and len(seen) <= OBJECTS_MAX:
        thing = work.pop()
        if not isinstance(thing, ATOMS) and id(thing) not in seen:
            seen.add(id(thing))
            work.extend(_any(thing) if isinstance(thing, tuple | frozenset) else _contents(thing) or ())
    return len(seen)
