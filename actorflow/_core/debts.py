"""What sagas could not undo: it stands, for people to see, until somebody says that it is seen to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from actorflow.errors import CompensationFailed

if TYPE_CHECKING:
    from .actor import Actor
    from .facts import Instant
    from .pending import Open

__all__ = ["Debt", "crowding", "debt_of", "enter", "owe"]


class Debt(NamedTuple):
    """What one handler left undone."""

    handler: str
    failure: bytes
    """The ``CompensationFailed``; of several sagas, all in one."""
    now: Instant


def debt_of(*errors: BaseException | None) -> CompensationFailed | None:
    """What is not undone according to these errors and those behind them; none if nothing is."""
    found: list[CompensationFailed] = []
    seen: dict[int, BaseException] = {}
    behind = list(errors)
    while behind:
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


def owe(actor: Actor, open_: Open, error: BaseException | None) -> None:
    """Keep what a handler could not undo, or a branch of it whose error it is not told."""
    owed = debt_of(error)
    if owed is None:
        return
    open_.owed.append(owed)
    if actor.replaying:
        return  # what is owed is what was recorded
    failure = actor.spec.codec.pack_failure(debt_of(*open_.owed) or owed)
    enter(actor, open_.seq, Debt(open_.handler.name, failure, actor.now))
    actor.touched = True
    actor.owed.append(open_.seq)


def enter(actor: Actor, seq: int, debt: Debt) -> None:
    """Have a debt stand; with too many of them nothing more begins."""
    actor.debts[seq] = debt
    if actor.stopped not in actor.parked:  # which holds the mailbox first
        actor.stopped = crowding(actor)


def crowding(actor: Actor) -> int | None:
    """The debt that is one too many; none if there is room for another."""
    debts = actor.debts
    return next(reversed(debts)) if len(debts) >= actor.spec.limits.parked_messages else None
