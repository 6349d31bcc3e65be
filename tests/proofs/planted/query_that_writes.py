"""A query that changes what it reads."""

from __future__ import annotations

from attrs import field

from actorflow import entity, query, signal

SAYS = "only reads"


@entity
class Planted:
    words: list[str] = field(factory=list[str])

    @signal
    def add(self, sku: str) -> None:
        self.words.append(sku)

    @query
    def ordered(self) -> list[str]:
        self.words.sort()
        return self.words


@entity
class Mended:
    words: list[str] = field(factory=list[str])

    @signal
    def add(self, sku: str) -> None:
        self.words.append(sku)

    @query
    def ordered(self) -> list[str]:
        return sorted(self.words)
