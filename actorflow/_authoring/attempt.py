"""The attempt of an activity that runs, as its function sees it.  Knows no trio."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from actorflow._codec import pack, unpack
from actorflow._codec.extensions import is_list
from actorflow._codec.shapes import short
from actorflow.errors import Cancelled, UsageError

__all__ = ["RUNNING", "Attempt", "one_of"]


class Attempt:
    """The attempt that runs, as its function sees it."""

    def __init__(
        self,
        number: int,
        keys: Callable[[], tuple[str, ...]],
        last_heartbeat: bytes,
        beat: Callable[[bytes], bool],
        leave: Callable[[], str],
    ) -> None:
        self.number = number
        """1, and one more with each retry, restarts included."""
        self._keys = keys
        self._last_heartbeat = last_heartbeat
        self._beat = beat
        self._leave = leave

    @property
    def keys(self) -> tuple[str, ...]:
        """The key of each call, where several were made one."""
        return self._keys()

    @property
    def key(self) -> str:
        """By which the other side can know this again: the same in every attempt, in no other call."""
        return self.keys[0]

    @property
    def last_heartbeat(self) -> Any:
        """What the last heartbeat of the attempts before told; none if there was none."""
        return unpack(self._last_heartbeat) if self._last_heartbeat else None

    def heartbeat(self, details: Any = None) -> None:
        """Tell that it is alive, and how far it is; raises ``Cancelled`` when nobody wants it any more."""
        if not self._beat(pack(details)):
            raise Cancelled

    def complete_later(self) -> str:
        """Leave the end to somebody outside, who is given this token; what is returned is ignored."""
        return self._leave()


RUNNING: Final[ContextVar[Attempt]] = ContextVar("RUNNING")


def one_of(answers: Any, place: int, count: int) -> Any:
    """The answer at a place among those that an activity gave for so many calls; raises what stands there."""
    if not is_list(answers) or len(answers) != count:
        raise UsageError(f"an activity that was asked {count} things at once gave {short(answers)}")
    answer: Any = answers[place]
    if isinstance(answer, Exception):
        raise answer
    return answer
