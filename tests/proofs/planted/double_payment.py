"""Two that interleave both pass a check that only one of them may pass."""

from __future__ import annotations

from actorflow import Refused, activity, entity, invariant, update

SAYS = "paid_once does not hold"


@activity
async def charge() -> None:
    """Take the money."""


@entity
class Planted:
    payments: int = 0

    @update(interleave=True)
    async def pay(self) -> None:
        if self.payments:
            raise Refused("it is paid")
        await charge()
        self.payments += 1

    @invariant
    def paid_once(self) -> bool:
        return self.payments <= 1


@entity
class Mended:
    payments: int = 0

    @update
    async def pay(self) -> None:
        if self.payments:
            raise Refused("it is paid")
        await charge()
        self.payments += 1

    @invariant
    def paid_once(self) -> bool:
        return self.payments <= 1
