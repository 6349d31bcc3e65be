"""What runs of the tests have tried, kept as files beside this one; knows neither pytest nor the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["KEPT", "PROVED", "TESTED", "Run", "Tried", "kept", "newest"]

KEPT: Final = Path(__file__).parent / "runs"
TESTED: Final = "make test"
PROVED: Final = "make prove"


class Tried(NamedTuple):
    """How often a test ran, how many situations that were, and the seconds they took together."""

    tests: int
    cases: int
    seconds: float


class Run(NamedTuple):
    """One run of the tests."""

    date: str
    proof: str
    """The effort, as ``ACTORFLOW_PROOF`` names it."""
    whole: bool
    """Whether every test of the table was among them."""
    seed: int
    seconds: int
    processes: int
    tests: int
    skipped: int
    cases: int
    """Of all tests, those included that are in no row."""
    figures: dict[str, int]
    """What was counted in the tree, and by coverage where it watched; see ``figures.py``."""
    tried: dict[str, Tried]
    """By a test's name: its path from ``tests`` and its own."""

    @property
    def command(self) -> str:
        """What would do it again, but for the seed."""
        return PROVED if self.proof == "prove" else TESTED

    def written(self) -> str:
        """As a file, a line for each test."""
        head = json.dumps({**self._asdict(), "tried": {}}, indent=1).removesuffix(' "tried": {}\n}')
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in self.tried.items())
        return f'{head} "tried": {{\n{lines}\n }}\n}}\n'

    @classmethod
    def read(cls, text: str) -> Run:
        """From such a file."""
        given = json.loads(text)
        given["tried"] = {name: Tried(*one) for name, one in given["tried"].items()}
        return cls(**given)


def kept() -> list[Run]:
    """All runs that are kept here, the oldest first."""
    return sorted(
        (Run.read(path.read_text("utf-8")) for path in KEPT.glob("*.json")), key=lambda run: run.date
    )


def newest(runs: list[Run], command: str) -> dict[str, Tried]:
    """What the last run with each test in it tried, of the runs with this command."""
    return {name: one for run in runs if run.command == command for name, one in run.tried.items()}
