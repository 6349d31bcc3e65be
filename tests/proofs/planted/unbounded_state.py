"""A log of everything, for ever."""

from __future__ import annotations

from attrs import field

from actorflow import entity, signal

SAYS = "goes on growing"
OPTIONS = {"bounded": 200}


@entity
class Planted:
    log: list[str] = field(factory=list[str])

    @signal
    def note(self, text: str) -> None:
        self.log.append(text)


@entity
class Mended:
    log: list[str] = field(factory=list[str])

    @signal
    def note(self, text: str) -> None:
        self.log = [*self.log, text][-50:]
