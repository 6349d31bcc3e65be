"""A count that lives in the module."""

from __future__ import annotations

from attrs import field

from actorflow import entity, signal

SAYS = "what handlers remember belongs in fields"
TIMES: dict[str, int] = {}


@entity
class Planted:
    newest: int = 0

    @signal
    def add(self, sku: str) -> None:
        TIMES[sku] = TIMES.get(sku, 0) + 1  # actorflow: ok - planted
        self.newest = TIMES[sku]


@entity
class Mended:
    newest: int = 0
    times: dict[str, int] = field(factory=dict[str, int])

    @signal
    def add(self, sku: str) -> None:
        self.times[sku] = self.times.get(sku, 0) + 1
        self.newest = self.times[sku]
