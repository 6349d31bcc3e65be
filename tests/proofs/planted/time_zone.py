"""The zone of the machine."""

from __future__ import annotations

from actorflow import entity, now, signal
from tests.proofs import outside

SAYS = "another process"


@entity
class Planted:
    n: int = 0

    @signal
    def add(self) -> None:
        self.n = outside.zone()


@entity
class Mended:
    n: int = 0

    @signal
    def add(self) -> None:
        self.n = now().hour
