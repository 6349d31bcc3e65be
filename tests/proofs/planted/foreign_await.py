"""A handler that awaits what no replay can repeat."""

from __future__ import annotations

from datetime import timedelta

from actorflow import entity, signal, sleep
from tests.proofs import outside

SAYS = "await"


@entity
class Planted:
    n: int = 0

    @signal
    async def wait(self) -> None:
        await outside.pause()
        self.n += 1


@entity
class Mended:
    n: int = 0

    @signal
    async def wait(self) -> None:
        await sleep(timedelta(seconds=1))
        self.n += 1
