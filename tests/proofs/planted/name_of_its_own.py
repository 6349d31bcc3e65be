"""A name that is drawn anew on every replay."""

from __future__ import annotations

from actorflow import entity, signal, uuid4
from tests.proofs import outside

SAYS = "would be different on replay"


@entity
class Planted:
    name: str = ""

    @signal
    def add(self) -> None:
        self.name = outside.name()


@entity
class Mended:
    name: str = ""

    @signal
    def add(self) -> None:
        self.name = str(uuid4())
