"""What differs from process to process, and what code that is replayed must not depend on."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable
from typing import Final

from attrs import frozen

from .failure import NotDone

__all__ = ["AS_IT_IS", "KINDS", "Setting", "settings_of"]


@frozen
class Setting:
    """Something to be replayed under."""

    name: str
    """As reports name it."""
    variables: tuple[tuple[str, str], ...] = ()
    """Of the environment in which the process starts."""
    collector: str = ""
    """Of Python's garbage: "off", "eager", or as it comes."""

    def environment(self) -> dict[str, str]:
        """What a process of this setting is started with."""
        made = {**os.environ, **dict(self.variables)}
        # Two reports of the same journal are to be the same, so the order of sets is not left to chance.
        if made.get("PYTHONHASHSEED", "random") == "random":
            made["PYTHONHASHSEED"] = "0"
        return made

    def apply(self) -> None:
        """In the process itself, what no variable can say."""
        if self.collector == "off":
            gc.disable()
        elif self.collector == "eager":
            gc.set_threshold(1, 1, 1)


AS_IT_IS: Final = Setting("things as they are")


def _variable(name: str, value: str) -> Setting:
    return Setting(f"{name}={value}", ((name, value),))


KINDS: Final = {
    "hash-seed": tuple(_variable("PYTHONHASHSEED", seed) for seed in ("1", "2", "3")),
    # As POSIX writes them, which needs no data base of zones: fourteen hours ahead, eleven behind.
    "time-zone": tuple(_variable("TZ", zone) for zone in ("EAST-14", "WEST11")),
    "collector": (Setting("collector off", (), "off"), Setting("collector eager", (), "eager")),
}


def settings_of(kinds: Iterable[str]) -> list[Setting]:
    """All settings of these kinds."""
    found: list[Setting] = []
    for kind in dict.fromkeys(kinds):
        if kind not in KINDS:
            raise NotDone(f"{kind!r} is nothing to verify under; there are: {', '.join(KINDS)}")
        found += KINDS[kind]
    return found
