"""What handles and batches need of a runtime: the same wherever their caller lives.

The host is a door itself, for callers in its own trio loop; a bridge is one for those in asyncio or a thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from actorflow._core.facts import Address, Input
    from actorflow._core.spec import Spec

    from .host import Host

__all__ = ["Door"]

T = TypeVar("T")


class Door(Protocol):
    """The way in."""

    def spec(self, name: str, /) -> Spec:
        """The entity of this name, or ``UnknownEntity``."""
        ...

    async def send(self, address: Address, input_: Input, where: str, /) -> tuple[str, bytes]:
        """Deliver an input; returns how it was answered, once that is durable."""
        ...

    async def send_all(self, messages: Sequence[tuple[Address, Input]], /) -> None:
        """Deliver signals, all of them or none; returns when they are durable."""
        ...

    async def ask(self, address: Address, name: str, body: bytes, /) -> bytes:
        """Answer a query, once what it tells is durable."""
        ...

    async def call(self, work: Callable[[Host], Awaitable[T]], where: str = ..., /) -> T:
        """Do something rarer in the host's own loop."""
        ...
