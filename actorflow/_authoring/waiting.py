"""Waiting inside a handler: for time, for a condition, for several things at once, and not at all.

Everything here runs on the core's own first-in-first-out queue, so what is awaited in which order is the
same on every replay.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from datetime import timedelta
from functools import partial
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, overload

from actorflow._core.ambient import ambient, last_breath, writing
from actorflow._core.debts import owe
from actorflow._core.tasks import Future, Scope, cancel_scope, checkpoint, running, spawn
from actorflow.errors import Cancelled, UsageError

from .calls import Call, claim, inert

if TYPE_CHECKING:
    from types import TracebackType

    from actorflow._core.actor import Actor
    from actorflow._core.tasks import Task

__all__ = ["Winner", "gather", "race", "shielded", "sleep", "wait_until"]

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")


LONGEST = 365_000 * 86_400 * 1_000_000
GATHER_AT_MOST = 1_000
"""No setting: it shapes what a handler asks for, for ever."""


def microseconds(duration: timedelta, where: str) -> int:
    """A duration as the core counts it."""
    if not isinstance(duration, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise UsageError(f"{where} takes a timedelta, not {duration!r}\n  hint: timedelta(seconds=...)")
    # By hand in half the time of a division of two timedeltas; a timer is armed for every item of a cart.
    length = (duration.days * 86_400 + duration.seconds) * 1_000_000 + duration.microseconds
    if not 0 <= length <= LONGEST:
        what = "it is over already" if length < 0 else "the longest is 1000 years"
        raise UsageError(f"{where} cannot take {duration}: {what}")
    return length


def sleep(duration: timedelta) -> Call[None]:
    """Wait for a time, be it years; survives restarts."""
    length = microseconds(duration, "sleep()")
    return Call("sleep()", lambda actor: actor.sleep(actor.now + length))


def wait_until(predicate: Callable[[], bool], *, timeout: timedelta | None = None) -> Call[None]:
    """Wait until a condition on the state holds; raises ``TimeoutError`` if it does not in time."""
    length = None if timeout is None else microseconds(timeout, "wait_until(timeout=)")

    def begin(actor: Actor) -> Future:
        actor.reading = "condition"
        try:
            holds = predicate()
        finally:
            actor.reading = ""
        if holds:
            held = Future()
            held.done = True
            return held
        return actor.watch(predicate, None if length is None else actor.sleep(actor.now + length))

    return Call("wait_until()", begin)


class shielded:  # noqa: N801 - a context manager reads as a verb
    """A block whose awaits are not cancelled by what is cancelled around it."""

    __slots__ = ("_outer", "_task")

    async def __aenter__(self) -> None:
        if ambient.dying:
            await inert()
        writing("shielded()")
        self._task = running()
        self._outer = self._task.scope
        self._task.scope = Scope(self._outer, shield=True)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.scope = self._outer


class _Bundle(Future):
    """Several works under one scope; the future of the task that waits for them all to have ended."""

    __slots__ = ("at_most", "failure", "inner", "next", "owner", "results", "running", "works")

    def __init__(self, owner: Task, works: tuple[Awaitable[Any], ...], at_most: int) -> None:
        super().__init__()
        self.owner = owner
        self.works: list[Awaitable[Any] | None] = list(works)
        """Those that have not begun; the others are not held, so that they go when they are dropped."""
        self.at_most = at_most
        self.inner = Scope(owner.scope)
        self.next = 0
        self.running = 0
        self.results: list[Any] = [None] * len(works)
        self.failure: BaseException | None = None

    def start_more(self, actor: Actor) -> None:
        while self.next < len(self.works) and self.running < self.at_most and not self.inner.cancelled:
            place = self.next
            self.next += 1
            self.running += 1
            work, self.works[place] = self.works[place], None
            assert work is not None, "each begins once"
            spawn(actor, self.owner.open, self.inner, work, partial(self.ended, actor, place))

    def ended(self, actor: Actor, place: int, value: Any, error: BaseException | None) -> None:
        self.running -= 1
        self.results[place] = value
        if error is not None:
            self.fail(actor, error)
        self.start_more(actor)
        if not self.running:
            self.finish(actor)

    def fail(self, actor: Actor, error: BaseException) -> None:
        if self.failure is None or isinstance(self.failure, Cancelled):
            self.failure = error
        elif not isinstance(error, Cancelled):
            self.failure.add_note(f"while it was being undone: {type(error).__name__}: {error}")
            owe(actor, self.owner.open, error)  # the handler hears of the first only
        if not self.inner.called:
            cancel_scope(actor, self.inner)

    def finish(self, actor: Actor) -> None:
        if self.next < len(self.works) and self.failure is None:
            self.failure = Cancelled()  # cancelled from outside, though all that had begun came to a good end
        self.close()
        self.settle(actor, None, self.failure)

    def close(self) -> None:
        """What has not begun never will."""
        for work in self.works[self.next :]:
            if iscoroutine(work):
                work.close()

    def abandon(self, actor: Actor) -> None:
        """The works hear of it themselves: they stand under the same scope."""

    def interrupt(self, actor: Actor, error: BaseException) -> None:
        self.fail(actor, error)


class _Race(_Bundle):
    """Works of which the first to end decides."""

    __slots__ = ("winner",)

    def __init__(self, owner: Task, works: tuple[Awaitable[Any], ...]) -> None:
        super().__init__(owner, works, len(works))
        self.winner = -1

    def ended(self, actor: Actor, place: int, value: Any, error: BaseException | None) -> None:
        if self.winner < 0 and error is None:
            self.winner = place
            cancel_scope(actor, self.inner)
        elif self.winner >= 0:
            owe(actor, self.owner.open, error)
            error = None  # it is decided; how the others take being cancelled is their own affair
        super().ended(actor, place, value, error)


class _Together(Generic[T]):
    """The awaitable of ``gather`` and ``race``: takes over the works it is given."""

    __slots__ = ("_at_most", "_label", "_works", "task")

    def __init__(self, label: str, works: tuple[Awaitable[Any], ...], at_most: int) -> None:
        self._label = label
        self._works = works
        self._at_most = at_most
        self.task: Task | None = None
        if ambient.dying:
            return
        actor = writing(label)
        self.task = actor.task
        for work in works:
            claim(actor, work)
        actor.unawaited[self] = None
        actor.touched = True

    def __str__(self) -> str:
        return self._label

    def __await__(self) -> Generator[Any, None, T]:
        if ambient.dying:
            yield from last_breath()
        actor = writing(self._label)
        claim(actor, self)
        bundle, self._works = self._bundle(running()), ()
        if bundle.owner.scope.cancelled:
            bundle.close()
            raise Cancelled
        if bundle.works:
            bundle.start_more(actor)
            try:
                yield from bundle.__await__()
            except GeneratorExit:
                bundle.close()
                raise
        else:
            yield from checkpoint(bundle.owner)
        return self._result(bundle)

    def _bundle(self, owner: Task) -> _Bundle:
        raise NotImplementedError

    def _result(self, bundle: Any) -> T:
        raise NotImplementedError


class _Gather(_Together[tuple[Any, ...]]):
    def _bundle(self, owner: Task) -> _Bundle:
        return _Bundle(owner, self._works, self._at_most)

    def _result(self, bundle: _Bundle) -> tuple[Any, ...]:
        return tuple(bundle.results)


class Winner(NamedTuple, Generic[T]):
    """Which of the works of a race ended first, and with what."""

    index: int  # type: ignore[assignment]  # hides the method of tuples, which nobody asks two fields for
    value: T


class _Racing(_Together[Winner[Any]]):
    def _bundle(self, owner: Task) -> _Bundle:
        return _Race(owner, self._works)

    def _result(self, bundle: _Race) -> Winner[Any]:
        return Winner(bundle.winner, bundle.results[bundle.winner])


@overload
def gather(
    a: Awaitable[T1], b: Awaitable[T2], /, *, at_most: int | None = None
) -> Awaitable[tuple[T1, T2]]: ...
@overload
def gather(
    a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], /, *, at_most: int | None = None
) -> Awaitable[tuple[T1, T2, T3]]: ...
@overload
def gather(
    a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], d: Awaitable[T4], /, *, at_most: int | None = None
) -> Awaitable[tuple[T1, T2, T3, T4]]: ...
@overload
def gather(*works: Awaitable[T], at_most: int | None = None) -> Awaitable[tuple[T, ...]]: ...
def gather(*works: Awaitable[Any], at_most: int | None = None) -> Awaitable[tuple[Any, ...]]:
    """Do several things at once, never more than ``at_most``; gives their answers in the order given.

    The first to fail cancels the others, waits until they have ended, and is raised.  Without ``at_most``
    up to a thousand run at a time.
    """
    if at_most is not None and at_most < 1:
        raise UsageError(f"gather(at_most={at_most}) would never begin")
    return _Gather(f"gather() of {len(works)}", works, at_most or GATHER_AT_MOST)


@overload
def race(a: Awaitable[T1], b: Awaitable[T2], /) -> Awaitable[Winner[T1 | T2]]: ...
@overload
def race(a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], /) -> Awaitable[Winner[T1 | T2 | T3]]: ...
@overload
def race(
    a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], d: Awaitable[T4], /
) -> Awaitable[Winner[T1 | T2 | T3 | T4]]: ...
@overload
def race(*works: Awaitable[T]) -> Awaitable[Winner[T]]: ...
def race(*works: Awaitable[Any]) -> Awaitable[Winner[Any]]:
    """Do several things at once; gives the first to end, once the others were cancelled and have ended."""
    if not works:
        raise UsageError("race() needs something to wait for")
    return _Racing(f"race() of {len(works)}", works, len(works))
