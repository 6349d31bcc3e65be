"""What an actor waits for: by this one function every host re-arms the world after a restart.

Also the two ways in which waiting can be in vain: a mailbox that can never move, and actors in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from actorflow.errors import HistoryFull, Stuck

from .actor import Actor
from .facts import FIRE, OK, RESOLVE, TIMED_OUT, Address, Ask, Input, Instant, Ref, Sleep
from .pending import Pending, Subscription, Unresolved, Watch
from .phases import RUNNING

__all__ = [
    "Armed",
    "Outstanding",
    "Waits",
    "Waking",
    "asks",
    "crowded",
    "due_next",
    "outstanding",
    "stuck",
    "wakes_at",
]


class Waking(NamedTuple):
    """The alarm of an actor that is closing."""

    due: Instant


class Armed(NamedTuple):
    """A named timer that has not fired."""

    name: str
    body: bytes
    due: Instant


class Outstanding(NamedTuple):
    """One thing that will be answered by an input with this ref."""

    ref: Ref
    what: Unresolved | Armed | Waking | Address
    """The effect; or a timer, the alarm of closing, or the address of a child that is alive."""
    withdrawn: bool = False
    """Nobody wants it any more, but its end is still awaited."""


def outstanding(actor: Actor) -> list[Outstanding]:
    """Everything unresolved, in the order in which it was asked for."""
    found = [Outstanding(ref, p.effect, p.withdrawn) for ref, p in actor.pending.items()]
    found += [
        Outstanding(arming.ref, Armed(*key, arming.due))
        for key, arming in actor.timers.items()
        if not arming.fired and actor.phase == RUNNING  # one that falls due while closing fires no more
    ]
    found += [Outstanding(child.ref, address) for address, child in actor.children.items()]
    if actor.alarm is not None:
        found.append(Outstanding(actor.alarm, Waking(actor.alarm_due)))
    return sorted(found, key=lambda one: one.ref)


def wakes_at(actor: Actor, ref: Ref | None) -> Instant:
    """When a sleep may end; 0 for what is no sleep."""
    if ref == actor.alarm:
        return actor.alarm_due
    pending = actor.pending.get(ref) if ref is not None else None
    if pending is None or not isinstance(pending.effect, Sleep):
        return 0
    return pending.effect.due


def due_next(actor: Actor) -> tuple[Instant, Input] | None:
    """What falls due first, with the input that says so; none if nothing waits for time."""
    first = min(_deadlines(actor), default=None)  # of those due at once, the one asked for first
    if first is None:
        return None
    due, ref, how, timer = first
    return due, Input(RESOLVE, how, ref=ref) if timer is None else Input(FIRE, *timer, ref=ref)


def _deadlines(actor: Actor) -> Iterator[tuple[Instant, Ref, str, tuple[str, bytes] | None]]:
    """When, for which ref, how that ends, and which timer it is.

    Asked whenever something is due, so it makes nothing of what is not: a list of everything outstanding, put
    in order, took 100 us for an actor with a hundred timers.
    """
    for ref, pending in actor.pending.items():
        due: Instant | None = getattr(pending.effect, "due", None)
        if due is not None:
            yield due, ref, OK if isinstance(pending.effect, Sleep) else TIMED_OUT, None
    if actor.phase == RUNNING:
        for timer, arming in actor.timers.items():
            if not arming.fired:
                yield arming.due, arming.ref, "", timer
    if actor.alarm is not None:
        yield actor.alarm_due, actor.alarm, OK, None


def stuck(actor: Actor) -> Stuck | None:
    """The report of a mailbox that can never move, if it is one.

    The handler that holds it waits for conditions and for nothing else, and what could make them true
    waits behind it.
    """
    holder = actor.holder
    if holder is None or not actor.mailbox or actor.spec.interleaves or actor.ready:
        return None
    if any(open_ is not holder and open_ is not actor.main for open_ in actor.open.values()):
        return None
    waits = [task.waiting for task in actor.tasks if task.open is holder]
    if any(
        isinstance(wait, Pending | Subscription) or (isinstance(wait, Watch) and wait.alarm) for wait in waits
    ):
        return None  # an answer or an alarm will move it
    # Something it waits for; and besides these only a condition is anything that a handler waits for.
    return Stuck(str(actor), holder.handler.where, len(actor.mailbox))


class Waits:
    """Which actors' mailboxes are held by a handler that awaits another actor's update.

    A host tells it of every ask by an exclusive handler and of every answer; it is asked before an ask is
    handed on.  An ask that would close a circle is answered with ``Deadlock`` instead.
    """

    def __init__(self) -> None:
        self._edges: dict[Address, dict[Ref, Address]] = {}

    def path(
        self, asker: Address, target: Address, look: Callable[[Address], object] | None = None
    ) -> tuple[Address, ...] | None:
        """The circle that this ask would close, from the asker back to the asker; none if it closes none.

        ``look`` is called for each actor of which no ask is known: a host may have to bring it into memory
        to tell of its asks.
        """
        seen: set[Address] = set()
        trails: list[tuple[Address, ...]] = [(asker, target)]
        while trails:
            trail = trails.pop()
            last = trail[-1]
            if last == asker:
                return trail
            if last not in seen:
                seen.add(last)
                if look is not None and last not in self._edges:
                    look(last)
                trails.extend((*trail, further) for further in self._edges.get(last, {}).values())
        return None

    def asked(self, asker: Address, ref: Ref, target: Address) -> None:
        self._edges.setdefault(asker, {})[ref] = target

    def answered(self, asker: Address, ref: Ref) -> None:
        edges = self._edges.get(asker)
        if edges is not None:
            edges.pop(ref, None)
            if not edges:
                del self._edges[asker]


def crowded(actor: Actor) -> HistoryFull | None:
    """The warning of a run that open handlers keep from closing and that has come half way to its bound."""
    limits = actor.spec.limits
    if not actor.open or (
        2 * actor.run_records < limits.run_records and 2 * actor.run_bytes < limits.run_bytes
    ):
        return None
    holders = actor.holders
    what = f"its run has {actor.run_records} records and {actor.run_bytes} bytes"
    if 2 * actor.run_records < limits.run_records:
        return HistoryFull(str(actor), what, "run_bytes", limits.run_bytes, holders)
    return HistoryFull(str(actor), what, "run_records", limits.run_records, holders)


def asks(actor: Actor) -> Iterable[tuple[Ref, Address]]:
    """The updates of other actors that the holder of the mailbox awaits."""
    if actor.holder is not None:
        for ref, pending in actor.holder.pending.items():
            if isinstance(pending.effect, Ask):
                yield ref, (pending.effect.entity, pending.effect.key)
