"""The first to answer decides, and should not."""

from __future__ import annotations

from attrs import field

from actorflow import activity, entity, gather, invariant, update

SAYS = "cheapest_is_first does not hold"


@activity
async def ask(shop: str) -> int:
    """Ask a shop for its price."""
    return len(shop)


@entity
class Planted:
    offers: list[int] = field(factory=list[int])

    @update
    async def compare(self) -> int:
        self.offers = []
        await gather(*(self._ask(shop) for shop in ("north", "south")))
        return self.offers[0]

    async def _ask(self, shop: str) -> None:
        self.offers.append(await ask(shop))

    @invariant
    def cheapest_is_first(self) -> bool:
        return not self.offers or self.offers[0] == min(self.offers)


@entity
class Mended:
    offers: list[int] = field(factory=list[int])

    @update
    async def compare(self) -> int:
        self.offers = []
        self.offers = sorted(await gather(*(ask(shop) for shop in ("north", "south"))))
        return self.offers[0]

    @invariant
    def cheapest_is_first(self) -> bool:
        return not self.offers or self.offers[0] == min(self.offers)
