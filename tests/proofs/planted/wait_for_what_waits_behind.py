"""A handler waits for a message that waits behind it."""

from __future__ import annotations

from actorflow import entity, signal, update, wait_until

SAYS = "can never move"


@entity
class Planted:
    open: bool = False

    @update
    async def enter(self) -> None:
        await wait_until(lambda: self.open)

    @signal
    def unlock(self) -> None:
        self.open = True


@entity
class Mended:
    open: bool = False

    @update
    async def enter(self) -> None:
        await wait_until(lambda: self.open)

    @signal(interleave=True)
    def unlock(self) -> None:
        self.open = True
