"""A thread beside the handler."""

from __future__ import annotations

from attrs import field

from actorflow import entity, signal
from tests.proofs import outside

SAYS = "would be different on replay"


@entity
class Planted:
    done: list[int] = field(factory=list[int])

    @signal
    def add(self) -> None:
        outside.thread(self.done)


@entity
class Mended:
    done: list[int] = field(factory=list[int])

    @signal
    def add(self) -> None:
        self.done.append(1)
