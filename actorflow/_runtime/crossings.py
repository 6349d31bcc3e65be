"""The door of those who live beyond a bridge: each thing that is asked of a host is one crossing.

Knows what crosses over.  How its caller waits until it is back is for each kind of caller to say.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from actorflow._core.facts import Address, Input
from actorflow._core.spec import Spec

from .bridge import Asked, Bridge, Crossing, Sent, Work
from .host import Answer, Host

__all__ = ["CrossingDoor"]

T = TypeVar("T")


class CrossingDoor(ABC):
    """The way in, over a bridge."""

    @property
    @abstractmethod
    def bridge(self) -> Bridge:
        """To the host."""

    @abstractmethod
    async def _cross(self, crossing: Crossing) -> Any:
        """Send a crossing over, wait until it is back, and give or raise what came of it."""

    def spec(self, name: str) -> Spec:
        """The entity of this name, or ``UnknownEntity``."""
        return self.bridge.host.spec(name)

    async def send(self, address: Address, input_: Input, where: str) -> Answer:
        """Deliver an input; returns how it was answered, once that is durable.  THE hot path."""
        answer: Answer = await self._cross(Sent(address, input_, where))
        return answer

    async def send_all(self, messages: Sequence[tuple[Address, Input]]) -> None:
        """Deliver signals, all of them or none; returns when they are durable."""
        await self._cross(Work(lambda host: host.send_all(messages), "the batch"))

    async def ask(self, address: Address, name: str, body: bytes) -> bytes:
        """Answer a query, once what it tells is durable."""
        data: bytes = await self._cross(Asked(address, name, body))
        return data

    async def call(self, work: Callable[[Host], Awaitable[T]], where: str = "this call") -> T:
        """Do something rarer in the host's own loop."""
        found: T = await self._cross(Work(work, where))
        return found
