"""Activities: functions that touch the world.  Here they are declared and asked for, and not run."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from secrets import token_hex
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    ParamSpec,
    TypeVar,
    Unpack,
    get_args,
    get_origin,
    overload,
)

import attrs
from attrs import Factory, field, frozen

from actorflow._codec import Arguments, arguments, positional, unpack
from actorflow._codec.failures import failure
from actorflow._codec.hints import hints_of
from actorflow._core.ambient import ambient
from actorflow._core.facts import CANCELLED, OK, SCHEDULE, TIMED_OUT, Schedule
from actorflow.errors import ActivityFailed, DefinitionError, NotInHandler

from .attempt import RUNNING, Attempt, one_of
from .calls import Call
from .keys import check_name
from .options import Batching, Choices, Options, plain_options

if TYPE_CHECKING:
    from actorflow._core.actor import Actor
    from actorflow._core.pending import Pending

__all__ = ["Activity", "activity"]

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


def _effective(of: Activity[..., Any]) -> Options:
    return attrs.evolve(of.defaults, **dict(of.overrides))


def _written(of: Activity[..., Any]) -> tuple[Any, ...] | None:
    return plain_options(of.overrides)


@frozen(eq=False, repr=False)
class Activity(Generic[P, R_co]):
    """A function that touches the world; calling it in a handler asks for it durably."""

    function: Callable[P, Any]
    """The plain function."""
    name: str
    """The stable name, as stored."""
    aliases: tuple[str, ...]
    arguments: Arguments
    defaults: Options
    waits: bool
    """It is an ``async def``."""
    run: Callable[..., Any]
    """The function, taking every argument by position."""
    overrides: tuple[tuple[str, Any], ...] = ()
    batching: Batching | None = None
    """The function takes a list of what was asked for, and gives a list of answers."""
    effective: Options = field(init=False, default=Factory(_effective, takes_self=True))
    """The options with what is overridden; kept, for every call asks for them twice."""
    _plain: tuple[Any, ...] | None = field(init=False, default=Factory(_written, takes_self=True))
    """What is overridden, as the journal keeps it."""

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<activity {self.name}>"

    @property
    def __recorded__(self) -> tuple[Any, ...]:
        """What decides how a call is recorded, for the fingerprint of who calls it; not what it does."""
        defaults = self.function.__defaults__, self.function.__kwdefaults__
        return self.name, self.arguments.name, defaults, self._plain, self.effective.on_cancel

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R_co]:
        if ambient.actor is None and not ambient.dying:
            return _just_run(self, args, kwargs)
        return Call(f"{self.name}()", self._begin(self._encode(args, kwargs)))

    def later(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[], Awaitable[R_co]]:
        """A call whose arguments are kept as they are now, for a saga."""
        body = self._encode(args, kwargs)
        return lambda: Call(f"{self.name}()", self._begin(body), tracked=False)

    def options(self, **overrides: Unpack[Choices]) -> Activity[P, R_co]:
        """The same activity, run otherwise by the calls made on what this gives."""
        try:
            attrs.evolve(self.defaults, **overrides)
        except (TypeError, ValueError) as error:
            known = ", ".join(one.name for one in attrs.fields(Options))
            raise DefinitionError(f"{self.name}.options()", str(error), f"an activity has {known}") from None
        merged = {**dict(self.overrides), **overrides}
        return attrs.evolve(self, overrides=tuple(sorted(merged.items())))

    def _encode(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        body = self.arguments.encode(args, kwargs)
        actor = ambient.actor
        if actor is not None:
            actor.fits(body, f"{self.name}()")
        return body

    def _begin(self, body: bytes) -> Callable[[Actor], Pending]:
        effect = Schedule(SCHEDULE, self.name, body, self._plain)
        patient = self.effective.on_cancel == "wait"

        def begin(actor: Actor) -> Pending:
            for alias in self.aliases:
                actor.aliases[alias] = self.name
            return actor.expect(effect, self._read, patient=patient, asked=self)

        return begin

    def _read(self, how: str, body: bytes) -> tuple[Any, BaseException | None]:
        if how == OK:
            return self.arguments.answer.decode(body), None
        if how == CANCELLED:
            return None, ActivityFailed(self.name, "Cancelled", "it was cancelled from outside")
        if how == TIMED_OUT:
            message = unpack(body) if body else "it took too long"
            return None, ActivityFailed(self.name, "TimeoutError", str(message))
        _, type_, message, details = failure(body)
        return None, ActivityFailed(self.name, type_, message, details)


async def _just_run(activity_: Activity[..., Any], args: Any, kwargs: Any) -> Any:
    """Outside a runtime an activity is what it was written as."""

    def leave() -> str:
        raise NotInHandler("complete_later()", "there is no runtime that could be told")

    keys = (token_hex(16),)
    token = RUNNING.set(Attempt(1, lambda: keys, b"", lambda _: True, leave))
    try:
        if activity_.batching is not None:
            items = activity_.arguments.decode(activity_.arguments.encode(args, kwargs))
            answers = activity_.function(list(items))
            return one_of(await answers if inspect.isawaitable(answers) else answers, 0, 1)
        answer = activity_.function(*args, **kwargs)
        return await answer if inspect.isawaitable(answer) else answer
    finally:
        RUNNING.reset(token)


class _Decorator:
    """``activity`` itself: a decorator with and without options, and the door to the attempt that runs."""

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]], /) -> Activity[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Activity[P, R]: ...
    @overload
    def __call__(
        self,
        /,
        *,
        name: str | None = ...,
        aliases: tuple[str, ...] | list[str] = ...,
        **options: Unpack[Choices],
    ) -> _WithOptions: ...
    def __call__(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        aliases: tuple[str, ...] | list[str] = (),
        **options: Unpack[Choices],
    ) -> Any:
        decorate = _WithOptions(Options(**options), name, tuple(aliases))
        if function is None:
            return decorate
        caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - for its local classes
        return decorate(function, caller.f_locals)

    def batched(
        self,
        *,
        at_most: int,
        within: timedelta,
        name: str | None = None,
        aliases: tuple[str, ...] | list[str] = (),
        **options: Unpack[Choices],
    ) -> _Batched:
        """Declare an activity that answers many small calls with one.

        Its function takes a list and gives a list; a call asks for one thing.  Calls are gathered until they
        are so many, or the first has waited so long.  What stands in the list of answers is the answer to
        what stands in the same place; an exception there is the failure of that one.
        """
        return _Batched(Options(**options), name, tuple(aliases), Batching(at_most, within))

    def current(self) -> Attempt:
        """The attempt that runs: its number, its key, its heartbeat."""
        attempt = RUNNING.get(None)
        if attempt is None:
            raise NotInHandler("activity.current()", "no activity is running here")
        return attempt


@frozen
class _WithOptions:
    options: Options
    name: str | None
    aliases: tuple[str, ...]

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]], localns: Any = ..., /) -> Activity[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], localns: Any = ..., /) -> Activity[P, R]: ...
    def __call__(self, function: Callable[..., Any], localns: Any = None, /) -> Activity[..., Any]:
        if not inspect.isfunction(function):
            raise DefinitionError(
                repr(function), "@activity goes on a function", "write a def or an async def"
            )
        where = function.__name__
        name = check_name(where if self.name is None else self.name, where)
        aliases = tuple(check_name(alias, where) for alias in self.aliases)
        caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - for its local classes
        hints = caller.f_locals if localns is None else localns
        return Activity(
            function,
            name,
            aliases,
            arguments(function, where, hints),
            self.options,
            inspect.iscoroutinefunction(function),
            positional(function),
        )


@frozen
class _Batched:
    options: Options
    name: str | None
    aliases: tuple[str, ...]
    batching: Batching

    @overload
    def __call__(self, function: Callable[[list[A]], Awaitable[list[R]]], /) -> Activity[[A], R]: ...
    @overload
    def __call__(self, function: Callable[[list[A]], list[R]], /) -> Activity[[A], R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Activity[..., Any]:
        caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - for its local classes
        where = getattr(function, "__name__", repr(function))
        hints = hints_of(function, where, caller.f_locals)
        answers = hints.pop("return", None)
        (items,) = hints.values() if len(hints) == 1 else (None,)
        if get_origin(items) is not list or get_origin(answers) is not list:
            raise DefinitionError(
                where, "has to take one list and give one", f"write def {where}(items: list[A]) -> list[B]"
            )

        def one(item: Any) -> Any:  # noqa: ARG001 - named as errors should name it
            raise AssertionError("only its signature is of use")

        one.__name__ = one.__qualname__ = where
        one.__annotations__ = {"item": get_args(items)[0], "return": get_args(answers)[0]}
        declared = _WithOptions(self.options, self.name, self.aliases)(one, caller.f_locals)
        return attrs.evolve(
            declared,
            function=function,
            waits=inspect.iscoroutinefunction(function),
            run=function,
            batching=self.batching,
        )


activity: Final = _Decorator()
"""Declares a function that touches the world: ``async def`` (on trio) or ``def`` (in a thread)."""
