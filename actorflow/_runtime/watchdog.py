"""Notices from a thread of its own that one turn takes long: which actor, where in whose code, for how long.

All handlers share a thread, so while one computes everybody waits.  Nothing is measured where turns run: four
times a second this looks who is running, and asks the loop for a sign of life.  If it finds the same turn a
second later and no sign has come, it says so while the handler computes; one that never ends is told of, too.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from contextlib import suppress
from pathlib import PurePath
from types import FrameType
from typing import TYPE_CHECKING, Final

import trio

import actorflow
from actorflow._core.ambient import look_here

if TYPE_CHECKING:
    from actorflow._core.actor import Actor

__all__ = ["Glances", "Watchdog"]

_log = logging.getLogger("actorflow.runtime")

SLOW_S: Final = 1.0
"""A turn that takes longer is told of."""
LOOK_S: Final = 0.25
_frames: Final = sys._current_frames  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - a documented one
REMEMBERED_MAX: Final = 1_000
OURS: Final = str(PurePath(actorflow.__file__).parent / "_")[:-1]
CORE: Final = str(PurePath(actorflow.__file__).parent / "_core" / "_")[:-1]


class Glances:
    """One look after the other at who is running: for how long has it been the same turn?"""

    def __init__(self) -> None:
        self._actor: Actor | None = None
        self._effects: object = None
        self._signs = 0
        self._since = 0.0

    def seconds(self, running: Actor | None, signs: int, now: float, due: float) -> float:
        """For how long this turn has been seen, at a look that was due then; ``signs`` of the loop count."""
        if running is None:
            self._actor = None
            return 0.0
        effects = running.effects  # each turn has its own
        if running is not self._actor or effects is not self._effects or signs != self._signs:
            self._actor, self._effects, self._signs = running, effects, signs
            # Whoever computes in C holds the interpreter, and the thread that looks, since the look was due.
            self._since = due
        return now - self._since


class Watchdog:
    """Looks at the loop in whose thread it was made, until it is stopped."""

    def __init__(self) -> None:
        self.longest: dict[str, float] = {}
        """By handler: for how long it was seen to compute, the longest time."""
        self._running = look_here()
        self._loop = threading.get_ident()
        self._token = trio.lowlevel.current_trio_token()
        self._signs = 0
        """How often the loop has shown that it goes on."""
        self._asked = 0
        self._told: dict[str, float] = {}
        self._stop = threading.Lock()
        """Free once it is to look no more."""
        self._stop.acquire()
        self._thread = threading.Thread(target=self._watch, name="actorflow watchdog", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # there is no thread for it: nobody works less for that
            _log.warning("no turn that takes long will be told of: %s", error)
            self._stop.release()

    def stop(self) -> None:
        """Look no more; returns when the thread is gone."""
        if self._stop.locked():
            self._stop.release()
            self._thread.join()

    def _watch(self) -> None:
        now = time.monotonic()
        glances = Glances()
        with suppress(trio.RunFinishedError):
            while not self._stop.acquire(timeout=LOOK_S):
                # First of all: whoever computed in C wants the interpreter back, and may get it at any call.
                running, frame = self._running(), _frames().get(self._loop)
                if self._running() is not running:
                    running = None  # it has just ended, and the frames may be another's
                due, now = now + LOOK_S, time.monotonic()
                seconds = glances.seconds(running, self._signs, now, due)
                if running is not None and seconds >= SLOW_S:
                    self._see(running, seconds, frame)
                if running is not None and self._asked == self._signs:
                    self._asked += 1
                    self._token.run_sync_soon(self._sign)
                del frame  # and with it what its variables hold

    def _sign(self) -> None:
        self._signs += 1

    def _see(self, actor: Actor, seconds: float, frame: FrameType | None) -> None:
        """Say who it is, the first time and whenever it has come to take twice as long."""
        who, where = _busy_with(frame)
        name = f"{actor.spec.name}: {who}"
        self.longest[name] = max(seconds, self.longest.get(name, 0.0))
        if len(self.longest) > REMEMBERED_MAX:
            del self.longest[next(iter(self.longest))]
        if seconds < 2 * self._told.get(name, 0.0):
            return
        self._told[name] = seconds
        if len(self._told) > REMEMBERED_MAX:
            del self._told[next(iter(self._told))]
        _log.warning(
            "%s: %s has computed for %.1f s, and all actors of this process wait for it; it is at %s\n"
            "  hint: what takes long belongs into an activity; one that is `def` runs in a thread",
            actor,
            who,
            seconds,
            where,
        )


def _busy_with(frame: FrameType | None) -> tuple[str, str]:
    """The function of an author's that the core has called, and where in what it calls it has come to."""
    innermost = outermost = None
    first = frame
    while frame is not None and not frame.f_code.co_filename.startswith(CORE):
        if not frame.f_code.co_filename.startswith(OURS):
            innermost, outermost = innermost or frame, frame
        frame = frame.f_back
    if innermost is None or outermost is None:  # it packs what is big, say
        return "a turn", _place(first)
    return outermost.f_code.co_qualname, _place(innermost)


def _place(frame: FrameType | None) -> str:
    if frame is None:
        return "an unknown place"
    code = frame.f_code
    return f"{PurePath(code.co_filename).name}:{frame.f_lineno}, in {code.co_name}"
