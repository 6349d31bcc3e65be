"""The decorators that make methods handlers, and the typed references that they become on the class.

``Cart.add_item`` is a ``Signal[Cart, P]``, by which callers refer to the handler and type checkers see every
argument; ``self.add_item`` is the plain method.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable
from functools import cached_property, partial
from types import MethodType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Concatenate,
    Generic,
    Literal,
    Never,
    NoReturn,
    ParamSpec,
    Protocol,
    Self,
    TypeVar,
    overload,
)

from actorflow._core.facts import FIRE, MAIN, SIGNAL, UPDATE
from actorflow.errors import DefinitionError, NotInHandler

from .keys import check_name
from .timers import TimerRef

if TYPE_CHECKING:
    from actorflow._codec import Arguments
    from actorflow._core.spec import Handler

__all__ = [
    "Main",
    "Message",
    "Query",
    "Signal",
    "Timer",
    "Update",
    "main",
    "query",
    "signal",
    "timer",
    "update",
]

E = TypeVar("E")
P = ParamSpec("P")
R = TypeVar("R")
G = TypeVar("G")
A = TypeVar("A", None, Coroutine[object, Never, None])
"""What a handler without an answer gives: nothing, at once or when it has been awaited."""
QUERY = 0
OnFailure = Literal["park", "stop"]


class Message:
    """What a decorator leaves in the class: a function and what was said about it."""

    kind: ClassVar[int]
    word: ClassVar[str]
    arguments: Arguments
    spec: Handler
    """Both are there once the entity is defined."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        aliases: Iterable[str] = (),
        interleave: bool = False,
        on_failure: OnFailure = "park",
        restartable: bool = False,
    ) -> None:
        if not inspect.isfunction(function) or function.__name__ == "<lambda>":
            what = f"@{self.word} goes on a method"
            raise DefinitionError(
                getattr(function, "__qualname__", repr(function)), what, "write it above a def"
            )
        self.function = function
        self.where = function.__qualname__.split("<locals>.")[-1]
        self.name = check_name(function.__name__ if name is None else name, self.where)
        if isinstance(aliases, str):
            raise DefinitionError(
                self.where, f"aliases={aliases!r} is a text", f"write aliases=[{aliases!r}]"
            )
        self.aliases = tuple(check_name(alias, self.where) for alias in aliases)
        self.interleave = interleave
        if on_failure not in ("park", "stop"):
            raise DefinitionError(self.where, f"on_failure={on_failure!r}", 'write "park" or "stop"')
        self.stops = on_failure == "stop"
        self.restartable = restartable
        self.check: Callable[..., None] | None = None
        self.__doc__ = function.__doc__

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """For ``inspect`` and documentation tools."""
        return self.function

    @property
    def __recorded__(self) -> tuple[Any, ...]:
        """What decides how it is recorded that it is sent, for the fingerprint of who sends it."""
        return self.name, self.function

    def __repr__(self) -> str:
        return f"<{self.word} {self.where}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself: a saga keeps copies of arguments, and a handler is no value that somebody changes."""
        return self

    if not TYPE_CHECKING:  # who checks types is told before it runs

        def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
            raise NotInHandler(
                f"{self.where}()",
                f"a {self.word} is not called on the class: send it to an actor, or call it on self",
            )


class Signal(Message, Generic[E, P]):
    """A durable one-way message."""

    kind = SIGNAL
    word = "signal"

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Signal[E, P]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> Callable[P, Any]: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Any:
        return self if instance is None else MethodType(self.function, instance)


class Update(Message, Generic[E, P, R]):
    """A durable message with an answer."""

    kind = UPDATE
    word = "update"

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Update[E, P, R]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> Callable[P, Any]: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Any:
        return self if instance is None else MethodType(self.function, instance)

    def validator(self, function: Callable[Concatenate[E, P], None], /) -> Callable[Concatenate[E, P], None]:
        """Declare what refuses this update before it is admitted; it gets its arguments, and only reads."""
        if self.check is not None:
            raise DefinitionError(self.where, "has two validators", "write one that checks both")
        if inspect.iscoroutinefunction(function):
            raise DefinitionError(self.where, "a validator cannot wait", "write def, not async def")
        self.check = function
        return function


class Query(Message, Generic[E, P, R]):
    """A read; journaled nowhere."""

    kind = QUERY
    word = "query"

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Query[E, P, R]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> Callable[P, R]: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Any:
        return self if instance is None else MethodType(self.function, instance)


class Timer(Message, Generic[E, P]):
    """A handler that runs at a time; ``self.expire(...)`` gives the timer, to be armed."""

    kind = FIRE
    word = "timer"

    @cached_property
    def _only(self) -> TimerRef:
        """The one timer of a handler that takes no arguments: many arm it with every message."""
        return TimerRef(self.spec, self.arguments.encode((), {}))

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Timer[E, P]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> Callable[P, TimerRef]: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Any:
        return self if instance is None else self._timer

    def _timer(self, *args: Any, **kwargs: Any) -> TimerRef:
        if not (args or kwargs or self.arguments.names):
            return self._only
        return TimerRef(self.spec, self.arguments.encode(args, kwargs))


class Main(Message, Generic[E, R]):
    """The entity's own course."""

    kind = MAIN
    word = "main"

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Main[E, R]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> Callable[[], Coroutine[object, Never, R]]: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Any:
        return self if instance is None else MethodType(self.function, instance)


# ---- what type checkers know besides: calling a handler on self gives what its function gives --------------
#
# Coroutines of object and Never, for mypy takes two Any for a reason to give up on the overloads of gather.

if TYPE_CHECKING:

    class _Signal(Signal[E, P], Generic[E, P, A]):
        @overload
        def __get__(self, instance: None, owner: type[Any]) -> Signal[E, P]: ...
        @overload
        def __get__(self, instance: object, owner: type[Any]) -> Callable[P, A]: ...
        def __get__(self, instance: object | None, owner: type[Any]) -> Any: ...

    class _Update(Update[E, P, R], Generic[E, P, R, G]):
        @overload
        def __get__(self, instance: None, owner: type[Any]) -> Update[E, P, R]: ...
        @overload
        def __get__(self, instance: object, owner: type[Any]) -> Callable[P, G]: ...
        def __get__(self, instance: object | None, owner: type[Any]) -> Any: ...


# ---- the decorators; the protocols are what they give when they are called with options --------------------


class _ToSignal(Protocol):
    def __call__(self, function: Callable[Concatenate[E, P], A], /) -> _Signal[E, P, A]: ...


class _ToUpdate(Protocol):
    @overload
    def __call__(
        self, function: Callable[Concatenate[E, P], Coroutine[Any, Any, R]], /
    ) -> _Update[E, P, R, Coroutine[object, Never, R]]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[E, P], R], /) -> _Update[E, P, R, R]: ...


class _ToQuery(Protocol):
    def __call__(self, function: Callable[Concatenate[E, P], R], /) -> Query[E, P, R]: ...


class _ToTimer(Protocol):
    def __call__(
        self, function: Callable[Concatenate[E, P], Coroutine[Any, Any, None] | None], /
    ) -> Timer[E, P]: ...


class _ToMain(Protocol):
    def __call__(self, function: Callable[[E], Coroutine[Any, Any, R]], /) -> Main[E, R]: ...


def _made(cls: Callable[..., Any], function: Callable[..., Any] | None, **options: Any) -> Any:
    return partial(cls, **options) if function is None else cls(function, **options)


@overload
def signal(function: Callable[Concatenate[E, P], A], /) -> _Signal[E, P, A]: ...
@overload
def signal(
    *,
    interleave: bool = ...,
    on_failure: OnFailure = ...,
    name: str | None = ...,
    aliases: Iterable[str] = ...,
) -> _ToSignal: ...
def signal(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declare a handler of signals: durable, one-way.

    ``interleave=True`` lets it start while another handler is suspended.  A failure parks the message;
    ``on_failure="stop"`` makes the mailbox wait until an operator has dealt with it.
    """
    return _made(Signal, function, **options)


@overload
def update(
    function: Callable[Concatenate[E, P], Coroutine[Any, Any, R]], /
) -> _Update[E, P, R, Coroutine[object, Never, R]]: ...
@overload
def update(function: Callable[Concatenate[E, P], R], /) -> _Update[E, P, R, R]: ...
@overload
def update(*, interleave: bool = ..., name: str | None = ..., aliases: Iterable[str] = ...) -> _ToUpdate: ...
def update(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declare a handler of updates: durable, with an answer."""
    return _made(Update, function, **options)


@overload
def query(function: Callable[Concatenate[E, P], R], /) -> Query[E, P, R]: ...
@overload
def query(*, name: str | None = ..., aliases: Iterable[str] = ...) -> _ToQuery: ...
def query(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declare a read, answered at any time, also while a handler is suspended."""
    return _made(Query, function, **options)


@overload
def timer(function: Callable[Concatenate[E, P], Coroutine[Any, Any, None] | None], /) -> Timer[E, P]: ...
@overload
def timer(
    *,
    interleave: bool = ...,
    on_failure: OnFailure = ...,
    name: str | None = ...,
    aliases: Iterable[str] = ...,
) -> _ToTimer: ...
def timer(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declare what happens when a named timer fires; ``self.name(...).arm(after=...)`` arms it."""
    return _made(Timer, function, **options)


@overload
def main(function: Callable[[E], Coroutine[Any, Any, R]], /) -> Main[E, R]: ...
@overload
def main(*, restartable: bool = ..., name: str | None = ..., aliases: Iterable[str] = ...) -> _ToMain: ...
def main(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declare the entity's own course: it begins with the life, and its return value ends it.

    ``restartable=True`` lets it start again from the top, on the state as it is, when its run is closed while
    it only waits for time or for a condition.  It begins to wait again, too: its sleeps start anew each time,
    and one that is longer than a run lasts never ends.  A deadline belongs into the state, or into a timer.
    """
    return _made(Main, function, **options)
