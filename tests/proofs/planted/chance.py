"""Chance that replay does not repeat."""

from __future__ import annotations

from actorflow import entity, random, signal
from tests.proofs import outside

SAYS = "would be different on replay"


@entity
class Planted:
    n: int = 0

    @signal
    def add(self) -> None:
        self.n = outside.chance()


@entity
class Mended:
    n: int = 0

    @signal
    def add(self) -> None:
        self.n = random().randint(0, 1 << 30)
