"""What is set in the environment."""

from __future__ import annotations

from actorflow import entity, signal
from tests.proofs import outside

SAYS = "would be different on replay"


@entity
class Planted:
    home: str = ""

    @signal
    def add(self, home: str) -> None:
        self.home = outside.environment()


@entity
class Mended:
    home: str = ""

    @signal
    def add(self, home: str) -> None:
        self.home = home
