"""What is kept in an attribute that is no field is gone after a crash."""

from __future__ import annotations

from attrs import define, field

from actorflow import entity, query, signal

SAYS = "what handlers remember belongs in fields"


@entity
@define(slots=False)
class Planted:
    words: int = 0

    @signal
    def add(self, sku: str) -> None:
        self.words += 1
        self.newest = sku  # pyright: ignore[reportUninitializedInstanceVariable]

    @query
    def last(self) -> str:
        return getattr(self, "newest", "")


@entity
class Mended:
    words: int = 0
    newest: str = field(default="")

    @signal
    def add(self, sku: str) -> None:
        self.words += 1
        self.newest = sku

    @query
    def last(self) -> str:
        return self.newest
