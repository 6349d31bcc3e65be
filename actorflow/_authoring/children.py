"""Children: actors that belong to the life that started them, bounded in number."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from actorflow._codec import Schema, pack, schema, unpack
from actorflow._codec.failures import failure
from actorflow._core.ambient import ambient, last_breath, writing
from actorflow._core.closing import ABANDON, POLICIES
from actorflow._core.facts import CANCELLED, OK, TIMED_OUT
from actorflow._core.pending import read_safely
from actorflow.errors import Cancelled, ChildFailed, NotInHandler, UsageError

from .calls import Call
from .entity import spec_of
from .keys import check_key
from .terms import terms
from .waiting import gather

if TYPE_CHECKING:
    from actorflow._core.actor import Actor, Child
    from actorflow._core.tasks import Future, Task

__all__ = ["ChildRef", "fan_out", "start_child"]

E = TypeVar("E")
T = TypeVar("T")
Policy = Literal["cancel", "terminate", "abandon"]
FAN_OUT_AT_MOST = 100
NOTHING = pack(None)
"""What a child ended with that ended with nothing."""


class ChildRef(Generic[E]):
    """A child that was started; its result can be awaited in the handler that started it."""

    __slots__ = ("_child", "entity", "key")

    def __init__(self, entity: str, key: str, child: Child) -> None:
        self.entity = entity
        self.key = key
        self._child = child

    @property
    def _name(self) -> str:
        return f"{self.entity} {self.key!r}"

    @overload
    def result(self, type_: type[T]) -> Call[T]: ...
    @overload
    def result(self, type_: None = None) -> Call[Any]: ...
    def result(self, type_: Any = None) -> Call[Any]:
        """Wait for the child to end; gives what it completed with, or raises ``ChildFailed``."""
        form = None if type_ is None else schema(type_, f"the result of child {self._name}")

        def begin(actor: Actor) -> Future:
            promise = self._child.pending
            if promise is None or promise.open.seq not in actor.open:
                raise NotInHandler("result()", "only the handler that started a child can wait for it")
            return promise.subscribe()

        return Call(f"{self._name}.result()", begin, lambda: self._read(form))

    def _read(self, form: Schema[Any] | None) -> Any:
        promise = self._child.pending
        assert promise is not None, "begin has seen it"

        def read(how: str, body: bytes) -> tuple[Any, BaseException | None]:
            if how == OK:
                given = body or NOTHING
                return (unpack(given) if form is None else form.decode(given)), None
            if how == CANCELLED:
                return None, ChildFailed(self._name, "Cancelled", "it was cancelled")
            if how == TIMED_OUT:
                return None, ChildFailed(self._name, "TimeoutError", "it has lasted as long as it may")
            _, type_, message, details = failure(body)
            return None, ChildFailed(self._name, type_, message, details)

        value, error = read_safely(read, promise.how, promise.body, f"child {self._name}")
        if error is not None:
            raise error
        return value

    def cancel(self) -> None:
        """Ask the child to end."""
        writing("cancel()").close_child((self.entity, self.key), "cancel")


def start_child(
    initial: E,
    key: str,
    *,
    policy: Policy = "cancel",
    if_completed: Literal["new", "fail"] = "new",
    delay: timedelta | None = None,
    timeout: timedelta | None = None,
) -> ChildRef[E]:
    """Begin the life of a child with this initial state.

    ``policy`` says what becomes of it when this life ends: it is cancelled, terminated, or abandoned.
    ``if_completed`` says whether a life may follow on one that has ended; ``delay`` lets its main begin
    later, and ``timeout`` ends it.
    """
    actor = writing("start_child()")
    if policy not in POLICIES:
        raise UsageError(f"policy={policy!r}\n  hint: one of cancel, terminate, {ABANDON}")
    spec = spec_of(type(initial))
    on = terms("start_child()", spec, {"if_completed": if_completed, "delay": delay, "timeout": timeout})
    child = actor.start_child(spec.name, check_key(key), spec.dump(initial), policy, on)
    return ChildRef(spec.name, key, child)


class _FanOut(Generic[T]):
    __slots__ = ("_at_most", "_children", "_partial", "_policy", "_timeout", "_type", "task")

    def __init__(
        self,
        children: Mapping[str, Any],
        at_most: int,
        type_: Any,
        *,
        partial: bool,
        policy: Policy,
        timeout: timedelta | None,
    ) -> None:
        self._children = dict(children)
        self._at_most = at_most
        self._type = type_
        self._partial = partial
        self._policy: Policy = policy
        self._timeout = timeout
        self.task: Task | None = None
        if ambient.dying:
            return
        actor = writing("fan_out()")
        self.task = actor.task
        actor.unawaited[self] = None
        actor.touched = True

    def __str__(self) -> str:
        return f"fan_out() of {len(self._children)}"

    def __await__(self) -> Generator[Any, None, dict[str, T]]:
        if ambient.dying:
            yield from last_breath()
        writing("fan_out()").unawaited.pop(self, None)
        works = [self._one(key, initial) for key, initial in self._children.items()]
        results: tuple[T, ...] = yield from gather(*works, at_most=self._at_most).__await__()
        return dict(zip(self._children, results, strict=True))

    async def _one(self, key: str, initial: Any) -> Any:
        child = start_child(initial, key, policy=self._policy, timeout=self._timeout)
        try:
            return await child.result(self._type)
        except Cancelled:
            child.cancel()
            raise
        except ChildFailed as failed:
            if self._partial:
                return failed
            raise


@overload
def fan_out(
    children: Mapping[str, Any],
    *,
    result: type[T],
    at_most: int = ...,
    partial: Literal[False] = ...,
    policy: Policy = ...,
    timeout: timedelta | None = ...,
) -> Awaitable[dict[str, T]]: ...
@overload
def fan_out(
    children: Mapping[str, Any],
    *,
    result: type[T],
    at_most: int = ...,
    partial: Literal[True],
    policy: Policy = ...,
    timeout: timedelta | None = ...,
) -> Awaitable[dict[str, T | ChildFailed]]: ...
@overload
def fan_out(
    children: Mapping[str, Any],
    *,
    result: None = None,
    at_most: int = ...,
    partial: bool = ...,
    policy: Policy = ...,
    timeout: timedelta | None = ...,
) -> Awaitable[dict[str, Any]]: ...
def fan_out(
    children: Mapping[str, Any],
    *,
    result: Any = None,
    at_most: int = FAN_OUT_AT_MOST,
    partial: bool = False,
    policy: Policy = "cancel",
    timeout: timedelta | None = None,
) -> Awaitable[dict[str, Any]]:
    """Start a child for each key, never more than ``at_most`` at a time; gives ``{key: result}``.

    The first child to fail cancels the others and is raised; with ``partial=True`` a ``ChildFailed`` stands
    in its place among the results instead.  Each may last as long as ``timeout`` says.
    """
    children_: _FanOut[Any] = _FanOut(
        children, at_most, result, partial=partial, policy=policy, timeout=timeout
    )
    return children_
