"""The clock of the machine."""

from __future__ import annotations

from actorflow import entity, now, signal
from tests.proofs import outside

SAYS = "would be different on replay"


@entity
class Planted:
    at: float = 0.0

    @signal
    def add(self) -> None:
        self.at = outside.clock()


@entity
class Mended:
    at: float = 0.0

    @signal
    def add(self) -> None:
        self.at = now().timestamp()
