"""Somebody ends the actor while a handler waits, and what it holds is never given back."""

from __future__ import annotations

from actorflow import activity, entity, invariant, update

SAYS = "nothing_is_held does not hold"
OPTIONS = {"examples": 600}


@activity
async def weigh() -> int:
    """Ask the scales."""
    return 1


@entity
class Planted:
    held: bool = False
    waits: bool = False

    @update
    async def measure(self) -> int:
        self.held = True
        try:
            weight = await weigh()
        except Exception:
            self.held = False
            raise
        self.held = False
        return weight

    @invariant
    def nothing_is_held(self) -> bool:
        return not self.held


@entity
class Mended:
    held: bool = False
    waits: bool = False

    @update
    async def measure(self) -> int:
        self.held = True
        try:
            return await weigh()
        finally:
            self.held = False

    @invariant
    def nothing_is_held(self) -> bool:
        return not self.held
