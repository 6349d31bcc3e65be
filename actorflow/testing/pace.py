"""When time moves on a virtual clock, and in which order things happen that could happen at the same moment.

While anything goes on by itself (a commit, a thread, a caller who was just answered) nothing is decided.
When nothing does, one thing at a time is let happen: an attempt begins, ends are told, a caller is answered.
Only when there is none of that, and somebody waits, does the clock jump to what is due next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from heapq import heappop, heappush
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Final

import trio

from actorflow._core.facts import Address, Ask, Await, Schedule, Sleep, StartChild
from actorflow._core.outstanding import Armed, Waking, outstanding
from actorflow._runtime.bridge import Crossing, Sent
from actorflow._runtime.turns import BEGINS, Place
from actorflow._runtime.views import describe
from actorflow.errors import Standstill

from .virtual_clock import FAR_S, LONG_S, VirtualClock

if TYPE_CHECKING:
    from actorflow._core.actor import Actor
    from actorflow._runtime.host import Host

    from .callers import Callers
    from .virtual_bridge import VirtualBridge

__all__ = ["Pace"]

HOLD_S: Final = 0.5
"""So long answers wait for a thread that runs, or for a host that does not come to rest."""
SHOWN: Final = 5
"""Actors in a report."""

Work = Callable[[], object]


class Pace:
    """What goes on next, whenever nothing goes on by itself."""

    def __init__(self, clock: VirtualClock, callers: Callers, patience: float) -> None:
        self._clock = clock
        self._callers = callers
        self._patience = patience
        self._bridge: VirtualBridge | None = None
        self._turns: list[tuple[Place, int, Work]] = []
        self._number = count()
        self._held: dict[Crossing, float] = {}
        """Those who have their answer, and are to hear it when everything else has happened; since when."""
        self._task: trio.lowlevel.Task | None = None
        """The one that does what was decided, while it waits for that."""
        self._next: Work | None = None
        self._ended = False
        """No loop is there any more, or not yet again."""
        self._threads: tuple[tuple[str, ...], float] = ((), 0.0)
        """Those that were seen to run, and since when the same ones do."""
        self._lock = threading.Lock()
        self._holds = 0
        self._waited_since: float | None = None
        """Since when nothing but the world outside can end what somebody waits for."""
        clock.idle = self._idle

    # -- what comes in -------------------------------------------------------------------------------------

    def in_turn(self, place: Place, work: Work) -> None:
        """Have an attempt begin, or its end told, when it is its turn."""
        heappush(self._turns, (place, next(self._number), work))

    def bring_back(self, crossings: Sequence[Crossing]) -> None:
        """Have callers hear their answers when it is their turn; at once, where there is no loop any more."""
        bridge = self._bridge
        here = bridge is not None and threading.get_ident() == bridge.thread.ident
        for crossing in crossings:
            if here and not self._ended:
                self._held[crossing] = monotonic()
            else:
                self._callers.wake(crossing)

    @contextmanager
    def hold(self) -> Generator[None]:
        """Let no time pass while the block is open; any thread."""
        with self._lock:
            self._holds += 1
        try:
            yield
        finally:
            with self._lock:
                self._holds -= 1
            if self._bridge is not None:
                self._bridge.nudge()

    async def keep(self, bridge: VirtualBridge) -> None:
        """Do what is decided, as long as this host lives."""
        self._bridge, self._next, self._ended = bridge, None, False
        self._turns.clear()
        try:
            while True:
                if self._next is None:
                    self._task = trio.lowlevel.current_task()
                    await trio.lowlevel.wait_task_rescheduled(self._leave)
                work, self._next = self._next, None
                if work is not None:
                    work()
        finally:
            self._ended = True
            self._answer_all()

    def _leave(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    # -- what is decided -----------------------------------------------------------------------------------

    def _idle(self, due: float) -> float:
        """The loop has nothing to run, and this is due next: give for how long it may sleep."""
        if self._task is None or self._bridge is None:
            return LONG_S
        decided = self._decide(self._bridge, due)
        if not callable(decided):
            return decided
        self._next = decided
        task, self._task = self._task, None
        trio.lowlevel.reschedule(task)
        return 0.0

    def _decide(self, bridge: VirtualBridge, due: float) -> float | Work:
        """What to do, or for how long to sleep."""
        host, now = bridge.host, monotonic()
        if host.gathered:
            return host.stir
        if host.writing or bridge.moving:
            self._waited_since = None
            return self._while_restless(now)
        threads = self._busy_threads(host)
        left = self._left_for(threads, now)
        if left > 0.0:
            return left
        if self._turns:
            self._waited_since = None
            return self._take_turns
        if self._held:
            self._waited_since = None
            left = 0.0 if bridge.stopping else self._callers.restless_for()
            return left or self._answer_next
        if not bridge.stopping and (self._holds or not bridge.waiting):
            self._waited_since = None
            return LONG_S
        return self._let_time_pass(bridge, threads, due, now)

    def _let_time_pass(
        self, bridge: VirtualBridge, threads: tuple[str, ...], due: float, now: float
    ) -> float | Work:
        closing = bridge.stopping
        if threads:
            if not closing:
                return self._wait_outside(f"{', '.join(threads)} takes its time, and time stands still", now)
            if (left := self._threads[1] + bridge.host.limits.close_grace.total_seconds() - now) > 0.0:
                return left
        elif not closing and (left := self._callers.restless_for()) > 0.0:
            return left
        if due > FAR_S:
            return LONG_S if closing else self._wait_outside("nothing is due, and nothing is under way", now)
        self._waited_since = None
        self._clock.jump(due)
        return 0.0

    def _while_restless(self, now: float) -> float | Work:
        """Answers may be held for a while, but not as long as actors keep one another busy."""
        if not self._held:
            return LONG_S
        left = next(iter(self._held.values())) + HOLD_S - now
        return left if left > 0.0 else self._answer_all

    def _busy_threads(self, host: Host) -> tuple[str, ...]:
        """Whatever may go on although the loop is idle: it is not to be overtaken by time."""
        inside = self._callers.is_inside
        found = [name for name, thread in host.in_threads.items() if not inside(thread)]
        found += ["trio.to_thread"] * trio.to_thread.current_default_thread_limiter().borrowed_tokens
        found += ["a socket"] * (_waiting_for_the_world() - 1)  # one is the loop's own
        return tuple(found)

    def _left_for(self, threads: tuple[str, ...], now: float) -> float:
        """For how long to wait for threads, whoever else could go on."""
        if threads != self._threads[0]:
            self._threads = threads, now
        return self._threads[1] + HOLD_S - now if threads else 0.0

    def _wait_outside(self, why: str, now: float) -> float | Work:
        """Only the world outside can go on: a thread, or a caller who does something else just now."""
        if self._waited_since is None:
            self._waited_since = now
        left = self._waited_since + self._patience - now
        return min(left, LONG_S) if left > 0.0 else partial(self._give_up, why)

    # -- what is done --------------------------------------------------------------------------------------

    def _take_turns(self) -> None:
        """Let one attempt begin; where none does, tell the ends of all that have ended."""
        while self._turns:
            place, _, work = heappop(self._turns)
            work()
            if place[0] == BEGINS:
                return

    def _answer_next(self) -> None:
        first = min(self._held, key=lambda crossing: crossing.back.number)
        del self._held[first]
        self._callers.wake(first)

    def _answer_all(self) -> None:
        while self._held:
            self._answer_next()

    def _give_up(self, why: str) -> None:
        """Tell everybody who waits that it is in vain."""
        self._waited_since = None
        assert self._bridge is not None, "somebody waits at it"
        host = self._bridge.host
        for crossing in self._bridge.waiting:
            about = [crossing.address] if isinstance(crossing, Sent) else host.ends_awaited
            self._bridge.fail(crossing, Standstill(crossing.where, why, _picture(host, about)))


def _waiting_for_the_world() -> int:
    """How many tasks wait for sockets and the like."""
    told = trio.lowlevel.current_statistics().io_statistics
    names = ("tasks_waiting_read", "tasks_waiting_write", "tasks_waiting", "tasks_waiting_overlapped")
    return sum(int(getattr(told, name, 0)) for name in names)


def _asked_by(actor: Actor) -> list[Address]:
    """The actors that an actor waits for."""
    found: list[Address] = []
    for _, what, _ in outstanding(actor):
        if isinstance(what, Ask | StartChild):
            found.append((what.entity, what.key))
        elif not isinstance(what, Schedule | Sleep | Await | Armed | Waking):
            found.append(what)
    return found


def _picture(host: Host, about: Sequence[Address]) -> str:
    """The actors that somebody waits for, and those that these wait for."""
    residents = host.population.residents
    found: dict[Address, str] = {}
    todo = list(about)
    while todo and len(found) < SHOWN:
        address = todo.pop(0)
        resident = residents.get(address)
        if address in found or resident is None:
            continue
        with suppress(Exception):  # it is a report, and what is wrong with the actor is not what it is about
            found[address] = str(describe(resident, host.population.errands.of(address)))
        todo += _asked_by(resident.actor)
    return "\n".join(found.values())
