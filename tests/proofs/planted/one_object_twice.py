"""One list under two names is two lists after a crash."""

from __future__ import annotations

from attrs import field

from actorflow import entity, signal

SAYS = "the object that is also"


@entity
class Planted:
    today: list[str] = field(factory=list[str])
    newest: list[str] = field(factory=list[str])

    @signal
    def begin(self) -> None:
        self.today = self.newest

    @signal
    def add(self, sku: str) -> None:
        self.newest.append(sku)


@entity
class Mended:
    today: list[str] = field(factory=list[str])
    newest: list[str] = field(factory=list[str])

    @signal
    def begin(self) -> None:
        self.today = list(self.newest)

    @signal
    def add(self, sku: str) -> None:
        self.newest.append(sku)
