"""``@entity``: makes a class an entity, and checks everything about it while it is defined."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar, cast, dataclass_transform, get_origin, get_type_hints, overload

import attrs

from actorflow._codec import Arguments, Schema, arguments, pack, positional, schema, unpack
from actorflow._codec.records import RecordCodec
from actorflow._core.facts import ENGINE_VERSION, MAIN, UPDATE
from actorflow._core.spec import Handler, Spec
from actorflow._determinism.fingerprint import fingerprint
from actorflow._determinism.lint import Finding, lint
from actorflow.errors import DefinitionError, NondeterminismWarning, UsageError
from actorflow.limits import Limits

from .handlers import Main, Message, Query, Signal, Timer
from .invariants import INVARIANTS, Invariant, check_invariant
from .keys import check_name
from .upcasts import Upcast, lifted

__all__ = ["entity", "findings_of", "spec_of", "specs_of"]

T = TypeVar("T")
SPEC: Final = "__actorflow__"
FINDINGS: Final = "__actorflow_findings__"
CODEC: Final = RecordCodec()
MUTABLE: Final = (list, dict, set, bytearray)


@overload
@dataclass_transform(field_specifiers=(attrs.field,))
def entity(cls: type[T], /) -> type[T]: ...
@overload
@dataclass_transform(field_specifiers=(attrs.field,))
def entity(
    *, name: str | None = ..., version: int = ..., limits: Limits | None = ...
) -> Callable[[type[T]], type[T]]: ...
def entity(
    cls: type[Any] | None = None,
    /,
    *,
    name: str | None = None,
    version: int = 1,
    limits: Limits | None = None,
) -> Any:
    """Declare an entity: its annotated fields are the state, its decorated methods the handlers.

    ``name`` is what is stored, the class's own name unless given.  ``version`` is raised when the stored
    fields change in a way that a default cannot bridge; each earlier one then has an ``@upcast``.
    """
    caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - for its local classes
    localns = caller.f_locals

    def decorate(cls: type[T]) -> type[T]:
        return _define(cls, localns, cls.__name__ if name is None else name, version, limits)

    return decorate if cls is None else decorate(cls)


def spec_of(cls: type[Any]) -> Spec:
    """What the core knows of an entity."""
    spec = getattr(cls, SPEC, None)
    if not isinstance(spec, Spec):
        raise UsageError(f"{cls!r} is not an entity\n  hint: write @entity above the class")
    return spec


def specs_of(entities: Iterable[type[Any]], limits: Limits | None) -> Iterable[Spec]:
    """What the core knows of these entities, under the limits of whoever hosts those that have none."""
    for cls in entities:
        spec = spec_of(cls)
        if limits is not None and not spec.limited:
            spec = attrs.evolve(spec, limits=limits)
        yield spec


def findings_of(cls: type[Any]) -> list[Finding]:
    """What the lint found in the handlers when the entity was defined."""
    found: list[Finding] = getattr(cls, FINDINGS, [])
    return found


def _define(
    cls: type[T], localns: Mapping[str, Any], name: str, version: int, limits: Limits | None
) -> type[T]:
    where = cls.__qualname__.split("<locals>.")[-1]
    check_name(name, where)
    _check_class(cls, where)
    members = dict(vars(cls))
    if "__attrs_attrs__" not in members:
        # eq compares states in tests; slots make a misspelt field an error instead of a state nobody keeps.
        cls = attrs.define(cls)
    # The new class is not yet known under its name to whoever resolves hints that mention it.
    known = {**localns, cls.__name__: cls}
    messages = [member for member in members.values() if isinstance(member, Message)]
    state = schema(cls, where, known)
    upcasts = _upcasts(members, version, where)
    handlers = _handlers(messages, known, where)
    mains = [message for message in messages if message.kind == MAIN]
    if len(mains) > 1:
        raise DefinitionError(where, f"has two mains, {mains[0].where} and {mains[1].where}", "keep one")
    required = tuple(
        one.name
        for one in attrs.fields(cast("type[attrs.AttrsInstance]", cls))
        if one.default is attrs.NOTHING
    )
    functions = [member for member in (_function(value) for value in members.values()) if member is not None]
    description = "; ".join([f"{name} v{version}", state.name, *map(_said, messages)])
    spec = Spec(
        name=name,
        cls=cls,
        handlers=handlers,
        main=mains[0].spec if mains else None,
        new=None if required else cls,
        dump=_dump(state, version),
        load=_load(state, version, upcasts, where),
        codec=CODEC,
        code=fingerprint(functions, description, engine=ENGINE_VERSION),
        limits=limits or Limits(),
        limited=limits is not None,
        required=required,
        interleaves=any(message.interleave for message in messages),
    )
    setattr(cls, SPEC, spec)
    # Not part of the fingerprint: what is only asked in tests is not what computed a state.
    invariants = _invariants(members)
    for one in invariants:
        check_invariant(one, known)
    setattr(cls, INVARIANTS, invariants)
    findings = lint([*functions, *(one.function for one in invariants)], where, _sets(cls, known))
    setattr(cls, FINDINGS, findings)
    for finding in findings:
        warnings.warn_explicit(str(finding), NondeterminismWarning, finding.file, finding.line)
    return cls


def _invariants(members: Mapping[str, Any]) -> tuple[Invariant[Any, Any], ...]:
    found: list[Any] = [member for member in members.values() if isinstance(member, Invariant)]
    return tuple(found)


def _said(message: Message) -> str:
    """What is declared of a handler and decides what it does."""
    flags = (message.interleave, message.stops, message.restartable)
    return f"{message.name}{message.arguments.name} {flags}"


# ---- what an entity may be -----------------------------------------------------------------------------


def _check_class(cls: type[Any], where: str) -> None:
    if not inspect.isclass(cls):
        raise DefinitionError(repr(cls), "@entity goes on a class", "write it above a class")
    if cls.__bases__ != (object,):
        bases = ", ".join(base.__name__ for base in cls.__bases__)
        hint = "write the fields and handlers into the class; share behaviour by calling functions"
        raise DefinitionError(where, f"an entity has no base class, and this one has {bases}", hint)
    annotated = vars(cls).get("__annotations__", {})
    for name, value in vars(cls).items():
        kind = type(cast("object", value)).__name__
        if isinstance(value, MUTABLE) and name not in annotated and not name.startswith("__"):
            hint = f"declare it as a field, {name}: {kind}[...] = field(factory={kind})"
            raise DefinitionError(
                f"{where}.{name}", "a mutable value on the class is shared and never stored", hint
            )
        if isinstance(value, MUTABLE) and name in annotated:
            hint = f"write = field(factory={kind}) instead"
            raise DefinitionError(f"{where}.{name}", "its default would be shared by all actors", hint)
        if isinstance(value, Message) and name in annotated:
            raise DefinitionError(f"{where}.{name}", "is a field and a handler", "rename one of them")
        if isinstance(value, property) and value.fset is not None:
            raise DefinitionError(
                f"{where}.{name}", "a property with a setter hides state", "declare a field"
            )


def _upcasts(members: Mapping[str, Any], version: int, where: str) -> dict[int, Upcast]:
    if type(version) is not int or version < 1:
        raise DefinitionError(where, f"version={version!r}", "versions are counted from 1")
    found: dict[int, Upcast] = {}
    for member in members.values():
        if isinstance(member, staticmethod):
            member = cast("staticmethod[..., Any]", member).__func__  # noqa: PLW2901 - whichever of the two is above
        if isinstance(member, Upcast):
            if member.version in found:
                raise DefinitionError(
                    member.where, f"a second upcast from version {member.version}", "keep one"
                )
            found[member.version] = member
    missing = [step for step in range(1, version) if step not in found]
    if missing:
        hint = f"write @upcast({missing[0]}) and @staticmethod above a function that takes the stored fields"
        raise DefinitionError(where, f"version {version} has no upcast from version {missing[0]}", hint)
    beyond = [step for step in found if step >= version]
    if beyond:
        hint = f"write @entity(version={beyond[0] + 1})"
        raise DefinitionError(
            where, f"there is an upcast from version {beyond[0]}, and this is {version}", hint
        )
    return found


def _handlers(messages: Iterable[Message], known: Mapping[str, Any], where: str) -> dict[str, Handler]:
    handlers: dict[str, Handler] = {}
    for message in messages:
        handler = _handler(message, known)
        for name in (handler.name, *handler.aliases):
            if name in handlers:
                other = handlers[name].where
                raise DefinitionError(
                    handler.where, f"{name!r} is also a name of {other}", "every handler has its own"
                )
            handlers[name] = handler
    if not handlers:
        raise DefinitionError(where, "has no handler", "write @signal, @update or @main above a method")
    return handlers


def _handler(message: Message, known: Mapping[str, Any]) -> Handler:
    function, where = message.function, message.where
    suspends = inspect.iscoroutinefunction(function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(where, "a handler does not yield", "return or await instead")
    message.arguments = arguments(function, where, known, skip_self=True)
    answer = message.arguments.answer
    if isinstance(message, Signal | Timer) and answer.name != "None":
        hint = "write -> None, or make it an update" if isinstance(message, Signal) else "write -> None"
        raise DefinitionError(where, f"a {message.word} gives no answer", hint)
    if isinstance(message, Query) and suspends:
        raise DefinitionError(where, "a query cannot wait", "write def, or make it an update")
    if isinstance(message, Main) and (not suspends or message.arguments.names):
        raise DefinitionError(
            where, "main is an async def without arguments", "write async def main(self) -> ...:"
        )
    check = message.check
    if check is not None:
        assert message.kind == UPDATE, "only updates have validators"
        _check_validator(check, f"the validator of {where}", message.arguments, known)
    message.spec = Handler(
        name=message.name,
        kind=message.kind,
        function=positional(function),
        decode=message.arguments.decode,
        encode=message.arguments.encode,
        answer=_none if answer.name == "None" else answer.encode,
        suspends=suspends,
        interleave=message.interleave,
        stops=message.stops,
        restartable=message.restartable,
        aliases=message.aliases,
        validator=None if check is None else positional(check),
        where=where,
    )
    return message.spec


def _check_validator(
    check: Callable[..., None], where: str, ours: Arguments, known: Mapping[str, Any]
) -> None:
    takes = arguments(check, where, known, skip_self=True)
    if takes.name.rsplit(" -> ", 1)[0] != ours.name.rsplit(" -> ", 1)[0]:
        raise DefinitionError(where, f"it takes {takes.name}", f"it gets what the update gets: {ours.name}")


def _none(answer: object) -> bytes:
    if answer is not None:
        raise UsageError(
            f"a handler that is declared -> None gave {answer!r}\n  hint: declare what it returns"
        )
    return NONE_BYTES


NONE_BYTES: Final = pack(None)


def _function(member: Any) -> Callable[..., Any] | None:
    """The author's code behind a member of the class."""
    if isinstance(member, Message):
        return member.function
    if isinstance(member, Upcast):
        return member.function
    if isinstance(member, staticmethod | classmethod):
        return _function(cast("staticmethod[..., Any]", member).__func__)
    if isinstance(member, property):
        return member.fget
    return member if inspect.isfunction(member) else None


def _sets(cls: type[Any], known: Mapping[str, Any]) -> frozenset[str]:
    hints = get_type_hints(cls, localns=dict(known))
    return frozenset(name for name, hint in hints.items() if (get_origin(hint) or hint) in (set, frozenset))


# ---- state as bytes ------------------------------------------------------------------------------------


def _dump(state: Schema[Any], version: int) -> Callable[[Any], bytes]:
    """A pair of the version and the fields, each packed by whoever knows how."""
    head = b"\x92" + pack(version)
    encode = state.encode
    return lambda value: head + encode(value)


def _load(
    state: Schema[Any], version: int, upcasts: Mapping[int, Upcast], where: str
) -> Callable[[bytes], Any]:
    head = b"\x92" + pack(version)

    def load(data: bytes) -> Any:
        if data.startswith(head):
            return state.decode(data[len(head) :])
        match unpack(data, where):
            case [stored_version, stored]:
                return state.lift(lifted(stored, stored_version, version, upcasts, where))
            case _:
                return state.lift(lifted(None, None, version, upcasts, where))

    return load
