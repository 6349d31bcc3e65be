"""A power that grows out of what can be stored."""

from __future__ import annotations

from actorflow import Refused, entity, update

SAYS = "64 bits"


@entity
class Planted:
    product: int = 1

    @update
    def raise_it(self, by: int) -> int:
        self.product = by**4
        return self.product % 10


@entity
class Mended:
    product: int = 1

    @update
    def raise_it(self, by: int) -> int:
        product = by**4
        if product >= 1 << 63:
            raise Refused("that is too much")
        self.product = product
        return self.product % 10
