"""A saga: what has been done is undone in reverse if the block fails.  Knows calls, not what they call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Literal, ParamSpec, Self, cast

from actorflow._codec.shapes import short
from actorflow._core.ambient import ambient, writing
from actorflow.errors import Cancelled, CompensationFailed

from .activities import Activity
from .calls import inert
from .ending import PLAIN
from .waiting import shielded

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["saga"]

P = ParamSpec("P")


class saga:  # noqa: N801 - a context manager reads as a verb
    """``async with saga() as undo:`` registers compensations, and runs them in reverse if the block fails.

    Register before the step: a crash between the two would otherwise leave a step that nobody undoes.  So a
    compensation has to be harmless where its step never happened.  Compensations are shielded from
    cancellation; one that fails does not stop the others, and ``CompensationFailed`` says what is left.
    """

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: list[tuple[str, Callable[[], Awaitable[object]]]] = []

    async def __aenter__(self) -> Self:
        if ambient.dying:
            await inert()
        writing("saga()")
        return self

    def __call__(
        self, compensation: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Register a compensation with its arguments, which are kept as they are now."""
        writing("undo()")
        if isinstance(compensation, Activity):
            plan = cast("Activity[..., object]", compensation)
            self._steps.append((_shown(str(plan), args, kwargs), plan.later(args, kwargs)))
        else:
            name = getattr(compensation, "__qualname__", repr(compensation))
            kept_args, kept_kwargs = deepcopy((args, kwargs))
            shown = _shown(name, args, kwargs)
            self._steps.append((shown, lambda: compensation(*kept_args, **kept_kwargs)))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        if error is None or ambient.dying:
            return False
        undone: list[str] = []
        not_undone: list[str] = []
        async with shielded():
            for name, begin in reversed(self._steps):
                try:
                    await begin()
                except (Exception, Cancelled) as problem:  # noqa: BLE001 - the others are to be undone all the same
                    not_undone.append(f"{name} ({type(problem).__name__}: {problem})")
                else:
                    undone.append(name)
        if not_undone:
            why = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise CompensationFailed(tuple(undone), tuple(not_undone), why) from error
        return False


def _shown(name: str, args: tuple[object, ...], kwargs: dict[str, object]) -> str:
    """A call as an operator is shown it; what is not plain by its type, which is the same in every replay."""
    given = [_plainly(value) for value in args]
    given += [f"{key}={_plainly(value)}" for key, value in kwargs.items()]
    return f"{name}({', '.join(given)})"


def _plainly(value: object) -> str:
    return short(value) if type(value) in PLAIN else type(value).__name__
