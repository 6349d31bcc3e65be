"""Activities: functions that touch the world.  Here they are declared and asked for, and not run."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import timedelta
from secrets import token_hex
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    Literal,
    ParamSpec,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

import attrs
from attrs import field, frozen
from attrs.validators import deep_iterable, ge, gt, instance_of, optional

from actorflow._codec import Arguments, arguments, pack, positional, unpack
from actorflow._codec.failures import failure
from actorflow._core.ambient import ambient
from actorflow._core.facts import CANCELLED, OK, SCHEDULE, TIMED_OUT, Schedule
from actorflow.errors import ActivityFailed, Cancelled, DefinitionError, NotInHandler

from .calls import Call
from .keys import check_name

if TYPE_CHECKING:
    from actorflow._core.actor import Actor
    from actorflow._core.pending import Pending

__all__ = ["RUNNING", "Activity", "Attempt", "Breaker", "Options", "RetryPolicy", "activity"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

START_TO_CLOSE: Final = timedelta(seconds=60)
MILLISECOND: Final = timedelta(milliseconds=1)


def _positive(_: object, attribute: attrs.Attribute[Any], value: timedelta | None) -> None:
    if value is not None and value <= timedelta(0):
        raise DefinitionError(f"{attribute.name}={value}", "a duration has to be longer than nothing")


@frozen(kw_only=True)
class RetryPolicy:
    """How often and after which pauses a failed attempt is repeated."""

    initial_interval: timedelta = field(default=timedelta(seconds=1), validator=_positive)
    backoff_coefficient: float = field(default=2.0, validator=ge(1))
    maximum_interval: timedelta = field(default=timedelta(seconds=100), validator=_positive)
    maximum_attempts: int = field(default=10, validator=gt(0))
    non_retryable: tuple[str, ...] = field(
        default=(), converter=tuple, validator=deep_iterable(instance_of(str))
    )
    """Names of error types that no further attempt would mend."""


@frozen(kw_only=True)
class Breaker:
    """When to leave a dependency alone that is down: its activities wait, and one at a time tries."""

    failures: int = field(default=5, validator=gt(0))
    """So many failed attempts in a row break the circuit; an ``Unavailable`` does at once."""
    pause: timedelta = field(default=timedelta(seconds=30), validator=_positive)
    """After which one attempt may try."""


@frozen(kw_only=True)
class Options:
    """How an activity is run; there is always a time-out, also when nobody sets one."""

    start_to_close: timedelta = field(default=START_TO_CLOSE, validator=_positive)
    """How long one attempt may take."""
    schedule_to_close: timedelta | None = field(default=None, validator=_positive)
    """How long all attempts together may take."""
    schedule_to_start: timedelta | None = field(default=None, validator=_positive)
    """How long an attempt may wait for its turn."""
    heartbeat: timedelta | None = field(default=None, validator=_positive)
    """How long an attempt may be silent."""
    retry: RetryPolicy = field(factory=RetryPolicy)
    concurrency: int | None = field(default=None, validator=optional(gt(0)))
    """How many attempts may run at a time in one runtime."""
    rate: float | None = field(default=None, validator=optional(gt(0)))
    """How many attempts may begin in a second."""
    breaker: Breaker | None = field(default=None, validator=optional(instance_of(Breaker)))
    """When to leave alone what it depends on."""
    on_cancel: Literal["wait", "abandon"] = "wait"
    """Whether cancelling waits until the running attempt has ended."""


class Choices(TypedDict, total=False):
    """The same, as somebody writes them: those that are to differ."""

    start_to_close: timedelta
    schedule_to_close: timedelta | None
    schedule_to_start: timedelta | None
    heartbeat: timedelta | None
    retry: RetryPolicy
    concurrency: int | None
    rate: float | None
    breaker: Breaker | None
    on_cancel: Literal["wait", "abandon"]


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

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<activity {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R_co]:
        if ambient.actor is None and not ambient.dying:
            return _just_run(self.function, args, kwargs)
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

    @property
    def effective(self) -> Options:
        """The options with what is overridden."""
        return attrs.evolve(self.defaults, **dict(self.overrides))

    def _encode(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        body = self.arguments.encode(args, kwargs)
        actor = ambient.actor
        if actor is not None:
            actor.fits(body, f"{self.name}()")
        return body

    def _begin(self, body: bytes) -> Callable[[Actor], Pending]:
        effect = Schedule(SCHEDULE, self.name, body, _plain_options(self.overrides))
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


class Attempt:
    """The attempt that runs, as its function sees it."""

    def __init__(
        self,
        number: int,
        key: str,
        last_heartbeat: bytes,
        beat: Callable[[bytes], bool],
        leave: Callable[[], str],
    ) -> None:
        self.number = number
        """1, and one more with each retry, restarts included."""
        self.key = key
        """By which the other side can know this again: the same in every attempt, in no other call."""
        self._last_heartbeat = last_heartbeat
        self._beat = beat
        self._leave = leave

    @property
    def last_heartbeat(self) -> Any:
        """What the last heartbeat of the attempts before told; none if there was none."""
        return unpack(self._last_heartbeat) if self._last_heartbeat else None

    def heartbeat(self, details: Any = None) -> None:
        """Tell that it is alive, and how far it is; raises ``Cancelled`` when nobody wants it any more."""
        if not self._beat(pack(details)):
            raise Cancelled

    def complete_later(self) -> str:
        """Leave the end to somebody outside, who is given this token; what is returned is ignored."""
        return self._leave()


RUNNING: Final[ContextVar[Attempt]] = ContextVar("RUNNING")


async def _just_run(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Outside a runtime an activity is what it was written as."""

    def leave() -> str:
        raise NotInHandler("complete_later()", "there is no runtime that could be told")

    token = RUNNING.set(Attempt(1, token_hex(16), b"", lambda _: True, leave))
    try:
        answer = function(*args, **kwargs)
        return await answer if inspect.isawaitable(answer) else answer
    finally:
        RUNNING.reset(token)


def _plain_options(overrides: tuple[tuple[str, Any], ...]) -> tuple[Any, ...] | None:
    """Overrides as the journal keeps them."""
    return tuple((name, _plain_option(value)) for name, value in overrides) or None


def _plain_option(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    if isinstance(value, RetryPolicy | Breaker):
        return tuple(_plain_option(one) for one in attrs.astuple(value, recurse=False))
    return value


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


activity: Final = _Decorator()
"""Declares a function that touches the world: ``async def`` (on trio) or ``def`` (in a thread)."""
