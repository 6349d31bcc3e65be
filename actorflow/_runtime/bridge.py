"""The bridge to the host from other threads: calls go over in bundles, and so do the answers.

The host lives under trio in a thread of its own.  Whoever calls puts a crossing into a line and rings; all
that are in the line are taken at once, in order, and all that one commit has answered go back at once.  Who
waits for a commit is no trio task.  Knows neither asyncio nor how a thread waits: ``bring_back`` does.

A crossing that is given up is forgotten where it has not been taken; where it has, it may become durable.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

import trio

from actorflow._core.facts import Address, Input
from actorflow.errors import NotAccepted, Unknown

from .frame import Frame
from .host import NO_CELL, Cell, Cells, Early, Host, undone

__all__ = ["OPENED_ONCE", "Asked", "Bridge", "Crossing", "Sent", "Work"]

OPENED_ONCE: Final = "a runtime is opened once\n  hint: make another one, with another journal object"
LINGER_S: Final = 5.0
"""How long those whom closing has answered may take to say so."""


class Crossing:
    """One call on its way over, and what came of it."""

    __slots__ = ("back", "error", "given_up", "scope", "value", "where")

    back: Any
    """What wakes the caller; only the door knows what that is."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.value: Any = None
        self.error: BaseException | None = None
        self.given_up = False
        self.scope: trio.CancelScope | None = None
        """Of the trio task that it has, if it has one."""


class Sent(Crossing):
    """A message to an actor."""

    __slots__ = ("address", "input")

    def __init__(self, address: Address, input_: Input, where: str) -> None:
        super().__init__(where)
        self.address = address
        self.input = input_


class Asked(Crossing):
    """A query of an actor."""

    __slots__ = ("address", "body")

    def __init__(self, address: Address, name: str, body: bytes) -> None:
        super().__init__(name)
        self.address = address
        self.body = body


class Work(Crossing):
    """Something rarer, with a trio task of its own."""

    __slots__ = ("work",)

    def __init__(self, work: Callable[[Host], Awaitable[Any]], where: str) -> None:
        super().__init__(where)
        self.work = work


class Bridge:
    """A host in a thread of its own, and the way there and back."""

    clock: trio.abc.Clock | None = None
    """Of the host's loop; trio's own if there is none."""

    def __init__(self, host: Host, bring_back: Callable[[Sequence[Crossing]], None]) -> None:
        self.host = host
        self.shut = "it is not open"
        """Why nothing is taken over."""
        self.opened: Future[None] = Future()
        self.ended: Future[None] = Future()
        """Done once the thread is; the failure that ended it, if one did, is in ``failure``."""
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="actorflow host", daemon=True)
        self._bring_back = bring_back
        self._incoming: deque[Crossing] = deque()
        self._watched: dict[Frame, list[Crossing]] = {}
        """Who is answered already, as soon as this frame is durable."""
        self._stalled: dict[Address, dict[Sent, None]] = {}
        """Who waits for room, in order."""
        self._alone: dict[Crossing, None] = {}
        """Who has a trio task."""
        self._settled: list[Crossing] = []
        self._rung = False
        """Somebody has rung, and nobody has come yet."""
        self._stop = trio.Event()
        self._stopping = False
        self._over = False
        self._token: trio.lowlevel.TrioToken | None = None
        _bridges.add(self)

    # -- on the near side: any thread ----------------------------------------------------------------------

    def send_over(self, crossings: Sequence[Crossing]) -> None:
        """Have these taken, after those that are on their way already."""
        self._incoming.extend(crossings)
        # In this order, and cleared before the line is emptied: who sees it set is taken.  Who is interrupted
        # in between gives up, and that rings always.
        if not self._rung:
            self._rung = True
            self._ring(self._take_all)

    def give_up(self, crossing: Crossing) -> None:
        """Nobody waits for this any more."""
        crossing.given_up = True
        self._ring(self._take_all)
        self._ring(self._forget, crossing)

    def stop(self) -> None:
        """Have the host closed; ``ended`` tells when it is."""
        self.shut = self.shut or "the runtime is closed"
        self._stopping = True
        if self._token is not None:
            self._ring(self._stop_after_all)

    def _ring(self, work: Callable[..., None], *args: object) -> None:
        assert self._token is not None, "it was opened"
        try:
            self._token.run_sync_soon(work, *args, idempotent=True)
        except trio.RunFinishedError:
            self._rung = False
            self._bring_back(self._untaken("the runtime is closed"))

    # -- on the far side: the host's thread ----------------------------------------------------------------

    def _run(self) -> None:
        try:
            trio.run(self._live, clock=self.clock)
        except BaseException as error:  # noqa: BLE001 - whatever ends this thread has to be told
            self.failure = _bare(error)
        why = "the runtime is closed"
        if self.failure is not None:
            why = f"the runtime has stopped: {str(self.failure) or type(self.failure).__name__}"
        self.shut = self.shut or why
        self._strand(why)
        if not self.opened.done():
            if self.failure is None:
                self.opened.set_result(None)
            else:
                self.opened.set_exception(self.failure)
        self.ended.set_result(None)

    async def _live(self) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                await self._serve()
            except Exception as error:  # noqa: BLE001 - kept for whoever leaves the block, without a group around it
                self.failure = error
            self._over = True
            nursery.cancel_scope.cancel()

    async def _serve(self) -> None:
        await self.host.open()
        try:
            self._token = trio.lowlevel.current_trio_token()
            if not self._stopping:
                self.shut = ""
                self.opened.set_result(None)
                await self._stop.wait()
        except BaseException:
            # The loop itself falls apart.  Closing may still take its time, and nobody is to wait for that.
            self._over = True
            self._strand("the runtime has stopped")
            raise
        finally:
            await self._end_host()
        with trio.move_on_after(LINGER_S):
            while self._watched or self._stalled or self._alone:
                await trio.lowlevel.checkpoint()
        if self.host.failure is not None:
            raise self.host.failure

    async def _end_host(self) -> None:
        await self.host.close()

    def _stop_after_all(self) -> None:
        self._take_all()
        self._stop.set()

    def _take_all(self) -> None:
        self._rung = False
        if self._over:
            self._bring_back(self._untaken("the runtime is closed"))
            return
        incoming = self._incoming
        for _ in range(len(incoming)):
            crossing = incoming.popleft()
            if crossing.given_up:
                continue
            if isinstance(crossing, Sent):
                self._admit(crossing)
            elif isinstance(crossing, Asked):
                self._look(crossing)
            elif isinstance(crossing, Work):
                self._begin(crossing, crossing.work)

    def _admit(self, crossing: Sent) -> None:
        """Have a message taken, behind those to the same actor that wait for room."""
        line = self._stalled.get(crossing.address)
        if line is not None:
            line[crossing] = None
        elif self._taken(crossing) is not None:
            self._stalled[crossing.address] = {crossing: None}
            self._nursery.start_soon(self._admit_stalled, crossing.address)

    async def _admit_stalled(self, address: Address) -> None:
        line = self._stalled[address]
        while line:
            crossing = next(iter(line))
            room = self._taken(crossing)
            if room is None:
                line.pop(crossing, None)
            else:
                await self.host.wait_in(room)
        self._stalled.pop(address, None)

    def _taken(self, crossing: Sent) -> Cells | None:
        """Deliver a message; where there is no room, gives the line to wait in for it."""
        try:
            taken = self.host.take(crossing.address, crossing.input, crossing.where)
        except Early as early:
            crossing.error = early.error
            self._watch(crossing, early.frame)
            return None
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is for the caller
            crossing.error = error
            self._settle(crossing)
            return None
        if isinstance(taken, list):
            return taken
        frame, answer, cell = taken
        if cell is not NO_CELL:
            self._follow(crossing, cell)
        else:
            crossing.value = answer
            self._watch(crossing, frame)
        return None

    def _look(self, crossing: Asked) -> None:
        try:
            frame, crossing.value = self.host.look(crossing.address, crossing.where, crossing.body)
        except Early as early:
            crossing.error = early.error
            self._watch(crossing, early.frame)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is for the caller
            crossing.error = error
            self._settle(crossing)
        else:
            self._watch(crossing, frame)

    def _watch(self, crossing: Crossing, frame: Frame) -> None:
        watched = self._watched.get(frame)
        if watched is None:
            self._watched[frame] = [crossing]
            self._nursery.start_soon(self._await_frame, frame)
        else:
            watched.append(crossing)

    async def _await_frame(self, frame: Frame) -> None:
        with suppress(NotAccepted, Unknown):  # each is told for itself
            await self.host.durable(frame, "this")
        self._tell(frame)

    def _tell(self, frame: Frame) -> None:
        """Everybody who waited for this frame is answered."""
        crossings = self._watched.pop(frame, [])
        if frame.failure is not None:
            for crossing in crossings:
                crossing.error = undone(frame.failure, crossing.where)
        self._settled += crossings
        self._hand_back()

    def _follow(self, crossing: Crossing, cell: Cell) -> None:
        """Wait for an answer that is still to come."""
        self._begin(crossing, lambda host: host.wait(cell))

    def _begin(self, crossing: Crossing, work: Callable[[Host], Awaitable[Any]]) -> None:
        crossing.scope = trio.CancelScope()
        self._alone[crossing] = None
        self._nursery.start_soon(self._go, crossing, crossing.scope, work)

    async def _go(
        self, crossing: Crossing, scope: trio.CancelScope, work: Callable[[Host], Awaitable[Any]]
    ) -> None:
        with scope:
            try:
                crossing.value = await work(self.host)
            except trio.Cancelled:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is for the caller
                crossing.error = error
        # Where it is the loop that ends, _strand tells the caller.
        if crossing in self._alone:
            del self._alone[crossing]
            self._settle(crossing)

    def _forget(self, crossing: Crossing) -> None:
        if crossing.scope is not None:
            crossing.scope.cancel()
        elif isinstance(crossing, Sent):
            self._stalled.get(crossing.address, {}).pop(crossing, None)

    # -- back ----------------------------------------------------------------------------------------------

    def _settle(self, crossing: Crossing) -> None:
        """Have this go back, with all others that are answered in this pass of the loop."""
        self._settled.append(crossing)
        if len(self._settled) == 1:
            assert self._token is not None, "it was opened"
            self._token.run_sync_soon(self._hand_back)

    def _hand_back(self) -> None:
        if self._settled:
            settled, self._settled = self._settled, []
            self._bring_back(settled)

    def _strand(self, why: str) -> None:
        """Tell everybody who still waits that nobody will answer."""
        for frame in list(self._watched):
            if not frame.ended:
                for crossing in self._watched[frame]:
                    crossing.error = Unknown(crossing.where, why)
            self._tell(frame)
        for crossing in self._alone:
            crossing.error = Unknown(crossing.where, why)
        self._settled += [*self._alone, *self._untaken(why)]
        self._alone = {}
        for line in self._stalled.values():
            for crossing in line:
                crossing.error = NotAccepted(crossing.where, why)
            self._settled += line
            line.clear()
        self._hand_back()

    def _untaken(self, why: str) -> list[Crossing]:
        """Those who came too late; any thread."""
        found: list[Crossing] = []
        while True:
            try:
                crossing = self._incoming.popleft()
            except IndexError:
                return found
            crossing.error = NotAccepted(crossing.where, why)
            found.append(crossing)

    def orphan(self) -> None:
        """In a forked child: the thread is the parent's."""
        self.shut = "this process is a fork of the one that opened it"
        self._token = None
        self.ended = Future()
        self.ended.set_result(None)


def _bare(error: BaseException) -> BaseException:
    """An error without the groups that trio puts around it."""
    inside: Sequence[BaseException] = (error,)
    while len(inside) == 1:
        error = inside[0]
        inside = getattr(error, "exceptions", ())
    return error


_bridges: weakref.WeakSet[Bridge] = weakref.WeakSet()


def _after_fork() -> None:
    for bridge in list(_bridges):
        bridge.orphan()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
