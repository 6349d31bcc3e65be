"""A file that is read in a handler."""

from __future__ import annotations

from actorflow import entity, signal
from tests.proofs import outside

SAYS = "would be different on replay"


@entity
class Planted:
    text: str = ""

    @signal
    def add(self, text: str) -> None:
        self.text = outside.reading()


@entity
class Mended:
    text: str = ""

    @signal
    def add(self, text: str) -> None:
        self.text = text
