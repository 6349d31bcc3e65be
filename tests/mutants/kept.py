"""What became of mistakes, kept as a file: by module and function, a sign for each in the order of the text.

What is known of a function whose text is still the same is not tried again: so a run that was cut short goes
on, and after a change only what it touched is tried.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

from .mistakes import Mistake

__all__ = ["HERE", "HUNG", "NOTICED", "SURVIVED", "Kept", "Sum", "Tried"]

SURVIVED, NOTICED, HUNG = 0, 1, 2

HERE: Final = Path(__file__).parent / "run.json"
"""The run that the page about testing tells of."""
SIGNS: Final = {SURVIVED: "s", NOTICED: "n", HUNG: "h"}
FATES: Final = {sign: fate for fate, sign in SIGNS.items()}
UNTRIED: Final = "."


class Tried(NamedTuple):
    """What became of a mistake."""

    module: str
    mistake: Mistake
    fate: int

    @property
    def name(self) -> str:
        return f"{self.module}.{self.mistake}"


class Sum(NamedTuple):
    """What became of the mistakes of one module."""

    noticed: int
    hung: int
    survived: int
    untried: int


class Kept:
    """A file of fates."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        there = path is not None and path.exists()
        self.fates: dict[str, dict[str, list[str]]] = (
            json.loads(path.read_text("utf-8")) if path and there else {}
        )
        """By module and function: a digest of its text, and the signs."""

    def expect(self, module: str, digests: dict[str, str], counts: dict[str, int]) -> None:
        """Have a place for each mistake of a module; what is known of another text is forgotten."""
        was = self.fates.get(module, {})
        self.fates[module] = {
            function: was[function]
            if was.get(function, [""])[0] == digests[function]
            else [digests[function], UNTRIED * count]
            for function, count in counts.items()
        }

    def fate(self, module: str, function: str, place: int) -> int | None:
        """What became of it; none if it was not tried on the text of today."""
        return FATES.get(self.fates[module][function][1][place])

    def note(self, tried: Tried) -> None:
        """What became of one."""
        entry = self.fates[tried.module][tried.mistake.function]
        place = tried.mistake.place
        entry[1] = entry[1][:place] + SIGNS[tried.fate] + entry[1][place + 1 :]
        self.write()

    def write(self) -> None:
        """Bring the file up to date, a line for each function."""
        if self.path is None:
            return
        modules = (
            f" {json.dumps(module)}: {{\n"
            + ",\n".join(f"  {json.dumps(one)}: {json.dumps(fates)}" for one, fates in functions.items())
            + "\n }"
            for module, functions in self.fates.items()
        )
        self.path.write_text("{\n" + ",\n".join(modules) + "\n}\n", encoding="utf-8")

    def sums(self) -> dict[str, Sum]:
        """By module."""
        signs = (SIGNS[NOTICED], SIGNS[HUNG], SIGNS[SURVIVED], UNTRIED)
        return {
            module: Sum(*(sum(fates.count(sign) for _, fates in functions.values()) for sign in signs))
            for module, functions in self.fates.items()
        }
