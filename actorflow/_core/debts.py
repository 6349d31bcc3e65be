"""What sagas could not undo: it stands, for people to see, until somebody says that it is seen to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from actorflow.errors import CompensationFailed

if TYPE_CHECKING:
    from .facts import Instant

__all__ = ["Debt", "debt_of"]

LINKS_MAX = 100
"""So far an error is followed to those behind it."""


class Debt(NamedTuple):
    """What one handler left undone."""

    handler: str
    failure: bytes
    """The ``CompensationFailed``; of several sagas, all in one."""
    now: Instant


def debt_of(error: BaseException) -> CompensationFailed | None:
    """What is not undone according to an error and those behind it; none if nothing is."""
    found: list[CompensationFailed] = []
    seen: dict[int, BaseException] = {}
    behind: list[BaseException | None] = [error]
    while behind and len(seen) < LINKS_MAX:
        one = behind.pop()
        if one is None or id(one) in seen:
            continue
        seen[id(one)] = one
        if isinstance(one, CompensationFailed):
            found.append(one)
        if isinstance(one, BaseExceptionGroup):
            behind += cast("BaseExceptionGroup[BaseException]", one).exceptions
        # ``raise ... from None`` says that whoever raises has seen to what was before.
        behind += [None if one.__suppress_context__ else one.__context__, one.__cause__]
    if len(found) < 2:  # noqa: PLR2004 - one is as it is
        return found[0] if found else None
    found.reverse()  # the saga within comes first
    undone = tuple(name for one in found for name in one.undone)
    not_undone = tuple(name for one in found for name in one.not_undone)
    return CompensationFailed(undone, not_undone, found[0].why)
